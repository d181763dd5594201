"""The command line: names, failures, exit codes, and how soon it answers."""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mt3drum.batch import inputs
from mt3drum.cli import drum_options, main
from mt3drum.config import PRESETS, SAMPLE_RATE
from mt3drum.model.checkpoint import save_checkpoint
from mt3drum.model.network import DrumModel
from mt3drum.transcriber import Transcriber
from tests import ROOT
from tokenizer.drums import CLASS_INDEX
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi import read_midi


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights whose onset head, alone, finds something in noise."""
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    torch.manual_seed(0)
    model = DrumModel(PRESETS["tiny"])
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    decoding = {"onset_weight": 1.0, "onset_bias": 3.0}
    save_checkpoint(path, model.config, model.state_dict(), decoding, {})
    return path


def song(path: Path, seconds: float = 0.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(0).normal(0, 0.1, int(seconds * SAMPLE_RATE))
    soundfile.write(path, samples, SAMPLE_RATE)
    return path


def run(*args: object, checkpoint: Path) -> int:
    return main.main(["transcribe", *map(str, args), "--checkpoint", str(checkpoint), "--device", "cpu"])


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_help_is_instant() -> None:
    """In CPU seconds, so that a busy machine is no failure."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for args in (["--help"], ["transcribe", "--help"]):
        done = subprocess.run(
            [sys.executable, "-m", "mt3drum", *args], capture_output=True, text=True, check=True
        )
        assert "transcribe" in done.stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2 * 0.3


def test_heavy_imports_wait_for_good_arguments() -> None:
    code = (
        "import sys, mt3drum.cli.main as c; assert c.main(['transcribe', 'x.wav', '--beam', '0']) == 2; "
        "assert not {'torch', 'numpy', 'tqdm'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "error: beam 0 is outside 1..64\n")


def test_script_and_exit_codes(tmp_path: Path, checkpoint: Path) -> None:
    """Once for real: the script of the checkout, one good file and one bad one."""
    good = song(tmp_path / "a song é.wav")
    (bad := tmp_path / "bad.wav").write_text("no sound")
    command = [
        sys.executable,
        str(ROOT / "scripts" / "decode.py"),
        str(good),
        str(bad),
        "-o",
        str(tmp_path / "out"),
    ]
    environment = {**os.environ, "PATH": ""}
    command += ["--checkpoint", str(checkpoint)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{good} -> {tmp_path / 'out' / 'a song é.mid'}: ")
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and lines[0].startswith(f"error: {bad}: not audio that libsndfile reads")
    assert "1 transcribed, 1 failed" in done.stderr and "Traceback" not in done.stderr
    assert tree(tmp_path / "out") == {"a song é.mid"}


def test_formats_agree(tmp_path: Path, checkpoint: Path) -> None:
    path = song(tmp_path / "a.wav", 2)
    assert run(path, "-o", tmp_path / "o", "--format", "csv,midi,json", checkpoint=checkpoint) == 0
    data = json.loads((tmp_path / "o" / "a.json").read_text())
    assert data["source"] == "a.wav" and data["seconds"] == 2.0 and data["hits"]
    with (tmp_path / "o" / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row, hit in zip(rows, data["hits"], strict=True):
        assert (row["drum"], int(row["velocity"])) == (hit["drum"], hit["velocity"])
        assert (float(row["time"]), float(row["confidence"])) == (hit["time"], hit["confidence"])
    midi = read_midi(tmp_path / "o" / "a.mid", LABEL_MAPS["gm"]).hits
    assert [hit.time for hit in midi] == pytest.approx([hit["time"] for hit in data["hits"]], abs=2e-3)


def test_only_and_without(tmp_path: Path, checkpoint: Path) -> None:
    path = song(tmp_path / "a.wav", 3)
    args = (path, "-o", tmp_path, "--format", "json", "--onset-bias", "8")
    assert run(*args, "--only", "tom,kick", "--without", "tom1_rim,tom2_rim", checkpoint=checkpoint) == 0
    found = {hit["drum"] for hit in json.loads((tmp_path / "a.json").read_text())["hits"]}
    assert found and found <= {name for name in CLASS_INDEX if name.startswith(("tom", "floor", "kick"))} - {
        "tom1_rim",
        "tom2_rim",
    }


def test_drum_names() -> None:
    assert drum_options.drum_classes(["ride"]) == {CLASS_INDEX[n] for n in ("ride", "ride_edge", "ride_bell")}
    assert drum_options.drum_classes(["snare_head", "kick"]) == {0, 1}
    with pytest.raises(ValueError, match="'cowbell' is neither a drum nor a family;.* families: kick, snare"):
        drum_options.drum_classes(["cowbell"])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--beam", "0"], "beam 0 is outside"),
        (["--onset-weight", "2"], "onset_weight 2.0 is outside"),
        (["--only", "bells"], "'bells' is neither a drum nor a family"),
        (["--only", "kick", "--without", "kick"], "--only and --without exclude every drum"),
        (["--batch", "0"], "--batch 0 is less than 1"),
    ],
)
def test_wrong_options(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["transcribe", "a.wav", *args]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1


def test_wrong_format(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main.main(["transcribe", "a.wav", "--format", "docx"])
    error = capsys.readouterr().err
    assert "'docx': expected one or more of midi, json" in error and error.count("\n") == 1


def test_no_command_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([]) == 2
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("mt3drum ")


def test_bad_checkpoint_and_device(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = song(tmp_path / "a.wav")
    assert run(path, checkpoint=path) == 1
    assert main.main(["transcribe", str(path), "--checkpoint", str(checkpoint), "--device", "toaster"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert "a.wav: not a readable safetensors file" in first
    assert second == "error: device 'toaster' is not available here; use auto or cpu"


def test_folders_patterns_and_skipping(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "in/a.wav",
        "in/x/a.WAV",
        "in/x/y/b.flac",
        "in/notes.txt",
        "more/c.wav",
        "more/d/c.wav",
        "in/a.mt3drum.wav",
        "more/c.mt3drum.wav",
    ):  # the last two: our own renderings
        song(tmp_path / name) if not name.endswith("txt") else (tmp_path / name).write_text("-")
    out = tmp_path / "out"
    args = (tmp_path / "in", tmp_path / "more" / "**" / "*.wav", "-o", out)
    assert run(*args, checkpoint=checkpoint) == 0
    assert tree(out) == {"a.mid", "x/a.mid", "x/y/b.mid", "c.mid", "d/c.mid"}
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and all(line.endswith("; unsteady: no grid") for line in lines)

    (out / "x" / "a.mid").unlink()
    monkeypatch.setattr("mt3drum.transcriber.BATCH", 1)
    assert run(*args, "--skip-existing", "--quiet", checkpoint=checkpoint) == 0
    assert (out / "x" / "a.mid").exists()
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")
    assert run(*args, "--skip-existing", checkpoint=tmp_path / "not even loaded") == 0
    assert capsys.readouterr().err == "0 transcribed, 0 failed, 5 already there\n"


def test_inputs_that_give_nothing(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    path = song(tmp_path / "a.wav")
    code = run(tmp_path / "empty", tmp_path / "*.mp3", path, "-o", tmp_path, checkpoint=checkpoint)
    assert code == 1 and (tmp_path / "a.mid").exists()
    error = capsys.readouterr().err
    assert "empty: no audio file in this folder" in error and "*.mp3: no file matches" in error
    assert error.endswith("1 transcribed, 2 failed\n")


def test_names_never_collide(tmp_path: Path) -> None:
    for name in ("a/s.wav", "a/s.flac", "b/s.wav", "a/t[1].wav"):
        song(tmp_path / name, 0.01)
    tasks, problems = inputs.plan([str(tmp_path / "a"), str(tmp_path / "a" / "s.wav")], Path("o"))
    assert not problems
    assert {(task.source.name, task.target.as_posix()) for task in tasks} == {
        ("s.wav", "o/s.wav"),
        ("s.flac", "o/s.flac"),
        ("t[1].wav", "o/t[1]"),
    }
    with pytest.raises(ValueError, match="would both be written to o/s.wav"):
        inputs.plan([str(tmp_path / "a" / "s.wav"), str(tmp_path / "b" / "s.wav")], Path("o"))
    (task,), _ = inputs.plan([str(tmp_path / "a" / "t[1].wav")], Path("o"))
    assert task.target == Path("o/t[1]")
    assert [t.target for t in inputs.plan([str(tmp_path)], Path("o"))[0]] == [
        Path("o/a/s.flac"),
        Path("o/a/s.wav"),
        Path("o/a/t[1]"),
        Path("o/b/s"),
    ]


def test_a_result_that_cannot_be_written(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = song(tmp_path / "a.wav"), song(tmp_path / "b.wav")
    (tmp_path / "o" / "a.mid").mkdir(parents=True)  # a folder stands where the file should
    assert run(first, second, "-o", tmp_path / "o", checkpoint=checkpoint) == 1
    error = capsys.readouterr().err
    assert f"error: {first}: cannot write the result" in error and "1 transcribed, 1 failed" in error
    assert tree(tmp_path / "o") == {"b.mid"}


def test_interrupted(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Transcriber, "transcribe_files", stop)
    assert run(song(tmp_path / "a.wav"), checkpoint=checkpoint) == 130
    assert "interrupted" in capsys.readouterr().err


def test_strange_names_stay_on_one_line(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "line\nbreak \x1b[31m 鼓 .wav"
    song(path)
    os.rename(song(tmp_path / "plain.wav"), raw := os.fsencode(tmp_path) + b"/not-utf8-\xff.wav")
    assert run(path, os.fsdecode(raw), "-o", tmp_path / "o", checkpoint=checkpoint) == 0
    assert len(list((tmp_path / "o").iterdir())) == 2
    assert len(capsys.readouterr().out.splitlines()) == 2
