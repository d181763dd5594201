"""Beats, meter and downbeats of grooves whose beats are known, and none where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from mt3drum.rhythm.estimate import SMOOTH, UNHEARD, _smooth, estimate
from mt3drum.rhythm.grid import Meter
from tests.grooves import ROCK, SHUFFLE, SIX_EIGHT, SIXTEENTHS, WALTZ, drifting, played, steady
from tokenizer.hits import Hit


def distance(found: tuple[float, ...], truth: list[float]) -> float:
    """Largest distance of a true beat from the nearest found one."""
    return float(max(np.abs(np.array(found) - beat).min() for beat in truth))


def test_a_rock_beat_with_human_timing() -> None:
    hits, beats = played(ROCK, 10, steady(118.0, 0.4), 4)
    grid = estimate(hits, 22.0)
    assert grid is not None
    assert grid.meter == Meter(4, 4)
    assert grid.bpm == pytest.approx(118, rel=0.003)
    assert distance(grid.beats, beats) < 0.012
    assert distance(grid.downbeats, beats[::4]) < 0.012
    assert all(abs(np.array(beats[::4]) - down).min() < 0.012 for down in grid.downbeats if down < 20)
    assert grid.beats[0] < 60 / 118
    assert 22.0 - grid.beats[-1] < 60 / 118
    assert grid.steadiness > 0.7


def test_doubt_and_softness_do_not_halve_the_tempo() -> None:
    pattern = {"kick": "X...X...", "snare_head": "..X...X.", "crash1": "X.X.X.X."}
    hits, _ = played(pattern, 12, steady(150.0), 4)
    doubtful = [Hit(hit.time, hit.drum, hit.velocity * 2 // 5, 0.4) for hit in hits]
    grid = estimate(doubtful)
    assert grid is not None
    assert grid.bpm == pytest.approx(150, rel=0.005)


def test_a_drift_of_two_percent_is_followed() -> None:
    def drifting(beat: float) -> float:
        return beat * 0.5 + 0.5 * 0.02 / (2 * np.pi / 16) * np.sin(2 * np.pi * beat / 16)

    hits, beats = played(ROCK, 10, drifting, 4, seed=1)
    grid = estimate(hits)
    assert grid is not None
    assert distance(grid.beats, beats) < 0.02
    assert distance(grid.downbeats, beats[::4]) < 0.02


@pytest.mark.parametrize("bpm", [210.0, 213.5])
def test_drift_leaves_the_median_tempo_right(bpm: float) -> None:
    """The search changes tempo in steps; left in the beats, they put the median 1 % off."""
    hits, beats = played(SIXTEENTHS, 12, drifting(bpm), 4, jitter=0.008, seed=int(2 * bpm))
    grid = estimate(hits)
    assert grid is not None
    assert grid.bpm == pytest.approx(60 / np.median(np.diff(beats)), rel=0.007)
    assert distance(grid.beats, beats) < 0.01


def test_smoothed_beats_solve_the_penalised_least_squares() -> None:
    """Strokes within 50 ms of a beat pull it, by their confidence; second differences are held against it."""
    rng = np.random.default_rng(5)
    rough = np.cumsum(rng.uniform(0.45, 0.55, 9))
    hits = [Hit(float(beat + rng.normal(0, 0.01)), 0, 100, float(rng.uniform(0.2, 1))) for beat in rough[:8]]
    far = [Hit(float(rough[3] + 0.06), 0, 100), Hit(float(rough[5] - 0.24), 0, 100)]
    second = np.zeros((7, 9))
    for row in range(7):
        second[row, row : row + 3] = 1, -2, 1
    weight = np.array([*(hit.confidence for hit in hits), 0.0])
    struck = np.array([*(hit.time for hit in hits), 0.0])
    beats = np.linalg.solve(
        np.diag(weight + UNHEARD) + SMOOTH * second.T @ second, weight * struck + UNHEARD * rough
    )
    assert _smooth(sorted([*hits, *far]), rough) == pytest.approx(beats, abs=1e-9)


@pytest.mark.parametrize(
    ("pattern", "bpm", "per_bar", "meter"),
    [(WALTZ, 130.0, 3, "3/4"), (SIX_EIGHT, 60.0, 2, "6/8"), (SHUFFLE, 126.0, 4, "4/4")],
)
def test_other_meters(pattern: dict[str, str], bpm: float, per_bar: int, meter: str) -> None:
    hits, beats = played(pattern, 10, steady(bpm), per_bar)
    grid = estimate(hits)
    assert grid is not None
    assert str(grid.meter) == meter
    assert distance(grid.beats, beats) < 0.015
    assert distance(grid.downbeats, beats[::per_bar]) < 0.015


CROSSED = {  # what stands on the beat is told from what stands between by the kick and the phrase
    "polka": ({"kick": "X.X.X.X.", "snare_head": ".X.X.X.X", "hihat_closed": ".X.X.X.X"}, (90, 120, 150)),
    "skank": ({"kick": "X.X.X.X.", "snare_head": ".X.X.X.X", "hihat_closed": "XXXXXXXX"}, (130, 150, 180)),
    "kick first": (
        {"kick": "X.X.X.X.X.X.X.X.", "snare_head": ".X.X.X.X.X.X.X.X", "ride": "X.X.X.X.X.X.X.X."},
        (200, 220, 240),
    ),
    "snare first": (
        {"kick": ".X.X.X.X.X.X.X.X", "snare_head": "X.X.X.X.X.X.X.X.", "ride": "X.X.X.X.X.X.X.X."},
        (220, 260),
    ),
}


@pytest.mark.parametrize(
    ("name", "bpm"), [(name, bpm) for name, (_, tempos) in CROSSED.items() for bpm in tempos]
)
def test_kick_and_snare_in_turn(name: str, bpm: float) -> None:
    """Polka, double-time skank and blast beats: beats on the kick, or where the phrase begins, in 4/4."""
    hits, beats = played(CROSSED[name][0], 12, steady(bpm, 0.5), 4, jitter=0.003)
    grid = estimate(hits)
    assert grid is not None
    assert grid.meter == Meter(4, 4)
    assert grid.bpm == pytest.approx(bpm, rel=0.01)
    assert distance(grid.beats, beats) < 0.02
    assert distance(grid.downbeats, beats[::4]) < 0.02


def test_a_pick_up_bar() -> None:
    hits, beats = played(ROCK, 9, steady(100.0), 4, first_beat=3, seed=2)
    shift = beats[0] - 0.1
    hits = [Hit(hit.time - shift, hit.drum, hit.velocity) for hit in hits]
    grid = estimate(hits)
    assert grid is not None
    assert distance(grid.downbeats, [beat - shift for beat in beats[1::4]]) < 0.015
    assert grid.first == 3
    assert all(grid.position(hit.time) >= 0 for hit in hits)


def test_no_grid_where_nothing_is_steady() -> None:
    rng = np.random.default_rng(3)
    hits, _ = played(ROCK, 8, steady(118.0), 4)
    at_random = [
        Hit(float(t), h.drum, h.velocity) for t, h in zip(rng.uniform(0, 16, len(hits)), hits, strict=True)
    ]
    assert estimate(at_random) is None
    blurred = [Hit(max(0.0, h.time + rng.normal(0, 0.1)), h.drum, h.velocity) for h in hits]
    assert estimate(blurred) is None
    assert estimate(hits[:10]) is None
    assert estimate([]) is None


def test_what_the_user_knows_overrules() -> None:
    hits, beats = played(ROCK, 8, steady(120.0), 4)
    half = estimate(hits, bpm=60, meter=Meter(2, 4))
    assert half is not None
    assert half.bpm == pytest.approx(60, rel=0.01)
    assert half.meter == Meter(2, 4)
    three = estimate(hits, meter=Meter(3, 4))
    assert three is not None
    assert three.meter == Meter(3, 4)
    assert three.bpm == pytest.approx(120, rel=0.01)
    assert distance(three.beats, beats) < 0.02
    assert len(three.downbeats) == pytest.approx(len(beats) / 3, abs=1)
    rng = np.random.default_rng(4)
    loose = [Hit(max(0.0, h.time + rng.normal(0, 0.1)), h.drum, h.velocity) for h in hits]
    found = estimate(loose, bpm=120)
    assert found is not None
    assert found.bpm == pytest.approx(120, rel=0.06)


@pytest.mark.parametrize("meter", ["2/4", "3/4", "5/4", "6/4", "7/4"])
@pytest.mark.parametrize("bpm", [97.0, 148.0])
def test_a_meter_says_nothing_of_the_tempo(meter: str, bpm: float) -> None:
    """A rock beat in bars of any number of beats: the beats stay, only the bars differ."""
    hits, beats = played(ROCK, 8, steady(bpm), 4)
    grid = estimate(hits, meter=Meter.parse(meter))
    assert grid is not None
    assert str(grid.meter) == meter
    assert grid.bpm == pytest.approx(bpm, rel=0.01)
    assert distance(grid.beats, beats) < 0.02


def test_a_meter_of_another_beat_finds_its_own() -> None:
    """Straight eighths cannot be thirds of their own beat: three of them make the beat of 6/8."""
    hits, _ = played(
        {"kick": "X.....", "snare_head": "...X..", "hihat_closed": "XXXXXX"}, 12, steady(100.0), 3
    )
    grid = estimate(hits, meter=Meter(6, 8))
    assert grid is not None
    assert grid.bpm == pytest.approx(100 * 2 / 3, rel=0.01)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_a_given_tempo_is_kept(factor: float) -> None:
    hits, _ = played(ROCK, 8, steady(120.0), 4)
    for meter in (None, Meter(3, 4), Meter(4, 4)):
        grid = estimate(hits, bpm=120 * factor, meter=meter)
        assert grid is not None
        assert grid.bpm == pytest.approx(120 * factor, rel=0.01)


def test_a_known_tempo_needs_no_number_of_strokes() -> None:
    few = estimate([Hit(1.3, 0, 100), Hit(1.8, 1, 100)], 4.0, bpm=120, meter=Meter(3, 4))
    assert few is not None
    assert few.beats == pytest.approx([0.3 + 0.5 * i for i in range(8)])
    assert few.downbeats == pytest.approx([1.3, 2.8])
    nothing = estimate([], 2.0, bpm=60)
    assert nothing is not None
    assert nothing.beats == pytest.approx([0, 1, 2])


def test_wrong_tempos_are_named() -> None:
    with pytest.raises(ValueError, match="tempo 5 is outside 20..500"):
        estimate([], bpm=5)
