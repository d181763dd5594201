"""Hits on a grid: nothing lost, raw times kept, swing kept as data."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Literal

import pytest

from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.quantise import Score, quantise
from tests.grooves import ROCK, SHUFFLE, SIX_EIGHT, played, steady
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit

KICK, SNARE, HAT = (CLASS_INDEX[name] for name in ("kick", "snare_head", "hihat_closed"))
GRID = Grid(tuple(0.5 * i for i in range(33)), 0, Meter(4, 4))


def test_jitter_of_10_ms_goes_and_nothing_is_lost() -> None:
    hits, _ = played(ROCK, 8, steady(120.0), 4)
    exact, _ = played(ROCK, 8, steady(120.0), 4, jitter=0.0)
    score = quantise(hits, GRID)
    assert score.dropped == ()
    assert score.swing_unit == 0
    assert Counter(note.hit for note in score.notes) == Counter(hits)  # the strokes as they were played
    moved = score.hits()
    assert [(h.drum, h.velocity) for h in sorted(moved)] == [(h.drum, h.velocity) for h in sorted(exact)]
    assert [h.time for h in moved] == pytest.approx([h.time for h in sorted(exact)])


def test_swing_is_kept_as_data() -> None:
    pattern = {"kick": "X...X...", "snare_head": "..X...X.", "hihat_closed": "XxXxXxXx"}
    hits, _ = played(pattern, 8, steady(120.0), 4, swing=0.62, jitter=0.005)
    score = quantise(hits, GRID)
    assert score.swing_unit == 8
    assert score.swing == pytest.approx(0.62, abs=0.01)
    assert {note.position % 1 for note in score.notes} == {Fraction(0), Fraction(1, 2)}
    off = [hit.time % 0.5 for hit in score.hits() if hit.time % 0.5 > 0.1 and hit.time % 0.5 < 0.45]
    assert off == pytest.approx([0.31] * len(off), abs=0.006)
    assert len(score.notes) == len(hits)


def test_swung_sixteenths() -> None:
    pattern = {
        "kick": "X.....X...X.....",
        "snare_head": "....X.......X..g",
        "hihat_closed": "XxxxXxxxXxxxXxxx",
    }
    hits, _ = played(pattern, 8, steady(100.0), 4, swing=0.6, jitter=0.004)
    grid = Grid(tuple(0.6 * i for i in range(33)), 0, Meter(4, 4))
    score = quantise(hits, grid)
    assert score.swing_unit == 16
    assert score.swing == pytest.approx(0.6, abs=0.01)
    assert {note.position % 1 for note in score.notes} == {Fraction(i, 4) for i in range(4)}


@pytest.mark.parametrize(
    ("bpm", "swing", "pattern"),
    [
        (200.0, 0.55, {"kick": "XXXXXXXXXXXXXXXX", "snare_head": "....X.......X..."}),  # speed metal
        (150.0, 0.57, {"kick": "X.......X.......", "hihat_closed": "XxxxXxxxXxxxXxxx"}),
        (120.0, 0.54, {"kick": "X.......X.......", "hihat_closed": "x.x.x.x.x.x.x.x."}),  # a drummer's feel
    ],
)
def test_swing_is_said_only_of_notes_that_are_clearly_late(
    bpm: float, swing: float, pattern: dict[str, str]
) -> None:
    hits, _ = played(pattern, 8, steady(bpm), 4, swing=swing, jitter=0.004)
    score = quantise(hits, Grid(tuple(60 / bpm * i for i in range(33)), 0, Meter(4, 4)))
    assert score.swing_unit == 0
    assert {note.position * 4 % 1 for note in score.notes} == {0}


def test_swing_needs_long_and_short_notes_in_turn() -> None:
    """Strokes between the beats alone, all late, are no swing: nothing is long beside them."""
    hits = [Hit(0.5 * i + 0.32, SNARE, 90) for i in range(32)]
    assert quantise(hits, GRID).swing_unit == 0


def test_a_shuffle_with_triplets_is_written_as_triplets() -> None:
    pattern = {"kick": "X.....X.....", "snare_head": "...X.....X..", "hihat_closed": "XxxXxxXxxXxx"}
    hits, _ = played(pattern, 8, steady(120.0), 4)
    score = quantise(hits, GRID)
    assert score.swing_unit == 0
    assert {note.position % 1 for note in score.notes} == {Fraction(i, 3) for i in range(3)}
    swung, _ = played(SHUFFLE, 8, steady(120.0), 4)
    assert quantise(swung, GRID).swing == pytest.approx(2 / 3, abs=0.02)


def test_beats_of_three_eighths() -> None:
    hits, _ = played(SIX_EIGHT, 8, steady(60.0), 2)
    score = quantise(hits, Grid(tuple(float(i) for i in range(17)), 0, Meter(6, 8)))
    assert {note.position % Fraction(3, 2) for note in score.notes} == {Fraction(i, 2) for i in range(3)}
    assert score.bars == 8


def test_sixteenths_and_triplets_side_by_side() -> None:
    times = [i * 0.125 for i in range(16)] + [2 + i * 0.5 / 3 for i in range(12)]
    score = quantise([Hit(t, SNARE, 90) for t in times], GRID)
    assert [note.position for note in score.notes] == [
        *(Fraction(i, 4) for i in range(16)),
        *(4 + Fraction(i, 3) for i in range(12)),
    ]


def test_a_flam_is_a_grace_note_that_keeps_its_lead() -> None:
    hits = [Hit(0.5 - 0.025, SNARE, 50), Hit(0.5, SNARE, 100), Hit(1.0, KICK, 90)]
    score = quantise(hits, GRID)
    assert [(note.position, note.hit.velocity, note.grace) for note in score.notes] == [
        (1, 50, True),
        (1, 100, False),
        (2, 90, False),
    ]
    assert [hit.time for hit in score.hits()] == pytest.approx([0.475, 0.5, 1.0])


def test_a_given_grid_is_kept_to_and_what_finds_no_place_is_told() -> None:
    hits = [Hit(i * 0.125, HAT, 80 + i) for i in range(8)]
    score = quantise(hits, GRID, 8)
    assert {note.position % Fraction(1, 2) for note in score.notes} == {Fraction(0)}
    assert len(score.notes) + len(score.dropped) == 8
    assert len(quantise(hits, GRID, 16).notes) == 8
    triplets = [Hit(i * 0.5 / 6, HAT, 80) for i in range(12)]
    assert [note.position for note in quantise(triplets, GRID, 24).notes] == [
        Fraction(i, 6) for i in range(12)
    ]


def test_a_stroke_a_little_early_belongs_to_its_beat() -> None:
    score = quantise([Hit(0.985, KICK, 90), Hit(1.12, HAT, 90)], GRID, 16)
    assert [note.position for note in score.notes] == [2, Fraction(9, 4)]


def test_nothing_stands_before_the_first_bar() -> None:
    """50 ms early at 200 beats a minute is a sixth of a beat: a place of the beat before, were there one."""
    grid = Grid(tuple(1.0 + 0.3 * i for i in range(9)), 0, Meter(4, 4))
    score = quantise([Hit(0.95, 1, 90), Hit(1.3, 1, 90)], grid)
    assert [note.position for note in score.notes] == [0, 1]


def test_no_hits_and_impossible_grids() -> None:
    assert quantise([], GRID).notes == ()
    assert quantise([], GRID).bars == 1
    with pytest.raises(ValueError, match="a grid of 24 .triplets. does not fit beats of three eighths"):
        quantise([], Grid((0.0, 0.6), 0, Meter(6, 8)), 24)
    sevens = quantise([Hit(0.15, KICK, 9), Hit(0.4, KICK, 9)], Grid((0.0, 0.3, 0.6), 0, Meter(7, 8)), 24)
    assert [note.position for note in sevens.notes] == [Fraction(1, 3), Fraction(2, 3)]


@pytest.mark.parametrize(("parts", "meter"), [(5, "4/4"), (6, "4/4"), (7, "4/4"), (8, "4/4"), (4, "7/8")])
def test_what_a_beat_may_be_divided_into(parts: int, meter: str) -> None:
    """Quintuplets, sextuplets, septuplets and thirty-seconds of a quarter."""
    grid = Grid(tuple(1.0 * i for i in range(9)), 0, Meter.parse(meter))
    hits = [Hit(beat + i / parts, HAT if i else SNARE, 90) for beat in range(8) for i in range(parts)]
    score = quantise(hits, grid)
    places = {note.position / grid.meter.beat_quarters % 1 for note in score.notes}
    assert places == {Fraction(i, parts) for i in range(parts)}


def test_an_eighth_that_is_a_beat_has_no_quintuplets() -> None:
    grid = Grid(tuple(1.0 * i for i in range(9)), 0, Meter(7, 8))
    hits = [Hit(beat + i / 5, HAT, 90) for beat in range(8) for i in range(5)]
    found = {(note.position * 2 % 1).denominator for note in quantise(hits, grid).notes}
    assert found <= {1, 2, 3, 4}


def test_what_does_not_swing() -> None:
    """Beats of three eighths; late strokes beside as many on other parts of the beat; few of them."""
    hits, _ = played(SIX_EIGHT, 8, steady(60.0), 2)
    score = quantise(hits, Grid(tuple(float(i) for i in range(17)), 0, Meter(6, 8)))
    assert (score.swing, score.swing_unit) == (0.5, 0)
    swung = [Hit(0.5 * i + late, HAT, 90) for i in range(16) for late in (0.0, 0.31)]
    assert quantise(swung, GRID).swing_unit == 8
    assert (
        quantise(sorted([*swung, *(Hit(0.5 * i + 0.41, SNARE, 60) for i in range(8))]), GRID).swing_unit == 0
    )
    assert quantise(swung[:14], GRID).swing_unit == 0
    assert Score((), GRID).swing == 0.5


def test_sixteenths_swing_only_beside_straight_eighths() -> None:
    """Without strokes in the middle of beats nothing says what the late ones are a part of."""
    late = [Hit(0.6 * i + 0.6 * place, HAT, 90) for i in range(16) for place in (0.0, 0.3, 0.5, 0.8)]
    grid = Grid(tuple(0.6 * i for i in range(33)), 0, Meter(4, 4))
    assert quantise(late, grid).swing_unit == 16
    eighths = [hit for hit in late if abs(hit.time / 0.6 % 1 - 0.5) > 0.01]
    assert quantise(eighths, grid).swing_unit == 0


@pytest.mark.parametrize(("unit", "share"), [(8, 0.6), (8, 2 / 3), (16, 0.62)])
def test_swing_stretches_each_half_of_a_pair_evenly(unit: Literal[8, 16], share: float) -> None:
    score = Score((), GRID, share, unit)
    pair = Fraction(8, unit)
    for number in range(4):
        start = number * pair
        for part, there in ((0, 0.0), (Fraction(1, 4), share / 2), (Fraction(1, 2), share)):
            assert score.swung(start + part * pair) == pytest.approx(float(start) + there * float(pair))
        last = score.swung(start + Fraction(3, 4) * pair)
        assert last == pytest.approx(float(start) + (share + (1 - share) / 2) * float(pair))
        assert score.seconds(start + Fraction(1, 2) * pair) == pytest.approx(
            (float(start) + share * float(pair)) / 2
        )
