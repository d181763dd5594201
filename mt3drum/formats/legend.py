"""The legend of a score: which drum each note on the staff is, from top to bottom."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

from mt3drum.formats.marks import mark, marker
from mt3drum.formats.staff import SIGNS, Sign
from mt3drum.rhythm.quantise import Score


@dataclass(frozen=True)
class Entry:
    """One appearance of a note, and all drums of the score that share it."""

    sign: Sign
    title: str


def entries(score: Score) -> list[Entry]:
    """The entries for the drums in the score, from top to bottom."""
    looks: dict[tuple[int, str], list[Sign]] = {}
    for drum in sorted({note.hit.drum for note in score.notes}):
        looks.setdefault((-SIGNS[drum].height, SIGNS[drum].head), []).append(SIGNS[drum])
    return [Entry(signs[0], ", ".join(sign.title for sign in signs)) for _, signs in sorted(looks.items())]


def signs_used(score: Score) -> str:
    """A line that explains the signs used in the score; "" if there are none."""
    limits = marker(note.hit for note in score.notes)
    marks = {mark(note.hit, limits) for note in score.notes}
    found = {
        "> accent": "accent" in marks,
        "( ) ghost note": "ghost" in marks,
        "small note: flam, drag or ruff": any(note.grace for note in score.notes),
        "strokes through the stem: roll": any(note.roll for note in score.notes),
    }
    return ", ".join(text for text, used in found.items() if used)


def entry_musicxml(entry: Entry) -> str:
    """MusicXML of a staff with this one note, without clef, stem and bar line."""
    root = ET.Element("score-partwise", version="4.0")
    part = ET.SubElement(ET.SubElement(root, "part-list"), "score-part", id="P1")
    ET.SubElement(part, "part-name").text = ""
    measure = ET.SubElement(ET.SubElement(root, "part", id="P1"), "measure", number="1")
    attributes = ET.SubElement(measure, "attributes")
    ET.SubElement(attributes, "divisions").text = "1"
    clef = ET.SubElement(attributes, "clef", {"print-object": "no"})
    ET.SubElement(clef, "sign").text = "percussion"
    note = ET.SubElement(measure, "note")
    unpitched = ET.SubElement(note, "unpitched")
    ET.SubElement(unpitched, "display-step").text = entry.sign.step
    ET.SubElement(unpitched, "display-octave").text = str(entry.sign.octave)
    ET.SubElement(note, "duration").text = "1"
    ET.SubElement(note, "voice").text = "1"
    ET.SubElement(note, "type").text = "quarter"
    ET.SubElement(note, "stem").text = "none"
    ET.SubElement(note, "notehead").text = entry.sign.head
    ET.SubElement(ET.SubElement(measure, "barline", location="right"), "bar-style").text = "none"
    return ET.tostring(root, encoding="unicode")
