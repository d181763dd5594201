"""A practice track: the drums at another tempo, with a click on every beat and a one-bar count-in."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import mido

from mt3drum.formats.options import MidiOptions
from mt3drum.rhythm.grid import EARLY, Grid
from mt3drum.rhythm.tempo_map import tempo_map
from tokenizer.drums import NUM_CLASSES
from tokenizer.hits import Hit
from tokenizer.midi import Notes, write_midi
from tokenizer.whole_file import whole_file

CLICK_NOTES = (76, 77)
"""General MIDI notes of the click: high wood block on the first beat of a bar, low on the others."""
_CLICK_VELOCITIES = (110, 80)


@dataclass(frozen=True)
class Practice:
    """Hits and beats from the start of the count-in, which is at 0 s."""

    hits: tuple[Hit, ...]
    grid: Grid


def slowed(hits: Sequence[Hit], grid: Grid, speed: float) -> Practice:
    """Change the tempo, starting at the bar of the first hit, and prepend one bar of clicks.

    Args:
        grid: the beats of `hits`.
        speed: relative tempo; 0.5 is half as fast.

    Raises:
        ValueError: there are no hits.
    """
    if not hits:
        raise ValueError("there are no hits to practise")
    per_bar = grid.meter.beats
    first = math.floor(grid.position(hits[0].time + EARLY) / per_bar) * per_bar
    last = max(math.ceil(grid.position(hits[-1].time)), grid.first + len(grid.beats) - 1)
    start = grid.seconds(first)
    beat = (grid.seconds(first + 1) - start) / speed
    shift = per_bar * beat
    counted = [number * beat for number in range(per_bar)]
    played = [shift + (grid.seconds(place) - start) / speed for place in range(first, last + 1)]
    moved = tuple(replace(hit, time=max(0.0, shift + (hit.time - start) / speed)) for hit in hits)
    return Practice(moved, Grid((*counted, *played), 0, grid.meter, grid.steadiness))


def write_practice_midi(track: Practice, path: Path, notes: Notes, title: str, options: MidiOptions) -> None:
    """Write the drums like `write_midi`, with an additional track `Click` on the same channel.

    Raises:
        MidiError: MIDI cannot represent a tempo or time.
        OSError: the file cannot be written.
    """
    lines = tempo_map(track.grid)
    down = set(track.grid.downbeats)
    clicks = [
        Hit(time, int(time not in down), _CLICK_VELOCITIES[time not in down]) for time in track.grid.beats
    ]
    tables = {
        "drums.mid": (track.hits, notes),
        "click.mid": (clicks, (*CLICK_NOTES, *[0] * (NUM_CLASSES - 2))),
    }
    with tempfile.TemporaryDirectory(prefix="mt3drum-") as folder:
        for name, (hits, own) in tables.items():
            write_midi(
                hits,
                Path(folder) / name,
                notes=own,
                tempos=lines.midi_tempos,
                time_signatures=lines.midi_meters,
                title=title,
                tracks=options.tracks if name == "drums.mid" else None,
            )
        midi, click = (mido.MidiFile(Path(folder) / name) for name in tables)
    (beats,) = click.tracks[1:]
    names = [message for message in beats if message.type == "track_name"]
    for message in names:
        message.name = "Click"
    if not names:
        beats.insert(0, mido.MetaMessage("track_name", name="Click"))
    midi.tracks.append(beats)
    with whole_file(path) as temporary:
        midi.save(temporary)
