"""`mt3drum demo`: a stranger's first command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import soundfile

from mt3drum.cli import main
from tests import ROOT
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi import read_midi

ASSETS = ROOT / "mt3drum" / "assets"


def test_the_clip_is_ten_seconds_and_small() -> None:
    info = soundfile.info(ASSETS / "demo.ogg")
    assert 9 <= info.duration <= 12 and info.samplerate == 44_100
    assert (ASSETS / "demo.ogg").stat().st_size < 400_000
    credits = (ASSETS / "DEMO.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in credits and "Groove MIDI Dataset" in credits and "enoe" in credits


def test_it_writes_clip_midi_and_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["demo", "-o", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert (
        not err and "hits in 10.5 s: kick" in out and re.search(r"10[45]\.\d bpm, 4/4", out)
    )  # 105 is played
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["demo.html", "demo.mid", "demo.ogg"]
    score = read_midi(tmp_path / "out" / "demo.mid", LABEL_MAPS["gm"])
    assert 60 <= len(score.hits) <= 90  # 81 are played


def test_an_output_that_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    assert main.main(["demo", "-o", str(tmp_path / "file")]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err
