"""Outcome of writing the formats of one recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NO_GRID = "no steady beat"


class WriteError(OSError):
    """A file cannot be written; holds the files written before."""

    def __init__(self, error: OSError, files: Sequence[Path]) -> None:
        super().__init__(str(error))
        self.files = tuple(files)


@dataclass(frozen=True)
class Written:
    """Outcome of writing the formats of one recording."""

    files: tuple[Path, ...]
    missing: Mapping[str, str]
    """The formats that could not be written, and the reason."""
    warnings: tuple[str, ...]
    """Warnings of the transcription, and on its tempo."""

    @property
    def lacks(self) -> list[str]:
        """What is missing and why, one line per reason."""
        lines = []
        for reason in dict.fromkeys(self.missing.values()):
            names = ", ".join(name for name in self.missing if self.missing[name] == reason)
            lines.append(
                f"no steady beat found, so no {names}; if there is one, give its tempo with --bpm"
                if reason == NO_GRID
                else f"cannot be written as {names}: {reason}"
            )
        return lines
