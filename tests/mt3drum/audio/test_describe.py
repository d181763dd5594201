"""What a file is said to hold, against what was put into it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mt3drum.audio import ffmpeg
from mt3drum.audio.describe import describe
from mt3drum.audio.recording import AudioError
from tests.mt3drum.audio.test_ffmpeg import make


def tone(path: Path, seconds: float, rate: int, channels: int, level: float = 0.5) -> Path:
    sound = level * np.sin(np.arange(round(seconds * rate)) / 20)
    soundfile.write(path, np.repeat(sound[:, None], channels, 1), rate)
    return path


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_recording(tmp_path: Path, suffix: str) -> None:
    found = describe(tone(tmp_path / f"a.{suffix}", 2.5, 48_000, 2))
    assert found.seconds == pytest.approx(2.5, abs=0.06)  # encoders pad
    assert (found.stream.rate, found.stream.channels, found.silent) == (48_000, 2, False)
    assert len(found.streams) == 1 and suffix[:2].upper() in found.kind.upper() and found.warnings == ()


def test_length_is_counted_and_not_believed(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.wav", 2.0, 44_100, 1)
    path.write_bytes(path.read_bytes()[: 44 + 44_100 * 2])
    found = describe(path)
    assert found.seconds == pytest.approx(1.0) and "cut off" in found.warnings[0]
    assert describe(tone(tmp_path / "b.wav", 1.0, 44_100, 1, level=0.0)).silent


@pytest.mark.skipif(ffmpeg.programs() is None, reason="ffmpeg or ffprobe is not installed")
def test_the_streams_of_a_film(tmp_path: Path) -> None:
    one, two = tone(tmp_path / "1.wav", 2, 48_000, 2), tone(tmp_path / "2.wav", 2, 48_000, 1)
    film = tmp_path / "film.mkv"
    make(
        *("-i", one, "-i", two, "-map", "0", "-map", "1", "-c:a:0", "aac", "-c:a:1", "ac3"),
        *("-metadata:s:a:0", "language=deu", "-disposition:a:0", "0", "-disposition:a:1", "default", film),
    )
    found = describe(film)
    assert "Matroska" in found.kind and found.seconds == pytest.approx(2, abs=0.1)
    assert [stream[:5] for stream in found.streams] == [
        (1, "aac", 48_000, 2, "deu"),
        (2, "ac3", 48_000, 1, ""),
    ]
    assert [stream.used for stream in found.streams] == [False, True] and found.stream.channels == 1


def test_what_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(AudioError, match=r"a\.wav"):
        describe(tmp_path / "a.wav")
