"""One rank of a training run: its model, its data, one step, what it saves and logs."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from data.loader import Batch, LoaderConfig, make_loader
from data.shards.find import find_shards
from mt3drum.audio.log_mel import LogMel
from mt3drum.config import PRESETS, ModelConfig
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import load_model, read_header, save_checkpoint
from mt3drum.model.loss import class_weights, losses
from mt3drum.model.network import DrumModel
from tokenizer.codec import PAD
from tokenizer.drums import DRUMS
from train.board import KINDS, Board
from train.config import TrainConfig
from train.optim import Average, blank, learning_rate
from train.state import any_rank, barrier, keep_until, load_state, newest_state, save_state
from train.validate import Group, Validation, groups_of, validate

LOSSES, VALIDATIONS = "losses.jsonl", "validations.jsonl"
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
        # Outside the engine and its autocast: sums of squares in bf16 would blur quiet frames.
        self.features = LogMel(self.model_config.audio).to(self.device)
        self.average = Average(self.model, config.ema)
        self.progress = Progress()
        self.shards, self.manifest = find_shards(
            config.shards, config.manifest, output / "shards", rank, world
        )
        counts = [self.manifest["hits"].get(drum.name, 0) for drum in DRUMS]
        self.weights = class_weights(counts, config.loss.class_weight, self.device)
        self.groups: list[Group] = groups_of(config) if rank == 0 else []
        self.board: Board | None = None
        self.bad: Counter[str] = Counter()
        """Samples this rank could not use, by reason."""
        self.stop_asked = False
        self.stopping = False
        # Asked of one rank at any moment; agreed by all at their next step, so that none waits for another.

    def resume(self) -> None:
        """Go on from the newest state of the output folder, if there is one; later lines of the curves go.

        Raises:
            ValueError: the state is not of this run.
        """
        state = newest_state(self.output)
        if state is not None:
            saved = load_state(state, self.engine, self.average.weights, self.rank, self.world)
            self.progress = Progress(**{f.name: saved[f.name] for f in dataclasses.fields(Progress)})
            log.info("resumed from %s", state)
        if self.rank == 0:
            for curve in (LOSSES, VALIDATIONS):
                keep_until(self.output / curve, self.progress.step)
            self.board = Board(self.output / "tensorboard", self.progress.step)

    def batches(self) -> Iterator[Batch]:
        """The endless stream of this rank's batches, from where the run stands."""
        config = self.config
        settings = LoaderConfig(config.batch, config.workers, config.seed, config.augment)
        start = self.progress.step * config.accumulation * config.batch
        loader = make_loader(self.shards, self.model_config.codec, settings, self.rank, self.world, start)
        self.bad = loader.bad  # the loader logs the first and every thousandth of a kind
        yield from loader

    def forward(self, batch: Batch, micro: int) -> tuple[Tensor, Tensor, Tensor]:
        """Token sum, onset sum and the table by kind of one micro-batch."""
        config = self.config
        with torch.no_grad():
            mel = self.features(batch.audio.to(self.device))
            blank(mel, config.spec_augment, (config.seed, self.progress.step, micro, self.rank))
        tokens, onset, velocity = (t.to(self.device) for t in (batch.tokens, batch.onset, batch.velocity))
        encoded, logits = self.engine(mel, tokens)
        return losses(
            self.model_config.codec, encoded, logits, tokens, onset, velocity, config.loss, self.weights
        )

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
        sums = torch.zeros(2 + 2 * len(KINDS), device=self.device, dtype=torch.float64)
        rate = learning_rate(config, self.progress.step)
        for group in self.engine.optimizer.param_groups:
            group["lr"] = rate
        norm = 0.0
        for micro, batch in enumerate(micro_batches):
            token_sum, onset_sum, table = self.forward(batch, micro)
            loss = token_sum / totals[0] + config.loss.onset_weight * onset_sum / totals[1]
            sums += torch.cat((torch.stack((token_sum, onset_sum)).detach(), table.flatten())).double()
            if any_rank(not torch.isfinite(loss).item(), self.world, self.device):
                raise TrainingError(f"the loss is not finite at step {self.progress.step}; {REMEDY}")
            self.engine.backward(loss * scale)  # DeepSpeed divides by ranks and micro-batches
            if micro == len(micro_batches) - 1 and not self.zero:
                norm = self.finite(gradient_norm(self.model))
            self.engine.step()
        if self.zero:  # known after the step only; nothing of it has been saved yet
            norm = self.finite(float(self.engine.get_global_grad_norm() or 0.0))
        sums = self.sum_over_ranks(sums)
        kinds = sums[2:].view(len(KINDS), 2)
        by_kind = zip(KINDS, kinds, strict=True)
        scalars = {f"loss/{kind}": float(nll / n.clamp(min=1)) for kind, (nll, n) in by_kind}
        scalars |= {"loss/tokens": float(sums[0] / totals[0]), "loss/onsets": float(sums[1] / totals[1])}
        return scalars | {"optimizer/learning_rate": rate, "optimizer/gradient_norm": norm}

    @property
    def zero(self) -> bool:
        """Whether ranks divide gradients or the optimizer's state (ZeRO 1 and 2)."""
        return bool(self.engine.zero_optimization_stage() > 0)

    def finite(self, norm: float) -> float:
        """The norm of the gradient before clipping. Raises TrainingError where it is not finite."""
        if not math.isfinite(norm):
            raise TrainingError(f"the gradient is not finite at step {self.progress.step}; {REMEDY}")
        return norm

    def sum_over_ranks(self, values: Tensor) -> Tensor:
        """Sum a tensor over all ranks."""
        if self.world > 1:
            torch.distributed.all_reduce(values)
        return values

    def save(self) -> bool:
        """Write the resumable state (all ranks); False, and a line in the log, where that failed."""
        try:
            progress = dataclasses.asdict(self.progress)
            save_state(self.output, self.engine, self.average.weights, progress, self.rank, self.world)
        except OSError as error:
            log.error("could not save a state: %s; the one before is kept", error)
            return False
        return True

    def checkpoint(self, name: str, result: dict[str, Any]) -> bool:
        """Write the averaged weights as a checkpoint; False, and a line in the log, where that failed."""
        training = {
            "step": self.progress.step,
            "world": self.world,
            "config": dataclasses.asdict(self.config),
            "commit": git_commit(),
            "data": {key: self.manifest[key] for key in RECORDED},
            "result": result,
        }
        if self.config.initial:  # where the weights come from is part of where they came from
            training["initial"] = read_header(Path(self.config.initial))["training"]
        try:
            save_checkpoint(self.output / name, self.model_config, self.average.weights, {}, training)
        except (OSError, SafetensorError) as error:
            log.error("could not write %s: %s; the one before is kept", self.output / name, error)
            return False
        return True

    def validate(self) -> bool:
        """Validate the averaged weights on rank 0, keep the best; returns whether to stop (all ranks)."""
        stop = torch.zeros(1, device=self.device)
        if self.rank == 0 and self.groups:
            model = DrumModel(self.model_config)
            model.load_state_dict({k: v.cpu() for k, v in self.average.weights.items()})
            result = validate(model.eval().to(self.device), self.groups, DecodeConfig())
            self.note(result)
            elapsed = (self.progress.step - self.progress.best_step) // self.config.validate_every
            stop += float(elapsed >= self.config.patience)
        barrier(self.world)
        return self.sum_over_ranks(stop).item() > 0

    def note(self, result: Validation) -> None:
        """Log a validation; keep the checkpoint if it is the best so far."""
        progress = self.progress
        groups = " ".join(f"{name} {value:.4f}" for name, value in result.by_group.items())
        log.info(
            "step %d: F %.4f (%s), best before %.4f at %d",
            progress.step,
            result.f_measure,
            groups,
            progress.best_f,
            progress.best_step,
        )
        if self.board:
            self.board.validation(progress.step, result)
        with (self.output / VALIDATIONS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": progress.step} | dataclasses.asdict(result)) + "\n")
        if result.f_measure > progress.best_f:
            progress.best_f, progress.best_step = result.f_measure, progress.step
            self.checkpoint("best.safetensors", dataclasses.asdict(result))

    def show(self, batch: Batch) -> None:
        """The first segment of a batch to TensorBoard, as the model hears it."""
        if self.board:
            with torch.no_grad():
                mel = self.features(batch.audio[:1].to(self.device))[0].cpu().numpy()
            ids = [token for token in batch.tokens[0].tolist() if token != PAD]
            self.board.example(self.progress.step, self.model_config.codec, batch.audio[0].numpy(), mel, ids)


def gradient_norm(model: torch.nn.Module) -> float:
    """Norm of a model's gradient."""
    return float(torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None]))


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


def build_model(config: TrainConfig) -> DrumModel:
    """The model of the preset, from its seed or from `config.initial`.

    Raises:
        ValueError: `initial` cannot be loaded, or `windows` do not fit.
    """
    torch.manual_seed(config.seed)
    if config.initial:
        return load_model(Path(config.initial))[0].train()
    sizes = PRESETS[config.preset]
    if config.windows:
        sizes = dataclasses.replace(sizes, audio=dataclasses.replace(sizes.audio, windows=config.windows))
    return DrumModel(sizes)
