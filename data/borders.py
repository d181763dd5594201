"""Recordings that begin or end inside a window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mt3drum.config import SAMPLE_RATE
from tokenizer.hits import Hit

Audio = NDArray[np.float32]

ATTACK_SECONDS = 0.03
"""No recording begins this soon after a stroke, because the rest of the stroke would be ambiguous."""

LEAD_SECONDS = 0.005
"""Maximum time left before the first stroke."""


def begin(
    audio: Audio, hits: Sequence[Hit], rng: np.random.Generator, seconds: float, trimmed: float
) -> tuple[Audio, list[Hit]]:
    """Silence up to a random time, as before the first sample of a recording; earlier hits are removed.

    Args:
        seconds: maximum silence.
        trimmed: probability that the recording begins at a stroke, as trimmed clips do.
    """
    start = float(rng.uniform(0, seconds))
    near = [hit.time for hit in hits if hit.time < seconds]
    if near and rng.random() < trimmed:
        start = near[int(rng.integers(len(near)))] - float(rng.uniform(0, LEAD_SECONDS))
    # Move it before a stroke that it would cut, and before all strokes at the same time.
    for time in reversed(near):
        if time <= start < time + ATTACK_SECONDS:
            start = time - 0.5 * LEAD_SECONDS
    out = audio.copy()
    out[: max(0, round(start * SAMPLE_RATE))] = 0
    return out, [hit for hit in hits if hit.time >= start]


def end(audio: Audio, hits: Sequence[Hit], rng: np.random.Generator) -> tuple[Audio, list[Hit]]:
    """Silence from a random time in the second half; no stroke is cut."""
    last = len(audio) / SAMPLE_RATE * float(rng.uniform(0.5, 1.0))
    for hit in hits:
        if last - ATTACK_SECONDS < hit.time <= last:
            last = hit.time - LEAD_SECONDS
            break
    out = audio.copy()
    out[max(0, round(last * SAMPLE_RATE)) :] = 0
    return out, [hit for hit in hits if hit.time <= last]
