"""Transcriptions out: MIDI, JSON and CSV files, each complete or absent."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from pathlib import Path
from typing import Literal

from mt3drum.inputs import SUFFIX
from mt3drum.transcribe import Transcription
from tokenizer.drums import DRUMS
from tokenizer.midi import write_midi

Notes = Literal["gm", "td17"]


def write(result: Transcription, base: Path, formats: tuple[str, ...], notes: Notes) -> list[Path]:
    """Write `base` + suffix for every format; makes the folder.

    Raises:
        OSError: a file cannot be written; what was written before stays.
    """
    base.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for name in formats:
        path = base.with_name(base.name + SUFFIX[name])
        if name == "midi":
            write_midi(result.hits, path, notes=notes)
        else:
            _write_text(path, to_json(result) if name == "json" else to_csv(result))
        written.append(path)
    return written


def to_json(result: Transcription) -> str:
    """Seconds with microseconds, names for drums; one hit a line."""
    head = {
        "source": result.path.name if result.path else None,
        "seconds": round(result.seconds, 6),
        "warnings": list(result.warnings),
    }
    hits = ",\n  ".join(
        json.dumps(
            {
                "time": round(hit.time, 6),
                "drum": DRUMS[hit.drum].name,
                "velocity": hit.velocity,
                "confidence": round(hit.confidence, 4),
            }
        )
        for hit in result.hits
    )
    body = f"[\n  {hits}\n ]" if result.hits else "[]"
    return json.dumps(head, ensure_ascii=False)[:-1] + f',\n "hits": {body}}}\n'


def to_csv(result: Transcription) -> str:
    """A header and one hit a line: time, drum, velocity, confidence."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("time", "drum", "velocity", "confidence"))
    for hit in result.hits:
        table.writerow((f"{hit.time:.6f}", DRUMS[hit.drum].name, hit.velocity, f"{hit.confidence:.4f}"))
    return text.getvalue()


def summary(result: Transcription) -> str:
    """One line: hits by drum, most frequent first."""
    counts = Counter(DRUMS[hit.drum].name for hit in result.hits)
    drums = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    return f"{len(result.hits)} hits in {result.seconds:.1f} s" + (f": {drums}" if drums else "")


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
