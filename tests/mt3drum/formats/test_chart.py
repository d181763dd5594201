"""Charts of rhythm games, read by small parsers written from the formats' documentation
(TheNathannator/GuitarGame_ChartFormats) and by mido."""

from __future__ import annotations

import configparser
import io
import re
from collections import Counter
from fractions import Fraction
from itertools import combinations, pairwise

import mido
import numpy as np
import pytest

from mt3drum.formats.chart import RESOLUTION, Chart, make_chart, to_chart, to_ini, to_mid
from mt3drum.formats.lanes import DIFFICULTIES, LANE_OF, chart_gems
from mt3drum.rhythm.estimate import estimate
from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.quantise import quantise
from tests.grooves import ROCK, played, steady
from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.hits import Hit

COLOURS = ("kick", "red", "yellow", "blue", "green")
Gem = tuple[int, str, str]  # tick, what is struck, mark


def read_chart(text: str) -> dict[str, list[tuple[str, str]]]:
    """Section to its (key, value) pairs."""
    sections = {}
    for name, body in re.findall(r"\[(\w+)\]\s*\{(.*?)\n\}", text.replace("\r", ""), re.DOTALL):
        pairs = [line.split(" = ", 1) for line in body.strip().splitlines()]
        sections[name] = [(key.strip(), value) for key, value in pairs]
    return sections


def chart_notes(pairs: list[tuple[str, str]]) -> Counter[Gem]:
    """Notes 0 to 4 and 32, cymbals 66 to 68, accents 34 to 37, ghosts 40 to 43; toms unless flagged."""
    codes: dict[int, set[int]] = {}
    for key, value in pairs:
        kind, code, _ = value.split()
        if kind == "S":  # a phrase
            assert code in ("65", "66")
            continue
        assert kind == "N"
        codes.setdefault(int(key), set()).add(int(code))
    found: Counter[Gem] = Counter()
    for tick, here in codes.items():
        for lane in range(5):
            if lane in here:
                cymbal = " cymbal" if lane > 1 and 64 + lane in here else ""
                mark = "accent" if 33 + lane in here else "ghost" if 39 + lane in here else ""
                found[tick, COLOURS[lane] + cymbal, mark if lane else ""] += 1
        found[tick, "double kick", ""] += 32 in here
    return +found


def mid_notes(midi: mido.MidiFile, base: int) -> Counter[Gem]:
    """Cymbals unless a tom marker (110 to 112) is held; velocity 127 is an accent, 1 a ghost note."""
    (track,) = [track for track in midi.tracks if track.name == "PART DRUMS"]
    assert any(message.type == "text" and message.text == "[ENABLE_CHART_DYNAMICS]" for message in track)
    tick, held, ons = 0, set(), []
    markers: dict[int, set[int]] = {}
    for message in track:
        tick += message.time
        if message.type == "note_on":
            held.add(message.note)
            ons.append((tick, message.note, message.velocity))
            markers.setdefault(tick, set()).update(note for note in held if 110 <= note <= 112)
        if message.type == "note_off":
            held.remove(message.note)
    assert not held
    found: Counter[Gem] = Counter()
    for tick, note, velocity in ons:
        lane = note - base
        if base == 96 and note == 95:
            found[tick, "double kick", ""] += 1
        elif 0 <= lane < 5:
            tom = 108 + lane in markers[tick]
            cymbal = " cymbal" if lane > 1 and not tom else ""
            mark = {127: "accent", 1: "ghost"}.get(velocity, "")
            found[tick, COLOURS[lane] + cymbal, mark] += 1
    return found


def chart_of(hits: list[Hit], grid: Grid) -> Chart:
    return make_chart(hits, quantise(hits, grid), "Söng", 20.0)


@pytest.fixture(scope="module")
def song() -> tuple[list[Hit], Grid]:
    hits, _ = played(ROCK, 8, steady(120.0, 1.3), 4)
    toms = ("tom1_head", "tom2_head", "tom3_head", "floor_tom_head", "crash2", "ride", "hihat_open", "aux2")
    hits += [Hit(1.3 + 12.125 + i * 0.25, CLASS_INDEX[name], 100) for i, name in enumerate(toms)]
    hits = sorted(hits)
    grid = estimate(hits, 20.0)
    assert grid is not None
    return hits, grid


def test_both_files_hold_the_same_notes_in_four_difficulties(song: tuple[list[Hit], Grid]) -> None:
    chart = chart_of(*song)
    sections = read_chart(to_chart(chart))
    midi = mido.MidiFile(file=io.BytesIO(to_mid(chart)))
    assert midi.ticks_per_beat == RESOLUTION
    sizes = []
    for difficulty, base in zip(DIFFICULTIES, (96, 84, 72, 60), strict=True):
        notes = chart_notes(sections[f"{difficulty}Drums"])
        assert notes == mid_notes(midi, base)
        sizes.append(notes.total())
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4
    assert sizes[3] > 8


def test_expert_has_every_stroke_in_its_lane(song: tuple[list[Hit], Grid]) -> None:
    hits, grid = song
    chart = chart_of(hits, grid)
    assert chart.charted.left_out == 0
    notes = chart_notes(read_chart(to_chart(chart))["ExpertDrums"])
    lanes = Counter(what for _, what, _ in notes.elements())
    wanted: Counter[str] = Counter()
    for hit in hits:
        where = LANE_OF[hit.drum]
        assert where is not None
        wanted[COLOURS[where[0]] + (" cymbal" if where[1] else "")] += 1
    # Nothing here is struck together with another drum of its colour, which would move one of them.
    assert lanes == wanted
    assert sum(mark == "ghost" for _, _, mark in notes.elements()) == sum(hit.velocity == 30 for hit in hits)


def test_notes_sound_when_they_were_played(song: tuple[list[Hit], Grid]) -> None:
    hits, grid = song
    sections = read_chart(to_chart(chart_of(hits, grid)))
    assert dict(sections["Song"])["Resolution"] == str(RESOLUTION)
    tempos = [(int(t), int(v.split()[1]) / 1000) for t, v in sections["SyncTrack"] if v.startswith("B ")]
    meters = [(int(t), *map(int, v.split()[1:])) for t, v in sections["SyncTrack"] if v.startswith("TS ")]
    assert tempos[0][0] == 0
    assert meters[-1][1:] == (4, 2)

    def seconds(tick: int) -> float:
        total = 0.0
        for (start, tempo), (end, _) in zip(tempos, [*tempos[1:], (10**9, 0.0)], strict=True):
            total += max(0, min(tick, end) - start) / RESOLUTION * 60 / tempo
        return total

    ticks = sorted(tick for tick, _, _ in chart_notes(sections["ExpertDrums"]).elements())
    times = sorted(hit.time for hit in hits)
    assert [seconds(tick) for tick in ticks] == pytest.approx(times, abs=0.045)
    downbeat = meters[-1][0]
    assert seconds(downbeat) % 2 == pytest.approx(1.3, abs=0.02)
    assert all((Fraction(tick - downbeat, RESOLUTION) * 12).denominator == 1 for tick in ticks)


def test_the_tempo_track_of_the_midi_file_agrees(song: tuple[list[Hit], Grid]) -> None:
    chart = chart_of(*song)
    midi = mido.MidiFile(file=io.BytesIO(to_mid(chart)))
    tick, tempos, meters = 0, [], []
    for message in midi.tracks[0]:
        tick += message.time
        if message.type == "set_tempo":
            tempos.append((tick, pytest.approx(mido.tempo2bpm(message.tempo), rel=1e-4)))
        if message.type == "time_signature":
            meters.append((tick, message.numerator, message.denominator))
    assert tuple(tempos) == chart.tempos
    assert tuple(meters) == chart.meters


def test_fast_kicks_alternate_with_the_second_pedal() -> None:
    hits = [Hit(i * 0.125, 0, 100) for i in range(9)] + [Hit(2.0 + i * 0.5, 0, 100) for i in range(3)]
    gems = chart_gems(hits, [round(hit.time * 960) for hit in hits]).gems
    assert [gem.double for gem in gems] == [False, True] * 4 + [False] * 4
    notes = chart_notes(read_chart(to_chart(make_chart(hits, None, "x", 4.0)))["ExpertDrums"])
    assert Counter(what for _, what, _ in notes.elements()) == {"kick": 8, "double kick": 4}
    easier = chart_notes(read_chart(to_chart(make_chart(hits, None, "x", 4.0)))["HardDrums"])
    assert {what for _, what, _ in easier} == {"kick"}


def test_two_drums_of_one_colour_at_once_take_two_lanes() -> None:
    hits = [Hit(0.0, CLASS_INDEX["hihat_closed"], 90), Hit(0.0, CLASS_INDEX["tom1_head"], 100)]
    charted = chart_gems(hits, [0, 0])
    assert charted.left_out == 0
    assert len({gem.lane for gem in charted.gems}) == 2
    assert {gem.cymbal for gem in charted.gems} == {False, True}
    pedal = chart_gems([Hit(0.0, CLASS_INDEX["hihat_pedal"], 90)], [0])
    assert (pedal.gems, pedal.left_out) == ((), 1)


HANDS = [drum.index for drum in DRUMS if drum.name not in ("kick", "hihat_pedal")]


@pytest.mark.parametrize("steady_grid", [True, False])
def test_no_chord_needs_three_hands_or_feet(steady_grid: bool) -> None:
    """Trios of the hands' drums, on kick and pedal, 6 ms apart."""
    rng = np.random.default_rng(0)
    hits = []
    for beat, trio in enumerate(list(combinations(HANDS, 3))[::11]):
        chord = [*trio, CLASS_INDEX["kick"], CLASS_INDEX["hihat_pedal"]]
        hits += [
            Hit(0.5 * beat + 0.006 * i, drum, int(rng.integers(30, 127))) for i, drum in enumerate(chord)
        ]
    hits.sort()
    beats = tuple(0.5 * i for i in range(len(hits) // 5 + 2))
    score = quantise(hits, Grid(beats, 0, Meter(4, 4))) if steady_grid else None
    chart = make_chart(hits, score, "x", 60.0)
    sections = read_chart(to_chart(chart))
    midi = mido.MidiFile(file=io.BytesIO(to_mid(chart)))
    for difficulty, base in zip(DIFFICULTIES, (96, 84, 72, 60), strict=True):
        for notes in (chart_notes(sections[f"{difficulty}Drums"]), mid_notes(midi, base)):
            hands = Counter(tick for tick, colour, _ in notes.elements() if "kick" not in colour)
            feet = Counter(tick for tick, colour, _ in notes.elements() if "kick" in colour)
            assert max(hands.values()) <= (1 if difficulty == "Easy" else 2)
            assert max(feet.values(), default=0) <= 1
            if difficulty == "Expert":
                ticks = sorted(hands)
                assert min(b - a for a, b in pairwise(ticks)) > 100  # nothing is left a little beside a chord
                assert set(hands.values()) == {1, 2}


def test_of_three_hands_what_keeps_time_goes_first() -> None:
    names = ("snare_head", "crash1", "hihat_closed")
    charted = chart_gems(
        [Hit(1.0, CLASS_INDEX[name], 120 - 9 * i) for i, name in enumerate(names)], [0, 0, 0]
    )
    assert {gem.lane for gem in charted.gems} == {1, 4}
    assert charted.left_out == 1


def test_every_stroke_of_a_roll_is_a_gem() -> None:
    hits = [Hit(0.5 + i / 24, CLASS_INDEX["snare_head"], 90) for i in range(24)]
    chart = chart_of(hits, Grid(tuple(0.5 * i for i in range(6)), 0, Meter(4, 4)))
    ticks = [gem.tick for gem in chart.charted.gems]
    assert ticks == pytest.approx([hit.time * 2 * RESOLUTION for hit in hits], abs=2)


@pytest.mark.parametrize(
    ("drum", "gem"),
    [
        ("kick", "kick"),
        ("snare_head", "red"),
        ("snare_cross_stick", "red"),
        ("hihat_open", "yellow cymbal"),
        ("ride_bell", "blue cymbal"),
        ("crash1", "green cymbal"),
        ("aux1", "blue cymbal"),
        ("tom1_head", "yellow"),
        ("tom2_rim", "blue"),
        ("tom3_head", "green"),
        ("floor_tom_head", "green"),
    ],
)
def test_pads_and_cymbals_of_rock_band(drum: str, gem: str) -> None:
    """High, mid and floor tom are yellow, blue and green; hi-hat, ride and crash the cymbals above them."""
    chart = make_chart([Hit(1.0, CLASS_INDEX[drum], 90)], None, "x", 3.0)
    for notes in (
        chart_notes(read_chart(to_chart(chart))["ExpertDrums"]),
        mid_notes(mido.MidiFile(file=io.BytesIO(to_mid(chart))), 96),
    ):
        assert [name for _, name, _ in notes] == [gem]


def test_every_drum_has_a_lane_but_the_pedal() -> None:
    assert [DRUMS[i].name for i, lane in enumerate(LANE_OF) if lane is None] == ["hihat_pedal"]


def test_without_a_grid_raw_times_are_kept() -> None:
    hits = [Hit(0.1234, 0, 100), Hit(1.777, 1, 100)]
    chart = make_chart(hits, None, "x", 3.0)
    notes = chart_notes(read_chart(to_chart(chart))["ExpertDrums"])
    assert sorted(tick / RESOLUTION / 2 for tick, _, _ in notes) == pytest.approx([0.1234, 1.777], abs=0.001)


def test_song_ini_and_strange_titles() -> None:
    chart = make_chart([], None, 'a "b"\n[x]', 61.5)
    ini = configparser.ConfigParser(interpolation=None)
    ini.read_string(to_ini(chart))
    assert dict(ini["song"])["pro_drums"] == "True"
    assert dict(ini["song"])["song_length"] == "61500"
    assert ini["song"]["name"] == 'a "b"?[x]'
    song = dict(read_chart(to_chart(chart))["Song"])
    assert song["Name"] == "\"a 'b'?[x]\""


def test_a_grid_in_six_eight() -> None:
    hits = [Hit(i * 0.3, CLASS_INDEX["ride"], 90) for i in range(24)]
    chart = chart_of(hits, Grid(tuple(0.9 * i for i in range(9)), 0, Meter(6, 8)))
    sync = read_chart(to_chart(chart))["SyncTrack"]
    assert ("0", "TS 6 3") in sync
    ticks = sorted(tick for tick, _, _ in chart_notes(read_chart(to_chart(chart))["ExpertDrums"]))
    assert ticks == [i * RESOLUTION // 2 for i in range(24)]
