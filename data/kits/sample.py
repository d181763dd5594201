"""One-shots in memory: the sample, the kit, and common operations on single sounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import soxr
from scipy import signal

from mt3drum.config import SAMPLE_RATE


@dataclass(frozen=True)
class Sample:
    """One recorded or made stroke: mono int16 [n] at 44.1 kHz, for hits of velocity_low..velocity_high.

    ``variant`` tells other instruments, microphones or hat openings under the same class apart ("" is the
    main series); ``onset`` is the index of the audible attack.
    """

    audio: np.ndarray
    velocity_low: int
    velocity_high: int
    variant: str
    onset: int = 0


@dataclass(frozen=True)
class Kit:
    """A drum kit: samples by class index. ``kind`` is acoustic, electronic or percussion; ``levels`` is
    natural (louder layers are louder), normalised or single-layer; ``partial`` says what a kit that is not
    whole holds."""

    name: str
    licence: str
    kind: str
    family: str
    levels: str
    samples: Mapping[int, tuple[Sample, ...]]
    partial: str | None


def to_int16(audio: np.ndarray) -> np.ndarray:
    """float [-1, 1] -> int16, clipped."""
    return np.round(np.clip(audio, -1.0, 1.0) * 32767).astype(np.int16)


def to_float(audio: np.ndarray) -> np.ndarray:
    """int16 -> float32 in [-1, 1]."""
    return audio.astype(np.float32) * np.float32(1 / 32767)


def find_onset(audio: np.ndarray, share: float = 0.06, window: float = 0.06) -> int:
    """Index of the audible attack: the first sample over ``share`` of the peak of the first ``window``
    seconds.

    6 % (-24 dB) lies above the room noise before a stroke and below any attack. Sounds that swell (shakers,
    feet closing hats, brushes) are heard on the beat where they come near their peak: more share, a longer
    window.
    """
    head = np.abs(audio[: int(window * SAMPLE_RATE)])
    return int(np.argmax(head >= share * head.max()))


def retune(audio: np.ndarray, ratio: float) -> np.ndarray:
    """Plays ``audio`` ``ratio`` times faster (higher, shorter): float32 [n / ratio], band-limited by soxr."""
    return np.asarray(soxr.resample(audio, SAMPLE_RATE * ratio, SAMPLE_RATE), dtype=np.float32)


def decay(count: int, seconds: float) -> np.ndarray:
    """exp(-t / seconds), float32 [count]."""
    return np.exp(np.arange(count, dtype=np.float32) * np.float32(-1 / (seconds * SAMPLE_RATE)))


def band(audio: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
    """Second-order Butterworth band-pass (or low- / high-pass where a corner in Hz is None), float32."""
    if low is None:
        sos = signal.butter(2, high, "lowpass", fs=SAMPLE_RATE, output="sos")
    elif high is None:
        sos = signal.butter(2, low, "highpass", fs=SAMPLE_RATE, output="sos")
    else:
        sos = signal.butter(2, (low, high), "bandpass", fs=SAMPLE_RATE, output="sos")
    return signal.sosfilt(sos, audio).astype(np.float32)


def peaking(centre: float, gain_db: float, q: float) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (b, a) of a peaking equaliser at ``centre`` Hz (R. Bristow-Johnson, Audio EQ Cookbook)."""
    amplitude = 10 ** (gain_db / 40)
    angle = 2 * np.pi * centre / SAMPLE_RATE
    alpha = np.sin(angle) / (2 * q)
    b = np.array([1 + alpha * amplitude, -2 * np.cos(angle), 1 - alpha * amplitude])
    a = np.array([1 + alpha / amplitude, -2 * np.cos(angle), 1 - alpha / amplitude])
    return b / a[0], a / a[0]


def ping(rng: np.random.Generator, centre: float, seconds: float, modes: int = 5) -> np.ndarray:
    """A struck rim, shell or block: ``modes`` decaying partials around ``centre`` Hz, float32, peak 1."""
    time = np.arange(int(6 * seconds * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE
    sound = np.zeros_like(time)
    for ratio in np.cumprod(np.concatenate([[1.0], rng.uniform(1.15, 1.9, modes - 1)])):
        frequency = min(centre * ratio, 16000.0)
        shape = np.exp(-time / (seconds * rng.uniform(0.4, 1.2)))
        sound += rng.uniform(0.3, 1.0) / ratio**0.5 * np.sin(2 * np.pi * frequency * time) * shape
    return np.asarray(sound / np.abs(sound).max(), dtype=np.float32)
