"""Ruffs, drags and rolls among strokes that are too close to be notes."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mt3drum.rhythm.figures import find_figures
from mt3drum.rhythm.grid import Grid, Meter
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit

SNARE, TOM, KICK = (CLASS_INDEX[name] for name in ("snare_head", "tom1_head", "kick"))
GRID = Grid(tuple(0.5 * i for i in range(9)), 0, Meter(4, 4))


def strokes(start: float, gap: float, velocities: list[int], drum: int = SNARE) -> list[Hit]:
    return [Hit(start + gap * i, drum, velocity) for i, velocity in enumerate(velocities)]


@pytest.mark.parametrize("before", [2, 3])
def test_two_or_three_light_strokes_before_a_loud_one(before: int) -> None:
    hits = strokes(1.0, 0.03, [40] * before + [100])
    found = find_figures(hits, GRID)
    assert found.rest == hits[-1:]
    assert found.graces == {hits[-1]: tuple(hits[:-1])}
    assert not found.rolls and found.led == {hits[-1]}


@pytest.mark.parametrize(
    "hits",
    [
        strokes(1.0, 0.03, [40, 100]),  # a flam is found by its place
        strokes(1.0, 0.03, [40, 100, 60]),  # does not end in its loudest stroke
        strokes(1.0, 0.046, [40, 40, 100]),  # too slow
        strokes(1.0, 0.0, [40] * 6),  # all at one time: several readings of one stroke
        strokes(1.0, 0.03, [90] * 8, KICK),  # feet have no rolls
        [Hit(1.0, SNARE, 40), Hit(1.03, TOM, 40), Hit(1.06, SNARE, 100), Hit(1.09, TOM, 100)],
    ],
)
def test_what_is_no_figure(hits: list[Hit]) -> None:
    found = find_figures(hits, GRID)
    assert found.rest == hits and not found.led


def test_a_roll_is_cut_at_the_beats_and_ends_on_a_quarter_of_one() -> None:
    """40 ms a stroke: twelve strokes in the third beat, seven in the fourth, up to its half."""
    hits = strokes(1.01, 0.04, [80] * 19)
    found = find_figures(hits, GRID)
    (first, second) = found.rolls
    assert (first.time, second.time) == pytest.approx((1.01, 1.49))
    assert (len(found.rolls[first]), len(found.rolls[second])) == (11, 6)
    assert found.rest == [first, second]
    assert found.until(first) == 3
    assert found.until(second) == Fraction(7, 2)
    assert found.until(hits[3]) is None


def test_a_stroke_a_little_before_the_beat_begins_its_part_of_the_roll() -> None:
    """10 ms early, where the one before lies 30 ms before the beat: nearer to the beat than to that."""
    hits = strokes(0.69, 0.04, [80] * 12)  # 0.97 is the third beat's less half a stroke
    assert [hit.time for hit in find_figures(hits, GRID).rolls] == pytest.approx([0.69, 1.01])
    early = strokes(0.67, 0.04, [80] * 12)  # 0.99
    assert [hit.time for hit in find_figures(early, GRID).rolls] == pytest.approx([0.67, 0.99])
    less = strokes(0.659, 0.04, [80] * 12)  # 0.979: a millisecond nearer to the stroke before
    assert [hit.time for hit in find_figures(less, GRID).rolls] == pytest.approx([0.659, 1.019])


def test_a_roll_in_six_eight_ends_on_a_sixth_of_its_beat() -> None:
    grid = Grid(tuple(0.9 * i for i in range(5)), 0, Meter(6, 8))
    hits = strokes(0.0, 0.04, [80] * 10)  # to 0.36 s: two and a half sixths of 0.15 s
    assert list(find_figures(hits, grid).ends.values()) == [Fraction(3, 6) * Fraction(3, 2)]
