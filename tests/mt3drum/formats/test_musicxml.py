"""MusicXML read back by music21: every stroke on its place, with its drum, velocity and marks."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from mt3drum.formats.marks import mark, marker
from mt3drum.formats.musicxml import to_musicxml
from mt3drum.formats.notation import FEET, bars
from mt3drum.formats.staff import SIGNS
from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.quantise import Score, quantise
from tests.grooves import ROCK, SIX_EIGHT, WALTZ, played, steady
from tests.mt3drum.formats.test_formats import every_drum
from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.hits import Hit

music21 = pytest.importorskip("music21", reason="install mt3drum[dev]")
pytestmark = pytest.mark.filterwarnings("ignore")


def parse(score: Score) -> Any:
    return music21.converter.parseData(to_musicxml(score, "Söng & <Co>"), format="musicxml")


def beats(count: int, seconds: float = 0.5, meter: str = "4/4", first: int = 0) -> Grid:
    return Grid(tuple(seconds * i for i in range(count)), first, Meter.parse(meter))


Stroke = tuple[Fraction, str, int, bool]


def strokes(stream: Any, meter: Meter) -> Counter[Stroke]:
    """(quarter notes from the start, place and head, velocity, grace) of every note that music21 sees; it
    does not keep the instruments of single notes."""
    found: Counter[Stroke] = Counter()
    (part,) = stream.parts
    for number, measure in enumerate(part.getElementsByClass("Measure")):
        for element in measure.recurse().notes:
            offset = Fraction(element.getOffsetInHierarchy(measure)).limit_denominator(96)
            for note in element.notes if hasattr(element, "notes") else [element]:
                place = f"{note.displayStep}{note.displayOctave} {note.notehead}"
                velocity = round(note.volume.velocity)
                found[number * meter.bar_quarters + offset, place, velocity, element.duration.isGrace] += 1
    return found


def written(score: Score) -> Counter[Stroke]:
    signs = [(note, SIGNS[note.hit.drum]) for note in score.notes]
    return Counter(
        (note.position, f"{sign.step}{sign.octave} {sign.head}", note.hit.velocity, note.grace)
        for note, sign in signs
    )


def document(score: Score) -> ET.Element:
    return ET.fromstring(to_musicxml(score, "x").split("\n", 2)[2])  # without the line of the document type


def drums(score: Score) -> Counter[Stroke]:
    """The same with drums, from the elements as the format defines them: a note moves the time on by its
    duration unless it sounds with the one before or is a grace note, `backup` moves it back."""
    found: Counter[Stroke] = Counter()
    root = document(score)
    divisions = int(root.findtext(".//divisions") or 0)
    bar = Fraction(0)
    for measure in root.iter("measure"):
        at, before, longest = bar, bar, bar
        for element in measure:
            length = Fraction(int(element.findtext("duration") or 0), divisions)
            if element.tag == "backup":
                at -= length
            if element.tag != "note":
                continue
            start = before if element.find("chord") is not None else at
            instrument = element.find("instrument")
            if instrument is not None and element.find("tie[@type='stop']") is None:
                name = instrument.attrib["id"].removeprefix("P1-")
                velocity = round(float(element.attrib["dynamics"]) * 0.9)
                found[start, name, velocity, element.find("grace") is not None] += 1
            if element.find("chord") is None:
                before, at = at, at + length
            longest = max(longest, at)
        bar = longest
    return found


@pytest.fixture(scope="module")
def score() -> Score:
    return quantise(every_drum(), Grid(tuple(0.25 + 0.5 * i for i in range(52)), 0, Meter(4, 4)))


def test_music21_finds_every_stroke(score: Score) -> None:
    stream = parse(score)
    assert stream.metadata.title == "Söng & <Co>"
    assert strokes(stream, score.grid.meter) == written(score)
    assert drums(score) == Counter(
        (note.position, DRUMS[note.hit.drum].name, note.hit.velocity, note.grace) for note in score.notes
    )
    tempo = next(iter(stream.recurse().getElementsByClass("MetronomeMark")))
    assert tempo.number == 120


def test_an_engraver_prints_every_stroke_in_two_voices(score: Score) -> None:
    """verovio, which shares no code with music21: what it would print, as MEI."""
    verovio = pytest.importorskip("verovio", reason="install mt3drum[dev]")
    toolkit = verovio.toolkit()
    assert toolkit.loadData(to_musicxml(score, "Song"))
    root = ET.fromstring(toolkit.getMEI())
    mei = "{http://www.music-encoding.org/ns/mei}"
    staffs = list(root.iter(f"{mei}staff"))
    assert len(staffs) == score.bars
    by_layer: Counter[str] = Counter()
    for layer in (layer for staff in staffs for layer in staff.iter(f"{mei}layer")):
        by_layer[layer.attrib["n"]] += len(list(layer.iter(f"{mei}note")))
    feet = sum(note.hit.drum in FEET for note in score.notes)
    assert by_layer == {"1": len(score.notes) - feet, "2": feet}
    limits = marker(note.hit for note in score.notes)
    marks = Counter(mark(note.hit, limits) for note in score.notes)
    assert marks["accent"] and marks["ghost"]
    accents = sum(e.attrib["artic"] == "acc" for e in root.iter(f"{mei}artic"))
    assert accents == marks["accent"]
    assert sum(e.get("head.mod") == "paren" for e in root.iter(f"{mei}note")) == marks["ghost"]
    assert next(root.iter(f"{mei}beam"), None) is not None
    assert toolkit.getPageCount() >= 1 and "<svg" in toolkit.renderToSVG(1)


def test_every_bar_is_full_in_every_voice(score: Score) -> None:
    stream = parse(score)
    (part,) = stream.parts
    for measure in part.getElementsByClass("Measure"):
        voices = list(measure.voices) or [measure]
        for voice in voices:
            assert voice.duration.quarterLength == pytest.approx(4.0)
            length = sum(e.duration.quarterLength for e in voice.notesAndRests)
            assert float(length) == pytest.approx(4.0)


@pytest.mark.parametrize(("pattern", "per_bar", "meter"), [(WALTZ, 3, "3/4"), (SIX_EIGHT, 2, "6/8")])
def test_other_meters(pattern: dict[str, str], per_bar: int, meter: str) -> None:
    hits, _ = played(pattern, 4, steady(100.0), per_bar)
    score = quantise(hits, beats(20, 0.6, meter))
    stream = parse(score)
    assert strokes(stream, score.grid.meter) == written(score)
    assert next(iter(stream.recurse().getElementsByClass("TimeSignature"))).ratioString == meter


def test_a_rock_bar_is_written_as_drummers_do() -> None:
    hits, _ = played(ROCK, 1, steady(120.0), 4, jitter=0.0)
    (bar,) = bars(quantise(hits, beats(5)))
    late = [(("begin",), "eighth"), (("continue", "begin"), "16th"), (("end", "end"), "16th")]
    early = [(("begin", "begin"), "16th"), (("continue", "end"), "16th"), (("end",), "eighth")]
    assert [(event.beams, event.value) for event in bar.hands] == [
        (("begin",), "eighth"),
        (("end",), "eighth"),
        *late,
        *early,
        *late,
    ]
    assert [(event.start, event.value, bool(event.notes)) for event in bar.feet] == [
        (0, "quarter", True),
        (1, "quarter", False),
        (2, "eighth", True),
        (Fraction(5, 2), "eighth", True),
        (3, "quarter", False),
    ]


def test_four_eighths_share_a_beam_and_empty_halves_a_rest() -> None:
    hits = [Hit(i * 0.25, CLASS_INDEX["ride"], 90) for i in range(4)]
    (bar,) = bars(quantise(hits, beats(5), 16))
    assert [(event.value, event.beams) for event in bar.hands] == [
        ("eighth", ("begin",)),
        ("eighth", ("continue",)),
        ("eighth", ("continue",)),
        ("eighth", ("end",)),
        ("half", ()),
    ]
    assert bar.feet == ()


def test_a_dotted_eighth_and_a_triplet_with_a_rest() -> None:
    times = [0.0, 0.375, 0.5, 0.5 + 1 / 3]
    hits = [Hit(time, CLASS_INDEX["snare_head"], 90) for time in times]
    (bar,) = bars(quantise(hits, beats(5)))
    assert [(e.value, e.dots, e.tuplet, e.edge, len(e.notes), e.beams) for e in bar.hands[:4]] == [
        ("eighth", 1, None, "", 1, ("begin",)),
        ("16th", 0, None, "", 1, ("end", "backward hook")),
        ("quarter", 0, (3, 2), "start", 1, ()),
        ("eighth", 0, (3, 2), "stop", 1, ()),
    ]


def test_marks_heads_and_places() -> None:
    velocities = [90, 25, 90, 25, 90, 127, 90, 25]
    hits = [Hit(0.5 * i, CLASS_INDEX["snare_head"], velocity) for i, velocity in enumerate(velocities)]
    hits += [Hit(0.0, CLASS_INDEX["hihat_open"], 80), Hit(0.0, CLASS_INDEX["kick"], 80)]
    notes = {
        name: list(
            document(quantise(sorted(hits), beats(9))).iterfind(f".//note/instrument[@id='P1-{name}']/..")
        )
        for name in ("snare_head", "hihat_open", "kick")
    }
    snares = notes["snare_head"]
    ghosts = [note.find("notehead[@parentheses='yes']") is not None for note in snares]
    assert ghosts == [velocity == 25 for velocity in velocities]
    accents = [note.find("notations/articulations/accent") is not None for note in snares]
    assert accents == [velocity == 127 for velocity in velocities]
    assert {note.findtext("unpitched/display-step") for note in snares} == {"C"}
    (kick,), (hat,) = notes["kick"], notes["hihat_open"]
    assert (kick.findtext("voice"), kick.findtext("stem"), kick.findtext("notehead")) == (
        "2",
        "down",
        "normal",
    )
    assert (hat.findtext("voice"), hat.findtext("stem"), hat.findtext("notehead")) == ("1", "up", "circle-x")


def test_swing_is_marked_and_eighths_stay_straight() -> None:
    pattern = {"kick": "X...X...", "snare_head": "..X...X.", "hihat_closed": "XxXxXxXx"}
    hits, _ = played(pattern, 4, steady(120.0), 4, swing=0.64, jitter=0.004)
    root = document(quantise(hits, beats(17)))
    assert root.findtext(".//swing/swing-type") == "eighth"
    assert int(root.findtext(".//swing/first") or 0) == pytest.approx(64, abs=2)
    assert root.find(".//time-modification") is None


def in_eighths(meter: str, kicks: str, snares: str) -> Score:
    hits = [
        Hit(0.25 * i, CLASS_INDEX[name], 90)
        for name, line in (("kick", kicks), ("snare_head", snares), ("hihat_closed", "x" * len(kicks)))
        for i, mark in enumerate(line)
        if mark == "x"
    ]
    return quantise(sorted(hits), beats(2 * len(kicks), 0.25, meter))


@pytest.mark.parametrize(
    ("meter", "kicks", "snares", "groups"),
    [
        ("7/8", "x...x..", "..x..x.", (2, 2, 3)),
        ("7/8", "x..x...", ".....x.", (3, 2, 2)),
        ("7/8", "x......", "..x..x.", (2, 3, 2)),
        ("5/8", "x......"[:5], "..x..", (2, 3)),
        ("5/8", "x....", "...x.", (3, 2)),
        ("3/8", "x..", "..x", (3,)),
    ],
)
def test_eighths_are_beamed_in_the_groups_that_are_played(
    meter: str, kicks: str, snares: str, groups: tuple[int, ...]
) -> None:
    (bar,) = bars(in_eighths(meter, kicks, snares))
    words = [word for size in groups for word in ("begin", *("continue",) * (size - 2), "end")]
    assert [event.beams for event in bar.hands] == [(word,) for word in words]
    # The feet: from one group to the next at most a note and a rest, no row of eighth rests.
    assert sum(event.length for event in bar.feet) == len(kicks) * Fraction(1, 2)
    assert len([event for event in bar.feet if not event.notes]) <= len(groups)


@pytest.mark.parametrize("strokes_a_beat", [5, 7])
def test_quintuplets_and_septuplets(strokes_a_beat: int) -> None:
    rng = np.random.default_rng(1)
    times = [(i / strokes_a_beat) * 0.6 for i in range(strokes_a_beat * 4)]
    hits = [Hit(max(0.0, time + rng.normal(0, 0.004)), CLASS_INDEX["snare_head"], 90) for time in times]
    score = quantise(hits, beats(6, 0.6))
    assert [note.position for note in score.notes] == [Fraction(i, strokes_a_beat) for i in range(len(times))]
    (bar,) = bars(score)
    assert {(event.tuplet, event.value) for event in bar.hands} == {((strokes_a_beat, 4), "16th")}
    assert drums(score) == Counter((note.position, "snare_head", 90, False) for note in score.notes)
    assert strokes(parse(score), Meter(4, 4)).total() == len(hits)


def test_sixteenths_with_jitter_are_no_quintuplets() -> None:
    rng = np.random.default_rng(2)
    hits = [
        Hit(max(0.0, 0.125 * i + rng.normal(0, 0.012)), CLASS_INDEX["hihat_closed"], 90) for i in range(128)
    ]
    assert {note.position % 1 * 4 % 1 for note in quantise(sorted(hits), beats(40)).notes} == {0}


def grace_notes(before: int, main: float = 1.5) -> list[Hit]:
    snare = CLASS_INDEX["snare_head"]
    ruff = [Hit(main - 0.025 * (before - i), snare, 50) for i in range(before)]
    return [Hit(0.0, CLASS_INDEX["kick"], 90), *ruff, Hit(main, snare, 110)]


@pytest.mark.parametrize(("before", "slash"), [(1, "yes"), (2, "no"), (3, "no")])
def test_flams_are_slashed_and_drags_and_ruffs_beamed(before: int, slash: str) -> None:
    score = quantise(grace_notes(before), beats(6))
    assert [note.position for note in score.notes if note.grace] == [3] * before
    assert score.hits() == tuple(grace_notes(before))
    graces = [note for note in document(score).iter("note") if note.find("grace") is not None]
    assert [note.find("grace").attrib["slash"] for note in graces] == [slash] * before  # type: ignore[union-attr]
    words = ["begin", *["continue"] * (before - 2), "end"] if before > 1 else []
    for level in ("1", "2"):
        beams = [note.findtext(f"beam[@number='{level}']") for note in graces]
        assert [word for word in beams if word] == words
    assert not any(note.find("time-modification") is not None for note in document(score).iter("note"))


def test_a_fast_roll_is_a_tremolo_and_no_stroke_is_lost() -> None:
    """24 strokes a second for two beats and a half, on another drum's eighths."""
    snare, kick = CLASS_INDEX["snare_head"], CLASS_INDEX["kick"]
    hits = sorted(
        [Hit(0.5 + i / 24, snare, 70 + i % 3) for i in range(30)]
        + [Hit(0.25 * i, kick, 90) for i in range(8)]
    )
    score = quantise(hits, beats(6))
    (bar,) = bars(score)
    assert [(event.start, event.value, event.tremolo) for event in bar.hands] == [
        (0, "quarter", 0),
        (1, "quarter", 3),
        (2, "quarter", 3),
        (3, "eighth", 2),
        (Fraction(7, 2), "eighth", 0),
    ]
    assert not any(event.graces for event in bar.hands)
    marks = [element.text for element in document(score).iter("tremolo")]
    assert marks == ["3", "3", "2"]
    assert [(hit.drum, hit.velocity) for hit in score.hits()] == [(hit.drum, hit.velocity) for hit in hits]
    assert [hit.time for hit in score.hits()] == pytest.approx([hit.time for hit in hits], abs=0.03)


def test_a_roll_of_two_note_values_is_tied() -> None:
    """Five eighths of a beat are no single value: the roll goes on through a tied note, not into a rest. What
    sounds with its first stroke is struck once."""
    snare, hat = CLASS_INDEX["snare_head"], CLASS_INDEX["hihat_closed"]
    roll = [Hit(0.6875 + i * 0.04, snare, 70 + i % 3) for i in range(8)]
    hats = [Hit(0.5 + 0.0625 * i, hat, 60) for i in range(4)]
    score = quantise(sorted([Hit(0.0, snare, 90), *hats, *roll]), beats(4))
    (bar,) = bars(score)
    inside = [event for event in bar.hands if 1 <= event.start < 2]
    assert [(e.start, e.value, e.tremolo, e.ties, len(e.notes)) for e in inside[3:]] == [
        (Fraction(11, 8), "eighth", 2, ("start",), 2),
        (Fraction(15, 8), "32nd", 1, ("stop",), 1),
    ]
    tied = [note for note in document(score).iter("note") if note.find("tie") is not None]
    ties = [([e.attrib["type"] for e in note.iter(tag)]) for tag in ("tie", "tied") for note in tied]
    assert ties == [["start"], ["stop"]] * 2
    assert {note.find("instrument").attrib["id"] for note in tied} == {"P1-snare_head"}  # type: ignore[union-attr]


def test_silence_before_the_music_is_not_written() -> None:
    hits, _ = played(ROCK, 4, steady(120.0, 30.0), 4, jitter=0.0)
    score = quantise(hits, beats(80))
    assert (score.first_bar, len(bars(score))) == (15, 4)
    root = document(score)
    assert len(list(root.iter("measure"))) == 4
    assert next(root.iter("measure")).find("direction//per-minute") is not None
    assert drums(score) == Counter(
        (note.position - 60, DRUMS[note.hit.drum].name, note.hit.velocity, note.grace) for note in score.notes
    )


def test_titles_cannot_break_the_document() -> None:
    hits, _ = played(ROCK, 2, steady(120.0), 4)
    root = ET.fromstring(to_musicxml(quantise(hits, beats(9)), 'a\x00\x0b"]]><b>\udc80').split("\n", 2)[2])
    assert root.findtext("work/work-title") == 'a??"]]><b>?'


def test_an_empty_score_is_a_bar_of_rest() -> None:
    stream = parse(quantise([], beats(9)))
    assert strokes(stream, Meter(4, 4)) == Counter()
    assert len(list(stream.parts[0].getElementsByClass("Measure"))) == 1
