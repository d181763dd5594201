"""Transcribe part of a recording and merge it into an earlier transcription."""

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
"""Largest difference in seconds between two decoded lengths of one recording (decoders pad)."""
_NEIGHBOURHOOD = 0.25
"""Seconds around a part in which strokes can affect hits at its ends (joining reaches less far)."""


@dataclass(frozen=True)
class Part:
    """The half-open interval from `start` to `end`, in seconds of the recording.

    Raises:
        ValueError: it is empty or begins before the recording.
    """

    start: float = 0.0
    end: float = math.inf

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a part from {self.start:g} s to {self.end:g} s is empty")

    def needs(self, start: float, end: float) -> bool:
        """Whether a segment responsible for these seconds can affect hits in the part."""
        return start < self.end + _NEIGHBOURHOOD and end > self.start - _NEIGHBOURHOOD

    def widened(self) -> Part:
        """The part with the context on both sides that `merged` needs."""
        return Part(max(0.0, self.start - SAME_STROKE), self.end + SAME_STROKE)


WHOLE = Part()


def merged(old: Transcription, new: Transcription, part: Part, drums: Collection[int]) -> Transcription:
    """`old`, with its hits on `drums` in the part replaced by those of `new`.

    A stroke that the two place on different sides of a border is neither lost nor duplicated.

    Args:
        new: transcribed from `part.widened()`.

    Raises:
        ValueError: the recordings differ in length, or the schemes differ.
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
        # Outside: drop strokes of replaced hits. Inside: drop strokes of hits that were kept.
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
