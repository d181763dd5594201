"""The registry of drum classes and its schemes."""

from __future__ import annotations

import pytest

from tokenizer.drums import CLASS_INDEX, DRUMS, FAMILIES, FAMILY_OF, INSTRUMENT_OF, NUM_CLASSES, SCHEMES

# The table of the design, written a second time: name, family, TD-17 note.
TABLE = """
kick kick 36, snare_head snare 38, snare_cross_stick rim 37, snare_rim rim 40,
hihat_closed hihat 42, hihat_closed_edge hihat 22, hihat_open hihat 46, hihat_open_edge hihat 26,
hihat_pedal hihat 44, tom1_head tom 48, tom1_rim tom 50, tom2_head tom 45, tom2_rim tom 47, tom3_head tom 43,
tom3_rim tom 58, floor_tom_head tom 41, floor_tom_rim tom 39, crash1 crash 49, crash1_edge crash 55,
crash2 crash 57, crash2_edge crash 52, ride ride 51, ride_edge ride 59, ride_bell ride 53, aux1 aux 54,
aux2 aux 56
"""


def test_the_table() -> None:
    rows = [tuple(row.split()) for row in TABLE.split(",")]
    assert [(drum.name, drum.family, str(drum.td17_note)) for drum in DRUMS] == rows
    assert NUM_CLASSES == 26


def test_derived_numbers_agree_with_the_table() -> None:
    assert [drum.index for drum in DRUMS] == list(range(26))
    assert [CLASS_INDEX[drum.name] for drum in DRUMS] == list(range(26))
    assert [FAMILIES[family] for family in FAMILY_OF] == [drum.family for drum in DRUMS]
    assert set(FAMILY_OF) == set(range(8))


def test_td17_notes_are_distinct_and_general_midi_merges_exactly_four() -> None:
    assert len({drum.td17_note for drum in DRUMS}) == 26
    changed = {drum.td17_note: drum.gm_note for drum in DRUMS if drum.gm_note != drum.td17_note}
    assert changed == {22: 42, 26: 46, 58: 43, 39: 41}
    assert len({drum.gm_note for drum in DRUMS}) == 22


@pytest.mark.parametrize("key", ["26", "16", "12", "8", "5", "3"])
def test_schemes_are_total_and_use_every_label(key: str) -> None:
    scheme = SCHEMES[key]
    assert scheme.name == key
    assert len(scheme.labels) == int(key) == len(set(scheme.labels))
    assert len(scheme.of_class) == 26
    assert set(scheme.of_class) - {-1} == set(range(len(scheme.labels)))


def reduced(key: str) -> dict[str, list[str]]:
    """Label -> names of the classes it takes; "-" -> those the scheme leaves out."""
    scheme = SCHEMES[key]
    labels: dict[str, list[str]] = {label: [] for label in (*scheme.labels, "-")}
    for drum, label in zip(DRUMS, scheme.of_class, strict=True):
        labels["-" if label < 0 else scheme.labels[label]].append(drum.name)
    return labels


def test_only_the_coarsest_schemes_leave_classes_out() -> None:
    assert [reduced(key)["-"] for key in ("26", "16", "12", "8")] == [[], [], [], []]
    assert reduced("5")["-"] == ["aux1", "aux2"]
    kept = {"kick", "snare", "rim", "hihat"}
    assert reduced("3")["-"] == [drum.name for drum in DRUMS if drum.family not in kept]


def test_what_the_schemes_join() -> None:
    five = reduced("5")
    assert five["KD"] == ["kick"]
    assert five["SD"] == ["snare_head", "snare_cross_stick", "snare_rim"]
    assert all(name.startswith("hihat") for name in five["HH"]) and len(five["HH"]) == 5
    assert all("tom" in name for name in five["TT"]) and len(five["TT"]) == 8
    assert len(five["CY"]) == 7
    sixteen = reduced("16")
    assert sixteen["tom3"] == ["tom3_head", "tom3_rim"]
    assert sixteen["floor_tom"] == ["floor_tom_head", "floor_tom_rim"]
    assert sixteen["hihat_open"] == ["hihat_open", "hihat_open_edge"]
    assert sixteen["ride_bell"] == ["ride_bell"]


@pytest.mark.parametrize(("fine", "coarse"), [("16", "12"), ("8", "5"), ("5", "3")])
def test_a_coarser_scheme_never_splits_what_a_finer_one_joined(fine: str, coarse: str) -> None:
    pairs = {(SCHEMES[fine].of_class[c], SCHEMES[coarse].of_class[c]) for c in range(NUM_CLASSES)}
    pairs = {pair for pair in pairs if pair[0] >= 0}
    assert len(pairs) == len({label for label, _ in pairs})


def test_what_one_instrument_is() -> None:
    """Its classes are ways to strike it: edge or centre, open or closed, head or rim. The pedal is apart."""
    found: dict[str, list[str]] = {}
    for drum in DRUMS:
        found.setdefault(INSTRUMENT_OF[drum.index], []).append(drum.name)
    assert list(found.values()) == [
        ["kick"],
        ["snare_head", "snare_cross_stick", "snare_rim"],
        ["hihat_closed", "hihat_closed_edge", "hihat_open", "hihat_open_edge"],
        ["hihat_pedal"],
        ["tom1_head", "tom1_rim"],
        ["tom2_head", "tom2_rim"],
        ["tom3_head", "tom3_rim"],
        ["floor_tom_head", "floor_tom_rim"],
        ["crash1", "crash1_edge"],
        ["crash2", "crash2_edge"],
        ["ride", "ride_edge", "ride_bell"],
        ["aux1"],
        ["aux2"],
    ]
