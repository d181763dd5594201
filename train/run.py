"""What one rank of a training run is made of, and how it goes on from a saved state."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from data.example import LoaderConfig
from data.loader import Loader, make_loader
from data.shards.find import find_shards
from mt3drum.audio.log_mel import LogMel
from mt3drum.model.checkpoint import load_model, read_header
from mt3drum.model.loss import class_weights, without_weights
from mt3drum.model.network import DrumModel
from mt3drum.model.stem import FRAMES_PER_STATE
from tokenizer.drums import DRUMS, NUM_CLASSES, SCHEMES
from train.config import TrainConfig, model_config
from train.history import DataUse, History, data_use, from_state, going_on
from train.optim import Average
from train.state import load_state, newest_state, save_state
from train.transfer import model_of

log = logging.getLogger("train")


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why and what to do."""


class OtherRankError(TrainingError):
    """Another rank cannot go on, and says why."""


@dataclasses.dataclass
class Progress:
    """What a resumed run needs to know besides tensors."""

    step: int = 0
    best_f: float = -1.0
    best_step: int = 0
    samples: int = 0
    """Segments a rank has heard."""
    validated: int = 0
    """Last step whose validation, if one was due, was done or needs no repeating."""


@dataclasses.dataclass(frozen=True)
class Run:
    """The parts of one rank. Training changes the engine, `average` and `progress`, nothing else."""

    config: TrainConfig
    engine: Any
    """DeepSpeed's, or one that steps like it."""
    output: Path
    rank: int
    world: int
    features: LogMel
    """Outside the engine and its autocast: sums of squares in bf16 would blur quiet frames."""
    average: Average
    class_weights: Tensor | None
    """[c], of the loss."""
    shards: Sequence[Sequence[str]]
    """By the names that the settings give."""
    manifest: Mapping[str, Any]
    history: History
    progress: Progress = dataclasses.field(default_factory=Progress)
    teacher: DrumModel | None = None
    """Of `teacher.checkpoint`, which gives soft targets."""

    @property
    def model(self) -> DrumModel:
        model: DrumModel = self.engine.module
        return model

    @property
    def decoded_weights(self) -> dict[str, Tensor]:
        """The averaged weights as they are validated and shipped."""
        return without_weights(self.network_weights, self.class_weights, self.config.loss)

    @property
    def network_weights(self) -> dict[str, Tensor]:
        """The averaged weights, without the layer that pre-training alone needs."""
        weights = self.average.weights
        return {name: value for name, value in weights.items() if not name.startswith("reconstruction.")}

    @property
    def decoding(self) -> dict[str, Any]:
        """Decode settings of its checkpoints."""
        before, config = self.history.decoding, self.config
        usual: dict[str, Any] = {"scheme": "26", "classes": list(range(NUM_CLASSES))}
        taught = {"scheme": config.scheme, "classes": sorted(config.labelled)}
        return before | {n: value for n, value in taught.items() if n in before or value != usual[n]}

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device


def start_run(config: TrainConfig, engine: Any, output: Path, rank: int, world: int) -> Run:
    """A run at its first step.

    Raises:
        ValueError: the shards cannot be used.
    """
    model: DrumModel = engine.module
    device = next(model.parameters()).device
    found = find_shards(config.shards, config.manifest, output / "shards", rank, world)
    shards, manifest = found.part(config.fraction), found.manifest
    if config.shard_weights and len(config.shard_weights) != len(shards):
        raise ValueError(
            f"shard_weights has {len(config.shard_weights)} numbers, shards {config.shards} "
            f"{len(shards)} names"
        )
    if config.loss.class_weight and model.config.head == "instrument":
        raise ValueError(
            "loss.class_weight is for the head independent, whose biases can be corrected for it"
        )
    counts = labelled_counts(config, manifest["hits"])
    teacher = teacher_of(config, model)
    return Run(
        config,
        engine,
        output,
        rank,
        world,
        features=LogMel(model.config.audio).to(device),
        average=Average(model, config.ema),
        class_weights=class_weights(counts, config.loss, device),
        shards=shards,
        manifest=manifest,
        teacher=teacher.to(device) if teacher else None,
        history=_new_history(
            config, data_use(config.shards, [path for group in shards for path in group], manifest)
        ),
    )


def teacher_of(config: TrainConfig, model: DrumModel) -> DrumModel | None:
    """The network whose distributions are soft targets, if the settings name one.

    Raises:
        ValueError: it cannot be loaded, or has another vocabulary or other segments.
    """
    path = config.teacher.checkpoint
    if not path:
        return None
    teacher, _ = load_model(Path(path))
    if teacher.config.codec != model.config.codec:
        raise ValueError(f"{path}: the teacher has another vocabulary or other segments than the network")
    return teacher.requires_grad_(False)


def labelled_counts(config: TrainConfig, hits: Mapping[str, int]) -> list[int]:
    """[26] hits of each class as they are labelled: those of a label count for its first class."""
    counts, scheme = [0] * NUM_CLASSES, SCHEMES[config.scheme]
    for drum in DRUMS:
        label = scheme.of_class[drum.index]
        if drum.index in config.labelled and label >= 0:
            counts[scheme.first_class[label]] += hits.get(drum.name, 0)
    return counts


def _new_history(config: TrainConfig, data: DataUse) -> History:
    settings = dataclasses.asdict(config)
    if not config.initial:
        return History(settings, [data])
    header = read_header(Path(config.initial))  # where the weights come from is part of where they came from
    return History(settings, [data], header["training"], header["decoding"])


def resume(run: Run, accept_changes: bool = False) -> Run:
    """The run going on from the newest state of the output folder, if there is one.

    Args:
        accept_changes: settings and data may differ from those of the state.

    Raises:
        ValueError: the state is not of this run, or settings or data differ.
    """
    state = newest_state(run.output)
    if state is None:
        return run
    progress, config = run.progress, run.config
    saved = load_state(state, run.engine, run.average.weights, run.rank, run.world)
    for name in ("step", "best_f", "best_step"):
        setattr(progress, name, saved[name])
    progress.samples = saved.get("samples", progress.step * config.accumulation * config.batch)
    progress.validated = saved.get("validated", progress.step)
    try:
        before = from_state(saved)
        if before is None:
            history = dataclasses.replace(run.history, decoding={})  # as its checkpoints have been so far
            log.warning("%s is of an older version: its settings and data cannot be compared", state)
        else:
            data = run.history.data[-1]
            history = going_on(before, config, data, progress.step, progress.samples, accept_changes)
    except ValueError as error:
        raise ValueError(f"{state}: {error}") from error
    log.info("resumed from %s", state)
    return dataclasses.replace(run, history=history)


def save(run: Run) -> bool:
    """Write the resumable state (all ranks); False, and a line in the log, where that failed."""
    try:
        progress = dataclasses.asdict(run.progress) | {"history": dataclasses.asdict(run.history)}
        save_state(run.output, run.engine, run.average.weights, progress, run.rank, run.world)
    except OSError as error:
        log.error("could not save a state: %s; the one before is kept", error)
        return False
    return True


def loader_of(run: Run) -> Loader:
    """The endless stream of this rank's batches, from where the run stands."""
    config = run.config
    settings = loader_config(config)
    start = run.progress.samples - run.history.data[-1].first_sample
    weights = config.shard_weights
    return make_loader(run.shards, run.model.config.codec, settings, run.rank, run.world, start, weights)


def loader_config(config: TrainConfig) -> LoaderConfig:
    """How a run reads its shards."""
    return LoaderConfig(
        config.batch,
        config.workers,
        config.seed,
        config.augment,
        classes=config.labelled,
        scheme=config.scheme,
    )


def build_model(config: TrainConfig) -> DrumModel:
    """The network of the settings, from its seed or with the weights of `config.initial`.

    Raises:
        ValueError: `initial` cannot be loaded, or its network is another than the settings ask for.
    """
    torch.manual_seed(config.seed)
    model = model_of(config) if config.initial else DrumModel(model_config(config))
    if config.masked.weight:
        audio = model.config.audio
        cells = FRAMES_PER_STATE * len(audio.windows) * audio.mel_bands
        model.reconstruction = torch.nn.Linear(model.config.width, cells)
    if config.checkpointing:
        recompute_layers(model)
    return model.train()


def recompute_layers(model: DrumModel) -> None:
    """Keep no activations within attention and feed-forward layers: the backward pass computes them again
    (Chen et al. 2016, arXiv:1604.06174)."""
    blocks = [layer[1] for layer in model.decoder.layers] if model.config.decoder_layers else []
    if model.config.encoder == "transformer":
        blocks += [layer[1] for layer in model.encoder.layers]
    elif model.config.encoder == "conformer":  # a GRU is one call for all its layers
        blocks += model.encoder.layers
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
