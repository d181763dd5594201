"""Training under faults: samples that are bad, shards that vanish, a batch of NaN, kills at any moment."""

from __future__ import annotations

import logging
import os
import random
import re
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from data.shards.write import make_shards, shard_paths
from tests.processes import PATIENCE, kill, start, wait
from tests.small_runs import (
    RANKS,
    BeepShards,
    at_step,
    bare,
    curve,
    run_main,
    same_curves,
)
from train import loop
from train.run import Run
from train.state import newest_state
from train.step import REMEDY, StepResult, StopRequest

KILLS = 10


def spoilt(folder: Path, bad: int) -> Path:
    """A hundred samples, of which `bad` are spread over the shards and are not FLAC."""
    make_shards(folder, BeepShards(shards=4, per_shard=25, seconds=0.5))
    chosen = set(random.Random(bad).sample(range(100), bad))
    for shard, path in enumerate(map(Path, shard_paths(folder))):
        parts = path.read_bytes().split(b"fLaC")
        assert len(parts) == 26
        marks = [b"XXXX" if 25 * shard + number in chosen else b"fLaC" for number in range(25)]
        path.write_bytes(parts[0] + b"".join(m + part for m, part in zip(marks, parts[1:], strict=True)))
    return folder


@pytest.mark.parametrize("bad", [1, 20])
def test_a_share_of_bad_samples_is_counted_and_the_loss_falls(
    config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, bad: int
) -> None:
    """1 % and 20 %, over an epoch."""
    shards = spoilt(tmp_path / "shards", bad)
    with caplog.at_level(logging.WARNING):
        assert run_main(bare(config, tmp_path, shards=str(shards), batch=10, steps=10), tmp_path / "run") == 0
    found = curve(tmp_path / "run" / "losses.jsonl")
    assert len(found) == 10 and found[-1]["loss/tokens"] < found[0]["loss/tokens"]
    (summary,) = [message for message in caplog.messages if "could not be used" in message]
    assert re.findall(r"'flac corrupt': (\d+)}", summary) == [str(bad)]


def test_a_shard_that_vanishes_is_missed_and_training_goes_on(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_shards(tmp_path / "shards", BeepShards())
    gone = Path(shard_paths(tmp_path / "shards")[1])
    at_step(monkeypatch, 4, gone.unlink)
    with caplog.at_level(logging.WARNING):
        assert run_main(bare(config, tmp_path, shards=str(gone.parent)), tmp_path / "run") == 0
    assert len(curve(tmp_path / "run" / "losses.jsonl")) == 20
    assert any("shard missing" in message for message in caplog.messages)


def test_a_batch_of_nan_stops_before_the_step_and_the_saved_state_is_good(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short = bare(config, tmp_path, steps=10)
    assert run_main(short, tmp_path / "whole") == 0
    step = loop.training_step

    def poisoned(run: Run, micro_batches: Any, stop: StopRequest) -> StepResult:
        if run.progress.step == 7:
            micro_batches[0].audio[0, 1000] = float("nan")
        return step(run, micro_batches, stop)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "training_step", poisoned)
        assert run_main(short, tmp_path / "cut") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == f"error: the loss is not finite at step 7; {REMEDY}"
    assert newest_state(tmp_path / "cut") == tmp_path / "cut" / "state-5"
    assert run_main(short, tmp_path / "cut") == 0
    same_curves(*(curve(tmp_path / name / "losses.jsonl") for name in ("cut", "whole")))


def run_alone(config: str, output: str) -> int:
    """The command, alone, whatever ran in the process that begins this one."""
    for name in RANKS:
        os.environ.pop(name, None)
    return run_main(Path(config), Path(output))


@pytest.mark.slow  # twelve runs
def test_killed_at_ten_random_moments_gives_the_same_curve(config: Path, tmp_path: Path) -> None:
    """Before the first step, within steps, while a state is written, after the last: wherever it falls."""
    settings = bare(config, tmp_path, steps=60, save_every=3)

    def begin(output: str) -> BaseProcess:
        return start(run_alone, tmp_path / "said", str(settings), str(tmp_path / output))

    assert wait(begin("whole")) == 0, (tmp_path / "said").read_text()
    expected = curve(tmp_path / "whole" / "losses.jsonl")
    rng, losses, moments = random.Random(0), tmp_path / "cut" / "losses.jsonl", []
    for _ in range(KILLS):
        process = begin("cut")
        before = len(curve(losses)) if losses.exists() else 0
        wanted, deadline = before + rng.randrange(-3, 6), time.monotonic() + PATIENCE
        while (len(curve(losses)) if losses.exists() else 0) < wanted and process.is_alive():
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(rng.random() * 0.2)
        kill(process)
        assert wait(process) == -signal.SIGKILL
        moments.append(len(curve(losses)) if losses.exists() else 0)
    assert wait(begin("cut")) == 0, (tmp_path / "said").read_text()
    assert 0 < max(moments) < 60, moments
    same_curves(curve(losses), expected)
    one, other = (load_file(tmp_path / name / "last.safetensors") for name in ("cut", "whole"))
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], atol=1e-3, rtol=1e-3)  # one unit of fp16
    assert not list((tmp_path / "cut").glob("*.tmp"))
