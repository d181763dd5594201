"""The benchmark's real main(): folders, a corpus, recordings, a checkpoint of a few weights."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from scripts.benchmark import main
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from tokenizer.midi import write_midi

RATE = 22050


def beat(offset: float = 0.0) -> list[Hit]:
    """Two bars: kick and snare in turn, hi-hats between, velocities that vary."""
    return [
        Hit(0.25 * (i + 1) + offset, CLASS_INDEX[name], 40 + 5 * i)
        for i, name in enumerate(["kick", "hihat_closed", "snare_head", "hihat_open"] * 4)
    ]


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """References of songs one and two in MDB's way, two systems (one lacks song two), and recordings."""
    for song, offset in (("one", 0.0), ("two", 0.1)):
        path = tmp_path / "refs" / f"Demo_{song}_class.txt"
        path.parent.mkdir(exist_ok=True)
        labels = {"kick": "KD", "snare_head": "SD", "hihat_closed": "HH", "hihat_open": "HH"}
        names = {index: name for name, index in CLASS_INDEX.items()}
        rows = [f"{h.time:.3f} \t {labels[names[h.drum]]} \n" for h in beat(offset)]
        path.write_text("".join(rows) + "9.000 \t OT\n9.500 \t XX\n")
        write_midi(beat(offset + 0.004), tmp_path / "good" / f"{song}.mid")
        noise = np.random.default_rng(0).normal(0, 0.05, 6 * RATE).astype("float32")
        (tmp_path / "audio").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "audio" / f"Demo_{song}_mix.flac", noise, RATE)
    drums = ["ride", "kick", "kick", "kick"]
    rows = [f"{h.time:.3f},{drums[i % 4]},{h.velocity},0.{i % 9 + 1}\n" for i, h in enumerate(beat(-0.25))]
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "one.csv").write_text("".join(rows) + "1.5,whistle\n")
    return tmp_path


def test_report_of_two_systems(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "--reference",
        f"{folders}/refs",
        "--reference-map",
        "mdb_class",
        "--estimate",
        f"{folders}/good",
    ]
    arguments += [
        "--estimate",
        f"poor={folders}/bad",
        "--audio",
        f"{folders}/audio",
        "--output",
        f"{folders}/out",
    ]
    (folders / "styles.json").write_text(json.dumps({"Demo_one_class": "funk"}))
    arguments += ["--groups", str(folders / "styles.json")]
    assert main([*arguments, "--bootstrap", "100", "--windows", "10,50"]) == 0
    printed = capsys.readouterr().out
    assert "XX x 2" in printed and "OT x 2" in printed and "whistle x 1" in printed
    assert "no estimate: scored as empty" in printed
    report = json.loads((folders / "out" / "report.json").read_text())
    good, poor = report["systems"]["good"], report["systems"]["poor"]
    assert good["headline"]["micro"]["f"] == 1.0
    assert good["timing"]["quantiles"]["0.5"] == pytest.approx(0.004, abs=0.001)
    assert poor["headline"]["tracks"]["Demo_two_class"]["recall"] == 0.0
    assert poor["precision_recall"] is not None and good["precision_recall"] is None
    assert poor["precision_recall_by_class"] and not good["precision_recall_by_class"]
    page = (folders / "out" / "report.html").read_text()
    assert all(f"{label}, AP " in page for label in poor["precision_recall_by_class"])
    assert report["groups"] == {"Demo_one_class": "funk"}
    by_group = [
        line for line in (folders / "out" / "report.md").read_text().splitlines() if "| good | 1 |" in line
    ]
    one, two = (good["headline"]["tracks"][f"Demo_{song}_class"] for song in ("one", "two"))
    assert any(line.startswith("| funk | good | 1 |") and f"{one['f']:.3f}" in line for line in by_group)
    assert any(line.startswith("| other | good | 1 |") and f"{two['f']:.3f}" in line for line in by_group)
    assert {(row["scheme"], row["window"]) for row in good["table"]} == {
        (scheme, window) for scheme in ("5", "3") for window in (0.01, 0.05)
    }
    assert report["settings"]["unjudged"] == ["aux1", "aux2", "snare_cross_stick"]
    assert report["comparisons"][0]["verdict"] == "good is better"
    rows = list(csv.DictReader((folders / "out" / "report.csv").open()))
    micro = [row for row in rows if (row["system"], row["level"], row["scheme"]) == ("good", "micro", "5")]
    assert {row["f"] for row in micro} == {"1.0"}
    markdown = (folders / "out" / "report.md").read_text()
    assert "| good | 2 | 32 | 32 | 1.000 |" in markdown
    assert "\\toprule" in (folders / "out" / "report.tex").read_text()
    assert not list((folders / "out").glob(".*"))


def test_html_needs_nothing_beside_it(folders: Path) -> None:
    arguments = [
        "--reference",
        f"{folders}/refs",
        "--reference-map",
        "mdb_class",
        "--estimate",
        f"{folders}/bad",
    ]
    arguments += ["--audio", f"{folders}/audio", "--output", f"{folders}/out", "--formats", "html"]
    assert main([*arguments, "--bootstrap", "50"]) == 0
    assert [path.name for path in (folders / "out").iterdir()] == ["report.html"]
    page = (folders / "out" / "report.html").read_text()
    sources = re.findall(r'(?:src|href|xlink:href)="([^"]{1,20})', page)
    assert sources and all(source.startswith(("data:", "#")) for source in sources)
    assert "data:image/png" in page and "data:audio/mpeg" in page and 'class="moment"' in page
    assert page.index("Demo_two_class <span") < page.index("Demo_one_class <span"), "worst track first"
    first = page
    assert main([*arguments, "--bootstrap", "50"]) == 0
    assert (folders / "out" / "report.html").read_text() == first


def test_velocity_and_26_classes(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_midi(beat(), folders / "midi" / "one.mid", notes="td17")
    arguments = ["--reference", f"{folders}/midi", "--reference-map", "td17", "--scheme", "26"]
    assert main([*arguments, "--estimate", f"{folders}/midi", "--estimate-map", "td17"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if re.match(r"midi +1 ", line))
    assert row.split()[1:] == ["1", "16", "16", "1.000", "-", *["1.000"] * 6, "+0.0"]


def test_corpus_and_drumless(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mdb = folders / "mdb"
    (mdb / "annotations" / "class").mkdir(parents=True)
    (mdb / "audio" / "full_mix").mkdir(parents=True)
    for song in ("one", "two"):
        text = (folders / "refs" / f"Demo_{song}_class.txt").read_text()
        (mdb / "annotations" / "class" / f"Demo_{song}_class.txt").write_text(text)
    soundfile.write(mdb / "audio" / "full_mix" / "Demo_two_MIX.flac", np.zeros(6 * RATE), RATE)
    (folders / "quiet").mkdir()
    soundfile.write(folders / "quiet" / "rain.wav", np.zeros(30 * RATE), RATE)
    write_midi([Hit(1.0, 0, 90)], folders / "good" / "rain.mid")
    arguments = [
        "--corpus",
        "mdb",
        str(mdb),
        "--corpus-option",
        "mix=full_mix",
        "--drumless",
        f"{folders}/quiet",
    ]
    arguments += ["--estimate", f"{folders}/good", "--output", f"{folders}/out", "--formats", "json"]
    assert main(arguments) == 0
    assert "stray estimate" in capsys.readouterr().out
    report = json.loads((folders / "out" / "report.json").read_text())["systems"]["good"]
    assert list(report["headline"]["tracks"]) == ["Demo_two"]
    assert report["headline"]["micro"]["f"] == 1.0, "the drumless recording is scored apart"
    assert report["false_alarms"]["per_minute"] == 2.0


def test_drumless_recordings_need_no_references(folders: Path) -> None:
    (folders / "quiet").mkdir()
    for name in ("rain", "cello"):
        soundfile.write(folders / "quiet" / f"{name}.wav", np.zeros(30 * RATE), RATE)
    write_midi([Hit(1.0, 0, 90), Hit(2.0, 0, 90), Hit(3.0, 1, 90)], folders / "theirs" / "cello.mid")
    arguments = ["--drumless", f"{folders}/quiet", "--estimate", f"{folders}/theirs", "--output"]
    assert main([*arguments, f"{folders}/out", "--formats", "json,md"]) == 0
    alarms = json.loads((folders / "out" / "report.json").read_text())["systems"]["theirs"]["false_alarms"]
    assert alarms["tracks"] == 2 and alarms["minutes"] == pytest.approx(1.0)
    assert alarms["per_minute"] == pytest.approx(3.0) and alarms["by_label"] == {"KD": 2, "SD": 1}
    assert alarms["by_track"] == {"cello": 3, "rain": 0}
    shown = (folders / "out" / "report.md").read_text()
    assert "| theirs | 2 | 1.00 | 3 | 3.000 | KD 2, SD 1 | cello 3 |" in shown


def test_labels_that_the_references_hold_are_scored_alone(folders: Path) -> None:
    """References of kicks and hats: the estimate's snares are neither right nor wrong."""
    (folders / "partial").mkdir()
    rows = [f"{h.time:.3f} {'KD' if h.drum == 0 else 'HH'}\n" for h in beat() if h.drum != 1]
    (folders / "partial" / "one.txt").write_text("".join(rows))
    arguments = ["--reference", f"{folders}/partial", "--reference-map", "mdb_class"]
    arguments += ["--estimate", f"{folders}/good", "--output", f"{folders}/out", "--formats", "json"]
    precision = {}
    for labels in ([], ["--labels", "KD,HH"]):
        assert main([*arguments, *labels]) == 0
        report = json.loads((folders / "out" / "report.json").read_text())
        precision[bool(labels)] = report["systems"]["good"]["headline"]["micro"]["precision"]
    assert precision == {False: 12 / 16, True: 1.0}


def test_checkpoint_is_decoded_first(folders: Path) -> None:
    from mt3drum.config import PRESETS
    from mt3drum.model.checkpoint import save_checkpoint
    from mt3drum.model.network import DrumModel

    config = PRESETS["tiny"]
    save_checkpoint(folders / "random.safetensors", config, DrumModel(config).state_dict(), {}, {})
    (folders / "audio" / "Demo_one_mix.flac").write_bytes(b"not audio")
    arguments = [
        "--reference",
        f"{folders}/refs",
        "--reference-map",
        "mdb_class",
        "--audio",
        f"{folders}/audio",
    ]
    arguments += ["--checkpoint", f"net={folders}/random.safetensors", "--decode", "max_tokens=8"]
    assert main([*arguments, "--output", f"{folders}/out", "--formats", "json"]) == 0
    report = json.loads((folders / "out" / "report.json").read_text())
    found = {(f["kind"], f["track"]) for f in report["systems"]["net"]["lint"]}
    assert ("missing estimate", "Demo_one_class") in found
    assert report["settings"]["seam_period"] == 3.0
    kept = folders / "out" / "estimates" / "net"
    assert [path.name for path in kept.iterdir()] == ["Demo_two_class.json"]
    again = ["--reference", f"{folders}/refs", "--reference-map", "mdb_class", "--estimate", str(kept)]
    assert main([*again, "--output", f"{folders}/again", "--formats", "json"]) == 0
    rescored = json.loads((folders / "again" / "report.json").read_text())
    assert rescored["systems"]["net"]["headline"] == report["systems"]["net"]["headline"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reference", "none", "--estimate", "good"], "none: not a folder"),
        (["--reference", "refs", "--reference-map", "xyz", "--estimate", "good"], "unknown label map 'xyz'"),
        (
            ["--reference", "refs", "--reference-map", "mdb_class", "--estimate", "good", "--scheme", "8"],
            "--scheme 8: mdb_class labels can judge 5, 3 classes",
        ),
        (
            ["--reference", "refs", "--reference-map", "mdb_class", "--estimate", "good", "--scheme", "9"],
            "unknown scheme '9'",
        ),
        (["--reference", "refs", "--estimate", "good", "--estimate", "good"], "two systems are called good"),
        (["--reference", "refs", "--estimate", "good", "--tracks", "zz*"], "no track fits"),
        (["--reference", "refs", "--estimate", "good", "--windows", "wide"], "--windows 'wide'"),
        (["--reference", "refs", "--estimate", "good", "--estimate-map", "x=gm"], "no system called x"),
        (["--reference", "refs"], "no recording of Demo_one_class, Demo_two_class to decode"),
        (
            [
                "--reference",
                "refs",
                "--reference-map",
                "mdb_class",
                "--estimate",
                "good",
                "--labels",
                "KD,XX",
            ],
            "--labels KD,XX: scheme 5 has no XX; known: KD, SD, TT, HH, CY",
        ),
        (["--corpus", "xyz", "refs"], "unknown corpus 'xyz'; known: "),
        (["--corpus", "mdb", "refs", "--corpus-option", "colour=red"], "--corpus mdb: .*colour"),
        (["--corpus", "mdb", "refs", "--corpus-option", "red"], "'red': expected KEY=VALUE"),
    ],
)
def test_errors_are_one_line_and_exit_1(
    folders: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(folders)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert re.search(message, error) and error.count("\n") == 1 and error.startswith("benchmark: ")


def test_references_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(["--estimate", "x"])
    assert (
        error.value.code == 2
        and "--reference DIR, --corpus NAME PATH or --drumless DIR" in capsys.readouterr().err
    )


def test_label_maps_of_one_s_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, label in (("refs", "boom"), ("ours", "36"), ("theirs", "Bass Drum")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_text(f"0.5,{label}\n1.0,{label}\n")
    (tmp_path / "refs.json").write_text('{"boom": "kick"}')
    (tmp_path / "theirs.json").write_text('{"Bass Drum": "kick"}')
    arguments = ["--reference", f"{tmp_path}/refs", "--reference-map", f"{tmp_path}/refs.json"]
    arguments += ["--estimate", f"ours={tmp_path}/ours", "--estimate", f"theirs={tmp_path}/theirs"]
    arguments += ["--output", f"{tmp_path}/out", "--formats", "json", "--bootstrap", "5"]
    assert main([*arguments, "--estimate-map", f"theirs={tmp_path}/theirs.json"]) == 0
    systems = json.loads((tmp_path / "out" / "report.json").read_text())["systems"]
    assert [systems[name]["headline"]["micro"]["f"] for name in ("ours", "theirs")] == [1.0, 1.0]
    capsys.readouterr()
    assert main([*arguments, "--estimate-map", "nope.json"]) == 1
    assert "unknown label map 'nope.json'; known: gm" in capsys.readouterr().err
