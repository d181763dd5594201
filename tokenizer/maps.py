"""Label maps: what the labels and MIDI notes of each corpus mean in terms of the 26 classes.

A label that is not in the map is *unmapped*: readers count and report it. A label mapped to None is excluded
on purpose (the metronome click, MDB's `OT`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tokenizer.drums import CLASS_INDEX, DRUMS, SCHEMES
from tokenizer.json_object import read_json_object

Label = str | int


@dataclass(frozen=True)
class LabelMap:
    """The labels of one corpus.

    Raises:
        ValueError: a class, scheme or unjudged name is unknown.
    """

    name: str
    drum_of: Mapping[Label, str | None]
    """Text label or MIDI note to class name; None: excluded on purpose."""
    finest: str = "26"
    """The finest scheme that the corpus's labels support."""
    unjudged: frozenset[str] = frozenset()
    """Classes that its labels cannot express; removed from references and estimates when scoring."""

    def __post_init__(self) -> None:
        names = {name for name in self.drum_of.values() if name is not None} | self.unjudged
        unknown = sorted(names - set(CLASS_INDEX))
        if unknown:
            raise ValueError(f"label map {self.name}: unknown classes {unknown}")
        if self.finest not in SCHEMES:
            raise ValueError(f"label map {self.name}: unknown scheme {self.finest!r}")


_TD17: dict[Label, str | None] = {**{drum.td17_note: drum.name for drum in DRUMS}, 35: "kick", 33: None}

# General MIDI 1 percussion key map (MIDI Association), plus the hi-hat edge notes 22 and 26 that electronic
# kits write into otherwise General MIDI files: dropping them deletes most open hi-hats.
_GM: dict[Label, str | None] = {
    **{note: None for note in (27, 28, 29, 30, 31, 32, 33, 34, 71, 72)},  # effects, metronome, whistles
    35: "kick",
    36: "kick",
    37: "snare_cross_stick",
    38: "snare_head",
    39: "aux1",
    40: "snare_rim",
    41: "floor_tom_head",
    42: "hihat_closed",
    43: "tom3_head",
    44: "hihat_pedal",
    45: "tom2_head",
    46: "hihat_open",
    47: "tom2_rim",
    48: "tom1_head",
    49: "crash1",
    50: "tom1_rim",
    51: "ride",
    52: "crash2_edge",
    53: "ride_bell",
    54: "aux1",
    55: "crash1_edge",
    56: "aux2",
    57: "crash2",
    58: "aux2",
    59: "ride_edge",
    22: "hihat_closed_edge",
    26: "hihat_open_edge",
    **{note: "aux2" for note in (60, 61, 62, 63, 64, 65, 66, 67, 68, 75, 76, 77, 78, 79, 80, 81, 85, 86, 87)},
    **{note: "aux1" for note in (69, 70, 73, 74, 82, 83, 84)},
}

# Southall et al. 2017, "MDB Drums". `class` files keep side stick and tambourine in OT.
_MDB_CLASS: dict[Label, str | None] = {
    "KD": "kick",
    "SD": "snare_head",
    "HH": "hihat_closed",
    "TT": "tom1_head",
    "CY": "crash1",
    "OT": None,
}
_MDB_SUBCLASS: dict[Label, str | None] = {
    "KD": "kick",
    "SD": "snare_head",
    "SDB": "snare_head",
    "SDD": "snare_head",
    "SDF": "snare_head",
    "SDG": "snare_head",
    "SDNS": "snare_head",
    "SST": "snare_cross_stick",
    "CHH": "hihat_closed",
    "OHH": "hihat_open",
    "PHH": "hihat_pedal",
    "HIT": "tom1_head",
    "MHT": "tom2_head",
    "HFT": "tom3_head",
    "LFT": "floor_tom_head",
    "CRC": "crash1",
    "SPC": "crash1_edge",
    "CHC": "crash2_edge",
    "RDC": "ride",
    "RDB": "ride_bell",
    "TMB": "aux1",
    "OT": None,
}

# Gillet & Richard 2006, "ENST-Drums": cymbals carry the number of the instrument.
_ENST: dict[Label, str | None] = {
    "bd": "kick",
    "sd": "snare_head",
    "sd-": "snare_head",
    "sweep": "snare_head",
    "rs": "snare_rim",
    "cs": "snare_cross_stick",
    "sticks": None,
    "chh": "hihat_closed",
    "ohh": "hihat_open",
    "mt": "tom1_head",
    "mtr": "tom1_rim",
    "lmt": "tom2_head",
    "lt": "tom3_head",
    "ltr": "tom3_rim",
    "lft": "floor_tom_head",
    "cb": "aux2",
    "c": "crash1",
    "ch": "crash2_edge",
    "cr": "crash1",
    "spl": "crash1_edge",
    "rc": "ride",
    **{
        f"{stem}{number}": name
        for stem, name in (
            ("c", "crash1"),
            ("ch", "crash2_edge"),
            ("cr", "crash1"),
            ("spl", "crash1_edge"),
            ("rc", "ride"),
        )
        for number in range(1, 6)
    },
}

# Dittmar & Gaertner 2014, "IDMT-SMT-Drums": three instruments.
_IDMT_SMT: dict[Label, str | None] = {"KD": "kick", "SD": "snare_head", "HH": "hihat_closed"}

# Vogl et al. 2017, "RBMA13": text files of `seconds number`: 0, 1, 2 in the three-class edition, else notes.
_RBMA13: dict[Label, str | None] = {**_GM, 0: "kick", 1: "snare_head", 2: "hihat_closed"}

_AUX = frozenset({"aux1", "aux2"})

LABEL_MAPS: Mapping[str, LabelMap] = MappingProxyType(
    {
        label_map.name: label_map
        for label_map in (
            LabelMap("gm", _GM),
            LabelMap("td17", _TD17),
            LabelMap("gmd", _TD17),
            LabelMap("egmd", _TD17),
            LabelMap("mdb_class", _MDB_CLASS, "5", _AUX | {"snare_cross_stick"}),
            LabelMap("mdb_subclass", _MDB_SUBCLASS, "12"),
            LabelMap("mdb_midi", _GM, "5", _AUX),
            LabelMap("enst", _ENST, "8"),
            LabelMap("idmt_smt", _IDMT_SMT, "3"),
            LabelMap("rbma13", _RBMA13, "3"),
            LabelMap("slakh", _GM),
        )
    }
)

FORM = '{"36": "kick", "click": null}'
"""Example of a label map in a JSON file."""


def find_label_map(name: str) -> LabelMap:
    """The built-in label map with this name, or the one in the JSON file with this name.

    Raises:
        ValueError: there is neither, or the file is not a label map; the message names it.
    """
    if name in LABEL_MAPS:
        return LABEL_MAPS[name]
    if not Path(name).is_file():
        raise ValueError(
            f"unknown label map {name!r:.200}; known: {', '.join(LABEL_MAPS)}, or a JSON file such as {FORM}"
        )
    return read_label_map(Path(name))


def read_label_map(path: Path) -> LabelMap:
    """A label map from a JSON file: `{"KD": "kick", "38": "snare_head", "click": null}`.

    Maps labels or MIDI notes to class names, or to null to exclude them. The object may instead be under
    `labels`, with `finest` (a scheme) and `unjudged` (a list of classes) beside it.

    Raises:
        ValueError: the file is not a label map; the message names the file and the entry.
        OSError: the file cannot be read.
    """
    document = read_json_object(path, FORM)
    given = document.get("labels", document)
    finest: Any = "26"
    unjudged: Any = []
    if given is not document:
        finest, unjudged = document.get("finest", finest), document.get("unjudged", unjudged)
        if unknown := sorted(set(document) - {"labels", "finest", "unjudged"}):
            raise ValueError(f"{path}: {unknown[0]!r:.50} is not one of labels, finest, unjudged")
    if not isinstance(given, dict) or not isinstance(finest, str) or not isinstance(unjudged, list):
        raise ValueError(f"{path}: labels must be an object, finest a text, unjudged a list")
    drum_of: dict[Label, str | None] = {}
    for label, drum in given.items():
        if drum is not None and drum not in (names := [each.name for each in DRUMS]):
            raise ValueError(
                f"{path}: {label:.50}: {drum!r:.50} is not a drum; the drums are {', '.join(names)}"
            )
        drum_of[int(label) if label.isdecimal() and len(label) <= 3 else label] = drum
    try:
        return LabelMap(path.stem, drum_of, finest, frozenset(map(str, unjudged)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
