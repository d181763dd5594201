"""Simulate the output of a source separator."""

from __future__ import annotations

import numpy as np

from data.dsp.config import EFFECTS, EffectsConfig
from data.dsp.effects import cells_of, joined
from data.dsp.tones import Audio


def separate(drums: Audio, mix: Audio, rng: np.random.Generator, config: EffectsConfig = EFFECTS) -> Audio:
    """What a source separator gives for the drums of a mix: each time-frequency cell of it times the drums'
    share of the power there; the share is too sharp or too soft, wrong by some dB from cell to cell, and
    never quite nothing."""
    window = 2048
    both, own = cells_of(mix, window), cells_of(drums, window)
    power, other = np.abs(own) ** 2 + 1e-12, np.abs(both - own) ** 2 + 1e-12
    error = rng.uniform(*config.separation_error) * rng.standard_normal(own.shape)
    decibels = (10 * np.log10(power / other) + error).clip(-80, 80)
    share = 1 / (1 + 10 ** (-rng.uniform(*config.separation_sharpness) * decibels / 10))
    leak = 10 ** (-rng.uniform(*config.separation_leak) / 20)
    return joined(both * (leak + (1 - leak) * share), window, len(mix))
