"""What is written, where, and what is said of it: choosing drums, files, standard output, what is there,
what is impossible. The transcriber is a stand-in that has heard a known groove."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from mt3drum.cli import main
from mt3drum.decoding import DecodeConfig
from mt3drum.formats.read_json import read_json
from mt3drum.result import Transcription
from mt3drum.transcriber import Transcriber
from tests.grooves import ROCK, played, steady
from tests.mt3drum.batch.test_ledger import merged
from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.hits import Hit

KICK = CLASS_INDEX["kick"]


class Heard:
    """Gives every recording the same hits."""

    kit = None
    config = DecodeConfig()

    def __init__(self, hits: Iterable[Hit]) -> None:
        self.hits, self.read = tuple(hits), list[bytes]()

    def transcribe_files(self, paths: Iterable[Path], *_: Any) -> Iterator[Transcription]:
        for path in paths:
            self.read.append(path.read_bytes())
            yield Transcription(self.hits, 14.0, path)

    def transcribe_file(self, path: Path) -> Transcription:
        return next(self.transcribe_files([path]))


def hears(monkeypatch: pytest.MonkeyPatch, hits: Iterable[Hit]) -> Heard:
    heard = Heard(hits)
    monkeypatch.setattr(Transcriber, "load", lambda *_, **__: heard)
    return heard


@pytest.fixture
def rock(monkeypatch: pytest.MonkeyPatch) -> Heard:
    return hears(monkeypatch, played(ROCK, 8, steady(118.0, 0.9), 4)[0])


@pytest.fixture
def loose(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Strokes without a beat."""
    times = np.cumsum(np.random.default_rng(0).exponential(0.9, 12))
    return hears(monkeypatch, [Hit(float(time), KICK, 90) for time in times])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("song.wav", "other.wav"):
        Path(name).write_bytes(b"the sound of " + name.encode())


def transcribe(*words: object) -> int:
    return main.main(["transcribe", *map(str, words)])


def files() -> set[str]:
    return {path.as_posix() for path in Path(".").rglob("*") if path.is_file() and path.suffix != ".wav"}


def midi_notes(data: bytes) -> list[int]:
    return [message.note for message in mido.MidiFile(file=io.BytesIO(data)) if message.type == "note_on"]


def tempos(path: str) -> list[tuple[int, Any]]:
    track = mido.MidiFile(path).tracks[0]
    return [(m.time, m.dict()) for m in track if m.type in ("set_tempo", "time_signature")]


# Choosing drums


@pytest.mark.parametrize("options", [["--only", "kick"], ["--without", "snare,rim,hihat,crash"]])
@pytest.mark.parametrize("grid", [[], ["--grid", "auto"]])
def test_choosing_drums_changes_nothing_else(rock: Heard, options: list[str], grid: list[str]) -> None:
    formats = ["--format", "json,midi,csv,jsonl,tab,musicxml", *grid]
    assert transcribe("song.wav", "-o", "all", *formats) == 0
    assert transcribe("song.wav", "-o", "some", *formats, *options) == 0
    every, some = (json.loads(Path(f"{name}/song.json").read_text()) for name in ("all", "some"))
    kicks = [hit for hit in every["hits"] if hit["drum"] == "kick"]
    assert len(kicks) >= 16 and len(kicks) < len(every["hits"])
    assert some["hits"] == kicks and some["tempo"] == every["tempo"]
    assert tempos("some/song.mid") == tempos("all/song.mid")
    assert midi_notes(Path("some/song.mid").read_bytes()) == [36] * len(kicks)
    lines = Path("all/song.tab.txt").read_text().splitlines()
    own = [line for line in lines if line.startswith("BD|")]
    assert own == [line for line in Path("some/song.tab.txt").read_text().splitlines() if "|" in line]
    # What was left out of the JSON is not missed later: its beats are those of all strokes.
    for name in ("all", "some"):
        assert main.main(["convert", f"{name}/song.json", "-o", f"{name}/again"]) == 0
    assert tempos("some/again/song.mid") == tempos("all/again/song.mid")
    assert main.main(["convert", "all/song.json", "-o", "late.json", "--only", "kick"]) == 0
    assert read_json(Path("late.json"))[0].hits == read_json(Path("some/song.json"))[0].hits


def test_choosing_drums_in_python(rock: Heard) -> None:
    whole = Transcription(rock.hits, 14.0, candidates=(Hit(0.1, KICK, 9, 0.1), Hit(0.1, 1, 9, 0.1)))
    kicks = whole.only({KICK})
    assert kicks.hits == tuple(hit for hit in rock.hits if hit.drum == KICK)
    assert kicks.candidates == whole.candidates[:1] and kicks.all_hits == whole.hits
    assert kicks.beats() == whole.beats() and replace(whole, hits=kicks.hits).beats() != whole.beats()
    score, full = kicks.score(), whole.score()
    assert score is not None and full is not None
    assert score.notes == tuple(note for note in full.notes if note.hit.drum == KICK)
    assert kicks.only(range(len(DRUMS))).hits == whole.hits


# Where results go


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("result.mid", b"MThd"),
        ("deep/result.MIDI", b"MThd"),
        ("result.json", b'{"source": "song.wav"'),
        ("result.csv", b"time,drum"),
        ("result.tab.txt", b"song: 4/4"),
        ("result.chart.zip", b"PK"),
    ],
)
def test_a_known_suffix_means_that_file(
    rock: Heard, name: str, begins: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):  # an explicit name is written over
        assert transcribe("song.wav", "-o", name) == 0
        assert files() == {name} and Path(name).read_bytes().startswith(begins)
        assert capsys.readouterr().out.startswith(f"song.wav -> {name}: {len(rock.hits)} hits")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("song.wav other.wav -o x.mid", "-o x.mid is one file, and the input is 2 recordings: name a folder"),
        ("song.wav other.wav -o -", "-o - is one file, and the input is 2 recordings: name a folder"),
        ("song.wav -o x.mid --format midi,csv", "is one file in the format midi, and --format says midi,csv"),
        ("song.wav -o x.mid --format csv", "is one file in the format midi, and --format says csv"),
        ("song.wav -o - --format midi,csv", "-o - is one file: give one --format, or a folder"),
        ("song.wav -o song.wav", "-o song.wav: give a folder, or a file such as song.mid"),
        ("song.wav -o new.wav", "-o new.wav: give a folder, or a file such as new.mid"),
        ("song.wav -o score.mp3", "-o score.mp3: not a folder, and its suffix is not one of a format (.mid"),
        ("song.wav -o notes", "-o notes: not a folder"),
        ("pipe:true -o x.mid", "-o x.mid is one file, and the input is what a command writes"),
    ],
)
def test_where_nothing_can_go_is_one_line(
    rock: Heard, words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("notes").touch()
    assert transcribe(*words.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: -o ") and message in error and error.count("\n") == 1
    assert files() == {"notes"}


def test_a_recording_is_never_written_over(rock: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("song.wav").read_bytes()
    assert transcribe("song.wav", "-o", "song.wav", "--format", "wav", "--overwrite") == 1
    assert "song.wav: would be overwritten" in capsys.readouterr().err
    assert Path("song.wav").read_bytes() == before


def test_what_is_there_is_replaced_only_where_one_says_so(
    rock: Heard, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("song.mid").write_bytes(b"mine")
    assert transcribe("song.wav", "other.wav") == 1
    said = capsys.readouterr()
    assert said.err == (
        "error: song.wav: song.mid already exists; --overwrite replaces it, --skip-existing leaves it, and "
        "-o names another place\n1 transcribed, 1 failed\n"
    )
    assert Path("song.mid").read_bytes() == b"mine" and Path("other.mid").exists()
    assert rock.read == [b"the sound of other.wav"]  # known before any work
    assert transcribe("song.wav", "--skip-existing") == 0
    assert Path("song.mid").read_bytes() == b"mine"
    assert transcribe("song.wav", "--overwrite") == 0
    assert Path("song.mid").read_bytes().startswith(b"MThd")
    Path("song.mid").write_bytes(b"mine")
    assert transcribe("song.wav", "-o", ".") == 0
    assert Path("song.mid").read_bytes().startswith(b"MThd")


def test_convert_and_review_keep_that_rule(rock: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    assert transcribe("song.wav", "-o", "s/song.json") == 0
    Path("song.mid").write_bytes(b"mine")
    assert main.main(["convert", "s/song.json"]) == 1
    assert "song.mid already exists; --overwrite" in capsys.readouterr().err
    assert Path("song.mid").read_bytes() == b"mine"
    assert main.main(["convert", "s/song.json", "--overwrite"]) == 0
    assert Path("song.mid").read_bytes().startswith(b"MThd")
    Path("song.html").write_text("mine")
    assert main.main(["review", "song.wav"]) == 2
    assert "song.html already exists; --overwrite" in capsys.readouterr().err
    assert main.main(["review", "song.wav", "-o", "song.wav", "--overwrite"]) == 2
    assert "song.wav: would be overwritten" in capsys.readouterr().err
    assert main.main(["review", "song.wav", "-o", "s"]) == 2
    assert "-o s: is a folder; name the page" in capsys.readouterr().err


def test_standard_input_and_output(
    rock: Heard, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def feed(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    feed(b"sound through a pipe")
    assert transcribe("-", "-o", "-") == 0
    said = capfdbinary.readouterr()
    assert midi_notes(said.out) and said.err.startswith(b"standard input -> standard output: ")
    assert rock.read == [b"sound through a pipe"] and files() == set()
    feed(b"more")
    assert transcribe("-", "-o", "-", "--format", "json") == 0
    score = capfdbinary.readouterr().out
    assert len(json.loads(score)["hits"]) == len(rock.hits)
    feed(score)
    assert main.main(["convert", "-", "-o", "-", "--format", "csv"]) == 0
    assert capfdbinary.readouterr().out.count(b"\n") == len(rock.hits) + 1
    feed(b"more")
    assert transcribe("-", "-o", "out") == 0
    feed(b"song.wav\nother.wav\n")
    assert transcribe("--list", "-", "-o", "out") == 0
    assert files() == {"out/standard-input.mid", "out/song.mid", "out/other.mid"}


# What is impossible


def test_one_format_impossible(loose: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("song.wav", "-o", "out", "--format", "midi,musicxml,csv,tab", "--manifest", "ledger")
    assert transcribe(*words) == 1
    said = capsys.readouterr()
    assert said.out.startswith("song.wav -> out/song.mid, out/song.csv: 12 hits")
    assert said.err == (
        "error: song.wav: no steady beat found, so no musicxml, tab; if there is one, give its tempo with "
        "--bpm\n1 transcribed (1 without one of the formats), 0 failed\n"
    )
    (record,) = merged(Path("ledger"))
    assert (record["status"], record["hits"]) == ("done", 12)
    assert set(record["missing"]) == {"musicxml", "tab"}
    assert transcribe(*words) == 0  # nothing that could be done is left to do
    assert "0 transcribed, 0 failed, 1 already there" in capsys.readouterr().err


def test_the_only_format_impossible(loose: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    assert transcribe("song.wav", "-o", "out", "--format", "tab", "--manifest", "ledger") == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.endswith("0 transcribed, 1 failed\n")
    assert "error: song.wav: no steady beat found, so no tab" in said.err
    assert merged(Path("ledger"))[0]["status"] == "failed"


def test_one_format_impossible_in_tar_files(loose: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--format", "midi,tab", "--manifest", "ledger", "--output-shards", "2")
    assert transcribe("song.wav", "other.wav", "-o", "out", *words) == 1
    assert "2 transcribed (2 without one of the formats), 0 failed" in capsys.readouterr().err
    assert [set(record["missing"]) for record in merged(Path("ledger"))] == [{"tab"}, {"tab"}]


def test_a_file_that_cannot_be_written_after_another_that_was(
    rock: Heard, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out/song.json").mkdir(parents=True)
    assert transcribe("song.wav", "-o", "out", "--format", "midi,json", "--manifest", "ledger") == 1
    assert "0 transcribed, 1 failed" in capsys.readouterr().err
    (record,) = merged(Path("ledger"))
    assert record["status"] == "failed" and record["written"] == ["out/song.mid"]


# A tempo that is given


@pytest.mark.parametrize(
    ("bpm", "warning"),
    [
        ("118", None),
        ("59", None),
        ("92", "song.wav: --bpm 92: the strokes say 11"),
        ("114", "song.wav: --bpm 114: the strokes fit 11"),
    ],
)
def test_a_tempo_that_does_not_fit_is_told(
    rock: Heard, bpm: str, warning: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert transcribe("song.wav", "--bpm", bpm, "--format", "json") == 0
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(said) == (warning is not None) and all(str(warning) in line for line in said)
    assert json.loads(Path("song.json").read_text())["warnings"] == [line[9:] for line in said]


# What a folder holds


def test_films_are_found_and_what_nobody_means_is_not(
    rock: Heard, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ["a.webm", "b.MKV", "c.mov", "d.3gp", "e.amr", "deep/f.mp3", "g.ts", "deep/h.mts"]
    unwanted = [
        "._a.webm",
        ".hidden.wav",
        ".trash/x.wav",
        "__MACOSX/y.mp3",
        "i.ts",
        "notes.txt",
        "z.mt3drum.wav",
    ]
    for name in (*wanted, *unwanted):
        path = Path("in", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            b"export const x = 1" if name == "i.ts" else bytes(4 * (path.suffix == ".mts")) + b"G"
        )
    assert transcribe("in", "-o", "out") == 0
    assert {name for name in files() if name.startswith("out/")} == {
        f"out/{Path(name).with_suffix('.mid')}" for name in wanted
    }
    assert transcribe("in/**/*", "-o", "by-pattern", "--format", "csv") == 0
    names = {path.name for path in Path("by-pattern").rglob("*.csv")}
    assert {"a.csv", "h.csv"} <= names and not {".hidden.csv", "x.csv", "y.csv", "z.csv"} & names
    assert transcribe("in/._a.webm", "-o", "named") == 0  # who names one means it
    with tarfile.open("a.tar", "w") as tar:
        for name in ("deep/f.mp3", "._a.webm", "__MACOSX/y.mp3"):
            tar.add(f"in/{name}", name)
    assert transcribe("a.tar", "-o", "tar") == 0
    assert {name for name in files() if name.startswith("tar/")} == {"tar/a/deep/f.mid"}
