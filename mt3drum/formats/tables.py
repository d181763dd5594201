"""JSON, JSON Lines, CSV and JAMS: every hit with time, drum, velocity and confidence.
`mt3drum.formats.read_json` reads the JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mt3drum.result import record
from mt3drum.rhythm.grid import Grid
from tokenizer.drums import SCHEMES
from tokenizer.hits import Hit

COLUMNS = ("time", "drum", "velocity", "confidence")


def tempo_record(grid: Grid | None) -> dict[str, Any] | None:
    """A grid as plain values; None if there is none."""
    if grid is None:
        return None
    return {
        "bpm": round(grid.bpm, 2),
        "meter": str(grid.meter),
        "steadiness": round(grid.steadiness, 3),
        "first": grid.first,
        "beats": [round(beat, 4) for beat in grid.beats],
        "downbeats": [round(beat, 4) for beat in grid.downbeats],
    }


def to_json(
    hits: Sequence[Hit],
    seconds: float,
    source: str | None,
    warnings: Sequence[str],
    tempo: Mapping[str, Any] | None,
    scheme: str = "26",
) -> str:
    """One JSON object, one hit per line.

    Args:
        scheme: the label scheme; written to the file if it has fewer labels than there are classes.
    """
    head = {"source": source, "seconds": round(seconds, 6), "warnings": list(warnings), "tempo": tempo}
    head |= {} if scheme == "26" else {"scheme": scheme}
    body = ",\n  ".join(json.dumps(record(hit, scheme)) for hit in hits)
    body = f"[\n  {body}\n ]" if hits else "[]"
    return json.dumps(head, ensure_ascii=False)[:-1] + f',\n "hits": {body}}}\n'


def to_jsonl(hits: Iterable[Hit], scheme: str = "26") -> str:
    """One JSON object per line, one line per hit."""
    return "".join(json.dumps(record(hit, scheme)) + "\n" for hit in hits)


def to_csv(hits: Iterable[Hit], scheme: str = "26") -> str:
    """CSV with a header and one hit per line."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for hit in hits:
        drum = SCHEMES[scheme].name_of(hit.drum)
        table.writerow((f"{hit.time:.6f}", drum, hit.velocity, f"{hit.confidence:.4f}"))
    return text.getvalue()


def to_jams(
    hits: Sequence[Hit],
    seconds: float,
    title: str,
    grid: Grid | None,
    notes: Sequence[int],
    scheme: str = "26",
) -> str:
    """Write a JAMS file (Humphrey et al. 2014).

    Hits become MIDI notes (`note_midi`) and, with drum and velocity, `blob` annotations. With a grid there
    are also beats with their position in the bar (`beat`) and tempi (`tempo`).

    Args:
        notes: MIDI note of each class.
    """
    name_of = SCHEMES[scheme].name_of
    duration = max([seconds, *(hit.time for hit in hits)])
    annotations = [
        _annotation(
            "note_midi", duration, [(hit.time, 0.0, notes[hit.drum], hit.confidence) for hit in hits]
        ),
        _annotation(
            "blob",
            duration,
            [
                (hit.time, 0.0, {"drum": name_of(hit.drum), "velocity": hit.velocity}, hit.confidence)
                for hit in hits
            ],
        ),
    ]
    if grid is not None:
        per_bar = grid.meter.beats
        beats = [
            (beat, 0.0, (grid.first + i) % per_bar + 1, None)
            for i, beat in enumerate(grid.beats)
            if beat <= duration
        ]
        annotations.append(_annotation("beat", duration, beats))
        annotations.append(_annotation("tempo", duration, [(0.0, duration, round(grid.bpm, 3), 1.0)]))
    document = {
        "annotations": annotations,
        "file_metadata": {
            "title": title,
            "artist": "",
            "release": "",
            "duration": duration,
            "identifiers": {},
            "jams_version": "0.3.4",
        },
        "sandbox": {},
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _annotation(
    namespace: str, duration: float, rows: Iterable[tuple[float, float, Any, float | None]]
) -> dict[str, Any]:
    curator = {"name": "", "email": ""}
    return {
        "namespace": namespace,
        "annotation_metadata": {
            "curator": curator,
            "annotator": {},
            "version": "",
            "corpus": "",
            "annotation_tools": "mt3drum",
            "annotation_rules": "",
            "validation": "",
            "data_source": "program",
        },
        "data": [
            {"time": time, "duration": length, "value": value, "confidence": confidence}
            for time, length, value, confidence in rows
        ],
        "sandbox": {},
        "time": 0,
        "duration": duration,
    }
