"""What the review page sends to its server: hits as edited, and how they are to be written. Untrusted."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mt3drum.formats.options import GRIDS, ScoreOptions
from mt3drum.formats.read_json import read_tempo
from mt3drum.rhythm.grid import Meter
from tokenizer.hits import Hit
from tokenizer.midi import Notes

MAX_HITS = 200_000
"""In one request: an hour at 55 hits a second."""


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
    hits = []
    for seconds, drum, velocity, confidence in rows:
        if type(drum) is not int or type(velocity) is not int or not 0 <= seconds <= length + 1:
            raise ValueError("a hit is [seconds within the recording, drum 0..25, velocity, confidence]")
        hits.append(Hit(float(seconds), drum, velocity, float(confidence)))
    hits.sort()
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
