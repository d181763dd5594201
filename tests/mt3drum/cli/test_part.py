"""`--from`, `--to` and `--merge` on the command line. The transcriber is a stand-in that knows a groove."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mt3drum.cli import main, part_options
from mt3drum.decode.part import WHOLE, Part
from mt3drum.decoding import DecodeConfig
from mt3drum.result import Transcription
from mt3drum.transcriber import Transcriber
from tests.grooves import ROCK, played, steady
from tokenizer.hits import Hit, within


class Louder:
    """Hears the groove, each time louder than before."""

    kit = None
    config = DecodeConfig()

    def __init__(self) -> None:
        self.hits = [replace(hit, velocity=50) for hit in played(ROCK, 8, steady(118.0, 0.9), 4)[0]]
        self.parts: list[Part | None] = []

    def transcribe_files(
        self, paths: Iterable[Path], _: Any, on_hits: Any, part: Part | None = None
    ) -> Iterator[Transcription]:
        self.parts.append(part)
        own = part or WHOLE
        for path in paths:
            hits = tuple(
                replace(hit, velocity=50 + len(self.parts)) for hit in within(self.hits, own.start, own.end)
            )
            yield Transcription(hits, 18.0, path)


@pytest.fixture
def louder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Louder:
    monkeypatch.chdir(tmp_path)
    Path("song.wav").write_bytes(b"sound")
    heard = Louder()
    monkeypatch.setattr(Transcriber, "load", lambda *_, **__: heard)
    return heard


def transcribe(*words: str) -> int:
    return main.main(["transcribe", "song.wav", *words])


def read(path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(path).read_text())
    return found


@pytest.mark.parametrize(
    ("text", "value"),
    [("62", 62.0), ("0", 0.0), ("62.25", 62.25), ("1:02", 62.0), ("1:02.5", 62.5), ("1:00:02", 3602.0)],
)
def test_times(text: str, value: float) -> None:
    assert part_options.seconds(text) == value


@pytest.mark.parametrize("text", ["", "x", "-1", "1:60", "1:2:3:4", "61:00:00:0", "1e3", "nan", "1:99"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a time"):
        part_options.seconds(text)


def test_a_part_alone(louder: Louder) -> None:
    assert transcribe("-o", "part.json", "--from", "0:05", "--to", "9.5") == 0
    assert louder.parts == [Part(5.0, 9.5)]
    found = read("part.json")
    assert len(found["hits"]) == len(within(louder.hits, 5.0, 9.5)) and found["seconds"] == 18.0
    assert transcribe("-o", "rest.json", "--from", "5") == 0 and louder.parts[-1] == Part(5.0, math.inf)


def test_a_part_is_put_into_the_whole(louder: Louder) -> None:
    assert transcribe("-o", "song.json") == 0
    before = read("song.json")
    words = ("--from", "5", "--to", "9.5", "--merge", "song.json", "--only", "kick,hihat")
    assert transcribe("-o", ".", "--format", "json,midi,csv", *words) == 0
    after = read("song.json")
    assert louder.parts[-1] == Part(5.0, 9.5).widened()
    bpm = after["tempo"].pop("bpm"), before["tempo"].pop("bpm")
    assert bpm[0] == pytest.approx(bpm[1], abs=0.011)  # of beats rounded in the file
    assert after["tempo"] == before["tempo"] and len(after["hits"]) == len(before["hits"])
    for old, new in zip(before["hits"], after["hits"], strict=True):
        inside = 5.0 <= old["time"] < 9.5 and old["drum"] in ("kick", "hihat_closed")
        assert new == (old | {"velocity": 52} if inside else old)
    assert Path("song.mid").exists() and Path("song.csv").exists()


def test_beats_are_heard_anew_where_the_tempo_is_given(louder: Louder) -> None:
    assert transcribe("-o", "song.json") == 0
    tempo = read("song.json")["tempo"]
    assert transcribe("-o", "half.json", "--merge", "song.json", "--bpm", "59") == 0
    assert read("half.json")["tempo"]["bpm"] == pytest.approx(tempo["bpm"] / 2, rel=0.02)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "9", "--to", "5"], "a part from 9 s to 5 s is empty"),
        (["--to", "0"], "a part from 0 s to 0 s is empty"),
        (["--merge", "gone.json"], "gone.json: no such file"),
        (["--merge", "song.wav"], "song.wav: not a JSON file"),
        (["--merge", "song.json", "--manifest", "m"], "cannot be combined with --manifest"),
        (["--merge", "song.json", "--skip-existing"], "cannot be combined with --skip-existing"),
        (
            ["--list", "list.txt", "--merge", "song.json"],
            "--merge changes the transcription of one recording",
        ),
    ],
)
def test_what_does_not_go_together_is_one_line(
    louder: Louder, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("two.wav").write_bytes(b"sound")
    Path("list.txt").write_text("two.wav\n")
    assert transcribe("-o", "song.json") == 0
    capsys.readouterr()
    assert transcribe("-o", "out", *words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not Path("out").exists()


def test_another_recordings_transcription(louder: Louder, capsys: pytest.CaptureFixture[str]) -> None:
    Path("other.json").write_text('{"seconds": 99, "tempo": null, "hits": []}')
    assert transcribe("-o", "out", "--merge", "other.json") == 1
    assert "song.wav: --merge: the transcription is of a recording of 99.0 s" in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_stroke_before_the_first_beat_of_the_old_beats(louder: Louder) -> None:
    """It gets a bar of its own, in every format."""
    assert transcribe("-o", "song.json") == 0
    louder.hits = [Hit(0.1, 0, 90), *louder.hits]
    assert transcribe("-o", ".", "--format", "json,musicxml,tab,midi", "--merge", "song.json") == 0
    assert read("song.json")["hits"][0]["time"] == 0.1 and Path("song.musicxml").exists()
