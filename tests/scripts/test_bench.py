"""The benchmark of speed: its tables, and the block of the page they go to."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import scripts.bench_suite.device as device
import scripts.bench_suite.growth as growth
import scripts.bench_suite.headline as headline
import scripts.bench_suite.parts as parts
import scripts.bench_suite.peer as peer
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
    assert "headline" not in text
    fill(page, {"rows": [{"part": "ranks", "machine": {"cpu": "y"}, **ROWS[0]}]}, ["ranks", "decoding"])
    both = page.read_text()
    assert (
        both.index("**ranks**") < both.index("*cpu y*") < both.index("**decoding**") < both.index("*cpu x*")
    )
    assert both.count("| fast |") == 1, "what was not measured anew stays"
    page.write_text("nothing")
    with pytest.raises(ValueError, match=r"page\.md: must hold <!-- bench"):
        fill(page, report)


def _headline(peer: str = headline.STAND_IN) -> list[Row]:
    seconds = {peer: 20.0, headline.GREEDY: 5.0, headline.BEAM: 8.0, headline.FRAMES: 4.0}
    rows: list[Row] = [{"name": name, "unit": "CPU-s", "values": [each]} for name, each in seconds.items()]
    for name, speed in ((headline.ONE, 40.0), (headline.FULL, 120.0)):
        rows.append({"name": name, "unit": parts.SPEED, "values": [speed]})
    return [{**row, "part": "headline", "recording": "mixes", "machine": {"cpu": "x"}} for row in rows]


def test_the_page_opens_with_ratios_to_the_peer(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    marks = "".join(f"<!-- {name}: begin -->\n<!-- {name}: end -->\n" for name in ("headline", "bench"))
    page.write_text(marks)
    report = {"rows": [*_headline(), {"part": "ranks", "machine": {"cpu": "x"}, **ROWS[0]}]}
    fill(page, report)
    opening, tables = page.read_text().split("<!-- headline: end -->")
    assert "5.0 CPU-seconds, 8.0 with four beams and 4.0 with" in opening
    assert "0.25, 0.40 and 0.20 of what ADTOF-pytorch's layers take" in opening and "peer.py" in opening
    assert f"| {headline.GREEDY} | 5 CPU-s | 5 to 5 | 1 | 0.25 |" in opening
    assert "at 40 s of audio per CPU-second, a full batch at 120." in opening
    assert "**ranks**" in tables and "CPU-seconds" not in tables
    assert "other ran as installed" in headline.opening(_headline("other"))


def test_the_peer_stands_first_and_all_take_turns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said: list[list[str]] = []

    def command(arguments: list[str], threads: int) -> tuple[float, float]:
        said.append(arguments)
        return float(len(said)), 1.0

    songs = tmp_path / "audio" / "pseudo_mix"
    songs.mkdir(parents=True)
    for name in "ab":
        soundfile.write(songs / f"{name}.flac", np.random.default_rng(0).normal(0, 0.1, 44_100), 44_100)
    monkeypatch.setattr(headline, "command", command)
    monkeypatch.setattr(headline, "MINUTES", 1)
    monkeypatch.setattr(headline, "_SECONDS", 4)
    monkeypatch.setattr(headline, "ROUNDS", 2)
    setting = Setting(tmp_path, True, None, [], tmp_path)
    rows = headline.headline(setting)
    assert [row["name"] for row in rows[:2]] == [headline.STAND_IN, headline.GREEDY]
    assert rows[0]["values"] == [1.0, 5.0] and rows[0]["recording"] == "pseudo mixes"
    assert said[0][1:] == ["-m", "scripts.bench_suite.peer", str(tmp_path / "pseudo.wav")]
    assert soundfile.info(tmp_path / "pseudo.wav").frames == 60 * 44_100
    assert [row["name"] for row in rows[-2:]] == [headline.ONE, headline.FULL]
    assert min(rows[-1]["values"]) > 0
    with pytest.raises(FileNotFoundError, match="no pseudo mixes"):
        headline.headline(Setting(tmp_path, True, None, [], tmp_path / "audio"))


def test_the_stand_in_hears_a_recording_whole(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 44_100), 44_100)
    found = peer.activations(tmp_path / "a.wav")
    assert found.shape == (101, 5) and 0 < found.min() < found.max() < 1
    bank = peer.filters()
    assert 80 <= len(bank) <= 90 and (bank.sum(1) > 0).all()


@pytest.mark.slow
def test_memory_and_time_by_length(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(growth, "LENGTHS", (1,))
    setting = Setting(tmp_path, True, None)
    setting.dense = np.zeros(60 * 44_100)
    ballast = np.ones(1 << 27)  # 1 GiB of this process, which is not the command's
    time, memory = growth.length(setting)
    assert time["name"] == "1 min" and len(time["values"]) == 2 and time["unit"] == "CPU-s a minute"
    assert 100 < min(memory["values"]) <= max(memory["values"]) < 1000 and ballast[0]


def test_a_device_alone_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row: Row = {"name": "greedy", "unit": "s", "values": [1.0]}
    monkeypatch.setattr(device, "PARTS", {"device": _part_of([row])})
    assert main(["--device", "cpu", "--output", str(tmp_path / "gpu.json")]) == 0
    (kept,) = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert kept["part"] == "device" and kept["machine"]["device"] == "cpu"
    assert main(["--device", "nonsense"]) == 2
    assert "--device: device 'nonsense' is not available" in capsys.readouterr().err


@pytest.mark.slow
def test_decoding_and_steps_on_the_processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(device, "BATCHES", {"cpu": (4, 2)})
    setting = Setting(tmp_path, True, None)
    setting.dense = setting.music(1)[: 6 * 44_100]
    rows = device.device(setting)
    assert [row["unit"] for row in rows] == ["s of audio per s"] * 4 + ["segments per s"] * 2
    assert all(min(row["values"]) > 0 for row in rows)


def test_the_page_has_its_markers() -> None:
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    marks = [f"<!-- {name}: {word} -->" for name in ("headline", "bench") for word in ("begin", "end")]
    assert [text.count(mark) for mark in marks] == [1, 1, 1, 1]
    assert sorted(map(text.index, marks)) == list(map(text.index, marks))


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
        owner = training.PARTS if name in training.PARTS else growth.PARTS
        monkeypatch.setitem(owner, name, _part_of([row]))
        assert main(["--only", name, "--output", str(tmp_path / "bench.json")]) == 0
    rows = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert {row["name"]: row["values"] for row in rows} == {"ranks": [2.0], "rendering": [3.0]}


def test_a_peer_without_a_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--peer", "adtof"]) == 2
    assert "--peer wants NAME=COMMAND" in capsys.readouterr().err
