"""Levels of tracks in a mix."""

from __future__ import annotations

import numpy as np

from data.dsp.tones import Audio

BLOCK = 2205
"""Block length for measuring the level of a track: 50 ms."""
REFERENCE = 0.1
"""RMS of a sounding track at 0 dB: -20 dB of full scale."""
PEAK = 0.9
"""Peak of a finished band."""


def add_track(mix: Audio, track: Audio, decibels: float) -> None:
    """Add a track, in place, at a level relative to -20 dB RMS while it sounds; silence adds nothing."""
    count = len(track) // BLOCK
    power = np.mean(track[: count * BLOCK].reshape(count, BLOCK) ** 2, axis=1) if count else np.zeros(0)
    loudest = float(power.max(initial=0.0))
    if loudest < 1e-10:
        return
    level = np.sqrt(power[power > loudest * 1e-3].mean())
    mix += np.float32(REFERENCE * 10 ** (decibels / 20) / level) * track


def full_scale(mix: Audio) -> Audio:
    """Scale the mix to the peak of a finished band; silence stays silence."""
    peak = float(np.abs(mix).max(initial=0.0))
    return (mix * np.float32(PEAK / peak) if peak > 1e-6 else mix).astype(np.float32)


def active_level(audio: Audio, block: int = 2048) -> float:
    """RMS over the blocks (46 ms) that are within 40 dB of the loudest; 0 for silence."""
    count = len(audio) // block
    if count == 0:
        return 0.0
    power = np.mean(audio[: count * block].reshape(count, block) ** 2, axis=1)
    loudest = float(power.max())
    return float(np.sqrt(power[power >= loudest * 1e-4].mean())) if loudest > 1e-12 else 0.0


def mix(drums: Audio, band: Audio, decibels: float) -> Audio:
    """Add the band at this level relative to the drums; if either is silent, the band keeps its level."""
    first, second = active_level(drums), active_level(band)
    gain = 10 ** (decibels / 20) * first / second if first > 1e-5 and second > 1e-5 else 1.0
    return drums + np.float32(gain) * band
