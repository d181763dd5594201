"""The real main(): what a run leaves, and that killed and resumed runs equal uninterrupted ones.

Runs are of the preset `tiny` on beeps, mostly in this process; killed ones and the launcher's in others.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import train.loop
from data.shards.write import make_shards
from mt3drum.model.checkpoint import read_header
from tests import ROOT
from tests.small_runs import (
    RANKS,
    BeepShards,
    at_step,
    bare,
    curve,
    run_main,
    same_curves,
    write_run,
)
from train import state
from train.state import newest_state

STEPS = 20
PATIENCE = 900.0  # seconds until a process counts as hanging, on a busy machine
# Writes: model, average and optimizer of the states of steps 5, 10, 15; the ninth is the optimizer of 15.
KILL = "write:9"
SLOW_KILLS = ["step:3", "step:13", "write:1", "write:8", "write:12"]  # an interpreter each


def process_environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in RANKS}
    return kept | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | more


def same_checkpoints(found: Path, expected: Path) -> None:
    """The shipped, averaged weights."""
    one, other = load_file(found), load_file(expected)
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], atol=1e-3, rtol=1e-3)  # one unit of fp16


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 steps, validated at 10 and 20 on two seconds."""
    folder = tmp_path_factory.mktemp("data")
    make_shards(folder / "validation", BeepShards("validation", shards=1, per_shard=1, seconds=2.0, seed=1))
    return write_run(folder, validation=str(folder / "validation"), validate_every=10)


@pytest.fixture(scope="module")
def reference(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The uninterrupted run."""
    output = tmp_path_factory.mktemp("reference") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.loop, "LOG_EVERY", 5)
        assert run_main(config, output) == 0
    return output


def test_quick_test_passes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "train/main.py", "--quick-test", "--output", str(tmp_path)],
        cwd=ROOT,
        env=process_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "quick test: token loss" in done.stderr and ": ok" in done.stderr


def test_a_run_leaves_what_it_should(reference: Path) -> None:
    names = {path.name for path in reference.iterdir()}
    assert names == {
        "best.safetensors",
        "last.safetensors",
        "losses.jsonl",
        "validations.jsonl",
        "state-20",
        "tensorboard",
    }
    found = curve(reference / "losses.jsonl")
    assert [line["step"] for line in found] == list(range(1, STEPS + 1))
    assert found[-1]["loss/tokens"] < found[0]["loss/tokens"]
    assert found[3]["optimizer/learning_rate"] == pytest.approx(3e-3)  # the warm-up's end
    record = read_header(reference / "last.safetensors")["training"]
    assert record["step"] == STEPS and record["world"] == 1
    assert record["config"]["preset"] == "tiny"
    assert record["data"]["hits"]["kick"] > 0
    validations = curve(reference / "validations.jsonl")
    assert [line["step"] for line in validations] == [10, 20]
    assert all(0 <= line["f_measure"] <= 1 for line in validations)


def test_a_run_from_other_weights_remembers_where_they_came_from(reference: Path, tmp_path: Path) -> None:
    first = reference / "last.safetensors"
    path = write_run(tmp_path, initial=str(first), steps=1, warmup_steps=0)
    assert run_main(path, tmp_path / "second") == 0
    record = read_header(tmp_path / "second" / "last.safetensors")["training"]
    assert record["initial"] == read_header(first)["training"]
    assert record["step"] == 1


def test_tensorboard_shows_losses_scores_pictures_and_sound(reference: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(reference / "tensorboard"), size_guidance={"images": 0, "audio": 0})
    events.Reload()
    tags = events.Tags()
    kinds = {f"loss/{kind}" for kind in ("time", "drum", "velocity", "end", "tokens", "onsets")}
    others = {"optimizer/learning_rate", "optimizer/gradient_norm", "throughput/segments_per_second"}
    scores = {"validation/mean_f", "validation/rendered"}
    scores |= {f"validation/rendered/{label}" for label in ("KD", "SD", "TT", "HH", "CY")}
    assert set(tags["scalars"]) == kinds | others | scores | {"throughput/bad_samples"}
    assert [event.step for event in events.Scalars("loss/time")] == [5, 10, 15, 20]
    assert [event.step for event in events.Images("example/spectrogram_and_hits")] == [10, 20]
    picture = events.Images("example/spectrogram_and_hits")[0]
    assert picture.width == 400  # a column every 10 ms
    sound = events.Audio("example/audio")[0]
    assert sound.sample_rate == 44_100 and sound.length_frames == 4 * 44_100


@pytest.mark.parametrize("moment", [KILL, *(pytest.param(k, marks=pytest.mark.slow) for k in SLOW_KILLS)])
def test_killed_and_resumed_equals_uninterrupted(
    config: Path, reference: Path, tmp_path: Path, moment: str
) -> None:
    command = [
        sys.executable,
        str(ROOT / "tests" / "programs" / "killed_run.py"),
        "--config",
        str(config),
        "--output",
        str(tmp_path),
    ]
    killed = subprocess.run(
        command, env=process_environment(KILL_AT=moment), capture_output=True, text=True, timeout=PATIENCE
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    if moment == KILL:
        assert [line["step"] for line in curve(tmp_path / "losses.jsonl")] == list(range(1, 16))
        assert (tmp_path / "state-15.tmp").is_dir()
        assert newest_state(tmp_path) == tmp_path / "state-10"
    assert run_main(config, tmp_path) == 0
    same_curves(curve(tmp_path / "losses.jsonl"), curve(reference / "losses.jsonl"))
    assert curve(tmp_path / "validations.jsonl") == curve(reference / "validations.jsonl")
    same_checkpoints(tmp_path / "last.safetensors", reference / "last.safetensors")
    assert newest_state(tmp_path) == tmp_path / "state-20"
    assert not list(tmp_path.glob("*.tmp"))


def launch(
    config: Path, output: Path, kill_at: str = "never:0", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Two ranks by the deepspeed launcher; rank 1 is the one that may be killed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    launcher = str(Path(sys.executable).with_name("deepspeed"))
    command = [
        launcher,
        "--master_port",
        port,
        "--num_accelerators",
        "2",
        str(ROOT / "tests" / "programs" / "killed_run.py"),
    ]
    return subprocess.run(
        [*command, "--config", str(config), "--output", str(output)],
        env=process_environment(KILL_AT=kill_at, KILL_RANK="1", DS_ACCELERATOR="cpu", **environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_two_ranks_killed_and_resumed_repeat_the_same_steps(config: Path, tmp_path: Path) -> None:
    """The killed run went on to step 14 by itself; the resumed one does steps 11 to 14 again."""
    short = bare(config, tmp_path, steps=15)
    output = tmp_path / "run"
    assert launch(short, output, "step:14").returncode != 0
    before = curve(output / "losses.jsonl")
    assert before[12]["step"] == 13 and newest_state(output) == output / "state-10"
    done = launch(short, output)
    assert done.returncode == 0, done.stderr
    after = curve(output / "losses.jsonl")
    assert [line["step"] for line in after] == list(range(1, 16))
    same_curves(after[:13], before[:13])
    assert read_header(output / "last.safetensors")["training"]["world"] == 2


@pytest.mark.slow  # three runs of two processes
def test_two_ranks_killed_and_resumed_equal_uninterrupted(config: Path, tmp_path: Path) -> None:
    assert launch(config, tmp_path / "whole").returncode == 0
    assert launch(config, tmp_path / "cut", "step:13").returncode != 0
    assert launch(config, tmp_path / "cut").returncode == 0
    same_curves(curve(tmp_path / "cut" / "losses.jsonl"), curve(tmp_path / "whole" / "losses.jsonl"))
    same_checkpoints(tmp_path / "cut" / "last.safetensors", tmp_path / "whole" / "last.safetensors")


@pytest.mark.slow  # three processes
def test_two_ranks_equal_one_of_twice_the_batch(config: Path, tmp_path: Path) -> None:
    """The same samples make the same sums; only batch statistics, frozen here, are those of a rank."""
    two = bare(config, tmp_path, steps=6, spec_augment=0.0)
    assert launch(two, tmp_path / "two", FREEZE="1").returncode == 0
    one = bare(config, tmp_path, steps=6, spec_augment=0.0, batch=4)
    command = [
        sys.executable,
        str(ROOT / "tests" / "programs" / "killed_run.py"),
        "--config",
        str(one),
        "--output",
        str(tmp_path / "one"),
    ]
    subprocess.run(command, env=process_environment(FREEZE="1"), check=True, timeout=PATIENCE)
    found, expected = (curve(tmp_path / name / "losses.jsonl") for name in ("two", "one"))
    for line, other in zip(found, expected, strict=True):
        assert line == pytest.approx(other, abs=1e-5, rel=1e-4)


def test_sigterm_saves_and_stops(
    config: Path, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        at_step(patch, 7, lambda: signal.raise_signal(signal.SIGTERM))
        assert run_main(config, tmp_path) == 0
    assert signal.getsignal(signal.SIGTERM) == before
    assert newest_state(tmp_path) == tmp_path / "state-8"
    assert read_header(tmp_path / "last.safetensors")["training"]["step"] == 8
    assert run_main(config, tmp_path) == 0
    same_curves(curve(tmp_path / "losses.jsonl"), curve(reference / "losses.jsonl"))


def test_a_full_disk_keeps_the_state_before_and_training_goes_on(
    config: Path,
    reference: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    save_file = state.save_file

    def no_space(tensors: Any, path: Path) -> None:
        if "state-10" not in str(path) and "state-5" not in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        save_file(tensors, path)

    with monkeypatch.context() as patch:
        patch.setattr(state, "save_file", no_space)
        assert run_main(config, tmp_path) == 1
    assert "could not save a state: [Errno 28] No space left on device; the one before is kept" in caplog.text
    assert capsys.readouterr().err.splitlines()[-1].endswith("make room and run again")
    assert newest_state(tmp_path) == tmp_path / "state-10"
    assert len(curve(tmp_path / "losses.jsonl")) == STEPS
    assert run_main(config, tmp_path) == 0
    same_curves(curve(tmp_path / "losses.jsonl"), curve(reference / "losses.jsonl"))


def test_a_state_of_two_ranks_is_refused_by_one(
    config: Path, reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "state-20"
    saved.mkdir()
    for path in (reference / "state-20").iterdir():
        (saved / path.name).write_bytes(path.read_bytes())
    progress = json.loads((saved / "progress.json").read_text())
    (saved / "progress.json").write_text(json.dumps(progress | {"world": 2}))
    assert run_main(config, tmp_path) == 1
    assert "saved with world 2, this run has 1" in capsys.readouterr().err
