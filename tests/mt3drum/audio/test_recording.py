"""Any audio in: mono 44.1 kHz at one loudness, in segments that lie end to end."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mt3drum.audio import recording as module
from mt3drum.audio.recording import AudioError, AudioSource, open_array, open_file, segments
from mt3drum.config import HOP, SAMPLE_RATE
from tokenizer.codec import Codec

CODEC = Codec()


def heard(recording: AudioSource) -> np.ndarray:
    return np.concatenate(list(recording.blocks()))


def click(rate: int, at: float = 0.5, seconds: float = 1.0) -> np.ndarray:
    """A short band-limited pulse, the same moment at any rate."""
    time = np.arange(int(seconds * rate)) / rate - at
    return 0.5 * np.sinc(1000 * time) * np.exp(-((300 * time) ** 2))


@pytest.mark.parametrize("rate", [4_000, 8_000, 22_050, 44_100, 48_000, 96_000, 192_000, 384_000])
def test_any_rate_keeps_time(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", click(rate), rate, subtype="FLOAT")
    recording = open_file(tmp_path / "a.wav")
    signal = heard(recording)
    assert abs(len(signal) - SAMPLE_RATE) <= 2 and recording.samples == len(signal)
    assert abs(int(signal.argmax()) - SAMPLE_RATE // 2) <= 1


@pytest.mark.parametrize(
    ("name", "subtype", "error"),
    [
        ("a.wav", "PCM_U8", 0.01),
        ("a.wav", "PCM_16", 1e-4),
        ("a.wav", "PCM_24", 1e-6),
        ("a.wav", "PCM_32", 1e-6),
        ("a.wav", "FLOAT", 1e-6),
        ("a.wav", "DOUBLE", 1e-6),
        ("a.flac", "PCM_24", 1e-6),
        ("a.aiff", "PCM_16", 1e-4),
        ("a.ogg", "VORBIS", 0.05),
        ("a.mp3", "MPEG_LAYER_III", 0.05),
    ],
)
def test_any_format(tmp_path: Path, name: str, subtype: str, error: float) -> None:
    tone = 0.4 * np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    soundfile.write(tmp_path / name, tone, SAMPLE_RATE, subtype=subtype)
    signal = heard(open_file(tmp_path / name))
    middle = slice(SAMPLE_RATE // 4, SAMPLE_RATE // 2)
    assert np.abs(signal[middle] - tone[middle]).max() < error


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.flac"])
def test_blocks_are_what_the_whole_is(tmp_path: Path, name: str) -> None:
    signal = np.zeros(3 * SAMPLE_RATE)
    signal[20_000:20_040], signal[90_000:90_040] = np.hanning(40), np.hanning(40)
    soundfile.write(tmp_path / name, signal, SAMPLE_RATE)
    whole = soundfile.read(tmp_path / name, dtype="float32")[0]
    np.testing.assert_array_equal(heard(open_file(tmp_path / name)), whole)


@pytest.mark.parametrize("channels", [1, 2, 6, 32])
def test_channels_are_averaged(tmp_path: Path, channels: int) -> None:
    frames = np.random.default_rng(0).uniform(-0.5, 0.5, (3000, channels))
    soundfile.write(tmp_path / "a.wav", frames, SAMPLE_RATE, subtype="FLOAT")
    np.testing.assert_allclose(heard(open_file(tmp_path / "a.wav")), frames.mean(1), atol=1e-6)


def test_too_many_channels(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((10, 33)), SAMPLE_RATE)
    with pytest.raises(AudioError, match="a.wav: 33 channels, at most 32"):
        open_file(tmp_path / "a.wav")


@pytest.mark.parametrize("rate", [3_999, 500_000])
def test_rate_out_of_range(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(10), rate)
    with pytest.raises(AudioError, match=f"a.wav: sample rate {rate} Hz is outside"):
        open_file(tmp_path / "a.wav")


def test_numbers_that_are_none_become_silence_and_are_told(tmp_path: Path) -> None:
    signal = np.full(1000, 0.25, dtype=np.float32)
    signal[[3, 500, 999]] = np.nan, np.inf, -np.inf
    soundfile.write(tmp_path / "a.wav", signal, SAMPLE_RATE, subtype="FLOAT")
    recording = open_file(tmp_path / "a.wav")
    assert recording.warnings == (
        f"{tmp_path / 'a.wav'}: 3 samples were not finite numbers and were taken as silence",
    )
    got = heard(recording)
    assert np.isfinite(got).all() and got[3] == 0.0 and got[4] == 0.25
    assert recording.gain == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        (b"", "the file is empty"),
        (b"these are not sounds" * 100, "not audio that libsndfile reads"),
        (b"RIFF\xff\xff\xff\xffWAVEfmt ", "not audio that libsndfile reads"),
    ],
)
def test_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, reason: str
) -> None:
    monkeypatch.setenv("PATH", "")  # no ffmpeg
    for name in ("a.wav", "a.raw", "ä b.mp3"):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(AudioError, match=f"{name}: {reason}"):
            open_file(tmp_path / name)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no such file"):
        open_file(tmp_path)


def test_header_without_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), SAMPLE_RATE)
    with pytest.raises(AudioError, match="a.wav: no audio in it"):
        open_file(tmp_path / "a.wav")


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_cut_off_at_any_byte(tmp_path: Path, suffix: str) -> None:
    """What can be read, or one clear error."""
    whole = tmp_path / f"whole.{suffix}"
    rng = np.random.default_rng(1)
    soundfile.write(whole, rng.uniform(-0.5, 0.5, 60_000), SAMPLE_RATE)
    data = whole.read_bytes()
    outcomes = set()
    for length in rng.integers(1, len(data), 12):
        path = tmp_path / f"cut.{suffix}"
        path.write_bytes(data[:length])
        try:
            recording = open_file(path)
            assert 0 < recording.samples <= 62_500 and np.isfinite(heard(recording)).all()
            outcomes.add("read")
        except AudioError as error:
            assert str(path) in str(error)
    assert "read" in outcomes


def test_wrong_extension_and_a_length_that_lies(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(5000, 0.1), SAMPLE_RATE)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    (tmp_path / "b.mp3").write_bytes(data)
    assert open_file(tmp_path / "b.mp3").samples == 5000
    data[40:44] = (2**31).to_bytes(4, "little")  # the data chunk says two gigabytes
    (tmp_path / "c.wav").write_bytes(data)
    assert open_file(tmp_path / "c.wav").samples == 5000


def test_array_equals_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for rate, frames in ((SAMPLE_RATE, 100_000), (22_050, 70_001)):
        signal = rng.normal(0, 0.1, (frames, 2)).astype(np.float32)
        soundfile.write(tmp_path / "a.wav", signal, rate, subtype="FLOAT")
        file, array = open_file(tmp_path / "a.wav"), open_array(signal, rate)
        assert file.gain == array.gain and file.samples == array.samples
        np.testing.assert_array_equal(heard(file), heard(array))


@pytest.mark.parametrize("array", [np.zeros((1, 2, 3)), np.zeros(5, dtype=np.int16), np.zeros(0)])
def test_arrays_that_are_no_audio(array: np.ndarray) -> None:
    with pytest.raises(AudioError, match="audio array"):
        open_array(array)


def test_loudness_is_robust_and_silence_is_left_alone() -> None:
    rng = np.random.default_rng(0)
    signal = np.tile(rng.uniform(-0.01, 0.01, SAMPLE_RATE).astype(np.float32), 200)
    gain = open_array(signal).gain
    assert gain == pytest.approx(50.0, rel=0.01)
    signal[12345] = 1.0  # one click in 200 seconds
    assert open_array(signal).gain == pytest.approx(gain, rel=0.01)
    assert open_array(np.zeros(1000)).gain == 0.0
    assert open_array(np.full(1000, 1e-6)).gain == 0.0
    assert open_array(np.full(1000, 1e5)).gain == pytest.approx(0.5e-5)


@pytest.mark.parametrize("margin", [0, 50, 100])
@pytest.mark.parametrize("samples", [1, HOP, 131_999, 132_301, 400 * HOP, 1_000_000])
def test_segments_lie_end_to_end(samples: int, margin: int) -> None:
    """Every sample lies in the middle of exactly one segment, where it was in the recording."""
    signal = np.random.default_rng(0).uniform(0.1, 1.0, samples).astype(np.float32)
    recording = open_array(signal)
    stride = CODEC.segment_steps - 2 * margin
    joined = np.zeros(0, dtype=np.float32)
    for index, segment in enumerate(segments(recording, CODEC, margin)):
        assert segment.start == index * stride - margin
        assert segment.audio.shape == (CODEC.segment_steps * HOP,) and segment.audio.dtype == np.float32
        joined = np.concatenate((joined, segment.audio[margin * HOP : (margin + stride) * HOP]))
        start = segment.start * HOP
        expected = np.zeros_like(segment.audio)
        low, high = max(0, start), min(samples, start + len(expected))
        expected[low - start : high - start] = signal[low:high] * np.float32(recording.gain)
        np.testing.assert_array_equal(segment.audio, expected)
    np.testing.assert_array_equal(joined[:samples], signal * np.float32(recording.gain))
    assert not joined[samples:].any() and len(joined) - samples < stride * HOP


def test_silence_has_no_segments_and_damage_is_clipped() -> None:
    assert list(segments(open_array(np.zeros(100_000)), CODEC, 50)) == []
    signal = np.full(100 * SAMPLE_RATE, 0.1, dtype=np.float32)
    signal[5] = 1e9
    first = next(segments(open_array(signal), CODEC, 50))
    assert first.audio.max() == module.CLIP


def test_long_recordings_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hours from a generator: two passes, a few megabytes."""
    seconds = 3 * 3600
    passes: list[int] = []

    def stream(*given: object) -> Iterator[np.ndarray]:
        passes.append(1)
        block = np.full(10 * SAMPLE_RATE, 0.25, dtype=np.float32)
        for _ in range(seconds // 10):
            yield block

    monkeypatch.setattr(module, "BUFFER_SECONDS", 60)
    monkeypatch.setattr(module, "_mono", stream)
    tracemalloc.start()
    recording = open_array(np.zeros(1))
    assert recording.samples == seconds * SAMPLE_RATE and recording.gain == pytest.approx(2.0)
    for segment in itertools.islice(segments(recording, CODEC, 50), 50):
        assert segment.audio.any()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(passes) == 2 and peak < 40e6
