"""From close microphones to one track: overheads, early reflections, bleed, rattling snare wires."""

from __future__ import annotations

import numpy as np
from scipy import signal

from data.dsp.effects import room_response
from mt3drum.config import SAMPLE_RATE


def mix_down(buses: np.ndarray, rng: np.random.Generator, acoustic: bool) -> np.ndarray:
    """Close signals, float32 [3, n] (kick and toms; snare; hats, cymbals and percussion), to one track [n].

    Drum machines (not ``acoustic``) are mostly left dry.
    """
    low, snare, metal = buses
    if acoustic and rng.random() < 0.45:
        snare = snare + _wires(low, rng)
    dry = low + snare
    dry += metal
    if rng.random() < (0.85 if acoustic else 0.25):
        _add_overheads(dry, low, snare, metal, rng)
    return np.asarray(dry)


def _delayed(target: np.ndarray, source: np.ndarray, seconds: float, gain: float) -> None:
    shift = int(seconds * SAMPLE_RATE)
    if shift < target.size:
        target[shift:] += np.float32(gain) * source[: target.size - shift]


def _add_overheads(
    dry: np.ndarray, low: np.ndarray, snare: np.ndarray, metal: np.ndarray, rng: np.random.Generator
) -> None:
    """A pair of microphones a metre above the kit hears drums 2 to 6 ms later than their own microphones do,
    and the walls a few milliseconds after that. Cymbals have no microphone of their own: their direct sound
    stays."""
    over = metal * np.float32(rng.uniform(0.3, 1.0))
    _delayed(over, low, rng.uniform(0.003, 0.006), rng.uniform(0.3, 0.9))
    _delayed(over, snare, rng.uniform(0.0015, 0.004), rng.uniform(0.4, 1.0))
    high_pass = np.exp(-2 * np.pi * rng.uniform(30.0, 250.0) / SAMPLE_RATE)
    low_pass = np.exp(-2 * np.pi * rng.uniform(5000.0, 18000.0) / SAMPLE_RATE)
    numerator = np.float32(np.convolve([1 - low_pass, 0.0], [1.0, -1.0]))
    denominator = np.float32(np.convolve([1.0, -low_pass], [1.0, -high_pass]))
    over = signal.lfilter(numerator, denominator, over)
    level = 10 ** (rng.uniform(-18.0, 1.0) / 20)
    _delayed(dry, over, rng.uniform(0.0, 0.002), level)
    if rng.random() < 0.5:
        wet = 10 ** (rng.uniform(-26.0, -6.0) / 20)
        ring = signal.oaconvolve(over, room_response(rng))[: dry.size]
        _delayed(dry, ring, rng.uniform(0.0, 0.015), wet)
        return
    taps = rng.integers(3, 8)
    size = rng.uniform(0.006, 0.05)  # seconds over which the first reflections spread
    wet = level * rng.uniform(0.2, 0.8)
    for delay in size * rng.uniform(0.15, 1.0, taps):
        gain = wet * rng.choice((-1.0, 1.0)) * np.exp(-1.5 * delay / size) * rng.uniform(0.4, 1.0)
        _delayed(dry, over, delay, gain)


def _wires(low: np.ndarray, rng: np.random.Generator, block: int = 128) -> np.ndarray:
    """The snare's wires answering kick and toms: noise of 1 to 9 kHz that follows their loudness, 20 to 40 dB
    down."""
    blocks = -(-low.size // block)
    padded = np.zeros(blocks * block, dtype=np.float32)
    padded[: low.size] = low
    envelope = np.abs(padded.reshape(blocks, block)).max(axis=1)
    pole = np.exp(-block / (rng.uniform(0.02, 0.08) * SAMPLE_RATE))
    envelope = signal.lfilter([1 - pole], [1, -pole], envelope)
    # a block later, so that nothing buzzes before the stroke; wires take a millisecond or two to answer
    smooth = np.interp(
        np.arange(low.size, dtype=np.float32), (np.arange(blocks) + 2) * block, envelope, left=0
    )
    noise = rng.standard_normal(low.size, dtype=np.float32)
    noise[1:] -= np.float32(rng.uniform(0.3, 0.9)) * noise[:-1]
    return np.asarray(noise * smooth * np.float32(10 ** (rng.uniform(-40.0, -22.0) / 20)), dtype=np.float32)
