"""Augmentation: mixes drums and band into one recording, differently in every epoch.

The input is a window of a clip, the output a segment for the model. Only the change of speed moves attacks,
and the labels move with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.borders import begin, end
from data.dsp import effects, tones
from data.dsp.config import Range
from data.dsp.harsh import worsen
from data.dsp.levels import mix
from data.dsp.separation import separate
from mt3drum.config import SAMPLE_RATE
from tokenizer.hits import Hit

MEDIA = ("low-pass", "telephone", "codec", "crush")
"""Media that limit the bandwidth of a recording."""

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class AugmentConfig:
    """Probabilities and ranges; AugmentConfig.none() leaves audio and hits as they are."""

    seconds: float = 4.0
    """Length of the output."""
    band_probability: float = 0.65
    """The band, if any, is mixed in."""
    band_low: float = -20.0
    """Quietest band relative to the drums, dB of the RMS while they sound."""
    band_high: float = 10.0
    """Loudest band."""
    drumless_probability: float = 0.03
    """Drums and labels are removed, leaving a segment without drums."""
    hit_mixing_probability: float = 0.0
    """The drums and labels of the previous sample are added: combinations of strokes that nobody plays."""
    begin_probability: float = 0.1
    """The recording begins inside the window: silence, then the middle of a note, or the first stroke."""
    end_probability: float = 0.05
    """The recording ends inside the window."""
    speed_probability: float = 0.3
    """Playback between 1 - speed_range and 1 + speed_range times the speed."""
    speed_range: float = 0.06
    """At most 0.3. Rendered clips vary in tempo already; pitch moves with the speed, so that recorded drums
    sound like other drums."""
    decoy_probability: float = 0.1
    """Clicks, consonants, coughs: sounds with an attack that are not drums."""
    tone_probability: float = 0.5
    """Random equaliser on the drums, and again on the whole recording."""
    drum_compress_probability: float = 0.4
    """Bus compressor or limiter on the drums alone: kick and snare duck a ringing cymbal, which swells
    afterwards."""
    room_probability: float = 0.15
    """Room reverberation on the whole recording."""
    compress_probability: float = 0.3
    """Bus compressor or limiter on the whole recording."""
    saturate_probability: float = 0.25
    """tanh saturation of the whole recording."""
    noise_probability: float = 0.2
    """Hiss, hum or vinyl."""
    band_limit_probability: float = 0.2
    """Codec low-pass, telephone, spectral holes or early-digital sound."""
    harsh_probability: float = 0.25
    """A bad recording instead of room, compressor, medium and noise: `data.dsp.harsh`."""
    level_probability: float = 1.0
    """Final peak between level_low and 0 dB of full scale; otherwise the level is unchanged."""
    level_low: float = -18.0
    """Quietest final peak, dB."""
    clip_probability: float = 0.03
    """Hard clipping before the final level."""
    clip: Range = (1.0, 6.0)
    """dB by which the peaks are cut."""
    band_median: float = 1.0
    """dB of a usual band (records: -6 to +8)."""
    band_spread: float = 4.5
    """dB around it (standard deviation)."""
    band_anywhere: float = 0.2
    """Share of the bands whose level is drawn from the whole range instead."""
    drum_tone: float = 2.5
    """dB (standard deviation) of the equaliser on the drums."""
    drum_limiters: float = 0.25
    """Share of limiters among the compressors on the drums."""
    limiters: float = 0.4
    """The same on the whole recording."""
    media: tuple[float, ...] = (0.55, 0.15, 0.25, 0.05)
    """Share of each of MEDIA among the band limits."""
    vinyl: float = 0.25
    """Share of vinyl among the noises."""
    begin_seconds: float = 1.5
    """Maximum silence before a recording; transcription adds about half a second there."""
    trimmed: float = 0.4
    """Probability that a recording begins at a stroke, as trimmed clips do."""
    decoy_level: Range = (-25.0, -3.0)
    """dB of decoys relative to the peak."""
    metronome: float = 0.35
    """Share of metronomes among the decoys."""
    metronome_beat: Range = (0.3, 1.0)
    """Seconds from click to click."""
    metronome_beeps: float = 0.6
    """Share of metronomes that beep; the others click."""
    decoys: tuple[int, int] = (1, 9)
    """Number of decoys in a window: at least, fewer than."""
    separation_probability: float = 0.0
    """A band is heard through a source separator: what it leaves of the band and takes of the drums."""
    ramp_batches: int = 0
    """A curriculum: over this number of batches of a rank all probabilities but that of the level grow from
    0, and the loudest band from the quietest (of a data set; a resumed run goes on where it was)."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name.endswith("_probability") and not 0 <= value <= 1:
                raise ValueError(f"{item.name} is {value}, expected 0..1")
            if item.type is Range and not (len(value) == 2 and value[0] <= value[1]):
                raise ValueError(f"{item.name} is {value}, expected two rising numbers")
        if self.seconds <= 0:
            raise ValueError(f"seconds is {self.seconds}, expected more than 0")
        if not 0 <= self.speed_range <= 0.3:
            raise ValueError(f"speed_range is {self.speed_range}, expected 0..0.3")
        if self.ramp_batches < 0:
            raise ValueError(f"ramp_batches is {self.ramp_batches}, expected 0 or more")
        if not self.band_low <= self.band_high:
            raise ValueError(f"band_low {self.band_low} is above band_high {self.band_high}")
        if len(self.media) != len(MEDIA) or min(self.media) < 0 or abs(sum(self.media) - 1) > 1e-6:
            raise ValueError(f"media is {self.media}, expected {len(MEDIA)} shares with a sum of 1")
        if not self.level_low <= 0:
            raise ValueError(f"level_low is {self.level_low}, expected 0 dB or less")

    @property
    def speed_margin(self) -> float:
        """A window of seconds * speed_margin suffices for the fastest playback."""
        return 1.01 + max(0.06, self.speed_range)

    def at(self, batch: int) -> "AugmentConfig":
        """What is done in a rank's batch of this number."""
        if batch >= self.ramp_batches:
            return self
        share = batch / self.ramp_batches
        grown = {
            item.name: share * getattr(self, item.name)
            for item in fields(self)
            if item.name.endswith("_probability") and item.name != "level_probability"
        }
        high = self.band_low + share * (self.band_high - self.band_low)
        return replace(self, band_high=high, **grown)

    @classmethod
    def none(cls, seconds: float = 4.0) -> "AugmentConfig":
        """No augmentation: audio and hits are unchanged."""
        off: dict[str, Any] = {item.name: 0.0 for item in fields(cls) if item.name.endswith("_probability")}
        return cls(seconds=seconds, **off)


def augment(
    drums: Audio, band: Audio | None, hits: Sequence[Hit], rng: np.random.Generator, config: AugmentConfig
) -> tuple[Audio, tuple[Hit, ...]]:
    """Mix and augment one window.

    drums, band: float32, equal length, at least config.seconds * config.speed_margin long (shorter is padded
    with silence). hits: times in seconds from the window's start. Returns exactly config.seconds of audio and
    the hits in [0, config.seconds), in the new time. Raises ValueError when drums and band differ in length.
    """
    if band is not None and len(band) != len(drums):
        raise ValueError(
            f"drums have {len(drums)} samples, the band {len(band)}; expected the same window of both"
        )
    samples = round(config.seconds * SAMPLE_RATE)
    factor = 1.0
    if rng.random() < config.speed_probability:
        factor = 1 + float(rng.uniform(-config.speed_range, config.speed_range))
    source = int(np.ceil(samples * factor)) + 2
    audio = drums[:source]
    kept: Sequence[Hit] = hits
    if rng.random() < config.tone_probability:
        audio = effects.shape(audio, effects.tone_curve(effects.fast_bins(len(audio)), rng, config.drum_tone))
    if rng.random() < config.drum_compress_probability:
        audio = squeeze(audio, rng, config.drum_limiters)
    if band is not None and _heard(drums, rng, config.band_probability):
        band = band[:source]
        if rng.random() < config.drumless_probability:
            audio, kept = band, ()
        else:
            level = band_level(rng, config)
            if config.separation_probability and rng.random() < config.separation_probability:
                audio = separate(audio, mix(audio, band, level), rng)
            else:
                audio = mix(audio, band, level)
    if rng.random() < config.decoy_probability:
        audio = add_decoys(audio, rng, config)
    audio = resize(audio, samples) if factor == 1.0 else effects.change_speed(audio, factor, samples)
    if factor != 1.0:
        kept = [replace(hit, time=hit.time / factor) for hit in kept]
    audio = colour(audio, rng, config)
    kept = [hit for hit in kept if 0 <= hit.time < config.seconds]
    if rng.random() < config.begin_probability:
        audio, kept = begin(audio, kept, rng, config.begin_seconds, config.trimmed)
    if rng.random() < config.end_probability:
        audio, kept = end(audio, kept, rng)
    return audio, tuple(kept)


def _heard(drums: Audio, rng: np.random.Generator, probability: float) -> bool:
    """Whether the band is mixed in; always if there are no drums, because silence teaches nothing."""
    return rng.random() < probability or (probability > 0 and not drums.any())


def colour(audio: Audio, rng: np.random.Generator, config: AugmentConfig) -> Audio:
    """Effects on the whole recording (those of a mix, or of a bad recording), then its level."""
    harsh = rng.random() < config.harsh_probability
    audio = worsen(audio, rng) if harsh else produce(audio, rng, config)
    if rng.random() < config.level_probability:
        peak = float(np.abs(audio).max(initial=0.0))
        sign = -1.0 if rng.random() < 0.5 else 1.0
        audio = audio * np.float32(sign * 10 ** (rng.uniform(config.level_low, 0) / 20) / max(peak, 1e-3))
    return audio


def produce(audio: Audio, rng: np.random.Generator, config: AugmentConfig) -> Audio:
    """Effects of mixing and media on an ordinary recording."""
    if rng.random() < config.room_probability:
        audio = effects.room(audio, rng)
    if rng.random() < config.compress_probability:
        audio = squeeze(audio, rng, config.limiters)
    if rng.random() < config.saturate_probability:
        audio = effects.saturate(audio, rng)
    curve = None
    if rng.random() < config.tone_probability:
        curve = effects.tone_curve(effects.fast_bins(len(audio)), rng)
    medium = str(rng.choice(MEDIA, p=config.media)) if rng.random() < config.band_limit_probability else ""
    if medium in ("low-pass", "telephone"):
        bins = effects.fast_bins(len(audio))
        limit = effects.low_pass_curve(
            bins, rng
        )  # also drawn for telephones, so that seeds give the same results
        if medium == "telephone":
            limit = effects.telephone_curve(bins, rng)
        curve = limit if curve is None else curve * limit
    if curve is not None:
        audio = effects.shape(audio, curve)
    if medium == "codec":
        audio = effects.codec(audio, rng)
    elif medium == "crush":
        audio = effects.crush(audio, rng)
    if rng.random() < config.noise_probability:
        audio = effects.vinyl(audio, rng) if rng.random() < config.vinyl else effects.background(audio, rng)
    if rng.random() < config.clip_probability:
        ceiling = float(np.abs(audio).max(initial=0.0)) * 10 ** (-rng.uniform(*config.clip) / 20)
        audio = np.clip(audio, -ceiling, ceiling)
    return audio


def squeeze(audio: Audio, rng: np.random.Generator, limiters: float) -> Audio:
    """A limiter with probability `limiters`, else a bus compressor."""
    return effects.limit(audio, rng) if rng.random() < limiters else effects.compress(audio, rng)


def band_level(rng: np.random.Generator, config: AugmentConfig) -> float:
    """Band relative to drums in dB: mostly as on records, else anywhere in the range."""
    low, high = config.band_low, config.band_high
    if rng.random() < config.band_anywhere:
        return float(rng.uniform(low, high))
    return float(np.clip(rng.normal(config.band_median, config.band_spread), low, high))


def add_decoys(audio: Audio, rng: np.random.Generator, config: AugmentConfig) -> Audio:
    """A few short non-drum sounds, or a metronome."""
    out = audio.copy()
    peak = max(float(np.abs(audio).max(initial=0.0)), 1e-2)
    if rng.random() < config.metronome:
        step = int(rng.uniform(*config.metronome_beat) * SAMPLE_RATE)
        sound = tones.noise("beep" if rng.random() < config.metronome_beeps else "click", rng)
        plan = [(place, sound) for place in range(int(rng.integers(step)), len(audio), step)]
    else:
        kinds = rng.choice(tones.NOISE_KINDS, int(rng.integers(*config.decoys)))
        plan = [(int(rng.integers(max(1, len(audio)))), tones.noise(str(kind), rng)) for kind in kinds]
    level = peak * 10 ** (rng.uniform(*config.decoy_level) / 20)
    for place, sound in plan:
        part = sound[: len(out) - place]
        out[place : place + len(part)] += np.float32(level * rng.uniform(0.5, 1)) * part
    return out


def resize(audio: Audio, samples: int) -> Audio:
    """Exactly `samples` samples: cut, or padded with silence."""
    return audio[:samples] if len(audio) >= samples else np.pad(audio, (0, samples - len(audio)))
