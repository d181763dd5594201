"""A small synthetic kit for playback of scores: one deterministic sound per class.

Drums are decaying sines with a falling pitch at the partials of a circular membrane (Fletcher and Rossing,
The Physics of Musical Instruments, 18.2), plus filtered noise; cymbals are inharmonic partials and noise.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mt3drum.config import SAMPLE_RATE
from tokenizer.drums import DRUMS

_MEMBRANE = (1.0, 1.59, 2.14, 2.30)

# Class: (kind, frequency in Hz, decay in seconds to -60 dB, share of noise). Membranes: pitch of the head.
_SOUNDS: dict[str, tuple[str, float, float, float]] = {
    "kick": ("membrane", 55, 0.35, 0.05),
    "snare_head": ("membrane", 190, 0.22, 0.6),
    "snare_cross_stick": ("wood", 900, 0.06, 0.2),
    "snare_rim": ("membrane", 330, 0.25, 0.5),
    "hihat_closed": ("metal", 7500, 0.09, 0.7),
    "hihat_closed_edge": ("metal", 6500, 0.13, 0.7),
    "hihat_open": ("metal", 7000, 0.7, 0.7),
    "hihat_open_edge": ("metal", 6000, 0.9, 0.7),
    "hihat_pedal": ("metal", 5000, 0.06, 0.8),
    "tom1_head": ("membrane", 170, 0.45, 0.05),
    "tom2_head": ("membrane", 140, 0.5, 0.05),
    "tom3_head": ("membrane", 115, 0.55, 0.05),
    "floor_tom_head": ("membrane", 85, 0.7, 0.05),
    "tom1_rim": ("wood", 700, 0.1, 0.2),
    "tom2_rim": ("wood", 620, 0.1, 0.2),
    "tom3_rim": ("wood", 560, 0.1, 0.2),
    "floor_tom_rim": ("wood", 500, 0.1, 0.2),
    "crash1": ("metal", 4200, 1.6, 0.6),
    "crash1_edge": ("metal", 6200, 0.8, 0.6),
    "crash2": ("metal", 3600, 1.8, 0.6),
    "crash2_edge": ("metal", 2600, 1.0, 0.7),
    "ride": ("metal", 5200, 1.2, 0.25),
    "ride_edge": ("metal", 4000, 1.6, 0.5),
    "ride_bell": ("bell", 900, 0.9, 0.02),
    "aux1": ("metal", 9000, 0.15, 0.9),
    "aux2": ("bell", 560, 0.2, 0.02),
}


@lru_cache(maxsize=1)
def kit() -> tuple[np.ndarray, ...]:
    """One sound per class, float32 [samples] at 44.1 kHz, normalised to a peak of 1."""
    return tuple(_sound(drum.index, *_SOUNDS[drum.name]) for drum in DRUMS)


def click(accented: bool) -> np.ndarray:
    """A metronome click, float32 [samples] at 44.1 kHz."""
    time = np.arange(int(0.03 * SAMPLE_RATE)) / SAMPLE_RATE
    return (np.sin(2 * np.pi * (1600 if accented else 1100) * time) * np.exp(-time / 0.006)).astype(
        np.float32
    )


def _sound(seed: int, kind: str, frequency: float, fall: float, noise: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(int(1.1 * fall * SAMPLE_RATE)) / SAMPLE_RATE
    decay = np.exp(-6.9 * time / fall)
    hiss = rng.standard_normal(time.size)
    if kind == "membrane":
        sweep = 2 * np.pi * frequency * (time + 0.012 * (1 - np.exp(-time / 0.02)))
        tone = sum(np.sin(sweep * ratio) * decay**ratio / ratio for ratio in _MEMBRANE)
        body = tone / 2 * (1 - noise) + noise * _high_pass(hiss) * np.exp(-9 * time / fall)
    elif kind == "metal":
        partials = frequency * rng.uniform(0.5, 1.6, 24)
        tone = sum(
            np.sin(2 * np.pi * p * time + a) for p, a in zip(partials, rng.uniform(0, 6.28, 24), strict=True)
        )
        body = (tone / 8 * (1 - noise) + noise * _high_pass(_high_pass(hiss))) * decay
    else:
        ratios = (1.0, 1.48, 2.1, 3.3) if kind == "bell" else (1.0, 1.7, 2.6)
        tone = sum(np.sin(2 * np.pi * frequency * r * time) * decay**r for r in ratios)
        body = tone + noise * _high_pass(hiss) * np.exp(-time / 0.004)
    body[-64:] *= np.linspace(1, 0, min(64, body.size))
    return (body / np.abs(body).max()).astype(np.float32)


def _high_pass(x: np.ndarray) -> np.ndarray:
    return np.diff(x, prepend=0.0) / 2
