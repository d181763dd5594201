"""`mt3drum convert`: a score in JSON to every format, and files that are none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mt3drum.cli import main
from mt3drum.files import SUFFIX
from mt3drum.formats import write
from mt3drum.formats.options import ScoreOptions
from mt3drum.formats.read_json import read_json
from mt3drum.result import Transcription
from tests.grooves import ROCK, played, steady
from tokenizer.hits import Hit

FORMATS = ",".join(SUFFIX)


@pytest.fixture(scope="module")
def rock() -> Transcription:
    hits, _ = played(ROCK, 6, steady(118.0, 0.9), 4)
    sure = tuple(Hit(round(h.time, 6), h.drum, h.velocity, 0.75) for h in hits)
    return Transcription(sure, 14.0, Path("söng.wav"), ("a warning",))


@pytest.fixture
def score(tmp_path: Path, rock: Transcription) -> Path:
    (path,) = write.write(rock, tmp_path / "score", ("json",))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


def test_json_is_read_back_whole(score: Path, rock: Transcription) -> None:
    result, beats = read_json(score)
    assert result == rock
    truth = rock.beats()
    assert beats is not None and truth is not None
    assert (beats.meter, beats.first) == (truth.meter, truth.first)
    assert beats.beats == pytest.approx(truth.beats, abs=1e-4)


@pytest.mark.parametrize("options", [[], ["--grid", "16", "--bpm", "118", "--notes", "td17"]])
def test_every_format_as_the_transcription_would_be_written(
    score: Path, rock: Transcription, tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main.main(["convert", str(score), "-o", str(out), "--format", FORMATS, *options]) == 0
    assert " bpm, 4/4" in capsys.readouterr().out
    beats = None if options else read_json(score)[1]
    known = ScoreOptions(bpm=118.0, grid=16) if options else ScoreOptions(beats=beats)
    write.write(rock, tmp_path / "expected" / "score", tuple(SUFFIX), "td17" if options else "gm", known)
    assert contents(out) == contents(tmp_path / "expected")


def test_an_edit_keeps_the_beats_it_was_made_on(score: Path, rock: Transcription, tmp_path: Path) -> None:
    """Eight strokes are too few to find beats by; the file has them."""
    values = json.loads(score.read_text("utf-8"))
    values["hits"] = values["hits"][:8]
    score.write_text(json.dumps(values), "utf-8")
    assert main.main(["convert", str(score), "-o", str(tmp_path / "out"), "--format", "tab"]) == 0
    assert "118 beats a minute" in (tmp_path / "out" / "score.tab.txt").read_text("utf-8")
    assert replace(rock, hits=rock.hits[:8]).beats() is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hits": 3}, "not a score in JSON"),
        ({"hits": [{"time": -1, "drum": "kick", "velocity": 9, "confidence": 1}]}, "hit 1: .* outside"),
        ({"hits": [{"time": 1, "drum": "gong", "velocity": 9, "confidence": 1}]}, "hit 1: KeyError: 'gong'"),
        ({"hits": [{"time": 1, "drum": "kick", "velocity": 9.5, "confidence": 1}]}, "hit 1: .* velocity"),
        (
            {"hits": [{"time": True, "drum": "kick", "velocity": 9, "confidence": 1}]},
            "hit 1: .* not a number",
        ),
        ({"seconds": None}, "None is not a number"),
        ({"tempo": {"beats": [1, 1], "meter": "4/4", "first": 0, "steadiness": 1}}, "beats must rise"),
        ({"tempo": {"beats": [1, 2], "meter": "4/4", "first": 5, "steadiness": 1}}, "first must be"),
        ({"tempo": {"beats": [1, 2], "meter": "9", "first": 0, "steadiness": 1}}, "not of the form 4/4"),
        ({"tempo": 3}, "TypeError"),
    ],
)
def test_what_is_no_score_is_one_line(
    score: Path, change: dict[str, object], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    values = json.loads(score.read_text("utf-8")) | change
    score.write_text(json.dumps(values), "utf-8")
    with pytest.raises(ValueError, match=f"score.json: .*{message}"):
        read_json(score)
    assert main.main(["convert", str(score)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {score}") and error.count("\n") == 1


def test_other_ways_to_fail(score: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "score.json").write_bytes(score.read_bytes())
    before = score.read_bytes()
    files = [tmp_path / "no.json", tmp_path / "bad.json", score, tmp_path / "x" / "score.json"]
    assert main.main(["convert", *map(str, files), "-o", str(tmp_path), "--format", "json,midi"]) == 1
    lines = capsys.readouterr().err.splitlines()
    texts = ["no such file", "not a JSON file", "would be overwritten", "another file of this name"]
    assert len(lines) == 4 and all(text in line for text, line in zip(texts, lines, strict=True))
    assert score.read_bytes() == before
    assert main.main(["convert", str(score), "--bpm", "5"]) == 2
    values = json.loads(score.read_text("utf-8")) | {"tempo": None, "hits": []}
    score.write_text(json.dumps(values), "utf-8")
    assert main.main(["convert", str(score), "-o", str(tmp_path / "out"), "--format", "tab,csv"]) == 1
    assert "no steady beat found, so no tab" in capsys.readouterr().err
    assert (tmp_path / "out" / "score.csv").exists()
