"""States of a run: exact round trips, complete or absent, refused where they do not fit."""

from __future__ import annotations

import errno
import json
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from train import state
from train.optim import Average
from train.state import keep_until, load_state, newest_state, save_state


class SmallEngine:
    """What `train.state` asks of a DeepSpeed engine, around two layers and AdamW."""

    def __init__(self, seed: int = 0, width: int = 8) -> None:
        torch.manual_seed(seed)
        self.module = nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.Linear(width, 2))
        self.optimizer = torch.optim.AdamW(self.module.parameters(), lr=0.01)
        self.device = torch.device("cpu")
        self.average = Average(self.module, 0.9)
        self.step = 0

    def zero_optimization_stage(self) -> int:
        return 0

    def train(self, steps: int) -> SmallEngine:
        for _ in range(steps):
            generator = torch.Generator().manual_seed(self.step)
            loss = self.module(torch.randn(16, 4, generator=generator)).square().sum()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.step += 1
            self.average.update(self.module, self.step)
        return self

    def save(self, folder: Path) -> None:
        save_state(folder, self, self.average.weights, {"step": self.step, "best_f": 0.5}, 0, 1)

    def load(self, path: Path, world: int = 1) -> dict[str, Any]:
        progress = load_state(path, self, self.average.weights, 0, world)
        self.step = progress["step"]
        return progress

    def tensors(self) -> dict[str, Tensor]:
        found = {f"model.{k}": v for k, v in self.module.state_dict().items()}
        found |= {f"average.{k}": v for k, v in self.average.weights.items()}
        for number, values in enumerate(self.optimizer.state.values()):
            found |= {f"optimizer.{number}.{k}": torch.as_tensor(v) for k, v in values.items()}
        return found


def same(first: SmallEngine, second: SmallEngine) -> bool:
    one, other = first.tensors(), second.tensors()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes: what a full disk does to a write, without one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def newest(folder: Path) -> Path:
    found = newest_state(folder)
    assert found is not None
    return found


def test_a_restored_run_goes_on_exactly(tmp_path: Path) -> None:
    SmallEngine().train(5).save(tmp_path)
    resumed = SmallEngine(seed=1)
    assert resumed.load(newest(tmp_path)) == {"step": 5, "best_f": 0.5, "world": 1, "zero_stage": 0}
    assert same(resumed, SmallEngine().train(5))
    assert same(resumed.train(4), SmallEngine().train(9))


def test_only_the_newest_state_stays(tmp_path: Path) -> None:
    engine = SmallEngine()
    assert newest_state(tmp_path) is None
    for steps in (9, 10, 100):
        engine.train(steps - engine.step).save(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [f"state-{steps}"]


def test_newest_is_by_number_and_only_of_what_is_complete(tmp_path: Path) -> None:
    for name in ("state-9", "state-10", "state-11.tmp", "state-x", "state-12"):
        (tmp_path / name).mkdir()
    for name in ("state-9", "state-10", "state-11.tmp", "state-x"):
        (tmp_path / name / "progress.json").write_text("{}")
    assert newest(tmp_path).name == "state-10"


def test_a_half_written_state_is_ignored_and_swept(tmp_path: Path) -> None:
    engine = SmallEngine().train(2)
    engine.save(tmp_path)
    shutil.copytree(tmp_path / "state-2", tmp_path / "state-3.tmp")
    (tmp_path / "state-3.tmp" / "optimizer-0.safetensors").write_bytes(b"cut")
    assert newest(tmp_path).name == "state-2"
    engine.train(1).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["state-3"]
    SmallEngine().load(tmp_path / "state-3")


@pytest.mark.parametrize("full", ["limit", "no space"])
def test_a_full_disk_keeps_the_state_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    engine = SmallEngine().train(3)
    engine.save(tmp_path)
    engine.train(2)

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if full == "limit":
        with files_at_most(200), pytest.raises(OSError, match="state-5.tmp.*safetensors"):
            engine.save(tmp_path)
    else:
        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
            patch.setattr(state, "save_file", no_space)
            engine.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["state-3"]
    assert SmallEngine().load(newest(tmp_path))["step"] == 3
    engine.save(tmp_path)  # there is room again
    assert [path.name for path in tmp_path.iterdir()] == ["state-5"]


def test_a_disk_that_fills_at_the_optimizer_keeps_the_state_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = SmallEngine().train(3)
    engine.save(tmp_path)
    save_file = state.save_file

    def third_fails(tensors: dict[str, Tensor], path: Path) -> None:
        if path.name.startswith("optimizer"):
            raise OSError(errno.ENOSPC, "No space left on device")
        save_file(tensors, path)

    monkeypatch.setattr(state, "save_file", third_fails)
    with pytest.raises(OSError, match="No space left"):
        engine.train(1).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["state-3"]


def test_another_number_of_ranks_is_refused(tmp_path: Path) -> None:
    SmallEngine().train(1).save(tmp_path)
    with pytest.raises(ValueError, match="state-1: .*saved with world 1, this run has 2"):
        SmallEngine().load(newest(tmp_path), world=2)


def test_another_zero_stage_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SmallEngine().train(1).save(tmp_path)
    monkeypatch.setattr(SmallEngine, "zero_optimization_stage", lambda self: 1)
    with pytest.raises(ValueError, match="state-1: .*saved with zero_stage 0, this run has 1"):
        SmallEngine().load(newest(tmp_path))


def test_another_model_is_refused(tmp_path: Path) -> None:
    SmallEngine().train(1).save(tmp_path)
    with pytest.raises(ValueError, match="state-1: not a state of this run"):
        SmallEngine(width=9).load(newest(tmp_path))


@pytest.mark.parametrize(
    "name", ["model.safetensors", "average.safetensors", "optimizer-0.safetensors", "progress.json"]
)
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_state_is_refused_in_one_line(tmp_path: Path, name: str, damage: str) -> None:
    SmallEngine().train(1).save(tmp_path)
    path = newest(tmp_path)
    content = (path / name).read_bytes()
    (path / name).unlink()
    if damage == "cut":
        (path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="state-1: not a state of this run") as caught:
        SmallEngine().load(path)
    assert "\n" not in str(caught.value)


def test_the_average_follows_the_weights() -> None:
    """decay min(0.9, (1 + step) / (10 + step)) of floats; counts are copied."""
    engine = SmallEngine()
    before = {name: value.clone() for name, value in engine.average.weights.items()}
    engine.train(1)
    for name, value in engine.module.state_dict().items():
        expected = value if name.endswith("tracked") else before[name] * (2 / 11) + value * (9 / 11)
        torch.testing.assert_close(engine.average.weights[name], expected)


def lines(*steps: int) -> str:
    return "".join(json.dumps({"step": step, "loss": step / 3}) + "\n" for step in steps)


def test_lines_after_the_restored_step_go(tmp_path: Path) -> None:
    path = tmp_path / "losses.jsonl"
    path.write_text(lines(1, 2, 3, 4, 5, 6) + '{"step": 7, "lo')
    keep_until(path, 4)
    assert path.read_text() == lines(1, 2, 3, 4)
    assert [p.name for p in tmp_path.iterdir()] == ["losses.jsonl"]


def test_lines_of_a_run_that_never_saved_go(tmp_path: Path) -> None:
    path = tmp_path / "losses.jsonl"
    path.write_text(lines(1, 2))
    keep_until(path, 0)
    assert path.read_text() == ""


def test_no_curve_is_no_curve(tmp_path: Path) -> None:
    keep_until(tmp_path / "losses.jsonl", 4)
    assert list(tmp_path.iterdir()) == []
