"""Velocity by model and recording together."""

from __future__ import annotations

import numpy as np
import pytest

from mt3drum.decode.velocity import FEWEST, Strength, measure, revise
from tokenizer.hits import Hit

QUIET = -9.0


def bands_with(strokes: dict[int, float], bed: float = QUIET, frames: int = 100) -> np.ndarray:
    """[frames 8] log amplitude: each stroke rises to a level and falls by 0.5 a frame."""
    bands = np.full((frames, 8), bed)
    for step, level in strokes.items():
        for frame in range(step, frames):
            bands[frame] = np.maximum(bands[frame], level - 0.5 * (frame - step))
    return bands


def test_rise_is_the_energy_that_a_stroke_adds() -> None:
    (one,) = measure(bands_with({20: -2.0}), [20])
    energy = 8 * (np.exp(-4.0) - np.exp(2 * QUIET))
    assert one.rise == pytest.approx(10 * np.log10(energy), abs=1e-6)
    assert one.flux == pytest.approx(-2.0 - QUIET)
    (over,) = measure(bands_with({20: -2.0}, bed=-2.5), [20])  # half as much again as what sounds already
    assert over.rise == pytest.approx(10 * np.log10(8 * (np.exp(-4.0) - np.exp(-5.0))), abs=1e-6)
    assert over.flux == pytest.approx(0.5)


def test_a_stroke_in_louder_sound_keeps_a_floor_and_borders_are_held() -> None:
    falling = np.linspace(-1, -5, 50)[:, None] * np.ones(8)
    (one,) = measure(falling, [25])  # nothing rises there
    assert one.flux == 0.0 and np.isfinite(one.rise)
    assert len(measure(bands_with({0: -1.0, 99: -1.0}), [0, 99])) == 2
    assert measure(bands_with({}), []) == []


def strengths_of(hits: list[Hit], rise: list[float], flux: list[float]) -> dict[tuple[float, int], Strength]:
    return {(h.time, h.drum): Strength(r, f) for h, r, f in zip(hits, rise, flux, strict=True)}


def test_each_opinion_counts_a_third_and_mean_and_spread_stay() -> None:
    velocities = [40, 60, 80, 100] * 3
    hits = [Hit(index * 0.5, 3, velocity) for index, velocity in enumerate(velocities)]
    agreeing = strengths_of(hits, [v / 10 for v in velocities], [v / 50 for v in velocities])
    assert [hit.velocity for hit in revise(hits, agreeing)] == velocities
    against = strengths_of(hits, [-v / 10 for v in velocities], [-v / 50 for v in velocities])
    assert [hit.velocity for hit in revise(hits, against)] == [140 - v for v in velocities]  # two against one
    silent = strengths_of(hits, [1.0] * 12, [2.0] * 12)  # no opinion
    assert [hit.velocity for hit in revise(hits, silent)] == velocities


def test_drums_are_apart_and_rare_ones_left_alone() -> None:
    many = [Hit(index * 0.5, 0, 50 + index) for index in range(FEWEST)]
    few = [Hit(index * 0.5, 1, 90 - index) for index in range(FEWEST - 1)]
    hits = sorted(many + few)
    rise = [float(-hit.velocity) for hit in hits]
    revised = revise(hits, strengths_of(hits, rise, rise))
    assert [h.velocity for h in revised if h.drum == 1] == [h.velocity for h in few]
    assert [h.velocity for h in revised if h.drum == 0] == [h.velocity for h in reversed(many)]
    assert [(h.time, h.drum, h.confidence) for h in revised] == [(h.time, h.drum, h.confidence) for h in hits]


def test_velocities_stay_in_range() -> None:
    hits = [Hit(index * 0.5, 0, 127 if index else 1) for index in range(20)]
    revised = revise(hits, strengths_of(hits, [0.0] * 19 + [90.0], [0.0] * 19 + [9.0]))
    assert all(1 <= hit.velocity <= 127 for hit in revised)
    assert revise([], {}) == []
