"""The linters are part of the suite: settings in pyproject.toml, every file of the project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests import ROOT


def run(*command: str) -> None:
    """Fails with the tool's own report."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff() -> None:
    run("ruff", "check", "--no-cache", ".")


def test_mypy(tmp_path: Path) -> None:
    """Its own cache: a run must not depend on the one before."""
    run("mypy", "--cache-dir", str(tmp_path))
