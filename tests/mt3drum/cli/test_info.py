"""`mt3drum info`, and what the commands print for programs (`--json`)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mt3drum.cli import info, main
from tests.grooves import ROCK, played, steady
from tests.mt3drum.cli.test_results import Heard, hears


@pytest.fixture
def rock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Heard:
    monkeypatch.chdir(tmp_path)
    soundfile.write("song.wav", np.sin(np.arange(14 * 8_000) / 9)[:, None] * [0.5, 0.4], 8_000)
    return hears(monkeypatch, played(ROCK, 8, steady(118.0), 4)[0])


def objects(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def run(*words: str) -> int:
    return main.main(list(words))


def test_a_recording_in_words(rock: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", "song.wav") == 0
    said = capsys.readouterr()
    assert said.out == (
        "song.wav: WAV (Microsoft)\n  length   0:14.0\n  sound    Signed 16 bit PCM, 8000 Hz, stereo\n"
    )
    assert said.err.startswith("warning: song.wav: sampled at 8000 Hz") and not rock.read
    assert run("info", "song.wav", "--transcribe") == 0
    out = capsys.readouterr().out
    assert re.search(r"tempo    11[78]\.\d bpm, 4/4, [89] bars", out)
    assert f"hits     {len(rock.hits)}" in out and "drums    hihat_closed " in out


def test_a_score_needs_no_transcriber(rock: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("transcribe", "song.wav", "-o", ".", "--format", "json,midi", "--quiet") == 0
    rock.read.clear()
    assert run("info", "song.json", "song.mid", "--json", "--transcribe") == 0
    scores = objects(capsys)
    assert not rock.read and [score["kind"] for score in scores] == ["transcription (JSON)", "MIDI file"]
    for score in scores:
        assert score["hits"] == len(rock.hits) and sum(score["drums"].values()) == score["hits"]
        assert score["tempo"]["meter"] == "4/4" and score["tempo"]["bpm"] == pytest.approx(118, abs=0.5)


def test_files_that_fail_are_told_and_the_others_go_on(
    rock: Heard, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.wav").write_text("no sound")
    Path("bad.json").write_text("{}")
    assert run("info", "bad.wav", "bad.json", "gone.wav", "song.wav", "--json") == 1
    said = capsys.readouterr()
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [line.get("status") for line in lines] == ["failed"] * 3 + [None]
    assert [line["source"] in line["reason"] for line in lines[:3]] == [True] * 3
    assert said.err.count("error: ") == 3 and lines[3]["channels"] == 2 and lines[3]["rate"] == 8_000


def test_clock() -> None:
    assert [info.clock(s) for s in (0, 59.96, 62.04, 3_599.96, 3_725.3)] == [
        "0:00.0",
        "1:00.0",
        "1:02.0",
        "1:00:00.0",
        "1:02:05.3",
    ]


# --json of the other commands


def test_transcribe_for_programs(rock: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("transcribe", "song.wav", "*.none", "-o", "a, b", "--json", "--format", "midi,csv") == 1
    said = capsys.readouterr()
    failed, done = (json.loads(line) for line in said.out.splitlines())
    assert (failed["source"], failed["status"]) == ("*.none", "failed")
    assert failed["reason"] == "*.none: no file matches"
    assert done["files"] == ["a, b/song.mid", "a, b/song.csv"] and all(
        Path(f).exists() for f in done["files"]
    )
    assert (done["source"], done["status"], done["hits"]) == ("song.wav", "done", len(rock.hits))
    assert done["tempo"]["bpm"] == pytest.approx(118, abs=0.5) and done["warnings"] == []
    assert run("convert", "gone.json", "--json") == 1
    assert objects(capsys)[0]["status"] == "failed"


def test_convert_review_and_demo_for_programs(rock: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("transcribe", "song.wav", "-o", "song.json", "--json") == 0
    assert run("convert", "song.json", "-o", "out", "--format", "tab,csv", "--json") == 0
    assert run("review", "song.wav", "-o", "page.html", "--json") == 0
    assert run("demo", "-o", "demo", "--json") == 0
    records = objects(capsys)
    assert [record["files"] for record in records] == [
        ["song.json"],
        ["out/song.tab.txt", "out/song.csv"],
        ["page.html"],
        ["demo/demo.mid", "demo/demo.html"],
    ]
    assert {(record["status"], record["hits"]) for record in records} == {("done", len(rock.hits))}


def test_standard_output_holds_one_thing(rock: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["transcribe", "song.wav"], ["convert", "song.json"], ["review", "song.wav"]):
        assert run(*words, "-o", "-", "--json") == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.startswith("error: --json and -o - both write to standard output")
