"""The contents of a report and the structure of its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eval.evaluate import Evaluation, Settings
from eval.metrics.bootstrap import Interval, Paired

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows of values under column names."""

    name: str
    """Short, for file names and links."""
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    """Notes for the reader."""


@dataclass(frozen=True)
class Comparison:
    """Two systems on the same tracks."""

    first: str
    second: str
    figure: str
    result: Paired

    @property
    def verdict(self) -> str:
        """The comparison in words."""
        if not self.result.told_apart:
            return "cannot be told apart"
        return f"{self.first if self.result.difference > 0 else self.second} is better"


@dataclass(frozen=True, eq=False)
class Report:
    """All systems on one set of references."""

    title: str
    """Description of the references."""
    settings: Settings
    evaluations: Sequence[Evaluation]
    comparisons: Sequence[Comparison] = ()
    unmapped: Counter[str] = field(default_factory=Counter)
    """Labels of the references that are in no map."""
    excluded: Counter[str] = field(default_factory=Counter)
    """Labels of the references excluded on purpose."""
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Per system, reference name to estimate name if they differ."""
    command: str = ""
    """The command that made the report."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Track to group, such as its style."""


def text(cell: Cell) -> str:
    """A formatted cell: three decimals, a dash for a missing value."""
    if cell is None:
        return "-"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def span(interval: Interval | None) -> str | None:
    """The interval's two ends."""
    return None if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"
