"""MIDI for samplers and DAWs: presets, tracks, note lengths and the pedal, as other libraries read them."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import mido
import music21
import note_seq
import pretty_midi
import pytest

from mt3drum.cli import main
from mt3drum.cli.notation_options import NOTE_MAPS
from mt3drum.formats import write
from mt3drum.formats.note_map import PRESETS, find_preset
from mt3drum.result import Transcription
from tests import ROOT
from tests.grooves import played, steady
from tokenizer.drums import CLASS_INDEX, DRUMS, FAMILIES
from tokenizer.hits import Hit

PART = {
    "kick": "X.......X.x.....",
    "snare_head": "....X..g.g..X..g",
    "hihat_closed": "X.x.X.x.X.x.X...",
    "hihat_open": "..............X.",
    "ride_bell": "X...............",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With `söng.json`: 8 bars at 118 beats a minute."""
    hits, _ = played(PART, 8, steady(118.0, 0.9), 4)
    place = tmp_path_factory.mktemp("midi")
    write.write(Transcription(tuple(hits), 18.0, Path("söng.wav")), place / "söng", ("json",))
    return place


def convert(folder: Path, out: Path, *options: str) -> None:
    assert main.main(["convert", str(folder / "söng.json"), "-o", str(out), *options]) == 0


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_a_note_for_every_class_and_tells_all_families_apart(name: str) -> None:
    file = ROOT / "mt3drum" / "assets" / "note_maps" / f"{name}.json"
    table = json.loads(file.read_text("utf-8"))
    preset = find_preset(name)
    assert list(table["notes"]) == [drum.name for drum in DRUMS]
    assert len(preset.numbers) == 26 and all(0 <= note <= 127 for note in preset.numbers)
    ours = sorted(DRUMS, key=lambda drum: drum.name not in preset.instead)  # a note is what it is there
    of_note = {preset.numbers[drum.index]: drum.family for drum in ours}
    assert set(of_note.values()) == set(FAMILIES)
    for drum in DRUMS:  # and back: a rim may be a stroke on the head where there is no other
        family = of_note[preset.numbers[drum.index]]
        assert family == drum.family or (drum.family, family) == ("rim", "snare")
        assert family == drum.family or drum.name in preset.instead
    assert preset.product and preset.sources and all(preset.there)
    # Of classes that share a note one at most is what the product has there; the others say what they are.
    for note, count in Counter(preset.numbers).items():
        sharing = [drum.name for drum in DRUMS if preset.numbers[drum.index] == note]
        assert sum(name not in preset.instead for name in sharing) <= 1, sharing
        assert len({preset.there[CLASS_INDEX[name]] for name in sharing}) == 1, (count, sharing)


def test_presets_are_the_files_that_are_there() -> None:
    files = (ROOT / "mt3drum" / "assets" / "note_maps").iterdir()
    assert sorted(path.name for path in files) == sorted(f"{name}.json" for name in PRESETS)


@pytest.mark.parametrize("name", ["superior", "roland", "alesis"])
def test_a_preset_on_the_command_line(folder: Path, tmp_path: Path, name: str) -> None:
    convert(folder, tmp_path, "--notes", name)
    track = mido.MidiFile(tmp_path / "söng.mid", charset="utf-8").tracks[1]
    numbers = find_preset(name).numbers
    notes = {message.note for message in track if message.type == "note_on"}
    assert notes == {numbers[CLASS_INDEX[drum]] for drum in (*PART, "crash1")}
    pedal = [message.type == "control_change" and message.control == 4 for message in track]
    assert any(pedal) == (find_preset(name).pedal_controller == 4) == (name != "superior")


def test_the_pedal_moves_just_before_the_stroke_that_tells(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path, "--notes", "roland", "--split", "tracks", "--grid", "16")
    tracks = mido.MidiFile(tmp_path / "söng.mid", charset="utf-8").tracks
    assert not any(m.type == "control_change" for t in tracks if t.name != "Hihat" for m in t)
    (hats,) = (track for track in tracks if track.name == "Hihat")
    position, moved = None, 0
    for before, message in pairwise(hats):
        if message.type == "control_change":
            assert message.value in (0, 127) and message.value != position
            position, moved = message.value, moved + 1
        elif message.type == "note_on":
            assert position == (0 if message.note == 46 else 127)
            assert before.type != "control_change" or message.time == 0
    assert moved == 16  # closed and open once a bar


def test_a_track_for_each_family(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path / "one")
    convert(folder, tmp_path / "split", "--split", "tracks")
    whole = pretty_midi.PrettyMIDI(str(tmp_path / "one" / "söng.mid"))
    split = pretty_midi.PrettyMIDI(str(tmp_path / "split" / "söng.mid"))
    assert [track.name for track in split.instruments] == ["Kick", "Snare", "Hihat", "Crash", "Ride"]
    assert all(track.is_drum for track in split.instruments)
    notes = sorted((n.start, n.pitch, n.velocity) for track in split.instruments for n in track.notes)
    assert notes == sorted((n.start, n.pitch, n.velocity) for n in whole.instruments[0].notes)


def test_a_file_for_each_family_beside_that_of_all(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path / "one")
    convert(folder, tmp_path / "split", "--split", "files")
    names = {path.name for path in (tmp_path / "split").iterdir()}
    assert names == {
        "söng.mid",
        *(f"söng.{name}.mid" for name in ("kick", "snare", "hihat", "crash", "ride")),
    }
    assert (tmp_path / "split" / "söng.mid").read_bytes() == (tmp_path / "one" / "söng.mid").read_bytes()
    whole = mido.MidiFile(tmp_path / "one" / "söng.mid")
    kick = mido.MidiFile(tmp_path / "split" / "söng.kick.mid")
    assert kick.tracks[0] == whole.tracks[0]  # tempo map and name
    assert kick.tracks[1].name == "Kick"
    assert {m.note for m in kick.tracks[1] if m.type == "note_on"} == {36}


@pytest.mark.parametrize(("length", "quarters"), [("1/4", 1.0), ("1/32", 0.125)])
def test_note_lengths_by_value(folder: Path, tmp_path: Path, length: str, quarters: float) -> None:
    convert(folder, tmp_path, "--note-length", length, "--grid", "16")
    midi = mido.MidiFile(tmp_path / "söng.mid")
    tick, started, lengths = 0, {}, []
    for message in midi.tracks[1]:
        tick += message.time
        if message.type == "note_on":
            started[message.note] = tick
        elif message.type == "note_off":
            lengths.append((tick - started[message.note]) / midi.ticks_per_beat)
    assert max(lengths) == quarters
    assert min(lengths) == min(quarters, 0.5)  # the next stroke of the drum cuts it


def test_note_lengths_in_seconds(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path, "--note-length", "0.02")
    notes = pretty_midi.PrettyMIDI(str(tmp_path / "söng.mid")).instruments[0].notes
    assert [note.end - note.start for note in notes] == pytest.approx([0.02] * len(notes), abs=0.001)


def test_tempo_map_and_names_by_four_readers(folder: Path, tmp_path: Path) -> None:
    """mido, pretty_midi, note_seq and music21, which know nothing of ours, agree."""
    convert(folder, tmp_path, "--bpm", "118", "--grid", "16")
    path = tmp_path / "söng.mid"
    midi = mido.MidiFile(path, charset="utf-8")
    assert midi.type == 1 and [track.name for track in midi.tracks] == ["söng", "Drums"]
    assert all(message.channel == 9 for message in midi.tracks[1] if not message.is_meta)
    onsets = sorted(note.start for note in pretty_midi.PrettyMIDI(str(path)).instruments[0].notes)
    sequence = note_seq.midi_file_to_note_sequence(str(path))
    assert sorted(note.start_time for note in sequence.notes) == pytest.approx(onsets, abs=1e-6)
    assert all(note.is_drum for note in sequence.notes)
    assert [(m.numerator, m.denominator) for m in sequence.time_signatures][-1] == (4, 4)
    assert sequence.tempos[-1].qpm == pytest.approx(118, abs=0.5)
    score = music21.converter.parse(path, forceSource=True, quantizePost=False)
    marks = score.flatten().getElementsByClass(music21.tempo.MetronomeMark)
    assert list(marks)[-1].number == pytest.approx(118, abs=0.5)
    (first, *_) = pretty_midi.PrettyMIDI(str(path)).get_downbeats()[1:]
    assert min(abs(onset - first) for onset in onsets) < 0.001  # bars begin on strokes


def test_names_that_are_no_plain_text(tmp_path: Path) -> None:
    from tokenizer.midi import write_midi

    write_midi([Hit(0.0, 0, 90)], tmp_path / "a.mid", title="鼓\ud800\n1")
    assert mido.MidiFile(tmp_path / "a.mid", charset="utf-8").tracks[0].name == "鼓?1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--note-length", "0"], "note length 0.0 is outside 0..10"),
        (["--note-length", "nan"], "note length nan is outside 0..10"),
        (["--note-length", "1/0"], "'1/0' is neither seconds nor a note value such as 1/16"),
        (["--split", "files", "-o", "-"], "--split files writes several files: name a folder with -o"),
        (["--split", "tracks", "--format", "csv"], "--split applies to MIDI files, but --format names none"),
        (["--notes", "superiorr"], "no such file; did you mean superior?"),
    ],
)
def test_wrong_options(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert main.main(["transcribe", "a.wav", *options]) == 2
    except SystemExit as stop:
        assert stop.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1


def test_help_lists_the_presets(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(["convert", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert all(name in text for name in NOTE_MAPS)
