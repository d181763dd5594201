"""Any audio in: mono 44.1 kHz at one loudness, in segments that lie end to end."""

from __future__ import annotations

import itertools
import re
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mt3drum.audio import recording as module
from mt3drum.audio.headers import find_samples
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


@pytest.mark.parametrize(("before", "margin"), [(0, 0), (50, 50), (100, 100), (270, 50), (0, 50)])
@pytest.mark.parametrize("samples", [1, HOP, 131_999, 132_301, 400 * HOP, 1_000_000])
def test_segments_lie_end_to_end(samples: int, before: int, margin: int) -> None:
    """Every sample lies in the middle of exactly one segment, where it was in the recording."""
    signal = np.random.default_rng(0).uniform(0.1, 1.0, samples).astype(np.float32)
    recording = open_array(signal)
    stride = CODEC.segment_steps - before - margin
    joined = np.zeros(0, dtype=np.float32)
    for index, segment in enumerate(segments(recording, CODEC, margin, before)):
        assert segment.start == index * stride - before and segment.first == before
        assert segment.audio.shape == (CODEC.segment_steps * HOP,) and segment.audio.dtype == np.float32
        joined = np.concatenate((joined, segment.audio[before * HOP : (before + stride) * HOP]))
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
        for _block in range(seconds // 10):
            yield block

    monkeypatch.setattr(module, "BUFFER_SECONDS", 60)
    monkeypatch.setattr(module, "mono", stream)
    tracemalloc.start()
    recording = open_array(np.zeros(1))
    assert recording.samples == seconds * SAMPLE_RATE and recording.gain == pytest.approx(2.0)
    for segment in itertools.islice(segments(recording, CODEC, 50), 50):
        assert segment.audio.any()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(passes) == 2 and peak < 40e6


# Channels that cancel


def bursts(seconds: float, *times: float) -> np.ndarray:
    """Noise of 5 ms at each time."""
    sound = np.zeros(int(seconds * SAMPLE_RATE), np.float32)
    for time in times:
        at = round(time * SAMPLE_RATE)
        sound[at : at + 220] = np.random.default_rng(round(100 * time)).uniform(-0.5, 0.5, 220)
    return sound


HITS = bursts(6.0, *np.arange(0.5, 6.0, 0.25).tolist())
OTHER = 0.4 * np.roll(bursts(6.0, *np.arange(0.5, 6.0, 0.25).tolist()), 5_000)


@pytest.mark.parametrize(
    ("channels", "used"),
    [
        ((HITS, -HITS), 0),
        ((HITS, -0.9 * HITS), 0),
        ((0.7 * HITS, -HITS), 1),
        ((0.1 * OTHER, HITS, -HITS, 0.1 * OTHER), 1),
        ((HITS, np.where(np.arange(len(HITS)) < 3 * SAMPLE_RATE, -HITS, HITS)), 0),  # half of the recording
    ],
)
def test_channels_that_cancel_leave_the_loudest(channels: tuple[np.ndarray, ...], used: int) -> None:
    recording = open_array(np.stack(channels, axis=1))
    assert recording.warnings == (
        f"audio array: its channels cancel one another (opposite phase); channel {used + 1} of "
        f"{len(channels)} was used alone",
    )
    np.testing.assert_array_equal(heard(recording), np.float32(channels[used]))


@pytest.mark.parametrize(
    "channels",
    [
        (HITS, HITS),
        (HITS, OTHER),
        (HITS, 0 * HITS),
        (HITS, *[0 * HITS] * 7),
        (HITS + OTHER, HITS - OTHER),
        (HITS, np.roll(HITS, 20)),
        (HITS, np.where(np.arange(len(HITS)) < SAMPLE_RATE // 5, -HITS, HITS)),  # before the first stroke
    ],
)
def test_other_channels_are_averaged_without_a_word(channels: tuple[np.ndarray, ...]) -> None:
    recording = open_array(np.stack(channels, axis=1))
    assert recording.warnings == ()
    np.testing.assert_allclose(heard(recording), np.mean(channels, axis=0), atol=1e-6)


def test_a_long_recording_whose_channels_cancel_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUFFER_SECONDS", 2)
    recording = open_array(np.stack((HITS, -HITS), axis=1))
    for _ in range(2):
        np.testing.assert_array_equal(heard(recording), HITS)


# Headers that are wrong, and ends that are missing

UNFINISHED = {
    "wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "wavex": ("WAVEX", "PCM_24"),
    "rf64": ("RF64", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "au": ("AU", "PCM_16"),
}


@pytest.mark.parametrize("kind", UNFINISHED)
def test_a_header_that_promises_nothing(tmp_path: Path, kind: str) -> None:
    """The recorder died before it wrote the size."""
    path = tmp_path / f"a.{kind}"
    soundfile.write(path, HITS, SAMPLE_RATE, format=UNFINISHED[kind][0], subtype=UNFINISHED[kind][1])
    whole = heard(open_file(path))
    samples = find_samples(path)
    assert samples is not None and samples.promised == samples.held
    data = bytearray(path.read_bytes())
    data[samples.field : samples.field + samples.width] = bytes(samples.width)
    path.write_bytes(data)
    recording = open_file(path)
    assert recording.warnings == (
        f"{path}: never finished by its recorder (its header promises no sound); all 6.0 s were used",
    )
    np.testing.assert_array_equal(heard(recording), whole)


def test_a_header_that_promises_less(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, HITS, SAMPLE_RATE)
    data = bytearray(path.read_bytes())
    data[40:44] = (2 * SAMPLE_RATE).to_bytes(4, "little")
    path.write_bytes(data)
    recording = open_file(path)
    assert recording.samples == len(HITS) and "never finished" in recording.warnings[0]


def test_an_empty_chunk_before_others_is_empty(tmp_path: Path) -> None:
    """What follows is a chunk, not sound."""
    soundfile.write(tmp_path / "a.wav", np.zeros(0), SAMPLE_RATE)
    data = (tmp_path / "a.wav").read_bytes() + b"LIST\x04\0\0\0INFO"
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(AudioError, match="no audio in it"):
        open_file(tmp_path / "a.wav")


CUT = {**UNFINISHED, "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"), "mp3": ("MP3", "MPEG_LAYER_III")}


@pytest.mark.parametrize("kind", CUT)
def test_half_a_file_is_used_with_a_warning(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 8 * SAMPLE_RATE)
    soundfile.write(path, sound, SAMPLE_RATE, format=CUT[kind][0], subtype=CUT[kind][1])
    assert open_file(path).warnings == ()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    recording = open_file(path)
    assert 3 < recording.seconds < 5
    (warning,) = recording.warnings
    assert re.match(f"{path}: (cut off|damaged)", warning) and "used" in warning


def test_sound_is_used_up_to_a_few_frames_before_damage(tmp_path: Path) -> None:
    """Large blocks are read, and the one that holds the damage again in small ones."""
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 4 * SAMPLE_RATE).astype(np.float32)
    soundfile.write(tmp_path / "a.flac", sound, SAMPLE_RATE, subtype="PCM_16")
    data = bytearray((tmp_path / "a.flac").read_bytes())
    at = len(data) * 5 // 8  # in the middle of the third block of 65,536 frames
    data[at : at + 1000] = bytes(1000)
    (tmp_path / "a.flac").write_bytes(data)
    recording = open_file(tmp_path / "a.flac")
    assert 2.4 < recording.seconds <= 2.5
    heard = np.concatenate(list(recording.blocks()))
    np.testing.assert_allclose(heard, sound[: len(heard)], atol=1e-4)


def test_sizes_that_programs_write_who_do_not_know_them(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, HITS, SAMPLE_RATE)
    for size in (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000):
        data = bytearray(path.read_bytes())
        data[40:44] = size.to_bytes(4, "little")
        path.write_bytes(data)
        recording = open_file(path)
        assert recording.samples == len(HITS) and recording.warnings == ()


def test_finite_numbers_are_not_called_other(tmp_path: Path) -> None:
    signal = np.full(1000, 0.25)
    signal[[3, 500]] = 1e30, -1e300
    signal[7] = np.nan
    soundfile.write(tmp_path / "a.wav", signal, SAMPLE_RATE, subtype="DOUBLE")
    assert open_file(tmp_path / "a.wav").warnings == (
        f"{tmp_path / 'a.wav'}: 1 samples were not finite numbers and were taken as silence",
        f"{tmp_path / 'a.wav'}: 2 samples were over 1e+12 (full scale is 1) and were taken as silence",
    )


def test_what_libmpg123_thinks_stays_inside(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A comment without a text, and two frames of junk: both are told to file descriptor 2."""
    path = tmp_path / "a.mp3"
    soundfile.write(
        path, np.random.default_rng(0).uniform(-0.5, 0.5, 2 * SAMPLE_RATE), SAMPLE_RATE, format="MP3"
    )
    data = path.read_bytes()
    comment = b"COMM" + (8).to_bytes(4, "big") + b"\0\0" + b"\3engabcd"
    tag = b"ID3\3\0\0" + len(comment).to_bytes(4, "big") + comment
    path.write_bytes(tag + data[:5000] + bytes(900) + data[5900:])
    with soundfile.SoundFile(path) as file:
        file.read()
    assert "mpg123" in capfd.readouterr().err
    assert open_file(path).seconds > 1
    print("still heard", file=sys.stderr)
    assert capfd.readouterr().err == "still heard\n"


@pytest.mark.parametrize(
    ("rate", "warned"), [(8_000, True), (11_025, True), (22_050, False), (44_100, False)]
)
def test_low_rates_are_told(rate: int, warned: bool) -> None:
    recording = open_array(click(rate), rate)
    expected = f"audio array: sampled at {rate} Hz: nothing above {rate / 2000:.3g} kHz can be heard"
    assert [warning.startswith(expected) for warning in recording.warnings] == [True] * warned
