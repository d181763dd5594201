"""The drumless set: every kind sounds, is its own, and comes back the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data.band.drumless import KINDS, render_drumless
from data.band.notes import Instrument, NoteBank, NoteSample, to_int16
from data.dsp.levels import PEAK
from data.dsp.tones import SAMPLE_RATE
from scripts.make_drumless import main

NOTHING = NoteBank((), {})


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_sounds_and_is_a_function_of_its_seed(kind: str) -> None:
    audio = render_drumless(kind, 1, 0, NOTHING, 4.0)
    assert audio.shape == (4 * SAMPLE_RATE,) and audio.dtype == np.float32
    assert np.abs(audio).max() == pytest.approx(PEAK, abs=1e-3)
    if kind in ("arpeggio", "mid_note", "purr", "woodwind"):
        np.testing.assert_array_equal(audio, render_drumless(kind, 1, 0, NOTHING, 4.0))
        assert not np.array_equal(audio, render_drumless(kind, 2, 0, NOTHING, 4.0))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_mid_note_begins_in_a_note(number: int) -> None:
    audio = render_drumless("mid_note", number, 0, NOTHING, 2.0)
    assert np.abs(audio[:2205]).max() > 0.05


def test_recorded_notes_are_played_where_there_are_some() -> None:
    time = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    note = NoteSample(60, to_int16(np.sin(2 * np.pi * 261.6 * time).astype(np.float32)))
    bank = NoteBank((Instrument("oboe", "lead", "made", (note,)),), {})
    other = 0
    for number in range(1, 9):
        recorded, made = (render_drumless("woodwind", number, 0, notes, 1.0) for notes in (bank, NOTHING))
        other += not np.array_equal(recorded, made)
    assert 0 < other < 8  # half of them


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "set"
    assert main(["-o", str(out), "--no-data", "--per-kind", "1", "--seconds", "1"]) == 0
    assert {path.stem for path in out.glob("*.flac")} == {f"{kind}_1" for kind in KINDS}
    audio, rate = soundfile.read(out / "hum_1.flac", dtype="float32")
    np.testing.assert_allclose(audio, render_drumless("hum", 1, 0, NOTHING, 1.0), atol=1e-4)
    assert rate == SAMPLE_RATE
    assert json.loads((out / "manifest.json").read_text())["kinds"] == list(KINDS)
    assert main(["-o", str(out), "--data", str(tmp_path / "gone")]) == 1
    assert "gone" in capsys.readouterr().err.splitlines()[-1]
