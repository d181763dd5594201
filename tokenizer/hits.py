"""A hit is one stroke on one drum. Also the rules for cutting and joining segments."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tokenizer.drums import INSTRUMENT_OF, NUM_CLASSES

SAME_STROKE = 0.02
"""Seconds. Strokes of one drum closer than this count as one when hits are rendered, joined or scored: nobody
plays that fast, and a border between two segments may yield one stroke twice, a step apart."""


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """One stroke. Ordered by time, then drum.

    Raises:
        ValueError: a field is outside its range.
    """

    time: float
    """Seconds from the start of the recording (or segment); finite."""
    drum: int
    """Index into `tokenizer.drums.DRUMS`, 0..25."""
    velocity: int
    """MIDI velocity, 1..127."""
    confidence: float = 1.0
    """Estimated probability that the hit is correct, 0..1."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.time):
            raise ValueError(f"hit time {self.time} is not finite")
        if not 0 <= self.drum < NUM_CLASSES:
            raise ValueError(f"hit drum {self.drum} is outside 0..{NUM_CLASSES - 1}")
        if not 1 <= self.velocity <= 127:
            raise ValueError(f"hit velocity {self.velocity} is outside 1..127")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"hit confidence {self.confidence} is outside 0..1")


def within(hits: Iterable[Hit], start: float, end: float) -> list[Hit]:
    """The hits with start <= time < end, in order. Every cut and join in the project follows this border
    rule."""
    return sorted(hit for hit in hits if start <= hit.time < end)


def merge_close(hits: Sequence[Hit], gap: float) -> list[Hit]:
    """Of hits on one drum less than `gap` seconds after the last kept one, keep the most confident.

    A border between two segments may yield one stroke twice, a step apart; nobody plays one drum that fast.
    """
    last: dict[int, int] = {}
    kept: list[Hit] = []
    for hit in sorted(hits):
        at = last.get(hit.drum)
        if at is not None and hit.time - kept[at].time < gap:
            if hit.confidence > kept[at].confidence:
                kept[at] = hit
            continue
        last[hit.drum] = len(kept)
        kept.append(hit)
    return sorted(kept)


def one_way_at_a_time(hits: Sequence[Hit], gap: float) -> list[Hit]:
    """Of hits on different classes of one instrument less than `gap` seconds apart, keep the most confident.

    For example, a snare cannot be struck on head and rim at the same time. Hits of the same class are never
    merged, because flams are real.
    """
    kept: list[Hit] = []
    taken: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for hit in sorted(hits, key=lambda hit: (-hit.confidence, hit)):
        struck = taken[INSTRUMENT_OF[hit.drum]]
        near = struck[
            bisect_left(struck, (hit.time - gap, NUM_CLASSES)) : bisect_left(struck, (hit.time + gap, -1))
        ]
        if all(drum == hit.drum for _, drum in near):
            insort(struck, (hit.time, hit.drum))
            kept.append(hit)
    return sorted(kept)
