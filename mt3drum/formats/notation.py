"""Turn a quantised score into printed notation: bars with two voices, note values, rests, tuplets and beams.

Hands form one voice, feet the other, as is usual for drums (Weinberg, Norman: Guide to Standardized Drumset
Notation, Percussive Arts Society 1998). A note lasts until the next one of its voice, at most to the end of
its beat: drum strokes have no length, so values are chosen for legibility.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate

from mt3drum.rhythm.figures import FEET
from mt3drum.rhythm.grid import Meter
from mt3drum.rhythm.quantise import Note, Score
from tokenizer.drums import DRUMS

VALUES = ("whole", "half", "quarter", "eighth", "16th", "32nd", "64th")
"""MusicXML names of 4, 2, 1, 1/2, ... quarter notes."""
_DIVISIONS = (1, 2, 4, 8, 3, 6, 12, 24, 5, 7)  # of a beat of a power of two, in order of trial
_COMPOUND_DIVISIONS = (1, 3, 6, 12, 24)


@dataclass(frozen=True)
class ChordRest:
    """A chord or a rest of one voice."""

    start: Fraction
    """Position in quarter notes from the start of the bar."""
    length: Fraction
    """Duration in quarter notes."""
    value: str
    """One of `VALUES`; "" for a full-bar rest."""
    dots: int = 0
    tuplet: tuple[int, int] | None = None
    """(3, 2): three notes in the time of two."""
    edge: str = ""
    """"start" or "stop" at the ends of a tuplet bracket."""
    notes: tuple[Note, ...] = ()
    """Empty for a rest."""
    graces: tuple[Note, ...] = ()
    """Grace notes before the event."""
    beams: tuple[str, ...] = ()
    """MusicXML beam value of each beam, outermost first."""
    tremolo: int = 0
    """Number of strokes through the stem for a roll, in thirty-seconds or faster."""
    ties: tuple[str, ...] = ()
    """MusicXML tie types of a roll: "stop" ties to the previous event, "start" to the next."""


@dataclass(frozen=True)
class Bar:
    """One bar. One voice may be empty, but not both."""

    hands: tuple[ChordRest, ...]
    feet: tuple[ChordRest, ...]


def bars(score: Score) -> list[Bar]:
    """All bars from the first with a note (`Score.first_bar`) to the last."""
    meter = score.grid.meter
    if score.first_bar < 0:
        raise ValueError(f"a note at {score.notes[0].hit.time:.3f} s lies before the first bar")
    contents: list[tuple[list[Note], list[Note]]] = [([], []) for _ in range(score.first_bar, score.bars)]
    for note in score.notes:
        number = math.floor(note.position / meter.bar_quarters)
        start = number * meter.bar_quarters
        until = None if note.until is None else note.until - start
        contents[number - score.first_bar][note.hit.drum in FEET].append(
            replace(note, position=note.position - start, until=until)
        )
    rest = (ChordRest(Fraction(0), meter.bar_quarters, ""),)
    groups = _groups(score)
    return [
        Bar(
            _voice(hands, meter, groups) if hands or not feet else rest,
            _voice(feet, meter, groups) if feet else (),
        )
        for hands, feet in contents
    ]


_GROUPINGS: Mapping[int, tuple[tuple[int, ...], ...]] = {
    3: ((3,),),
    5: ((2, 3), (3, 2)),
    7: ((2, 2, 3), (3, 2, 2), (2, 3, 2)),
}
"""Possible beaming groups by number of eighths in the bar, the usual one first."""


def _groups(score: Score) -> tuple[int, ...]:
    """Number of beats in each beaming group of a bar.

    In meters of eighths it is the grouping whose starts coincide with most strokes, timekeepers excluded; in
    other meters each beat is a group.
    """
    meter = score.grid.meter
    if meter.compound or meter.denominator != 8:
        return (1,) * meter.beats
    weight = Counter(
        note.position % meter.bar_quarters
        for note in score.notes
        if not note.grace and DRUMS[note.hit.drum].family not in _TIMEKEEPERS
    )

    def starts(grouping: tuple[int, ...]) -> int:
        return sum(weight[eighths * meter.beat_quarters] for eighths in accumulate(grouping))

    return max(_GROUPINGS[meter.numerator], key=starts)  # the first of equals


_TIMEKEEPERS = frozenset({"hihat", "ride", "aux"})


def _voice(notes: Sequence[Note], meter: Meter, groups: tuple[int, ...]) -> tuple[ChordRest, ...]:
    if not notes:
        return (ChordRest(Fraction(0), meter.bar_quarters, ""),)
    beats = [
        _group(notes, start * meter.beat_quarters, count, meter.beat_quarters)
        for start, count in zip(accumulate(groups, initial=0), groups, strict=False)
    ]
    events: list[ChordRest] = []
    number = 0
    while number < len(beats):
        if (
            meter.beats == 4
            and number % 2 == 0
            and not any(e.notes for e in beats[number] + beats[number + 1])
        ):
            length = 2 * meter.beat_quarters
            value, dots = _value(length)
            events.append(ChordRest(beats[number][0].start, length, value, dots))
            number += 2
            continue
        group = beats[number]
        if (
            meter.beats % 2 == 0
            and number % 2 == 0
            and _two_eighths(group)
            and _two_eighths(beats[number + 1])
        ):
            group = group + beats[number + 1]  # four eighths under one beam
            number += 1
        events += _beamed(group)
        number += 1
    return tuple(events)


def _group(notes: Sequence[Note], start: Fraction, beats: int, beat: Fraction) -> list[ChordRest]:
    """Events of a group of beats: as one span if its strokes can be written that way, else beat by beat."""
    length = beats * beat
    division = _division(_places(notes, start, length), length)
    if beats == 1 or (division is not None and division <= 12):
        return _beat(notes, start, length)
    return [event for number in range(beats) for event in _beat(notes, start + number * beat, beat)]


def _places(notes: Iterable[Note], start: Fraction, length: Fraction) -> dict[Fraction, list[Note]]:
    """Position in a span (0..1) to the notes there; a roll that ends before the next note adds []."""
    places: dict[Fraction, list[Note]] = {}
    for note in notes:
        if start <= note.position < start + length:
            places.setdefault((note.position - start) / length, []).append(note)
    for place, chord in list(places.items()):
        ends = [(note.until - start) / length for note in chord if note.until is not None]
        if ends and max(ends) < 1 and not any(place < other <= max(ends) for other in places):
            places[max(ends)] = []
    return places


def _division(places: Iterable[Fraction], length: Fraction) -> int | None:
    divisions = _COMPOUND_DIVISIONS if length.numerator == 3 else _DIVISIONS
    return next((d for d in divisions if all((place * d).denominator == 1 for place in places)), None)


def _beat(notes: Iterable[Note], start: Fraction, length: Fraction) -> list[ChordRest]:
    places = _places(notes, start, length)
    division = _division(places, length)
    if division is None:
        raise ValueError(f"positions {sorted(map(str, places))} of a beat cannot be written")
    tuplet = None
    plain = division
    if length.numerator != 3 and division & (division - 1):
        plain = 2 ** (division.bit_length() - 1)  # 3 in the time of 2; 5, 6, 7 in that of 4, 12 of 8
        tuplet = (division, plain)
    unit = length / plain  # printed length of one step
    onsets = sorted(int(place * division) for place in places)
    events = []
    for step, after in zip([0, *onsets], [*onsets, division], strict=True):
        chord = places.get(Fraction(step, division), ()) if step in onsets and after != step else ()
        if after == step:
            continue
        pieces = _pieces(step, after, dotted=bool(chord) and tuplet is None)
        rolled = tuple(note for note in chord if note.roll)
        for at, steps, first in pieces:
            value, dots = _value(unit * steps)
            own = chord if first else rolled
            last = at + steps == after
            events.append(
                ChordRest(
                    start + length * at / division,
                    length * steps / division,
                    value,
                    dots,
                    tuplet,
                    notes=tuple(note for note in own if not note.grace),
                    graces=tuple(note for note in own if note.grace),
                    tremolo=max(1, 3 - _flags(value)) if rolled else 0,
                    ties=(*(() if first else ("stop",)), *(() if last else ("start",))) if rolled else (),
                )
            )
    if tuplet is not None:
        events[0] = replace(events[0], edge="start")
        events[-1] = replace(events[-1], edge="stop")
    return events


def _pieces(start: int, end: int, dotted: bool) -> list[tuple[int, int, bool]]:
    """Fill start..end with note values: (first step, steps, whether it is the first); notes may be dotted."""
    pieces = []
    at = start
    while at < end:
        steps = 2 ** ((end - at).bit_length() - 1)
        if dotted and at == start and steps % 2 == 0 and steps * 3 // 2 <= end - at:
            steps = steps * 3 // 2
        if steps == end - at == 3:  # three steps of a compound beat or of a dotted note
            steps = 3 if dotted and at == start else 2
        pieces.append((at, steps, at == start))
        at += steps
    return pieces


def _value(length: Fraction) -> tuple[str, int]:
    """Name and number of dots of a printed length in quarter notes."""
    for dots, plain in ((0, length), (1, length * 2 / 3)):
        exponent = 2 - math.log2(plain)
        if exponent == int(exponent) and 0 <= exponent < len(VALUES):
            return VALUES[int(exponent)], dots
    raise ValueError(f"a note of {length} quarters cannot be written")


def _two_eighths(events: Sequence[ChordRest]) -> bool:
    return len(events) == 2 and all(
        e.notes and e.value == "eighth" and not e.dots and not e.tuplet for e in events
    )


def _beamed(events: list[ChordRest]) -> list[ChordRest]:
    """Add beams to each run of notes shorter than a quarter; a rest ends a run."""
    done: list[ChordRest] = []
    run: list[ChordRest] = []
    for event in [*events, None]:
        if event is not None and event.notes and _flags(event.value):
            run.append(event)
            continue
        done += _run(run) if len(run) > 1 else run
        run = []
        if event is not None:
            done.append(event)
    return done


def _flags(value: str) -> int:
    return max(0, VALUES.index(value) - VALUES.index("quarter"))


def _run(run: list[ChordRest]) -> list[ChordRest]:
    flags = [_flags(event.value) for event in run]
    beamed = []
    for i, event in enumerate(run):
        words = []
        for level in range(1, flags[i] + 1):
            before = i > 0 and flags[i - 1] >= level
            after = i + 1 < len(run) and flags[i + 1] >= level
            if before and after:
                words.append("continue")
            elif before or after:
                words.append("end" if before else "begin")
            else:
                words.append("backward hook" if i > 0 else "forward hook")
        beamed.append(replace(event, beams=tuple(words)))
    return beamed
