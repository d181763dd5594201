"""Mix close microphones to one track: overheads, early reflections, bleed, snare wires."""

from __future__ import annotations

import numpy as np
from scipy import signal

from data.dsp.effects import room_response
from data.render.config import MicrophoneConfig
from mt3drum.config import SAMPLE_RATE


def mix_down(
    buses: np.ndarray, rng: np.random.Generator, acoustic: bool, config: MicrophoneConfig
) -> np.ndarray:
    """Close signals, float32 [3, n] (kick and toms; snare; hats, cymbals and percussion), to one track [n].

    Drum machines (not ``acoustic``) are mostly left dry.
    """
    low, snare, metal = buses
    if acoustic and rng.random() < config.wires:
        snare = snare + _wires(low, rng, config)
    dry = low + snare
    dry += metal
    if rng.random() < (config.overheads if acoustic else config.machine_overheads):
        _add_overheads(dry, low, snare, metal, rng, config)
    return np.asarray(dry)


def _delayed(target: np.ndarray, source: np.ndarray, seconds: float, gain: float) -> None:
    shift = int(seconds * SAMPLE_RATE)
    if shift < target.size:
        target[shift:] += np.float32(gain) * source[: target.size - shift]


def _add_overheads(
    dry: np.ndarray,
    low: np.ndarray,
    snare: np.ndarray,
    metal: np.ndarray,
    rng: np.random.Generator,
    config: MicrophoneConfig,
) -> None:
    """A pair of microphones a metre above the kit hears drums 2 to 6 ms later than their own microphones do,
    and the walls a few milliseconds after that. Cymbals have no microphone of their own: their direct sound
    stays."""
    over = metal * np.float32(rng.uniform(*config.cymbals))
    _delayed(over, low, rng.uniform(*config.low_delay), rng.uniform(*config.low_level))
    _delayed(over, snare, rng.uniform(*config.snare_delay), rng.uniform(*config.snare_level))
    high_pass = np.exp(-2 * np.pi * rng.uniform(*config.high_pass) / SAMPLE_RATE)
    low_pass = np.exp(-2 * np.pi * rng.uniform(*config.low_pass) / SAMPLE_RATE)
    numerator = np.float32(np.convolve([1 - low_pass, 0.0], [1.0, -1.0]))
    denominator = np.float32(np.convolve([1.0, -low_pass], [1.0, -high_pass]))
    over = signal.lfilter(numerator, denominator, over)
    level = 10 ** (rng.uniform(*config.level) / 20)
    _delayed(dry, over, rng.uniform(*config.delay), level)
    if rng.random() < config.room:
        wet = 10 ** (rng.uniform(*config.room_level) / 20)
        ring = signal.oaconvolve(over, room_response(rng))[: dry.size]
        _delayed(dry, ring, rng.uniform(*config.room_delay), wet)
        return
    taps = rng.integers(*config.reflections)
    size = rng.uniform(*config.reflection_seconds)
    wet = level * rng.uniform(*config.reflection_wet)
    for delay in size * rng.uniform(0.15, 1.0, taps):
        fallen = np.exp(-1.5 * delay / size)
        gain = wet * rng.choice((-1.0, 1.0)) * fallen * rng.uniform(*config.reflection_gain)
        _delayed(dry, over, delay, gain)


def _wires(
    low: np.ndarray, rng: np.random.Generator, config: MicrophoneConfig, block: int = 128
) -> np.ndarray:
    """The snare's wires answering kick and toms: noise that follows their loudness."""
    blocks = -(-low.size // block)
    padded = np.zeros(blocks * block, dtype=np.float32)
    padded[: low.size] = low
    envelope = np.abs(padded.reshape(blocks, block)).max(axis=1)
    pole = np.exp(-block / (rng.uniform(*config.wires_ring) * SAMPLE_RATE))
    envelope = signal.lfilter([1 - pole], [1, -pole], envelope)
    # a block later, so that nothing buzzes before the stroke; wires take a millisecond or two to answer
    smooth = np.interp(
        np.arange(low.size, dtype=np.float32), (np.arange(blocks) + 2) * block, envelope, left=0
    )
    noise = rng.standard_normal(low.size, dtype=np.float32)
    noise[1:] -= np.float32(rng.uniform(*config.wires_slope)) * noise[:-1]
    level = np.float32(10 ** (rng.uniform(*config.wires_level) / 20))
    return np.asarray(noise * smooth * level, dtype=np.float32)
