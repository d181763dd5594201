"""Effects between an instrument and the mixing desk: amplifiers, wah, chorus."""

import numpy as np
from scipy.signal import butter, sosfilt

from data.dsp import effects
from data.dsp.config import PEDALS, PedalConfig
from data.dsp.tones import Audio
from mt3drum.config import SAMPLE_RATE


def amplifier(
    track: Audio, rng: np.random.Generator, most: float | None = None, config: PedalConfig = PEDALS
) -> Audio:
    """Guitar amplifier: bass cut, up to `most` dB of gain (default: `config.drive`) above the mean level into
    tanh, and a loudspeaker.

    The gain counts from the RMS, so that notes ring on for as long as a real overdriven guitar's do.
    """
    level = float(np.sqrt(np.mean(track**2)))
    if level < 1e-6:
        return track
    drive = 10 ** (rng.uniform(0, config.drive if most is None else most) / 20) / level
    tight = butter(1, rng.uniform(*config.tight), "high", fs=SAMPLE_RATE, output="sos")
    low, high = rng.uniform(*config.cabinet_low), rng.uniform(*config.cabinet_high)
    order = int(rng.integers(*config.cabinet_order))
    cabinet = butter(order, [low, high], "band", fs=SAMPLE_RATE, output="sos")
    hot = sosfilt(tight, track).astype(np.float32) * np.float32(drive)
    hot = np.tanh(hot + np.float32(rng.uniform(-config.bias, config.bias)))
    out = sosfilt(cabinet, hot).astype(np.float32)
    if rng.random() < config.toned:
        curve = effects.tone_curve(effects.fast_bins(len(out)), rng, config.tone_deviation)
        out = effects.shape(out, curve)
    return out


def wah(track: Audio, rng: np.random.Generator, config: PedalConfig = PEDALS) -> Audio:
    """Wah-wah, filter sweep or phaser: three resonant bands, crossfaded."""
    bottom = rng.uniform(*config.wah_bottom)
    time = np.arange(len(track), dtype=np.float32) / SAMPLE_RATE
    turns = rng.uniform(*config.wah_rate) * time + rng.random()
    sweep = 1 + np.sin(2 * np.pi * turns, dtype=np.float32)  # 0..2
    out = np.float32(rng.uniform(*config.wah_dry)) * track
    for number in range(3):
        centre = bottom * 2.2**number
        band = butter(1, [centre * 0.8, centre * 1.25], "band", fs=SAMPLE_RATE, output="sos")
        out = out + sosfilt(band, track).astype(np.float32) * np.maximum(0, 1 - np.abs(sweep - number))
    return out.astype(np.float32)


def double(track: Audio, rng: np.random.Generator, config: PedalConfig = PEDALS) -> Audio:
    """Chorus or a second take: a copy a few milliseconds later."""
    late = int(rng.uniform(*config.double_delay) * SAMPLE_RATE)
    out = track.copy()
    out[late:] += np.float32(rng.uniform(*config.double_level)) * track[:-late]
    return out
