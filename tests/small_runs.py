"""Small training data and settings that several tests share: beeps in real shards, and a run over them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import train.loop
from data.clips.clip import Clip
from data.shards.write import make_shards
from mt3drum.config import SAMPLE_RATE
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from train.main import main
from train.run import Run
from train.step import StepResult, StopRequest

DRUMS = ("kick", "snare_head", "hihat_closed")


def beep(drum: str, rng: np.random.Generator) -> np.ndarray:
    """50 ms of a sound that is easy to tell: a low tone, noise, or the upper half of noise."""
    time = np.arange(round(0.05 * SAMPLE_RATE)) / SAMPLE_RATE
    noise = rng.uniform(-1, 1, len(time))
    wave = {
        "kick": np.sin(2 * np.pi * 80 * time),
        "snare_head": noise,
        "hihat_closed": np.diff(noise, append=0),
    }
    return wave[drum] * np.exp(-time * 60)


def beeps(seconds: float, rng: np.random.Generator) -> tuple[np.ndarray, tuple[Hit, ...]]:
    """Eight beeps a second on a jittered grid: audio [seconds * 44100] and its hits."""
    audio = np.zeros(round(seconds * SAMPLE_RATE) + SAMPLE_RATE)
    hits = []
    for number in range(int(seconds * 8)):
        time, drum = number / 8 + rng.uniform(0, 0.05), DRUMS[rng.integers(3)]
        start, velocity = round(time * SAMPLE_RATE), int(rng.integers(20, 128))
        sound = beep(drum, rng)
        audio[start : start + len(sound)] += sound * velocity / 127 * 0.5
        hits.append(Hit(time, CLASS_INDEX[drum], velocity))
    return audio[: round(seconds * SAMPLE_RATE)].astype(np.float32), tuple(hits)


@dataclass(frozen=True)
class BeepShards:
    """Shards of beeps (a `data.shards.write.Maker`)."""

    split: str = "train"
    shards: int = 4
    per_shard: int = 3
    seconds: float = 6.0
    seed: int = 0

    def sizes(self) -> list[int]:
        return [self.per_shard] * self.shards

    def clips(self, shard: int) -> Iterator[Clip]:
        for number in range(self.per_shard):
            audio, hits = beeps(self.seconds, np.random.default_rng([self.seed, shard, number]))
            yield Clip(
                audio,
                None,
                hits,
                corpus="beeps",
                performance=f"{shard}-{number}",
                kits={"beeps": "CC0"},
                licence="CC0",
                split=self.split,
                seconds=self.seconds,
                bpm=120.0,
                unmapped={},
            )

    def settings(self) -> dict[str, Any]:
        return {"kind": "beeps", "seed": self.seed, "seconds": self.seconds, "shards": self.shards}

    def sources(self) -> dict[str, Any]:
        return {}


def write_run(folder: Path, **settings: Any) -> Path:
    """Shards and a configuration of a run that takes seconds; returns the path of the YAML file."""
    shards = folder / "shards"
    make_shards(shards, BeepShards())
    values = {
        "shards": str(shards),
        "preset": "tiny",
        "steps": 20,
        "batch": 2,
        "learning_rate": 3e-3,
        "warmup_steps": 4,
        "save_every": 5,
        "bfloat16": False,
        **settings,
    }
    path = folder / "run.yaml"
    path.write_text(json.dumps(values))  # JSON is YAML
    return path


def curve(path: Path) -> list[dict[str, float]]:
    """The whole lines of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


RANKS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in one order, so that runs compare bit by bit; main() leaves nothing in the environment."""
    threads, environment = torch.get_num_threads(), dict(os.environ)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        os.environ.clear()
        os.environ.update(environment)


def run_main(config: Path, output: Path, *more: str) -> int:
    return main(["--config", str(config), "--output", str(output), *more])


def bare(config: Path, folder: Path, **settings: Any) -> Path:
    """The same settings without validation, and others."""
    values = json.loads(config.read_text()) | {"validation": ""} | settings
    path = folder / "bare.yaml"
    path.write_text(json.dumps(values))
    return path


def same_curves(found: list[dict[str, float]], expected: list[dict[str, float]]) -> None:
    assert [line["step"] for line in found] == [line["step"] for line in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert round(value, 6) == pytest.approx(round(other[name], 6), abs=1.1e-6), (one["step"], name)


def at_step(monkeypatch: pytest.MonkeyPatch, number: int, action: Any) -> None:
    """Do something before step `number` (from 0)."""
    step = train.loop.training_step

    def acting(run: Run, micro_batches: Any, stop: StopRequest) -> StepResult:
        if run.progress.step == number:
            action()
        return step(run, micro_batches, stop)

    monkeypatch.setattr(train.loop, "training_step", acting)
