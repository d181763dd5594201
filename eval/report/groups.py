"""F by group of tracks, such as styles of music."""

from __future__ import annotations

from eval.metrics.f_measure import Counts
from eval.report.report import Cell, Report, Table

OTHER = "other"
"""Of tracks that are in no group."""


def group_table(report: Report) -> Table:
    """Micro F of each group and system, the groups by number of tracks."""
    members: dict[str, list[str]] = {}
    for track in report.evaluations[0].headline.per_track:
        members.setdefault(report.groups.get(track, OTHER), []).append(track)
    rows: list[tuple[Cell, ...]] = []
    for group, tracks in sorted(members.items(), key=lambda item: (-len(item[1]), item[0])):
        for e in report.evaluations:
            counts = sum((e.headline.per_track[track] for track in tracks), Counts())
            hits = counts.references
            rows.append((group, e.name, len(tracks), hits, counts.precision, counts.recall, counts.f))
    columns = ("group", "system", "tracks", "hits", "precision", "recall", "micro F")
    return Table("groups", "By group", columns, tuple(rows))
