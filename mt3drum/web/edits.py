"""What the review page sends to its server: scores to write, edits to keep. Untrusted."""

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
"""In one request: an hour at 55 hits a second."""
MAX_ID = 2**53
"""Of a hit: what a number of JavaScript holds exactly."""
PAST_END = 0.1
"""Seconds that a hit may lie beyond the recording: refinement moves the last onset by up to 20 ms."""


@dataclass(frozen=True)
class Edit:
    """A request of the page."""

    hits: tuple[Hit, ...]
    notes: Notes
    options: ScoreOptions


def parse_edit(body: bytes, length: float) -> Edit:
    """From JSON: `hits` ([seconds, drum, velocity, confidence] each) and, where given, `notes` (gm, td17),
    `grid` (8, 16, 24, auto: quantise), `beats` (the record of the tempo: keep it), `bpm` and `meter` (known).

    Args:
        length: of the recording, seconds; no hit is beyond it.
    Raises:
        ValueError, TypeError, KeyError, RecursionError: it is not what the page sends.
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
    """What a person made of a transcription: the difference to it, so that a score of hours stays small.

    The hits of the transcription have the ids 0, 1, ..., its candidates the ids after them.
    """

    removed: tuple[int, ...] = ()
    changed: tuple[tuple[int, Hit, bool], ...] = ()
    """(id, hit, whether it is still a candidate); ids that the transcription has not are new hits."""
    tempo: Grid | None = None
    has_tempo: bool = False
    """`tempo` replaces that of the transcription (None: no steady beat)."""

    def apply(self, hits: Sequence[Hit], candidates: int = 0) -> list[Hit]:
        """The score as it is now, in order; candidates that nobody has confirmed are not in it.

        Args:
            hits: of the transcription.
            candidates: how many ids after those of the hits are candidates'.
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
        """Plain JSON values; the inverse of `parse_changes`, but for the full record of the tempo."""
        rows = [
            [identity, hit.time, hit.drum, hit.velocity, hit.confidence, int(candidate)]
            for identity, hit, candidate in self.changed
        ]
        tempo = {"tempo": page_tempo(self.tempo)} if self.has_tempo else {}
        return {"removed": list(self.removed), "changed": rows, **tempo}


def parse_changes(values: Any, length: float) -> Changes:
    """From the page's JSON: `removed` (ids), `changed` ([id, seconds, drum, velocity, confidence, 0 or 1:
    still a candidate]) and, where beats were found anew, `tempo` (their record or null).

    Args:
        length: of the recording, seconds.
    Raises:
        ValueError, TypeError, KeyError: it is not what the page sends.
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
