"""Stickings of written bars for right-handed or left-handed players.

The rules are the basic ones of drum methods (Stone, Stick Control for the Snare Drummer, 1935). `alternate`
is the single-stroke roll, right and left in turn. `right` is right-hand lead, also called natural sticking:
the position of a stroke decides, eighths of the pulse with the right hand and strokes in between with the
left. The result is a playable suggestion, not what the drummer did.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm

from mt3drum.formats.notation import Bar, ChordRest
from mt3drum.formats.options import Style
from mt3drum.rhythm.grid import Meter
from mt3drum.rhythm.quantise import Note
from tokenizer.drums import DRUMS

_TIMEKEEPERS = ("hihat", "ride", "crash", "aux")
"""Played with the right hand, also when the left plays another drum at the same time."""
_LEFT_TO_RIGHT = ("hihat", "snare", "rim", "crash", "tom", "aux", "ride")
_MIRROR = str.maketrans("RLrl", "LRlr")
_TOM_ORDER = ("tom1", "tom2", "tom3", "floor")

Hands = tuple[str, ...]
"""For each note of an event "R", "L", or "" if both hands are taken; "lR" or "rL" for a flam."""


def stickings(bars: Sequence[Bar], meter: Meter, style: Style) -> list[list[Hands]]:
    """The hand of each note, for every event of the hands' voice of every bar; () for rests.

    Two simultaneous notes take one hand each: timekeeping cymbals the right, otherwise the drum farther to
    the right. After two simultaneous notes or a rest of one beat, `alternate` restarts with the right hand.
    The styles for left-handed players exchange the hands, as on a mirrored kit.
    """
    if style in ("alternate-left", "left"):
        mirrored = stickings(bars, meter, "alternate" if style == "alternate-left" else "right")
        return [[tuple(map(_exchanged, hands)) for hands in bar] for bar in mirrored]
    written: list[list[Hands]] = []
    turn = "R"
    for bar in bars:
        hands: list[Hands] = []
        for event in bar.hands:
            if "stop" in event.ties:  # still sounding
                hands.append(())
                continue
            if not event.notes:
                turn = "R" if event.length >= meter.beat_quarters else turn
                hands.append(())
                continue
            if len(event.notes) > 1:
                hands.append(_both(event))
                turn = "R"
                continue
            hand = turn if style == "alternate" else _by_place(event, bar, meter)
            hands.append((_with_grace(event, event.notes[0], hand),))
            turn = "L" if hand == "R" else "R"
        written.append(hands)
    return written


def _exchanged(hand: str) -> str:
    return hand.translate(_MIRROR)


def _by_place(event: ChordRest, bar: Bar, meter: Meter) -> str:
    """Right on even steps of the beat, left on odd ones; the steps are the coarsest that fit its strokes, at
    least sixteenths."""
    beat = event.start // meter.beat_quarters
    places = [
        (other.start - beat * meter.beat_quarters) / meter.beat_quarters
        for other in bar.hands
        if other.notes and other.start // meter.beat_quarters == beat
    ]
    steps = lcm(6 if meter.compound else 1, *(place.denominator for place in places))
    if not meter.compound and steps in (1, 2):
        steps = 4
    place = Fraction(event.start - beat * meter.beat_quarters) / meter.beat_quarters
    return "R" if int(place * steps) % 2 == 0 else "L"


def _both(event: ChordRest) -> Hands:
    """One note per hand; further notes get none."""
    order = sorted(range(len(event.notes)), key=lambda i: _precedence(event.notes[i]))
    right, left = order[0], order[1]
    hands = [""] * len(event.notes)
    hands[right], hands[left] = "R", "L"
    return tuple(
        _with_grace(event, note, hand) if hand else "" for note, hand in zip(event.notes, hands, strict=True)
    )


def _precedence(note: Note) -> tuple[bool, int]:
    """Sort key: the right hand takes the lowest."""
    name, family = DRUMS[note.hit.drum].name, DRUMS[note.hit.drum].family
    keeps_time = family in _TIMEKEEPERS
    place = 10 * _LEFT_TO_RIGHT.index(family)
    if family == "tom":
        place += next(i for i, tom in enumerate(_TOM_ORDER) if name.startswith(tom))
    return not keeps_time, -place


def _with_grace(event: ChordRest, note: Note, hand: str) -> str:
    """Prefix a flam's grace stroke: the other hand in lower case."""
    if any(grace.hit.drum == note.hit.drum for grace in event.graces):
        return ("l" if hand == "R" else "r") + hand
    return hand
