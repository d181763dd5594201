"""Decoding and training on one device, by the clock: scripts/bench.py --device cuda."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from data.augment import AugmentConfig
from data.example import LoaderConfig
from data.loader import make_loader
from mt3drum.config import SAMPLE_RATE
from mt3drum.transcriber import Transcriber
from scripts.bench_suite.parts import MINUTES, Row, Setting, in_turn
from scripts.bench_suite.training import PlainEngine, shards_of

BATCHES = {"cpu": (32, 16), "cuda": (256, 128)}
"""Segments at once, in decoding and in a training step."""
PRECISIONS: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")


def a_second(device: str, count: float, work: Callable[[], object]) -> float:
    """How many a second of wall time, where `work` does `count`; waits for what the device has queued."""
    wait = torch.cuda.synchronize if device.startswith("cuda") else (lambda: None)
    wait()
    start = time.perf_counter()
    work()
    wait()
    return count / (time.perf_counter() - start)


def decoding(setting: Setting) -> list[Row]:
    """Seconds of audio a second, ten minutes of dense drums (--quick: one), the model loaded."""
    device, minutes = setting.device, setting.repeats(1, MINUTES)
    batch, _ = BATCHES[device.split(":")[0]]
    sound = setting.dense[: minutes * 60 * SAMPLE_RATE]
    work = {}
    for precision in PRECISIONS:
        for beam in (1, 4):
            transcriber = Transcriber.load(
                setting.checkpoint, device, batch=batch, precision=precision, beam=beam
            )
            name = f"{'greedy' if beam == 1 else 'beam 4'}, {precision}, {batch} segments at once"
            run = partial(transcriber.transcribe_array, sound, SAMPLE_RATE)
            run()  # warms up
            work[name] = partial(a_second, device, minutes * 60, run)
    return in_turn(work, setting.repeats(2, 5), "s of audio per s")


def training(setting: Setting) -> list[Row]:
    """Segments a second of the training step on a batch that lies ready, by precision."""
    from train.config import TrainConfig
    from train.run import build_model, start_run
    from train.step import StopRequest, training_step

    device = setting.device
    _, batch = BATCHES[device.split(":")[0]]
    shards = shards_of(setting)
    config = TrainConfig(shards=str(Path(shards[0]).parent), batch=batch, workers=0)
    loader = LoaderConfig(batch, 0, 0, AugmentConfig.none())
    work = {}
    for precision in PRECISIONS:
        engine = PlainEngine(build_model(config).to(device), config.clip, precision == "bfloat16")
        run = start_run(config, engine, setting.scratch, 0, 1)
        fixed = next(iter(make_loader(shards, run.model.config.codec, loader)))
        step = partial(training_step, run, [fixed], StopRequest())
        step()  # warms up
        work[f"training step, {precision}, {batch} segments"] = partial(a_second, device, batch, step)
    return in_turn(work, setting.repeats(3, 15), "segments per s")


def device(setting: Setting) -> list[Row]:
    """What one device does."""
    return decoding(setting) + training(setting)


PARTS: dict[str, Callable[[Setting], list[Row]]] = {"device": device}
