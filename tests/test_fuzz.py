"""A few hundred of the cases of scripts/fuzz.py: a result, or one line that names the file."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.fuzz import main, outcome
from scripts.fuzz_targets import TARGETS, Target

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

    @settings(max_examples=8 if target.weight < 1 else 25, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False))
    def check(rng: random.Random) -> None:
        path.write_bytes(target.case(rng))
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


def test_the_command_counts_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cases", "40", "--only", "MIDI", "kit splits"]) == 0
    rows = {line.split(" | ")[0].strip("| "): line for line in capsys.readouterr().out.splitlines()}
    assert "| MIDI | 35 |" in rows["MIDI"] and "| all | 40 |" in rows["all"]
    assert main(["--only", "nothing"]) == 2
