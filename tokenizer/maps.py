"""Label maps: what the labels and MIDI notes of each corpus mean in terms of the 26 classes.

A label that stands in no map is *unmapped*: readers count it and say so. A label mapped to None is known and
left out on purpose (the metronome click, MDB's `OT`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tokenizer.drums import CLASS_INDEX, DRUMS, SCHEMES

Label = str | int


@dataclass(frozen=True)
class LabelMap:
    """The labels of one corpus.

    Raises:
        ValueError: a class, scheme or unjudged name is unknown.
    """

    name: str
    drum_of: Mapping[Label, str | None]
    """Text label, or MIDI note, to class name; None: left out on purpose."""
    finest: str = "26"
    """The finest scheme the corpus's labels can judge."""
    unjudged: frozenset[str] = frozenset()
    """Classes its labels cannot judge: left out on both sides when scoring."""

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
