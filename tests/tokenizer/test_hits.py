"""Hits, the border rule and the joining of segments."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.hits import Hit, merge_close, one_way_at_a_time, within

HITS = st.lists(
    st.builds(
        Hit,
        st.integers(0, 400).map(lambda step: step / 128),
        st.integers(0, 3),
        st.integers(1, 127),
        st.floats(0, 1),
    ),
    max_size=40,
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((math.nan, 0, 64), "hit time nan is not finite"),
        ((math.inf, 0, 64), "hit time inf is not finite"),
        ((0.0, 26, 64), "hit drum 26 is outside 0..25"),
        ((0.0, -1, 64), "hit drum -1 is outside 0..25"),
        ((0.0, 0, 0), "hit velocity 0 is outside 1..127"),
        ((0.0, 0, 128), "hit velocity 128 is outside 1..127"),
        ((0.0, 0, 64, 1.01), "hit confidence 1.01 is outside 0..1"),
        ((0.0, 0, 64, math.nan), "hit confidence nan is outside 0..1"),
    ],
)
def test_a_hit_checks_its_fields(arguments: tuple[float, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Hit(*arguments)


def test_hits_are_ordered_by_time_then_drum_and_are_fixed() -> None:
    hits = [Hit(1.0, 0, 1), Hit(0.5, 9, 1), Hit(0.5, 2, 127)]
    assert sorted(hits) == [hits[2], hits[1], hits[0]]
    with pytest.raises(FrozenInstanceError):
        hits[0].time = 2.0  # type: ignore[misc]


def test_within_takes_the_start_and_leaves_the_end() -> None:
    hits = [
        Hit(2.0, 0, 1),
        Hit(1.0, 0, 1),
        Hit(math.nextafter(2.0, 0), 0, 1),
        Hit(math.nextafter(1.0, 0), 0, 1),
    ]
    assert within(hits, 1.0, 2.0) == [hits[1], hits[2]]


@given(HITS, st.lists(st.integers(0, 400).map(lambda step: step / 128), max_size=5))
def test_pieces_laid_end_to_end_hold_every_hit_once(hits: list[Hit], cuts: list[float]) -> None:
    borders = [0.0, *sorted(cuts), 4.0]
    pieces = [hit for a, b in pairwise(borders) for hit in within(hits, a, b)]
    assert pieces == sorted(pieces, key=lambda hit: hit.time)
    assert sorted(pieces) == sorted(hits)


def test_merge_close_keeps_the_most_confident_of_one_stroke() -> None:
    first, second = Hit(1.0, 3, 90, 0.4), Hit(1.01, 3, 80, 0.9)
    assert merge_close([first, second], 0.02) == [second]
    assert merge_close([second, first], 0.02) == [second]
    assert merge_close([first, Hit(1.01, 3, 80, 0.3)], 0.02) == [first]


def test_merge_close_keeps_the_earlier_of_equals() -> None:
    assert merge_close([Hit(1.0, 3, 90, 0.5), Hit(1.01, 3, 120, 0.5)], 0.02) == [Hit(1.0, 3, 90, 0.5)]


def test_merge_close_leaves_other_drums_and_the_exact_gap_alone() -> None:
    apart = [Hit(1.0, 3, 90, 0.4), Hit(1.015625, 3, 80, 0.9)]
    assert merge_close(apart, 0.015625) == apart  # binary fractions: the gap is exact
    assert merge_close(apart, math.nextafter(0.015625, 1)) == [apart[1]]
    other = [Hit(1.0, 3, 90, 0.4), Hit(1.0, 4, 80, 0.9)]
    assert merge_close(other, 0.02) == other


@given(HITS, st.integers(0, 32).map(lambda step: step / 128))
def test_merge_close_leaves_no_two_strokes_closer_than_the_gap(hits: list[Hit], gap: float) -> None:
    kept = merge_close(hits, gap)
    assert set(kept) <= set(hits)
    assert {hit.drum for hit in kept} == {hit.drum for hit in hits}
    for drum in range(4):
        times = [hit.time for hit in kept if hit.drum == drum]
        assert all(b - a >= gap for a, b in pairwise(times))
    assert kept == sorted(kept) == merge_close(kept, gap)


class TestOneWayAtATime:
    def test_the_surest_of_one_instrument_stays(self) -> None:
        hits = [Hit(1.0, 1, 90, 0.4), Hit(1.01, 3, 90, 0.9), Hit(1.02, 2, 90, 0.5)]
        assert one_way_at_a_time(hits, 0.03) == [hits[1]]

    def test_other_instruments_flams_and_the_pedal_stay(self) -> None:
        hits = [Hit(1.0, 0, 90), Hit(1.0, 1, 90), Hit(1.01, 4, 90), Hit(1.02, 1, 60), Hit(1.02, 8, 60)]
        assert one_way_at_a_time(hits, 0.03) == sorted(hits)

    def test_the_gap_itself_is_far_enough(self) -> None:
        hits = [Hit(1.0, 1, 90), Hit(1.5, 3, 90)]
        assert one_way_at_a_time(hits, 0.5) == hits
        assert len(one_way_at_a_time(hits, 0.500001)) == 1
