"""NoteSequences, Magenta's format for symbolic music, in TFRecord files or one per file (extra `note-seq`).

GMD, E-GMD and other corpora are distributed or preprocessed in this form. TensorFlow is not needed: a
TFRecord file is a sequence of length, CRC of the length, payload, CRC of the payload
(https://www.tensorflow.org/tutorials/load_data/tfrecord).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from data.corpora.recording import Recording, at_least_one, audio_beside, counted
from mt3drum.extras import need
from mt3drum.files import write_whole
from tokenizer.maps import LabelMap, find_label_map
from tokenizer.midi import from_note_sequence

MAX_RECORD = 64 * 2**20
"""Bytes; an hour of dense drums is about 3 MiB."""
SINGLE = (".pb", ".binpb")


def read_note_sequences(
    root: Path, label_map: str | LabelMap = "gmd", split: str = "train"
) -> list[Recording]:
    """Every NoteSequence below a folder: `*.tfrecord*` files, and `*.pb` or `*.binpb` files with one each.

    A sequence belongs to the audio file in the same folder with the stem of its `filename`; without one it is
    a performance without audio.

    Args:
        label_map: MIDI notes to classes, or the name of a map.
        split: split of all recordings; NoteSequences do not contain it.

    Raises:
        ValueError: there are none, a file is damaged or of another type, or the map is unknown.
        MissingExtra: note-seq is not installed.
    """
    labels = find_label_map(label_map) if isinstance(label_map, str) else label_map
    recordings = []
    for path in sorted(root.rglob("*")):
        if not path.is_file() or not (".tfrecord" in path.name or path.suffix in SINGLE):
            continue
        payloads = [_whole(path)] if path.suffix in SINGLE else records(path)
        for number, payload in enumerate(payloads):
            sequence = _parse(payload, f"{path}: record {number}")
            recordings.append(_recording(sequence, path, number, root, labels, split))
    return at_least_one(recordings, root, "NoteSequences (*.tfrecord*, *.pb, *.binpb)")


def records(path: Path) -> Iterator[bytes]:
    """The payloads of a TFRecord file, one at a time. Checksums are not compared.

    Raises:
        ValueError: the file is truncated, or a record is longer than `MAX_RECORD`.
    """
    with path.open("rb") as file:
        number = 0
        while head := file.read(12):
            length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else 0
            if length > MAX_RECORD:
                raise ValueError(f"{path}: record {number} is longer than {MAX_RECORD >> 20} MiB")
            payload = file.read(length + 4)
            if len(head) < 12 or len(payload) < length + 4:
                raise ValueError(f"{path}: record {number} is cut short")
            yield payload[:length]
            number += 1


def write_note_sequences(path: Path, sequences: Iterable[Any]) -> None:
    """Write `note_seq.NoteSequence` objects as one TFRecord file, complete or absent.

    Raises:
        OSError: it cannot be written.
    """
    need("train", "tensorboard")
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    parts = []
    for sequence in sequences:
        payload = sequence.SerializeToString()
        length = struct.pack("<Q", len(payload))
        parts += [length, struct.pack("<I", masked_crc32c(length)), payload]
        parts += [struct.pack("<I", masked_crc32c(payload))]
    write_whole(path, b"".join(parts))


def _whole(path: Path) -> bytes:
    if path.stat().st_size > MAX_RECORD:
        raise ValueError(f"{path}: longer than {MAX_RECORD >> 20} MiB")
    return path.read_bytes()


def _parse(payload: bytes, name: str) -> Any:
    need("note-seq", "note_seq")
    from google.protobuf.message import DecodeError
    from note_seq.protobuf import music_pb2

    try:
        return music_pb2.NoteSequence.FromString(payload)
    except DecodeError:
        raise ValueError(f"{name} is not a NoteSequence") from None


def _recording(sequence: Any, path: Path, number: int, root: Path, labels: LabelMap, split: str) -> Recording:
    name = sequence.id or sequence.filename or f"{path.relative_to(root).as_posix()}#{number}"
    try:
        score = from_note_sequence(sequence, labels)
    except ValueError as error:
        raise ValueError(f"{path}: record {number}: {error}") from None
    stem = Path(sequence.filename).stem
    return Recording(
        name=name,
        audio=audio_beside(path.parent, stem) if stem else None,
        hits=tuple(score.hits),
        split=split,
        corpus=root.resolve().name,
        performance=name,
        kit="",
        licence="unknown",
        unmapped=counted(score.unmapped),
        excluded=counted(score.excluded),
        bpm=score.tempos[0][1] if score.tempos else 0.0,
    )
