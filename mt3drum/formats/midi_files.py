"""Write a MIDI file of all drums and, on request, one per drum family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mt3drum.formats.options import MidiOptions
from mt3drum.rhythm.tempo_map import TempoMap
from tokenizer.drums import FAMILIES, FAMILY_OF
from tokenizer.hits import Hit
from tokenizer.midi import Notes, write_midi


def write_midi_files(
    hits: Sequence[Hit], path: Path, notes: Notes, lines: TempoMap | None, title: str, options: MidiOptions
) -> list[Path]:
    """Write the MIDI files; `song.mid` comes last, so that its presence means that all are complete.

    Returns:
        The paths of the family files: `song.kick.mid`, ...

    Raises:
        MidiError: MIDI cannot represent the hits.
        OSError: a file cannot be written.
    """
    groups = {}
    if options.files:
        for family, name in enumerate(FAMILIES):
            if found := [hit for hit in hits if FAMILY_OF[hit.drum] == family]:
                groups[path.with_name(f"{path.stem}.{name}{path.suffix}")] = found
    named = replace(options.tracks, split=True)  # the only track of a family's file is named after it
    for place, strokes, tracks in (
        *((place, found, named) for place, found in groups.items()),
        (path, hits, options.tracks),
    ):
        write_midi(
            strokes,
            place,
            notes=notes,
            tempos=lines.midi_tempos if lines else None,
            time_signatures=lines.midi_meters if lines else None,
            title=title,
            tracks=tracks,
        )
    return list(groups)
