"""The practice track: slower, with a click and a bar to count in. Read back by mido and soundfile."""

from __future__ import annotations

import io
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from mt3drum.cli import main
from mt3drum.formats.options import MidiOptions, ScoreOptions
from mt3drum.formats.practice import CLICK_NOTES, slowed, write_practice_midi
from mt3drum.formats.wav import PRACTICE_CLICK, to_wav
from mt3drum.formats.write import write
from mt3drum.result import Transcription
from mt3drum.rhythm.grid import Grid, Meter
from tests.grooves import ROCK, played, steady
from tests.readers import midi
from tokenizer.hits import Hit

FOUR = Meter(4, 4)


def beats(bpm: float, count: int, start: float = 0.0) -> tuple[float, ...]:
    return tuple(start + 60 / bpm * number for number in range(count))


def test_it_is_slower_from_the_first_bar_on() -> None:
    grid = Grid(beats(120, 17, start=3.0), 0, FOUR)
    track = slowed([Hit(4.97, 0, 90), Hit(5.25, 1, 90)], grid, 0.5)  # the second bar, played early
    assert [hit.time for hit in track.hits] == pytest.approx([3.94, 4.5])  # behind four beats of 1 s
    assert track.grid.beats[:6] == (0.0, 1.0, 2.0, 3.0, 4.0, 5.0) and track.grid.bpm == 60
    assert track.grid.downbeats[:2] == (0.0, 4.0)
    assert track.grid.beats[-1] == 16.0  # the click goes on to the last beat that is known ...
    late = slowed([Hit(5.0, 0, 90), Hit(13.6, 1, 90)], grid, 0.5)
    assert late.grid.beats[-1] == pytest.approx(22.0)  # ... and to a hit behind it


def test_a_pick_up_is_counted_in_with_a_whole_bar() -> None:
    grid = Grid(beats(60, 9, start=1.0), 3, FOUR)  # the fourth beat of a bar, then bars
    track = slowed([Hit(1.0, 1, 90), Hit(2.0, 0, 90)], grid, 1.0)
    assert [hit.time for hit in track.hits] == [7.0, 8.0] and track.grid.downbeats[:3] == (0.0, 4.0, 8.0)


def test_nothing_to_practise() -> None:
    with pytest.raises(ValueError, match="no hits"):
        slowed([], Grid(beats(120, 8), 0, FOUR), 0.5)


@pytest.mark.parametrize("speed", [0.5, 0.8])
def test_the_midi_file(tmp_path: Path, speed: float) -> None:
    hits, _ = played(ROCK, 6, steady(118.0, 0.9), 4)
    grid = Transcription(tuple(hits), 14.0).beats()
    assert grid is not None
    track = slowed(hits, grid, speed)
    write_practice_midi(track, tmp_path / "a.mid", "gm", "title", MidiOptions())
    file = mido.MidiFile(tmp_path / "a.mid")
    tempo = [message for message in file.tracks[0] if message.type == "set_tempo"]
    assert mido.tempo2bpm(tempo[0].tempo) == pytest.approx(118 * speed, rel=0.02)
    assert [message.name for message in file.tracks[-1] if message.type == "track_name"] == ["Click"]
    found = midi((tmp_path / "a.mid").read_bytes())
    clicks = [(time, note) for time, note, _ in found if note in CLICK_NOTES]
    assert [time for time, _ in clicks] == pytest.approx(track.grid.beats, abs=1e-3)
    assert [note for _, note in clicks][:9] == [76, 77, 77, 77, 76, 77, 77, 77, 76]
    drums = [time for time, note, _ in found if note not in CLICK_NOTES]
    assert np.diff(drums) == pytest.approx(np.diff([hit.time for hit in hits]) / speed, abs=2e-3)
    assert drums[0] == pytest.approx(4 * 60 / 118 / speed, abs=0.1)


def test_the_sound_has_a_click_alone_first() -> None:
    grid = Grid(beats(120, 9), 0, FOUR)
    track = slowed([Hit(0.0, 0, 127), Hit(1.0, 1, 127)], grid, 0.5)
    audio, rate = soundfile.read(io.BytesIO(to_wav(track.hits, 0.0, track.grid, PRACTICE_CLICK)))
    quiet = to_wav(track.hits, 0.0, track.grid)
    assert (
        np.abs(audio[: rate // 10]).max()
        > 0.1
        > np.abs(soundfile.read(io.BytesIO(quiet))[0][: rate // 10]).max()
    )
    assert np.abs(audio[int(0.2 * rate) : int(0.9 * rate)]).max() < 1e-3
    assert np.abs(audio[4 * rate : int(4.1 * rate)]).max() > 0.3


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hits, _ = played(ROCK, 6, steady(118.0, 0.9), 4)
    write(
        Transcription(tuple(hits), 14.0, Path("song.wav")), tmp_path / "song", ("json",), "gm", ScoreOptions()
    )
    command = ["convert", str(tmp_path / "song.json"), "-o", str(tmp_path), "--format"]
    assert main.main([*command, "practice-midi,practice-wav", "--practice-tempo", "0.75"]) == 0
    assert soundfile.info(tmp_path / "song.practice.mt3drum.wav").duration > 14
    length = mido.MidiFile(tmp_path / "song.practice.mid").length
    assert length == pytest.approx((hits[-1].time - hits[0].time + 240 / 118) / 0.75, abs=1.5)
    for words, said in (
        (["practice-wav", "--practice-tempo", "0"], "--practice-tempo 0 is outside 0.1..2"),
        (["midi", "--practice-tempo", "0.5"], "--practice-tempo applies to practice formats"),
        (["midi", "--stickings", "right"], "--stickings applies to musicxml, pdf and svg"),
    ):
        assert main.main([*command, *words]) == 2 and said in capsys.readouterr().err
