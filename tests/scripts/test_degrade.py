"""Worse copies: named as the recordings, as bad as said, the same again from the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from scripts.degrade import CONDITIONS, main

RATE = 44_100


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    time = np.arange(2 * RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 80 * time) + 0.3 * np.sin(2 * np.pi * 1000 * time)
    for name, audio in (("a/tone.wav", tone), ("noise.flac", 0.1 * rng.standard_normal(2 * RATE))):
        (tmp_path / "songs" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "songs" / name, audio, RATE)
    return tmp_path / "songs"


def worse(songs: Path, condition: str, name: str = "a/tone.flac", *more: str) -> np.ndarray:
    out = songs.parent / "-".join((condition, *more))
    assert main([str(songs), "--condition", condition, "-o", str(out), *more]) == 0
    audio, rate = soundfile.read(out / name)
    assert rate == RATE and len(audio) == 2 * RATE and 0.85 < np.abs(audio).max() <= 0.9001
    return audio


def level(audio: np.ndarray, low: float, high: float) -> float:
    """Power between two frequencies, dB."""
    power = np.abs(np.fft.rfft(audio)) ** 2
    hertz = np.fft.rfftfreq(len(audio), 1 / RATE)
    return float(10 * np.log10(power[(hertz >= low) & (hertz < high)].sum()))


def test_each_condition_does_what_it_says(songs: Path) -> None:
    phone = worse(songs, "phone", "noise.flac")
    assert level(phone, 1000, 2000) - level(phone, 80, 125) > 20 and level(phone, 0, 20) < level(
        phone, 1000, 1020
    )
    tone = worse(songs, "phone")
    assert level(tone, 990, 1010) - level(tone, 70, 90) > 9  # equally loud before
    assert level(tone, 2990, 3010) > level(tone, 2490, 2510) + 10  # overdriven
    noisy = worse(songs, "noise")
    tones = 10 * np.log10(10 ** (level(noisy, 70, 90) / 10) + 10 ** (level(noisy, 990, 1010) / 10))
    assert tones - level(noisy, 1100, RATE) == pytest.approx(10.2, abs=0.3)  # 95 % of white noise lies above
    clipped = worse(songs, "clip")
    assert np.mean(np.abs(clipped) > 0.89) > 0.7
    hall = worse(songs, "hall", "noise.flac")
    dry, _ = soundfile.read(songs / "noise.flac")
    share = float(hall @ dry) ** 2 / float(hall @ hall) / float(dry @ dry)
    assert share == pytest.approx(0.5, abs=0.1)  # half of the power is the direct sound's


def test_copies_depend_on_name_and_seed_alone(songs: Path) -> None:
    for condition in set(CONDITIONS) - {"clip"}:
        first, other = worse(songs, condition), worse(songs, condition, "a/tone.flac", "--seed", "1")
        assert not np.array_equal(first, other)
    (songs / "noise.flac").unlink()
    alone = songs.parent / "alone"
    assert main([str(songs / "a/tone.wav"), "--condition", "hall", "-o", str(alone)]) == 0
    np.testing.assert_array_equal(soundfile.read(alone / "tone.flac")[0], worse(songs, "hall"))


def test_what_cannot_be_used_is_one_line(songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error(*arguments: str) -> str:
        assert main([*arguments, "--condition", "clip"]) == 1
        return capsys.readouterr().err.splitlines()[-1]

    (songs / "empty").mkdir()
    out = str(songs.parent / "out")
    assert "empty: no recordings in it" in error(str(songs / "empty"), "-o", out)
    assert "copies would overwrite" in error(str(songs), "-o", str(songs))
    soundfile.write(songs / "a/tone.flac", np.zeros(100), RATE)
    assert "two recordings would both become" in error(str(songs), "-o", out)
    (songs / "broken.wav").write_bytes(b"no sound")
    assert "broken.wav" in error(str(songs / "broken.wav"), "-o", out)
    assert not Path(out).exists()
