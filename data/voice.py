"""A singer: vowels from a pulse through formants, vibrato and slides, and consonants that sound like drums.

Snares and hats are mostly noise with an attack; so are s, t, k and ch. A transcriber trained without voices
hears drums in them, so every sung line here starts syllables with them, often on the beat.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from data import tones
from data.score import Event
from data.tones import SAMPLE_RATE, Audio

CONSONANTS = ("s", "sh", "f", "t", "k", "p", "ch")


def sing(
    events: Sequence[Event], noises: Mapping[str, Sequence[Audio]], samples: int, rng: np.random.Generator
) -> Audio:
    """Sing a melody: one syllable per event, float32 [samples]. Consonants are drawn from `noises` (may be empty)."""
    track = np.zeros(samples, dtype=np.float32)
    size = rng.uniform(0.95, 1.3)
    tilt = rng.uniform(0.5, 1.1)
    depth, speed = rng.uniform(0.0, 0.014), rng.uniform(4.5, 6.5)
    breath = rng.uniform(0.0, 0.08)
    harshness = rng.choice([0.0, 0.0, rng.uniform(1, 8)])
    loudness = rng.uniform(0.15, 1.0)
    chance = rng.uniform(0.3, 1.0)
    previous = 0.0
    for event in events:
        start = round(event.time * SAMPLE_RATE)
        if not event.pitches or start < 0 or start >= samples:
            continue
        frequency = 440.0 * 2 ** ((event.pitches[0] - 69) / 12)
        count = min(samples - start, int((event.seconds + 0.05) * SAMPLE_RATE))
        time = np.arange(count, dtype=np.float32) / SAMPLE_RATE
        wobble = depth * np.minimum(1, time / 0.3) * np.sin(2 * np.pi * speed * time)
        slide = (previous / frequency - 1 if previous and rng.random() < 0.4 else rng.normal(0, 0.02)) * np.exp(-time / 0.03)
        contour = frequency * (1 + wobble + slide)
        syllable = _vowel(frequency, contour, size, tilt, rng)
        if breath:
            syllable += np.float32(breath) * rng.standard_normal(count, dtype=np.float32)
        if harshness:
            syllable = np.tanh(syllable * np.float32(harshness))
        rise = rng.uniform(0.01, 0.06)
        syllable *= np.minimum(1, time / rise) * np.minimum(1, (event.seconds + 0.05 - time) / 0.05 + 1e-3)
        track[start : start + count] += np.float32(event.velocity * 0.5) * syllable
        previous = frequency
        if noises and rng.random() < chance:
            kinds = noises.get(str(rng.choice(CONSONANTS))) or next(iter(noises.values()))
            sound = kinds[int(rng.integers(len(kinds)))]
            early = start - int(rng.uniform(0, 0.9) * len(sound))
            sound = sound[max(0, -early) : samples - early]
            early = max(0, early)
            track[early : early + len(sound)] += np.float32(loudness * rng.uniform(0.3, 0.8) * 0.5) * sound
    return track


def _vowel(frequency: float, contour: Audio, size: float, tilt: float, rng: np.random.Generator) -> Audio:
    """A vowel gliding into another (diphthong) over its length."""
    names = list(tones.FORMANTS)
    first, second = (str(name) for name in rng.choice(names, 2))
    one = tones.cycle(tones.vowel_amplitudes(frequency, first, size, tilt))
    two = tones.cycle(tones.vowel_amplitudes(frequency, second, size, tilt))
    phase = np.cumsum(contour, dtype=np.float64) / SAMPLE_RATE
    place = (phase * tones.TABLE_SIZE).astype(np.int64) & (tones.TABLE_SIZE - 1)
    blend = np.clip(np.linspace(-1, 2, len(contour), dtype=np.float32), 0, 1)
    return one[place] * (1 - blend) + two[place] * blend
