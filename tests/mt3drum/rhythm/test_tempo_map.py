"""Tempo maps: as few tempos as keep every beat within 15 ms, and what comes before the first beat."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.tempo_map import TempoMap, tempo_map

FOUR = Meter(4, 4)


def map_of(beats: list[float], first: int = 0, meter: Meter = FOUR) -> tuple[TempoMap, Grid]:
    grid = Grid(tuple(beats), first, meter)
    return tempo_map(grid), grid


def misses(lines: TempoMap, grid: Grid) -> list[float]:
    """Seconds by which each beat of the map lies beside that of the grid."""
    return [there - here for there, here in zip(lines.beats(grid).beats, grid.beats, strict=True)]


def test_a_wavering_tempo_is_followed_within_15_ms() -> None:
    """30 ms to either side of a metronome: one tempo would miss beats by as much."""
    beats = [0.5 * i + 0.03 * math.sin(2 * math.pi * i / 16) for i in range(64)]
    lines, grid = map_of(beats)
    assert max(map(abs, misses(lines, grid))) <= 0.0151
    assert 4 <= len(lines.tempos) <= 20


def test_jitter_below_15_ms_is_no_change_of_tempo() -> None:
    beats = [0.5 * i + (0.006 * (-1) ** i if i else 0.0) for i in range(1, 64)]
    lines, _ = map_of([0.0, *beats])
    assert len(lines.tempos) == 1


@pytest.mark.parametrize(("before", "leading"), [(0.2, 0), (0.24, 0), (0.26, 1), (0.4, 1)])
def test_a_first_beat_late_by_more_than_half_gets_one_of_its_own(before: float, leading: int) -> None:
    """Beats of 0.5 s: what lies before the first one is a beat of its own from 0.25 s on."""
    lines, grid = map_of([before + 0.5 * i for i in range(16)])
    assert lines.lead == leading
    assert lines.place(Fraction(0)) == leading
    if leading:
        assert max(map(abs, misses(lines, grid))) < 1e-4
        assert lines.tempos == pytest.approx((60 / before, 120.0), rel=1e-4)
    else:  # the first beat is stretched to reach second 0
        assert max(map(abs, misses(lines, grid)[1:])) < 1e-4
        assert lines.tempos[0] == pytest.approx(60 / (before + 0.5), rel=1e-4)


def test_six_eight_counts_dotted_quarters() -> None:
    lines, _ = map_of([0.9 * i for i in range(9)], 0, Meter(6, 8))
    assert lines.tempos == pytest.approx((100.0,), rel=1e-5)
    assert lines.meters == ((0, 6, 8),)
    assert lines.time(Fraction(3)) == pytest.approx(1.8)


def test_a_pick_up_makes_a_short_bar() -> None:
    lines, _ = map_of([0.5 * i for i in range(12)], 3)
    assert [(float(place), top, bottom) for place, top, bottom in lines.meters] == [(0, 1, 4), (1, 4, 4)]
    assert lines.lead == -3


def test_the_tempo_map_is_short_and_keeps_the_beats() -> None:
    beats = tuple(0.7 + 0.5 * i + 0.004 * (-1) ** i for i in range(40)) + tuple(
        20.7 + 0.6 * i for i in range(20)
    )
    lines = tempo_map(Grid(beats, 3, Meter(4, 4)))
    assert len(lines.tempos) <= 6
    for number, beat in enumerate(beats):
        place = lines.place((3 + number) * Meter(4, 4).beat_quarters)
        assert lines.time(place) == pytest.approx(beat, abs=0.0151)
        assert lines.quarters(lines.time(place)) == pytest.approx(float(place))
    assert lines.seconds[0] == 0.0
    assert [meter[1:] for meter in lines.meters] == [(2, 4), (4, 4)]
    assert lines.midi_meters[1][0] == pytest.approx(beats[1], abs=0.015)


def test_a_tempo_map_that_starts_on_a_downbeat_has_no_lead() -> None:
    lines = tempo_map(Grid(tuple(0.001 + 0.5 * i for i in range(9)), 0, Meter(4, 4)))
    assert lines.meters == ((0, 4, 4),)
    assert lines.lead == 0
    assert len(lines.tempos) == 1


def test_a_pick_up_in_six_eight() -> None:
    """One dotted quarter before the first whole bar: a bar of 3/8."""
    lines, grid = map_of([0.9 * i for i in range(9)], 1, Meter(6, 8))
    half = Fraction(3, 2)
    assert lines.meters == ((0, 3, 8), (half, 6, 8))
    assert lines.lead == -half
    assert lines.place(half) == 0
    assert [there for _, there, _ in lines.midi_meters] == [3, 6]
    assert lines.midi_meters[1][0] == pytest.approx(0.9)
    assert max(map(abs, misses(lines, grid))) < 1e-4
