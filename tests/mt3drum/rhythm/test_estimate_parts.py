"""Steps of the estimate of beats, one by one."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from mt3drum.rhythm import estimate as steps
from mt3drum.rhythm.bar_pointer import BAND, BeatPath, bands
from mt3drum.rhythm.estimate import ON_BEAT, UNHEARD, estimate
from mt3drum.rhythm.grid import Meter
from tests.grooves import ROCK, played, steady
from tokenizer.hits import Hit


def test_bands_overlap_by_half_and_cover_the_range() -> None:
    found = bands(0.2, 1.9)
    assert found[0][0] == pytest.approx(0.2)
    assert found[-1][1] == pytest.approx(1.9)
    for (low, high), (after, end) in pairwise(found):
        assert low < after < high < end
        assert after == pytest.approx(math.sqrt(low * high))
    assert all(1.2 < high / low <= BAND for low, high in found)
    assert bands(0.5, 0.51) == (pytest.approx((0.5, 0.51)),)


def test_given_tempos_and_meters_limit_the_beats() -> None:
    (only,) = steps._ranges(120.0, None)
    assert only == pytest.approx((0.5 / 1.06, 0.5 * 1.06))
    assert steps._ranges(None, None) == bands(0.2, 1.9)
    assert steps._ranges(None, Meter(7, 8))[0][0] < 0.2
    assert steps._ranges(None, Meter(7, 8))[-1][1] == pytest.approx(0.5)


def test_beats_go_on_to_both_ends() -> None:
    beats, first = steps._extend(np.array([1.0, 1.5, 2.0, 2.6]), 1, 4.0, 4)
    assert beats == pytest.approx([1.0 - 1.6 / 3, 1.0, 1.5, 2.0, 2.6, 2.6 + 1.6 / 3, 2.6 + 3.2 / 3])
    assert len(beats) == 7
    assert first == 0
    long, _ = steps._extend(np.array([0.1, 0.6, 1.1, 1.6, 2.1, 3.1]), 0, 4.5, 4)
    assert long == pytest.approx([0.1, 0.6, 1.1, 1.6, 2.1, 3.1, 3.1 + 2.5 / 4, 3.1 + 5 / 4])
    cut, first = steps._extend(np.array([-0.6, -0.1, 0.4, 0.9, 1.4, 1.9, 2.4]), 0, 1.3, 4)
    assert cut == pytest.approx([0.4, 0.9, 1.4])
    assert first == 2
    short, first = steps._extend(np.array([-0.005, 0.5]), 3, 0.1, 4)
    assert short == pytest.approx([0.0, 0.5])
    assert first == 3
    assert steps._extend(np.array([0.3, 0.9]), 0, 0.2, 4) == (pytest.approx([0.3, 0.9]), 0)  # two remain
    exact, _ = steps._extend(np.array([0.25, 0.5, 0.75]), 0, 1.25, 4)
    assert exact == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0, 1.25])


def test_refined_beats_are_local_lines_through_their_strokes() -> None:
    rng = np.random.default_rng(2)
    rough = np.arange(12) * 0.5
    times = np.sort(np.concatenate([rough[:11] + rng.normal(0, 0.01, 11), rough[3:6] + 0.25, [4.5 + 0.051]]))
    weights = rng.uniform(0.3, 1.0, len(times))
    index = np.round(times / 0.5).astype(int)
    late = times - rough[index]
    on = np.abs(late) < ON_BEAT
    assert on.sum() == 11
    refined = steps._refine(times, weights, rough)
    for beat in range(12):
        at = np.concatenate([index[on], np.arange(12)]) - beat
        gap = np.concatenate([late[on], np.zeros(12)])
        weight = np.concatenate([weights[on], np.full(12, UNHEARD)]) * np.exp(-0.5 * (at / 2) ** 2)
        weight = np.where(np.abs(at) <= 6, weight, 0.0)
        line = np.polyfit(at, gap, 1, w=np.sqrt(weight))
        assert refined[beat] == pytest.approx(rough[beat] + line[1], abs=1e-9)


@pytest.mark.parametrize("parts", [2, 3, 4, 6])
def test_strokes_on_subdivisions_are_steady(parts: int) -> None:
    beats = np.array([0.0, 0.5, 1.1, 1.6])
    times = np.interp(np.arange(3 * parts) / parts, np.arange(4), beats)
    hits = [Hit(float(time), 0, 100) for time in times]
    assert steps._steadiness(hits, beats) == pytest.approx(1.0)
    apart = [Hit(0.0, 0, 100), Hit(0.1, 0, 100)]  # a fifth of a beat: best in sixths
    assert steps._steadiness(apart, np.array([0.0, 0.5, 1.0])) == pytest.approx(math.cos(math.pi / 5))


def test_candidates_of_one_tempo_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of paths within 4 % the likeliest is kept; each also with its off-beats."""
    hits = [Hit(0.25 * i, (0, 1)[i % 2], 100) for i in range(40)]
    paths = [
        BeatPath(1.0, tuple(np.arange(21) * 0.505)),
        BeatPath(3.0, tuple(np.arange(21) * 0.5)),
        BeatPath(2.0, tuple(np.arange(41) * 0.25)),
        BeatPath(0.0, (0.0, 9.9)),
    ]
    seen: list[np.ndarray] = []

    def readings(
        _times: object, _roles: object, series: list[np.ndarray], *_: object, **__: object
    ) -> list[int]:
        seen.extend(series)
        return [0]

    monkeypatch.setattr(steps, "likeliest", lambda *_: paths)
    monkeypatch.setattr(steps, "_refine", lambda _times, _weights, rough: rough)
    monkeypatch.setattr(steps, "readings", readings)
    steps._best(hits, np.zeros(40, int), ((0.2, 1.9),), None, use_tempo=True)
    assert [len(beats) for beats in seen] == [21, 20, 41, 40, 2]
    assert seen[1] == pytest.approx(np.arange(20) * 0.5 + 0.25)


def test_a_metronome_for_few_strokes() -> None:
    grid = steps._straight([Hit(0.7, 0, 100)], 2.0, 120.0, Meter(3, 4))
    assert grid.beats == pytest.approx((0.2, 0.7, 1.2, 1.7))
    assert grid.downbeats == pytest.approx((0.7,))
    assert steps._straight([], 0.0, 60.0, Meter(4, 4)).beats == pytest.approx((0.0, 1.0))


def test_strokes_needed() -> None:
    hits, _ = played(ROCK, 8, steady(120.0), 4)
    assert estimate(hits[:15]) is None
    assert estimate([Hit(hit.time / 20, hit.drum, hit.velocity) for hit in hits]) is None  # within 0.8 s
    hours = [Hit(hit.time * 500, hit.drum, hit.velocity) for hit in hits]
    assert hours[-1].time > steps.MAX_SECONDS
    assert estimate(hours, bpm=120.0) is None


def test_after_the_trial_beats_stay_near_its_tempo(monkeypatch: pytest.MonkeyPatch) -> None:
    hits, beats = played(ROCK, 12, steady(120.0), 4)
    monkeypatch.setattr(steps, "TRIAL", 8.0)
    grid = estimate(hits)
    assert grid is not None
    assert grid.bpm == pytest.approx(120, rel=0.002)
    assert max(np.abs(np.array(grid.beats) - beat).min() for beat in beats) < 0.012
