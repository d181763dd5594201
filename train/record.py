"""What a run leaves behind besides its state: checkpoints, curves, validations, a TensorBoard log."""

from __future__ import annotations

import dataclasses
import json
import logging
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from data.loader import Batch
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import read_header, save_checkpoint
from mt3drum.model.network import DrumModel
from tokenizer.codec import PAD
from train.board import Board
from train.run import Run
from train.state import keep_until, sum_over_ranks
from train.step import StopRequest
from train.validate import Group, StopValidation, Validation, validate

LOSSES, VALIDATIONS = "losses.jsonl", "validations.jsonl"
log = logging.getLogger("train")


def open_board(run: Run) -> Board | None:
    """The TensorBoard log of rank 0; lines of the curves after the step where the run stands go."""
    if run.rank != 0:
        return None
    for curve in (LOSSES, VALIDATIONS):
        keep_until(run.output / curve, run.progress.step)
    return Board(run.output / "tensorboard", run.progress.step)


def write_checkpoint(run: Run, name: str, result: dict[str, Any]) -> bool:
    """Write the averaged weights as a checkpoint; False, and a line in the log, where that failed."""
    training = {
        "step": run.progress.step,
        "world": run.world,
        "config": dataclasses.asdict(run.config),
        "commit": git_commit(),
        "data": run.history.data[-1].record,
        "data_sets": run.history.data_sets(run.progress.step),
        "result": result,
    }
    if run.history.changes:
        training["changes"] = run.history.changes
    if run.history.initial is not None:
        training["initial"] = run.history.initial
    if run.config.teacher.checkpoint:  # the weights learn from its data, too
        training["teacher"] = read_header(Path(run.config.teacher.checkpoint))["training"]
    try:
        save_checkpoint(run.output / name, run.model.config, run.decoded_weights, run.decoding, training)
    except (OSError, SafetensorError) as error:
        log.error("could not write %s: %s; the one before is kept", run.output / name, error)
        return False
    return True


def validate_run(run: Run, groups: Sequence[Group], board: Board | None, stop: StopRequest) -> bool:
    """Validate the averaged weights on rank 0, keep the best; returns whether to stop (all ranks).

    Asked to stop meanwhile, it is left undone and owed: the resumed run begins with it.
    """
    progress, config = run.progress, run.config
    enough, owed = False, False
    if run.rank == 0 and groups:
        model = DrumModel(run.model.config)
        model.load_state_dict({k: v.cpu() for k, v in run.decoded_weights.items()})
        decoding = DecodeConfig.from_dict(run.decoding)
        try:
            keep_best(run, validate(model.eval().to(run.device), groups, decoding, lambda: stop.asked), board)
        except StopValidation:
            owed = True
        else:
            enough = (progress.step - progress.best_step) // config.validate_every >= config.patience
            if enough:
                log.info("no better F in %d validations", config.patience)
    flags = sum_over_ranks(torch.tensor([float(enough), float(owed)], device=run.device), run.world)
    if flags[1].item() == 0:
        progress.validated = progress.step
    return bool(flags.sum().item() > 0)


def keep_best(run: Run, result: Validation, board: Board | None) -> None:
    """Log a validation; keep the checkpoint if it is the best so far."""
    progress = run.progress
    groups = " ".join(f"{name} {value:.4f}" for name, value in result.by_group.items())
    log.info(
        "step %d: F %.4f (%s), best before %.4f at %d",
        progress.step,
        result.f_measure,
        groups,
        progress.best_f,
        progress.best_step,
    )
    if board:
        board.validation(progress.step, result)
    with (run.output / VALIDATIONS).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": progress.step} | dataclasses.asdict(result)) + "\n")
    if result.f_measure > progress.best_f:
        progress.best_f, progress.best_step = result.f_measure, progress.step
        write_checkpoint(run, "best.safetensors", dataclasses.asdict(result))


def show(run: Run, batch: Batch, board: Board) -> None:
    """The first segment of a batch to TensorBoard, as the model sees it."""
    with torch.no_grad():
        mel = run.features(batch.audio[:1].to(run.device))[0].cpu().numpy()
    ids = [token for token in batch.tokens[0].tolist() if token != PAD]
    board.example(run.progress.step, run.model.config.codec, batch.audio[0].numpy(), mel, ids)


def git_commit() -> str:
    """The commit of the working tree, or "unknown" outside a repository."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            cwd=Path(__file__).parent,
        )
        return found.stdout.strip() or "unknown"
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
