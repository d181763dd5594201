"""What stands between a band's instruments and the desk: amplifiers, wah, chorus."""

import numpy as np
from scipy.signal import butter, sosfilt

from data.dsp import effects
from data.dsp.tones import Audio
from mt3drum.config import SAMPLE_RATE


def amplifier(track: Audio, rng: np.random.Generator, most: float = 45.0) -> Audio:
    """Guitar amplifier: bass cut, 0 to `most` dB of gain above the mean level into tanh, and a loudspeaker.

    The gain counts from the RMS, so that notes ring on for as long as a real overdriven guitar's do.
    """
    level = float(np.sqrt(np.mean(track**2)))
    if level < 1e-6:
        return track
    drive = 10 ** (rng.uniform(0, most) / 20) / level
    tight = butter(1, rng.uniform(60, 400), "high", fs=SAMPLE_RATE, output="sos")
    low, high = rng.uniform(60, 120), rng.uniform(3000, 7500)
    cabinet = butter(int(rng.integers(1, 4)), [low, high], "band", fs=SAMPLE_RATE, output="sos")
    hot = sosfilt(tight, track).astype(np.float32) * np.float32(drive)
    hot = np.tanh(hot + np.float32(rng.uniform(-0.5, 0.5)))
    out = sosfilt(cabinet, hot).astype(np.float32)
    if rng.random() < 0.5:
        out = effects.shape(out, effects.tone_curve(effects.fast_bins(len(out)), rng, 3.0))
    return out


def wah(track: Audio, rng: np.random.Generator) -> Audio:
    """Wah-wah, filter sweep or phaser: three resonant bands faded into one another."""
    bottom = rng.uniform(300, 700)
    time = np.arange(len(track), dtype=np.float32) / SAMPLE_RATE
    sweep = 1 + np.sin(2 * np.pi * (rng.uniform(0.1, 3) * time + rng.random()), dtype=np.float32)  # 0..2
    out = np.float32(rng.uniform(0, 0.4)) * track
    for number in range(3):
        centre = bottom * 2.2**number
        band = butter(1, [centre * 0.8, centre * 1.25], "band", fs=SAMPLE_RATE, output="sos")
        out = out + sosfilt(band, track).astype(np.float32) * np.maximum(0, 1 - np.abs(sweep - number))
    return out.astype(np.float32)


def double(track: Audio, rng: np.random.Generator) -> Audio:
    """Chorus or a second take: a copy 5 to 30 ms later."""
    late = int(rng.uniform(0.005, 0.03) * SAMPLE_RATE)
    out = track.copy()
    out[late:] += np.float32(rng.uniform(0.3, 0.9)) * track[:-late]
    return out
