"""WAV and raw PCM from a stream that cannot be rewound."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from mt3drum.audio.recording import AudioError
from mt3drum.live.encodings import ENCODINGS
from mt3drum.live.pcm import MAX_HEADER_BYTES, Pcm, read_header

SUBTYPES = {"PCM_U8": 1 / 128, "PCM_16": 1e-4, "PCM_24": 1e-6, "PCM_32": 1e-6, "FLOAT": 1e-6, "DOUBLE": 1e-6}


@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("subtype", SUBTYPES)
def test_wav_of_every_encoding(kind: str, subtype: str) -> None:
    sound = np.random.default_rng(0).uniform(-1, 1, (100, 2)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, sound, 48_000, subtype, format=kind)
    stream = io.BytesIO(file.getvalue())
    pcm, size = read_header(stream.read)
    assert (pcm.rate, pcm.channels) == (48_000, 2)
    data = stream.read(size if size is not None else -1)[: 100 * pcm.frame_bytes]
    assert pcm.decode(data) == pytest.approx(sound, abs=SUBTYPES[subtype])
    assert pcm.decode(data).dtype == np.float32


def test_raw_encodings_have_their_size() -> None:
    assert [Pcm(name, 44_100, 2).frame_bytes for name in ENCODINGS] == [4, 6, 8, 8, 16, 2]


def wav(*chunks: tuple[bytes, int, bytes]) -> io.BytesIO:
    body = b"".join(name + struct.pack("<I", size) + content for name, size, content in chunks)
    return io.BytesIO(b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + body)


FORMAT = (b"fmt ", 16, struct.pack("<HHIIHH", 1, 1, 44_100, 88_200, 2, 16))


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_of_unknown_length_goes_on_to_the_end(size: int) -> None:
    note = (b"LIST", 3, b"abc\0")  # odd sizes are padded
    assert read_header(wav(note, FORMAT, (b"data", size, b"")).read) == (Pcm("s16le", 44_100, 1), None)


def test_the_length_that_a_wav_gives_is_heeded() -> None:
    assert read_header(wav(FORMAT, (b"data", 10, b"")).read)[1] == 10


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (io.BytesIO(b""), "no audio"),
        (io.BytesIO(b"ID3" + bytes(100)), "no WAV; convert it.*ffmpeg.*--raw"),
        (wav(), "ends within the WAV header"),
        (wav((b"fmt ", 16, b"abc")), "ends within the WAV header"),
        (wav((b"fmt ", 4, b"abcd")), "damaged"),
        (wav((b"data", 4, b"abcd")), "before their format"),
        (wav((b"junk", MAX_HEADER_BYTES + 1, b"")), "header of over 16 MiB"),
        (wav((b"fmt ", 16, struct.pack("<HHIIHH", 0x55, 1, 44_100, 0, 0, 0))), "0x0055.*ffmpeg"),
        (wav((b"fmt ", 16, struct.pack("<HHIIHH", 1, 1, 100, 0, 2, 16))), "sample rate 100 Hz"),
        (wav((b"fmt ", 16, struct.pack("<HHIIHH", 1, 99, 44_100, 0, 2, 16))), "99 channels"),
    ],
)
def test_what_is_no_wav_is_refused_in_one_line(stream: io.BytesIO, message: str) -> None:
    with pytest.raises(AudioError, match=message) as refused:
        read_header(stream.read)
    assert "\n" not in str(refused.value)
