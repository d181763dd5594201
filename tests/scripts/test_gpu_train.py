"""The rented machine in miniature: what is packed, stretches that go on, weights that come back in parts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from data.band.notes import load_notes
from data.kits.load import kit_split, load_kit
from mt3drum.model.checkpoint import load_model
from scripts.gpu_train import main
from scripts.rented import pack as packing
from scripts.rented import parts
from tests import ROOT
from tokenizer.hits import Hit
from tokenizer.midi import write_midi

RATE = 44_100


def write_sound(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    drum = np.sin(np.arange(RATE) / 40) + np.random.default_rng(0).uniform(-0.2, 0.2, RATE)
    drum *= np.exp(-np.arange(RATE) / 4000)
    soundfile.write(path, drum / np.abs(drum).max(), RATE)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a kit, notes and loops for training, and as much that stays at home."""
    root = tmp_path / "data"
    for kit in ("ours", "theirs", "large"):
        write_sound(root / "kits" / kit / "kick.flac")
        samples = [{"file": "kick.flac", "articulation": "kick"}]
        (root / "kits" / kit / "kit.json").write_text(json.dumps({"licence": "CC0-1.0", "samples": samples}))
    splits = {"kits": {"train": ["ours", "large"], "validation": [], "test": ["theirs"]}}
    (root / "splits.json").write_text(json.dumps(splits))
    notes, loops = root / "accompaniment" / "freepats-notes", root / "accompaniment" / "sonicpi"
    rows = []
    for name in ("Violin", "Cello", "Helicopter"):
        write_sound(notes / f"{name}.flac")
        rows.append({"file": f"{name}.flac", "instrument": name, "midi_note": 60})
    (notes / "notes.json").write_text(json.dumps(rows))
    for name in ("ambi_piano", "ambi_choir", "bass_drop_c"):
        write_sound(loops / f"{name}.flac")
    for folder in (notes, loops):
        (folder / "SOURCE.txt").write_text("licence: CC0-1.0\n")
    groove = root / "midi" / "groove"
    table = ["id,bpm,midi_filename,audio_filename,split"]
    for split in ("train", "test"):
        write_midi([Hit(0.5, 0, 90)], groove / f"{split}.mid")
        table.append(f"{split},120,{split}.mid,,{split}")
    (groove / "info.csv").write_text("\n".join(table) + "\n")
    return root


def test_a_pack_holds_what_trains_and_nothing_that_tests(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packing, "_code", lambda target: target.mkdir(parents=True))
    out = tmp_path / "gpu"
    assert main(["pack", "--data", str(data), "-o", str(out), "--without", "large"]) == 0
    assert kit_split(out / "data" / "splits.json", "train") == ["ours"]
    found = {
        path.relative_to(out / "data").as_posix() for path in (out / "data").rglob("*") if path.is_file()
    }
    assert found == {
        "splits.json",
        "kits/ours/kit.json",
        "kits/ours/kick.flac",
        "midi/groove/info.csv",
        "midi/groove/train.mid",
        "accompaniment/freepats-notes/notes.json",
        "accompaniment/freepats-notes/SOURCE.txt",
        "accompaniment/freepats-notes/Violin.flac",
        "accompaniment/sonicpi/SOURCE.txt",
        "accompaniment/sonicpi/ambi_piano.flac",
    }
    assert [item.name for item in load_notes(out / "data" / "accompaniment").instruments] == ["violin"]
    small, large = out / "data/kits/ours/kick.flac", data / "kits/ours/kick.flac"
    assert soundfile.info(small).frames == soundfile.info(large).frames
    assert small.stat().st_size < large.stat().st_size / 2
    (stroke,), (before,) = (load_kit(path.parent).samples[0] for path in (small, large))
    assert abs(stroke.onset - before.onset) <= 44 and np.abs(stroke.audio).max() < 32_767

    assert main(["pack", "--data", str(data), "-o", str(out)]) == 1
    assert "gpu is not empty" in capsys.readouterr().err
    assert main(["pack", "--data", str(data), "-o", str(tmp_path / "b"), "--limit", "0.001"]) == 1
    assert "more than 0.0 MiB. Leave out" in capsys.readouterr().err
    assert main(["pack", "--data", str(data), "-o", str(tmp_path / "d"), "--without", "theirs"]) == 1
    assert "--without theirs: no such kit" in capsys.readouterr().err
    (tmp_path / "wheels").mkdir()
    assert main(["pack", "-o", str(tmp_path / "c"), "--wheels", str(tmp_path / "wheels")]) == 1
    assert "no wheels; `pip download" in capsys.readouterr().err


def test_parts_make_the_file_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = tmp_path / "best.safetensors"
    weights.write_bytes(np.random.default_rng(0).bytes(1000))
    assert parts.split(weights, tmp_path / "a", 0, 3, 250) == 4
    assert sorted(path.stat().st_size for path in (tmp_path / "a").iterdir()) == [250, 250, 250]
    weights.write_bytes(weights.read_bytes()[::-1])
    assert parts.split(weights, tmp_path / "a", 0, 3, 250) == 4 and len(list((tmp_path / "a").iterdir())) == 3
    join = ["join", str(tmp_path), "-o", str(tmp_path / "whole")]
    assert main(join) == 1 and "of 4 parts, 3 are missing" in capsys.readouterr().err
    assert parts.split(weights, tmp_path / "b", 3, 3, 250) == 4
    assert main(join) == 0 and (tmp_path / "whole").read_bytes() == weights.read_bytes()
    part = next((tmp_path / "a").iterdir())
    part.write_bytes(bytes(250))
    assert main(join) == 1 and "damaged; fetch them again" in capsys.readouterr().err
    assert main([*join, "--name", "last.safetensors"]) == 1 and "no parts of it" in capsys.readouterr().err


def test_a_stretch_too_short_to_render_goes_on_in_the_next(tmp_path: Path) -> None:
    (tmp_path / "gpu" / "code").mkdir(parents=True)
    arguments = ["stretch", "--pack", str(tmp_path / "gpu"), "--work", str(tmp_path / "work")]
    assert main([*arguments, "-o", str(tmp_path / "out"), "--minutes", "0.01"]) == 3


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="packs the committed code")
def test_pack_two_stretches_join_on_the_cpu(tmp_path: Path) -> None:
    assert main(["pack", "-o", str(tmp_path / "gpu")]) == 0
    command = [sys.executable, str(tmp_path / "gpu/code/scripts/gpu_train.py"), "stretch"]
    command += [
        "--pack",
        str(tmp_path / "gpu"),
        "--work",
        str(tmp_path / "work"),
        "-o",
        str(tmp_path / "out"),
    ]
    command += ["--clips", "4", "--validation-clips", "1", "--minutes", "30"]
    steps = 80
    small = {
        "preset": "tiny",
        "batch": 2,
        "workers": 0,
        "warmup_steps": 1,
        "validate_every": 20,
        "save_every": 2,
    }
    command += [f"--set={name}={value}" for name, value in (small | {"steps": steps}).items()]
    first = subprocess.Popen(command, cwd=tmp_path)
    training = _wait_for(
        lambda: list((tmp_path / "work" / "run").glob("state-*")) and _training_under(first.pid)
    )
    os.kill(training[0], signal.SIGTERM)  # as the stretch does when its minutes are over
    assert first.wait(300) == 0
    lines = (tmp_path / "out" / "losses.jsonl").read_text().splitlines()
    assert 2 <= len(lines) < steps
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    lines = (tmp_path / "out" / "losses.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, steps + 1))  # the second went on
    for path in (tmp_path / "out").glob("best.safetensors.part-*"):
        assert path.stat().st_size <= parts.PART_BYTES
    assert main(["join", str(tmp_path / "out"), "-o", str(tmp_path / "weights")]) == 0
    assert 1 <= load_model(tmp_path / "weights")[1]["training"]["step"] <= steps


def _wait_for(found: Callable[[], Any], seconds: float = 600.0) -> Any:
    end = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return result


def _training_under(pid: int) -> list[int]:
    """Process ids of train/main.py among the children of a process."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in children if b"train/main.py" in Path(f"/proc/{one}/cmdline").read_bytes()]
