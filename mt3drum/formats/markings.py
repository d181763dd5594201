"""Markings of a score besides its notes: rehearsal marks, fills, simile marks, stickings."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mt3drum.formats.marks import mark, marker
from mt3drum.formats.notation import Bar, ChordRest
from mt3drum.formats.options import Style
from mt3drum.formats.staff import SIGNS
from mt3drum.formats.stickings import Hands, stickings
from mt3drum.rhythm.quantise import Note, Score
from mt3drum.rhythm.sections import find_form, similes


@dataclass(frozen=True)
class Markings:
    """Markings by bar number; bar 0 is the first one written."""

    rehearsal: Mapping[int, str] = field(default_factory=dict)
    """A, B, ... where a section begins; empty if there is only one section."""
    fills: frozenset[int] = frozenset()
    similes: Mapping[int, int] = field(default_factory=dict)
    """Bars drawn as a simile mark -> how many bars back they repeat: 1, or 2 for both bars of a pair."""
    hands: Sequence[Sequence[Hands]] = ()
    """Hands of each event of the hands' voice; empty: no stickings."""


def find_markings(
    score: Score, bars: Sequence[Bar], style: Style | None = None, simile_marks: bool = False
) -> Markings:
    """Find the markings of a score with notes.

    Args:
        bars: `notation.bars(score)`.
        style: sticking style; None writes no stickings.
        simile_marks: whether to find bars that can be drawn as simile marks.
    """
    form = find_form(score)
    rehearsal = {}
    if len(form.sections) > 1:
        rehearsal = {one.first - score.first_bar: one.name for one in form.sections if one.label}
    hands = stickings(bars, score.grid.meter, style) if style else []
    same: dict[int, int] = {}
    if simile_marks:
        limits = marker(note.hit for note in score.notes)
        printed = [_printed(bar, limits) for bar in bars]
        if hands:
            printed = [(bar, tuple(own)) if bar else () for bar, own in zip(printed, hands, strict=True)]
        back = similes(printed)
        same = {number: bars for number, bars in enumerate(back) if bars and number not in rehearsal}
        # Half a pair is written out: a section begins at the other half.
        same = {n: bars for n, bars in same.items() if bars == 1 or _pair_of(n, back) <= same.keys()}
    return Markings(rehearsal, frozenset(bar - score.first_bar for bar in form.fills), same, hands)


def _pair_of(number: int, back: Sequence[int]) -> set[int]:
    """The two bars of a two-bar simile that holds a bar."""
    first = number
    while first > 0 and back[first - 1] == 2:
        first -= 1
    start = number - (number - first) % 2
    return {start, start + 1}


def _printed(bar: Bar, limits: dict[int, tuple[float, float]]) -> tuple[object, ...]:
    """The visible content of a bar; () if it has no notes."""

    def seen(event: ChordRest) -> tuple[object, ...]:
        notes = tuple((note.hit.drum, mark(note.hit, limits)) for note in event.notes)
        graces = tuple((note.hit.drum, mark(note.hit, limits)) for note in event.graces)
        return event.start, event.length, event.value, event.dots, event.tuplet, notes, graces, event.tremolo

    if not any(event.notes for event in (*bar.hands, *bar.feet)):
        return ()
    return tuple(map(seen, bar.hands)), tuple(map(seen, bar.feet))


def write_markings(measure: ET.Element, number: int, markings: Markings) -> None:
    """Write the markings of a bar into a MusicXML measure, after its attributes and before its notes."""
    here, before = markings.similes.get(number), markings.similes.get(number - 1)
    if here != before:  # the sign begins and ends with a run of bars
        style = ET.SubElement(ET.SubElement(measure, "attributes"), "measure-style")
        sign = ET.SubElement(style, "measure-repeat", type="start" if here else "stop")
        sign.text = str(here) if here else None
    if number in markings.rehearsal:
        kind = ET.SubElement(ET.SubElement(measure, "direction", placement="above"), "direction-type")
        ET.SubElement(kind, "rehearsal").text = markings.rehearsal[number]
    if number in markings.fills and not here:
        kind = ET.SubElement(ET.SubElement(measure, "direction", placement="above"), "direction-type")
        ET.SubElement(kind, "words", {"font-style": "italic"}).text = "Fill"


def write_hands(element: ET.Element, notes: Sequence[Note], hands: Hands) -> None:
    """Write stickings below a chord, one line per hand, upper note first; in MusicXML, words below notes are
    lyrics."""
    signs = [SIGNS[note.hit.drum] for note in notes]
    order = sorted(range(len(hands)), key=lambda i: -signs[i].height)
    for line, letter in enumerate(filter(None, (hands[i] for i in order)), 1):
        lyric = ET.SubElement(element, "lyric", number=str(line))
        ET.SubElement(lyric, "syllabic").text = "single"
        ET.SubElement(lyric, "text").text = letter
