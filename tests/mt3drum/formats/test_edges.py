"""Bounds, orders and texts of the formats, each at its exact value."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from mt3drum.formats import read_json, tables
from mt3drum.formats.musicxml import to_musicxml
from mt3drum.formats.notation import bars
from mt3drum.formats.note_map import find_preset, read_note_map
from mt3drum.formats.options import GRIDS, PRACTICE, STYLES, ScoreOptions
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
    assert (PRACTICE, STYLES) == (0.5, ("alternate", "right", "alternate-left", "left"))


def test_what_is_missing_is_said_once_for_each_reason() -> None:
    written = Written((), {"tab": "no steady beat", "midi": "too long", "pdf": "no steady beat"}, ())
    assert written.lacks == [
        "no steady beat found, so no tab, pdf; if there is one, give its tempo with --bpm",
        "cannot be written as midi: too long",
    ]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (118, ()),
        (59, ()),  # half and double are no doubt
        (236, ()),
        (125, ("a.wav: --bpm 125: the strokes fit 118.0 bpm, which was used",)),
        (
            108,
            ("a.wav: --bpm 108: the strokes say 118.0 bpm, 4/4; beats were put at 111.5 bpm instead",),
        ),
    ],
)
def test_a_tempo_that_the_strokes_do_not_have(asked: float, said: tuple[str, ...]) -> None:
    hits, _ = played(ROCK, 8, steady(118.0, 0.5), 4, jitter=0.0)
    rendering = Rendering(Transcription(tuple(hits), 17.0, Path("a.wav")), "gm", ScoreOptions(bpm=asked))
    assert rendering.warnings == () and "bpm" not in rendering.summary  # no format has asked for it
    grid = rendering.grid
    assert grid is not None and rendering.warnings == said
    assert rendering.summary.endswith(f"; {grid.bpm:.1f} bpm, 4/4")


def test_known_beats_reach_back_to_a_stroke_before_them() -> None:
    known = Grid((1.0, 1.5, 2.0, 2.5, 3.0), 0, Meter(4, 4))
    early = Rendering(Transcription((hit(0.4, "kick"),), 4.0), "gm", ScoreOptions(beats=known)).grid
    assert early is not None and early.beats == known.beats and early.first == 4  # a bar before
    assert known.position(0.4) < 0 <= early.position(0.4)
    assert Rendering(Transcription((), 4.0), "gm", ScoreOptions(beats=known)).grid == known


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
