"""Log-mel against a plain numpy computation, and what its frames mean."""

from __future__ import annotations

import math
import sys

import librosa
import numpy as np
import pytest
import torch

from mt3drum.audio.log_mel import LONG_WINDOW, LogMel, bank_name, mel_filters
from mt3drum.config import HOP, PRESETS, SAMPLE_RATE, AudioConfig
from scripts.make_mel_banks import ASSET, banks

CONFIG = AudioConfig()
SHORT, LONG = CONFIG.windows
FEATURES = LogMel(CONFIG)
FRAMES = 40


def slow_log_mel(audio: np.ndarray, window: int) -> np.ndarray:
    """[mel frames] of one window length, a frame every hop, from the definition, in double precision."""
    padded = np.concatenate((np.zeros(window // 2), audio, np.zeros(window // 2)))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    bank = librosa.filters.mel(
        sr=SAMPLE_RATE,
        n_fft=window,
        n_mels=CONFIG.mel_bands,
        fmin=CONFIG.low_hz,
        fmax=CONFIG.high_hz,
        norm=None,
    ).astype(np.float64)
    weights = np.where(
        bank.sum(1, keepdims=True) > 1, bank / np.maximum(bank.sum(1, keepdims=True), 1e-9), bank
    )
    frames = [padded[k * HOP : k * HOP + window] * hann for k in range(len(audio) // HOP)]
    amplitude = np.abs(np.fft.rfft(frames)) * 2 / window
    return np.log(amplitude @ weights.T + CONFIG.floor).T


def noise(seed: int, frames: int = FRAMES) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, frames * HOP)


def log_mel(audio: np.ndarray) -> np.ndarray:
    return FEATURES(torch.from_numpy(audio.astype(np.float32))[None])[0].numpy()


def click(frame: int) -> np.ndarray:
    audio = np.zeros(FRAMES * HOP)
    audio[frame * HOP] = 1.0
    return audio


def test_equals_the_definition() -> None:
    audio = noise(0) + 0.4 * np.sin(2 * np.pi * 220 * np.arange(FRAMES * HOP) / SAMPLE_RATE)
    mel = log_mel(audio)
    np.testing.assert_allclose(mel[0], slow_log_mel(audio, SHORT), atol=1e-4)
    np.testing.assert_allclose(mel[1, :, ::2], slow_log_mel(audio, LONG)[:, ::2], atol=1e-4)


def test_the_bundled_banks_are_librosas() -> None:
    with np.load(ASSET) as stored:
        assert set(stored.files) == set(banks())
        for name, expected in banks().items():
            np.testing.assert_allclose(stored[name], expected, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_need_no_librosa(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "librosa", None)
    assert LogMel(PRESETS[name].audio).bank_1024.shape == (PRESETS[name].audio.mel_bands, 513)


def test_any_other_bank_is_computed() -> None:
    config = AudioConfig(mel_bands=40, low_hz=0.0, high_hz=900.0)
    assert mel_filters(441, config).shape == (40, 221)
    with np.load(ASSET) as stored:
        assert bank_name(441, config) not in stored


def test_long_window_holds_every_second_frame() -> None:
    assert SHORT < LONG_WINDOW <= LONG
    mel = log_mel(noise(1))
    np.testing.assert_array_equal(mel[1, :, 1::2], mel[1, :, ::2])
    assert (mel[0, :, 1::2] != mel[0, :, ::2]).any()


@pytest.mark.parametrize("frame", [4, 7, 20, 39])
def test_click_peaks_at_its_frame(frame: int) -> None:
    loudness = log_mel(click(frame)).sum(1)
    assert loudness[0].argmax() == frame
    held = (
        frame - frame % 2 if frame % 2 == 0 or frame == FRAMES - 1 else frame
    )  # the nearest computed frames
    assert abs(int(loudness[1].argmax()) - held) <= 1


def test_full_scale_sine_is_half_amplitude_in_its_band() -> None:
    """A full-scale sine reads 1/2 in its bin under a Hann window (of sum n/2), less in the mean of a band."""
    audio = np.sin(2 * np.pi * 8000 * np.arange(FRAMES * HOP) / SAMPLE_RATE)
    for channel in log_mel(audio):
        top = math.exp(channel[:, FRAMES // 2].max())
        assert 0.01 < top < 0.5


def test_silence_is_the_floor() -> None:
    np.testing.assert_allclose(log_mel(np.zeros(8 * HOP)), math.log(CONFIG.floor), rtol=1e-6)


@pytest.mark.parametrize("frames", [1, 2, 13, 400])
def test_one_frame_per_hop(frames: int) -> None:
    audio = torch.zeros(3, frames * HOP)
    assert FEATURES(audio).shape == (3, 2, CONFIG.mel_bands, frames)


def test_batch_equals_single() -> None:
    audio = torch.from_numpy(np.stack([noise(2), noise(3)]).astype(np.float32))
    together = FEATURES(audio)
    for row, alone in zip(together, audio, strict=True):
        torch.testing.assert_close(row, FEATURES(alone[None])[0], atol=1e-6, rtol=0)


def test_buffers_are_not_in_checkpoints() -> None:
    assert FEATURES.state_dict() == {}
