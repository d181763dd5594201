"""The gain of a recording whose end is not known: the same robust peak as of a file, over what was heard."""

from __future__ import annotations

import math

import numpy as np

from mt3drum.audio.recording import PEAK_BLOCK, PEAK_QUANTILE, SILENCE, TARGET_PEAK

QUIETEST = 0.01
"""Robust peak (-40 dB of full scale) below which quiet sound is not made louder any more: before the first
stroke, that would turn the noise of the room into drums."""
_STEP = 0.1  # dB: width of a bin
_LOWEST = 20 * math.log10(SILENCE)
_BINS = 2_400  # up to 140 dB above full scale


class RunningGain:
    """Follows the peaks of 100 ms in a histogram, so that an hour takes no more memory than a second. Ends
    within 0.1 dB of the gain of the same sound as a file, unless that is quieter than `QUIETEST`."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, dtype=np.int64)
        self._peak, self._filled = 0.0, 0

    def push(self, block: np.ndarray) -> None:
        """Take mono samples."""
        at = 0
        while at < len(block):
            piece = block[at : at + PEAK_BLOCK - self._filled]
            self._peak = max(self._peak, float(np.abs(piece).max()))
            self._filled += len(piece)
            at += len(piece)
            if self._filled == PEAK_BLOCK:
                if self._peak > SILENCE:
                    place = int((20 * math.log10(self._peak) - _LOWEST) / _STEP)
                    self._counts[min(place, _BINS - 1)] += 1
                self._peak, self._filled = 0.0, 0

    @property
    def value(self) -> float:
        """Factor to `TARGET_PEAK`."""
        total = int(self._counts.sum())
        if not total:
            return TARGET_PEAK / QUIETEST
        place = int(np.searchsorted(self._counts.cumsum(), PEAK_QUANTILE * (total - 1), side="right"))
        return TARGET_PEAK / max(QUIETEST, 10 ** ((_LOWEST + (place + 0.5) * _STEP) / 20))
