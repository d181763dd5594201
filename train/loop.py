"""The training loop. Every rank runs `train`; rank 0 also validates, logs and saves."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.loader import Loader
from train.board import Board
from train.config import TrainConfig
from train.launch import stop_on_signals
from train.record import LOSSES, open_board, show, validate_run, write_checkpoint
from train.run import OtherRankError, Run, TrainingError, loader_of, resume, save, start_run
from train.state import any_rank, barrier
from train.step import StopRequest, training_step
from train.validate import Group, groups_of

LOG_EVERY = 25  # steps
log = logging.getLogger("train")


def train(
    config: TrainConfig, engine: Any, output: Path, rank: int, world: int, accept_changes: bool = False
) -> Run:
    """Train until `config.steps`, early stopping or a signal; goes on from the newest state in `output`.

    Args:
        accept_changes: settings and data may differ from those of that state.

    Raises:
        TrainingError: something is not finite, or the end of the run could not be written.
        ValueError: the data or the state in `output` do not fit.
    """
    problem: Exception | None = None
    try:
        run = start_run(config, engine, output, rank, world)
        groups = groups_of(config) if rank == 0 else []
        run = resume(run, accept_changes)
        board = open_board(run)
        loader = loader_of(run)
    except (ValueError, OSError) as error:
        problem = error
    # Ranks part only together: one that failed alone would leave the others waiting.
    if any_rank(problem is not None, world, next(engine.module.parameters()).device):
        raise problem or OtherRankError("another rank could not start")
    stop = StopRequest()
    with stop_on_signals(lambda: setattr(stop, "asked", True)):
        written = steps(run, loader, groups, board, stop)
    if rank == 0:
        written = write_checkpoint(run, "last.safetensors", {}) and written
        if board:
            board.close()
    barrier(world)
    if loader.bad:  # the loader logs the first and every thousandth of a kind
        log.warning("samples of rank %d that could not be used: %s", rank, dict(loader.bad))
    if not written:
        raise TrainingError(f"{output}: the end of the run could not be written; make room and run again")
    return run


def steps(run: Run, loader: Loader, groups: Sequence[Group], board: Board | None, stop: StopRequest) -> bool:
    """Every step there is to do; whether the state after the last is on disk."""
    config, written, stopping = run.config, True, False
    if run.progress.validated < run.progress.step:  # it was stopped in the midst of it
        stopping = validate_run(run, groups, board, stop)
        if run.progress.step == config.steps or stopping:
            return save(run)
    batches = iter(loader)
    run.engine.train()
    clock, since = time.monotonic(), run.progress.step
    # Line by line: what a state knows of is on disk before the state is.
    curve = (run.output / LOSSES).open("a", buffering=1, encoding="utf-8") if run.rank == 0 else None
    while run.progress.step < config.steps and not stopping:
        micro_batches = [next(batches) for _ in range(config.accumulation)]
        result = training_step(run, micro_batches, stop)
        scalars, stopping = result.scalars, result.stop
        run.progress.step += 1
        run.progress.samples += config.accumulation * config.batch
        step = run.progress.step
        run.average.update(run.model, step)
        if curve:
            curve.write(json.dumps({"step": step} | scalars) + "\n")
        if step % LOG_EVERY == 0 and board:
            segments = (step - since) * config.batch * config.accumulation * run.world
            scalars["throughput/segments_per_second"] = segments / (time.monotonic() - clock)
            scalars["throughput/bad_samples"] = float(loader.bad.total())
            clock, since = time.monotonic(), step
            board.step(step, scalars)
            line = " ".join(f"{name.split('/')[1]} {value:.4g}" for name, value in scalars.items())
            log.info("step %d/%d %s", step, config.steps, line)
        last = step == config.steps or stopping
        if step % config.validate_every == 0 or step == config.steps:
            pause = time.monotonic()
            if board:
                show(run, micro_batches[0], board)
            if validate_run(run, groups, board, stop):
                log.info("stopping at step %d", step)
                last = True
            clock += time.monotonic() - pause  # the throughput is that of training
        if step % config.save_every == 0 or last:
            written = save(run)
        if last:
            break
    if curve:
        curve.close()
    return written
