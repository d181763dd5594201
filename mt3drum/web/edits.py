"""Parse and apply what the review page sends: scores to export, edits to save. Untrusted input."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mt3drum.formats.options import GRIDS, ScoreOptions
from mt3drum.formats.read_json import read_tempo
from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.web.page import page_tempo
from tokenizer.hits import Hit
from tokenizer.midi import Notes

MAX_HITS = 200_000
"""Maximum hits per request: an hour at 55 hits per second."""
MAX_ID = 2**53
"""Maximum id of a hit: the largest range of integers that JavaScript represents exactly."""
PAST_END = 0.1
"""Seconds by which a hit may lie beyond the recording; refinement moves the last onset by up to 20 ms."""


@dataclass(frozen=True)
class Edit:
    """An export or tempo request of the page."""

    hits: tuple[Hit, ...]
    notes: Notes
    options: ScoreOptions


def parse_edit(body: bytes, length: float) -> Edit:
    """Parse a request from JSON.

    It contains `hits` ([seconds, drum, velocity, confidence] each) and optionally `notes` (gm, td17), `grid`
    (8, 16, 24, auto: quantise), `beats` (a tempo record to keep), `bpm` and `meter` (known values).

    Args:
        length: duration of the recording in seconds; hits beyond it are rejected.

    Raises:
        ValueError, TypeError, KeyError, RecursionError: the input is not a valid request.
    """
    values = json.loads(body)
    rows, notes, steps = values["hits"], values.get("notes", "gm"), values.get("grid")
    if len(rows) > MAX_HITS:
        raise ValueError(f"more than {MAX_HITS} hits")
    if notes not in ("gm", "td17"):
        raise ValueError("notes must be gm or td17")
    if steps is not None and steps not in GRIDS:
        raise ValueError(f"grid must be one of {', '.join(GRIDS)}")
    hits = sorted(read_hit(row, length) for row in rows)
    bpm, meter, beats = values.get("bpm"), values.get("meter"), values.get("beats")
    grid = None if beats is None else read_tempo(beats)
    if grid is not None and hits:
        grid = grid.reaching(hits[0].time)
    options = ScoreOptions(
        None if bpm is None else float(bpm),
        None if meter is None else Meter.parse(str(meter)),
        None if steps is None else GRIDS[steps],
        grid,
    )
    return Edit(tuple(hits), notes, options)


def read_hit(row: Sequence[Any], length: float) -> Hit:
    """A hit from a row of a request: seconds, drum, velocity, confidence.

    Args:
        length: of the recording, seconds.
    Raises:
        ValueError, TypeError: it is none, or outside the recording.
    """
    seconds, drum, velocity, confidence = row
    if type(drum) is not int or type(velocity) is not int or not 0 <= seconds <= length + PAST_END:
        raise ValueError("a hit is [seconds within the recording, drum 0..25, velocity, confidence]")
    return Hit(float(seconds), drum, velocity, float(confidence))


@dataclass(frozen=True)
class Changes:
    """Edits of a transcription, stored as the difference so that long scores stay small.

    The hits of the transcription have the ids 0, 1, ..., followed by those of its candidates.
    """

    removed: tuple[int, ...] = ()
    changed: tuple[tuple[int, Hit, bool], ...] = ()
    """(id, hit, whether it is still a candidate); ids outside the transcription are new hits."""
    tempo: Grid | None = None
    has_tempo: bool = False
    """Whether `tempo` replaces that of the transcription (None: no steady beat)."""

    def apply(self, hits: Sequence[Hit], candidates: int = 0) -> list[Hit]:
        """The edited score, in order of time and without unconfirmed candidates.

        Args:
            hits: of the transcription.
            candidates: number of candidates, whose ids follow those of the hits.
        """
        kept = dict(enumerate(hits))
        for identity in self.removed:
            kept.pop(identity, None)
        for identity, hit, candidate in self.changed:
            kept.pop(identity, None)
            if not candidate:
                kept[identity] = hit
        return sorted(kept.values())

    def to_record(self) -> dict[str, Any]:
        """Plain JSON values; the inverse of `parse_changes`, except for the full tempo record."""
        rows = [
            [identity, hit.time, hit.drum, hit.velocity, hit.confidence, int(candidate)]
            for identity, hit, candidate in self.changed
        ]
        tempo = {"tempo": page_tempo(self.tempo)} if self.has_tempo else {}
        return {"removed": list(self.removed), "changed": rows, **tempo}


def parse_changes(values: Any, length: float) -> Changes:
    """Parse edits from the page's JSON.

    It contains `removed` (ids), `changed` ([id, seconds, drum, velocity, confidence, 0 or 1: still a
    candidate]) and, if beats were estimated again, `tempo` (their record or null).

    Args:
        length: duration of the recording in seconds.

    Raises:
        ValueError, TypeError, KeyError: the input is not valid.
    """
    if not isinstance(values, Mapping):
        raise ValueError("no object")
    removed, changed = values["removed"], values["changed"]
    if not isinstance(removed, list) or not isinstance(changed, list):
        raise ValueError("removed and changed are lists")
    if len(removed) + len(changed) > MAX_HITS:
        raise ValueError(f"more than {MAX_HITS} changes")
    rows = tuple((_id(row[0]), read_hit(row[1:5], length), bool(row[5])) for row in changed)
    has_tempo = "tempo" in values
    record = values.get("tempo")
    tempo = None if record is None else read_tempo(record)
    return Changes(tuple(_id(value) for value in removed), rows, tempo, has_tempo)


def _id(value: Any) -> int:
    if type(value) is not int or not 0 <= value < MAX_ID:
        raise ValueError(f"{value!r:.40} is not a hit id")
    return value
