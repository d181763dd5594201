"""A song folder for Clone Hero and YARG: notes.chart, notes.mid and song.ini with pro drums, sections, flams,
accents, ghost notes and roll lanes. Star power is left to the charter.

The formats follow TheNathannator/GuitarGame_ChartFormats. In a .chart, notes are toms unless flagged as
cymbals (66 to 68); in a .mid, they are cymbals unless a tom marker (110 to 112) is held.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import mido

from mt3drum.formats.elite import TRACK as ELITE_TRACK
from mt3drum.formats.elite import elite_track
from mt3drum.formats.five_lane import five_lane
from mt3drum.formats.lanes import (
    DIFFICULTIES,
    KICK,
    RED,
    TOGETHER,
    Charted,
    Difficulty,
    Gem,
    chart_gems,
    thin,
)
from mt3drum.formats.roll_lanes import RollLane, find_rolls, phrase_ends
from mt3drum.rhythm.quantise import Score
from mt3drum.rhythm.sections import Section, find_form
from mt3drum.rhythm.tempo_map import TempoMap, tempo_map
from tokenizer.hits import Hit

RESOLUTION = 480
"""Ticks per quarter note in both files."""
_NOTE_LENGTH = 30  # ticks: a sixty-fourth
_MID_BASE: dict[Difficulty, int] = {"Expert": 96, "Hard": 84, "Medium": 72, "Easy": 60}
_TOM_MARKER = 108  # plus the lane: 110 yellow, 111 blue, 112 green
_FLAM_MARKER = 109
_ROLL_MARKERS = (126, 127)  # on one lane, on two; at velocity 100 they apply to Expert only
_ROLL_PHRASES = (65, 66)  # the same in a .chart
_VELOCITY = {"": 100, "accent": 127, "ghost": 1}
_UNSTEADY_BPM = 120.0


@dataclass(frozen=True)
class Chart:
    """The content of the files."""

    charted: Charted
    tempos: tuple[tuple[int, float], ...]
    """(tick, quarter notes per minute)."""
    meters: tuple[tuple[int, int, int], ...]
    """(tick, numerator, denominator)."""
    title: str
    seconds: float
    sections: tuple[tuple[int, str], ...] = ()
    """(tick, name)."""
    rolls: tuple[RollLane, ...] = ()
    """Roll lanes of Expert."""
    elite: tuple[tuple[int, int, mido.Message], ...] = ()
    """Events of the track for elite drums (eight lanes)."""
    five_lane: bool = False
    """For kits of five lanes, without cymbals on the lanes of toms."""


def make_chart(hits: Sequence[Hit], score: Score | None, title: str, seconds: float) -> Chart:
    """Place the strokes on the ticks of their score positions.

    Without a score they keep their raw times, in a chart at 120 beats per minute.
    """
    if score is None:
        ticks = [round(time * _UNSTEADY_BPM / 60 * RESOLUTION) for time in _chord_times(hits)]
        charted = chart_gems(hits, ticks)
        tempos = ((0, _UNSTEADY_BPM),)
        elite = tuple(elite_track(hits, ticks, (), charted, RESOLUTION))
        return Chart(charted, tempos, ((0, 4, 4),), title, seconds, (), find_rolls(charted), elite)
    lines = tempo_map(score.grid)
    strokes, places = [], []
    graced = {(note.position, note.hit.drum) for note in score.notes if note.grace}
    flams = {note.hit for note in score.notes if not note.grace and (note.position, note.hit.drum) in graced}
    for note in score.notes:
        if note.grace:  # a flam is one gem
            continue
        place = float(lines.lead) + score.swung(note.position)
        start = lines.time(place)
        for hit in (note.hit, *note.roll):
            strokes.append(hit)
            places.append(place if hit is note.hit else lines.quarters(start + hit.time - note.hit.time))
    ticks = [max(0, round(place * RESOLUTION)) for place in places]
    charted = chart_gems(strokes, ticks, flams)
    return Chart(
        charted,
        tuple(
            (int(place * RESOLUTION), tempo) for place, tempo in zip(lines.places, lines.tempos, strict=True)
        ),
        tuple((int(place * RESOLUTION), top, bottom) for place, top, bottom in lines.meters),
        title,
        seconds,
        _sections(score, lines),
        find_rolls(charted),
        tuple(elite_track(strokes, ticks, flams, charted, RESOLUTION)),
    )


def _sections(score: Score, lines: TempoMap) -> tuple[tuple[int, str], ...]:
    """The start of each section of the form; bars without drums are a break."""
    bar = score.grid.meter.bar_quarters
    return tuple(
        (max(0, int(lines.place(section.first * bar) * RESOLUTION)), _section_name(section))
        for section in find_form(score).sections
    )


def _section_name(section: Section) -> str:
    name = section.label or "Break"
    return name if section.number == 1 else f"{name} {section.number}"


def _chord_times(hits: Sequence[Hit]) -> list[float]:
    """Time in seconds of each hit's chord, which is the time of its first stroke."""
    times: list[float] = []
    for hit in hits:
        times.append(times[-1] if times and hit.time - times[-1] < TOGETHER else hit.time)
    return times


def _gems(chart: Chart, difficulty: Difficulty) -> list[Gem]:
    gems = thin(chart.charted, difficulty, RESOLUTION)
    return five_lane(gems) if chart.five_lane else gems


def on_five_lanes(chart: Chart) -> Chart:
    """The same chart for kits of five lanes."""
    return replace(chart, rolls=(), elite=(), five_lane=True)


def to_chart(chart: Chart) -> str:
    """The content of notes.chart."""
    name = _quoted(chart.title)
    song = [
        f'Name = "{name}"',
        'Artist = "Unknown"',
        'Charter = "mt3drum"',
        f"Resolution = {RESOLUTION}",
        "Offset = 0",
    ]
    sync = [(tick, 0, f"TS {top} {bottom.bit_length() - 1}") for tick, top, bottom in chart.meters]
    sync += [(tick, 1, f"B {round(tempo * 1000)}") for tick, tempo in chart.tempos]
    sections = {
        "Song": song,
        "SyncTrack": [f"{tick} = {text}" for tick, _, text in sorted(sync)],
        "Events": [f'{tick} = E "section {name}"' for tick, name in chart.sections],
    }
    for difficulty in DIFFICULTIES:
        rows = [(gem.tick, line) for gem in _gems(chart, difficulty) for line in _chart_lines(gem)]
        if difficulty == "Expert":
            ends = phrase_ends(chart.rolls, _NOTE_LENGTH)
            rows += [
                (roll.start, f"{roll.start} = S {_ROLL_PHRASES[len(roll.lanes) - 1]} {end - roll.start}")
                for roll, end in zip(chart.rolls, ends, strict=True)
            ]
        sections[f"{difficulty}Drums"] = [line for _, line in sorted(rows, key=lambda row: row[0])]
    lines = []
    for section, body in sections.items():
        lines += [f"[{section}]", "{", *(f"  {line}" for line in body), "}"]
    return "\r\n".join(lines) + "\r\n"


def _chart_lines(gem: Gem) -> list[str]:
    codes = [32 if gem.double else gem.lane]
    if gem.mark and gem.lane != KICK:
        codes.append((33 if gem.mark == "accent" else 39) + gem.lane)
    if gem.cymbal:
        codes.append(64 + gem.lane)
    return [f"{gem.tick} = N {code} 0" for code in codes]


def _quoted(text: str) -> str:
    """Quote a string; .chart strings have no escapes."""
    return "".join(c if c.isprintable() else "?" for c in text).replace('"', "'")


def to_mid(chart: Chart) -> bytes:
    """The content of notes.mid."""
    head: list[tuple[int, int, mido.Message | mido.MetaMessage]] = [
        (tick, 0, mido.MetaMessage("set_tempo", tempo=min(mido.bpm2tempo(tempo), 2**24 - 1)))
        for tick, tempo in chart.tempos
    ]
    head += [
        (tick, 0, mido.MetaMessage("time_signature", numerator=top, denominator=bottom))
        for tick, top, bottom in chart.meters
    ]
    notes: dict[tuple[int, int], int] = {}
    alone = Counter(gem.tick for gem in chart.charted.gems if gem.lane != KICK)  # for single notes
    for difficulty in DIFFICULTIES:
        for gem in _gems(chart, difficulty):
            note = 95 if gem.double else _MID_BASE[difficulty] + gem.lane
            notes[gem.tick, note] = _VELOCITY[gem.mark]
            if gem.lane > RED and not gem.cymbal and not chart.five_lane:
                notes[gem.tick, _TOM_MARKER + gem.lane] = 100
            if gem.flam and alone[gem.tick] == 1:
                notes[gem.tick, _FLAM_MARKER] = 100
    body: list[tuple[int, int, mido.Message | mido.MetaMessage]] = [
        (0, 0, mido.MetaMessage("text", text="[ENABLE_CHART_DYNAMICS]"))
    ]
    ticks = sorted({tick for tick, _ in notes})
    following = dict(pairwise(ticks))
    for (tick, note), velocity in sorted(notes.items()):
        end = min(
            tick + _NOTE_LENGTH, following.get(tick, tick + _NOTE_LENGTH)
        )  # a marker must not reach the next chord
        body.append((tick, 2, mido.Message("note_on", note=note, velocity=velocity)))
        body.append((end, 1, mido.Message("note_off", note=note, velocity=0)))
    for roll, end in zip(chart.rolls, phrase_ends(chart.rolls, _NOTE_LENGTH), strict=True):
        note = _ROLL_MARKERS[len(roll.lanes) - 1]
        body.append((roll.start, 2, mido.Message("note_on", note=note, velocity=100)))
        body.append((end, 1, mido.Message("note_off", note=note, velocity=0)))
    events = [(tick, 0, mido.MetaMessage("text", text=f"[section {name}]")) for tick, name in chart.sections]
    midi = mido.MidiFile(type=1, ticks_per_beat=RESOLUTION)
    midi.tracks.append(_track("notes", head))
    midi.tracks.append(_track("EVENTS", events))
    midi.tracks.append(_track("PART DRUMS", body))
    if not chart.five_lane:
        midi.tracks.append(_track(ELITE_TRACK, list(chart.elite)))
    file = io.BytesIO()
    midi.save(file=file)
    return file.getvalue()


def _track(name: str, events: Sequence[tuple[int, int, mido.Message | mido.MetaMessage]]) -> mido.MidiTrack:
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    last = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - last))
        last = tick
    return track


def to_ini(chart: Chart) -> str:
    """The content of song.ini."""
    name = "".join(c if c.isprintable() else "?" for c in chart.title)
    rows = {
        "name": name,
        "artist": "Unknown",
        "charter": "mt3drum",
        "song_length": round(chart.seconds * 1000),
        "five_lane_drums" if chart.five_lane else "pro_drums": "True",
        "diff_drums": -1,
        "diff_drums_real": -1,
    }
    return "".join(["[song]\r\n", *(f"{key} = {value}\r\n" for key, value in rows.items())])
