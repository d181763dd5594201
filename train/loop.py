"""The training loop. Every rank runs `train`; rank 0 also validates, logs and saves."""

from __future__ import annotations

import json
import logging
import signal
import time
from pathlib import Path
from typing import Any

from train.config import TrainConfig
from train.run import LOSSES, Run, TrainingError
from train.state import barrier

LOG_EVERY = 25  # steps
log = logging.getLogger("train")


def train(config: TrainConfig, engine: Any, output: Path, rank: int, world: int) -> Run:
    """Train until `config.steps`, early stopping or SIGTERM; goes on from the newest state in `output`.

    Raises:
        TrainingError: something is not finite, or the end of the run could not be written.
        ValueError: the data or the state in `output` do not fit.
    """
    run = Run(config, engine, output, rank, world)
    run.resume()

    def ask_stop(*_: object) -> None:
        run.stop_asked = True

    before = signal.signal(signal.SIGTERM, ask_stop)
    try:
        written = steps(run)
    finally:
        signal.signal(signal.SIGTERM, before)
    if rank == 0:
        written = run.checkpoint("last.safetensors", {}) and written
        if run.board:
            run.board.close()
    barrier(world)
    if run.bad:
        log.warning("samples of rank %d that could not be used: %s", rank, dict(run.bad))
    if not written:
        raise TrainingError(f"{output}: the end of the run could not be written; make room and run again")
    return run


def steps(run: Run) -> bool:
    """Every step there is to do; whether the state after the last is on disk."""
    config, written = run.config, True
    batches = run.batches()
    run.engine.train()
    clock, since = time.monotonic(), run.progress.step
    # Line by line: what a state knows of is on disk before the state is.
    curve = (run.output / LOSSES).open("a", buffering=1, encoding="utf-8") if run.rank == 0 else None
    while run.progress.step < config.steps and not run.stopping:
        micro_batches = [next(batches) for _ in range(config.accumulation)]
        scalars = run.step(micro_batches)
        run.progress.step += 1
        step = run.progress.step
        run.average.update(run.model, step)
        if curve:
            curve.write(json.dumps({"step": step} | scalars) + "\n")
        if step % LOG_EVERY == 0 and run.board:
            segments = (step - since) * config.batch * config.accumulation * run.world
            scalars["throughput/segments_per_second"] = segments / (time.monotonic() - clock)
            scalars["throughput/bad_samples"] = float(run.bad.total())
            clock, since = time.monotonic(), step
            run.board.step(step, scalars)
            line = " ".join(f"{name.split('/')[1]} {value:.4g}" for name, value in scalars.items())
            log.info("step %d/%d %s", step, config.steps, line)
        last = step == config.steps or run.stopping
        if step % config.validate_every == 0 or step == config.steps:
            pause = time.monotonic()
            run.show(micro_batches[0])
            if run.validate():
                log.info("no better F in %d validations: stopping at step %d", config.patience, step)
                last = True
            clock += time.monotonic() - pause  # the throughput is that of training
        if step % config.save_every == 0 or last:
            written = run.save()
        if last:
            break
    if curve:
        curve.close()
    return written
