"""Second velocity pass: combine the model's velocities with the loudness measured in the recording.

The model was trained on rendered drums. Its velocities rank strokes less well than their energy does on real
recordings, and better on rendered ones. The two are combined per drum over the whole recording, as standard
scores with equal, untuned weights (docs/decoding.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tokenizer.codec import MAX_VELOCITY
from tokenizer.hits import Hit

ATTACK = (-1, 2)
"""First and last 10 ms frame, relative to the onset, in which the peak of a stroke is measured."""
BEFORE = (-4, -2)
"""First and last frame of the level before the stroke."""
FEWEST = 8
"""Drums with fewer strokes keep the model's velocities: their mean and spread are unreliable."""
LEAST = 1e-3
"""Minimum share of the energy attributed to the stroke: -30 dB."""


class Strength(NamedTuple):
    """The loudness of one stroke in the recording."""

    rise: float
    """Energy in dB above the level before the stroke."""
    flux: float
    """Mean positive increase of the log amplitude over mel bands (spectral flux)."""


def measure(bands: np.ndarray, steps: Sequence[int]) -> list[Strength]:
    """Measure the strokes of one segment.

    Args:
        bands: [t m] log amplitude in mel bands.
        steps: the frame of each stroke, 0..t - 1.
    """
    if not steps:
        return []
    at, last = np.asarray(steps)[:, None], len(bands) - 1
    after = bands[(at + np.arange(ATTACK[0], ATTACK[1] + 1)).clip(0, last)].max(1)  # [n m]
    before = bands[(at + np.arange(BEFORE[0], BEFORE[1] + 1)).clip(0, last)].mean(1)
    loud = np.exp(2.0 * after).sum(1)
    rise = 10.0 * np.log10(np.maximum(loud - np.exp(2.0 * before).sum(1), LEAST * loud))
    flux = np.maximum(after - before, 0.0).mean(1)
    return [Strength(*pair) for pair in zip(rise.tolist(), flux.tolist(), strict=True)]


def revise(hits: Sequence[Hit], strengths: Mapping[tuple[float, int], Strength]) -> list[Hit]:
    """Revise the velocities of one recording's hits; each drum keeps the mean and spread that the model gave
    it.

    Args:
        strengths: for every hit, by time and drum.
    """
    velocity = np.array([hit.velocity for hit in hits], dtype=np.float64)
    drum = np.array([hit.drum for hit in hits], dtype=np.int64)
    found = np.array([strengths[hit.time, hit.drum] for hit in hits]).reshape(-1, len(Strength._fields))
    for one in np.unique(drum):
        own = np.flatnonzero(drum == one)
        if len(own) < FEWEST:
            continue
        score = sum(_standard(values[own]) for values in (velocity, *found.T))
        velocity[own] = velocity[own].mean() + velocity[own].std() * _standard(np.asarray(score))
    whole = np.rint(velocity).clip(1, MAX_VELOCITY).astype(int).tolist()
    return [Hit(hit.time, hit.drum, value, hit.confidence) for hit, value in zip(hits, whole, strict=True)]


def _standard(values: np.ndarray) -> np.ndarray:
    """[n] scaled to mean 0 and standard deviation 1; zeros if all values are equal."""
    spread = values.std()
    return (values - values.mean()) / spread if spread > 1e-9 else np.zeros_like(values)
