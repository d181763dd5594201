"""What scripts/bench.py measures of training, and (as a program of its own) one rank of a run of several.

RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 \\
    python scripts/bench_suite/training.py SHARDS STEPS
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data.augment import AugmentConfig
from data.clips.clip import Palette, RenderConfig
from data.clips.makers import RenderedShards
from data.example import LoaderConfig
from data.kits.synth import synthesise_kit
from data.loader import Batch, make_loader
from data.render.drums import render_drums
from data.shards.write import make_shards, shard_paths
from mt3drum.config import PRESETS
from mt3drum.model.network import DrumModel
from scripts.bench_suite.parts import HITS_PER_SECOND, Row, Setting, a_cpu_second, cpu_seconds, in_turn
from tokenizer.hits import Hit

UNIT = "segments per CPU-s"
BATCH = 16
"""Segments a step, as of the shipped run."""
TIMES, PRODUCT = 10, (3_200, 1_024, 1_024)
"""Of a matrix [m k] and one [k n]: as many rows as a batch has states, wide enough to be fast."""


def shards_of(setting: Setting) -> list[str]:
    """A few shards of synthesised drums, made once."""
    folder = setting.scratch / "shards"
    if not folder.exists():
        config = RenderConfig("train", synthetic=1.0, patterns=1.0, band=0.5, negatives=0.0)
        make_shards(folder, RenderedShards(config, Palette(), 0, 16, per_shard=8))
    return shard_paths(folder)


class PlainEngine:
    """What `train.step` needs of DeepSpeed's engine, in plain torch."""

    def __init__(self, model: DrumModel, clip: float, bfloat16: bool) -> None:
        self.module, self.clip, self.bfloat16 = model, clip, bfloat16
        self.optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)

    def __call__(self, *inputs: torch.Tensor) -> Any:
        with torch.autocast(inputs[0].device.type, torch.bfloat16, enabled=self.bfloat16):
            return self.module(*inputs)

    def zero_optimization_stage(self) -> int:
        return 0

    def bfloat16_enabled(self) -> bool:
        return False

    def backward(self, loss: torch.Tensor) -> None:
        loss.backward()

    def step(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()


def _batches(shards: list[str], augment: AugmentConfig) -> Iterator[Batch]:
    return iter(make_loader(shards, PRESETS["small"].codec, LoaderConfig(BATCH, 0, 0, augment)))


def training(setting: Setting) -> list[Row]:
    """Segments per CPU second, one rank and one thread: reading, mixing and the step, apart and together."""
    from train.config import TrainConfig
    from train.launch import set_up_ranks
    from train.main import make_engine
    from train.run import build_model, start_run
    from train.step import StopRequest, training_step

    torch.set_num_threads(1)
    set_up_ranks()
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    shards = shards_of(setting)
    config = TrainConfig(shards=str(Path(shards[0]).parent), batch=BATCH, workers=0)
    engines = {
        "DeepSpeed, bfloat16": make_engine(config, None),
        "plain torch, bfloat16": PlainEngine(build_model(config), config.clip, True),
        "plain torch, float32": PlainEngine(build_model(config), config.clip, False),
    }
    runs = {name: start_run(config, engine, setting.scratch, 0, 1) for name, engine in engines.items()}
    run = runs["DeepSpeed, bfloat16"]
    fixed, mixed = next(_batches(shards, config.augment)), _batches(shards, config.augment)
    plain = _batches(shards, AugmentConfig.none())

    go_on = StopRequest()

    def rendered_step() -> None:
        _render(BATCH)
        training_step(run, [fixed], go_on)

    work: dict[str, Callable[[], object]] = {
        f"step alone, {name}": partial(training_step, one, [fixed], go_on) for name, one in runs.items()
    }
    work |= {
        "step with reading and augmentation": lambda: training_step(run, [next(mixed)], go_on),
        "step with reading alone": lambda: training_step(run, [next(plain)], go_on),
        "reading and augmentation alone": lambda: next(mixed),
        "reading alone": lambda: next(plain),
        "rendering anew (drums of one kit, no band)": partial(_render, BATCH),
        "step with rendering anew": rendered_step,
    }
    for each in work.values():
        each()  # warms up
    speeds = {name: partial(a_cpu_second, BATCH, one) for name, one in work.items()}
    return in_turn(speeds, setting.repeats(3, 15), UNIT)


def training_share(setting: Setting) -> list[Row]:
    """Multiply-adds of the step, forward and backward (torch counts those of products, convolutions and
    attention), and how many a CPU second it does beside one large product on this core."""
    from torch.utils.flop_counter import FlopCounterMode

    from train.config import TrainConfig
    from train.run import build_model, start_run
    from train.step import StopRequest, training_step

    torch.set_num_threads(1)
    shards = shards_of(setting)
    config = TrainConfig(shards=str(Path(shards[0]).parent), batch=BATCH, workers=0)
    fixed, rows = next(_batches(shards, config.augment)), list[Row]()
    for kind, unit in ((torch.bfloat16, "G/CPU-s in bfloat16"), (torch.float32, "G/CPU-s in float32")):
        engine = PlainEngine(build_model(config), config.clip, kind == torch.bfloat16)
        step = partial(
            training_step, start_run(config, engine, setting.scratch, 0, 1), [fixed], StopRequest()
        )
        with FlopCounterMode(display=False) as counter:
            step()
        count = counter.get_total_flops() / 2
        if not rows:
            rows.append(
                {"name": "multiply-adds of a step", "unit": "G a segment", "values": [count / BATCH / 1e9]}
            )
        one, other = torch.randn(PRODUCT[:2]).to(kind), torch.randn(PRODUCT[1:]).to(kind)

        def product(one: torch.Tensor = one, other: torch.Tensor = other) -> None:
            for _ in range(TIMES):
                torch.mm(one, other)

        product()  # warms up
        work = {
            "one large product": partial(
                a_cpu_second, math.prod(PRODUCT) / 1e9, partial(torch.mm, one, other)
            ),
            "training step": partial(a_cpu_second, count / 1e9, step),
        }
        rows += in_turn(work, setting.repeats(3, 15), unit)
    return rows


def _render(segments: int) -> None:
    """Audio of the length of this many segments of four seconds."""
    rng = np.random.default_rng(0)
    hits = [Hit(i / HITS_PER_SECOND, (0, 4, 1, 4)[i % 4], 90) for i in range(4 * segments * HITS_PER_SECOND)]
    render_drums(hits, [synthesise_kit(rng)], rng, 4.0 * segments)


def training_ranks(setting: Setting) -> list[Row]:
    """The step on one fixed batch a rank, one thread each: all ranks' CPU seconds together."""
    folder = str(Path(shards_of(setting)[0]).parent)
    steps = setting.repeats(4, 12)

    def speed(world: int) -> Callable[[], float]:
        def once() -> float:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            place = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            children = [
                subprocess.Popen(
                    [sys.executable, __file__, folder, str(steps)],
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, **place, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                    stderr=subprocess.DEVNULL,
                )
                for rank in range(world)
            ]
            seconds = [float(child.communicate()[0].split()[-1]) for child in children]
            return world * steps * BATCH / sum(seconds)

        return once

    work = {"DeepSpeed, 1 rank": speed(1), "DeepSpeed, 2 ranks": speed(2)}
    return in_turn(work, setting.repeats(1, 3), UNIT)


def rendering(setting: Setting) -> list[Row]:
    """CPU milliseconds to render four seconds of drums from a synthesised kit."""
    moments = [time.process_time()]
    for _ in range(setting.repeats(5, 20)):
        _render(3)
        moments.append(time.process_time())
    values = [1000 * (after - before) / 3 for before, after in pairwise(moments)]
    return [{"name": "4 s of drums", "unit": "CPU-ms", "values": values}]


def rank_main(folder: str, steps: int) -> float:
    """CPU-seconds for a number of steps of this rank, after two warm-up steps."""
    from train.config import TrainConfig
    from train.launch import set_up_ranks
    from train.main import make_engine
    from train.run import start_run
    from train.step import StopRequest, training_step

    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    torch.set_num_threads(1)
    rank, world = set_up_ranks()
    config = TrainConfig(shards=folder, batch=BATCH, workers=0)
    with contextlib.redirect_stdout(io.StringIO()):
        run = start_run(config, make_engine(config, None), Path(folder), rank, world)
    batch = next(_batches(shard_paths(Path(folder)), config.augment))
    for _ in range(2):
        training_step(run, [batch], StopRequest())
    return cpu_seconds(lambda: [training_step(run, [batch], StopRequest()) for _ in range(steps)])


PARTS: dict[str, Callable[[Setting], list[Row]]] = {
    "training": training,
    "training, share": training_share,
    "training on ranks": training_ranks,
    "rendering": rendering,
}

if __name__ == "__main__":
    print(rank_main(sys.argv[1], int(sys.argv[2])))
