"""Recordings that begin or end inside a window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mt3drum.config import SAMPLE_RATE
from tokenizer.hits import Hit

Audio = NDArray[np.float32]

BEGIN_SECONDS = 1.5
"""At most so much silence before a recording; transcribing puts about half a second there."""
ATTACK_SECONDS = 0.03
"""No recording begins so shortly after a stroke: whether that is still a stroke, nobody can tell."""
TRIMMED = 0.4
"""Probability that a recording begins with a stroke, as clips that were trimmed do."""
LEAD_SECONDS = 0.005
"""At most so much is left before that stroke."""


def begin(audio: Audio, hits: Sequence[Hit], rng: np.random.Generator) -> tuple[Audio, list[Hit]]:
    """Silence up to a random moment, as before the first sample of a recording; earlier hits are gone."""
    start = float(rng.uniform(0, BEGIN_SECONDS))
    near = [hit.time for hit in hits if hit.time < BEGIN_SECONDS]
    if near and rng.random() < TRIMMED:
        start = near[int(rng.integers(len(near)))] - float(rng.uniform(0, LEAD_SECONDS))
    # Before a stroke it would cut into; before all that fall together with it.
    for time in reversed(near):
        if time <= start < time + ATTACK_SECONDS:
            start = time - 0.5 * LEAD_SECONDS
    out = audio.copy()
    out[: max(0, round(start * SAMPLE_RATE))] = 0
    return out, [hit for hit in hits if hit.time >= start]


def end(audio: Audio, hits: Sequence[Hit], rng: np.random.Generator) -> tuple[Audio, list[Hit]]:
    """Silence from a random moment in the second half on; none is cut off."""
    last = len(audio) / SAMPLE_RATE * float(rng.uniform(0.5, 1.0))
    for hit in hits:
        if last - ATTACK_SECONDS < hit.time <= last:
            last = hit.time - LEAD_SECONDS
            break
    out = audio.copy()
    out[max(0, round(last * SAMPLE_RATE)) :] = 0
    return out, [hit for hit in hits if hit.time <= last]
