"""Derive accents and ghost notes from velocities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np

from tokenizer.drums import DRUMS
from tokenizer.hits import Hit

Mark = Literal["", "accent", "ghost"]

ACCENT_RATIO, ACCENT_LEAST = 1.2, 96
"""An accent has at least this ratio to the typical velocity of its drum, and at least this velocity."""
GHOST_RATIO, GHOST_MOST = 0.6, 60
"""A ghost note has at most this ratio to the typical velocity of its drum, and at most this velocity."""
GHOSTED = frozenset(drum.index for drum in DRUMS if drum.family in ("snare", "rim"))
"""Drums on which soft strokes are written as ghost notes; on others they get no mark."""


def marker(hits: Iterable[Hit]) -> dict[int, tuple[float, float]]:
    """Per drum: (highest velocity of a ghost note, lowest velocity of an accent).

    The typical velocity is the median of the strokes above half of the maximum, since ghost notes may be the
    majority.
    """
    by_drum: dict[int, list[int]] = {}
    for hit in hits:
        by_drum.setdefault(hit.drum, []).append(hit.velocity)
    limits = {}
    for drum, velocities in by_drum.items():
        usual = float(np.median([v for v in velocities if v > max(velocities) / 2]))
        ghost = min(GHOST_MOST, GHOST_RATIO * usual) if drum in GHOSTED else 0.0
        limits[drum] = (ghost, max(ACCENT_LEAST, ACCENT_RATIO * usual))
    return limits


def mark(hit: Hit, limits: dict[int, tuple[float, float]]) -> Mark:
    """The mark of one stroke, given the limits of its recording."""
    ghost, accent = limits[hit.drum]
    if hit.velocity <= ghost:
        return "ghost"
    return "accent" if hit.velocity >= accent else ""
