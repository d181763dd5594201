"""The report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from eval.evaluate import Evaluation
from eval.metrics.match import TrackMatch
from eval.report import figures
from eval.report.report import Cell, Report, Table, text
from eval.report.tables import all_tables

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem;color:#222}
body{background:#fff}h1{font-size:1.6rem}h2{margin-top:2.4rem;font-size:1.2rem}
h3{font-size:1rem;margin-bottom:.3rem}
table{border-collapse:collapse;font-size:.82rem;font-variant-numeric:tabular-nums}
th,td{padding:.22rem .6rem;border-bottom:1px solid #ddd;text-align:right;vertical-align:top}
th:first-child,td:first-child,.words{text-align:left}
td{white-space:nowrap}td.long{white-space:normal}.scroll{overflow-x:auto}
.note{color:#666;font-size:.85rem}code{font-size:.82rem;word-break:break-all}
.error{color:#a3291a;font-weight:600}.warning{color:#8a5a00;font-weight:600}
audio{height:32px;width:320px;vertical-align:middle}
.moment{max-width:100%;height:auto;display:block;margin:.3rem 0}
.moment .block{font:600 12px system-ui}.moment .lane{font:10px system-ui;text-anchor:end;fill:#555}
.moment .tick{font:10px system-ui;text-anchor:middle;fill:#777}.moment .rule{stroke:#eee;stroke-width:1}
"""


def html(report: Report, audio: Mapping[str, Path] | None = None, moments: int = 40) -> str:
    """The page.

    Args:
        report: the report to show.
        audio: track to recording, if available; adds spectrograms and sound.
        moments: maximum number of worst passages in total; at most three per track.
    """
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(report.title)}</title>",
        f"<style>{_STYLE}</style><h1>{escape(report.title)}</h1>",
    ]
    if report.command:
        parts.append(f"<p class='note'>Made by <code>{escape(report.command)}</code></p>")
    for table in all_tables(report):
        if table.name.startswith("confusion_"):
            evaluation = next(e for e in report.evaluations if f"confusion_{e.name}" == table.name)
            parts.append(_section(table, _confusion(table, evaluation)))
        else:
            parts.append(_section(table, _table(table) if table.rows else "<p>Nothing found.</p>"))
        parts += _pictures_after(table.name, report.evaluations)
    parts += _moments(report, audio or {}, moments)
    return "\n".join(parts) + "\n</html>\n"


def _section(table: Table, body: str) -> str:
    note = f"<p class='note'>{escape(table.note)}</p>" if table.note else ""
    return f"<h2 id='{escape(table.name)}'>{escape(table.title)}</h2><div class='scroll'>{body}</div>{note}"


def _pictures_after(name: str, evaluations: Sequence[Evaluation]) -> list[str]:
    if name == "classes":
        return [figures.class_bars(evaluations)]
    if name == "timing":
        return [figures.timing_histogram(evaluations)]
    if name == "calibration":
        return [
            p
            for p in (
                figures.precision_recall_plot(evaluations),
                figures.reliability_plot(evaluations),
                figures.class_curves_plot(evaluations),
            )
            if p
        ]
    return []


def _table(table: Table) -> str:
    texts = [any(_words(row[i]) for row in table.rows) for i in range(len(table.columns))]
    head = "".join(
        f"<th{' class=words' if is_text else ''}>{escape(name)}</th>"
        for name, is_text in zip(table.columns, texts, strict=True)
    )
    body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in table.rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _words(cell: Cell) -> bool:
    """Whether a cell is text, not a number (which may carry a sign)."""
    return isinstance(cell, str) and not cell.lstrip("+-").replace(".", "", 1).isdigit()


def _cell(cell: Cell) -> str:
    shown = escape(text(cell))
    kinds = []
    if _words(cell):
        kinds.append("words long" if len(shown) > 40 else "words")
    if cell in ("error", "warning"):
        kinds.append(str(cell))
    return f"<td class='{' '.join(kinds)}'>{shown}</td>" if kinds else f"<td>{shown}</td>"


def _confusion(table: Table, evaluation: Evaluation) -> str:
    """The matrix with each cell shaded by its share of the row."""
    matrix = evaluation.confusion
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    rows = []
    for i, (name, *counts) in enumerate(table.rows):
        cells = "".join(
            f"<td style='background:rgba({'42,127,92' if i == j else '200,71,47'},{0.75 * share[i, j]:.2f})'>"
            f"{count or ''}</td>"
            for j, count in enumerate(counts)
        )
        rows.append(f"<tr><td>{escape(str(name))}</td>{cells}</tr>")
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _moments(report: Report, audio: Mapping[str, Path], most: int) -> list[str]:
    """Tracks by decreasing number of errors per hit, each with its worst passages."""
    systems: list[tuple[str, dict[str, TrackMatch]]] = [
        (e.name, {match.track: match for match in e.matches}) for e in report.evaluations
    ]
    order = sorted(
        systems[0][1], key=lambda track: np.mean([e.headline.per_track[track].f for e in report.evaluations])
    )
    each = min(3, max(1, most // max(1, len(order))))
    parts = [
        "<h2 id='moments'>Worst moments</h2><p class='note'>Tracks by rising F. Full bars are right (played "
        "hits: found by every system), hollow bars are missed or false; height is velocity.</p>"
    ]
    drawn = 0
    for track in order:
        of_track = [(name, matches[track]) for name, matches in systems]
        found = figures.worst_moments([match for _, match in of_track], min(each, most - drawn))
        if not found:
            continue
        drawn += len(found)
        score = ", ".join(f"{e.name} {e.headline.per_track[track].f:.3f}" for e in report.evaluations)
        parts.append(f"<h3>{escape(track)} <span class='note'>F: {escape(score)}</span></h3>")
        parts += [_moment(moment, of_track, report.settings.labels, audio.get(track)) for moment in found]
    return parts


def _moment(
    moment: figures.Moment, systems: list[tuple[str, TrackMatch]], labels: Sequence[str], path: Path | None
) -> str:
    picture, player = None, ""
    if path is not None:
        import soundfile

        try:
            clip, rate = figures.read_clip(path, moment.start)
        except (soundfile.LibsndfileError, OSError) as error:
            player = f"<span class='note'>no sound: {escape(str(error))}</span>"
        else:
            if len(clip):
                picture, player = figures.spectrogram(clip, rate), figures.sound(clip, rate)
    drawing = figures.moment_svg(moment, systems, labels, picture)
    end = moment.start + figures.MOMENT_SECONDS
    return f"<p class='note'>{moment.start:.0f} to {end:.0f} s, {moment.errors} errors {player}</p>{drawing}"
