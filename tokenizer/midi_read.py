"""Read drum onsets from untrusted MIDI files, with their tempo map.

Onsets are read with mido. note-seq and pretty_midi drop notes of zero length and notes without an end, which
loses drum hits, where only the onset counts (32 of 98 in one file of a public dataset).
"""

from __future__ import annotations

import io
import os
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import mido

from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from tokenizer.maps import LabelMap

DRUM_CHANNEL = 10
"""The percussion channel of General MIDI, counted from 1 (mido counts from 0)."""
DEFAULT_TEMPO = 500_000
"""Default tempo in microseconds per beat: 120 bpm."""
MAX_BYTES = 4 * 2**20
"""Maximum file size: mido takes about 2 s per MiB, and an hour of drums is 0.2 MiB."""
MAX_NOTES = 1_000_000
MAX_SECONDS = 24 * 3600.0
"""Maximum time of a hit, read or written."""

_MAX_TICK = 2**40  # far beyond MAX_SECONDS in any real file, and still exact as a float
# mido reads numbers of any length, in time square to it; none has more than four bytes, no text is this long.
_ENDLESS_NUMBER = re.compile(rb"[\x80-\xff]{1025}")

Channel = int | Literal["auto"] | None


class MidiError(ValueError):
    """A MIDI file cannot be read, or hits cannot be written as one."""


@dataclass(frozen=True)
class MidiScore:
    """Contents of a MIDI file, with times in seconds."""

    hits: tuple[Hit, ...]
    """In order of time; nothing merged."""
    unmapped: Counter[int]
    """Notes that are not in the label map, with their number of strokes."""
    excluded: Counter[int]
    """Notes that the label map excludes on purpose, with their number of strokes."""
    tempos: tuple[tuple[float, float], ...] = ()
    """(seconds, quarter notes per minute) of each tempo change; empty if the file has none, which means
    120."""
    time_signatures: tuple[tuple[float, int, int], ...] = ()
    """(seconds, numerator, denominator)."""
    ticks_per_beat: int = 0
    """Resolution of the file; 0 if it counts SMPTE frames instead of beats."""


class Clock:
    """Converts ticks to seconds and back under a tempo map."""

    def __init__(self, seconds_per_tick: float) -> None:
        self.ticks, self.seconds, self.rates = [0], [0.0], [seconds_per_tick]

    def change(self, tick: int, seconds_per_tick: float) -> None:
        """Set the rate from `tick` on, which must not precede the last change; the later of two on one tick
        applies."""
        if tick == self.ticks[-1]:
            self.rates[-1] = seconds_per_tick
            return
        seconds = self.seconds_at(tick)
        self.ticks.append(tick)
        self.seconds.append(seconds)
        self.rates.append(seconds_per_tick)

    def seconds_at(self, tick: int) -> float:
        i = bisect_right(self.ticks, tick) - 1
        return self.seconds[i] + (tick - self.ticks[i]) * self.rates[i]

    def tick_at(self, seconds: float) -> int:
        i = bisect_right(self.seconds, seconds) - 1
        return self.ticks[i] + round((seconds - self.seconds[i]) / self.rates[i])


def read_midi(path: str | os.PathLike[str], label_map: LabelMap, channel: Channel = "auto") -> MidiScore:
    """Every drum stroke (note-on with velocity > 0) of a MIDI file, under its tempo map.

    Args:
        path: a standard MIDI file of type 0 or 1; untrusted.
        label_map: what its notes mean.
        channel: 1..16; None for all; "auto" for the first of these that contains notes: channel 10, the only
            channel in use (programs often export drums on channel 1), or tracks with "drum" or "perc" in
            their name.
    Raises:
        MidiError: the file is not MIDI, is damaged or too large (`MAX_BYTES`, `MAX_NOTES`, `MAX_SECONDS`), or
            "auto" finds several channels in use and no drums.
        OSError: the file cannot be opened.
    """
    if not (channel is None or channel == "auto" or (isinstance(channel, int) and 1 <= channel <= 16)):
        raise ValueError(f"channel {channel!r} is not 1..16, None or 'auto'")
    path = Path(path)
    midi = _parse(path)
    events = _events(path, midi)
    clock, tempos = _tempo_map(path, midi.ticks_per_beat, events)
    notes = [
        (tick, message, name)
        for tick, message, name in events
        if message.type == "note_on" and message.velocity > 0
    ]
    if len(notes) > MAX_NOTES:
        raise MidiError(f"{path}: {len(notes)} notes are more than {MAX_NOTES}")
    if notes and clock.seconds_at(notes[-1][0]) > MAX_SECONDS:
        raise MidiError(f"{path}: a note is later than {MAX_SECONDS:.0f} s")
    strokes = [
        (clock.seconds_at(tick), message.note, message.velocity)
        for tick, message, _ in _of_channel(path, notes, channel)
    ]
    meters = tuple(
        (clock.seconds_at(tick), message.numerator, message.denominator)
        for tick, message, _ in events
        if message.type == "time_signature" and message.numerator > 0
    )
    return score_of(strokes, label_map, tempos, meters, max(midi.ticks_per_beat, 0))


def _parse(path: Path) -> mido.MidiFile:
    if not path.is_file() and path.exists():
        raise MidiError(f"{path}: not a file")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise MidiError(f"{path}: larger than {MAX_BYTES} bytes")
    if _ENDLESS_NUMBER.search(data):
        raise MidiError(f"{path}: damaged MIDI file (a number that does not end)")
    try:
        midi = mido.MidiFile(file=io.BytesIO(data))
    except Exception as error:  # mido lets out EOFError, OSError, IndexError, KeyError and more
        # Cut short: it may hold a number of thousands of digits.
        reason = "it ends early" if isinstance(error, EOFError) else repr(error)[:100]
        raise MidiError(f"{path}: not a MIDI file, or damaged ({reason})") from error
    if midi.type not in (0, 1):
        raise MidiError(f"{path}: MIDI files of type {midi.type} are not read; save it as type 0 or 1")
    return midi


def _events(path: Path, midi: mido.MidiFile) -> list[tuple[int, Any, str]]:
    """(tick, message, track name) of all tracks, in order of time, then track."""
    events = []
    for track in midi.tracks:
        tick, name = 0, track.name
        for message in track:
            tick += message.time
            events.append((tick, message, name))
        if tick > _MAX_TICK:
            raise MidiError(f"{path}: damaged MIDI file (a time of more than {_MAX_TICK} ticks)")
    return sorted(events, key=lambda event: event[0])


def _tempo_map(
    path: Path, division: int, events: Iterable[tuple[int, Any, str]]
) -> tuple[Clock, tuple[tuple[float, float], ...]]:
    """The clock of a file and its tempo changes.

    A negative division gives SMPTE frames per second (high byte) and ticks per frame (low byte); tempo has no
    effect then.
    """
    if division < 0:
        frames, ticks = -(division >> 8), division & 0xFF
        if frames not in (24, 25, 29, 30) or ticks == 0:
            raise MidiError(f"{path}: unknown SMPTE time division ({frames} frames, {ticks} ticks)")
        return Clock(1 / ((30000 / 1001 if frames == 29 else frames) * ticks)), ()
    if division == 0:
        raise MidiError(f"{path}: damaged MIDI file (no ticks in a beat)")
    clock = Clock(DEFAULT_TEMPO / 1e6 / division)
    tempos: dict[float, float] = {}
    for tick, message, _ in events:
        if message.type == "set_tempo":
            if message.tempo == 0:
                raise MidiError(f"{path}: damaged MIDI file (a tempo of zero)")
            clock.change(tick, message.tempo / 1e6 / division)
            tempos[clock.seconds_at(tick)] = 6e7 / message.tempo
    return clock, tuple(tempos.items())


def _of_channel(
    path: Path, notes: list[tuple[int, Any, str]], channel: Channel
) -> list[tuple[int, Any, str]]:
    """The notes of the wanted channel; "auto" as `read_midi` describes."""
    channels = {message.channel + 1 for _, message, _ in notes}
    if channel == "auto":
        if DRUM_CHANNEL in channels:
            channel = DRUM_CHANNEL
        elif len(channels) <= 1:
            channel = None
        else:
            named = [note for note in notes if re.search("drum|perc", note[2], re.IGNORECASE)]
            if not named:
                raise MidiError(
                    f"{path}: nothing on channel 10, and no track named drums; channels in use: "
                    f"{', '.join(map(str, sorted(channels)))}; say which holds the drums"
                )
            return named
    return [note for note in notes if channel is None or note[1].channel + 1 == channel]


def score_of(
    strokes: Iterable[tuple[float, int, int]],
    label_map: LabelMap,
    tempos: tuple[tuple[float, float], ...],
    time_signatures: tuple[tuple[float, int, int], ...],
    ticks_per_beat: int,
) -> MidiScore:
    """Strokes (seconds, note, velocity) as hits; notes that the map does not map to drums are counted."""
    hits: list[Hit] = []
    unmapped: Counter[int] = Counter()
    excluded: Counter[int] = Counter()
    for seconds, note, velocity in strokes:
        if note not in label_map.drum_of:
            unmapped[note] += 1
        elif (name := label_map.drum_of[note]) is None:
            excluded[note] += 1
        else:
            hits.append(Hit(seconds, CLASS_INDEX[name], velocity))
    return MidiScore(tuple(sorted(hits)), unmapped, excluded, tempos, time_signatures, ticks_per_beat)
