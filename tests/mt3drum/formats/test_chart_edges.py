"""Marks and charts at the exact value of each bound: what is dropped, kept, doubled, rolled."""

from __future__ import annotations

import io
import re
from itertools import accumulate
from typing import Any

import mido
import pytest

from mt3drum.formats.chart import make_chart, to_chart, to_mid
from mt3drum.formats.elite import elite_events, note_of
from mt3drum.formats.lanes import chart_gems, thin
from mt3drum.formats.marks import mark, marker
from mt3drum.formats.roll_lanes import find_rolls
from mt3drum.rhythm.grid import Grid, Meter
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
    assert sorted(found) == sorted(
        [
            (0, 74, 96),
            (100, 73, 96),
            (120, 74, 96),
            (700, 74, 96),
            (1000, 72, 96),
            (1000, 76, 96),
            (1100, 76, 96),
            (1200, 76, 96),
            (1300, 72, 96),
            (1500, 75, 127),
            (1500, 87, 96),
            (1600, 75, 96),
            (1600, 77, 96),
            (1700, 75, 1),
            (1800, 75, 96),
        ]
    )
    ends = [(tick, m.note) for tick, _, m in events if m.type == "note_off"]
    assert (120, 73) in ends and (150, 74) in ends and (1130, 72) in ends and (1330, 72) in ends
    assert (1530, 75) in ends and (1530, 87) in ends
