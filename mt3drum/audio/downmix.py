"""Downmix to mono: the mean of the channels, or the loudest channel where they cancel."""

from __future__ import annotations

import numpy as np

LOST = 0.25
"""A block cancels if the energy of the channels' sum is below this share of the sum of their energies (0 for
two in opposite phase, 1 for uncorrelated ones, 2 for two equal ones): 6 dB below uncorrelated ones."""
OFTEN = 0.1
"""A recording cancels if more than this share of its non-silent blocks does."""
QUIET = 1e-4  # blocks 40 dB below the loudest do not count


class Downmix:
    """Downmixes a recording block by block, and measures what cancels in the mean.

    Args:
        channel: use this channel instead of the mean.
    """

    def __init__(self, channel: int | None = None) -> None:
        self.channel = channel
        self.channels = 1
        self._energies: list[np.ndarray] = []  # of the channels, per block and sample
        self._of_sum: list[float] = []

    def mix(self, block: np.ndarray) -> np.ndarray:
        """[n c] -> mono float32 [n]."""
        self.channels = block.shape[1]
        if self.channels == 1:
            return np.asarray(block[:, 0], dtype=np.float32)
        if self.channel is not None:
            return np.asarray(block[:, self.channel], dtype=np.float32)
        channels = np.ascontiguousarray(block.T)  # contiguous: row sums are several times faster
        mono = channels.mean(axis=0)
        if len(block):
            self._energies.append(np.array([one @ one for one in channels], np.float64) / len(block))
            self._of_sum.append(float(mono @ mono) / len(block) * self.channels**2)
        return np.asarray(mono, dtype=np.float32)

    def cancelled(self) -> int | None:
        """The loudest channel if the channels mostly cancel, else None."""
        if not self._energies:
            return None
        energies = np.stack(self._energies)
        every = energies.sum(axis=1)
        sounds = every > QUIET * every.max(initial=0.0)
        lost = sounds & (np.array(self._of_sum) < LOST * every)
        if lost.sum() < max(1.0, OFTEN * sounds.sum()):
            return None
        return int(energies[lost].sum(axis=0).argmax())
