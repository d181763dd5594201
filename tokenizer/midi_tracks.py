"""Drum strokes as the messages of MIDI tracks: note numbers, note lengths, the pedal's position, families."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import mido

from tokenizer.drums import DRUMS, FAMILIES, FAMILY_OF, NUM_CLASSES
from tokenizer.hits import Hit
from tokenizer.midi_read import DRUM_CHANNEL, MAX_SECONDS, Clock, MidiError

NOTE_SECONDS = 0.05
"""Usual length of a written note; cut at the next stroke on the same note."""
LONGEST_NOTE = 10.0
"""Seconds, or whole notes."""
OPEN, CLOSED = 0, 127
"""Pedal positions, as e-kits send them on CC4 (Roland, TD-27 MIDI Implementation: from open to closed)."""

_CHANNEL = DRUM_CHANNEL - 1
_MAX_DELTA = 2**28 - 1  # ticks: four bytes of seven bits
_HIHAT = FAMILIES.index("hihat")

Notes = Literal["gm", "td17"] | tuple[int, ...]
"""Note numbers: General MIDI's, a Roland TD-17's, or one of 0..127 for each of the 26 classes."""


@dataclass(frozen=True)
class TrackOptions:
    """How strokes become messages.

    Raises:
        ValueError: a value is out of range.
    """

    length: float | Fraction = NOTE_SECONDS
    """Of a note: seconds, or (Fraction) whole notes; cut at the next stroke on the same note."""
    pedal_controller: int | None = None
    """Number of the controller that says how far the hi-hat's pedal is down; None: not written."""
    split: bool = False
    """A track for each of the drum families, instead of one for all."""

    def __post_init__(self) -> None:
        if not 0 < self.length <= LONGEST_NOTE:
            raise ValueError(f"note length {self.length} is outside 0..{LONGEST_NOTE:g}")
        if self.pedal_controller is not None and not 0 <= self.pedal_controller <= 119:
            raise ValueError(f"pedal controller {self.pedal_controller} is outside 0..119")


def note_numbers(notes: Notes) -> tuple[int, ...]:
    """The MIDI note of each class.

    Raises:
        ValueError: an unknown name, or not 26 numbers of 0..127.
    """
    if isinstance(notes, tuple):
        if len(notes) != NUM_CLASSES or not all(0 <= note <= 127 for note in notes):
            raise ValueError(f"notes {notes!r} are not {NUM_CLASSES} numbers of 0..127")
        return notes
    if notes not in ("gm", "td17"):
        raise ValueError(f"notes {notes!r} is neither 'gm' nor 'td17'")
    return tuple(drum.gm_note if notes == "gm" else drum.td17_note for drum in DRUMS)


def drum_tracks(
    hits: Iterable[Hit], notes: Notes, clock: Clock, ticks_per_beat: int, options: TrackOptions
) -> tuple[list[mido.MidiTrack], int]:
    """The tracks, named, on channel 10; how many hits were merged into another.

    Raises:
        MidiError: a time that MIDI cannot hold.
    """
    groups: Mapping[str, Sequence[Hit]] = {"Drums": list(hits)}
    if options.split:
        everything = groups["Drums"]
        groups = {
            name.capitalize(): found
            for family, name in enumerate(FAMILIES)
            if (found := [hit for hit in everything if FAMILY_OF[hit.drum] == family])
        }
    tracks, merged = [], 0
    for name, group in groups.items():
        strokes, lost = _strokes(group, notes, clock, ticks_per_beat, options)
        merged += lost
        body: list[tuple[int, int, Any]] = [
            (0, 0, mido.Message("program_change", channel=_CHANNEL, program=0))
        ]
        for start, end, note, velocity in strokes:
            # Within their ranges by `Hit` and `note_numbers`; checking them again takes longer than writing.
            known = {"skip_checks": True, "channel": _CHANNEL, "note": note}
            body.append((start, 2, mido.Message("note_on", velocity=velocity, **known)))
            body.append((end, 0, mido.Message("note_off", velocity=0, **known)))
        if options.pedal_controller is not None:
            body += _pedal(group, clock, options.pedal_controller)
        ordered = sorted(body, key=lambda event: event[:2])
        tracks.append(make_track(name, [(tick, message) for tick, _, message in ordered]))
    return tracks, merged


def _strokes(
    hits: Iterable[Hit], notes: Notes, clock: Clock, ticks_per_beat: int, options: TrackOptions
) -> tuple[list[tuple[int, int, int, int]], int]:
    """(start tick, end tick, note, velocity), none empty nor overlapping its note's next; number merged."""
    number = note_numbers(notes)
    loudest: dict[tuple[int, int], int] = {}
    merged = 0
    for hit in hits:
        if not 0 <= hit.time <= MAX_SECONDS:
            raise MidiError(f"a hit at {hit.time:g} s is outside 0..{MAX_SECONDS:.0f} s")
        key = (clock.tick_at(hit.time), number[hit.drum])
        merged += key in loudest
        loudest[key] = max(loudest.get(key, 0), hit.velocity)
    strokes = []
    following: dict[int, int] = {}  # note -> start of its next stroke
    for (start, note), velocity in sorted(loudest.items(), reverse=True):
        if isinstance(options.length, Fraction):
            end = start + round(4 * ticks_per_beat * options.length)
        else:
            end = clock.tick_at(clock.seconds_at(start) + options.length)
        end = max(end, start + 1)
        strokes.append((start, min(end, following.get(note, end)), note, velocity))
        following[note] = start
    return strokes[::-1], merged


def _pedal(hits: Iterable[Hit], clock: Clock, controller: int) -> list[tuple[int, int, Any]]:
    """Where the pedal's position changes, just before the stroke that tells: open hi-hats have it up, closed
    ones and the foot's down."""
    events = []
    last = None
    for hit in sorted(hit for hit in hits if FAMILY_OF[hit.drum] == _HIHAT):
        position = OPEN if "open" in DRUMS[hit.drum].name else CLOSED
        if position != last:
            message = mido.Message("control_change", channel=_CHANNEL, control=controller, value=position)
            events.append((clock.tick_at(hit.time), 1, message))
            last = position
    return events


def make_track(name: str, events: Iterable[tuple[int, Any]]) -> mido.MidiTrack:
    """Messages at their ticks, in order; their times are set.

    Raises:
        MidiError: a gap that MIDI cannot hold.
    """
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)] if name else [])
    last = 0
    for tick, message in events:
        if tick - last > _MAX_DELTA:
            raise MidiError(f"a gap of {tick - last} ticks is longer than MIDI can hold")
        message.time = tick - last  # a copy would check everything again
        track.append(message)
        last = tick
    return track
