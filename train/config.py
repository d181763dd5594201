"""What a training run is: one frozen dataclass, read from YAML, checked at construction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from data.augment import AugmentConfig
from mt3drum.config import PRESETS
from mt3drum.model.loss import LossConfig


@dataclass(frozen=True)
class TrainConfig:
    """A run.

    Raises:
        ValueError: a value is out of range; the message names it.
    """

    shards: str
    """Folder of training shards with their manifest (scripts/make_shards.py); with {a,b} and wildcards
    several, or tar files; or `pipe:COMMAND`, a shell command that writes one."""
    manifest: str = ""
    """Folder of manifest.json, where it is not beside the shards; wanted for `pipe:`."""
    development: str = ""
    """Folder of annotated recordings in the layout of MDB Drums; the best checkpoint is chosen on it."""
    development_mixes: tuple[str, ...] = ("drum_only", "pseudo_mix")
    validation: str = ""
    """Folder of rendered validation shards; chooses the checkpoint where no `development` is given."""
    preset: str = "small"
    initial: str = ""
    """A checkpoint to start the weights from."""
    windows: tuple[int, ...] = ()
    """Windows of the spectrogram in samples, in place of the preset's."""
    decoder_layers: int | None = None
    """In place of the preset's; 0 trains the onset head alone, a frame-wise transcriber."""
    steps: int = 10_000
    batch: int = 8
    """Segments per rank and micro-batch."""
    accumulation: int = 1
    learning_rate: float = 1.2e-3
    warmup_steps: int = 200
    final_learning_rate: float = 0.02
    """Floor of the cosine, as a fraction of `learning_rate`."""
    weight_decay: float = 0.01
    clip: float = 1.0
    """Greatest norm of the gradient."""
    ema: float = 0.999
    """Decay of the averaged weights that are validated and shipped; 0: off."""
    spec_augment: float = 0.3
    """Chance that a segment has a band of frequencies and a stretch of time blanked (Park et al. 2019)."""
    bfloat16: bool = True
    """Autocast matrix products: 1.8 times as fast a step on a CPU with avx512_bf16, and on GPUs."""
    seed: int = 0
    workers: int = 0
    validate_every: int = 1000
    save_every: int = 250
    patience: int = 20
    """Validations without a better F before the run stops."""
    loss: LossConfig = field(default_factory=LossConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise ValueError(f"preset {self.preset!r} is not one of {', '.join(PRESETS)}")
        for name in ("steps", "batch", "accumulation", "validate_every", "save_every", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be at least 1")
        for name in ("warmup_steps", "workers", "weight_decay", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} {getattr(self, name)} is negative")
        for name in ("ema", "spec_augment", "final_learning_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} {getattr(self, name)} is outside 0..1")
        if self.initial and self.windows:
            raise ValueError(
                "windows are those of the checkpoint that `initial` names: leave one of them out"
            )
        if not 0 < self.learning_rate < 1 or self.clip <= 0:
            raise ValueError(f"learning_rate {self.learning_rate} and clip {self.clip} must be positive")


def load_config(path: Path, overrides: dict[str, Any]) -> TrainConfig:
    """Read a YAML file of `TrainConfig` fields; `overrides` win.

    Raises:
        ValueError: the file is unreadable, a field is unknown or a value out of range.
    """
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: not a readable YAML file ({reason})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: must hold `name: value` lines")
    return from_mapping(values | overrides, str(path))


def from_mapping(values: Mapping[str, Any], where: str = "settings") -> TrainConfig:
    """Settings from nested plain values.

    Args:
        where: where they stand, for messages.

    Raises:
        ValueError: a field is unknown or a value out of range.
    """
    values = dict(values)
    for name, kind in (("loss", LossConfig), ("augment", AugmentConfig)):
        if name in values:
            values[name] = _made(f"{where}: {name}", kind, values[name])
    return _made(where, TrainConfig, values)


def _made(where: str, owner: type, values: Any) -> Any:
    checked = _checked(where, owner, values)
    try:
        return owner(**checked)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _checked(where: str, owner: type, values: Any) -> dict[str, Any]:
    """`values` as the fields of a dataclass want them.

    Raises:
        ValueError: a field is unknown or of the wrong kind; the message names it.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{where}: must hold `name: value` lines")
    kinds = get_type_hints(owner)
    if unknown := sorted(repr(str(name))[1:-1] for name in values if name not in kinds):
        raise ValueError(f"{where}: unknown settings {', '.join(unknown)}")
    return {name: _as(kinds[name], value, f"{where}: {name}") for name, value in values.items()}


def _as(kind: Any, value: Any, where: str) -> Any:
    if kind is float:
        try:
            # YAML takes 1e-3, without a dot, for a text.
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"{where} {value!r} must be a number")
        return number
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{where} {value!r} must be a list")
        return tuple(_as(get_args(kind)[0], item, where) for item in value)
    if kind is str and value is None:
        return ""  # `name:` with nothing behind it
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where} {value!r} must be of kind {getattr(kind, '__name__', kind)}")
    return value
