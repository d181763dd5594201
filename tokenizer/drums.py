"""The registry of drum classes: 26 named classes in eight families, and the schemes that reduce them.

The classes are the pads of a Roland TD-17 (the instrument of E-GMD; Callender et al. 2020, arXiv:2004.00188).
Every number a class has anywhere (token, MIDI note, column of a matrix) is derived from this table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

FAMILIES: tuple[str, ...] = ("kick", "snare", "rim", "hihat", "tom", "crash", "ride", "aux")


@dataclass(frozen=True)
class DrumClass:
    """One drum class."""

    index: int
    """Column of every 26-wide matrix, 0..25."""
    name: str
    """The name used in code, files and on the command line."""
    family: str
    """One of `FAMILIES`."""
    td17_note: int
    """The MIDI note a Roland TD-17 sends for it."""
    gm_note: int
    """The General MIDI note it is written as. General MIDI has no note for the edge of a hi-hat or the rim of
    the low toms: those four are written as the note of their head."""


def _table() -> tuple[DrumClass, ...]:
    rows = (
        ("kick", "kick", 36, 36),
        ("snare_head", "snare", 38, 38),
        ("snare_cross_stick", "rim", 37, 37),
        ("snare_rim", "rim", 40, 40),
        ("hihat_closed", "hihat", 42, 42),
        ("hihat_closed_edge", "hihat", 22, 42),
        ("hihat_open", "hihat", 46, 46),
        ("hihat_open_edge", "hihat", 26, 46),
        ("hihat_pedal", "hihat", 44, 44),
        ("tom1_head", "tom", 48, 48),
        ("tom1_rim", "tom", 50, 50),
        ("tom2_head", "tom", 45, 45),
        ("tom2_rim", "tom", 47, 47),
        ("tom3_head", "tom", 43, 43),
        ("tom3_rim", "tom", 58, 43),
        ("floor_tom_head", "tom", 41, 41),
        ("floor_tom_rim", "tom", 39, 41),
        ("crash1", "crash", 49, 49),
        ("crash1_edge", "crash", 55, 55),
        ("crash2", "crash", 57, 57),
        ("crash2_edge", "crash", 52, 52),
        ("ride", "ride", 51, 51),
        ("ride_edge", "ride", 59, 59),
        ("ride_bell", "ride", 53, 53),
        ("aux1", "aux", 54, 54),
        ("aux2", "aux", 56, 56),
    )
    return tuple(DrumClass(i, *row) for i, row in enumerate(rows))


def _instrument(drum: DrumClass) -> str:
    if drum.name == "hihat_pedal":
        return drum.name
    if drum.family in ("snare", "rim"):
        return "snare"
    return drum.name.split("_")[0] if drum.family != "tom" else drum.name.rsplit("_", 1)[0]


DRUMS: tuple[DrumClass, ...] = _table()
NUM_CLASSES = len(DRUMS)
CLASS_INDEX: Mapping[str, int] = MappingProxyType({drum.name: drum.index for drum in DRUMS})
INSTRUMENT_OF: tuple[str, ...] = tuple(_instrument(drum) for drum in DRUMS)
"""Classes of one instrument exclude each other: a stick strikes the snare, the hi-hat, a tom or a cymbal in
only one way at a time. The hi-hat pedal is played by the foot and counts as an instrument of its own."""
FAMILY_OF: tuple[int, ...] = tuple(FAMILIES.index(drum.family) for drum in DRUMS)


@dataclass(frozen=True)
class Scheme:
    """A reduction of the 26 classes to fewer labels, for scoring, training or decoding."""

    name: str
    labels: tuple[str, ...]
    of_class: tuple[int, ...]
    """`of_class[c]` is the label of class `c`, or -1 if the scheme excludes the class."""

    @property
    def first_class(self) -> tuple[int, ...]:
        """The class that stands for each label: its first."""
        return tuple(self.of_class.index(label) for label in range(len(self.labels)))

    def written(self, drums: Collection[int]) -> frozenset[int]:
        """The classes that stand for the labels of these."""
        first = self.first_class
        return frozenset(first[self.of_class[drum]] for drum in drums if self.of_class[drum] >= 0)

    def name_of(self, drum: int) -> str:
        """The label of a class, or the name of the class where the scheme leaves it out."""
        label = self.of_class[drum]
        return DRUMS[drum].name if label < 0 else self.labels[label]


def _scheme(name: str, labels: tuple[str, ...], label_of: Callable[[DrumClass], str | None]) -> Scheme:
    reduced = [label_of(drum) for drum in DRUMS]
    return Scheme(name, labels, tuple(-1 if label is None else labels.index(label) for label in reduced))


_MERGED_16 = {
    "hihat_closed_edge": "hihat_closed",
    "hihat_open_edge": "hihat_open",
    "crash1_edge": "crash1",
    "crash2_edge": "crash2",
    "ride_edge": "ride",
    "aux1": "aux",
    "aux2": "aux",
}
_FIVE = {"kick": "KD", "snare": "SD", "rim": "SD", "hihat": "HH", "tom": "TT", "crash": "CY", "ride": "CY"}
_THREE = {"kick": "KD", "snare": "SD", "rim": "SD", "hihat": "HH"}


def _label_16(drum: DrumClass) -> str:
    """One label per drum of a kit: tom rims join their head, edges their bow, and the two aux classes each
    other."""
    if drum.family == "tom":
        return drum.name.rsplit("_", 1)[0]
    return _MERGED_16.get(drum.name, drum.name)


def _label_12(drum: DrumClass) -> str:
    """What an annotator can identify by ear, as in MDB Drums' subclass labels: one label for all crashes, and
    among the toms only the floor tom is distinguished."""
    if drum.family == "tom":
        return "floor_tom" if drum.name.startswith("floor_tom") else "tom"
    if drum.family in ("kick", "crash", "aux"):
        return drum.family
    return "snare" if drum.name in ("snare_head", "snare_rim") else _label_16(drum)


SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        "26": _scheme("26", tuple(drum.name for drum in DRUMS), lambda drum: drum.name),
        "16": _scheme("16", tuple(dict.fromkeys(_label_16(drum) for drum in DRUMS)), _label_16),
        "12": _scheme("12", tuple(dict.fromkeys(_label_12(drum) for drum in DRUMS)), _label_12),
        "8": _scheme("8", FAMILIES, lambda drum: drum.family),
        "5": _scheme("5", ("KD", "SD", "TT", "HH", "CY"), lambda drum: _FIVE.get(drum.family)),
        "3": _scheme("3", ("KD", "SD", "HH"), lambda drum: _THREE.get(drum.family)),
    }
)
