"""Compare the size in a file's header with the file itself, and identify files that are not audio."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

Order = Literal["little", "big"]
MAX_CHUNKS = 10_000
"""Maximum number of chunks searched for the samples."""
MISSED = 65_536
"""A size that is too small is accepted unless more than this many bytes that are no chunk follow."""
_OGG_PAGE = 27 + 255 + 255 * 255  # maximum size in bytes
_W64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"

_KINDS = (
    (
        rb"PK[\x03\x05]|Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ",
        "a compressed archive; unpack it, then name the folder",
    ),
    (rb".{257}ustar", "a tar file; give it the suffix .tar"),
    (rb"MThd", "a MIDI file: notes, not sound; name a recording"),
    (rb"%PDF|\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP", "a document or a picture; name a recording"),
    (rb"\s*(<!doctype|<html|<\?xml)", "a web page or XML text; download the recording itself"),
    (rb"version https://git-lfs", "a Git LFS pointer; fetch the recording with `git lfs pull`"),
    (rb"#EXTM3U|\[playlist\]", "a playlist; name the recordings in it"),
)


def identify(path: Path) -> str | None:
    """Name the type of a file that is not readable audio, with the remedy; None if unknown."""
    with path.open("rb") as file:
        head = file.read(512)
    return next((kind for magic, kind in _KINDS if re.match(magic, head, re.IGNORECASE | re.DOTALL)), None)


class Samples(NamedTuple):
    """The chunk of a file that contains its samples."""

    start: int
    """Byte offset of the first sample."""
    promised: int
    """Size in bytes, from the header."""
    held: int
    """Bytes from `start` to the end of the file."""
    field: int
    """Byte offset of the size field in the header, ..."""
    width: int
    """... its width in bytes, ..."""
    order: Order
    """... its byte order, ..."""
    extra: int
    """... and the bytes that it counts in addition to the samples."""


def find_samples(path: Path) -> Samples | None:
    """Locate the samples of WAV (RIFF, RIFX, RF64, BW64), Wave64, AIFF, 8SVX, CAF and AU; None for other and
    damaged files."""
    with path.open("rb") as file:
        held = os.fstat(file.fileno()).st_size
        head = file.read(40)
        if head[:4] == b".snd" and len(head) >= 12:
            start = int.from_bytes(head[4:8], "big")
            return Samples(start, int.from_bytes(head[8:12], "big"), held - start, 8, 4, "big", 0)
        long = None  # RF64 stores the size in another chunk
        for name, field, width, order, start, promised in _chunks(file, head):
            if name == b"ds64":
                file.seek(start + 8)
                long = Samples(0, int.from_bytes(file.read(8), "little"), 0, start + 8, 8, "little", 0)
            if name in (b"data", b"SSND", b"BODY", _W64_DATA):
                if long is not None and promised == 0xFFFFFFFF:
                    return long._replace(start=start, held=held - start)
                extra = 24 if name == _W64_DATA else 0
                return Samples(start, max(0, promised), held - start, field, width, order, extra)
    return None


def _chunks(file: BinaryIO, head: bytes) -> Iterator[tuple[bytes, int, int, Order, int, int]]:
    """For every chunk: name, position, width and byte order of its size, start of its content, and size."""
    magic = head[:4]
    if magic in (b"RIFF", b"RF64", b"BW64", b"RIFX", b"FORM"):
        at, named, width, align = 12, 4, 4, 2
    elif magic == b"caff":
        at, named, width, align = 8, 4, 8, 1
    elif head[:16] == _W64:
        at, named, width, align = 40, 16, 8, 8
    else:
        return
    order: Order = "big" if magic in (b"RIFX", b"FORM", b"caff") else "little"
    for _ in range(MAX_CHUNKS):
        file.seek(at)
        entry = file.read(named + width)
        if len(entry) < named + width:
            return
        size = int.from_bytes(entry[named:], order)
        size -= 24 if named == 16 else 0
        start = at + named + width
        yield entry[:named], at + named, width, order, start, size
        if size < 0 or (size == 0 and align == 8):
            return
        at = -(-(start + size) // align) * align


def unknown(samples: Samples) -> bool:
    """Whether the size is a placeholder for "unknown": all bits set, or nearly 2 GiB."""
    size = samples.promised
    return size >= 0x7FFFE000 and (size < 0x80000100 or size > 0xFFFFE000) and size > samples.held


def unclosed(path: Path, samples: Samples) -> bool:
    """Whether the recorder never wrote the size: the header says no samples (or only the first ones), but
    samples follow."""
    end = samples.start + samples.promised
    rest = samples.held - samples.promised
    if rest <= (0 if samples.promised == 0 else MISSED):
        return False
    with path.open("rb") as file:
        file.seek(end + end % 2)
        entry = file.read(8)
    if re.match(rb"TAG|ID3|APETAGEX|LYRICS", entry):
        return False
    is_chunk = (
        re.fullmatch(rb"[\x20-\x7e]{4}", entry[:4]) and int.from_bytes(entry[4:], samples.order) <= rest
    )
    return not is_chunk


class Mended(io.RawIOBase):
    """A file, read with a corrected size in its header.

    Raises:
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path, samples: Samples) -> None:
        self._file = path.open("rb")
        self._field = samples.field
        size = min(samples.held + samples.extra, 256**samples.width - 1)
        self._size = size.to_bytes(samples.width, samples.order)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        at = self._file.tell()
        count = self._file.readinto(view)
        first, last = max(at, self._field), min(at + count, self._field + len(self._size))
        if first < last:
            view[first - at : last - at] = self._size[first - self._field : last - self._field]
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def ogg_is_cut(path: Path) -> bool:
    """Whether an Ogg file ends within a page, or lacks the page marked as last."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * _OGG_PAGE))
        tail = file.read()
    at = tail.rfind(b"OggS")
    page = tail[at:]
    if at < 0 or len(page) < 27 or len(page) < 27 + page[26]:
        return True
    return 27 + page[26] + sum(page[27 : 27 + page[26]]) > len(page) or not page[5] & 4
