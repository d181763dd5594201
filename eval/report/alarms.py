"""Table of false alarms on recordings without drums."""

from __future__ import annotations

from collections.abc import Iterable

from eval.report.report import Report, Table


def alarms_table(report: Report) -> Table:
    """One row per system: false alarms per minute, by class and by recording."""
    rows = []
    for e in report.evaluations:
        if e.false_alarms is not None:
            alarms, labels = e.false_alarms, e.settings.labels
            by_class = _most((labels[i], count) for i, count in alarms.by_label.items())
            figures = (sum(alarms.by_label.values()), alarms.per_minute)
            rows.append(
                (
                    e.name,
                    alarms.tracks,
                    f"{alarms.minutes:.2f}",
                    *figures,
                    by_class,
                    _most(alarms.by_track.items()),
                )
            )
    columns = ("system", "recordings", "minutes", "hits", "a minute", "by class", "by recording")
    return Table("false_alarms", "False alarms where there are no drums", columns, tuple(rows))


def _most(counts: Iterable[tuple[str, int]]) -> str:
    """Entries with false alarms, most first."""
    return ", ".join(f"{name} {n}" for name, n in sorted(counts, key=lambda item: (-item[1], item[0])) if n)
