"""Sections, flams, roll lanes and the eight-lane track of charts, read by rules of their documentation."""

from __future__ import annotations

import io
from itertools import pairwise

import mido
import pytest

from mt3drum.formats.chart import RESOLUTION, Chart, make_chart, on_five_lanes, to_chart, to_ini, to_mid
from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.quantise import quantise
from tests.mt3drum.formats.test_chart import chart_notes, mid_notes, read_chart
from tests.mt3drum.rhythm.test_sections import SONG, part
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit

GRID = Grid(tuple(0.5 * i for i in range(41)), 0, Meter(4, 4))


def chart_of(rows: list[tuple[float, str, int]]) -> Chart:
    hits = sorted(Hit(time, CLASS_INDEX[name], velocity) for time, name, velocity in rows)
    return make_chart(hits, quantise(hits, GRID), "x", 20.0)


def notes_of(chart: Chart, name: str) -> list[tuple[int, int, int, int]]:
    """(start, end, note, velocity) of a track of notes.mid; notes of one pitch do not overlap."""
    (track,) = [t for t in mido.MidiFile(file=io.BytesIO(to_mid(chart))).tracks if t.name == name]
    tick, open_notes, found = 0, {}, []
    for message in track:
        tick += message.time
        if message.type == "note_on":
            assert message.note not in open_notes
            open_notes[message.note] = tick, message.velocity
        elif message.type == "note_off":
            start, velocity = open_notes.pop(message.note)
            assert tick > start
            found.append((start, tick, message.note, velocity))
    assert not open_notes
    return sorted(found)


def test_sections_in_both_files() -> None:
    score = part(SONG, (0, 8, 16, 24, 36))
    chart = make_chart([note.hit for note in score.notes], score, "x", 80.0)
    bar = 4 * RESOLUTION
    wanted = {0: "A", 8 * bar: "B", 16 * bar: "A 2", 24 * bar: "B 2", 32 * bar: "C", 36 * bar: "B 3"}
    events = read_chart(to_chart(chart))["Events"]
    assert {int(tick): value for tick, value in events} == {
        tick: f'E "section {name}"' for tick, name in wanted.items()
    }
    (track,) = [t for t in mido.MidiFile(file=io.BytesIO(to_mid(chart))).tracks if t.name == "EVENTS"]
    tick, found = 0, {}
    for message in track:
        tick += message.time
        if message.type == "text":
            found[tick] = message.text
    assert found == {tick: f"[section {name}]" for tick, name in wanted.items()}


def test_flams_are_marked_where_the_hand_strikes_nothing_else() -> None:
    rows = [(0.5 * i, "snare_head", 110) for i in range(1, 8)]
    rows += [(0.97, "snare_head", 40), (1.97, "snare_head", 40)]  # flams on the second and the fourth
    rows += [(2.0, "hihat_closed", 90), (1.0, "kick", 100)]
    markers = [start for start, _, note, _ in notes_of(chart_of(rows), "PART DRUMS") if note == 109]
    assert markers == [2 * RESOLUTION]  # the kick is a foot's; the hi-hat on the fourth is the other hand's
    elite = [start for start, _, note, _ in notes_of(chart_of(rows), "PART ELITE_DRUMS") if note == 87]
    assert elite == markers


def rolls(chart: Chart) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """(start, end, lanes) of notes.mid and of notes.chart."""
    mid = [(a, b, note - 125) for a, b, note, _ in notes_of(chart, "PART DRUMS") if note >= 126]
    pairs = read_chart(to_chart(chart))["ExpertDrums"]
    phrases = [(int(tick), *map(int, value.split()[1:])) for tick, value in pairs if value[0] == "S"]
    return mid, [(tick, tick + length, kind - 64) for tick, kind, length in phrases]


def test_rolls_and_swells_have_lanes() -> None:
    rows = [(1.0 + i * 0.04, "snare_head", 90) for i in range(25)]  # one second of 25 strokes
    rows += [(4.0 + i / 16, ("ride", "crash1")[i % 2], 90) for i in range(16)]  # alternating thirty-seconds
    rows += [(6.0 + i / 8, "hihat_closed", 90) for i in range(16)]  # sixteenths are played, not rolled
    mid, phrases = rolls(chart_of(rows))
    assert mid == phrases
    (one, two) = mid
    assert (one[0], one[2]) == (2 * RESOLUTION, 1) and one[1] == pytest.approx(2 * 1.96 * RESOLUTION, abs=60)
    assert (two[0], two[2]) == (8 * RESOLUTION, 2) and two[1] == pytest.approx(2 * 4.94 * RESOLUTION, abs=60)
    for hard in ("HardDrums", "EasyDrums"):
        assert not any(value[0] == "S" for _, value in read_chart(to_chart(chart_of(rows)))[hard])


def test_rolls_follow_one_another_without_overlap_at_any_tempo() -> None:
    rows = [(i * 0.04, "snare_head", 90) for i in range(12)]
    rows += [(0.48 + i * 0.04, "tom1_head", 90) for i in range(12)]
    hits = sorted(Hit(time, CLASS_INDEX[name], velocity) for time, name, velocity in rows)
    for seconds in (0.3, 2.4):  # a beat
        grid = Grid(tuple(seconds * i for i in range(9)), 0, Meter(4, 4))
        mid, phrases = rolls(make_chart(hits, quantise(hits, grid), "x", 3.0))
        assert mid == phrases and len(mid) == 2
        assert all(before[1] <= after[0] for before, after in pairwise(mid))


def test_star_power_is_left_to_the_charter() -> None:
    score = part(SONG)
    chart = make_chart([note.hit for note in score.notes], score, "x", 80.0)
    assert not {note for *_, note, _ in notes_of(chart, "PART DRUMS")} & {116, 120, 121, 122, 123, 124}
    assert not {note for *_, note, _ in notes_of(chart, "PART ELITE_DRUMS")} & {104, 106}
    values = [value for _, value in read_chart(to_chart(chart))["ExpertDrums"]]
    assert not any(value.startswith(("S 2 ", "S 64 ")) for value in values)


def hats(chart: Chart) -> list[tuple[int, str]]:
    """Hi-hats of the eight-lane track by YARG's rule: closed where a pedal note is held, else open; the
    foot's strokes are pedal notes that begin without a hi-hat."""
    notes = notes_of(chart, "PART ELITE_DRUMS")
    pedal = [(start, end) for start, end, note, _ in notes if note == 72]
    sticks = {start for start, _, note, _ in notes if note == 76}
    closed = {tick for tick in sticks if any(start <= tick < end for start, end in pedal)}
    found = [(tick, "closed" if tick in closed else "open") for tick in sticks]
    return sorted([*found, *((start, "foot") for start, _ in pedal if start not in sticks)])


def test_eight_lanes_tell_open_hats_from_closed_ones() -> None:
    names = [
        "closed",
        "closed",
        "open",
        "closed",
        "pedal",
        "closed",
        "open",
        "open",
        "pedal",
        "open",
        "closed",
    ]
    rows = [(0.25 * i, f"hihat_{name}", 90) for i, name in enumerate(names)]
    step = RESOLUTION // 2
    wanted = [(i * step, "foot" if name == "pedal" else name) for i, name in enumerate(names)]
    assert hats(chart_of(rows)) == wanted


def shifted(notes: list[tuple[int, int, int, int]], number: int) -> list[tuple[int, int]]:
    """(tick, note as on Expert) of a difficulty of the eight-lane track: 24 notes from one to the next."""
    return [(start, note + 24 * number) for start, _, note, _ in notes if 72 <= note + 24 * number <= 82]


def test_easier_eight_lanes_keep_what_easier_pro_drums_keep() -> None:
    rows = [(0.125 * i, "hihat_open" if i % 8 == 6 else "hihat_closed", 100) for i in range(96) if i != 8]
    rows += [(0.5 + i, "snare_head", 110) for i in range(12)] + [(0.125 * i, "kick", 100) for i in range(96)]
    rows += [(4.0 * i, "crash1", 120) for i in range(3)] + [(1.0, "hihat_pedal", 90)]
    rows += [(10.0 + 0.5 * i, "tom2_head", 110) for i in range(4)]
    chart = chart_of(rows)
    midi = mido.MidiFile(file=io.BytesIO(to_mid(chart)))
    notes = notes_of(chart, "PART ELITE_DRUMS")
    before = set(shifted(notes, 0))
    cymbal = {"yellow cymbal": 76, "green cymbal": 77, "red": 75, "blue": 79}
    for number, base in enumerate((96, 84, 72, 60)):  # of PART DRUMS
        found = shifted(notes, number)
        gems = [(tick, what) for tick, what, _ in mid_notes(midi, base).elements()]
        own = [(tick, note) for tick, note in found if note != 72]
        if number:
            assert sorted(own) == sorted(
                (tick, 74 if what == "kick" else cymbal[what]) for tick, what in gems
            )
            assert {note for _, note in own} <= {74, 75, 76, 77, 79}  # no second pedal
            assert set(own) <= {(tick, 74 if note == 73 else note) for tick, note in before}
            assert len(own) < len([note for _, note in before if note != 72])
        before = set(found)
        pedal = [(a, b) for a, b, note, _ in notes if note + 24 * number == 72]
        sticks = {tick for tick, note in own if note == 76}
        opened = {tick for tick in sticks if not any(a <= tick < b for a, b in pedal)}
        wanted = {i * RESOLUTION // 4 for i in range(96) if i % 8 == 6}
        assert opened == sticks & wanted and sticks - opened
        stomps = {a for a, _ in pedal} - sticks
        assert stomps == ({2 * RESOLUTION} if number == 0 else set())
    assert not [note for *_, note, _ in notes if 83 <= note + 24 <= 95]


def test_eight_lanes_keep_drums_apart_and_dynamics() -> None:
    rows = [(0.0, "kick", 100), (0.0, "crash1", 127), (0.0, "tom1_head", 90), (0.0, "hihat_closed", 90)]
    rows += [
        (1.0, "crash2", 100),
        (1.5, "tom2_head", 90),
        (2.0, "floor_tom_head", 90),
        (2.5, "ride_bell", 90),
    ]
    rows += [(3.0 + 0.5 * i, "snare_head", velocity) for i, velocity in enumerate((90, 90, 20, 127))]
    rows += [(6.0 + 0.1 * i, "kick", 100) for i in range(4)]
    chart = chart_of(rows)
    notes = notes_of(chart, "PART ELITE_DRUMS")
    found = [(start, note, velocity) for start, _, note, velocity in notes if note >= 72]  # Expert
    at = {start: {note for tick, note, _ in found if tick == start} for start, _, _ in found}
    beat = RESOLUTION * 2  # a second
    assert at[0] == {74, 77, 78}  # of three hands the hi-hat goes, with its pedal
    assert [at[int(t * beat)] for t in (1.0, 1.5, 2.0, 2.5)] == [{82}, {79}, {80}, {81}]
    assert [velocity for tick, note, velocity in found if note == 75] == [96, 96, 1, 127]
    assert [note for tick, note, _ in found if tick >= 6 * beat - 1] == [74, 73, 74, 73]
    assert chart_notes(read_chart(to_chart(chart))["ExpertDrums"]) == mid_notes(
        mido.MidiFile(file=io.BytesIO(to_mid(chart))), 96
    )


SUGGESTED = {
    "kick": {0},
    "red": {1},
    "yellow cymbal": {2},
    "yellow": {3},
    "blue cymbal": {4},
    "blue": {3},
    "green cymbal": {4},
    "green": {5},
    "blue+yellow": {1, 3},
    "blue cymbal+green cymbal": {2, 4},
}
"""Lanes of five for gems of four: the table of TheNathannator/GuitarGame_ChartFormats, .chart, Drums."""


def test_five_lanes() -> None:
    singles = ("snare_head", "hihat_closed", "tom1_head", "ride", "tom2_head", "crash1", "floor_tom_head")
    rows = [(0.5 + 0.5 * i, name, 100) for i, name in enumerate(singles)]
    pairs = [
        ("tom1_head", "tom2_head"),
        ("ride", "crash1"),
        ("snare_head", "hihat_open"),
        ("ride", "tom2_head"),
    ]
    rows += [(5.0 + 0.5 * i, name, 100) for i, both in enumerate(pairs) for name in both]
    rows += [(8.0 + 0.125 * i, "kick", 100) for i in range(8)]
    rows += [(10.0 + 0.5 * i, "floor_tom_head", velocity) for i, velocity in enumerate((127, 100, 100, 100))]
    pro = chart_of(rows)
    five = on_five_lanes(pro)
    midi = mido.MidiFile(file=io.BytesIO(to_mid(five)))
    notes = notes_of(five, "PART DRUMS")
    assert [track.name for track in midi.tracks] == ["notes", "EVENTS", "PART DRUMS"]
    assert {note for *_, note, _ in notes} <= {
        base + lane for base in (60, 72, 84, 96) for lane in range(-1, 6)
    }
    for difficulty, base in (("Expert", 96), ("Hard", 84), ("Medium", 72), ("Easy", 60)):
        wanted: dict[int, set[str]] = {}
        for tick, what, _ in chart_notes(read_chart(to_chart(pro))[f"{difficulty}Drums"]):
            wanted.setdefault(tick, set()).add(what)
        codes: dict[int, set[int]] = {}
        for place, value in read_chart(to_chart(five))[f"{difficulty}Drums"]:
            codes.setdefault(int(place), set()).add(int(value.split()[1]))
        assert set(codes) == set(wanted) and codes
        for tick, chord in wanted.items():
            hands = chord - {"kick", "double kick"}
            lanes = SUGGESTED.get("+".join(sorted(hands))) or {n for what in hands for n in SUGGESTED[what]}
            lanes = lanes | ({0} if "kick" in chord else set()) | ({32} if "double kick" in chord else set())
            assert {code for code in codes[tick] if code < 33} == lanes
            of_mid = {note - base for start, _, note, _ in notes if start == tick and -1 <= note - base <= 5}
            assert of_mid == {-1 if lane == 32 else lane for lane in lanes}
        assert not [code for here in codes.values() for code in here if code > 44]
    assert any(
        code == 38
        for _, value in read_chart(to_chart(five))["ExpertDrums"]
        for code in [int(value.split()[1])]
    )
    assert "five_lane_drums = True" in to_ini(five) and "pro_drums" not in to_ini(five)
    assert "five_lane" not in to_ini(pro)
