"""MIDI note numbers of samplers and e-kits: the presets in `assets/note_maps`, or a user's JSON file.

A preset names the source of each number (`sources`), the product's name for the sound (`there`) and
substitutes for missing articulations (`instead`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.json_object import read_json_object

MAX_BYTES = 65_536
PRESETS = ("ezdrummer", "superior", "addictive", "ggd", "ssd5", "logic", "roland", "alesis")
"""Names of the files in `assets/note_maps`."""


@dataclass(frozen=True)
class NoteMap:
    """A preset of `assets/note_maps`."""

    product: str
    about: str
    sources: tuple[str, ...]
    pedal_controller: int | None
    """Controller number of the hi-hat pedal position, if the product uses it to tell open from closed."""
    numbers: tuple[int, ...]
    """MIDI note of each of the 26 classes."""
    there: tuple[str, ...]
    """The product's name for each class."""
    instead: Mapping[str, str]
    """Classes without a note of their own, and the sound that their number plays instead."""


@cache
def find_preset(name: str) -> NoteMap:
    """Load a preset by name.

    Raises:
        KeyError: the name is unknown.
    """
    if name not in PRESETS:
        raise KeyError(name)
    file = resources.files("mt3drum") / "assets" / "note_maps" / f"{name}.json"
    table = json.loads(file.read_text(encoding="utf-8"))
    rows = [table["notes"][drum.name] for drum in DRUMS]
    return NoteMap(
        table["product"],
        table["about"],
        tuple(table["sources"]),
        table["pedal_controller"],
        tuple(row["note"] for row in rows),
        tuple(row["there"] for row in rows),
        {drum.name: row["instead"] for drum, row in zip(DRUMS, rows, strict=True) if "instead" in row},
    )


def read_note_map(path: Path) -> tuple[int, ...]:
    """Read a map `{"kick": 36, "snare_head": 38, ...}`; classes that it omits keep their General MIDI note.

    Returns:
        The MIDI note of each class.

    Raises:
        ValueError: the file is not a valid map; the message names the file and the entry.
        OSError: the file cannot be read.
    """
    entries = read_json_object(path, '{"kick": 36, ...}', MAX_BYTES)
    notes = [drum.gm_note for drum in DRUMS]
    for name, note in entries.items():
        if name not in CLASS_INDEX:
            raise ValueError(f"{path}: {name!r:.50} is not a drum; the drums are {', '.join(CLASS_INDEX)}")
        if type(note) is not int or not 0 <= note <= 127:
            raise ValueError(f"{path}: {name}: note {note!r:.20} is not a whole number of 0..127")
        notes[CLASS_INDEX[name]] = note
    return tuple(notes)
