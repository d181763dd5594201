"""Summaries of a transcription: one line for people, plain values for programs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mt3drum.result import Transcription
from mt3drum.rhythm.grid import Grid
from tokenizer.drums import SCHEMES


def drum_counts(result: Transcription) -> dict[str, int]:
    """Number of hits by name of drum or label, most frequent first."""
    return dict(Counter(SCHEMES[result.scheme].name_of(hit.drum) for hit in result.hits).most_common())


def summary(result: Transcription) -> str:
    """One line with the hits by drum, most frequent first."""
    drums = ", ".join(f"{name} {count}" for name, count in drum_counts(result).items())
    return f"{len(result.hits)} hits in {result.seconds:.1f} s" + (f": {drums}" if drums else "")


def tempo_text(grid: Grid | None) -> str:
    """Tempo and meter in words."""
    return f"{grid.bpm:.1f} bpm, {grid.meter}" if grid is not None else "unsteady: no grid"


def summary_record(result: Transcription) -> dict[str, Any]:
    """`hits`, `seconds` and `drums` as plain values."""
    return {
        "hits": len(result.hits),
        "seconds": round(result.seconds, 3),
        "drums": drum_counts(result),
    }


def tempo_summary(grid: Grid | None) -> dict[str, Any] | None:
    """Tempo, meter and steadiness (0..1) as plain values; None if there is no steady beat."""
    if grid is None:
        return None
    return {"bpm": round(grid.bpm, 2), "meter": str(grid.meter), "steadiness": round(grid.steadiness, 3)}
