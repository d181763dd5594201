"""Read a sample of one drum, and measure it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from mt3drum.audio.downmix import Downmix
from mt3drum.audio.drum_samples import cut_strokes
from mt3drum.audio.limits import AudioError
from mt3drum.audio.recording import SILENCE, mono, open_raw
from mt3drum.config import SAMPLE_RATE

MAX_FILE_BYTES = 64 << 20
MAX_SECONDS = 30.0
"""Per file; the renderer's kits have the same limit."""
LOUDNESS_SECONDS = 0.15
"""From the attack: the time in which a stroke is heard as one sound."""
_END_DB = -60.0  # relative to the peak, as in reverberation times
_BLOCK = SAMPLE_RATE // 100


class Facts(NamedTuple):
    """What is measured of a sample."""

    peak_db: float
    """dB of full scale."""
    loudness_db: float
    """RMS of the first `LOUDNESS_SECONDS` from the attack, in dB of full scale."""
    attack_ms: float
    """Time from 10 % to 90 % of the peak of the first 200 ms."""
    seconds: float
    """From the attack to where the level stays 60 dB below the peak."""
    strokes: int
    """How many strokes are in the file."""


def read_sample(path: Path) -> np.ndarray:
    """Mono float32 at 44.1 kHz. Reading stops at `MAX_SECONDS`, whatever the file holds.

    Raises:
        AudioError: the file cannot be read, is silent, or too long or large for a sample.
    """
    limit = f"at most {MAX_SECONDS:g} s and {MAX_FILE_BYTES >> 20} MiB are read"
    source = open_raw(path)
    if path.stat().st_size > MAX_FILE_BYTES:
        raise AudioError(f"{path}: too large for a sample of one drum; {limit}")
    blocks, samples = [], 0
    for block in mono(source.blocks([]), source.rate, str(path), [], Downmix()):
        blocks.append(block)
        samples += len(block)
        if samples > MAX_SECONDS * SAMPLE_RATE:
            raise AudioError(f"{path}: too long for a sample of one drum; {limit}")
    audio = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if not samples or float(np.abs(audio).max()) <= SILENCE:
        raise AudioError(f"{path}: silent, or its channels cancel one another")
    return audio


def measure(audio: np.ndarray) -> Facts:
    """Facts of non-silent audio [n]."""
    height = np.abs(audio)
    peak = float(height.max())
    head = height[: _onset(height) + SAMPLE_RATE // 5]
    start = int(np.argmax(head >= 0.1 * head.max()))
    full = int(np.argmax(head >= 0.9 * head.max()))
    early = audio[start : start + round(LOUDNESS_SECONDS * SAMPLE_RATE)].astype(np.float64)
    padded = np.pad(height[start:], (0, -len(height[start:]) % _BLOCK)).reshape(-1, _BLOCK).max(axis=1)
    sounding = np.flatnonzero(padded >= peak * 10 ** (_END_DB / 20))
    last = min(len(audio) - start, (int(sounding[-1]) + 1) * _BLOCK)
    return Facts(
        peak_db=_db(peak),
        loudness_db=_db(float(np.sqrt((early**2).mean()))),
        attack_ms=round(1000 * (full - start) / SAMPLE_RATE, 2),
        seconds=round(last / SAMPLE_RATE, 3),
        strokes=len(cut_strokes(audio)),
    )


def _onset(height: np.ndarray) -> int:
    """First sample over 6 % of the peak."""
    return int(np.argmax(height >= 0.06 * height.max()))


def _db(value: float) -> float:
    return round(20 * float(np.log10(max(value, SILENCE))), 1)
