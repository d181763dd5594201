"""Reading MIDI files of others: every onset, the tempo map, the channel rule, and files that lie."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mido import Message, MetaMessage

from tokenizer import midi_read
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi_read import Channel, MidiError, read_midi

GM, TD17 = LABEL_MAPS["gm"], LABEL_MAPS["td17"]


def on(note: int, time: int = 0, *, velocity: int = 100, channel: int = 10) -> Message:
    return Message("note_on", channel=channel - 1, note=note, velocity=velocity, time=time)


def off(note: int, time: int = 0, *, channel: int = 10) -> Message:
    return Message("note_off", channel=channel - 1, note=note, time=time)


Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes tracks (lists of messages) at 480 ticks a beat."""

    def write(*tracks: list[Message | MetaMessage], kind: int = 1) -> Path:
        midi = mido.MidiFile(
            type=kind, ticks_per_beat=480, tracks=[mido.MidiTrack(track) for track in tracks]
        )
        midi.save(tmp_path / "a.mid")
        return tmp_path / "a.mid"

    return write


def test_notes_without_length_or_end_are_kept(save: Save) -> None:
    path = save([on(36), off(36), on(36, 240), on(36, 240), on(38, 0), on(36, 240, velocity=0), on(42, 240)])
    assert read_midi(path, TD17).hits == (
        Hit(0.0, 0, 100),
        Hit(0.25, 0, 100),
        Hit(0.5, 0, 100),
        Hit(0.5, 1, 100),
        Hit(1.0, 4, 100),
    )


def test_a_tempo_in_any_track_holds_for_all(save: Save) -> None:
    def tempo(bpm: float, time: int) -> MetaMessage:
        return MetaMessage("set_tempo", tempo=round(6e7 / bpm), time=time)

    path = save([tempo(60, 480)], [tempo(240, 960)], [on(36, 480), on(36, 480), on(36, 480)])
    score = read_midi(path, TD17)
    assert [hit.time for hit in score.hits] == [0.5, 1.5, 1.75]
    assert score.tempos == ((0.5, 60.0), (1.5, 240.0))
    assert score.ticks_per_beat == 480


def test_a_file_without_tempo_runs_at_120_and_says_nothing(save: Save) -> None:
    score = read_midi(save([on(36, 480)], kind=0), TD17)
    assert (score.hits, score.tempos, score.time_signatures) == ((Hit(0.5, 0, 100),), (), ())


@pytest.mark.parametrize(
    ("frames", "second"), [(24, 24 * 40), (25, 25 * 40), (30, 30 * 40), (29, 30000 * 40 / 1001)]
)
def test_smpte_time_is_read_without_tempo(save: Save, frames: int, second: float) -> None:
    path = save([MetaMessage("set_tempo", tempo=1), on(36, 2400)])
    data = bytearray(path.read_bytes())
    data[12:14] = struct.pack(">bB", -frames, 40)
    path.write_bytes(data)
    score = read_midi(path, TD17)
    assert score.hits[0].time == pytest.approx(2400 / second, abs=1e-12)
    assert (score.tempos, score.ticks_per_beat) == ((), 0)


def test_notes_outside_the_map_are_counted(save: Save) -> None:
    score = read_midi(save([on(36), on(33), on(33, 10), on(99), on(35, 10)]), TD17)
    assert [hit.drum for hit in score.hits] == [0, 0]
    assert (score.unmapped, score.excluded) == (Counter({99: 1}), Counter({33: 2}))


def drums_of(path: Path, channel: Channel = "auto") -> list[int]:
    return [hit.drum for hit in read_midi(path, TD17, channel).hits]


def test_channel_10_is_taken_out_of_a_song(save: Save) -> None:
    path = save([on(36, channel=1), on(40, channel=2)], [on(38)])
    assert drums_of(path) == [1]
    assert drums_of(path, 1) == [0]
    assert drums_of(path, 16) == []
    assert drums_of(path, None) == [0, 1, 3]


def test_the_only_channel_is_taken_to_be_the_drums(save: Save) -> None:
    assert drums_of(save([on(36, channel=1)], [on(38, channel=1)], [MetaMessage("text", text="x")])) == [0, 1]


def test_a_track_named_drums_is_taken_where_channel_10_is_empty(save: Save) -> None:
    named = MetaMessage("track_name", name="My DRUMS")
    assert drums_of(save([on(40, channel=1)], [named, on(36, channel=2), on(38, channel=3)])) == [0, 1]


def test_a_song_without_drums_says_so(save: Save) -> None:
    path = save([on(40, channel=1)], [on(36, channel=2)])
    with pytest.raises(MidiError, match=r"a.mid: nothing on channel 10.*channels in use: 1, 2"):
        read_midi(path, TD17)


def test_an_empty_file_is_an_empty_score(save: Save) -> None:
    assert read_midi(save([]), TD17).hits == ()


@pytest.mark.parametrize("channel", [0, 17, "drums"])
def test_impossible_channels_are_refused(save: Save, channel: Channel) -> None:
    with pytest.raises(ValueError, match="is not 1..16, None or 'auto'"):
        read_midi(save([on(36)]), TD17, channel)


# Files that lie


def smf(track: bytes, *, kind: int = 0, tracks: int = 1, division: int = 480) -> bytes:
    return (
        b"MThd"
        + struct.pack(">lhhh", 6, kind, tracks, division)
        + b"MTrk"
        + struct.pack(">l", len(track))
        + track
    )


END = b"\x00\xff\x2f\x00"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a MIDI file, or damaged"),
        (b"RIFF" + bytes(40), "not a MIDI file, or damaged"),
        (smf(END)[:-2], "it ends early"),
        (smf(END, tracks=2), "it ends early"),
        (smf(END, kind=2), "MIDI files of type 2 are not read"),
        (smf(END, division=0), "no ticks in a beat"),
        (smf(END, division=-1), r"unknown SMPTE time division \(1 frames, 255 ticks\)"),
        (smf(b"\x00\xff\x51\x03\x00\x00\x00" + END), "a tempo of zero"),
        (smf(b"\x00\xff\x51\x01\x00" + END), "not a MIDI file, or damaged"),
        (smf(b"\x00\x24\x40" + END), "not a MIDI file, or damaged"),
        (smf(b"\x00\x99\x24\xf0" + END), "not a MIDI file, or damaged"),
        (smf(b"\x00\xf0\xff\xff\xff\x7f" + END), "not a MIDI file, or damaged"),
        (smf(b"\x00\xff\x01" + b"\xff" * 1000 + b"\x00" + END), "not a MIDI file, or damaged"),
        (smf(b"\xff" * 100_000 + b"\x00" + END), "a number that does not end"),
        (smf(b"\xff" * 1000 + b"\x7f\x99\x24\x40" + END), "damaged MIDI file"),
        (smf(b"\xff\xff\xff\x7f\x99\x24\x40" * 2 + END), "a note is later than 86400 s"),
    ],
)
def test_damaged_files_are_one_line_errors(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(data)
    with pytest.raises(MidiError, match=message) as caught:
        read_midi(path, GM)
    text = str(caught.value)
    assert text.startswith(str(path)) and "\n" not in text and len(text) < len(str(path)) + 200


@settings(max_examples=200)
@given(data=st.one_of(st.binary(max_size=60).map(smf), st.binary(max_size=60)))
def test_any_bytes_are_a_score_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.mid"
    path.write_bytes(data)
    try:
        score = read_midi(path, GM)
    except MidiError as error:
        assert str(path) in str(error)
    else:
        assert list(score.hits) == sorted(score.hits)


def test_bounds_hold(tmp_path: Path, save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save([on(36), on(36), on(36)])
    monkeypatch.setattr(midi_read, "MAX_NOTES", 2)
    with pytest.raises(MidiError, match="3 notes are more than 2"):
        read_midi(path, GM)
    monkeypatch.setattr(midi_read, "MAX_BYTES", path.stat().st_size - 1)
    with pytest.raises(MidiError, match="larger than"):
        read_midi(path, GM)
    with pytest.raises(MidiError, match="not a file"):
        read_midi(tmp_path, GM)
    with pytest.raises(FileNotFoundError, match="none.mid"):
        read_midi(tmp_path / "none.mid", GM)
