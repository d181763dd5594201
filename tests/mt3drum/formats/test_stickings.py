"""Stickings: what hand plays what, by rules that can be said."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

from mt3drum.formats.notation import bars
from mt3drum.formats.options import Style
from mt3drum.formats.stickings import Hands, stickings
from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.quantise import Note, Score
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit


def hands(
    style: Style, *notes: tuple[float | str, str], meter: str = "4/4", graces: tuple[str, ...] = ()
) -> str:
    """Letters of all events that have some, of notes at (quarters, drum)."""
    own = Meter.parse(meter)
    grid = Grid(tuple(0.5 * beat for beat in range(17)), 0, own)
    score = Score(
        tuple(
            Note(Fraction(place), Hit(float(Fraction(place)), CLASS_INDEX[drum], 90), grace)
            for place, drum in notes
            for grace in ((True, False) if drum in graces else (False,))
        ),
        grid,
    )
    found: list[Hands] = [one for bar in stickings(bars(score), own, style) for one in bar if one]
    return " ".join("+".join(letter or "-" for letter in one) for one in found)


def on(drum: str, *places: float | str) -> list[tuple[float | str, str]]:
    return [(place, drum) for place in places]


SIXTEENTHS = [Fraction(i, 4) for i in range(8)]


def test_single_strokes_alternate() -> None:
    snare = on("snare_head", *map(str, SIXTEENTHS))
    assert hands("alternate", *snare) == "R L R L R L R L"
    assert hands("alternate", *on("snare_head", "0", "1/3", "2/3", "1", "4/3", "5/3")) == "R L R L R L"
    # Over the bar line, and across drums.
    assert hands("alternate", *on("tom1_head", "3", "3.5"), *on("snare_head", "4")) == "R L R"


def test_after_a_rest_of_a_beat_the_right_hand_begins() -> None:
    assert hands("alternate", *on("snare_head", "0", "0.5", "0.75")) == "R L R"
    assert hands("alternate", *on("snare_head", "0", "2")) == "R R"
    assert hands("alternate", *on("snare_head", "0", "0.75")) == "R L"  # a rest that is shorter


def test_right_hand_lead_goes_by_place() -> None:
    assert hands("right", *on("hihat_closed", *map(str, SIXTEENTHS))) == "R L R L R L R L"
    assert hands("right", *on("hihat_closed", "0", "0.5", "1", "1.5")) == "R R R R"
    assert hands("right", *on("snare_head", "0", "0.25", "0.75", "1")) == "R L L R"
    assert hands("right", *on("snare_head", "0", "1/3", "2/3", "1")) == "R L R R"
    assert (
        hands("right", *on("hihat_closed", "0", "0.5", "1", "1.5", "2", "2.5"), meter="6/8") == "R R R R R R"
    )


@pytest.mark.parametrize("style", ["alternate", "right"])
def test_two_at_once_are_one_a_hand(style: Style) -> None:
    """In the order of the classes: snare before hi-hat, crash before ride."""
    assert hands(style, ("0", "snare_head"), ("0", "hihat_closed")) == "L+R"
    assert hands(style, ("0", "snare_head"), ("0", "floor_tom_head")) == "L+R"
    assert hands(style, ("0", "snare_head"), ("0", "crash1")) == "L+R"
    toms = ("snare_head", "tom1_head", "tom2_head", "tom3_head", "floor_tom_head")
    for left, right in pairwise(toms):
        assert hands(style, ("0", left), ("0", right)) == "L+R"
    assert hands(style, ("0", "floor_tom_head"), ("0", "ride")) == "L+R"  # it keeps time
    three = hands(style, ("0", "snare_head"), ("0", "hihat_closed"), ("0", "ride")).split("+")
    assert sorted(three) == ["-", "L", "R"]


def test_after_both_hands_the_right_begins() -> None:
    notes = [("0", "snare_head"), ("0", "hihat_closed"), ("0.5", "snare_head"), ("0.75", "snare_head")]
    assert hands("alternate", *notes) == "L+R R L"


def test_a_left_handed_player_exchanges_the_hands() -> None:
    """Of the same music: the cymbal is the left hand's, which leads."""
    assert hands("left", *on("hihat_closed", "0", "0.25", "0.5", "0.75")) == "L R L R"
    assert hands("left", ("0", "snare_head"), ("0", "hihat_closed")) == "R+L"
    assert hands("alternate-left", *on("snare_head", "0", "0.5"), graces=("snare_head",)) == "rL lR"
    three = hands("left", ("0", "snare_head"), ("0", "hihat_closed"), ("0", "ride")).split("+")
    assert sorted(three) == ["-", "L", "R"]
    music = [*on("snare_head", "0", "0.25", "0.75", "1.5"), *on("hihat_closed", "0", "0.5", "1")]
    for style, mirrored in (("alternate", "alternate-left"), ("right", "left")):
        exchanged = hands(style, *music).translate(str.maketrans("RL", "LR"))  # type: ignore[arg-type]
        assert hands(mirrored, *music) == exchanged  # type: ignore[arg-type]


def test_a_flam_is_both_hands_and_feet_have_none() -> None:
    assert hands("alternate", *on("snare_head", "0", "0.5"), graces=("snare_head",)) == "lR rL"
    assert hands("alternate", *on("kick", "0", "1"), *on("snare_head", "2")) == "R"
