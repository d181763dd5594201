"""What a report holds, and the shape of its tables."""

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
    """What a reader must know to read it right."""


@dataclass(frozen=True)
class Comparison:
    """Two systems on the same tracks."""

    first: str
    second: str
    figure: str
    result: Paired

    @property
    def verdict(self) -> str:
        """In words."""
        if not self.result.told_apart:
            return "cannot be told apart"
        return f"{self.first if self.result.difference > 0 else self.second} is better"


@dataclass(frozen=True, eq=False)
class Report:
    """All systems on one set of references."""

    title: str
    """What the references are."""
    settings: Settings
    evaluations: Sequence[Evaluation]
    comparisons: Sequence[Comparison] = ()
    unmapped: Counter[str] = field(default_factory=Counter)
    """Labels of the references that no map knows."""
    excluded: Counter[str] = field(default_factory=Counter)
    """Labels of the references left out on purpose."""
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Per system, reference name to estimate name where the two differ."""
    command: str = ""
    """The command that made the report."""


def text(cell: Cell) -> str:
    """A cell as people read it: three decimals, a dash for nothing."""
    if cell is None:
        return "-"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def span(interval: Interval | None) -> str | None:
    """The interval's two ends."""
    return None if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"
