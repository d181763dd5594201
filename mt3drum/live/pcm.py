"""Uncompressed sound from a pipe: WAV, whose header need not know the length, or raw PCM."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mt3drum.audio.limits import AudioError, check

MAX_HEADER_BYTES = 16 << 20
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE  # wFormatTag (RIFF, "WAVE form wFormatTag IDs", RFC 2361)
_OF_TAG = {
    (_PCM, 8): "u8",
    (_PCM, 16): "s16le",
    (_PCM, 24): "s24le",
    (_PCM, 32): "s32le",
    (_FLOAT, 32): "f32le",
    (_FLOAT, 64): "f64le",
}
_ENDLESS = 0x7FFF_0000  # bytes: programs that write to a pipe give such a size or 0 (ffmpeg, sox)
REMEDY = "convert it on the way: ffmpeg -i INPUT -f wav - | mt3drum listen -"


@dataclass(frozen=True)
class Pcm:
    """How samples lie in a stream of bytes.

    Raises:
        AudioError: the rate or the number of channels is out of range.
    """

    encoding: str
    rate: int
    channels: int

    def __post_init__(self) -> None:
        check(self.rate, self.channels, "standard input")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        bits = 8 if self.encoding == "u8" else int(self.encoding[1:3])
        return bits // 8 * self.channels

    def decode(self, data: bytes) -> np.ndarray:
        """Whole frames -> float32 [n channels], full scale 1."""
        if self.encoding == "u8":
            values = (np.frombuffer(data, np.uint8).astype(np.float32) - 128.0) / 128.0
        elif self.encoding == "s24le":
            padded = np.zeros((len(data) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            values = padded.view("<i4")[:, 0] / np.float32(2**31)
        elif self.encoding[0] == "s":
            bits = int(self.encoding[1:3])
            values = np.frombuffer(data, f"<i{bits // 8}") / np.float32(2 ** (bits - 1))
        else:
            values = np.frombuffer(data, f"<f{self.frame_bytes // self.channels}")
        return values.astype(np.float32).reshape(-1, self.channels)


def read_header(read: Callable[[int], bytes]) -> tuple[Pcm, int | None]:
    """Read a WAV header up to its first sample.

    Args:
        read: returns as many bytes as asked for, fewer only at the end of the stream.

    Returns:
        How its samples lie, and how many bytes there are (None: up to the end of the stream).

    Raises:
        AudioError: this is no WAV, or one of a kind that is not read.
    """
    head = read(12)
    if not head:
        raise AudioError("standard input: no audio in it")
    if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
        raise AudioError(
            f"standard input: no WAV; {REMEDY}, or describe raw PCM: --raw s16le --rate 44100 --channels 2"
        )
    found: Pcm | None = None
    skipped = 0
    while True:
        name, size = struct.unpack("<4sI", _whole(read, 8))
        if name == b"data":
            if found is None:
                raise AudioError("standard input: a WAV whose samples come before their format")
            return found, None if size == 0 or size >= _ENDLESS else size
        skipped += size + size % 2
        if skipped > MAX_HEADER_BYTES:
            raise AudioError(f"standard input: a WAV header of over {MAX_HEADER_BYTES >> 20} MiB; {REMEDY}")
        content = _whole(read, size + size % 2)
        if name == b"fmt ":
            found = _format(content)


def _whole(read: Callable[[int], bytes], size: int) -> bytes:
    data = read(size)
    if len(data) < size:
        raise AudioError("standard input: ends within the WAV header")
    return data


def _format(content: bytes) -> Pcm:
    if len(content) < 16:
        raise AudioError("standard input: a damaged WAV header")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
    if tag == _EXTENSIBLE and len(content) >= 26:
        (tag,) = struct.unpack("<H", content[24:26])
    encoding = _OF_TAG.get((tag, bits))
    if encoding is None:
        raise AudioError(f"standard input: WAV of format {tag:#06x} with {bits} bits is not read; {REMEDY}")
    return Pcm(encoding, rate, channels)
