"""A user's own MIDI notes: a JSON file of drum names to numbers, for a sampler with a layout of its own."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizer.drums import CLASS_INDEX, DRUMS

MAX_BYTES = 65_536


def read_note_map(path: Path) -> tuple[int, ...]:
    """`{"kick": 36, "snare_head": 38, ...}`: the note of each class; classes left out keep General MIDI's.

    Raises:
        ValueError: the file is no such map; the message names the file and the entry.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path}: larger than {MAX_BYTES} bytes, no map of notes")
    try:
        entries = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: not a JSON file") from None
    if not isinstance(entries, dict):
        raise ValueError(f'{path}: not of the form {{"kick": 36, ...}}')
    notes = [drum.gm_note for drum in DRUMS]
    for name, note in entries.items():
        if name not in CLASS_INDEX:
            raise ValueError(f"{path}: {name!r:.50} is no drum; the drums are {', '.join(CLASS_INDEX)}")
        if type(note) is not int or not 0 <= note <= 127:
            raise ValueError(f"{path}: {name}: note {note!r:.20} is not a whole number of 0..127")
        notes[CLASS_INDEX[name]] = note
    return tuple(notes)
