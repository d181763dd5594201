"""NoteSequences in TFRecord and protobuf files, written here by note-seq and read by tensorboard."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from note_seq.protobuf import music_pb2
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

from data.corpora.note_sequences import MAX_RECORD, read_note_sequences, records, write_note_sequences
from data.corpora.readers import READERS
from scripts.make_shards import CORPORA
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from tokenizer.midi import to_note_sequence

HITS = [
    Hit(0.25, CLASS_INDEX["kick"], 90),
    Hit(0.5, CLASS_INDEX["snare_head"], 33),
    Hit(0.5, CLASS_INDEX["ride"], 70),
]


def sequence(filename: str = "") -> music_pb2.NoteSequence:
    made = to_note_sequence(HITS, notes="td17", tempos=[(0.0, 96.0)])
    made.filename = filename
    return made


def test_records_are_read_with_their_audio(tmp_path: Path) -> None:
    write_note_sequences(
        tmp_path / "x" / "set.tfrecord-00000-of-00001", [sequence("take1.wav"), sequence("take2.mid")]
    )
    soundfile.write(tmp_path / "x" / "take1.flac", np.zeros(4410), 44_100)
    first, second = read_note_sequences(tmp_path, "td17", "validation")
    assert first.hits == second.hits == tuple(sorted(HITS))
    assert first.audio == tmp_path / "x" / "take1.flac" and second.audio is None
    assert (first.name, first.split, first.bpm) == ("take1.wav", "validation", pytest.approx(96.0))


def test_a_protobuf_file_holds_one(tmp_path: Path) -> None:
    other = sequence()
    other.notes.add(start_time=1.0, end_time=1.1, pitch=3, velocity=60, is_drum=True)
    (tmp_path / "groove.pb").write_bytes(other.SerializeToString())
    (one,) = read_note_sequences(tmp_path, "td17")
    assert one.hits == tuple(sorted(HITS)) and one.unmapped == {"3": 1} and one.name == "groove.pb#0"


def test_other_readers_accept_what_is_written(tmp_path: Path) -> None:
    write_note_sequences(tmp_path / "a.tfrecord", [sequence("a"), sequence("b")])
    reader = PyRecordReader_New(str(tmp_path / "a.tfrecord"))  # compares both checksums
    for name in ("a", "b"):
        reader.GetNext()
        assert music_pb2.NoteSequence.FromString(reader.record()).filename == name


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x01" * 5, "record 0 is cut short"),
        (struct.pack("<QI", 100, 0) + b"short", "record 0 is cut short"),
        (struct.pack("<QI", MAX_RECORD + 1, 0), "record 0 is longer than 64 MiB"),
        (struct.pack("<QI", 4, 0) + b"\xff\xff\xff\xff" + b"\0" * 4, "record 0 is not a NoteSequence"),
    ],
)
def test_damage_names_file_and_record(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "bad.tfrecord").write_bytes(content)
    with pytest.raises(ValueError, match=f"bad.tfrecord: {reason}"):
        read_note_sequences(tmp_path)


def test_notes_that_are_no_hits_are_an_error(tmp_path: Path) -> None:
    wrong = sequence()
    wrong.notes[0].velocity = 200
    write_note_sequences(tmp_path / "a.tfrecord", [wrong])
    with pytest.raises(ValueError, match=r"a.tfrecord: record 0: .*velocity"):
        read_note_sequences(tmp_path, "td17")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found no NoteSequences"):
        read_note_sequences(tmp_path)
    with pytest.raises(ValueError, match="unknown label map 'x'; known: gm"):
        read_note_sequences(tmp_path, "x")
    (tmp_path / "empty.tfrecord").touch()
    assert list(records(tmp_path / "empty.tfrecord")) == []


def test_shards_can_be_made_of_them() -> None:
    assert "note_sequences" in CORPORA and READERS["note_sequences"] is read_note_sequences
