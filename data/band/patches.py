"""Synthesiser patches: one note of a saw, square, overdriven sine, FM, formant or noise oscillator.

A filter sweep moves through a stack of single cycles, each filtered slightly darker than the previous one (a
wavetable), so that a note costs about as much as a table look-up. No patch is a drum: pitch sweeps stay
within an octave, low round sounds do not decay like a kick, noise is tuned. The exceptions are `SWEPT_SUB`
and `ZAP`, which fall in pitch like a kick and differ from one only in melody and length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import iirpeak, lfilter

from data.band.events import Event
from data.dsp import tones
from data.dsp.tones import TABLE_SIZE, Audio
from mt3drum.config import SAMPLE_RATE

Range = tuple[float, float]


@dataclass(frozen=True)
class PatchRanges:
    """Distribution of a patch: (low, high), sampled logarithmically unless stated otherwise."""

    shapes: Mapping[str, float]
    """Oscillator -> weight."""
    attack: Range = (0.0005, 0.02)
    """Seconds; the attacks that the model took for strokes."""
    decay: Range = (0.03, 0.8)
    """Seconds to decay by 60 dB towards the sustain level; drums decay as fast."""
    sustain: Range = (0.0, 0.0)
    """Level held after the decay, sampled uniformly; 0 for plucks."""
    release: Range = (0.005, 0.06)
    """Seconds of the fade at the end of a note."""
    bright: Range = (1500.0, 14_000.0)
    """Low-pass cutoff at the attack in Hz: dull to open."""
    dark: Range = (150.0, 4000.0)
    """Low-pass cutoff after the sweep in Hz; at most the bright one."""
    sweep: Range = (0.02, 0.8)
    """Seconds in which the filter closes: the "wow" of an envelope."""
    resonance: Range = (0.0, 6.0)
    """Gain of the harmonics at the cutoff, sampled uniformly; 6 is near self-oscillation."""
    voices: Sequence[int] = (1, 1, 2, 3)
    """Choices for the number of detuned copies."""
    detune: Range = (3.0, 25.0)
    """Cents between the outermost copies."""
    drive: Range = (1.0, 12.0)
    """Gain into tanh, for the overdriven sine and, with probability `driven`, any other oscillator."""
    driven: float = 0.2
    """Probability of overdrive after the filter."""
    bent: float = 0.15
    """Probability of a fast pitch sweep at the attack."""
    bend: Range = (-12.0, 12.0)
    """Semitones of that sweep, sampled uniformly; more than an octave would be an electronic tom."""
    bend_seconds: Range = (0.005, 0.06)
    """Seconds of that sweep."""
    click: float = 0.15
    """Probability of a key click at the attack."""
    click_level: Range = (0.05, 0.6)
    """Peak of the click relative to the note: a pick or key, not a stick."""
    vibrato: Range = (0.0, 0.0)
    """Depth in semitones, sampled uniformly."""
    floor: int = 28
    """Lowest MIDI note."""
    tuned: bool = False
    """Whether low round notes may decay like a kick, because they play a melody."""


PLUCK = PatchRanges({"saw": 3, "square": 3, "sine": 2, "fm": 2, "noise": 0.7, "formant": 0.5})
STAB = PatchRanges(
    {"saw": 4, "square": 2, "fm": 1.5, "organ": 1.5}, decay=(0.08, 1.0), voices=(1, 2, 3, 5), floor=40
)
PAD = PatchRanges(
    {"saw": 4, "square": 1.5, "organ": 1, "formant": 1.5},
    attack=(0.02, 0.6),
    decay=(0.5, 3.0),
    sustain=(0.5, 1.0),
    release=(0.05, 0.4),
    sweep=(0.2, 3.0),
    voices=(2, 3, 5, 7),
    detune=(8, 40),
    bent=0.0,
    click=0.0,
    floor=40,
)
REESE = PatchRanges(
    {"saw": 4, "square": 1},
    attack=(0.002, 0.03),
    decay=(0.5, 2.0),
    sustain=(0.6, 1.0),
    bright=(300, 3000),
    dark=(100, 800),
    voices=(2, 2, 3),
    detune=(15, 60),
    driven=0.5,
    bent=0.05,
)
SUB = PatchRanges(
    {"sine": 1},
    attack=(0.001, 0.012),
    decay=(0.5, 3.0),
    sustain=(0.2, 0.8),
    release=(0.03, 0.15),
    drive=(1.0, 6.0),
    voices=(1,),
    bent=0.0,
    click=0.6,
    click_level=(0.05, 0.3),
)
"""The "808" bass: long, without a sweep (which would make it a kick), often with a click at its attack."""
SWEPT_SUB = replace(
    SUB,
    decay=(0.6, 3.0),
    sustain=(0.3, 0.9),
    bent=1.0,
    bend=(10.0, 36.0),
    bend_seconds=(0.012, 0.06),
    click=0.3,
)
"""The same with the pitch sweep of a kick, but longer than a kick."""
ZAP = PatchRanges(
    {"sine": 3, "fm": 2, "square": 2, "saw": 1},
    attack=(0.0005, 0.006),
    decay=(0.08, 0.5),
    bright=(1500.0, 14_000.0),
    bent=1.0,
    bend=(12.0, 40.0),
    bend_seconds=(0.008, 0.08),
    click=0.3,
    voices=(1,),
    tuned=True,
)
"""Plucks whose pitch falls by one to three octaves: sequenced blips, lasers and thumps."""
BASS = PatchRanges(
    {"saw": 4, "square": 3, "sine": 1, "fm": 2},
    decay=(0.06, 0.6),
    sustain=(0.0, 0.5),
    bright=(300, 5000),
    dark=(80, 1200),
    driven=0.35,
)
ACID = PatchRanges(
    {"saw": 3, "square": 2},
    decay=(0.1, 0.5),
    sustain=(0.0, 0.4),
    bright=(700, 5000),
    dark=(120, 600),
    sweep=(0.05, 0.4),
    resonance=(4.0, 14.0),
    voices=(1,),
    driven=0.6,
    bent=0.0,
    floor=33,
)
CHOP = PatchRanges(
    {"formant": 1},
    attack=(0.003, 0.04),
    decay=(0.1, 1.2),
    sustain=(0.0, 0.9),
    release=(0.005, 0.03),
    bent=0.4,
    bend=(-7.0, 7.0),
    bend_seconds=(0.02, 0.15),
    vibrato=(0.0, 0.3),
    click=0.0,
    floor=45,
)
LEAD = PatchRanges(
    {"saw": 3, "square": 2, "fm": 1, "sine": 1},
    decay=(0.3, 2.0),
    sustain=(0.3, 0.9),
    vibrato=(0.0, 0.4),
    floor=50,
)

ROUND = ("sine", "fm", "noise")
"""Oscillators that sound like a kick or tom if they are low and decay fast."""
KICKISH_DECAY = 0.25
"""Seconds: a round note that decays faster ..."""
KICKISH_FLOOR = 57
"""... is never below this MIDI note (220 Hz) nor swept in pitch: it would be a kick or tom."""
STACK = 6
"""Number of cycles in a filter sweep."""
CEILING = 16_000.0
"""Frequency of the highest harmonic in Hz."""


@dataclass(frozen=True)
class Patch:
    """One synthesiser sound; times in seconds."""

    shape: str
    attack: float
    decay: float
    sustain: float
    release: float
    bright: float
    dark: float
    sweep: float
    resonance: float
    voices: int
    detune: float
    drive: float
    """Gain; 1: no overdrive."""
    bend: float
    bend_seconds: float
    click: float
    """Peak relative to the note; 0: no click."""
    click_hertz: float
    vibrato: float
    slope: float
    """Exponent of the harmonics; 1 is a saw."""
    ratio: float
    """FM: ratio of modulator to carrier."""
    index: float
    """FM: modulation index in radians."""
    vowels: tuple[str, str]
    floor: int


def draw_patch(ranges: PatchRanges, rng: np.random.Generator) -> Patch:
    """Draw a random sound."""
    names = list(ranges.shapes)
    weights = np.array([ranges.shapes[name] for name in names])
    shape = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    decay = _log(ranges.decay, rng)
    bright = _log(ranges.bright, rng)
    driven = shape == "sine" or rng.random() < ranges.driven
    kickish = shape in ROUND and decay < KICKISH_DECAY and not ranges.tuned
    vowels = [str(vowel) for vowel in rng.choice(list(tones.FORMANTS), 2)]
    attack = _log(ranges.attack, rng)
    return Patch(
        shape=shape,
        attack=max(attack, NOISE_ATTACK) if shape == "noise" else attack,
        decay=decay,
        sustain=float(rng.uniform(*ranges.sustain)),
        release=_log(ranges.release, rng),
        bright=bright,
        dark=min(_log(ranges.dark, rng), bright),
        sweep=_log(ranges.sweep, rng),
        resonance=float(rng.uniform(*ranges.resonance)),
        voices=int(rng.choice(ranges.voices)),
        detune=_log(ranges.detune, rng),
        drive=_log(ranges.drive, rng) if driven else 1.0,
        bend=float(rng.uniform(*ranges.bend)) if rng.random() < ranges.bent and not kickish else 0.0,
        bend_seconds=_log(ranges.bend_seconds, rng),
        click=_log(ranges.click_level, rng) if rng.random() < ranges.click else 0.0,
        click_hertz=_log((800.0, 5000.0), rng),
        vibrato=float(rng.uniform(*ranges.vibrato)),
        slope=float(rng.uniform(0.7, 1.3)),
        ratio=float(rng.choice((1.0, 1.0, 2.0, 3.0, 1.41, 3.5, 7.0, 1.0 if kickish else 0.5))),
        index=_log((0.5, 8.0), rng),
        vowels=(vowels[0], vowels[1]),
        floor=KICKISH_FLOOR if kickish else ranges.floor,
    )


NOISE_ATTACK = 0.012
"""Seconds: tuned noise with a sharper attack is a rim or a hi-hat."""


def note(patch: Patch, pitch: float, seconds: float, rng: np.random.Generator) -> Audio:
    """Render one note, released after `seconds`; peak 1. Notes below the patch's floor move up by octaves."""
    pitch += 12 * max(0, int(np.ceil((patch.floor - pitch) / 12)))
    samples = max(64, round((seconds + patch.release) * SAMPLE_RATE))
    time = (np.arange(samples) / SAMPLE_RATE).astype(np.float32)
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    contour: NDArray | float = frequency
    if patch.bend or patch.vibrato:
        cents = patch.bend * np.exp(-time / patch.bend_seconds)
        wobble = np.minimum(1, time / 0.3) * np.sin(2 * np.pi * 5.5 * time)
        contour = frequency * np.exp2((cents + patch.vibrato * wobble) / 12)
    tone = _oscillate(patch, frequency, contour, time, rng)
    if patch.drive > 1:
        tone = np.tanh(tone * patch.drive)
    shape = patch.sustain + (1 - patch.sustain) * np.exp(time * np.float32(-6.9 / patch.decay))
    shape *= np.minimum(1, time / patch.attack)
    fade = min(samples, max(1, round(patch.release * SAMPLE_RATE)))
    shape[samples - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    tone = tones.normalise(tone * shape)
    if patch.click:
        scrape = tones.noise_burst(rng, patch.click_hertz, 0.8, 0.006)[:samples]
        tone[: len(scrape)] += np.float32(patch.click) * scrape
    return tones.normalise(tone)


def _oscillate(
    patch: Patch, frequency: float, contour: NDArray | float, time: Audio, rng: np.random.Generator
) -> Audio:
    """The oscillators after the filter, without the amplitude envelope."""
    samples = len(time)
    if patch.shape == "noise":
        white = rng.standard_normal(samples, dtype=np.float32)
        b, a = iirpeak(min(frequency, 12_000.0), 60.0, fs=SAMPLE_RATE)
        return tones.normalise(lfilter(b, a, white))
    angle = _turns(contour, samples, float(rng.random()))
    if patch.shape == "sine":
        return np.sin(2 * np.pi * angle).astype(np.float32)
    if patch.shape == "fm":
        depth = patch.index * np.exp(-time / patch.sweep)
        wave = np.sin(2 * np.pi * angle + depth * np.sin(2 * np.pi * patch.ratio * angle))
        return wave.astype(np.float32)
    stack = _stack(patch, frequency, rng)
    # From the first (brightest) cycle to the last; linearly for vowels.
    place = np.minimum(1, time / max(0.05, patch.sweep))
    if patch.shape != "formant":
        place = 1 - np.exp(-time / patch.sweep)
    place *= len(stack) - 1
    row = np.minimum(place.astype(np.int64), len(stack) - 2)
    part = place - row
    out = np.zeros(samples, dtype=np.float32)
    for voice in range(patch.voices):
        spread = (voice - (patch.voices - 1) / 2) / max(1, patch.voices - 1) * patch.detune / 1200
        turns = angle * 2**spread + rng.random() if voice else angle
        column = (turns * TABLE_SIZE).astype(np.int64) & (TABLE_SIZE - 1)
        out += stack[row, column] * (1 - part) + stack[row + 1, column] * part
    return tones.normalise(out)


def _turns(contour: NDArray | float, samples: int, start: float) -> NDArray[np.float64]:
    """Phase in cycles along a frequency or a contour of frequencies."""
    if np.ndim(contour) == 0:
        return np.arange(samples, dtype=np.float64) * (float(contour) / SAMPLE_RATE) + start
    return np.cumsum(np.asarray(contour, dtype=np.float64)) / SAMPLE_RATE + start


def _stack(patch: Patch, frequency: float, rng: np.random.Generator) -> Audio:
    """Cycles [STACK TABLE_SIZE] from the bright to the dark end of the filter, or from vowel to vowel."""
    if patch.shape == "formant":
        first, last = (tones.vowel_amplitudes(frequency, vowel, 1.1, patch.slope) for vowel in patch.vowels)
        steps = np.linspace(0, 1, STACK)
        return np.stack([tones.cycle(first * (1 - step) + last * step) for step in steps])
    if patch.shape == "organ":
        source: NDArray[np.floating] = np.zeros(16)
        source[[0, 1, 2, 3, 5, 7, 15]] = rng.uniform(0.1, 1, 7)
    else:
        source = tones.harmonics(frequency, patch.slope, patch.shape == "square", CEILING)
    hertz = np.arange(1, len(source) + 1) * frequency
    rows = []
    for corner in np.geomspace(max(patch.bright, 1.2 * frequency), max(patch.dark, 1.2 * frequency), STACK):
        octaves = np.log2(hertz / corner)
        gain = 1 / np.sqrt(1 + 2.0 ** np.clip(4 * octaves, -40, 40))
        gain += patch.resonance * np.exp(-((octaves / 0.12) ** 2)) * (hertz[0] / hertz) ** 0.5
        # Not normalised one by one: closing the filter makes a note quieter.
        rows.append(_cycle(source * gain))
    return np.stack(rows)


def _cycle(amplitudes: NDArray) -> Audio:
    """One cycle of the given harmonics, at their level."""
    wave = tones.cycle(amplitudes)
    return wave * np.float32(np.sqrt(np.sum(amplitudes**2) / 2) / max(1e-9, float(wave.std())))


def play(patch: Patch, events: Sequence[Event], samples: int, rng: np.random.Generator) -> Audio:
    """Play events on a patch; each chord or note is rendered once and reused."""
    track = np.zeros(samples, dtype=np.float32)
    made: dict[tuple[tuple[int, ...], int], Audio] = {}
    for event in events:
        start = round(event.time * SAMPLE_RATE)
        units = max(1, round(event.seconds * 50))  # lengths in steps of 20 ms, so that notes can be reused
        if start >= samples or event.time + units / 50 + patch.release <= 0:
            continue
        key = (event.pitches, units)
        if key not in made:
            notes = [note(patch, pitch, units / 50, rng) for pitch in event.pitches]
            longest = max(map(len, notes))
            made[key] = np.sum([np.pad(one, (0, longest - len(one))) for one in notes], axis=0)
        sound = made[key][max(0, -start) : samples - start]
        first = max(0, start)
        track[first : first + len(sound)] += np.float32(event.velocity) * sound
    return track


def _log(limits: Range, rng: np.random.Generator) -> float:
    """Sample uniformly in the logarithm."""
    return float(limits[0] * (limits[1] / limits[0]) ** rng.random())
