"""MusicXML 4.0 percussion notation (https://www.w3.org/2021/06/musicxml40/) for MuseScore and others.

Written without a library; elements follow the order of the schema. Velocities are kept exactly, in each
note's `dynamics`.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from fractions import Fraction

from mt3drum.formats.markings import Markings, find_markings, write_hands, write_markings
from mt3drum.formats.marks import mark, marker
from mt3drum.formats.notation import FEET, ChordRest, bars
from mt3drum.formats.options import Style
from mt3drum.formats.staff import SIGNS
from mt3drum.formats.stickings import Hands
from mt3drum.rhythm.quantise import Note, Score
from tokenizer.drums import DRUMS

DIVISIONS = 1680
"""Ticks per quarter note; thirty-seconds, their triplets, quintuplets and septuplets are whole numbers."""
_FORTE = 90.0  # the velocity that corresponds to MusicXML dynamics of 100 %
_TEMPO_STEP = 0.04  # tempo changes below this ratio are not printed
_DOCTYPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 '
    'Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
)


def to_musicxml(score: Score, title: str, style: Style | None = None, simile_marks: bool = False) -> str:
    """Write the score as a complete document.

    Args:
        style: sticking style; None writes no stickings.
        simile_marks: draw repeated bars as simile marks. Their notes stay in the document, but not every
            program that reads it plays them.

    Raises:
        ValueError: a position is too fine to be written, which `quantise` never returns.
    """
    root = ET.Element("score-partwise", version="4.0")
    work = ET.SubElement(root, "work")
    ET.SubElement(work, "work-title").text = _printable(title)
    encoding = ET.SubElement(ET.SubElement(root, "identification"), "encoding")
    ET.SubElement(encoding, "software").text = "mt3drum"
    _part_list(root, sorted({note.hit.drum for note in score.notes}))
    part = ET.SubElement(root, "part", id="P1")
    limits = marker(note.hit for note in score.notes)
    tempos = _printed_tempos(score)
    written = bars(score)
    markings = find_markings(score, written, style, simile_marks) if score.notes else Markings()
    for number, bar in enumerate(written):
        measure = ET.SubElement(part, "measure", number=str(number + 1))
        if number == 0:
            _attributes(measure, score)
        write_markings(measure, number, markings)
        _directions(measure, score, tempos.get(score.first_bar + number), first=number == 0)
        _voice(measure, bar.hands, "1", limits, markings.hands[number] if markings.hands else None)
        if bar.feet:
            backup = ET.SubElement(measure, "backup")
            ET.SubElement(backup, "duration").text = str(_ticks(score.grid.meter.bar_quarters))
            _voice(measure, bar.feet, "2", limits)
    ET.SubElement(ET.SubElement(measure, "barline", location="right"), "bar-style").text = "light-heavy"
    ET.indent(root)
    return _DOCTYPE + ET.tostring(root, encoding="unicode") + "\n"


def _printable(text: str) -> str:
    """Remove characters that XML 1.0 does not allow: control characters and unpaired surrogates."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _ticks(quarters: Fraction) -> int:
    ticks = quarters * DIVISIONS
    if ticks.denominator != 1:
        raise ValueError(f"{quarters} quarter notes are finer than 1/{DIVISIONS}")
    return int(ticks)


def _part_list(root: ET.Element, drums: Sequence[int]) -> None:
    part = ET.SubElement(ET.SubElement(root, "part-list"), "score-part", id="P1")
    ET.SubElement(part, "part-name").text = "Drumset"
    for drum in drums:
        instrument = ET.SubElement(part, "score-instrument", id=_instrument(drum))
        ET.SubElement(instrument, "instrument-name").text = SIGNS[drum].title
    for drum in drums:
        midi = ET.SubElement(part, "midi-instrument", id=_instrument(drum))
        ET.SubElement(midi, "midi-channel").text = "10"
        ET.SubElement(midi, "midi-program").text = "1"
        ET.SubElement(midi, "midi-unpitched").text = str(DRUMS[drum].gm_note + 1)  # MusicXML counts from 1


def _instrument(drum: int) -> str:
    return f"P1-{DRUMS[drum].name}"


def _attributes(measure: ET.Element, score: Score) -> None:
    attributes = ET.SubElement(measure, "attributes")
    ET.SubElement(attributes, "divisions").text = str(DIVISIONS)
    time = ET.SubElement(attributes, "time")
    ET.SubElement(time, "beats").text = str(score.grid.meter.numerator)
    ET.SubElement(time, "beat-type").text = str(score.grid.meter.denominator)
    clef = ET.SubElement(attributes, "clef")
    ET.SubElement(clef, "sign").text = "percussion"
    ET.SubElement(clef, "line").text = "2"


def _printed_tempos(score: Score) -> dict[int, float]:
    """Bar number to quarter notes per minute: the first tempo, then each that differs from the last one."""
    grid = score.grid
    printed: dict[int, float] = {}
    last = 0.0
    for number in range(score.first_bar, score.bars):
        start = grid.seconds(number * grid.meter.beats)
        end = grid.seconds((number + 1) * grid.meter.beats)
        tempo = float(grid.meter.bar_quarters) * 60 / (end - start)
        if number == score.first_bar:  # may be a pick-up bar
            tempo = grid.bpm * float(grid.meter.beat_quarters)
        if not last or abs(tempo - last) > _TEMPO_STEP * last:
            printed[number] = last = tempo
    return printed


def _directions(measure: ET.Element, score: Score, tempo: float | None, first: bool) -> None:
    meter = score.grid.meter
    if tempo is not None:
        direction = ET.SubElement(measure, "direction", placement="above")
        metronome = ET.SubElement(ET.SubElement(direction, "direction-type"), "metronome")
        ET.SubElement(metronome, "beat-unit").text = {1: "quarter", 2: "half"}.get(
            int(meter.beat_quarters), "eighth"
        )
        if meter.compound:
            metronome[0].text = "quarter"
            ET.SubElement(metronome, "beat-unit-dot")
        ET.SubElement(metronome, "per-minute").text = f"{tempo / float(meter.beat_quarters):.0f}"
        ET.SubElement(direction, "sound", tempo=f"{tempo:.2f}")
    if first and score.swing_unit:
        direction = ET.SubElement(measure, "direction", placement="above")
        kind = "eighth" if score.swing_unit == 8 else "16th"
        words = f"Swing {kind}s ({score.swing:.0%})"
        ET.SubElement(ET.SubElement(direction, "direction-type"), "words").text = words
        swing = ET.SubElement(ET.SubElement(direction, "sound"), "swing")
        ET.SubElement(swing, "first").text = str(round(score.swing * 100))
        ET.SubElement(swing, "second").text = str(100 - round(score.swing * 100))
        ET.SubElement(swing, "swing-type").text = kind


def _voice(
    measure: ET.Element,
    events: Sequence[ChordRest],
    voice: str,
    limits: dict[int, tuple[float, float]],
    hands: Sequence[Hands] | None = None,
) -> None:
    for place, event in enumerate(events):
        graces = _grace_chords(event.graces)
        for at, chord in enumerate(graces):
            for index, note in enumerate(chord):
                _note(measure, event, note, voice, limits, chord=index > 0, grace=(at, len(graces)))
        for index, note in enumerate(event.notes):
            element = _note(measure, event, note, voice, limits, chord=index > 0)
            if hands and index == 0:
                write_hands(element, event.notes, hands[place])
        if not event.notes:
            _rest(measure, event, voice)


def _grace_chords(graces: Sequence[Note]) -> list[list[Note]]:
    """Group grace notes into chords: those of one drum sound in succession (a drag, a ruff), the last ones of
    several drums together."""
    by_drum: dict[int, list[Note]] = {}
    for note in graces:
        by_drum.setdefault(note.hit.drum, []).append(note)
    most = max(map(len, by_drum.values()), default=0)
    return [
        [notes[len(notes) - before] for notes in by_drum.values() if len(notes) >= before]
        for before in range(most, 0, -1)
    ]


def _rest(measure: ET.Element, event: ChordRest, voice: str) -> None:
    element = ET.SubElement(measure, "note")
    rest = ET.SubElement(element, "rest")
    ET.SubElement(element, "duration").text = str(_ticks(event.length))
    ET.SubElement(element, "voice").text = voice
    if not event.value:
        rest.set("measure", "yes")
        return
    _value(element, event)
    _notations(element, event, "", (), grace=False)


def _note(
    measure: ET.Element,
    event: ChordRest,
    note: Note,
    voice: str,
    limits: dict[int, tuple[float, float]],
    chord: bool,
    grace: tuple[int, int] = (0, 0),
) -> ET.Element:
    """grace: index and number of the grace chords before the event, if this is one."""
    sign = SIGNS[note.hit.drum]
    marked = mark(note.hit, limits)
    element = ET.SubElement(measure, "note", dynamics=f"{note.hit.velocity / _FORTE * 100:.2f}")
    at, graces = grace
    if note.grace:
        ET.SubElement(element, "grace", slash="yes" if graces == 1 else "no")
    if chord:
        ET.SubElement(element, "chord")
    unpitched = ET.SubElement(element, "unpitched")
    ET.SubElement(unpitched, "display-step").text = sign.step
    ET.SubElement(unpitched, "display-octave").text = str(sign.octave)
    ties = event.ties if note.roll else ()
    if not note.grace:
        ET.SubElement(element, "duration").text = str(_ticks(event.length))
    for tie in ties:
        ET.SubElement(element, "tie", type=tie)
    ET.SubElement(element, "instrument", id=_instrument(note.hit.drum))
    ET.SubElement(element, "voice").text = voice
    if note.grace:
        ET.SubElement(element, "type").text = "eighth" if graces == 1 else "16th"
    else:
        _value(element, event)
    ET.SubElement(element, "stem").text = "down" if note.hit.drum in FEET else "up"
    head = ET.SubElement(element, "notehead")
    head.text = sign.head
    if marked == "ghost":
        head.set("parentheses", "yes")
    beams = event.beams
    if note.grace:
        beams = (
            () if graces == 1 else ("begin" if at == 0 else "end" if at == graces - 1 else "continue",) * 2
        )
    if not chord:
        for level, word in enumerate(beams, 1):
            ET.SubElement(element, "beam", number=str(level)).text = word
    _notations(element, event, "" if "stop" in ties else marked, ties, grace=note.grace or chord)
    return element


def _value(element: ET.Element, event: ChordRest) -> None:
    ET.SubElement(element, "type").text = event.value
    for _ in range(event.dots):
        ET.SubElement(element, "dot")
    if event.tuplet is not None:
        ratio = ET.SubElement(element, "time-modification")
        ET.SubElement(ratio, "actual-notes").text = str(event.tuplet[0])
        ET.SubElement(ratio, "normal-notes").text = str(event.tuplet[1])


def _notations(element: ET.Element, event: ChordRest, marked: str, ties: Sequence[str], grace: bool) -> None:
    """Write ties, tuplet bracket, roll strokes and accent; a grace note gets neither bracket nor strokes."""
    edge = "" if grace else event.edge
    tremolo = 0 if grace else event.tremolo
    if not ties and not edge and not tremolo and marked != "accent":
        return
    notations = ET.SubElement(element, "notations")
    for tie in ties:
        ET.SubElement(notations, "tied", type=tie)
    if edge:
        ET.SubElement(notations, "tuplet", type=edge, number="1")
    if tremolo:
        ornaments = ET.SubElement(notations, "ornaments")
        ET.SubElement(ornaments, "tremolo", type="single").text = str(tremolo)
    if marked == "accent":
        ET.SubElement(ET.SubElement(notations, "articulations"), "accent")
