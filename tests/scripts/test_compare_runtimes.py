"""When two runtimes are said to hear the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scripts import compare_runtimes
from scripts.compare_runtimes import Compared, files, main, summary
from tokenizer.hits import Hit

HITS = (Hit(0.5, 0, 90, 0.9), Hit(1.0, 1, 80, 0.8))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"time": 1.0009}, True),
        ({"time": 1.002}, False),
        ({"velocity": 81}, True),
        ({"velocity": 82}, False),
        ({"confidence": 0.5}, True),
        ({"drum": 2}, False),
    ],
)
def test_what_is_the_same(change: dict[str, float], same: bool) -> None:
    other = (HITS[0], replace(HITS[1], **change))  # type: ignore[arg-type]
    compared = Compared("song", 60.0, (HITS, other))
    assert compared.same is same
    text = summary([compared, Compared("both", 60.0, (HITS, HITS))], {"torch": 4.0, "onnx": 3.0})
    assert text.startswith(f"{1 + same} of 2 recordings have the same hits (4 hits in 2 minutes)")
    assert "2.00 s (torch) and 1.50 s (onnx)" in text
    assert ("- song: 2 hits by torch, 2 by ONNX Runtime" in text) is not same


def test_files_named_and_in_folders(tmp_path: Path) -> None:
    for name in ("a/one.flac", "a/b/two.opus", "a/notes.txt", "three.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [file.name for file in files([tmp_path / "a", tmp_path / "three.wav"])]
    assert found == ["two.opus", "one.flac", "three.wav"]


def test_errors_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([str(tmp_path / "missing")]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path / 'missing'}: no such file or folder\n"
    monkeypatch.setattr(compare_runtimes, "compare", lambda *_: ([], {}))
    assert main([]) == 1
    assert capsys.readouterr().err == "error: no recordings: name files or folders, or use --clips\n"
    bad = Compared("song", 60.0, (HITS, HITS[:1]))
    monkeypatch.setattr(compare_runtimes, "compare", lambda *_: ([bad], {"torch": 1.0, "onnx": 1.0}))
    assert main(["--clips", "1"]) == 1
