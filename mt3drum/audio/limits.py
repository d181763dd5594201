"""Limits on audio input, and the error for unreadable audio."""

from __future__ import annotations

MIN_RATE, MAX_RATE = 4_000, 384_000  # Hz
MAX_CHANNELS = 32
BLOCK = 65_536
"""Frames processed at once."""


class AudioError(ValueError):
    """Audio cannot be read; the message names the file, the reason and the remedy."""


def check(rate: float, channels: int, name: str) -> None:
    """
    Raises:
        AudioError: the rate or the number of channels is out of range.
    """
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(
            f"{name}: sample rate {rate:g} Hz is outside {MIN_RATE}..{MAX_RATE}; resample it first"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"{name}: {channels} channels, at most {MAX_CHANNELS} are read; mix it down first")
