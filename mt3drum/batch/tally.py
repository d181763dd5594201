"""Outcomes of all recordings: counted, printed and entered in the ledger."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from mt3drum.batch.console import error, say, say_json
from mt3drum.batch.inputs import Problem
from mt3drum.batch.ledger import Ledger, Record

if TYPE_CHECKING:
    from mt3drum.batch.sinks import Outcome


class Said(NamedTuple):
    """What is told of a result once it is in place: in words, and as plain values."""

    text: str
    record: Mapping[str, Any]


@dataclass
class Tally:
    """Counts of recordings and of unusable inputs."""

    ledger: Ledger | None
    quiet: bool
    out: TextIO
    """Prints messages about successful files."""
    json: bool = False
    """Lines on `out` are JSON objects, of what failed too."""
    done: int = 0
    failed: int = 0
    skipped: int = 0
    incomplete: int = 0
    """Number of finished recordings that lack a format."""
    said: dict[Path | None, Said] = field(default_factory=dict)
    """Messages about results that are written and not yet reported."""

    def fail(self, problem: Problem, record: Record | None = None) -> None:
        """A recording, or an input, failed; `record`: what the ledger is to know of it."""
        self.failed += 1
        error(problem.reason)
        if self.json:
            say_json({"source": problem.source, "status": "failed", "reason": problem.reason}, self.out)
        if self.ledger is not None:
            self.ledger.add(problem.source, record or {"status": "failed", "reason": problem.reason})

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        """Results were written, or could not be."""
        for outcome in outcomes:
            said = self.said.pop(outcome.result.path, None)
            for warning in outcome.result.warnings:
                say(f"warning: {warning}", sys.stderr)
            if outcome.record["status"] == "failed":
                self.fail(Problem(str(outcome.source), outcome.record["reason"]), outcome.record)
                continue
            self.done += 1
            if self.ledger is not None:
                self.ledger.add(outcome.source, outcome.record)
            self.incomplete += bool(outcome.lacks)
            assert said is not None
            if self.json:
                files = {"source": str(outcome.source), "status": "done", "files": list(outcome.files)}
                say_json({**files, **said.record, **outcome.record}, self.out)
            elif not self.quiet:
                say(f"{outcome.result.path} -> {', '.join(outcome.files)}: {said.text}", self.out)
            for line in outcome.lacks:
                error(f"{outcome.result.path}: {line}")

    def conclude(self) -> None:
        """Print the summary line."""
        if self.quiet and not self.failed and not self.incomplete:
            return
        more = f" ({self.incomplete} without one of the formats)" if self.incomplete else ""
        left = f", {self.skipped} already there" if self.skipped else ""
        print(f"{self.done} transcribed{more}, {self.failed} failed{left}", file=sys.stderr)
