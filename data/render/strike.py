"""The sound of one drum in one clip: which samples, and their tuning, damping, brightness and level.

A clip has one `Voice` per class that is struck. Expensive steps (conversion, tuning, damping, brightness) are
done once per sample and cached for the clip; a hit then costs one scaled addition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import signal

from data.kits.sample import Kit, Sample, decay, peaking, retune, to_float
from data.kits.synth import brush_strokes
from data.render.config import (
    LEVEL_DB,
    LEVEL_SD,
    TUNING_SD,
    DampingConfig,
    DrumsConfig,
    VoiceConfig,
)
from mt3drum.config import SAMPLE_RATE
from tokenizer.drums import CLASS_INDEX, DRUMS

# Pieces of one physical instrument share kit and tuning.
GROUPS: tuple[tuple[str, ...], ...] = (
    ("kick",),
    ("snare_head", "snare_cross_stick", "snare_rim"),
    ("hihat_closed", "hihat_closed_edge", "hihat_open", "hihat_open_edge", "hihat_pedal"),
    (
        "tom1_head",
        "tom1_rim",
        "tom2_head",
        "tom2_rim",
        "tom3_head",
        "tom3_rim",
        "floor_tom_head",
        "floor_tom_rim",
    ),
    ("crash1", "crash1_edge"),
    ("crash2", "crash2_edge"),
    ("ride", "ride_edge", "ride_bell"),
    ("aux1",),
    ("aux2",),
)
GROUP_OF: Mapping[int, int] = {CLASS_INDEX[name]: i for i, names in enumerate(GROUPS) for name in names}

BRIGHTNESS_STEPS = 4
LAYERED = 3  # a series with at least this many velocity layers has its own brightness
SWELLING = frozenset(
    drum.name for drum in DRUMS if drum.family == "crash" or drum.name.startswith("hihat_open")
)
TAKES = 3  # slightly different copies of a stroke where an acoustic drum was sampled once or twice


@dataclass(frozen=True)
class Wave:
    """A prepared stroke: float32 [n], peak 1, its attack at index ``onset``."""

    audio: np.ndarray
    onset: int


@dataclass
class Voice:
    """The sound of one class in one clip."""

    drum: int
    kit: str
    samples: tuple[Sample, ...]
    gain: float
    exponent: float
    ratio: float
    ring: tuple[float | None, ...]
    """Decay times (seconds; None leaves the sample as it is) that strokes choose from: the openness of
    hats."""
    layered: bool
    """Softer layers are duller by themselves."""
    takes: int
    eq: tuple[float, float, float] | None
    """Centre in Hz, gain in dB and Q of the channel's equaliser, or None."""
    swell: tuple[float, float] | None
    """dB by which a stroke starts below its ring, and the seconds it takes to lose them; None: it strikes."""
    made: dict[tuple[int, int, int, int], Wave] = field(default_factory=dict)

    def level(self, velocity: float) -> float:
        """Amplitude of a stroke; -40 dB is the floor, so that the softest ghost notes stay strokes."""
        return self.gain * max((velocity / 127.0) ** self.exponent, 0.01)

    def wave(self, velocity: int, rng: np.random.Generator, config: VoiceConfig) -> Wave:
        """A stroke for ``velocity``: layer by velocity, round robin by chance."""
        wanted = min(max(velocity + rng.normal(0.0, config.layer_noise), 1.0), 127.0)
        fits = [
            i for i, s in enumerate(self.samples) if s.velocity_low - 0.5 <= wanted <= s.velocity_high + 0.5
        ]
        if not fits:
            gaps = [abs(s.velocity_low + s.velocity_high - 2 * wanted) for s in self.samples]
            fits = [i for i, gap in enumerate(gaps) if gap <= min(gaps) + 1.0]
        index = fits[rng.integers(len(fits))]
        bright = BRIGHTNESS_STEPS - 1
        step = bright if self.layered else min(int(wanted / 128 * BRIGHTNESS_STEPS), bright)
        key = (index, step, int(rng.integers(len(self.ring))), int(rng.integers(self.takes)))
        if key not in self.made:
            self.made[key] = self._make(*key)
        return self.made[key]

    def _make(self, index: int, step: int, ring: int, take: int) -> Wave:
        sample = self.samples[index]
        seconds = self.ring[ring]
        # another stroke of the same hand: 7 cents and a sixth of an octave of brightness either way
        ratio = self.ratio * (1.0, 1.004, 0.996)[take]
        corner = 2500.0 * 2.0 ** (step + (0.0, 0.17, -0.17)[take])
        raw = sample.audio
        if seconds is not None:  # below -52 dB nothing is heard
            raw = raw[: sample.onset + int(6.0 * seconds * SAMPLE_RATE * ratio)]
        audio = to_float(raw)
        onset = sample.onset
        if ratio != 1.0:
            audio, onset = retune(audio, ratio), int(onset / ratio)
        if seconds is not None and onset < audio.size:
            audio[onset:] *= decay(audio.size - onset, seconds)
        if step < BRIGHTNESS_STEPS - 1:  # softer strokes are duller: one-pole low-pass, 2.5 to 11 kHz
            pole = np.exp(-2 * np.pi * corner / SAMPLE_RATE)
            audio = signal.lfilter(*np.array([[1 - pole, 0.0], [1.0, -pole]], dtype=np.float32), audio)
        if self.eq is not None:
            audio = signal.lfilter(*peaking(*self.eq), audio).astype(np.float32)
        if self.swell is not None and onset < audio.size:
            audio[onset:] *= _swelling(audio.size - onset, *self.swell)
        peak = max(float(audio.max()), -float(audio.min()), 1e-6)
        audio *= np.float32(1 / peak)
        fade = min(64, audio.size)
        audio[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        return Wave(audio, onset)


def choose_kit(kits: Sequence[Kit], rng: np.random.Generator, config: VoiceConfig) -> Kit:
    """The clip's main kit: a whole one (kick, snare, hats), acoustic kits with velocity layers most often."""
    needed = [CLASS_INDEX[name] for name in ("kick", "snare_head", "hihat_closed")]
    whole = [kit for kit in kits if all(drum in kit.samples for drum in needed)] or list(kits)
    weights = np.array([_weight(kit, config) for kit in whole])
    return whole[rng.choice(len(whole), p=weights / weights.sum())]


def _weight(kit: Kit, config: VoiceConfig) -> float:
    if kit.kind != "acoustic":
        return config.electronic_weight
    return config.single_weight if kit.levels == "single-layer" else config.layered_weight


def voices(
    drums: Sequence[int], main: Kit, kits: Sequence[Kit], rng: np.random.Generator, config: DrumsConfig
) -> dict[int, Voice]:
    """One voice per class in ``drums``; a class that no kit has is left out (its hits are then not rendered).

    Each instrument comes from the main kit or, at times, from another; classes the chosen kit lacks are
    borrowed, mostly from a kit of the same kind where there is one.
    """
    own = config.voices
    exponent = float(np.clip(rng.normal(*own.exponent), *own.exponent_limits))
    even = rng.random() < own.even
    chosen: dict[int, Voice] = {}
    for number in range(len(GROUPS)):
        members = [d for d in drums if GROUP_OF[d] == number]
        if not members:
            continue
        source = main if rng.random() < own.own else _donor(members[0], main, kits, rng, own) or main
        spread = LEVEL_SD[number] * (own.even_spread if even else 1.0)
        near = even or rng.random() < own.usual_level
        gain = rng.normal(0.0, spread) if near else rng.uniform(*own.any_level)
        ratio = 1.0
        if rng.random() < own.tuned:
            octaves = np.clip(rng.normal(0, TUNING_SD[number]), -own.tuning_limit, own.tuning_limit)
            ratio = 2.0 ** float(octaves)
        softness = exponent * rng.uniform(*own.exponent_spread)
        for drum in members:
            kit = source if drum in source.samples else _donor(drum, source, kits, rng, own)
            if kit is not None:
                chosen[drum] = _voice(drum, kit, gain, ratio, softness, rng, config)
    return chosen


def _donor(
    drum: int, like: Kit, kits: Sequence[Kit], rng: np.random.Generator, config: VoiceConfig
) -> Kit | None:
    having = [kit for kit in kits if drum in kit.samples]
    alike = [kit for kit in having if kit.kind == like.kind]
    pool = alike if alike and rng.random() < config.same_kind else having
    return pool[rng.integers(len(pool))] if pool else None


def _voice(
    drum: int,
    kit: Kit,
    gain: float,
    ratio: float,
    exponent: float,
    rng: np.random.Generator,
    config: DrumsConfig,
) -> Voice:
    own = config.voices
    samples = kit.samples[drum]
    variants = sorted({sample.variant for sample in samples})
    name = DRUMS[drum].name
    if len(variants) > 1 and not (name == "hihat_open" and rng.random() < own.openings):
        # all but open hats is one series per clip
        main = "" in variants and rng.random() < own.main_series
        variant = "" if main else variants[rng.integers(len(variants))]
        samples = tuple(sample for sample in samples if sample.variant == variant)
    brushed = name == "snare_head" and kit.kind == "acoustic" and rng.random() < own.brushes
    if brushed:
        samples = brush_strokes(rng)
    layers = len({(sample.velocity_low, sample.velocity_high) for sample in samples})
    db = LEVEL_DB[name] + gain + rng.normal(0.0, own.drum_level)
    return Voice(
        drum=drum,
        kit=kit.name,
        samples=samples,
        gain=float(10 ** (db / 20)),
        exponent=float(exponent),
        ratio=float(ratio),
        ring=_ring(name, rng, config.damping),
        layered=brushed or layers >= LAYERED,
        takes=TAKES if kit.kind == "acoustic" and len(samples) <= 2 else 1,
        eq=_dark(rng, own) if DRUMS[drum].family == "crash" and rng.random() < own.dark else _eq(rng, own),
        swell=_swell(rng, own) if name in SWELLING and rng.random() < own.swelling else None,
    )


def _eq(rng: np.random.Generator, config: VoiceConfig) -> tuple[float, float, float] | None:
    """A channel strip: one broad boost or cut, or none."""
    if rng.random() > config.equalised:
        return None
    low, high = config.equaliser_hertz
    centre = low * (high / low) ** rng.random()
    gain = float(np.clip(rng.normal(*config.equaliser_gain), *config.equaliser_limits))
    return centre, gain, float(rng.uniform(*config.equaliser_q))


def _dark(rng: np.random.Generator, config: VoiceConfig) -> tuple[float, float, float]:
    """A cut at the top of a crash."""
    hertz, cut = rng.uniform(*config.dark_hertz), rng.uniform(*config.dark_cut)
    return hertz, -cut, rng.uniform(*config.dark_q)


def _swell(rng: np.random.Generator, config: VoiceConfig) -> tuple[float, float]:
    """Depth in dB and seconds."""
    return rng.uniform(*config.swell_depth), rng.uniform(*config.swell_seconds)


def _swelling(samples: int, decibels: float, seconds: float) -> np.ndarray:
    """Gain from -decibels to 0 dB."""
    time = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    return 1 - np.float32(1 - 10 ** (-decibels / 20)) * np.exp(-time / np.float32(seconds))


def _ring(name: str, rng: np.random.Generator, config: DampingConfig) -> tuple[float | None, ...]:
    """Decay times of a piece in seconds; None: as sampled."""
    chance = rng.random()
    if name.startswith("hihat_open"):
        if chance < config.hat_open_free:
            return (None,)
        middle = rng.uniform(*config.hat_open_ring)
        return (middle * 0.7, middle, middle * 1.4)
    if name.startswith("hihat_closed") and chance < config.hat_closed:
        return (rng.uniform(*config.hat_closed_ring),)
    if name == "kick" and chance < config.kick:
        return (rng.uniform(*config.kick_ring),)
    if name == "snare_cross_stick" and chance < config.cross_stick:
        return (rng.uniform(*config.cross_stick_ring),)
    if (name.startswith("snare") or "tom" in name) and chance < config.drum:
        return (rng.uniform(*config.drum_ring),)
    if ("crash" in name or "ride" in name) and chance < config.cymbal:
        return (rng.uniform(*config.cymbal_ring),)
    return (None,)
