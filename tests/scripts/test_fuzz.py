"""A few hundred of the cases of scripts/fuzz.py: a result, or one line that names the file."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.fuzz import main
from scripts.fuzzing import guided
from scripts.fuzzing.attempt import outcome
from scripts.fuzzing.targets import TARGETS, Target
from tests import ROOT

PARAMETERS = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


@PARAMETERS
def test_the_seeds_are_good_files(target: Target, tmp_path: Path) -> None:
    """Among undamaged neighbours some must be read: or the fuzzing would stop at the door."""
    path = target.prepare(tmp_path)
    said = set()
    for number in range(60):
        path.write_bytes(target.case(random.Random(number)))
        said.add(outcome(target, path))
        if {"result", "refused"} <= said:
            break
    assert said == {"result", "refused"}


@PARAMETERS
def test_damaged_files_end_in_a_result_or_one_line(
    target: Target, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = target.prepare(tmp_path_factory.mktemp("fuzz"))

    # A seed, not hypothesis's own random numbers: those of its simplest examples all make the largest file.
    @settings(max_examples=8 if target.weight < 1 else 25, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32 - 1))
    def check(seed: int) -> None:
        path.write_bytes(target.case(random.Random(seed)))
        said = outcome(target, path)
        assert said in ("result", "refused"), said

    check()


def test_a_reader_that_fails_is_noticed(tmp_path: Path) -> None:
    def broken(path: Path) -> None:
        raise KeyError("x")

    def vague(path: Path) -> None:
        raise ValueError("something is wrong")

    def chatty(path: Path) -> None:
        raise ValueError(f"{path}:\nline two")

    for reader, why in ((broken, "KeyError"), (vague, "does not name"), (chatty, "not one line")):
        assert why in outcome(replace(TARGETS[0], read=reader), tmp_path / "a")


def test_the_command_counts_every_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- fuzz: begin -->\n<!-- fuzz: end -->\n")
    assert main(["--cases", "40", "--only", "MIDI", "kit splits", "--write", str(page)]) == 0
    assert "| all | 40 |" in page.read_text()
    rows = {line.split(" | ")[0].strip("| "): line for line in capsys.readouterr().out.splitlines()}
    assert "| MIDI | 35 |" in rows["MIDI"] and "| all | 40 |" in rows["all"]
    assert main(["--only", "nothing"]) == 2


def test_guided_fuzzing_needs_atheris(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guided, "find_spec", lambda name: None)
    assert main(["--guided"]) == 2
    assert capsys.readouterr().err == "error: atheris is not installed; pip install 'mt3drum[fuzz]'\n"


def test_what_is_guided_is_there() -> None:
    assert set(guided.READ_IN_PYTHON) < {target.name for target in TARGETS}


@pytest.mark.skipif(not find_spec("atheris"), reason="the extra 'fuzz' is not installed")
def test_guided_fuzzing_counts_every_case() -> None:
    command = [sys.executable, "scripts/fuzz.py", "--guided", "--cases", "60", "--only", "kit splits"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "| all | 60 |" in done.stdout, done.stderr[-2000:]
