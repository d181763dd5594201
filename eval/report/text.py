"""Reports as text: for the terminal, in Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from eval.report.alarms import alarms_table
from eval.report.report import Report, Table, text
from eval.report.tables import (
    all_tables,
    classes,
    comparisons,
    inputs,
    lint_table,
    schemes,
    summary,
    velocity_table,
)


def terminal(report: Report) -> str:
    """The most important tables, in aligned columns."""
    tables = [summary(report), classes(report), schemes(report), velocity_table(report)]
    tables.append(alarms_table(report))
    if report.comparisons:
        tables.append(comparisons(report))
    tables += [lint_table(report), inputs(report)]
    return f"{report.title}\n\n" + "\n\n".join(_aligned(table) for table in tables if table.rows) + "\n"


def markdown(report: Report) -> str:
    """Every table."""
    parts = [f"# {report.title}"]
    if report.command:
        parts.append(f"Made by `{report.command}`.")
    for table in all_tables(report):
        parts.append(f"## {table.title}")
        parts.append(markdown_table(table) if table.rows else "Nothing found.")
        if table.note:
            parts.append(table.note)
    return "\n\n".join(parts) + "\n"


def markdown_table(table: Table) -> str:
    """One table; numbers to the right."""
    numeric = _numeric(table)
    lines = [
        _row(table.columns),
        "|" + "|".join("---:" if is_number else "---" for is_number in numeric) + "|",
        *[_row(text(cell).replace("|", "\\|").replace("\n", " ") for cell in row) for row in table.rows],
    ]
    return "\n".join(lines)


def latex(report: Report) -> str:
    """Summary, classes and schemes as booktabs tables."""
    return "\n".join(_latex_table(table) for table in (summary(report), classes(report), schemes(report)))


def csv_text(report: Report) -> str:
    """Every count, one row each: system, scheme, window, level, name, tp, fp, fn, P, R, F and the headline's
    interval."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(
        (
            "system",
            "scheme",
            "window_ms",
            "level",
            "name",
            "tp",
            "fp",
            "fn",
            "precision",
            "recall",
            "f",
            "low",
            "high",
        )
    )
    for e in report.evaluations:
        tables = dict(e.table)
        tables[(e.settings.scheme, e.settings.window)] = e.headline
        for (scheme, window), scores in tables.items():
            known = e.headline_intervals if scores is e.headline else {}
            levels = [("micro", "all", scores.micro)]
            levels += [("class", label, counts) for label, counts in scores.classes.items()]
            levels += [("track", track, counts) for track, counts in scores.per_track.items()]
            for level, name, c in levels:
                interval = None if level == "track" else known.get("micro" if level == "micro" else name)
                ends = (interval.low, interval.high) if interval else ("", "")
                figures = (c.tp, c.fp, c.fn, c.precision, c.recall, c.f)
                writer.writerow((e.name, scheme, f"{window * 1000:g}", level, name, *figures, *ends))
    return target.getvalue()


def _aligned(table: Table) -> str:
    cells = [list(table.columns), *[[text(cell) for cell in row] for row in table.rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    numeric = _numeric(table)
    lines = [
        "  ".join(
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    ]
    note = [f"({table.note})"] if table.note else []
    return "\n".join([table.title, *lines, *note])


def _numeric(table: Table) -> list[bool]:
    """Per column, whether it holds numbers (also signed ones already in text)."""

    def looks(cell: object) -> bool:
        if isinstance(cell, str):
            return cell.lstrip("+-").replace(".", "", 1).isdigit()
        return True

    return [bool(table.rows) and all(looks(row[i]) for row in table.rows) for i in range(len(table.columns))]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def _escaped(value: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in value)


def _latex_table(table: Table) -> str:
    columns = "".join("r" if is_number else "l" for is_number in _numeric(table))
    lines = [
        f"\\begin{{table}}\n\\centering\n\\caption{{{_escaped(table.title)}. {_escaped(table.note)}}}",
        f"\\begin{{tabular}}{{{columns}}}\n\\toprule",
        " & ".join(_escaped(name) for name in table.columns) + r" \\ \midrule",
        *[" & ".join(_escaped(text(cell)) for cell in row) + r" \\" for row in table.rows],
        "\\bottomrule\n\\end{tabular}\n\\end{table}\n",
    ]
    return "\n".join(lines)
