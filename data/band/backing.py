"""The backing of a clip, with or without drums: a band, stems, sequences, soloists, ambience.

A clip without drums is as loud as one with drums, so that the model learns to detect nothing in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from data.band.ambience import AmbienceConfig, render_ambience
from data.band.config import BandConfig
from data.band.ducking import duck
from data.band.events import Event
from data.band.notes import NoteBank
from data.band.patch_ranges import SUB
from data.band.patches import draw_patch, play
from data.band.play import render_band
from data.band.sequences import SequenceConfig, render_sequences
from data.band.soloists import SoloConfig, render_soloists
from data.band.song import compose
from data.band.stems import BackingStem, StemConfig, render_stems
from data.dsp import effects
from data.dsp.levels import add_track, full_scale
from data.dsp.tones import Audio
from mt3drum.config import SAMPLE_RATE

KINDS = ("band", "stems", "sequences", "sequences and band", "soloists", "ambience")


@dataclass(frozen=True)
class BackingConfig:
    """How the backing of a clip is chosen and processed."""

    with_drums: tuple[float, ...] = (0.40, 0.20, 0.15, 0.15, 0.06, 0.04)
    """Probability of each of KINDS under drums; without stems, their share goes to the band."""
    with_machines: tuple[float, ...] = (0.10, 0.35, 0.33, 0.17, 0.02, 0.03)
    """Probability of each of KINDS under programmed drums."""
    drumless: tuple[float, ...] = (0.15, 0.22, 0.26, 0.07, 0.17, 0.13)
    """Probability of each of KINDS without drums: more of what was taken for drums."""
    cut: float = 0.5
    """Probability that the start is cut off, so that the clip begins in the middle of notes."""
    cut_seconds: float = 2.0
    """Maximum seconds cut off."""
    ducked: float = 0.3
    """Probability that the kick ducks stems and sequences."""
    machine_ducked: float = 0.7
    """Probability that programmed kicks duck any backing, as on most electronic records."""
    sub: float = 0.3
    """Probability of a sub bass that follows programmed kicks."""
    limited: float = 0.3
    """Probability of a limiter; electronic music is mastered loud."""
    own_tempo: float = 0.5
    """Probability that a clip without drums has an independent tempo."""
    tempo: tuple[float, float] = (60.0, 200.0)
    """Range of that tempo in beats per minute."""
    band: BandConfig = field(default_factory=BandConfig)
    stems: StemConfig = field(default_factory=StemConfig)
    sequences: SequenceConfig = field(default_factory=SequenceConfig)
    soloists: SoloConfig = field(default_factory=SoloConfig)
    ambience: AmbienceConfig = field(default_factory=AmbienceConfig)

    def __post_init__(self) -> None:
        for name in ("with_drums", "with_machines", "drumless"):
            shares = getattr(self, name)
            if len(shares) != len(KINDS) or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
                raise ValueError(f"{name} is {shares}, expected {len(KINDS)} shares with a sum of 1")


RECORDED = BackingConfig(
    with_drums=(0.8, 0, 0, 0, 0.2, 0),
    with_machines=(0.8, 0, 0, 0, 0.2, 0),
    drumless=(0.5, 0, 0, 0, 0.5, 0),
    sub=0.0,
    soloists=SoloConfig(recorded=1.0),
)
"""Backings from recorded notes only, nothing synthesised except singers: for tests, on held-out notes."""


def choose_kind(
    rng: np.random.Generator, drumless: bool, stems: bool, config: BackingConfig, machines: bool = False
) -> str:
    """Draw one of KINDS.

    Args:
        stems: whether stems are available.
        machines: whether the drums are programmed.
    """
    under = config.with_machines if machines else config.with_drums
    shares = np.array(config.drumless if drumless else under)
    if not stems:
        shares[0] += shares[1]
        shares[1] = 0.0
    return KINDS[int(rng.choice(len(KINDS), p=shares / shares.sum()))]


def render_backing(
    bank: NoteBank,
    stems: tuple[BackingStem, ...],
    rng: np.random.Generator,
    seconds: float,
    bpm: float,
    kicks: Sequence[float],
    drumless: bool = False,
    config: BackingConfig | None = None,
    machines: bool = False,
) -> Audio:
    """Render the backing of a clip: float32 [seconds * 44100], peak 0.9.

    Args:
        kicks: onset times of the kick in seconds, as in `render_band`.
        drumless: whether the clip has no drums.
        machines: whether the drums are programmed.
    """
    config = config or BackingConfig()
    kind = choose_kind(rng, drumless, bool(stems), config, machines)
    cut = round(rng.uniform(0, config.cut_seconds) * SAMPLE_RATE) if rng.random() < config.cut else 0
    if drumless and rng.random() < config.own_tempo:
        low, high = config.tempo
        bpm = float(low * (high / low) ** rng.random())
    late = cut / SAMPLE_RATE
    mix = _render(kind, bank, stems, rng, seconds + late, bpm, [time + late for time in kicks], config)
    mix = mix[len(mix) - round(seconds * SAMPLE_RATE) :]
    electronic = kind in ("stems", "sequences", "sequences and band")
    sounding = [] if drumless else [time for time in kicks if time >= 0]
    if machines and sounding and rng.random() < config.sub:
        add_track(mix, sub_bass(sounding, len(mix), rng), rng.uniform(-3, 4))
    share = config.machine_ducked if machines else config.ducked if electronic else 0.0
    if sounding and rng.random() < share:
        mix = mix * duck(len(mix), sounding, rng)
    if electronic and rng.random() < config.limited:
        mix = effects.limit(full_scale(mix), rng)
    return full_scale(mix)


def sub_bass(kicks: Sequence[float], samples: int, rng: np.random.Generator) -> Audio:
    """A low note with every kick, or from its end to the next one: the tail of the kick on many records."""
    patch = draw_patch(SUB, rng)
    late = float(rng.choice((0.0, 0.05, 0.1)))
    ends = [*kicks[1:], samples / SAMPLE_RATE]
    pitches = [int(pitch) for pitch in rng.integers(28, 40, 2)]
    events = [
        Event(time + late, (pitches[index % 8 // 6],), min(1.0, max(0.08, until - time - late)), 1.0)
        for index, (time, until) in enumerate(zip(kicks, ends, strict=True))
    ]
    return play(patch, events, samples, rng)


def _render(
    kind: str,
    bank: NoteBank,
    stems: tuple[BackingStem, ...],
    rng: np.random.Generator,
    seconds: float,
    bpm: float,
    kicks: Sequence[float],
    config: BackingConfig,
) -> Audio:
    """Render one of KINDS, not levelled."""
    if kind == "band":
        return render_band(bank, rng, seconds, bpm, kicks, config.band)
    if kind == "stems":
        return render_stems(stems, seconds, rng, config.stems)
    if kind == "ambience":
        return render_ambience(bank, seconds, rng, config.ambience)
    song = compose(rng, seconds, bpm, kicks, config.band.song)
    if kind == "soloists":
        return render_soloists(bank, song, rng, config.soloists)
    mix = render_sequences(song, rng, config.sequences)
    if kind == "sequences and band":
        add_track(mix, render_band(bank, rng, seconds, bpm, kicks, config.band), rng.uniform(-8, 2))
    return mix
