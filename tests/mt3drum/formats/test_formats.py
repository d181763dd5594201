"""Every format re-read by a parser that knows nothing of its writer, with nothing lost."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

import jams
import numpy as np
import pytest
import soundfile

from mt3drum.formats import tables
from mt3drum.formats.marks import mark, marker
from mt3drum.formats.staff import SIGNS
from mt3drum.formats.tab import to_tab
from mt3drum.formats.wav import to_wav
from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.quantise import Score, quantise
from tests.grooves import ROCK, played, steady
from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.hits import Hit

GRID = Grid(tuple(0.25 + 0.5 * i for i in range(41)), 0, Meter(4, 4))


def every_drum() -> list[Hit]:
    """Four bars of rock, then every class at four velocities, a flam, sixteenths and triplets."""
    hits, _ = played(ROCK, 4, steady(120.0, 0.25), 4)
    times = [8.25 + i * 0.125 for i in range(52)] + [15.25 + i / 6 for i in range(52)]
    for i, time in enumerate(times):
        hits.append(Hit(time, i % 26, (20, 60, 100, 127)[i // 26], round(0.5 + 0.004 * i, 4)))
    hits.append(Hit(15.25 - 0.02, 1, 40))
    hits.append(Hit(15.25, 1, 90))
    return sorted(hits)


@pytest.fixture(scope="module")
def score() -> Score:
    score = quantise(every_drum(), Grid(tuple(0.25 + 0.5 * i for i in range(52)), 0, Meter(4, 4)))
    assert not score.dropped
    assert {note.hit.drum for note in score.notes} == set(range(26))
    return score


def rows(hits: list[Hit]) -> list[tuple[float, str, int, float]]:
    return [(round(h.time, 6), DRUMS[h.drum].name, h.velocity, round(h.confidence, 4)) for h in hits]


def test_json_json_lines_and_csv_hold_every_hit() -> None:
    hits = every_drum()
    text = tables.to_json(hits, 30.0, "söng.wav", ["a warning"], tables.tempo_record(GRID))
    document = json.loads(text)
    assert document["source"] == "söng.wav"
    assert document["seconds"] == 30.0
    assert document["warnings"] == ["a warning"]
    assert document["tempo"]["bpm"] == 120.0
    assert document["tempo"]["meter"] == "4/4"
    assert document["tempo"]["downbeats"][:2] == [0.25, 2.25]
    assert [tuple(hit.values()) for hit in document["hits"]] == rows(hits)
    assert [tuple(json.loads(line).values()) for line in tables.to_jsonl(hits).splitlines()] == rows(hits)
    table = list(csv.DictReader(io.StringIO(tables.to_csv(hits))))
    read = [(float(r["time"]), r["drum"], int(r["velocity"]), float(r["confidence"])) for r in table]
    assert read == rows(hits)


def test_nothing_is_written_for_no_hits() -> None:
    assert json.loads(tables.to_json([], 1.0, None, [], None))["hits"] == []
    assert tables.to_jsonl([]) == ""
    assert tables.to_csv([]) == "time,drum,velocity,confidence\n"
    assert tables.tempo_record(None) is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_jams_reads_the_hits_and_the_beats(tmp_path: Path) -> None:
    hits = every_drum()
    notes = tuple(drum.td17_note for drum in DRUMS)
    path = tmp_path / "x.jams"
    path.write_text(tables.to_jams(hits, 30.0, "Song", GRID, notes))
    document = jams.load(str(path))  # validates against the schema of each namespace
    assert document.file_metadata.title == "Song"
    (midi,) = document.search(namespace="note_midi")
    assert [(o.time, o.value, o.confidence) for o in midi] == [
        (h.time, notes[h.drum], h.confidence) for h in hits
    ]
    (blob,) = document.search(namespace="blob")
    read = [(round(o.time, 6), o.value["drum"], o.value["velocity"], o.confidence) for o in blob]
    assert read == rows(hits)
    (beats,) = document.search(namespace="beat")
    assert [(o.time, o.value) for o in beats][:5] == [(0.25, 1), (0.75, 2), (1.25, 3), (1.75, 4), (2.25, 1)]
    (tempo,) = document.search(namespace="tempo")
    assert tempo.data[0].value == 120.0


# Tab


def read_tab(text: str) -> Counter[tuple[Fraction, str, str]]:
    """(quarter notes, line, character) of every stroke, by the counts over each bar."""
    found: Counter[tuple[Fraction, str, str]] = Counter()
    start = Fraction(0)
    for block in text.split("\n\n")[1:]:
        lines = block.splitlines()
        if "|" not in block:
            continue
        cells = {line[:2]: line[3:].rstrip("|").split("|") for line in lines[1:]}
        at = 3
        for number in range(len(next(iter(cells.values())))):
            width = len(next(iter(cells.values()))[number])
            counts = lines[0][at : at + width]
            beats = sum(character.isdigit() for character in counts)
            for name, bars in cells.items():
                for step, character in enumerate(bars[number]):
                    if character != "-":
                        found[start + Fraction(step * beats, width), name, character] += 1
            start += beats
            at += width + 1
    return found


def test_tab_shows_every_stroke_with_its_dynamics(score: Score) -> None:
    text = to_tab(score, "Song")
    limits = marker(note.hit for note in score.notes)
    flams = {(note.position, note.hit.drum) for note in score.notes if note.grace}
    expected: Counter[tuple[Fraction, str, str]] = Counter()
    for note in score.notes:
        if note.grace:
            continue
        sign = SIGNS[note.hit.drum]
        kind = ("", "accent", "ghost").index(mark(note.hit, limits))
        kind += 3 * ((note.position, note.hit.drum) in flams)
        expected[note.position, sign.line, sign.strokes[kind]] += 1
    assert read_tab(text) == expected
    assert text.startswith("Song: 4/4, 120 beats a minute\n")
    assert max(map(len, text.splitlines())) <= 110
    for drum in range(26):
        assert SIGNS[drum].title in text


def test_tab_begins_with_the_music_and_shows_rolls_and_quintuplets() -> None:
    snare = CLASS_INDEX["snare_head"]
    roll = [Hit(8.0 + i / 24, snare, 90) for i in range(12)]
    fives = [Hit(8.5 + i / 10, snare, 90) for i in range(5)]
    thirds = [Hit(9.0 + i / 6, snare, 90) for i in range(3)]
    grid = Grid(tuple(0.5 * i for i in range(22)), 0, Meter(4, 4))
    text = to_tab(quantise([*roll, *fives, *thirds], grid), "x")
    (line,) = (line for line in text.splitlines() if line.startswith("SD|"))
    (bar,) = line[3:].strip("|").split("|")
    assert len(bar) == 4 * 24
    assert bar[:24] == "z" * 24
    assert [i for i, character in enumerate(bar[24:48]) if character == "o"] == [0, 5, 10, 14, 19]
    assert [i for i, character in enumerate(bar[48:72]) if character == "o"] == [0, 8, 16]
    assert text.rstrip().endswith("z roll")


def test_tab_signs_are_told_apart() -> None:
    signs = Counter((sign.line, stroke) for sign in SIGNS.values() for stroke in sign.strokes)
    assert max(signs.values()) == 1


# Marks


def test_ghosts_and_accents_are_relative_to_the_drum() -> None:
    hits = [Hit(i / 4, 1, velocity) for i, velocity in enumerate([100, 30, 30, 25, 100, 30, 127, 30])]
    limits = marker(hits)
    assert [mark(hit, limits) for hit in hits] == [
        "",
        "ghost",
        "ghost",
        "ghost",
        "",
        "ghost",
        "accent",
        "ghost",
    ]
    soft = [Hit(i / 4, CLASS_INDEX["hihat_closed"], 30) for i in range(8)]
    assert {mark(hit, marker(soft)) for hit in soft} == {""}


# Sound


def read_wav(data: bytes) -> tuple[np.ndarray, int]:
    audio, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    return audio, rate


def test_the_rendering_sounds_where_the_hits_are_and_louder_where_they_are_louder() -> None:
    hits = [Hit(0.5, 0, 120), Hit(1.5, 1, 40), Hit(2.5, 1, 120), Hit(3.5, CLASS_INDEX["hihat_open"], 100)]
    hits.append(Hit(3.7, CLASS_INDEX["hihat_pedal"], 60))
    audio, rate = read_wav(to_wav(hits, 5.0, None))
    assert rate == 44_100
    assert len(audio) >= 5 * rate
    assert np.abs(audio).max() <= 0.9

    def level(start: float, seconds: float = 0.05) -> float:
        return float(np.abs(audio[round(start * rate) : round((start + seconds) * rate)]).max())

    for hit in hits[:4]:
        assert level(hit.time - 0.06) < 0.25 * level(hit.time)
    assert level(2.5) > 4 * level(1.5)
    assert level(3.9, 0.1) < 0.2 * level(3.5)  # the pedal stops the open hi-hat


def test_the_click_marks_the_beats_and_needs_a_grid() -> None:
    silence, _ = read_wav(to_wav([], 2.0, None))
    assert not silence.any()
    audio, rate = read_wav(to_wav([], 2.0, Grid((0.5, 1.0, 1.5), 0, Meter(4, 4))))
    loud = np.flatnonzero(np.abs(audio) > 0.01) / rate
    assert sorted({round(float(time), 1) for time in loud}) == [0.5, 1.0, 1.5]


def test_long_renderings_have_no_seams() -> None:
    hits = [Hit(59.999, CLASS_INDEX["crash1"], 127)]
    audio, rate = read_wav(to_wav(hits, 62.0, None))
    reference, _ = read_wav(to_wav([Hit(9.999, CLASS_INDEX["crash1"], 127)], 12.0, None))
    start, other = round(59.99 * rate), round(9.99 * rate)
    assert audio[start : start + rate] == pytest.approx(reference[other : other + rate], abs=1e-4)
