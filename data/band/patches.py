"""Synthesiser patches: one note of a saw, square, overdriven sine, FM, formant or noise oscillator.

A filter sweep moves through a stack of single cycles, each filtered slightly darker than the previous one (a
wavetable), so that a note costs about as much as a table look-up. No patch is a drum: pitch sweeps stay
within an octave, low round sounds do not decay like a kick, noise is tuned. The exceptions are `SWEPT_SUB`
and `ZAP`, which fall in pitch like a kick and differ from one only in melody and length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import iirpeak, lfilter

from data.band.events import Event
from data.band.patch_ranges import PatchRanges, Range
from data.dsp import tones
from data.dsp.tones import TABLE_SIZE, Audio
from mt3drum.config import SAMPLE_RATE

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
