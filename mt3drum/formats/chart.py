"""A song folder for Clone Hero, YARG and their like: notes.chart, notes.mid and song.ini, pro drums.

The formats as TheNathannator/GuitarGame_ChartFormats documents them. In a .chart notes are toms unless
flagged as cymbals (66 to 68); in a .mid they are cymbals unless a tom marker (110 to 112) is held under
them.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import mido

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
from mt3drum.rhythm.quantise import Score
from mt3drum.rhythm.tempo_map import tempo_map
from tokenizer.hits import Hit

RESOLUTION = 480
"""Ticks of a quarter note, in both files."""
_NOTE_LENGTH = 30  # ticks: a sixty-fourth
_MID_BASE: dict[Difficulty, int] = {"Expert": 96, "Hard": 84, "Medium": 72, "Easy": 60}
_TOM_MARKER = 108  # plus the lane: 110 yellow, 111 blue, 112 green
_VELOCITY = {"": 100, "accent": 127, "ghost": 1}
_UNSTEADY_BPM = 120.0


@dataclass(frozen=True)
class Chart:
    """Everything the files say."""

    charted: Charted
    tempos: tuple[tuple[int, float], ...]
    """(tick, quarter notes a minute)."""
    meters: tuple[tuple[int, int, int], ...]
    """(tick, numerator, denominator)."""
    title: str
    seconds: float


def make_chart(hits: Sequence[Hit], score: Score | None, title: str, seconds: float) -> Chart:
    """Strokes on the ticks of their places; without a score at their raw times, in a chart of 120 beats a
    minute."""
    if score is None:
        ticks = [round(time * _UNSTEADY_BPM / 60 * RESOLUTION) for time in _chord_times(hits)]
        return Chart(chart_gems(hits, ticks), ((0, _UNSTEADY_BPM),), ((0, 4, 4),), title, seconds)
    lines = tempo_map(score.grid)
    strokes, places = [], []
    for note in score.notes:
        if note.grace:  # a flam is one gem
            continue
        place = float(lines.lead) + score.swung(note.position)
        start = lines.time(place)
        for hit in (note.hit, *note.roll):
            strokes.append(hit)
            places.append(place if hit is note.hit else lines.quarters(start + hit.time - note.hit.time))
    return Chart(
        chart_gems(strokes, [max(0, round(place * RESOLUTION)) for place in places]),
        tuple(
            (int(place * RESOLUTION), tempo) for place, tempo in zip(lines.places, lines.tempos, strict=True)
        ),
        tuple((int(place * RESOLUTION), top, bottom) for place, top, bottom in lines.meters),
        title,
        seconds,
    )


def _chord_times(hits: Sequence[Hit]) -> list[float]:
    """Seconds of every hit's chord: that of its first stroke."""
    times: list[float] = []
    for hit in hits:
        times.append(times[-1] if times and hit.time - times[-1] < TOGETHER else hit.time)
    return times


def _gems(chart: Chart, difficulty: Difficulty) -> list[Gem]:
    return thin(chart.charted, difficulty, RESOLUTION)


def to_chart(chart: Chart) -> str:
    """notes.chart."""
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
        "Events": [],
    }
    for difficulty in DIFFICULTIES:
        sections[f"{difficulty}Drums"] = [
            line for gem in _gems(chart, difficulty) for line in _chart_lines(gem)
        ]
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
    """A string of a .chart has no escapes."""
    return "".join(c if c.isprintable() else "?" for c in text).replace('"', "'")


def to_mid(chart: Chart) -> bytes:
    """notes.mid."""
    head: list[tuple[int, int, mido.Message | mido.MetaMessage]] = [
        (tick, 0, mido.MetaMessage("set_tempo", tempo=min(mido.bpm2tempo(tempo), 2**24 - 1)))
        for tick, tempo in chart.tempos
    ]
    head += [
        (tick, 0, mido.MetaMessage("time_signature", numerator=top, denominator=bottom))
        for tick, top, bottom in chart.meters
    ]
    notes: dict[tuple[int, int], int] = {}
    for difficulty in DIFFICULTIES:
        for gem in _gems(chart, difficulty):
            note = 95 if gem.double else _MID_BASE[difficulty] + gem.lane
            notes[gem.tick, note] = _VELOCITY[gem.mark]
            if gem.lane > RED and not gem.cymbal:
                notes[gem.tick, _TOM_MARKER + gem.lane] = 100
    body: list[tuple[int, int, mido.Message | mido.MetaMessage]] = [
        (0, 0, mido.MetaMessage("text", text="[ENABLE_CHART_DYNAMICS]"))
    ]
    ticks = sorted({tick for tick, _ in notes})
    following = dict(pairwise(ticks))
    for (tick, note), velocity in sorted(notes.items()):
        end = min(
            tick + _NOTE_LENGTH, following.get(tick, tick + _NOTE_LENGTH)
        )  # no marker reaches a next chord
        body.append((tick, 2, mido.Message("note_on", note=note, velocity=velocity)))
        body.append((end, 1, mido.Message("note_off", note=note, velocity=0)))
    midi = mido.MidiFile(type=1, ticks_per_beat=RESOLUTION)
    midi.tracks.append(_track("notes", head))
    midi.tracks.append(_track("PART DRUMS", body))
    file = io.BytesIO()
    midi.save(file=file)
    return file.getvalue()


def _track(name: str, events: list[tuple[int, int, mido.Message | mido.MetaMessage]]) -> mido.MidiTrack:
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    last = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - last))
        last = tick
    return track


def to_ini(chart: Chart) -> str:
    """song.ini."""
    name = "".join(c if c.isprintable() else "?" for c in chart.title)
    rows = {
        "name": name,
        "artist": "Unknown",
        "charter": "mt3drum",
        "song_length": round(chart.seconds * 1000),
        "pro_drums": "True",
        "diff_drums": -1,
        "diff_drums_real": -1,
    }
    return "".join(["[song]\r\n", *(f"{key} = {value}\r\n" for key, value in rows.items())])
