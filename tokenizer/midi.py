"""Hits as MIDI files, pretty_midi and note-seq objects, and back.

Files are written with mido, because pretty_midi has no public way to write tempo changes; `to_pretty_midi`
and `to_note_sequence` convert the same score for those libraries. `tokenizer/midi_read.py` reads MIDI files.

MIDI cannot store confidence: it is not written, and reading gives 1.0. note-seq and pretty_midi are imported
on use (note-seq takes two seconds), so this module stays light.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import mido

from tokenizer.hits import Hit
from tokenizer.maps import LabelMap
from tokenizer.midi_read import (
    DEFAULT_TEMPO,
    DRUM_CHANNEL,
    MAX_SECONDS,
    Clock,
    MidiError,
    MidiScore,
    read_midi,
    score_of,
)
from tokenizer.midi_tracks import NOTE_SECONDS, Notes, TrackOptions, drum_tracks, make_track, note_numbers
from tokenizer.whole_file import whole_file

__all__ = [
    "MidiError",
    "MidiScore",
    "Notes",
    "TrackOptions",
    "from_note_sequence",
    "note_numbers",
    "read_midi",
    "to_note_sequence",
    "to_pretty_midi",
    "write_midi",
]

_MAX_TEMPO = 2**24 - 1  # microseconds a beat: three bytes

Tempos = Sequence[tuple[float, float]]
TimeSignatures = Sequence[tuple[float, int, int]]


def write_midi(
    hits: Iterable[Hit],
    path: str | os.PathLike[str],
    *,
    notes: Notes = "gm",
    tempos: Tempos | None = None,
    time_signatures: TimeSignatures | None = None,
    title: str = "",
    tracks: TrackOptions | None = None,
) -> int:
    """Write hits as a MIDI file of type 1: tempo and meter in the first track, the drums on channel 10 in
    one or several others.

    A tick is at most 1 ms at any tempo (0.52 ms at 120 bpm), so times are accurate to half a millisecond.
    Hits on the same tick and note become one note with the greater velocity.

    Args:
        hits: times in seconds, 0 or later.
        path: its folder is created if necessary; the file is written completely or not at all.
        notes: "gm" for General MIDI notes (hi-hat edges, tom3_rim and floor_tom_rim are written as their
            heads), "td17" for those of a Roland TD-17, which distinguish all 26 classes, or a tuple with one
            note number per class.
        tempos: (seconds, quarter notes a minute) of each change; 120 until the first.
        time_signatures: (seconds, numerator, denominator).
        title: name of the sequence.
        tracks: note lengths, the pedal, one track or one for each family.
    Returns:
        the number of hits merged into another hit.
    Raises:
        MidiError: MIDI cannot represent a time, tempo or meter.
        OSError: the file cannot be written.
    """
    path = Path(path)
    try:
        midi, merged = _midi_file(
            hits, notes, tempos or (), time_signatures or (), title, tracks or TrackOptions()
        )
    except MidiError as error:
        raise MidiError(f"{path}: {error}") from None
    with whole_file(path) as temporary:
        midi.save(temporary)
    return merged


def _midi_file(
    hits: Iterable[Hit],
    notes: Notes,
    tempos: Tempos,
    time_signatures: TimeSignatures,
    title: str = "",
    options: TrackOptions = TrackOptions(),  # noqa: B008 frozen
) -> tuple[mido.MidiFile, int]:
    changes = _check_tempos(tempos)
    ticks_per_beat = 960 * math.ceil(max(tempo for _, tempo in changes) / 1e3 / 960)  # a tick is at most 1 ms
    clock = Clock(DEFAULT_TEMPO / 1e6 / ticks_per_beat)
    head: list[tuple[int, Any]] = []
    for seconds, tempo in changes:
        tick = clock.tick_at(seconds)
        clock.change(tick, tempo / 1e6 / ticks_per_beat)
        head.append((tick, mido.MetaMessage("set_tempo", tempo=tempo)))
    for seconds, numerator, denominator in _check_meters(time_signatures):
        meter = mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)
        head.append((clock.tick_at(seconds), meter))

    tracks, merged = drum_tracks(hits, notes, clock, ticks_per_beat, options)
    midi = mido.MidiFile(type=1, ticks_per_beat=ticks_per_beat, charset="utf-8")
    midi.tracks.append(make_track(_plain(title), sorted(head, key=lambda event: event[0])))
    midi.tracks += tracks
    return midi, merged


def _plain(title: str) -> str:
    """Without what no reader can show: control characters and bytes that are no text."""
    return "".join(c for c in title.encode("utf-8", "replace").decode() if c.isprintable())


def _check_tempos(tempos: Tempos) -> list[tuple[float, int]]:
    """(seconds, microseconds a beat) in order of time, from 0 on."""
    changes = [(0.0, DEFAULT_TEMPO)]
    for seconds, bpm in sorted(tempos):
        tempo = round(6e7 / bpm) if math.isfinite(bpm) and bpm > 0 else 0
        if not 0 <= seconds <= MAX_SECONDS:
            raise MidiError(f"a tempo at {seconds:g} s is outside 0..{MAX_SECONDS:.0f} s")
        if not 0 < tempo <= _MAX_TEMPO:
            raise MidiError(f"a tempo of {bpm:g} beats a minute is outside {6e7 / _MAX_TEMPO:.2f}..6e7")
        if seconds == changes[-1][0]:
            changes.pop()
        changes.append((seconds, tempo))
    return changes


def _check_meters(time_signatures: TimeSignatures) -> list[tuple[float, int, int]]:
    for seconds, numerator, denominator in time_signatures:
        if not 0 <= seconds <= MAX_SECONDS:
            raise MidiError(f"a meter at {seconds:g} s is outside 0..{MAX_SECONDS:.0f} s")
        if not 1 <= numerator <= 255 or denominator < 1 or denominator & (denominator - 1):
            raise MidiError(f"a meter of {numerator}/{denominator} cannot be written")
    return sorted(time_signatures)


# Other libraries


def to_pretty_midi(
    hits: Iterable[Hit],
    *,
    notes: Notes = "gm",
    tempos: Tempos | None = None,
    time_signatures: TimeSignatures | None = None,
) -> Any:
    """The score that `write_midi` writes, as a `pretty_midi.PrettyMIDI`.

    Raises:
        MidiError: as `write_midi`.
        ValueError: the score exceeds pretty_midi's limit of 10^7 ticks, 87 minutes at 120 bpm.
    """
    import pretty_midi

    midi, _ = _midi_file(hits, notes, tempos or (), time_signatures or ())
    file = io.BytesIO()
    midi.save(file=file)
    file.seek(0)
    return pretty_midi.PrettyMIDI(file)


def to_note_sequence(
    hits: Iterable[Hit],
    *,
    notes: Notes = "gm",
    tempos: Tempos | None = None,
    time_signatures: TimeSignatures | None = None,
) -> Any:
    """The score as a `note_seq.NoteSequence` with exact times; hits on one note at one time are merged.

    Raises:
        MidiError: as `write_midi`.
        ImportError: note-seq is not installed.
    """
    try:
        from note_seq.protobuf import music_pb2
    except ImportError as error:
        raise ImportError(
            f"note-seq cannot be imported ({error}); install with: pip install 'mt3drum[note-seq]'"
        ) from None

    number = note_numbers(notes)
    sequence = music_pb2.NoteSequence(ticks_per_quarter=960)
    for seconds, tempo in _check_tempos(tempos or ()):
        sequence.tempos.add(time=seconds, qpm=6e7 / tempo)
    for seconds, numerator, denominator in _check_meters(time_signatures or ()):
        sequence.time_signatures.add(time=seconds, numerator=numerator, denominator=denominator)
    last: dict[int, Any] = {}
    for hit in sorted(hits):
        if not 0 <= hit.time <= MAX_SECONDS:
            raise MidiError(f"a hit at {hit.time:g} s is outside 0..{MAX_SECONDS:.0f} s")
        before = last.get(number[hit.drum])
        if before is not None and before.start_time == hit.time:
            before.velocity = max(before.velocity, hit.velocity)
            continue
        if before is not None:
            before.end_time = min(before.end_time, hit.time)
        last[number[hit.drum]] = sequence.notes.add(
            start_time=hit.time,
            end_time=hit.time + NOTE_SECONDS,
            pitch=number[hit.drum],
            velocity=hit.velocity,
            instrument=DRUM_CHANNEL - 1,
            is_drum=True,
        )
    sequence.total_time = max((note.end_time for note in sequence.notes), default=0.0)
    return sequence


def from_note_sequence(sequence: Any, label_map: LabelMap) -> MidiScore:
    """A `note_seq.NoteSequence` as a score: its drum notes, or all notes if none is marked as a drum.

    Raises:
        MidiError: a note without a velocity in 1..127 or a finite time.
    """
    drums = [note for note in sequence.notes if note.is_drum] or sequence.notes
    strokes = [(note.start_time, note.pitch, note.velocity) for note in drums]
    tempos = tuple((tempo.time, tempo.qpm) for tempo in sequence.tempos)
    meters = tuple((meter.time, meter.numerator, meter.denominator) for meter in sequence.time_signatures)
    try:
        return score_of(strokes, label_map, tempos, meters, sequence.ticks_per_quarter)
    except ValueError as error:
        raise MidiError(f"note sequence: {error}") from None
