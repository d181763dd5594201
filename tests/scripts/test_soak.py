"""scripts/soak.py in small: memory is read, differences are seen, the page gets its table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mt3drum.result import Transcription
from scripts.soak import lengths, main, make, same, sounds
from tests.processes import tiny_checkpoint
from tokenizer.hits import Hit


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- soak: begin -->\n<!-- soak: end -->\n")
    checkpoint = tiny_checkpoint(tmp_path / "tiny.safetensors")
    small = ["--files", "20", "--hours", "0.008", "--alone", "4", "--checkpoint", str(checkpoint)]
    assert main([*small, "--write", str(page)]) == 0
    text = page.read_text()
    assert text.count("\n| ") == 11 and "\n| 20 | 0.0 |" in text and "\n0 differ" in text
    assert main(["--files", "3"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: --files 3 must be 20 or more")


def test_recordings_are_functions_of_their_numbers(tmp_path: Path) -> None:
    durations = lengths(50, 0.5, 1)
    assert sum(durations) == pytest.approx(1800) and min(durations) > 2
    pieces = sounds(None)
    for name in ("a", "b"):
        make(tmp_path / f"{name}.flac", 9.0, pieces, 5)
    make(tmp_path / "c.flac", 9.0, pieces, 6)
    first, second, third = ((tmp_path / f"{name}.flac").read_bytes() for name in "abc")
    assert first == second != third
    with pytest.raises(ValueError, match="no FLAC file"):
        sounds(tmp_path / "gone")


def test_what_differs() -> None:
    one = Transcription((Hit(1.0, 0, 90), Hit(2.0, 4, 60)), 3.0)
    assert same(one, one)
    for hits in (
        one.hits[:1],
        (Hit(1.002, 0, 90), one.hits[1]),
        (Hit(1.0, 1, 90), one.hits[1]),
        (Hit(1.0, 0, 92), one.hits[1]),
    ):
        assert not same(one, replace(one, hits=hits))
    assert same(one, replace(one, hits=(Hit(float(np.nextafter(1, 2)), 0, 91), one.hits[1])))
