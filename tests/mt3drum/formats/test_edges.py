"""Bounds, orders and texts of the formats, each at its exact value."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import mido
import pytest

from mt3drum.formats import read_json, tables
from mt3drum.formats.chart import make_chart, to_chart, to_mid
from mt3drum.formats.elite import elite_events, note_of
from mt3drum.formats.lanes import chart_gems, thin
from mt3drum.formats.marks import mark, marker
from mt3drum.formats.musicxml import to_musicxml
from mt3drum.formats.notation import bars
from mt3drum.formats.note_map import find_preset, read_note_map
from mt3drum.formats.options import GRIDS, PRACTICE, STYLES, ScoreOptions
from mt3drum.formats.roll_lanes import find_rolls
from mt3drum.formats.stickings import stickings
from mt3drum.formats.summary import summary, summary_record, tempo_summary, tempo_text
from mt3drum.formats.write import Rendering, write
from mt3drum.formats.written import Written
from mt3drum.result import Transcription
from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.quantise import Note, Score
from tests.grooves import ROCK, played, steady
from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.hits import Hit

FOUR = Grid(tuple(0.5 * i for i in range(41)), 0, Meter(4, 4))


def hit(time: float, drum: str, velocity: int = 90) -> Hit:
    return Hit(time, CLASS_INDEX[drum], velocity)


# Marks


@pytest.mark.parametrize(
    ("velocities", "wanted"),
    [
        ([80] * 5 + [96, 95], ["", "", "", "", "", "accent", ""]),  # a fifth louder than usual: 96
        ([60] * 5 + [72, 95, 96], [""] * 7 + ["accent"]),  # and loud in itself: 96
        ([100] * 5 + [60, 61], [""] * 5 + ["ghost", ""]),  # three fifths of the usual
        ([110] * 5 + [60, 61], [""] * 5 + ["ghost", ""]),  # and soft in itself: 60
        ([50] * 5 + [30, 31], [""] * 5 + ["ghost", ""]),
        ([30] * 9 + [100] * 3, ["ghost"] * 9 + [""] * 3),  # ghosts may be the majority
    ],
)
def test_accents_and_ghosts(velocities: list[int], wanted: list[str]) -> None:
    for drum in ("snare_head", "snare_rim"):
        hits = [hit(i, drum, v) for i, v in enumerate(velocities)]
        assert [mark(one, marker(hits)) for one in hits] == wanted
    toms = [hit(i, "tom1_head", v) for i, v in enumerate(velocities)]
    assert "ghost" not in {mark(one, marker(toms)) for one in toms}


# Charts


@pytest.mark.parametrize("kept", range(6))
def test_what_a_chord_loses_first(kept: int) -> None:
    """Of snare, crash, tom, cowbell, ride and hi-hat two stay: the snare and the first of the others."""
    order = ["snare_head", "crash1", "tom2_head", "aux2", "ride", "hihat_closed"]
    there = ["snare_head", *order[kept + 1 :]] if kept < 5 else ["snare_head"]
    charted = chart_gems([hit(0.0, name, 127 - i) for i, name in enumerate(there[::-1])], [0] * len(there))
    lanes = {"crash1": 4, "tom2_head": 3, "aux2": 3, "ride": 3, "hihat_closed": 2}
    assert {gem.lane for gem in charted.gems} == {1, *([lanes[there[1]]] if len(there) > 1 else [])}
    assert charted.left_out == max(0, len(there) - 2)


def test_a_second_drum_of_one_colour_takes_blue_then_green_then_yellow() -> None:
    pairs = {("hihat_closed", "tom1_head"): 3, ("ride", "tom2_head"): 4, ("crash1", "tom3_head"): 3}
    for names, lane in pairs.items():
        (first, second) = sorted(chart_gems([hit(0.0, name) for name in names], [0, 0]).gems)
        assert lane in (first.lane, second.lane) and first.lane != second.lane
    assert chart_gems([hit(0.0, "snare_head"), hit(0.0, "snare_cross_stick")], [0, 0]).left_out == 1


@pytest.mark.parametrize(
    ("ticks", "kept"),
    [
        ([0, 240], [0]),  # a beat before its half
        ([240, 480], [480]),
        ([120, 240], [240]),  # a half before a quarter
        ([160, 240], [240]),
        ([60, 120], [120]),  # quarters and thirds before the rest
        ([60, 160], [160]),
        ([120, 160], [120]),  # of equals the first
    ],
)
def test_the_stronger_beat_stays(ticks: list[int], kept: list[int]) -> None:
    charted = chart_gems([hit(0.05 * i, "snare_head") for i in range(len(ticks))], ticks)
    assert [gem.tick for gem in thin(charted, "Hard", 480)] == kept


@pytest.mark.parametrize(("difficulty", "gap"), [("Hard", 0.14), ("Medium", 0.24), ("Easy", 0.45)])
def test_gaps_of_easier_charts(difficulty: Any, gap: float) -> None:
    for drum, least in (
        ("snare_head", gap),
        ("kick", {"Hard": 0.24, "Medium": 0.45, "Easy": 0.9}[difficulty]),
    ):
        for seconds, count in ((least + 0.001, 2), (least - 0.001, 1)):
            charted = chart_gems([hit(0.0, drum), hit(seconds, drum)], [0, 480])
            assert len(thin(charted, difficulty, 480)) == count


def test_easier_charts_leave_out_ghosts_and_the_lesser_of_two_hands() -> None:
    hits = [hit(0.0, "snare_head", 100), hit(0.0, "hihat_closed"), hit(1.0, "snare_head", 20)]
    hits += [hit(2.0, "crash1"), hit(2.0, "hihat_closed")]
    charted = chart_gems(hits, [0, 0, 960, 1920, 1920])
    found = {
        name: [(g.tick, g.lane) for g in thin(charted, name, 480)] for name in ("Hard", "Medium", "Easy")
    }
    assert found["Hard"] == [(0, 1), (0, 2), (960, 1), (1920, 2), (1920, 4)]
    assert found["Medium"] == [(0, 1), (0, 2), (1920, 2), (1920, 4)]
    assert found["Easy"] == [(0, 1), (1920, 4)]


def test_second_pedals_from_5_and_a_half_kicks_a_second_on() -> None:
    for gap, second in ((0.179, True), (0.181, False)):
        charted = chart_gems([hit(0.0, "kick"), hit(gap, "kick"), hit(2 * gap, "kick")], [0, 100, 200])
        assert [gem.double for gem in charted.gems] == [False, second, False]


def test_without_a_score_a_chart_has_120_beats_a_minute_and_chords_of_20_ms() -> None:
    hits = [hit(0.5, "kick"), hit(0.519, "snare_head"), hit(0.541, "crash1"), hit(1.25, "ride_bell", 127)]
    text = to_chart(make_chart(hits, None, "x", 2.0)).replace("\r", "")
    assert "  0 = TS 4 2\n  0 = B 120000\n" in text
    expert = text.split("[ExpertDrums]\n{\n")[1].split("}")[0].split()
    assert " ".join(expert) == ("480 = N 0 0 480 = N 1 0 519 = N 4 0 519 = N 68 0 1200 = N 3 0 1200 = N 67 0")


@pytest.mark.parametrize(
    ("names", "count", "lanes"),
    [
        (("snare_head",), 6, (1,)),
        (("snare_head",), 5, None),
        (("tom1_head", "tom2_head"), 8, (2, 3)),
        (("tom1_head", "tom2_head"), 7, None),
        (("tom1_head", "tom2_head", "tom3_head"), 12, None),
    ],
)
def test_the_least_strokes_of_a_roll(
    names: tuple[str, ...], count: int, lanes: tuple[int, ...] | None
) -> None:
    for gap, fast in ((0.0699, True), (0.0701, False)):
        hits = [hit(i * gap, names[i % len(names)]) for i in range(count)]
        rolls = find_rolls(chart_gems(hits, [60 * i for i in range(count)]))
        wanted = [(0, 60 * (count - 1), lanes)] if fast and lanes else []
        assert [(roll.start, roll.end, roll.lanes) for roll in rolls] == wanted


def test_rolls_in_both_files_of_a_chart() -> None:
    """126 and phrase 65: one lane; 127 and 66: two; to a sixty-fourth after the last stroke."""
    hits = [hit(i * 0.06, "snare_head") for i in range(6)]
    hits += [hit(2 + i * 0.06, ("tom1_head", "tom2_head")[i % 2]) for i in range(8)]
    chart = make_chart(hits, None, "x", 3.0)
    assert re.findall(r"(\d+) = S (\d+) (\d+)", to_chart(chart)) == [
        ("0", "65", "318"),
        ("1920", "66", "433"),
    ]
    (track,) = (t for t in mido.MidiFile(file=io.BytesIO(to_mid(chart))).tracks if t.name == "PART DRUMS")
    ticks = accumulate(message.time for message in track)
    found = [
        (tick, m.type, m.note, m.velocity) for tick, m in zip(ticks, track, strict=True) if not m.is_meta
    ]
    assert [row for row in found if row[2] in (126, 127)] == [
        (0, "note_on", 126, 100),
        (318, "note_off", 126, 0),
        (1920, "note_on", 127, 100),
        (2353, "note_off", 127, 0),
    ]


def test_notes_of_eight_lanes() -> None:
    """Elite Drums MIDI Specification: 72 pedal, 74 kick, 75 snare, 76 hi-hat, 77 left crash, 78 to 80 toms,
    81 ride, 82 right crash."""
    wanted = {"hihat_pedal": 72, "kick": 74, "tom1": 78, "tom2": 79, "tom3": 80, "floor": 80, "crash1": 77}
    wanted |= {"crash2": 82, "snare": 75, "hihat": 76, "ride": 81, "aux": 81}
    for drum in DRUMS:
        (note,) = {
            n
            for start, n in wanted.items()
            if drum.name.startswith(start) and (drum.name != "hihat_pedal" or n == 72)
        }
        assert note_of(drum.index) == note


def test_events_of_eight_lanes() -> None:
    """Kicks within 0.18 s alternate with 73; hats are closed under a held 72, which ends at an open one; a
    flam's 87 where one hand strikes; accents 127, ghosts 1, else 96; 30 ticks or up to the next chord."""
    rows = [
        (0, "kick", 127),
        (100, "kick", 90),
        (120, "kick", 90),
        (700, "kick", 90),
        (1000, "hihat_closed", 90),
    ]
    rows += [
        (1100, "hihat_closed", 90),
        (1200, "hihat_open", 90),
        (1300, "hihat_pedal", 90),
        (1500, "snare_head", 127),
    ]
    rows += [
        (1600, "snare_head", 80),
        (1600, "crash1", 80),
        (1700, "snare_head", 20),
        (1800, "snare_head", 80),
    ]
    hits = [hit(tick / 960, name, velocity) for tick, name, velocity in rows]
    flams = {hits[-5], hits[-4]}
    events = sorted(elite_events(hits, [row[0] for row in rows], flams), key=lambda e: e[:2])
    found = [(tick, m.note, m.velocity) for tick, _, m in events if m.type == "note_on"]
    assert sorted(found) == sorted([
        (0, 74, 96), (100, 73, 96), (120, 74, 96), (700, 74, 96), (1000, 72, 96), (1000, 76, 96),
        (1100, 76, 96), (1200, 76, 96), (1300, 72, 96), (1500, 75, 127),
        (1500, 87, 96), (1600, 75, 96), (1600, 77, 96),
        (1700, 75, 1), (1800, 75, 96),
    ])  # fmt: skip
    ends = [(tick, m.note) for tick, _, m in events if m.type == "note_off"]
    assert (120, 73) in ends and (150, 74) in ends and (1130, 72) in ends and (1330, 72) in ends
    assert (1530, 75) in ends and (1530, 87) in ends


# Tables


def test_numbers_of_the_tables_are_rounded() -> None:
    grid = Grid((0.123456, 0.623456, 1.133456, 1.637456), 3, Meter(4, 4), 0.98765)
    record = tables.tempo_record(grid)
    assert record == {
        "bpm": round(grid.bpm, 2),
        "meter": "4/4",
        "steadiness": 0.988,
        "first": 3,
        "beats": [0.1235, 0.6235, 1.1335, 1.6375],
        "downbeats": [0.6235],
    }
    assert record["bpm"] != round(grid.bpm, 3)
    document = json.loads(tables.to_jams([Hit(0.5, 0, 90)], 1.133456, "x", grid, [36] * 26))
    beats, tempo = document["annotations"][2:]
    assert [(row["time"], row["value"]) for row in beats["data"]] == [
        (0.123456, 4),
        (0.623456, 1),
        (1.133456, 2),
    ]
    assert tempo["data"][0]["value"] == round(grid.bpm, 3)
    assert (
        json.loads(tables.to_jams([Hit(5.0, 0, 90)], 1.0, "x", None, [36] * 26))["annotations"][0]["duration"]
        == 5
    )


SCORE = {"hits": [], "seconds": 3.0}
HIT = {"time": 1.0, "drum": "kick", "velocity": 90, "confidence": 0.5}
TEMPO = {"beats": [0.5, 1.0], "meter": "4/4", "first": 0, "steadiness": 1.0}


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        (SCORE, ""),
        (SCORE | {"seconds": 1e5}, ""),
        (SCORE | {"seconds": 100_001}, "100001 is outside 0..100000"),
        (SCORE | {"seconds": -1}, "-1 is outside 0..100000"),
        (SCORE | {"seconds": True}, "True is not a number"),
        (SCORE | {"hits": [HIT | {"time": 0, "confidence": 0}, HIT | {"confidence": 1}]}, ""),
        (SCORE | {"hits": [HIT | {"confidence": 1.01}]}, "hit 1: ValueError: 1.01 is outside 0..1"),
        (
            SCORE | {"hits": [HIT, HIT | {"velocity": 9.5}]},
            "hit 2: ValueError: velocity 9.5 is not a whole number",
        ),
        (SCORE | {"hits": [HIT | {"drum": "bongo"}]}, "hit 1: KeyError: 'bongo'"),
        (SCORE | {"hits": {}}, "not a score in JSON"),
        (SCORE | {"scheme": "9"}, "scheme '9' is not one of"),
        (SCORE | {"tempo": TEMPO}, ""),
        (SCORE | {"tempo": TEMPO | {"first": 4, "steadiness": 0}}, ""),
        (SCORE | {"tempo": TEMPO | {"first": 5}}, "first must be a whole number of 0..4"),
        (SCORE | {"tempo": TEMPO | {"first": -1}}, "first must be a whole number of 0..4"),
        (SCORE | {"tempo": TEMPO | {"beats": [0.5]}}, "beats must rise, 2 to 200000 of them"),
        (SCORE | {"tempo": TEMPO | {"beats": [0.5, 0.5]}}, "beats must rise"),
        (SCORE | {"tempo": TEMPO | {"steadiness": 1.5}}, "1.5 is outside 0..1"),
    ],
)
def test_what_a_score_in_json_may_hold(tmp_path: Path, values: Any, wrong: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(values))
    if wrong:
        with pytest.raises(ValueError, match=f"{re.escape(str(path))}: .*{re.escape(wrong)}"):
            read_json.read_json(path)
        return
    result, grid = read_json.read_json(path)
    assert len(result.hits) == len(values["hits"]) and (grid is None) == ("tempo" not in values)
    assert (result.path, result.scheme, result.seconds) == (path, "26", values["seconds"])


def test_a_score_in_json_says_where_it_is_from(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(SCORE | {"source": "song.wav", "warnings": ["w", 1], "scheme": "26"}))
    result, _ = read_json.read_json(path)
    assert (result.path, result.warnings) == (Path("song.wav"), ("w", "1"))
    with pytest.raises(ValueError, match=r"b\.json: no such file; name a score in JSON"):
        read_json.read_json(tmp_path / "b.json")


# Notes


def test_bounds_of_a_note_map(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text('{"kick": 0, "snare_head": 127}')
    assert read_note_map(path)[:2] == (0, 127)
    path.write_text('{"kick": -1}')
    with pytest.raises(ValueError, match="note -1 is not a whole number of 0..127"):
        read_note_map(path)


def test_a_preset_has_what_its_file_has() -> None:
    preset = find_preset("roland")
    file = Path(read_json.__file__).parent.parent / "assets" / "note_maps" / "roland.json"
    table = json.loads(file.read_text(encoding="utf-8"))
    assert (preset.product, preset.about) == (table["product"], table["about"])
    assert (list(preset.sources), preset.pedal_controller) == (table["sources"], table["pedal_controller"])
    for drum in DRUMS:
        row = table["notes"][drum.name]
        assert (preset.numbers[drum.index], preset.there[drum.index]) == (row["note"], row["there"])
        assert preset.instead.get(drum.name) == row.get("instead")
    with pytest.raises(KeyError):
        find_preset("piano")


# Words


def test_summaries() -> None:
    result = Transcription((hit(0.5, "kick"), hit(1.0, "snare_head"), hit(1.5, "kick")), 12.3456)
    assert summary(result) == "3 hits in 12.3 s: kick 2, snare_head 1"
    assert summary(Transcription((), 1.0)) == "0 hits in 1.0 s"
    assert summary_record(result) == {"hits": 3, "seconds": 12.346, "drums": {"kick": 2, "snare_head": 1}}
    grid = Grid((0.0, 0.5123, 1.0246), 0, Meter(3, 4), 0.12345)
    assert tempo_text(grid) == f"{grid.bpm:.1f} bpm, 3/4" and tempo_text(None) == "unsteady: no grid"
    assert tempo_summary(grid) == {"bpm": round(grid.bpm, 2), "meter": "3/4", "steadiness": 0.123}
    assert tempo_summary(None) is None and round(grid.bpm, 2) != round(grid.bpm, 1)


def test_options() -> None:
    assert dict(GRIDS) == {"8": 8, "16": 16, "24": 24, "auto": "auto"}
    assert (PRACTICE, STYLES) == (0.5, ("alternate", "right"))


def test_what_is_missing_is_said_once_for_each_reason() -> None:
    written = Written((), {"tab": "no steady beat", "midi": "too long", "pdf": "no steady beat"}, ())
    assert written.lacks == [
        "no steady beat found, so no tab, pdf; if there is one, give its tempo with --bpm",
        "cannot be written as midi: too long",
    ]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (118, None),
        (59, "the strokes fit 118.0 bpm, which was used|None"),
        (90, "the strokes say 11[78].* beats were put at .* instead"),
    ],
)
def test_a_tempo_that_the_strokes_do_not_have(asked: float, said: str | None) -> None:
    hits, _ = played(ROCK, 8, steady(118.0, 0.5), 4, jitter=0.0)
    rendering = Rendering(Transcription(tuple(hits), 17.0, Path("a.wav")), "gm", ScoreOptions(bpm=asked))
    assert rendering.warnings == () and "bpm" not in rendering.summary  # no format has asked for it
    assert rendering.grid is not None
    if said is None:
        assert rendering.warnings == () and "; 118.0 bpm, 4/4" in rendering.summary
    else:
        assert re.search(said, f"{rendering.warnings[0] if rendering.warnings else None}")


def test_names_of_folders_in_a_chart_are_safe(tmp_path: Path) -> None:
    import zipfile

    for name, folder in (("a/b: c?.wav", "b_ c_"), (" .wav", "song"), ("x (1)_-.wav", "x (1)_-")):
        (path,) = write(Transcription((hit(0.5, "kick"),), 1.0, Path(name)), tmp_path / "x", ("chart",))
        with zipfile.ZipFile(path) as archive:
            assert {Path(member).parent.name for member in archive.namelist()} == {folder}
            assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


# MusicXML


def xml(places: list[Any], beats: list[float], meter: str, **options: Any) -> ET.Element:
    notes = tuple(Note(Fraction(p), Hit(float(Fraction(p)), 1, 90)) for p in places)
    score = Score(notes, Grid(tuple(beats), 0, Meter.parse(meter)))
    return ET.fromstring(to_musicxml(score, "a\x07b", **options).split("\n", 2)[2])


def test_changes_of_tempo_are_printed_from_4_percent_on() -> None:
    lengths = [0.5] * 20 + [0.5 / 1.03] * 4 + [0.5 / 1.05] * 4 + [0.5 / 1.02] * 4
    root = xml([4 * bar for bar in range(8)], [0.0, *accumulate(lengths)], "4/4")
    found = {
        measure.get("number"): (words.text, measure.find("direction/sound").get("tempo"))  # type: ignore[union-attr]
        for measure in root.iter("measure")
        for words in measure.iter("per-minute")
    }
    assert found == {"1": ("120", "120.00"), "7": ("126", "126.00")}
    assert root.findtext("work/work-title") == "a?b"


@pytest.mark.parametrize(
    ("meter", "unit", "dots", "minute", "quarters"),
    [
        ("4/4", "quarter", 0, "120", "120.00"),
        ("6/8", "quarter", 1, "120", "180.00"),
        ("7/8", "eighth", 0, "120", "60.00"),
    ],
)
def test_the_beat_of_the_tempo(meter: str, unit: str, dots: int, minute: str, quarters: str) -> None:
    root = xml([0], [0.5 * i for i in range(9)], meter)
    (mark,) = root.iter("metronome")
    assert (mark.findtext("beat-unit"), len(mark.findall("beat-unit-dot"))) == (unit, dots)
    assert (mark.findtext("per-minute"), next(root.iter("sound")).get("tempo")) == (minute, quarters)


def test_similes_begin_and_end_with_their_run() -> None:
    places = [Fraction(4 * bar + beat) for bar in range(4) for beat in range(4)]
    places += [Fraction(16), Fraction(35, 2)]
    root = xml(places, [0.5 * i for i in range(25)], "4/4", simile_marks=True)
    found = [
        (measure.get("number"), sign.attrib, sign.text)
        for measure in root.iter("measure")
        for sign in measure.findall("attributes/measure-style/measure-repeat")
    ]
    assert found == [("2", {"type": "start"}, "1"), ("5", {"type": "stop"}, None)]


# Hands


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("snare_head", "snare_rim"),
        ("snare_rim", "tom1_head"),
        ("snare_head", "tom1_head"),
        ("tom1_head", "tom2_head"),
        ("tom2_head", "tom3_head"),
        ("tom3_head", "floor_tom_head"),
        ("floor_tom_head", "hihat_closed"),
        ("floor_tom_head", "crash1"),
        ("floor_tom_head", "aux1"),
        ("hihat_closed", "crash1"),
        ("crash1", "aux1"),
        ("aux1", "ride"),
        ("hihat_closed", "ride"),
    ],
)
def test_who_has_the_right_hand(left: str, right: str) -> None:
    notes = tuple(
        sorted((Note(Fraction(0), hit(0.0, name)) for name in (left, right)), key=lambda n: n.hit.drum)
    )
    ((first, *_),) = stickings(bars(Score(notes, FOUR)), Meter(4, 4), "right")
    hands = dict(zip((DRUMS[note.hit.drum].name for note in notes), first, strict=True))
    assert hands == {left: "L", right: "R"}
