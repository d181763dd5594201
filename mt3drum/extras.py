"""Optional dependencies: a one-line error with the pip command if one is missing."""

from __future__ import annotations

import sys
from importlib import util
from types import TracebackType


class MissingExtra(ImportError):
    """A library of an extra is not installed; the message names the library and the pip command."""


def need(extra: str, *modules: str) -> None:
    """Check that the modules of an extra can be imported, without importing them.

    Uncaught in a program (`python scripts/...`), the error prints as one line instead of a traceback.

    Args:
        extra: a name of `[project.optional-dependencies]` in pyproject.toml.
        modules: top-level modules that it installs.

    Raises:
        MissingExtra: at least one of them is missing.
    """
    missing = [name for name in modules if util.find_spec(name) is None]
    if not missing:
        return
    if not hasattr(sys, "ps1"):  # not at an interactive prompt
        sys.excepthook = _one_line
    are = "is" if len(missing) == 1 else "are"
    raise MissingExtra(
        f"{', '.join(missing)} {are} not installed; install with: pip install 'mt3drum[{extra}]'"
    )


def _one_line(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if isinstance(error, MissingExtra):
        print(f"error: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)
