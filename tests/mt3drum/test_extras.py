"""Where a library of an extra is missing, one line says which and how to install it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from importlib import util
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from mt3drum.audio.log_mel import LogMel
from mt3drum.config import AudioConfig
from mt3drum.extras import MissingExtra, need
from mt3drum.model.checkpoint import bundled, load_model
from tests import ROOT

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]


def run(module: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run code where a module cannot be found."""
    hide = (
        "import importlib.util as u, sys; real = u.find_spec\n"
        f"u.find_spec = lambda name, package=None: None if name == {module!r} else real(name, package)\n"
        f"sys.modules[{module!r}] = None\n"
    )
    return subprocess.run(
        [sys.executable, "-c", hide + code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_what_is_there_is_silent() -> None:
    need("train", "json", "tarfile")


def test_the_message_names_modules_and_command() -> None:
    with pytest.raises(
        MissingExtra, match=r"^no_such_a, no_such_b are not installed.*pip install 'mt3drum\[train\]'$"
    ):
        need("train", "json", "no_such_a", "no_such_b")


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("x_transformers", "import train.run"),
        ("mir_eval", "import eval.metrics.match"),
        ("scipy", "import data.augment"),
    ],
)
def test_a_program_without_the_extra_ends_with_one_line(module: str, code: str) -> None:
    done = run(module, code)
    assert done.returncode == 1
    assert done.stderr == f"error: {module} is not installed; install with: pip install 'mt3drum[train]'\n"


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("x_transformers", lambda: load_model(bundled())),
        ("librosa", lambda: LogMel(AudioConfig(mel_bands=16))),
    ],
)
def test_what_needs_an_extra_in_the_package_says_so(
    module: str, call: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == module else real(name))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with pytest.raises(MissingExtra, match=rf"^{module} is not installed; .*mt3drum\[train\]"):
        call()


def test_note_sequences_without_note_seq() -> None:
    done = run("note_seq", "from tokenizer.midi import to_note_sequence; to_note_sequence([])")
    assert re.search(r"ImportError: note-seq .*pip install 'mt3drum\[note-seq\]'$", done.stderr.strip())


NAMED_OTHERWISE = {"rtmidi": "python-rtmidi"}
"""Package of a module, where they differ and it may not be installed."""


def test_every_check_names_an_extra_that_brings_the_module() -> None:
    owners = packages_distributions()
    found = 0
    for package in ("tokenizer", "mt3drum", "data", "eval", "train", "scripts"):
        for path in (ROOT / package).rglob("*.py"):
            found += check(path, owners)
    assert found >= 5


def check(path: Path, owners: Mapping[str, list[str]]) -> int:
    calls = [
        [ast.literal_eval(argument) for argument in node.args]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "need"
    ]
    for extra, *modules in calls:
        wanted = {re.split(r"[\[<>=!~; ]", requirement)[0].lower() for requirement in EXTRAS[extra]}
        for module in modules:
            of_missing = [NAMED_OTHERWISE.get(module, module)]
            names = {name.lower() for name in owners.get(module, of_missing)}
            assert names & wanted, f"{path}: {module} is not in the extra {extra}"
    return len(calls)
