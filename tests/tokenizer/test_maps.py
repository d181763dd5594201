"""Label maps: every entry resolves, and the entries that are easily got wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tokenizer.drums import CLASS_INDEX, DRUMS, SCHEMES
from tokenizer.maps import LABEL_MAPS, LabelMap, find_label_map, read_label_map

NAMES = (
    "gm",
    "td17",
    "gmd",
    "egmd",
    "mdb_class",
    "mdb_subclass",
    "mdb_midi",
    "enst",
    "idmt_smt",
    "rbma13",
    "slakh",
)


def test_the_maps_are_these() -> None:
    assert set(LABEL_MAPS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_label_resolves(name: str) -> None:
    label_map = LABEL_MAPS[name]
    assert label_map.name == name
    assert label_map.finest in SCHEMES
    assert label_map.unjudged <= set(CLASS_INDEX)
    for label, drum in label_map.drum_of.items():
        assert drum is None or drum in CLASS_INDEX
        assert isinstance(label, str) or 0 <= label <= 127


@pytest.mark.parametrize("name", ["td17", "gmd", "egmd"])
def test_td17_reads_every_class_from_its_own_note(name: str) -> None:
    drum_of = LABEL_MAPS[name].drum_of
    assert {drum.td17_note: drum_of[drum.td17_note] for drum in DRUMS} == {d.td17_note: d.name for d in DRUMS}
    assert drum_of[35] == "kick"
    assert drum_of[33] is None  # the metronome click
    assert set(drum_of) == {drum.td17_note for drum in DRUMS} | {33, 35}


def test_general_midi_reads_what_it_writes() -> None:
    drum_of = LABEL_MAPS["gm"].drum_of
    written_as_its_head = {"hihat_closed_edge", "hihat_open_edge", "tom3_rim", "floor_tom_rim"}
    for drum in DRUMS:
        if drum.name not in written_as_its_head:
            assert drum_of[drum.gm_note] == drum.name
    assert set(range(35, 82)) <= set(drum_of)  # the whole key map of General MIDI 1
    assert (drum_of[22], drum_of[26]) == ("hihat_closed_edge", "hihat_open_edge")
    assert (drum_of[39], drum_of[58]) == ("aux1", "aux2")  # hand clap and vibraslap, not rims of toms
    assert LABEL_MAPS["slakh"].drum_of == drum_of


def test_mdb_leaves_out_what_its_class_files_cannot_judge() -> None:
    classes = LABEL_MAPS["mdb_class"]
    assert classes.drum_of["OT"] is None
    assert classes.unjudged == {"snare_cross_stick", "aux1", "aux2"}
    assert LABEL_MAPS["mdb_subclass"].drum_of["SST"] == "snare_cross_stick"


def test_corpora_s_cymbals_and_toms_are_what_their_papers_say() -> None:
    """MDB Drums (Southall et al. 2017): splash (SPC), china (CHC) and crash (CRC) are no ride; toms from high
    to floor. ENST-Drums (Gillet and Richard 2006): mid, low-mid, low and lowest tom."""
    toms = ["tom1_head", "tom2_head", "tom3_head", "floor_tom_head"]
    mdb, enst = LABEL_MAPS["mdb_subclass"].drum_of, LABEL_MAPS["enst"].drum_of
    assert [mdb[label] for label in ("HIT", "MHT", "HFT", "LFT")] == toms
    assert [enst[label] for label in ("mt", "lmt", "lt", "lft")] == toms
    assert [enst[label] for label in ("mtr", "ltr")] == ["tom1_rim", "tom3_rim"]
    cymbals = {"CRC": "crash1", "SPC": "crash1_edge", "CHC": "crash2_edge", "RDC": "ride", "RDB": "ride_bell"}
    assert {label: mdb[label] for label in cymbals} == cymbals
    hats = {"CHH": "hihat_closed", "OHH": "hihat_open", "PHH": "hihat_pedal"}
    assert {label: mdb[label] for label in hats} == hats
    snares = {"SD", "SDB", "SDD", "SDF", "SDG", "SDNS"}  # plain, brush, drag, flam, ghost note, no snares
    assert {mdb[label] for label in snares} == {"snare_head"}
    others = {"KD", "SST", "HIT", "MHT", "HFT", "LFT", "TMB", "OT"}
    assert set(mdb) == snares | set(cymbals) | {"CHH", "OHH", "PHH"} | others
    for stem, drum in {"c": "crash1", "cr": "crash1", "ch": "crash2_edge", "spl": "crash1_edge"}.items():
        assert {enst[stem], *(enst[f"{stem}{number}"] for number in range(1, 6))} == {drum}
    assert {enst["rc"], *(enst[f"rc{number}"] for number in range(1, 6))} == {"ride"}


def test_each_label_of_a_coarse_scheme_is_reachable() -> None:
    """IDMT-SMT and MDB's class files name one class for each label of the scheme they judge."""
    for name in ("idmt_smt", "mdb_class", "rbma13"):
        label_map = LABEL_MAPS[name]
        scheme = SCHEMES[label_map.finest]
        drums = {drum for drum in label_map.drum_of.values() if drum is not None}
        assert {scheme.of_class[CLASS_INDEX[drum]] for drum in drums} >= set(range(len(scheme.labels)))


def test_wrong_maps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"label map x: unknown classes \['gong'\]"):
        LabelMap("x", {"g": "gong"})
    with pytest.raises(ValueError, match=r"label map x: unknown classes \['gong'\]"):
        LabelMap("x", {}, unjudged=frozenset({"gong"}))
    with pytest.raises(ValueError, match="label map x: unknown scheme '7'"):
        LabelMap("x", {}, finest="7")


def test_a_map_of_one_s_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"36": "kick", "boom": "floor_tom_head", "click": None}))
    found = find_label_map(str(path))
    assert found.drum_of == {36: "kick", "boom": "floor_tom_head", "click": None}
    assert (found.name, found.finest, found.unjudged) == ("mine", "26", frozenset())
    path.write_text(json.dumps({"labels": {"x": "kick"}, "finest": "5", "unjudged": ["aux1"]}))
    found = read_label_map(path)
    assert (found.drum_of, found.finest, found.unjudged) == ({"x": "kick"}, "5", frozenset({"aux1"}))
    assert find_label_map("gm") is LABEL_MAPS["gm"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a JSON file"),
        ("[]", "not of the form"),
        ('{"x": "gong"}', "x: 'gong' is not a drum; the drums are kick"),
        ('{"x": 36}', "x: 36 is not a drum"),
        ('{"x": ["kick"]}', "is not a drum"),
        ('{"labels": {}, "finest": "7"}', "unknown scheme '7'"),
        ('{"labels": {}, "finest": 7}', "finest a text"),
        ('{"labels": {}, "unjudged": ["gong"]}', "unknown classes"),
        ('{"labels": {}, "finset": "5"}', "'finset' is not one of labels"),
        (" " * (2**20 + 1), "larger than 1024 KiB"),
    ],
)
def test_a_file_that_is_no_label_map(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        find_label_map(str(path))
    assert str(path) in str(error.value)


def test_an_unknown_map_is_told_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown label map 'nope'; known: gm, .* or a JSON file"):
        find_label_map("nope")
