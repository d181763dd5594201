"""The benchmark of speed: its tables, and the block of the page they go to."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import scripts.bench_suite.parts as parts
import scripts.bench_suite.training as training
from scripts.bench import ROOT, fill, main, table
from scripts.bench_suite.parts import Row, Setting
from scripts.bench_suite.precision import _mean, alike
from tokenizer.hits import Hit

ROWS = [
    {"name": "slow", "unit": "s", "values": [4.0, 2.0, 3.0]},
    {"name": "fast", "unit": "s", "values": [1.5]},
    {"name": "other", "unit": "MB", "values": [10.0]},
    {"name": "nothing", "unit": "%", "values": [0.0]},
]


def test_ratios_are_of_medians_to_the_first_row_of_the_unit() -> None:
    lines = table("decoding", ROWS).splitlines()
    assert lines[4:8] == [
        "| slow | 3 s | 2 to 4 | 3 | 1.00 |",
        "| fast | 1.5 s | 1.5 to 1.5 | 1 | 0.50 |",
        "| other | 10 MB | 10 to 10 | 1 | 1.00 |",
        "| nothing | 0 % | 0 to 0 | 1 | - |",
    ]


def test_only_the_marked_block_of_the_page_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n")
    report = {"rows": [{"part": "decoding", "machine": {"cpu": "x"}, **row} for row in ROWS]}
    fill(page, report)
    fill(page, report)
    text = page.read_text()
    assert text.startswith("before\n<!-- bench: begin -->\n")
    assert text.endswith("<!-- bench: end -->\nafter\n")
    assert "old" not in text and text.count("| fast |") == 1 and "*cpu x*" in text
    page.write_text("nothing")
    with pytest.raises(ValueError, match=r"page\.md: must hold <!-- bench"):
        fill(page, report)


def test_the_page_has_its_markers() -> None:
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert text.index("<!-- bench: begin -->") < text.index("<!-- bench: end -->")


def test_unknown_parts_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "nonsense"]) == 2
    assert "no such part: nonsense" in capsys.readouterr().err


def test_a_peer_is_measured_beside_us(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Any command is; the recording and a place to write are put into it."""
    said: list[list[str]] = []

    def command(arguments: list[str], threads: int) -> tuple[float, float]:
        said.append(arguments)
        return 6.0, 1.0

    monkeypatch.setattr(parts, "command", command)
    setting = Setting(tmp_path, True, None, [("other", "other --in {audio} '{output}/a b'")])
    monkeypatch.setattr(Setting, "recording", lambda self, minutes: tmp_path / "ten.wav")
    rows = parts.decoding(setting)
    assert [row["name"] for row in rows] == ["greedy", "beam 4", "onset head alone", "other"]
    assert rows[-1]["values"] == [100.0, 100.0]  # ten minutes in six seconds
    assert said[3] == ["other", "--in", str(tmp_path / "ten.wav"), f"{tmp_path / 'peer'}/a b"]


def test_hits_are_alike_on_the_same_drum_and_near() -> None:
    one = [Hit(1.0, 3, 60), Hit(1.0, 4, 60), Hit(2.0, 3, 60)]
    other = [Hit(1.015, 3, 66), Hit(1.005, 3, 63), Hit(1.0, 5, 60), Hit(2.03, 3, 60)]
    pairs = alike(one, other)
    assert pairs == [(one[0], other[1])]
    assert _mean(pairs, "velocity") == 3 and _mean([], "velocity") == 0


def test_cpu_seconds_are_those_of_all_processes() -> None:
    code = "import time\nwhile time.process_time() < 0.2: pass"
    cpu, wall = parts.command([sys.executable, "-c", code], 1, [(0, 2), (1, 2)])
    assert cpu > 0.4 and wall > 0.2
    with pytest.raises(RuntimeError, match="exit"):
        parts.command([sys.executable, "-c", "exit(3)"], 1)


def _part_of(rows: list[Row]) -> Callable[[Setting], list[Row]]:
    return lambda setting: rows


def test_parts_of_an_earlier_run_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, seconds in (("rendering", 1.0), ("ranks", 2.0), ("rendering", 3.0)):
        row: Row = {"name": name, "unit": "s", "values": [seconds]}
        owner = training.PARTS if name in training.PARTS else parts.PARTS
        monkeypatch.setitem(owner, name, _part_of([row]))
        assert main(["--only", name, "--output", str(tmp_path / "bench.json")]) == 0
    rows = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert {row["name"]: row["values"] for row in rows} == {"ranks": [2.0], "rendering": [3.0]}


def test_a_peer_without_a_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--peer", "adtof"]) == 2
    assert "--peer wants NAME=COMMAND" in capsys.readouterr().err
