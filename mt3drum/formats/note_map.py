"""MIDI notes of samplers and e-kits: the presets in `assets/note_maps`, or a user's own JSON file.

A preset says where each number was found (`sources`), what the sampler calls it (`there`) and, where it has
no such articulation, what is played instead (`instead`).
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
    """A preset."""

    product: str
    about: str
    sources: tuple[str, ...]
    pedal_controller: int | None
    """Controller of the hi-hat pedal's position, where the hi-hat is told open from closed by it."""
    numbers: tuple[int, ...]
    """Of each of the 26 classes."""
    there: tuple[str, ...]
    """What the product calls it."""
    instead: Mapping[str, str]
    """Classes it has no note for -> what their number plays."""


@cache
def find_preset(name: str) -> NoteMap:
    """The preset of that name.

    Raises:
        KeyError: there is none.
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
    """`{"kick": 36, "snare_head": 38, ...}`: the note of each class; classes left out keep General MIDI's.

    Raises:
        ValueError: the file is no such map; the message names the file and the entry.
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
