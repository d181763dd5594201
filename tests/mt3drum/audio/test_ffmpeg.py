"""What ffmpeg reads: which stream, on which clock, what is said of it. Files are made here with ffmpeg."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mt3drum.audio import ffmpeg as module
from mt3drum.audio.recording import AudioError, AudioSource, open_file
from mt3drum.config import SAMPLE_RATE

needs_ffmpeg = pytest.mark.skipif(module.programs() is None, reason="ffmpeg or ffprobe is not installed")
PICTURE = ("-f", "lavfi", "-i", "color=black:size=32x32:rate=10:duration=4")


def clicks(path: Path, *times: float, rate: int = SAMPLE_RATE, level: float = 0.8, channels: int = 1) -> Path:
    """Bursts of 5 ms, 3 s in all."""
    sound = np.zeros((3 * rate, channels), np.float32)
    for time in times:
        noise = np.random.default_rng(0).uniform(-level, level, (rate // 200, 1))
        sound[round(time * rate) : round(time * rate) + rate // 200] = noise
    soundfile.write(path, sound, rate)
    return path


def make(*arguments: object) -> None:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=60)


def first_sound(recording: AudioSource) -> float:
    sound = np.concatenate(list(recording.blocks()))
    return float(np.flatnonzero(np.abs(sound) > 0.1)[0]) / SAMPLE_RATE


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "webm", "m4a"])
def test_time_is_the_files(tmp_path: Path, suffix: str) -> None:
    """Where there is a picture the sound starts 1.5 s after it."""
    sound, film = clicks(tmp_path / "a.wav", 0.5), tmp_path / f"a.{suffix}"
    alone = suffix == "m4a"
    video = "libvpx" if suffix == "webm" else "mpeg4"
    codec = ("-ac", "1", "-c:a", "libopus" if suffix == "webm" else "aac")
    if alone:
        make("-i", sound, *codec, film)
    else:
        make(
            *PICTURE,
            "-itsoffset",
            "1.5",
            "-i",
            sound,
            "-map",
            "0:v",
            "-map",
            "1:a",
            "-c:v",
            video,
            *codec,
            film,
        )
    recording = open_file(film)
    assert first_sound(recording) == pytest.approx(0.5 if alone else 2.0, abs=0.03)
    assert recording.warnings == ()


@needs_ffmpeg
def test_decoded_as_ffmpeg_does_alone(tmp_path: Path) -> None:
    """Nothing is stretched or left out to keep the clock."""
    make("-f", "lavfi", "-i", "anoisesrc=d=20:a=0.3:r=44100:seed=1", "-c:a", "aac", tmp_path / "a.mkv")
    make("-i", tmp_path / "a.mkv", "-c:a", "pcm_f32le", tmp_path / "a.wav")
    plain = soundfile.read(tmp_path / "a.wav", dtype="float32")[0]
    got = np.concatenate(list(open_file(tmp_path / "a.mkv").blocks()))
    np.testing.assert_allclose(got[: len(plain)], plain, atol=1e-6)
    assert abs(len(got) - len(plain)) < 100


def two_streams(path: Path, first: Path, second: Path, default: int | None) -> Path:
    flags = []
    for number in range(2):
        flags += [f"-disposition:a:{number}", "default" if number == default else "0"]
    make("-i", first, "-i", second, "-map", "0:a", "-map", "1:a", *flags, "-c:a", "flac", path)
    return path


@needs_ffmpeg
@pytest.mark.parametrize(
    ("levels", "default", "number", "why"),
    [
        ((0.0, 0.5), 0, 2, "the loudest; the default one is silent"),
        ((0.5, 0.0), 1, 1, "the loudest; the default one is silent"),
        ((0.8, 0.2), 1, 2, "the default"),
        ((0.2, 0.8), 0, 1, "the default"),
        ((0.2, 0.8), None, 2, "the loudest"),
    ],
)
def test_which_stream(
    tmp_path: Path, levels: tuple[float, float], default: int | None, number: int, why: str
) -> None:
    sounds = [clicks(tmp_path / f"{at}.wav", 0.5 * at + 0.5, level=level) for at, level in enumerate(levels)]
    film = two_streams(tmp_path / "a.mkv", sounds[0], sounds[1], default)
    recording = open_file(film)
    assert recording.warnings == (f"{film}: of 2 audio streams number {number} was used ({why})",)
    assert first_sound(recording) == pytest.approx(0.5 * number, abs=0.001)


@needs_ffmpeg
def test_no_audio_is_said(tmp_path: Path) -> None:
    make(*PICTURE, "-c:v", "mpeg4", tmp_path / "a.mp4")
    with pytest.raises(AudioError, match=r"a\.mp4: no audio in it, only video$"):
        open_file(tmp_path / "a.mp4")


@needs_ffmpeg
def test_channels_that_cancel_and_rates_that_are_low_are_told_here_too(tmp_path: Path) -> None:
    sound = clicks(tmp_path / "a.wav", 0.5, 1.0, channels=2)
    make("-i", sound, "-af", "pan=stereo|c0=c0|c1=-1*c1", "-c:a", "aac", tmp_path / "a.m4a")
    recording = open_file(tmp_path / "a.m4a")
    assert len(recording.warnings) == 1 and "cancel one another" in recording.warnings[0]
    assert first_sound(recording) == pytest.approx(0.5, abs=0.03)
    make("-i", sound, "-ac", "1", "-ar", "8000", "-c:a", "aac", tmp_path / "b.m4a")
    assert "nothing above 4 kHz" in open_file(tmp_path / "b.m4a").warnings[0]


@needs_ffmpeg
def test_half_a_file_is_used_with_a_warning(tmp_path: Path) -> None:
    make(
        "-f",
        "lavfi",
        "-i",
        "anoisesrc=d=20:a=0.3:seed=1",
        "-c:a",
        "aac",
        "-movflags",
        "faststart",
        tmp_path / "a.m4a",
    )
    data = (tmp_path / "a.m4a").read_bytes()
    (tmp_path / "a.m4a").write_bytes(data[: len(data) // 2])
    recording = open_file(tmp_path / "a.m4a")
    assert 8 < recording.seconds < 12
    assert len(recording.warnings) == 1 and "a.m4a: " in recording.warnings[0]


def fake(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


PROBED = '{"streams": [{"index": 1, "codec_type": "audio", "codec_name": "aac"}], "format": {}}'


def test_how_they_are_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    song = tmp_path / "my song; rm -rf $HOME.m4a"
    song.write_bytes(b"\0\0\0\x18ftypM4A nothing libsndfile knows")
    header = b".snd" + b"".join(n.to_bytes(4, "big") for n in (24, 0xFFFFFFFF, 6, SAMPLE_RATE, 1))
    (tmp_path / "decoded").write_bytes(header + np.full(70_000, 0.5, dtype=">f4").tobytes())
    fake(tmp_path, "ffprobe", f"echo '{PROBED}'")
    fake(tmp_path, "ffmpeg", f'echo "$@" > "{tmp_path}/args"; cat "{tmp_path}/decoded"')
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    recording = open_file(song)
    sound = np.concatenate(list(recording.blocks()))
    assert recording.samples == 70_000 and (sound == 0.5).all() and recording.warnings == ()
    told = (tmp_path / "args").read_text()
    assert f"-i file:{song}" in told and "-protocol_whitelist file" in told and "-map 0:1" in told

    fake(tmp_path, "ffmpeg", f'cat "{tmp_path}/decoded"; echo "[aac @ 0x55] bad packet" >&2; exit 1')
    (warning,) = open_file(song).warnings
    assert warning.endswith("damaged in places; what ffmpeg could decode was used (ffmpeg: bad packet)")
    fake(tmp_path, "ffprobe", "exit 1")
    with pytest.raises(AudioError, match="neither libsndfile nor ffmpeg reads it"):
        open_file(song)


def test_one_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    song = tmp_path / "a.m4a"
    song.write_bytes(b"nothing")
    fake(tmp_path, "ffprobe", f"echo '{PROBED}'")
    fake(tmp_path, "ffmpeg", f"exec {shutil.which('sleep')} 60")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    with pytest.raises(AudioError, match="a.m4a: neither libsndfile nor ffmpeg"):
        open_file(song)
