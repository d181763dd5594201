"""All formats from one transcription, from the command line's options to the files."""

from __future__ import annotations

import json
import math
import zipfile
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Literal

import mido
import numpy as np
import pandas as pd
import pytest

from mt3drum.audio.recording import open_array
from mt3drum.batch.live import LiveLines
from mt3drum.cli import main
from mt3drum.decode.stitch import InProgress
from mt3drum.decoding import DecodeConfig
from mt3drum.files import SUFFIX
from mt3drum.formats import write
from mt3drum.formats.note_map import read_note_map
from mt3drum.formats.options import ScoreOptions
from mt3drum.result import Transcription
from mt3drum.rhythm.grid import Grid, Meter
from tests.grooves import ROCK, played, steady
from tests.processes import recordings, tiny_checkpoint
from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi import read_midi

ALL = tuple(SUFFIX)
NEED_BEATS = ("musicxml", "pdf", "svg", "tab", "practice-midi", "practice-wav")


@pytest.fixture(scope="module")
def rock() -> Transcription:
    hits, _ = played(ROCK, 6, steady(118.0, 0.9), 4)
    return Transcription(tuple(hits), 14.0, Path("folder/söng.wav"))


def test_a_folder_of_parquet_files_is_one_table(tmp_path: Path, rock: Transcription) -> None:
    """Read by pandas; families of drums under their own names."""
    coarse = Transcription(rock.hits[:5], 3.0, Path("b.wav"), ("quiet",), scheme="5")
    write.write(rock, tmp_path / "a", ("parquet",), options=ScoreOptions(grid=16))
    write.write(coarse, tmp_path / "b", ("parquet",))
    frame = pd.read_parquet(tmp_path).set_index("path")
    whole, part = frame.loc["folder/söng.wav"], frame.loc["b.wav"]
    assert (whole["status"], whole["meter"], whole["seconds"]) == ("done", "4/4", 14.0)
    assert whole["bpm"] == pytest.approx(118, rel=0.005) and len(whole["time"]) == len(rock.hits)
    assert sorted(whole["drum"]) == sorted(DRUMS[hit.drum].name for hit in rock.hits)
    steps = np.array(whole["time"]) * whole["bpm"] / 60 * 4  # of the grid of sixteenths
    assert np.ptp(np.diff(steps) - np.round(np.diff(steps))) < 0.1
    assert list(part["velocity"]) == [hit.velocity for hit in coarse.hits]
    assert set(part["drum"]) <= {"KD", "SD", "TT", "HH", "CY"} and list(part["warnings"]) == ["quiet"]
    assert pd.isna(part["bpm"]) and pd.isna(part["meter"])


@pytest.fixture(scope="module")
def loose() -> Transcription:
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, 10, 60))
    return Transcription(
        tuple(Hit(float(t), int(rng.integers(26)), 90) for t in times), 10.0, Path("loose.wav")
    )


def test_every_format_is_one_file(tmp_path: Path, rock: Transcription) -> None:
    written = write.write(rock, tmp_path / "a" / "söng", ALL)
    assert [path.name for path in written] == [f"söng{suffix}" for suffix in SUFFIX.values()]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(path.name for path in written)
    assert all(path.stat().st_size for path in written)
    with zipfile.ZipFile(tmp_path / "a" / "söng.chart.zip") as archive:
        assert archive.namelist() == ["söng/notes.chart", "söng/notes.mid", "söng/song.ini"]
    assert json.loads((tmp_path / "a" / "söng.json").read_text("utf-8"))["tempo"]["meter"] == "4/4"


def test_a_chart_has_the_beats_of_the_music_where_it_has_some(
    tmp_path: Path, rock: Transcription, loose: Transcription
) -> None:
    for result, bpm in ((rock, 118), (loose, 120)):  # without beats: raw times at 120
        (path,) = write.write(result, tmp_path / "x", ("chart",))
        with zipfile.ZipFile(path) as archive:
            text = archive.read(next(name for name in archive.namelist() if name.endswith(".chart"))).decode()
        tempos = [int(line.split()[-1]) / 1000 for line in text.splitlines() if " = B " in line]
        assert tempos[-1] == pytest.approx(bpm, rel=0.01) and (len(tempos) == 1) == (bpm == 120)


def test_the_default_midi_keeps_the_times_and_has_the_tempo(tmp_path: Path, rock: Transcription) -> None:
    (path,) = write.write(rock, tmp_path / "x", ("midi",))
    score = read_midi(path, LABEL_MAPS["gm"])
    assert [hit.time for hit in score.hits] == pytest.approx([hit.time for hit in rock.hits], abs=1e-3)
    assert score.tempos[-1][1] == pytest.approx(118, rel=0.01)
    assert score.time_signatures[-1][1:] == (4, 4)
    # A bar line of the file stands on each downbeat of the music.
    start, beat = score.time_signatures[-1][0], 60 / score.tempos[-1][1]
    bars = [(hit.time - start) / beat / 4 for hit in rock.hits if DRUMS[hit.drum].name == "crash1"]
    assert bars == pytest.approx([round(bar) for bar in bars], abs=0.02)


def test_a_grid_moves_the_hits_of_every_format(tmp_path: Path, rock: Transcription) -> None:
    options = ScoreOptions(bpm=118, grid=16)
    midi, table = write.write(rock, tmp_path / "x", ("midi", "json"), "gm", options)
    score = read_midi(midi, LABEL_MAPS["gm"])
    moved = [hit["time"] for hit in json.loads(table.read_text())["hits"]]
    assert len(moved) == len(rock.hits)
    assert [hit.time for hit in score.hits] == pytest.approx(moved, abs=1e-3)
    assert moved != [round(hit.time, 6) for hit in rock.hits]
    steps = np.diff(sorted(set(moved))) / (60 / 118 / 4)
    assert np.abs(steps - np.round(steps)).max() < 0.05


@pytest.mark.parametrize("grid", [8, 16, 24])
def test_a_quantised_file_is_exactly_on_its_ticks(tmp_path: Path, grid: Literal[8, 16, 24]) -> None:
    """Through a drift of 3 % and a jump from 100 to 130 beats a minute; the time before the first beat is no
    whole beat."""
    beats = [0.7]
    for number in range(80):
        bpm = (100 if number < 40 else 130) * (1 + 0.03 * math.sin(number / 5))
        beats.append(beats[-1] + 60 / bpm)
    rng = np.random.default_rng(0)
    hits = []
    for start, end in pairwise(beats):
        for step in range(grid // 4):
            time = start + (end - start) * step * 4 / grid + rng.normal(0, 0.006)
            hits.append(Hit(time, step % 3, 90))
    result = Transcription(tuple(sorted(hits)), beats[-1], Path("x.wav"))
    options = ScoreOptions(grid=grid, beats=Grid(tuple(beats), 0, Meter(4, 4)))
    midi_path, table = write.write(result, tmp_path / "x", ("midi", "json"), "gm", options)
    midi = mido.MidiFile(midi_path)
    assert sum(message.type == "set_tempo" for message in midi.tracks[0]) > 4
    ticks = [
        tick
        for tick, message in zip(
            accumulate(message.time for message in midi.tracks[1]), midi.tracks[1], strict=True
        )
        if message.type == "note_on" and message.velocity
    ]
    assert len(ticks) == len(hits)
    assert {tick % (midi.ticks_per_beat * 4 // grid) for tick in ticks} == {0}
    read = read_midi(midi_path, LABEL_MAPS["gm"]).hits
    document = json.loads(table.read_text())
    assert [hit.time for hit in read] == pytest.approx([hit["time"] for hit in document["hits"]], abs=1e-5)
    times = np.array([hit["time"] for hit in document["hits"]])
    assert all(np.abs(times - beat).min() < 1e-4 for beat in document["tempo"]["beats"][:-1])


def test_without_beats_what_needs_them_is_told_and_the_rest_is_written(
    tmp_path: Path, loose: Transcription
) -> None:
    with pytest.raises(
        write.NoGridError, match=f"no steady beat found, so no {', '.join(NEED_BEATS)}; .* --bpm"
    ):
        write.write(loose, tmp_path / "x", ALL)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"x{suffix}" for name, suffix in SUFFIX.items() if name not in NEED_BEATS
    }
    assert json.loads((tmp_path / "x.json").read_text())["tempo"] is None
    assert mido.MidiFile(tmp_path / "x.mid").length
    with pytest.raises(write.NoGridError, match="no steady beat found, so no midi, json"):
        write.write(loose, tmp_path / "y", ("midi", "json"), "gm", ScoreOptions(grid="auto"))
    assert write.write(loose, tmp_path / "z", ("tab",), "gm", ScoreOptions(bpm=120))


def test_nothing_heard_can_be_written(tmp_path: Path) -> None:
    names = tuple(name for name in ALL if name not in NEED_BEATS)
    assert len(write.write(Transcription((), 1.0), tmp_path / "x", names)) == len(names)


# Own notes


def test_own_notes(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text('{"kick": 24, "hihat_closed_edge": 61}')
    notes = read_note_map(path)
    assert (notes[0], notes[CLASS_INDEX["hihat_closed_edge"]]) == (24, 61)
    assert notes[1] == DRUMS[1].gm_note
    hits = (Hit(0.5, 0, 100), Hit(1.0, CLASS_INDEX["hihat_closed_edge"], 50))
    (midi,) = write.write(Transcription(hits, 2.0), tmp_path / "x", ("midi",), notes)
    assert [m.note for m in mido.MidiFile(midi) if m.type == "note_on"] == [24, 61]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kick=36", "not a JSON file"),
        ("[36]", "not of the form"),
        ('{"bongo": 60}', "'bongo' is not a drum; the drums are kick"),
        ('{"kick": 128}', "kick: note 128 is not a whole number of 0..127"),
        ('{"kick": true}', "kick: note True is not"),
        ("[" * 70_000, "larger than 64 KiB"),
        ("[" * 60_000, "not a JSON file"),
    ],
)
def test_a_bad_map_is_one_line(
    tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "map.json"
    path.write_text(text)
    assert main.main(["transcribe", "a.wav", "--notes", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {path}: ") and message in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--bpm", "0"], "--bpm 0 is outside 20..500"),
        (["--meter", "5/3"], "meter 5/3 is not one of 2/4, 3/4, 4/4"),
        (["--notes", "absent.json"], "absent.json"),
        (["--meter", "6/8", "--grid", "24"], "--grid 24 (triplets) does not fit the beats of 6/8"),
    ],
)
def test_wrong_options(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["transcribe", "a.wav", *args]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1


# JSON Lines while it is heard


def test_hits_settle_piece_by_piece_as_they_would_at_the_end() -> None:
    rng = np.random.default_rng(1)
    hits = [
        Hit(round(float(t), 3), int(d), 90, round(float(c), 3))
        for t, d, c in zip(
            rng.uniform(0, 20, 600), rng.integers(0, 6, 600), rng.uniform(0, 1, 600), strict=True
        )
    ]
    config = DecodeConfig(minimum_confidence=0.2)
    at_once = InProgress(None, None, hits=list(hits))
    at_once.settle(config, float("inf"))
    pieces, calls = InProgress(None, None), []
    for second in range(21):
        pieces.hits += [hit for hit in hits if second <= hit.time < second + 1]
        calls.append(pieces.settle(config, second + 1))
    calls.append(pieces.settle(config, float("inf")))
    assert [hit for call in calls for hit in call] == pieces.settled == at_once.settled
    assert sum(bool(call) for call in calls) > 15


def test_every_family_has_its_least_confidence() -> None:
    kick, snare, tom = (CLASS_INDEX[name] for name in ("kick", "snare_head", "tom1_head"))
    hits = [
        Hit(float(i), drum, 90, confidence)
        for i, (drum, confidence) in enumerate(
            [(kick, 0.4), (kick, 0.6), (snare, 0.4), (snare, 0.2), (tom, 0.01)]
        )
    ]
    recording = open_array(np.zeros(5 * 44_100, dtype=np.float32))
    job = InProgress(None, recording, hits=list(hits))
    job.settle(DecodeConfig(minimum_confidence=(("kick", 0.5), ("snare", 0.3))), float("inf"))
    result = job.result()
    assert isinstance(result, Transcription)
    assert result.hits == (hits[1], hits[2], hits[4])
    assert result.candidates == (hits[0], hits[3])


def test_live_lines_grow_and_go(tmp_path: Path) -> None:
    live = LiveLines({Path("a.wav"): tmp_path / "deep" / "a.jsonl"}, {0, 1})
    live(Path("a.wav"), [Hit(0.5, 0, 100), Hit(0.5, 2, 100)])
    live(Path("a.wav"), [Hit(0.7, 1, 100)])
    live(Path("b.wav"), [Hit(0.7, 1, 100)])
    part = tmp_path / "deep" / "a.jsonl.part"
    assert [json.loads(line)["time"] for line in part.read_text().splitlines()] == [0.5, 0.7]
    live.close(Path("a.wav"))
    assert not list((tmp_path / "deep").iterdir())
    (tmp_path / "file").write_text("")
    blocked = LiveLines({Path("a.wav"): tmp_path / "file" / "a.jsonl"}, {0})
    blocked(Path("a.wav"), [Hit(0.5, 0, 100)])
    blocked.close(Path("a.wav"))


def test_the_command_streams_and_ends_with_complete_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "tiny.safetensors")
    (song,) = recordings(tmp_path / "in", 1, seconds=9.0)
    seen: list[int] = []
    write = LiveLines.__call__

    def watched(self: LiveLines, path: Path, hits: list[Hit]) -> None:
        write(self, path, hits)
        seen.append(len(self.parts[path].read_text().splitlines()))

    monkeypatch.setattr(LiveLines, "__call__", watched)
    args = ["-o", str(tmp_path / "out"), "--checkpoint", str(checkpoint)]
    args += ["--device", "cpu", "--batch", "1", "--max-hits-per-second", "4"]
    assert main.main(["transcribe", str(song), *args, "--format", "jsonl,csv,wav"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"00.jsonl", "00.csv", "00.mt3drum.wav"}
    lines = (tmp_path / "out" / "00.jsonl").read_text().splitlines()
    assert len(lines) == len((tmp_path / "out" / "00.csv").read_text().splitlines()) - 1
    assert len(seen) > 1 and seen == sorted(seen) and seen[-1] == len(lines)
    (short,) = recordings(tmp_path / "short", 1)
    assert main.main(["transcribe", str(short), *args, "--format", "tab,json", "--quiet"]) == 1
    assert "no steady beat found, so no tab" in capsys.readouterr().err
    assert (tmp_path / "out" / "00.json").exists()
