"""The training loop. Every rank runs `train`; rank 0 also validates, logs and saves."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data.loader import Batch, LoaderConfig, make_loader
from data.shards import read_manifest, shard_paths
from mt3drum.checkpoint import load_model, save_checkpoint
from mt3drum.config import PRESETS, ModelConfig
from mt3drum.decoding import DecodeConfig
from mt3drum.features import LogMel
from mt3drum.loss import class_weights, losses
from mt3drum.model import DrumModel
from tokenizer.codec import PAD
from tokenizer.drums import DRUMS
from train.board import KINDS, Board
from train.config import TrainConfig
from train.optim import Average, blank, learning_rate
from train.state import barrier, load_state, newest_state, save_state
from train.validate import Group, groups_of, validate

LOG_EVERY = 25  # steps
RECORDED = ("settings", "commit", "clips", "seconds", "hits", "kits", "corpora", "sources")  # of the manifest
REMEDY = "the last saved state is good: lower learning_rate and run again"
log = logging.getLogger("train")


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why and what to do."""


@dataclasses.dataclass
class Progress:
    """What a resumed run needs to know besides tensors."""

    step: int = 0
    best_f: float = -1.0
    best_step: int = 0


class Run:
    """One rank's model, engine, averages and place in the data."""

    def __init__(self, config: TrainConfig, engine: Any, output: Path, rank: int, world: int) -> None:
        self.config, self.engine, self.output, self.rank, self.world = config, engine, output, rank, world
        self.model: DrumModel = engine.module
        self.model_config: ModelConfig = self.model.config
        self.device = next(self.model.parameters()).device
        # Outside the engine, so that a half-precision engine leaves the filter banks alone.
        self.features = LogMel(self.model_config.audio).to(self.device)
        self.average = Average(self.model, config.ema)
        self.progress = Progress()
        self.manifest = read_manifest(Path(config.shards))
        counts = [self.manifest["hits"].get(drum.name, 0) for drum in DRUMS]
        self.weights = class_weights(counts, config.loss.class_weight, self.device)
        self.groups: list[Group] = groups_of(config) if rank == 0 else []
        self.board = Board(output / "tensorboard") if rank == 0 else None
        self.stop_asked = False
        self.stopping = False
        # Asked of one rank at any moment; agreed by all at their next step, so that none waits for another.

    def resume(self) -> None:
        """Go on from the newest state of the output folder, if there is one."""
        state = newest_state(self.output)
        if state is None:
            return
        saved = load_state(state, self.engine, self.average.weights, self.rank, self.world)
        self.progress = Progress(**{field.name: saved[field.name] for field in dataclasses.fields(Progress)})
        log.info("resumed from %s", state)

    def batches(self) -> Iterator[Batch]:
        """The endless stream of this rank's batches, from where the run stands."""
        config = self.config
        loader = LoaderConfig(config.batch, config.workers, config.seed, config.augment)
        start = self.progress.step * config.accumulation * config.batch
        shards = shard_paths(Path(config.shards))
        for batch in make_loader(shards, self.model_config.codec, loader, self.rank, self.world, start):
            if batch.bad:
                log.warning("bad samples, replaced by others of their batch: %s", batch.bad)
            yield batch

    def forward(self, batch: Batch, micro: int) -> tuple[Tensor, Tensor, Tensor]:
        """Token sum, onset sum and the table by kind of one micro-batch."""
        config = self.config
        with torch.no_grad():
            mel = self.features(batch.audio.to(self.device))
            blank(mel, config.spec_augment, (config.seed, self.progress.step, micro, self.rank))
        tokens, onset, velocity = (t.to(self.device) for t in (batch.tokens, batch.onset, batch.velocity))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.bfloat16):
            encoded, logits = self.engine(mel.to(next(self.model.parameters()).dtype), tokens)
        return losses(
            self.model_config.codec, encoded, logits, tokens, onset, velocity, config.loss, self.weights
        )  # fmt: skip

    def step(self, micro_batches: list[Batch]) -> dict[str, float]:
        """One optimizer step over all micro-batches of all ranks; returns scalars to log.

        Raises:
            TrainingError: the loss or the gradient is not finite on any rank.
        """
        config, scale = self.config, self.world * len(micro_batches)
        tokens = sum(int((b.tokens != PAD).sum()) for b in micro_batches)
        segments = sum(len(b.audio) for b in micro_batches)
        counts = [float(tokens), float(segments), float(self.stop_asked)]
        totals = self.sum_over_ranks(torch.tensor(counts, device=self.device))
        self.stopping = totals[2].item() > 0
        sums = torch.zeros(10, device=self.device, dtype=torch.float64)
        rate = learning_rate(config, self.progress.step)
        for group in self.engine.optimizer.param_groups:
            group["lr"] = rate
        for micro, batch in enumerate(micro_batches):
            token_sum, onset_sum, table = self.forward(batch, micro)
            loss = token_sum / totals[0] + config.loss.onset_weight * onset_sum / totals[1]
            sums += torch.cat((torch.stack((token_sum, onset_sum)).detach(), table.flatten())).double()
            bad = self.sum_over_ranks(torch.tensor([float(not torch.isfinite(loss))], device=self.device))
            if bad.item():
                raise TrainingError(f"the loss is not finite at step {self.progress.step}; {REMEDY}")
            self.engine.backward(loss * scale)  # DeepSpeed divides by ranks and micro-batches
            norm = self.gradient_norm()
            if not math.isfinite(norm):
                raise TrainingError(f"the gradient is not finite at step {self.progress.step}; {REMEDY}")
            self.engine.step()
        sums = self.sum_over_ranks(sums)
        kinds = sums[2:].view(len(KINDS), 2)
        by_kind = zip(KINDS, kinds, strict=True)
        scalars = {f"loss/{kind}": float(nll / n.clamp(min=1)) for kind, (nll, n) in by_kind}
        scalars |= {"loss/tokens": float(sums[0] / totals[0]), "loss/onsets": float(sums[1] / totals[1])}
        return scalars | {"optimizer/learning_rate": rate, "optimizer/gradient_norm": norm}

    def gradient_norm(self) -> float:
        """Norm before clipping, the same on every rank; ZeRO 1 and 2 know it only after their step."""
        if self.engine.zero_optimization_stage() > 0:
            return float(self.engine.get_global_grad_norm() or 0.0)
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        return float(torch.nn.utils.get_total_norm(gradients))

    def sum_over_ranks(self, values: Tensor) -> Tensor:
        """Sum a tensor over all ranks."""
        if self.world > 1:
            torch.distributed.all_reduce(values)
        return values

    def save(self) -> None:
        """Write the resumable state (all ranks)."""
        try:
            progress = dataclasses.asdict(self.progress)
            save_state(self.output, self.engine, self.average.weights, progress, self.rank, self.world)
        except OSError as error:
            if self.world > 1:
                raise  # the other ranks would wait for ever
            log.error("could not save a state: %s; the one before is kept", error)

    def checkpoint(self, name: str, result: dict[str, Any]) -> None:
        """Write the averaged weights as a checkpoint for use."""
        training = {
            "step": self.progress.step,
            "world": self.world,
            "config": dataclasses.asdict(self.config),
            "commit": git_commit(),
            "data": {key: self.manifest[key] for key in RECORDED},
            "result": result,
        }
        save_checkpoint(self.output / name, self.model_config, self.average.weights, {}, training)

    def validate(self) -> bool:
        """Validate the averaged weights on rank 0, keep the best; returns whether to stop (all ranks)."""
        stop = torch.zeros(1, device=self.device)
        if self.rank == 0 and self.groups:
            model = DrumModel(self.model_config)
            model.load_state_dict({k: v.cpu() for k, v in self.average.weights.items()})
            result = validate(model.eval().to(self.device), self.groups, DecodeConfig())
            step, best = self.progress.step, self.progress.best_f
            groups = " ".join(f"{name} {value:.4f}" for name, value in result.by_group.items())
            best_step = self.progress.best_step
            log.info("step %d: F %.4f (%s), best %.4f at %d", step, result.f_measure, groups, best, best_step)
            if self.board:
                self.board.validation(step, result)
            with (self.output / "validations.jsonl").open("a") as file:
                file.write(json.dumps({"step": step} | dataclasses.asdict(result)) + "\n")
            if result.f_measure > best:
                self.progress.best_f, self.progress.best_step = result.f_measure, step
                self.checkpoint("best.safetensors", dataclasses.asdict(result))
            elapsed = (step - self.progress.best_step) // self.config.validate_every
            stop += float(elapsed >= self.config.patience)
        barrier(self.world)
        return self.sum_over_ranks(stop).item() > 0


def git_commit() -> str:
    """The commit of the working tree, or "unknown" outside a repository."""
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10,
                               cwd=Path(__file__).parent)  # fmt: skip
        return found.stdout.strip() or "unknown"
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"


def build_model(config: TrainConfig) -> DrumModel:
    """The model of the preset, from its seed or from `config.initial`."""
    torch.manual_seed(config.seed)
    if config.initial:
        return load_model(Path(config.initial))[0].train()
    return DrumModel(PRESETS[config.preset])


def train(config: TrainConfig, engine: Any, output: Path, rank: int, world: int) -> Run:
    """Train until `config.steps`, early stopping or SIGTERM; goes on from the newest state in `output`.

    Raises:
        TrainingError: something is not finite.
    """
    run = Run(config, engine, output, rank, world)
    run.resume()

    def ask_stop(*_: object) -> None:
        run.stop_asked = True

    signal.signal(signal.SIGTERM, ask_stop)
    batches = run.batches()
    engine.train()
    clock, since = time.monotonic(), run.progress.step
    curve = (output / "losses.jsonl").open("a") if rank == 0 else None
    while run.progress.step < config.steps and not run.stopping:
        micro_batches = [next(batches) for _ in range(config.accumulation)]
        scalars = run.step(micro_batches)
        run.progress.step += 1
        run.average.update(run.model, run.progress.step)
        step = run.progress.step
        if curve:
            curve.write(json.dumps({"step": step} | scalars) + "\n")
        if step % LOG_EVERY == 0 and run.board and curve:
            segments = (step - since) * config.batch * config.accumulation * world
            scalars["throughput/segments_per_second"] = segments / (time.monotonic() - clock)
            clock, since = time.monotonic(), step
            run.board.step(step, scalars)
            curve.flush()
            line = " ".join(f"{name.split('/')[1]} {value:.4g}" for name, value in scalars.items())
            log.info("step %d/%d %s", step, config.steps, line)
        last = step == config.steps or run.stopping
        if (step % config.validate_every == 0 or step == config.steps) and run.validate():
            log.info("no better F in %d validations: stopping at step %d", config.patience, step)
            last = True
        if step % config.save_every == 0 or last:
            run.save()
            if last:
                break
    if rank == 0:
        run.checkpoint("last.safetensors", {})
        if run.board:
            run.board.close()
    barrier(world)
    return run
