"""Patterns on the grid of a song."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.band.song import Song


def pattern(song: Song, rng: np.random.Generator, density: float, offbeat: float = 0.5) -> list[int]:
    """Random steps of one bar; `offbeat` near 1 avoids the beats, near 0 the positions between them."""
    strong = np.arange(song.steps) % song.division == 0
    half = np.arange(song.steps) % song.division == song.division // 2
    weight = np.where(strong, 1 - offbeat, np.where(half, 0.5, 0.3 + 0.4 * offbeat)) * 2 * density
    chosen = np.flatnonzero(rng.random(song.steps) < weight)
    return [int(step) for step in chosen] or [int(rng.integers(song.steps))]


def on_steps(
    song: Song, steps: Sequence[int], rng: np.random.Generator, left_out: float
) -> list[tuple[float, float]]:
    """(time, seconds until the next) of a bar's pattern repeated through the clip, with occasional
    omissions."""
    times = [
        song.time(bar * song.steps + step)
        for bar in song.bars()
        for step in steps
        if rng.random() >= left_out
    ]
    if not times:
        return []
    ends = [*times[1:], times[-1] + song.beat]
    return [(time, end - time) for time, end in zip(times, ends, strict=True)]


def every(song: Song, unit: int) -> list[int]:
    """Steps of one bar at intervals of `unit` grid steps."""
    return list(range(0, song.steps, max(1, unit)))
