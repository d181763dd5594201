"""Velocity by model and recording together."""

from __future__ import annotations

import math
from typing import Any

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


def test_which_frames_are_measured() -> None:
    """The loudest of the frames -1 to 2 over the mean level of the frames -4 to -2, band by band."""
    bands = np.full((20, 2), math.log(0.1))
    bands[12, 0], bands[9, 1], bands[6, 0] = math.log(1.0), math.log(0.5), math.log(0.4)
    bands[[5, 13]] = math.log(10.0)
    ((rise, flux),) = measure(bands, [10])
    before = math.exp((math.log(0.4) + 2 * math.log(0.1)) / 3)
    energy = 1.0 + 0.25 - before**2 - 0.1**2
    assert rise == pytest.approx(10 * math.log10(energy))
    assert flux == pytest.approx((math.log(1.0 / before) + math.log(0.5 / 0.1)) / 2)


def test_at_the_edges_and_without_a_rise() -> None:
    falling = np.linspace(1.0, -1.0, 20)[:, None].repeat(3, axis=1)
    (first, last) = measure(falling, [0, 19])
    assert first.rise == pytest.approx(10 * math.log10(3 * math.exp(2.0)) - 30) and first.flux == 0.0
    level = falling[18, 0]  # the loudest of 18 and 19; before: 15 to 17
    assert last.rise == pytest.approx(10 * math.log10(3 * math.exp(2 * level)) - 30) and last.flux == 0.0
    assert measure(falling, []) == []


@pytest.mark.parametrize(
    ("count", "rises", "wanted"),
    [
        (8, lambda v: v, lambda v: v),  # what agrees changes nothing
        (8, lambda v: -v, lambda v: [45] * len(v)),  # what contradicts leaves the mean
        (7, lambda v: -v, lambda v: v),  # too few strokes
    ],
)
def test_eight_strokes_of_a_drum_are_revised(count: int, rises: Any, wanted: Any) -> None:
    model = np.arange(10, 10 * count + 1, 10)
    hits = [Hit(0.5 * i, 3, int(v), 0.7) for i, v in enumerate(model)]
    strengths = {(h.time, 3): Strength(float(r), 2.0) for h, r in zip(hits, rises(model), strict=True)}
    revised = revise(hits, strengths)
    assert [h.velocity for h in revised] == list(wanted(model))
    assert [(h.time, h.drum, h.confidence) for h in revised] == [(h.time, h.drum, h.confidence) for h in hits]


def test_revised_velocities_stay_in_bounds() -> None:
    """One stroke far above the others: 0.7 of their spread below the mean is below 1."""
    model = [1] * 7 + [127]
    hits = [Hit(0.5 * i, 0, v) for i, v in enumerate(model)]
    strengths = {(h.time, 0): Strength(-1.0 if i == 3 else 0.0, 0.0) for i, h in enumerate(hits)}
    found = [h.velocity for h in revise(hits, strengths)]
    assert min(found) == 1 and max(found) <= 127 and found[3] == 1
