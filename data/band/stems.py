"""Bands made of recorded stems without drums: excerpts of one to four, with varispeed and equalisation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from data.band.notes import read_licence, to_int16
from data.dsp import effects
from data.dsp.levels import add_track
from data.dsp.tones import Audio
from data.kits.sample import retune
from mt3drum.config import SAMPLE_RATE

SOURCE = "electronic"
"""Folder of stems below the data folder. A manifest lists such folders by name."""
SUFFIXES = (".opus", ".flac", ".ogg", ".wav")


@dataclass(frozen=True)
class BackingStem:
    """One part of a song."""

    song: str
    """The file name up to the first underscore."""
    audio: NDArray[np.int16]
    """Mono, 44.1 kHz."""


@dataclass(frozen=True)
class StemConfig:
    """Distribution of a band of stems."""

    count: tuple[float, ...] = (0.4, 0.3, 0.2, 0.1)
    """Probability of one, two, three and four at once."""
    mixed: float = 0.4
    """Probability that they come from several songs; clashing keys are not drums either."""
    octaves: float = 0.25
    """Standard deviation of the varispeed in octaves: the same notes in another key and tempo."""
    level: tuple[float, float] = (-9.0, 3.0)
    """Level of a stem in dB, as in the other bands."""
    coloured: float = 0.5
    """Probability of an equaliser on a stem."""
    deviation: float = 4.0
    """Standard deviation of that equaliser in dB."""
    room: float = 0.2
    """Probability of reverberation on the mix."""


def load_stems(folder: Path) -> tuple[tuple[BackingStem, ...], dict[str, str]]:
    """Load the stems in `folder`/train, or without that in `folder` itself, and {its name: licence}.

    Raises:
        ValueError: a file cannot be read, there is none, or SOURCE.txt is missing.
    """
    place = folder / "train" if (folder / "train").is_dir() else folder
    try:
        paths = sorted(path for path in place.iterdir() if path.suffix in SUFFIXES)
    except OSError as error:
        raise ValueError(f"{folder}: cannot be read ({error.strerror})") from None
    if not paths:
        raise ValueError(f"{place}: no stems ({', '.join(SUFFIXES)}); add some or remove the folder")
    return tuple(_read(path) for path in paths), {folder.name: read_licence(folder)}


def _read(path: Path) -> BackingStem:
    try:
        audio, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from None
    mono = audio.mean(axis=1)
    if not len(mono) or not np.isfinite(mono).all() or not mono.any():
        raise ValueError(f"{path}: empty, silent, or samples that are not finite numbers")
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE)
    return BackingStem(path.stem.partition("_")[0], to_int16(mono))


def render_stems(
    stems: tuple[BackingStem, ...], seconds: float, rng: np.random.Generator, config: StemConfig
) -> Audio:
    """Render a band of stems: float32 [seconds * 44100], not levelled. Long stems are chosen more often."""
    samples = round(seconds * SAMPLE_RATE)
    lasting = np.array([len(stem.audio) for stem in stems], dtype=np.float64) ** 0.5
    first = stems[int(rng.choice(len(stems), p=lasting / lasting.sum()))]
    if rng.random() >= config.mixed:
        stems = tuple(stem for stem in stems if stem.song == first.song)
        lasting = np.array([len(stem.audio) for stem in stems], dtype=np.float64) ** 0.5
    count = min(len(stems), 1 + int(rng.choice(len(config.count), p=config.count)))
    speed = 2.0 ** float(np.clip(rng.normal(0, config.octaves), -0.6, 0.6))
    mix = np.zeros(samples, dtype=np.float32)
    for index in rng.choice(len(stems), count, replace=False, p=lasting / lasting.sum()):
        track = _excerpt(stems[index].audio, samples, speed, rng)
        if rng.random() < config.coloured:
            curve = effects.tone_curve(effects.fast_bins(samples), rng, config.deviation)
            track = effects.shape(track, curve)
        add_track(mix, track, rng.uniform(*config.level))
    return effects.room(mix, rng) if rng.random() < config.room else mix


def _excerpt(audio: NDArray[np.int16], samples: int, speed: float, rng: np.random.Generator) -> Audio:
    """`samples` from a random position, played `speed` times as fast; a short stem is looped."""
    needed = int(np.ceil(samples * speed)) + 1
    start = int(rng.integers(max(1, len(audio) - needed)))
    cut = audio[start : start + needed].astype(np.float32) * np.float32(1 / 32767)
    edge = np.linspace(0, 1, 441, dtype=np.float32)  # 10 ms at the loop point
    if len(cut) < needed:
        width = min(441, len(cut))
        cut[:width] *= edge[:width]
        cut[-width:] *= edge[:width][::-1]
        cut = np.resize(cut, needed)
    played = retune(cut, speed)[:samples]
    return np.pad(played, (0, samples - len(played)))
