"""Velocity, second pass: what the model says of each stroke, set beside how loud the recording is there.

The model was trained on rendered drums. On real recordings its velocities rank strokes less well than their
energy does, on rendered ones better. The two are combined drum by drum, over the whole recording, by their
standard scores, with equal weights that were fitted to nothing (docs/decoding.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tokenizer.codec import MAX_VELOCITY
from tokenizer.hits import Hit

ATTACK = (-1, 2)
"""First and last frame, of 10 ms and from the stroke's, in which it is loudest."""
BEFORE = (-4, -2)
"""First and last frame of what sounded before it."""
FEWEST = 8
"""Strokes of a drum below which its mean and spread say too little: they keep the model's velocities."""
LEAST = 1e-3
"""Least share of the energy that is the stroke's own: -30 dB."""


class Strength(NamedTuple):
    """How loud one stroke is in the recording."""

    rise: float
    """dB: the energy it adds to what sounded before it."""
    flux: float
    """Mean over mel bands of the rise of the log amplitude, where it rises (spectral flux)."""


def measure(bands: np.ndarray, steps: Sequence[int]) -> list[Strength]:
    """The strokes of one segment.

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
    """The hits of one recording with velocities by both; each drum keeps the mean and spread that the model
    gave it.

    Args:
        strengths: by time and drum, of every hit.
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
    """[n] with mean 0 and deviation 1; zeros where all are alike."""
    spread = values.std()
    return (values - values.mean()) / spread if spread > 1e-9 else np.zeros_like(values)
