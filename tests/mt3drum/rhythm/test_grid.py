"""Meters, and places of a grid."""

from __future__ import annotations

import pytest

from mt3drum.rhythm.grid import Grid, Meter


def test_wrong_meters_are_named() -> None:
    with pytest.raises(ValueError, match="meter 4/3 is not one of"):
        Meter.parse("4/3")
    with pytest.raises(ValueError, match="meter 'four' is not of the form 4/4"):
        Meter.parse("four")
    for text in ("4", "4/4/4", "-4/4", ""):
        with pytest.raises(ValueError, match="is not of the form 4/4"):
            Meter.parse(text)
    assert str(Meter.parse(" 6 / 8 ")) == "6/8"


def test_a_grid_is_steady_until_measured() -> None:
    grid = Grid((0.0, 0.5, 1.0, 1.6), 0, Meter(4, 4))
    assert grid.steadiness == 1.0
    assert grid.bpm == pytest.approx(120)


def test_places_beyond_the_grid_go_on_at_its_pace() -> None:
    grid = Grid((1.0, 1.5, 2.1), 2, Meter(4, 4))
    assert grid.position(0.5) == pytest.approx(1.0)
    assert grid.position(2.7) == pytest.approx(5.0)
    assert grid.seconds(1.0) == pytest.approx(0.5)
    assert grid.seconds(5.0) == pytest.approx(2.7)
    assert grid.seconds(3.5) == pytest.approx(1.8)


def test_a_stroke_before_the_grid_gets_a_bar() -> None:
    grid = Grid((1.0, 1.5, 2.0), 0, Meter(4, 4))
    assert grid.reaching(0.95) is grid
    assert grid.reaching(0.6).first == 4
    assert grid.reaching(0.6).position(0.6) == pytest.approx(3.2)
    assert grid.reaching(0.6).downbeats == grid.downbeats


def test_meters_count_their_beats() -> None:
    meters = [Meter.parse(text) for text in ("4/4", "6/8", "7/8")]
    assert [(m.beats, float(m.beat_quarters), float(m.bar_quarters)) for m in meters] == [
        (4, 1.0, 4.0),
        (2, 1.5, 3.0),
        (7, 0.5, 3.5),
    ]


def test_positions_and_seconds_are_inverse() -> None:
    grid = Grid((0.3, 0.8, 1.4, 2.0), 1, Meter(4, 4))
    for seconds in (0.0, 0.3, 0.5, 1.9, 3.0):
        assert grid.seconds(grid.position(seconds)) == pytest.approx(seconds)
    assert grid.position(0.3) == 1
    assert grid.downbeats == (2.0,)
