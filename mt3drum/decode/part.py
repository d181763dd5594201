"""A stretch of a recording that is transcribed alone, and put into an earlier transcription."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tokenizer.hits import SAME_STROKE, Hit, within

if TYPE_CHECKING:
    from mt3drum.result import Transcription

SAME_LENGTH = 0.5
"""Seconds by which two readings of one recording may differ in length (decoders pad)."""
_NEIGHBOURHOOD = 0.25
"""Seconds around a part in which strokes may still decide on those at its ends (they are joined by less)."""


@dataclass(frozen=True)
class Part:
    """From `start` up to, and without, `end`, in seconds of the recording.

    Raises:
        ValueError: it is empty or begins before the recording.
    """

    start: float = 0.0
    end: float = math.inf

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a part from {self.start:g} s to {self.end:g} s is empty")

    def needs(self, start: float, end: float) -> bool:
        """Whether a segment that answers for these seconds may decide on a hit of the part."""
        return start < self.end + _NEIGHBOURHOOD and end > self.start - _NEIGHBOURHOOD

    def widened(self) -> Part:
        """By what `merged` wants to know of either side."""
        return Part(max(0.0, self.start - SAME_STROKE), self.end + SAME_STROKE)


WHOLE = Part()


def merged(old: Transcription, new: Transcription, part: Part, drums: Collection[int]) -> Transcription:
    """`old`, with its hits on `drums` in the part replaced by those of `new`.

    A stroke that the two hear on different sides of an end of the part is neither lost nor doubled.

    Args:
        new: heard in `part.widened()`.

    Raises:
        ValueError: the two are of recordings of different length, or have different schemes.
    """
    if abs(old.seconds - new.seconds) > SAME_LENGTH:
        raise ValueError(
            f"the transcription is of a recording of {old.seconds:.1f} s; this one lasts {new.seconds:.1f} s"
        )
    if old.scheme != new.scheme:
        raise ValueError(
            f"the transcription has scheme {old.scheme}, this one {new.scheme}; use --scheme {old.scheme}"
        )
    replaced = [hit for hit in within(old.hits, part.start, part.end) if hit.drum in drums]
    kept = [hit for hit in old.hits if hit.drum not in drums or not part.start <= hit.time < part.end]
    found = []
    gone, there = _times(replaced), _times(kept)
    for hit in new.hits:
        inside = part.start <= hit.time < part.end
        # Beyond an end: the stroke of a hit that was replaced. Inside: not the stroke of one that was kept.
        if hit.drum in drums and (not _near(there, hit) if inside else _near(gone, hit)):
            found.append(hit)
    warnings = tuple(dict.fromkeys((*old.warnings, *new.warnings)))
    return replace(new, hits=tuple(sorted((*kept, *found))), warnings=warnings, candidates=(), left_out=())


def _times(hits: Iterable[Hit]) -> dict[int, list[float]]:
    times: dict[int, list[float]] = {}
    for hit in sorted(hits):
        times.setdefault(hit.drum, []).append(hit.time)
    return times


def _near(times: dict[int, list[float]], hit: Hit) -> bool:
    own = times.get(hit.drum, [])
    return bisect_left(own, hit.time - SAME_STROKE) < bisect_right(own, hit.time + SAME_STROKE)
