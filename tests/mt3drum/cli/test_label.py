"""`mt3drum label` as a command."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mt3drum import transcriber
from mt3drum.audio.drum_samples import read_samples
from mt3drum.cli.main import main


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    time = np.arange(11_025) / 44_100
    folder = tmp_path / "samples" / "deep"
    folder.mkdir(parents=True)
    kick = 0.8 * np.sin(2 * np.pi * 60 * time) * np.exp(-time / 0.1)
    hat = 0.3 * np.diff(rng.normal(size=len(time) + 1)) * np.exp(-time / 0.02)
    for name, sound in {"k": kick, "h": hat, "k copy": kick}.items():
        soundfile.write(folder / f"{name}.wav", sound, 44_100)
    return folder.parent


def test_a_folder_becomes_a_table_and_a_kit(
    samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (samples / "bad.wav").write_bytes(b"no sound")
    out = tmp_path / "out"
    command = ["label", str(samples), "-o", str(out)]
    assert main(command) == 1
    told, errors = capsys.readouterr()
    assert errors.count("\n") == 1 and "bad.wav" in errors
    assert len(told.splitlines()) == 4 and "the same as" in told and "1 is a copy; 1 failed" in told
    with (out / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 and {row["class8"] for row in rows} >= {"kick"}
    assert [row["source"] for row in json.loads((out / "labels.json").read_text())["samples"]] == [
        row["source"] for row in rows
    ]
    strokes, _ = read_samples(out / "kit")  # as --kit reads them
    assert len(strokes) == 2 == len(list((out / "kit").glob("*.flac")))

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("nothing is new")

    monkeypatch.setattr(transcriber.Transcriber, "load", refuse)
    (samples / "bad.wav").unlink()
    assert main([*command, "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(records) == 3 and {record["status"] for record in records} == {"done"}
    assert [record["class26"] for record in records] == [row["class26"] for row in rows]


def test_the_kit_is_no_input_of_the_next_run(samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["label", str(samples), "-o", str(samples), "--quiet"]) == 0
    assert len(json.loads((samples / "labels.json").read_text())["samples"]) == 3
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--unsure", "2"], 2, "--unsure 2 is outside 0..1"),
        (["--checkpoint", "gone.safetensors"], 2, "gone.safetensors"),
        (["-o", "here.txt"], 2, "not a folder"),
        (["gone.wav"], 1, "gone.wav: no such file"),
    ],
)
def test_errors_are_one_line(
    options: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.txt").touch()
    files = [] if options[0] == "gone.wav" else ["a.wav"]
    assert main(["label", *files, *options]) == code
    out, err = capsys.readouterr()
    assert not out and message in err and err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["here.txt"]
