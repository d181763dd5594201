"""Sections, fills and repeated bars of drum parts whose form is known."""

from __future__ import annotations

import numpy as np
import pytest

from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.quantise import Score, quantise
from mt3drum.rhythm.sections import Form, find_form, similes
from tests.grooves import VELOCITIES
from tokenizer.drums import CLASS_INDEX, NUM_CLASSES
from tokenizer.hits import Hit

VERSE = {"kick": "X.......X.x.....", "snare_head": "....X.......X...", "hihat_closed": "X.x.X.x.X.x.X.x."}
CHORUS = {"kick": "X..x..X...X..x..", "snare_head": "....X.......X...", "ride": "X...X...X...X..."}
BRIDGE = {"kick": "X...........x...", "snare_cross_stick": "........X......."}
BRIDGE |= {"hihat_closed": "X...x...X...x..."}
FILL = {"kick": "X.......", "snare_head": "....X...", "hihat_closed": "X.x.X.x."}
FILL |= {"tom1_head": "........xxxx....", "floor_tom_head": "............xxxx"}
SECONDS = 0.125  # of a sixteenth at 120 beats a minute


def part(bars: list[dict[str, str]], crashes: tuple[int, ...] = (), *, wrong: float = 0.0) -> Score:
    """The bars as a score.

    Args:
        crashes: bars that a crash opens.
        wrong: share of the strokes that are missed, and as many false alarms.
    """
    rng = np.random.default_rng(1)
    hits = [
        Hit((16 * number + step) * SECONDS, CLASS_INDEX[name], VELOCITIES[mark])
        for number, bar in enumerate(bars)
        for name, line in bar.items()
        for step, mark in enumerate(line)
        if mark != "." and rng.random() >= wrong
    ]
    hits += [Hit(16 * bar * SECONDS, CLASS_INDEX["crash1"], 110) for bar in crashes]
    hits += [
        Hit(float(rng.uniform(0, 16 * len(bars) * SECONDS)), int(rng.integers(NUM_CLASSES)), 80)
        for _ in range(round(wrong * len(hits)))
    ]
    grid = Grid(tuple(4 * SECONDS * beat for beat in range(4 * len(bars) + 1)), 0, Meter(4, 4))
    return quantise(sorted(hits), grid)


def names(form: Form) -> list[tuple[str, int, int]]:
    return [(section.name, section.first, section.end) for section in form.sections]


SONG = [VERSE] * 7 + [FILL] + [CHORUS] * 8 + [VERSE] * 7 + [FILL] + [CHORUS] * 8 + [BRIDGE] * 4 + [CHORUS] * 4
FORM = [("A", 0, 8), ("B", 8, 16), ("A2", 16, 24), ("B2", 24, 32), ("C", 32, 36), ("B3", 36, 40)]


@pytest.mark.parametrize("wrong", [0.0, 0.1])
def test_the_form_of_a_song(wrong: float) -> None:
    form = find_form(part(SONG, (0, 8, 16, 24, 36), wrong=wrong))
    assert names(form) == FORM
    assert {7, 23} <= form.fills
    assert wrong or form.fills == {7, 23}


def test_sections_are_without_gaps_and_start_at_the_first_note() -> None:
    score = part([{}] * 2 + [VERSE] * 4 + [{}] * 4 + [CHORUS] * 4)
    form = find_form(score)
    assert names(form) == [("A", 2, 6), ("", 6, 10), ("B", 10, 14)]
    assert form.fills == frozenset()


def test_a_fill_and_a_crash_divide_a_long_groove() -> None:
    eight = [VERSE] * 7 + [FILL]
    assert names(find_form(part(eight * 2, (0, 8)))) == [("A", 0, 8), ("A2", 8, 16)]
    assert names(find_form(part(eight * 2, (0,)))) == [("A", 0, 16)]  # no crash: one section


def test_alternating_bars_are_one_section() -> None:
    answer = {**VERSE, "kick": "X.x.......x...x."}
    assert names(find_form(part([VERSE, answer] * 6))) == [("A", 0, 12)]


def test_a_part_without_repeats_and_none_at_all() -> None:
    assert names(find_form(part([VERSE]))) == [("A", 0, 1)]
    nothing = Score((), Grid((0.0, 0.5), 0, Meter(4, 4)))
    assert find_form(nothing) == Form((), frozenset())


def test_bars_that_say_the_same() -> None:
    assert similes("aaaa") == [0, 1, 1, 1]
    assert similes("ababab") == [0, 0, 2, 2, 2, 2]
    assert similes("abcabc") == [0] * 6
    assert similes(["a", "", "", "a"]) == [0, 0, 0, 0]  # empty bars are rests
    assert similes("aabaab") == [0, 1, 0, 0, 1, 0]
    assert similes("") == []
