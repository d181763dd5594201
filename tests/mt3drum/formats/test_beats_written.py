"""How every pattern of strokes in a beat or bar is written: values, dots, tuplets, beams and rests."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from mt3drum.formats.notation import VALUES, ChordRest, bars
from mt3drum.formats.tab import to_tab
from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.quantise import Note, Score
from tests.mt3drum.formats.test_all_written import same
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit

SHORT = dict(zip(VALUES, ("1", "2", "4", "8", "16", "32", "64"), strict=True))
BEAM = {"begin": "[", "continue": "-", "end": "]", "forward hook": ">", "backward hook": "<"}


def score(places: list[Fraction], meter: str = "4/4", drum: str = "snare_head") -> Score:
    notes = tuple(Note(place, Hit(float(place), CLASS_INDEX[drum], 90)) for place in places)
    return Score(notes, Grid(tuple(0.5 * i for i in range(17)), 0, Meter.parse(meter)))


def word(event: ChordRest) -> str:
    """`8.[<`: a dotted eighth, its beams; r: a rest; 3:2 of a triplet, with its edge."""
    tuplet = "" if event.tuplet is None else f"({event.tuplet[0]}:{event.tuplet[1]}{event.edge})"
    rest = "" if event.notes else "r"
    return (
        rest
        + SHORT.get(event.value, "bar")
        + "." * event.dots
        + tuplet
        + "".join(BEAM[b] for b in event.beams)
    )


def written(places: list[Fraction], meter: str = "4/4") -> str:
    (bar, *_) = bars(score(places, meter))
    for event in bar.hands:  # what is printed lasts as long as it is
        if event.value:
            printed = Fraction(4) / 2 ** VALUES.index(event.value) * (Fraction(3, 2) if event.dots else 1)
            assert printed * Fraction(*(event.tuplet or (1, 1))[::-1]) == event.length
    assert sum(event.length for event in bar.hands) == Meter.parse(meter).bar_quarters
    return " ".join(map(word, bar.hands))


@pytest.mark.parametrize(
    ("strokes", "text"),
    [
        (1, "4"),
        (2, "8[ 8]"),
        (4, "16[[ 16-- 16-- 16]]"),
        (8, "32[[[ " + "32--- " * 6 + "32]]]"),
        (3, "8(3:2start)[ 8(3:2)- 8(3:2stop)]"),
        (6, "16(6:4start)[[ " + "16(6:4)-- " * 4 + "16(6:4stop)]]"),
        (12, "32(12:8start)[[[ " + "32(12:8)--- " * 10 + "32(12:8stop)]]]"),
        (24, "64(24:16start)[[[[ " + "64(24:16)---- " * 22 + "64(24:16stop)]]]]"),
        (5, "16(5:4start)[[ " + "16(5:4)-- " * 3 + "16(5:4stop)]]"),
        (7, "16(7:4start)[[ " + "16(7:4)-- " * 5 + "16(7:4stop)]]"),
    ],
)
def test_equal_strokes_in_a_beat(strokes: int, text: str) -> None:
    assert written([Fraction(i, strokes) for i in range(strokes)]) == f"{text} r4 r2"


@pytest.mark.parametrize(
    ("strokes", "text"),
    [
        (1, "4."),
        (3, "8[ 8- 8]"),
        (6, "16[[ " + "16-- " * 4 + "16]]"),
        (12, "32[[[ " + "32--- " * 10 + "32]]]"),
        (24, "64[[[[ " + "64---- " * 22 + "64]]]]"),
    ],
)
def test_equal_strokes_in_a_compound_beat(strokes: int, text: str) -> None:
    assert written([Fraction(3 * i, 2 * strokes) for i in range(strokes)], "6/8") == f"{text} r4."


def test_what_cannot_be_written_is_said() -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        written([Fraction(0), Fraction(1, 11)])
    with pytest.raises(ValueError, match=r"a note at -1\.000 s lies before the first bar"):
        bars(score([Fraction(-1)]))


def test_every_pattern() -> None:
    """Of sixteenths in a quarter (x), of triplets in one, of sixteenths in a dotted quarter; of quarters (o)
    and pairs of eighths (n) in bars of four, three and two; of eighths in 3/8, 5/8 and 7/8."""
    lines = []
    for steps, length, meter in (
        (4, Fraction(1), "4/4"),
        (3, Fraction(1), "4/4"),
        (6, Fraction(3, 2), "6/8"),
    ):
        for pattern in product("x.", repeat=steps):
            places = [length * i / steps for i, sign in enumerate(pattern) if sign == "x"]
            if places:
                lines.append(f"{meter} {''.join(pattern)} {written(places, meter)}")
    for beats, meter in ((4, "4/4"), (3, "3/4"), (2, "2/4")):
        for bar in product(((0,), (0, Fraction(1, 2)), ()), repeat=beats):
            places = [Fraction(beat) + part for beat, parts in enumerate(bar) for part in parts]
            if places:
                name = "".join(".on"[len(parts)] for parts in bar)
                lines.append(f"{meter} {name} {written(places, meter)}")
    for count in (3, 5, 7):
        for pattern in product("x.", repeat=count):
            places = [Fraction(i, 2) for i, sign in enumerate(pattern) if sign == "x"]
            if places:
                lines.append(f"{count}/8 {''.join(pattern)} {written(places, f'{count}/8')}")
    same("beats.txt", "\n".join(lines))


def test_bars_of_one_voice_and_of_none() -> None:
    """Bars 3 to 5 of which the first has feet alone, the second nothing, the third hands alone."""
    kick, snare = (CLASS_INDEX[name] for name in ("kick", "snare_head"))
    notes = (Note(Fraction(8), Hit(4.0, kick, 90)), Note(Fraction(17), Hit(8.5, snare, 90)))
    found = bars(Score(notes, Grid(tuple(0.5 * i for i in range(21)), 0, Meter(4, 4))))
    assert [(" ".join(map(word, bar.hands)), " ".join(map(word, bar.feet))) for bar in found] == [
        ("rbar", "4 r4 r2"),
        ("rbar", ""),
        ("r4 4 r2", ""),
    ]
    assert found[2].hands[1].notes[0].position == 1


def test_tab_of_odd_meters_and_crowded_bars() -> None:
    """At least a character a sixteenth; quintuplets beside triplets take the most there are."""
    assert "\n   1 2 3 4 5 6 7\nSD|o-------o-----|\n" in to_tab(score([Fraction(0), Fraction(2)], "7/8"), "x")
    crowded = [
        *(Fraction(i, 5) for i in range(5)),
        *(1 + Fraction(i, 3) for i in range(3)),
        2 + Fraction(23, 24),
    ]
    (line,) = (row for row in to_tab(score(crowded), "a\x07b").splitlines() if row.startswith("SD|"))
    assert [i for i, sign in enumerate(line[3:]) if sign == "o"] == [0, 5, 10, 14, 19, 24, 32, 40, 71]
    assert to_tab(score(crowded), "a\x07b").startswith("a?b: 4/4, 120 beats a minute\n")
    # A stroke that rounds to the next bar stays in its own; two strokes of one hi-hat: the open one is seen.
    late = [Fraction(19, 5), *(Fraction(i, 7) for i in range(7)), Fraction(4) - Fraction(1, 100)]
    (line,) = (row for row in to_tab(score(late), "x").splitlines() if row.startswith("SD|"))
    assert line.endswith("o|") and len(line) == 3 + 96 + 1
    notes = [Note(Fraction(0), Hit(0.0, CLASS_INDEX[name], 90)) for name in ("hihat_closed", "hihat_open")]
    for pair in (notes, notes[::-1]):
        assert "\nHH|o---" in to_tab(Score(tuple(pair), score([]).grid), "x")
