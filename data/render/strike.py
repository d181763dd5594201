"""What one drum sounds like in one clip: which samples, how tuned, damped, bright and loud.

A clip has one `Voice` per class that is struck in it. Everything costly (conversion, tuning, damping,
brightness) is done once per sample and remembered for the clip; a hit then costs one scaled addition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import signal

from data.kits.sample import Kit, Sample, decay, peaking, retune, to_float
from data.kits.synth import brush_strokes
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

# Peak level of a full stroke in a usual mix, dB relative to the kick: the medians over strokes that nothing
# else covers in the six development recordings, rounded; every clip moves each instrument by several dB
# around it.
LEVEL_DB: Mapping[str, float] = {
    "kick": 0.0,
    "snare_head": -2.0,
    "snare_cross_stick": -6.0,
    "snare_rim": -1.0,
    "hihat_closed": -11.0,
    "hihat_closed_edge": -8.0,
    "hihat_open": -7.5,
    "hihat_open_edge": -5.0,
    "hihat_pedal": -14.0,
    "tom1_head": -1.0,
    "tom1_rim": 0.0,
    "tom2_head": -1.0,
    "tom2_rim": 0.0,
    "tom3_head": -1.0,
    "tom3_rim": 0.0,
    "floor_tom_head": -1.0,
    "floor_tom_rim": 0.0,
    "crash1": -5.0,
    "crash1_edge": -3.5,
    "crash2": -5.0,
    "crash2_edge": -3.5,
    "ride": -12.0,
    "ride_edge": -6.0,
    "ride_bell": -8.0,
    "aux1": -10.0,
    "aux2": -8.0,
}

# Octaves of tuning (standard deviation) and dB of level (standard deviation) by group, in the order of
# GROUPS.
TUNING_SD = (0.10, 0.10, 0.05, 0.12, 0.07, 0.07, 0.06, 0.06, 0.08)
LEVEL_SD = (3.0, 2.5, 5.0, 3.5, 4.5, 4.5, 4.5, 5.0, 4.5)
EVEN = 0.4  # of LEVEL_SD is left in an even mix
BRIGHTNESS_STEPS = 4
LAYERED = 3  # a series with at least so many velocity layers brings its own brightness
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

    def wave(self, velocity: int, rng: np.random.Generator) -> Wave:
        """A stroke for ``velocity``: layer by velocity, round robin by chance."""
        wanted = min(max(velocity + rng.normal(0.0, 4.0), 1.0), 127.0)
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


def choose_kit(kits: Sequence[Kit], rng: np.random.Generator) -> Kit:
    """The clip's main kit: a whole one (kick, snare, hats). Acoustic kits with velocity layers are what
    records hold most and what is hardest to imitate: they come most often, drum machines least."""
    needed = [CLASS_INDEX[name] for name in ("kick", "snare_head", "hihat_closed")]
    whole = [kit for kit in kits if all(drum in kit.samples for drum in needed)] or list(kits)
    weights = np.array(
        [0.6 if kit.kind != "acoustic" else 4.0 if kit.levels != "single-layer" else 1.5 for kit in whole]
    )
    return whole[rng.choice(len(whole), p=weights / weights.sum())]


def voices(
    drums: Sequence[int], main: Kit, kits: Sequence[Kit], rng: np.random.Generator
) -> dict[int, Voice]:
    """One voice per class in ``drums``; a class that no kit has is left out (its hits are then not rendered).

    Each instrument comes from the main kit or, one time in five, from another (studios mix and match);
    classes the chosen kit lacks are borrowed, from a kit of the same kind where there is one.
    """
    # One curve from velocity to loudness per clip, nearly one for all: otherwise nobody could tell a hard
    # stroke on a quiet channel from a soft one on a loud channel. Half the clips are mixed evenly.
    exponent = float(np.clip(rng.normal(1.35, 0.15), 1.0, 1.8))
    even = rng.random() < 0.5
    found: dict[int, Voice] = {}
    for number in range(len(GROUPS)):
        members = [d for d in drums if GROUP_OF[d] == number]
        if not members:
            continue
        source = main if rng.random() < 0.8 else _donor(members[0], main, kits, rng) or main
        spread = LEVEL_SD[number] * (EVEN if even else 1.0)
        gain = rng.normal(0.0, spread) if even or rng.random() < 0.9 else rng.uniform(-12.0, 9.0)
        ratio = (
            2.0 ** float(np.clip(rng.normal(0, TUNING_SD[number]), -0.35, 0.35))
            if rng.random() < 0.6
            else 1.0
        )
        softness = exponent * rng.uniform(0.95, 1.05)
        for drum in members:
            kit = source if drum in source.samples else _donor(drum, source, kits, rng)
            if kit is not None:
                found[drum] = _voice(drum, kit, gain, ratio, softness, rng)
    return found


def _donor(drum: int, like: Kit, kits: Sequence[Kit], rng: np.random.Generator) -> Kit | None:
    having = [kit for kit in kits if drum in kit.samples]
    alike = [kit for kit in having if kit.kind == like.kind]
    pool = alike if alike and rng.random() < 0.8 else having
    return pool[rng.integers(len(pool))] if pool else None


def _voice(
    drum: int, kit: Kit, gain: float, ratio: float, exponent: float, rng: np.random.Generator
) -> Voice:
    samples = kit.samples[drum]
    variants = sorted({sample.variant for sample in samples})
    name = DRUMS[drum].name
    if len(variants) > 1 and not (name == "hihat_open" and rng.random() < 0.5):
        # half the clips play the open hats through all recorded openings, all else is one series per clip
        main = "" in variants and rng.random() < 0.5
        variant = "" if main else variants[rng.integers(len(variants))]
        samples = tuple(sample for sample in samples if sample.variant == variant)
    brushed = name == "snare_head" and kit.kind == "acoustic" and rng.random() < 0.025
    if brushed:
        samples = brush_strokes(rng)
    layers = len({(sample.velocity_low, sample.velocity_high) for sample in samples})
    db = LEVEL_DB[name] + gain + rng.normal(0.0, 1.0)
    return Voice(
        drum=drum,
        kit=kit.name,
        samples=samples,
        gain=float(10 ** (db / 20)),
        exponent=float(exponent),
        ratio=float(ratio),
        ring=_ring(name, rng),
        layered=brushed or layers >= LAYERED,
        takes=TAKES if kit.kind == "acoustic" and len(samples) <= 2 else 1,
        eq=_dark(rng) if DRUMS[drum].family == "crash" and rng.random() < 0.6 else _eq(rng),
        swell=_swell(rng) if name in SWELLING and rng.random() < 0.35 else None,
    )


def _eq(rng: np.random.Generator) -> tuple[float, float, float] | None:
    """A channel strip: one broad boost or cut anywhere from 60 Hz to 10 kHz, on three channels in five."""
    if rng.random() > 0.6:
        return None
    centre = 60.0 * (10000.0 / 60.0) ** rng.random()
    return centre, float(np.clip(rng.normal(0.0, 4.5), -10.0, 9.0)), float(rng.uniform(0.5, 1.5))


def _dark(rng: np.random.Generator) -> tuple[float, float, float]:
    """Crashes on the development recordings are 5 dB darker (10 to 18 kHz against 2 to 5) than those of the
    kits: microphones, tape and mixing take the top off."""
    return rng.uniform(9000.0, 15000.0), -rng.uniform(3.0, 11.0), rng.uniform(0.4, 0.8)


def _swell(rng: np.random.Generator) -> tuple[float, float]:
    """A cymbal that still rings from the last stroke, or is struck softly, takes its time to speak; a
    sampled one is struck from rest."""
    return rng.uniform(3.0, 14.0), rng.uniform(0.008, 0.05)


def _swelling(samples: int, decibels: float, seconds: float) -> np.ndarray:
    """Gain from -decibels to 0 dB."""
    time = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    return 1 - np.float32(1 - 10 ** (-decibels / 20)) * np.exp(-time / np.float32(seconds))


def _ring(name: str, rng: np.random.Generator) -> tuple[float | None, ...]:
    """Damping of a piece, seconds: tape and gates on drums, hats by how far they are open, gated cymbals
    rarely."""
    chance = rng.random()
    if name.startswith("hihat_open"):
        if chance < 0.45:
            return (None,)
        middle = rng.uniform(0.12, 0.6)
        return (middle * 0.7, middle, middle * 1.4)
    if name.startswith("hihat_closed") and chance < 0.35:
        return (rng.uniform(0.025, 0.09),)
    if name == "kick" and chance < 0.3:
        return (rng.uniform(0.06, 0.25),)
    if name == "snare_cross_stick" and chance < 0.5:  # wood without wires; half of the sampled ones rattle on
        return (rng.uniform(0.02, 0.1),)
    if (name.startswith("snare") or "tom" in name) and chance < 0.3:
        return (rng.uniform(0.08, 0.35),)
    if ("crash" in name or "ride" in name) and chance < 0.2:
        return (rng.uniform(0.3, 1.2),)
    return (None,)
