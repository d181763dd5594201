"""Side-chain compression: gain dips at the kicks, or at the beats of a song without kicks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.band.song import Song
from data.dsp.tones import Audio
from mt3drum.config import SAMPLE_RATE


@dataclass(frozen=True)
class DuckConfig:
    """The shape of a dip."""

    depth: tuple[float, float] = (0.4, 0.95)
    """Share of the level removed: from glue to the pumping of French house."""
    recovery: tuple[float, float] = (0.1, 0.4)
    """Recovery time in seconds: an eighth to a quarter note at 150 to 75 bpm."""
    curve: tuple[float, float] = (0.6, 2.5)
    """Exponent of the recovery curve."""


def duck(
    samples: int, times: Sequence[float], rng: np.random.Generator, config: DuckConfig | None = None
) -> Audio:
    """Gain curve [samples] with a dip at each time (seconds); where dips overlap, the lower one applies."""
    config = config or DuckConfig()
    gain = np.ones(samples, dtype=np.float32)
    depth, recovery = rng.uniform(*config.depth), int(rng.uniform(*config.recovery) * SAMPLE_RATE)
    way = np.arange(recovery, dtype=np.float32) / recovery
    dip = (1 - np.float32(depth) * (1 - way ** np.float32(rng.uniform(*config.curve)))).astype(np.float32)
    for time in times:
        start = max(0, round(time * SAMPLE_RATE))
        part = dip[: max(0, samples - start)]
        gain[start : start + len(part)] = np.minimum(gain[start : start + len(part)], part)
    return gain


def pump(song: Song, rng: np.random.Generator) -> list[float]:
    """Times that trigger the ducking: the kicks, or every beat of a song without them (a silent trigger)."""
    if song.kicks and rng.random() < 0.6:
        return list(song.kicks)
    return np.arange(song.start, song.seconds, song.beat).tolist()
