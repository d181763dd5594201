"""Read one sample of a shard in place: untrusted bytes to audio and hits."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import soundfile

from mt3drum.config import SAMPLE_RATE
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit

MAX_MEMBER_BYTES = 64 * 2**20
"""Maximum size of a member: a clip of 12 s has one hundredth of that."""

MAX_SECONDS = 86_400.0
"""Maximum length of a clip: one day."""


class BadSample(Exception):
    """A sample that cannot be used. `reason` is a short text that is the same for all samples with this
    problem."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class Member(NamedTuple):
    """A file inside a tar file."""

    path: str
    offset: int
    size: int


@dataclass(frozen=True)
class ClipLabels:
    """The JSON member of a sample."""

    hits: tuple[Hit, ...]
    """Times in seconds from the start of the clip."""
    seconds: float
    meta: Mapping[str, Any]

    @property
    def labelled(self) -> bool:
        """False: recorded music whose hits are not known; it has no hits here."""
        return bool(self.meta.get("labelled", True))


def read_member(member: Member) -> bytes:
    """Raises BadSample if the file is missing or truncated, or the member is too large."""
    if not 0 <= member.size <= MAX_MEMBER_BYTES:
        raise BadSample("member too large", f"{member.size} bytes in {member.path}")
    try:
        with open(member.path, "rb") as file:
            file.seek(member.offset)
            content = file.read(member.size)
    except OSError as error:
        raise BadSample("shard unreadable", str(error)) from None
    if len(content) != member.size:
        raise BadSample("shard truncated", member.path)
    return content


def labels_of(members: Mapping[str, Any]) -> ClipLabels:
    """Raises BadSample if the JSON is missing, malformed, or names an unknown class."""
    if "json" not in members:
        raise BadSample("json missing")
    try:
        meta = json.loads(read_member(members["json"]))
        seconds = float(meta["seconds"])
        rows = meta["hits"]
        if not (0 < seconds <= MAX_SECONDS and isinstance(rows, list)):
            raise ValueError(f"seconds {seconds}, hits {type(rows).__name__}")
        unknown = {str(row[1]) for row in rows} - set(CLASS_INDEX)
        if unknown:
            raise BadSample("unknown class", ", ".join(sorted(unknown)[:3]))
        hits = tuple(sorted(Hit(float(row[0]), CLASS_INDEX[row[1]], int(row[2])) for row in rows))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError) as error:
        raise BadSample("json malformed", str(error)) from None
    return ClipLabels(hits, seconds, meta)


def audio_of(members: Mapping[str, Any], suffix: str, start: int, length: int) -> np.ndarray:
    """Mono float32 [length] from sample `start` on, padded with silence.

    Raises:
        BadSample: missing, unreadable, another sample rate, or not finite.
    """
    if suffix not in members:
        raise BadSample(f"{suffix} missing")
    content = read_member(members[suffix])
    audio = np.zeros(length, np.float32)
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            if file.samplerate != SAMPLE_RATE:
                raise BadSample("wrong sample rate", f"{file.samplerate}")
            wanted = min(length, file.frames - start)
            if wanted > 0:
                file.seek(start)
                read = file.read(wanted, dtype="float32", always_2d=True).mean(axis=1)
                # libsndfile returns the decodable part of a damaged stream without an error.
                if len(read) != wanted:
                    raise BadSample(f"{suffix} corrupt", f"{len(read)} of {wanted} samples")
                audio[:wanted] = read
    except (soundfile.SoundFileError, RuntimeError, ValueError, OSError) as error:
        raise BadSample(f"{suffix} corrupt", str(error)) from None
    if not np.isfinite(audio).all():
        raise BadSample("audio not finite")
    return audio
