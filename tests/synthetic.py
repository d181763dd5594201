"""Drums made of arithmetic, for tests that need recordings in which the bundled model hears something."""

from __future__ import annotations

import numpy as np

from mt3drum.config import SAMPLE_RATE

LENGTH = SAMPLE_RATE // 3  # samples of a stroke


def _stroke(kind: str, level: float, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(LENGTH) / SAMPLE_RATE
    noise = rng.normal(0, 1, LENGTH)
    if kind == "kick":
        return level * np.sin(2 * np.pi * (55 * time + 3 * (1 - np.exp(-40 * time)))) * np.exp(-9 * time)
    if kind == "snare":
        return level * (0.5 * np.sin(2 * np.pi * 190 * time) + 0.6 * noise) * np.exp(-18 * time)
    if kind == "tom":
        return level * np.sin(2 * np.pi * (110 * time + 1.5 * (1 - np.exp(-20 * time)))) * np.exp(-7 * time)
    bright = np.diff(noise, prepend=0.0)
    return 0.5 * level * bright * np.exp(-(45 if kind == "hihat" else 5) * time)


def recording(seed: int, seconds: float = 7.0) -> np.ndarray:
    """[samples] float32: a beat of its own tempo, pattern and level, every second one with a tone."""
    rng = np.random.default_rng(seed)
    audio = np.zeros(int(seconds * SAMPLE_RATE) + LENGTH, dtype=np.float64)
    step = 60 / rng.uniform(80, 170) / 4
    for number in range(int(seconds / step)):
        struck = []
        if number % 2 == 0 or rng.random() < 0.1:
            struck.append("crash" if number % 32 == 0 else "hihat")
        if number % 16 in (0, 10) or rng.random() < 0.06:
            struck.append("kick")
        if number % 8 == 4 or rng.random() < 0.05:
            struck.append("snare")
        if number % 32 > 27:
            struck.append("tom")
        for kind in struck:
            at = int((number * step + rng.uniform(0, 0.004)) * SAMPLE_RATE)
            stroke = _stroke(kind, rng.uniform(0.3, 1.0), rng)
            audio[at : at + LENGTH] += stroke[: len(audio) - at]
    audio = audio[: int(seconds * SAMPLE_RATE)]
    if seed % 2:
        time = np.arange(len(audio)) / SAMPLE_RATE
        audio += 0.1 * np.sin(2 * np.pi * 220 * time) * (1 + np.sin(2 * np.pi * time / 2))
    return np.asarray(audio * rng.uniform(0.05, 0.5), dtype=np.float32)
