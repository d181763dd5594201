"""References and estimates in every format, their errors, and the matching of names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eval.inputs.annotations import DEFAULT_VELOCITY, annotation_files, read_annotation, read_folder
from eval.inputs.names import match_names
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi import write_midi

KICK, SNARE = CLASS_INDEX["kick"], CLASS_INDEX["snare_head"]
HITS = (Hit(0.25, KICK, 90), Hit(0.5, SNARE, 40))


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_every_format_gives_the_same_hits(tmp_path: Path) -> None:
    write_midi(HITS, tmp_path / "a.mid")
    written(tmp_path / "b.txt", "# a comment\n0.25 36 90\n\n0.5\t38\t40\n")
    written(tmp_path / "c.csv", "time,drum,velocity,confidence\n0.25,kick,90,1.0\n0.5,snare_head,40,1.0\n")
    written(tmp_path / "d.json", json.dumps([[0.25, "kick", 90], {"time": 0.5, "note": 38, "velocity": 40}]))
    written(tmp_path / "e.json", json.dumps({"hits": [[0.5, "38", 40], [0.25, 36, 90]], "corpus": "x"}))
    sparse = [
        {"time": 0.25, "duration": 0, "value": {"pitch": 36, "velocity": 90}, "confidence": None},
        {"time": 0.5, "duration": 0, "value": {"pitch": 38, "velocity": 40}, "confidence": None},
    ]
    jams = {"annotations": [{"namespace": "beat", "data": []}, {"namespace": "note_midi", "data": sparse}]}
    written(tmp_path / "f.jams", json.dumps(jams))
    read = read_folder(tmp_path, LABEL_MAPS["gm"])
    assert sorted(read) == ["a", "b", "c", "d", "e", "f"]
    for annotation in read.values():
        assert [(h.drum, h.velocity) for h in annotation.hits] == [(KICK, 90), (SNARE, 40)]
        assert [h.time for h in annotation.hits] == pytest.approx([0.25, 0.5], abs=0.001)


def test_jams_written_by_the_jams_library(tmp_path: Path) -> None:
    jams = pytest.importorskip("jams")
    document = jams.JAMS()
    document.file_metadata.duration = 10.0
    drums = jams.Annotation(namespace="tag_open")
    drums.append(time=0.25, duration=0.0, value="KD", confidence=0.75)
    drums.append(time=0.5, duration=0.0, value="OT", confidence=1.0)
    document.annotations.append(drums)
    document.save(str(tmp_path / "a.jams"))
    annotation = read_annotation(tmp_path / "a.jams", LABEL_MAPS["mdb_class"])
    assert annotation.hits == (Hit(0.25, KICK, DEFAULT_VELOCITY, 0.75),)
    assert annotation.excluded == {"OT": 1}


def test_unmapped_and_excluded_labels_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "0 KD\n1 XYZ\n2 XYZ\n3 OT\n4 ride\n")
    annotation = read_annotation(path, LABEL_MAPS["mdb_class"])
    assert annotation.unmapped == {"XYZ": 2} and annotation.excluded == {"OT": 1}
    assert [h.drum for h in annotation.hits] == [KICK, CLASS_INDEX["ride"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.1 KD\nnan SD\n", r"a.txt: row 2: 'nan SD': time 'nan' is not finite"),
        ("-0.1 KD\n", r"a.txt: row 1: '-0.1 KD': time -0.1 is outside 0..30000 s"),
        ("1e9 KD\n", r"a.txt: row 1: '1e9 KD': time 1e\+09 is outside"),
        ("soon KD\n", r"a.txt: row 1: 'soon KD': time 'soon' is not a number"),
        ("\n# x\n1.0\n", r"a.txt: row 3: '1.0': 1 columns"),
        ("1.0 KD 300\n", r"a.txt: row 1: '1.0 KD 300': velocity 300 is outside 1..127"),
        ("1.0 KD 0\n", r"a.txt: row 1: '1.0 KD 0': velocity 0 is outside 1..127"),
        ("1.0 KD 90 1.5\n", r"a.txt: row 1: .* confidence 1.5 is outside 0..1"),
        ("1.0 KD 90 1 7\n", r"a.txt: row 1: .* 5 columns"),
        ("time,loudness\n", r"a.txt: row 1: no drum column"),
    ],
)
def test_text_errors_name_file_row_and_text(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path / "a.txt", text)
    with pytest.raises(ValueError, match=message):
        read_annotation(path, LABEL_MAPS["mdb_class"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "[1, 2", "row 1: not JSON"),
        ("a.json", '{"notes": []}', 'object with "hits"'),
        ("a.json", '[{"time": 1}]', "row 1: .*expected"),
        ("a.json", "[[1]]", "row 1: .*expected an object"),
        ("a.json", '[[NaN, "kick"]]', "row 1: .*not finite"),
        ("a.jams", "{}", "not JAMS"),
        ("a.jams", '{"annotations": [{"namespace": "beat", "data": []}]}', "holds 0 annotations"),
        ("a.jams", '{"annotations": [{"namespace": "onset", "data": 3}]}', '"data" is not a list'),
        ("a.mid", "not midi", "not a MIDI file"),
        ("a.xml", "", "cannot read .xml"),
    ],
)
def test_errors_of_other_formats(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_annotation(written(tmp_path / name, text), LABEL_MAPS["gm"])


def test_binary_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a text file"):
        read_annotation(tmp_path / "a.txt", LABEL_MAPS["gm"])


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a folder"):
        annotation_files(tmp_path / "none")
    with pytest.raises(ValueError, match="no annotation files"):
        annotation_files(tmp_path)
    (tmp_path / "inner").mkdir()
    written(tmp_path / "a.txt", "")
    written(tmp_path / "README.md", "")
    written(tmp_path / ".hidden.txt", "")
    assert list(annotation_files(tmp_path)) == ["a"]
    written(tmp_path / "inner" / "a.json", "[]")
    with pytest.raises(ValueError, match="have the same stem"):
        annotation_files(tmp_path)


def test_names_match_by_stem_or_by_their_own_part() -> None:
    references = ["MusicDelta_Punk_class", "MusicDelta_Rock_class", "MusicDelta_80s_Rock_class"]
    assert match_names(references, ["Punk", "MusicDelta_80s_Rock_Drum"]) == {
        "MusicDelta_Punk_class": "Punk",
        "MusicDelta_80s_Rock_class": "MusicDelta_80s_Rock_Drum",
    }
    assert match_names(["a", "b"], ["b", "a", "c"]) == {"a": "a", "b": "b"}
    assert match_names(["x_one_ref"], ["one"]) == {"x_one_ref": "one"}
    with pytest.raises(ValueError, match="reference x_Punk_y fits several estimates: Punk_1, Punk_2"):
        match_names(["x_Punk_y", "x_Rock_y"], ["Punk_1", "Punk_2"])
    with pytest.raises(ValueError, match="estimate Rock fits several references"):
        match_names(["a_Rock", "b_Rock"], ["Rock"])


@pytest.mark.parametrize(
    "text", ["0,25;36;90\n0,5;38;40\n", "0,25\t36\t90\n0,5\t38\t40\n", "0,25 36 90\n0,5 38 40"]
)
def test_decimal_commas_are_read(tmp_path: Path, text: str) -> None:
    found = read_annotation(written(tmp_path / "a.txt", text), LABEL_MAPS["gm"])
    assert found.hits == HITS


def test_a_decimal_comma_among_commas_is_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "0,25,kick\n")
    with pytest.raises(ValueError, match=r"a\.csv: row 1: .*a decimal comma\? Write 0\.25"):
        read_annotation(path, LABEL_MAPS["gm"])
    three = read_annotation(written(path, "1,36,90\n"), LABEL_MAPS["gm"])
    assert three.hits == (Hit(1.0, KICK, 90),)


def test_a_label_without_end_is_cut(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", f"0.5 {'x' * 1_000_000}\n")
    ((label, count),) = read_annotation(path, LABEL_MAPS["gm"]).unmapped.items()
    assert count == 1 and len(label) < 100 and label.endswith("(1,000,000 characters)")
