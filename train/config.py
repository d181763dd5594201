"""Settings of a training run: one frozen dataclass, from YAML files and overrides, validated at
construction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

import torch
import yaml

from data.augment import AugmentConfig
from mt3drum.cli.drum_options import drum_classes
from mt3drum.config import PRESETS, ModelConfig
from mt3drum.decoding import DECODED_SCHEMES
from mt3drum.model.loss import LossConfig
from tokenizer.codec import Codec
from tokenizer.drums import NUM_CLASSES
from train.precision import bfloat16_is_fast
from train.terms import ConsistencyConfig, MaskedConfig, TeacherConfig
from train.tree import flat, merged, nested

MACHINES = ("cpu", "mps", "cuda")
OVERLAYS = Path(__file__).parent / "configs" / "machine"


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a run.

    Raises:
        ValueError: a value is out of range; the message names it.
    """

    shards: str
    """Folder of training shards with their manifest (scripts/make_shards.py), several with {a,b} and
    wildcards, tar files, or `pipe:COMMAND`, a shell command that writes a tar file."""
    shard_weights: tuple[float, ...] = ()
    """Share of samples from each name in `shards`, in order, such as [3, 1]; empty: every clip is equally
    likely."""
    fraction: float = 1.0
    """Fraction of the shards of each name to use, chosen by a hash of their file names."""
    classes: tuple[str, ...] = ()
    """Drums or families to label; others remain in the audio without labels. Empty: all."""
    scheme: str = "26"
    """Number of labels to distinguish: 26, 16, 8 or 5; the checkpoint decodes with it."""
    manifest: str = ""
    """Folder of manifest.json if it is not in the folder of the shards; required for `pipe:`."""
    development: str = ""
    """Folder of annotated recordings in the layout of MDB Drums, on which the best checkpoint is chosen."""
    development_mixes: tuple[str, ...] = ("drum_only", "pseudo_mix")
    validation: str = ""
    """Folder of rendered validation shards, on which the checkpoint is chosen if `development` is empty."""
    preset: str = ""
    """Size of the network: tiny, mini, small, base or large; default: that of `initial`, else small."""
    model: dict[str, Any] = field(default_factory=dict)
    """Changes to the preset, as fields of `mt3drum.config.ModelConfig`: dropout, encoder_layers, width,
    windows (samples), segment_seconds ..."""
    initial: str = ""
    """A checkpoint with the initial weights; its network must match `preset` and `model` if they are given,
    except for dropout."""
    initial_parts: tuple[str, ...] = ()
    """Parts of `initial` to load, such as [stem, encoder]; the rest of the network is initialised and may
    have other sizes. Empty: all."""
    freeze: tuple[str, ...] = ()
    """Parts that are not trained in the first `freeze_steps` steps."""
    freeze_steps: int = 0
    machine: str = "auto"
    """cpu, mps or cuda: the device to train on and the defaults to use from train/configs/machine; auto: the
    best available."""
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
    """Maximum norm of the gradient."""
    ema: float = 0.999
    """Decay of the averaged weights, which are validated and saved; 0: off."""
    spec_augment: float = 0.3
    """Probability that a frequency band and a time interval of a segment are masked (Park et al. 2019)."""
    bfloat16: bool = True
    """Autocast matrix products to bfloat16: steps are 1.8 times as fast on a CPU with avx512_bf16, and faster
    on GPUs; auto: if it is faster for this machine, network and batch."""
    checkpointing: bool = False
    """Activation checkpointing: recompute activations within layers in the backward pass; saves memory, slows
    the step."""
    seed: int = 0
    workers: int = 0
    validate_every: int = 1000
    save_every: int = 250
    patience: int = 20
    """Number of validations without a better F after which the run stops."""
    loss: LossConfig = field(default_factory=LossConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    consistency: ConsistencyConfig = field(default_factory=ConsistencyConfig)
    masked: MaskedConfig = field(default_factory=MaskedConfig)

    def __post_init__(self) -> None:
        if not self.preset and not self.initial:
            object.__setattr__(self, "preset", "small")
        if self.preset and self.preset not in PRESETS:
            raise ValueError(f"preset {self.preset!r} is not one of {', '.join(PRESETS)}")
        if self.preset and self.model:
            usual = flat(PRESETS[self.preset].to_dict())
            changed = {k: v for k, v in flat(model_config(self).to_dict()).items() if usual[k] != v}
            object.__setattr__(self, "model", nested(changed))
        if self.machine not in ("auto", *MACHINES):
            raise ValueError(f"machine {self.machine!r} is not one of auto, {', '.join(MACHINES)}")
        for name in ("steps", "batch", "accumulation", "validate_every", "save_every", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be at least 1")
        for name in ("warmup_steps", "workers", "weight_decay", "seed", "freeze_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} {getattr(self, name)} is negative")
        if bool(self.freeze) != bool(self.freeze_steps):
            raise ValueError(f"freeze {list(self.freeze)} needs freeze_steps, and freeze_steps needs freeze")
        if self.initial_parts and not self.initial:
            raise ValueError("initial_parts are of `initial`, which is not given")
        if self.scheme not in DECODED_SCHEMES:
            raise ValueError(f"scheme {self.scheme!r} is not one of {', '.join(DECODED_SCHEMES)}")
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction {self.fraction} is outside 0..1")
        if self.shard_weights and min(self.shard_weights) <= 0:
            raise ValueError(f"shard_weights {list(self.shard_weights)} must be positive")
        drum_classes(self.classes)  # an unknown name is an error
        for name in ("ema", "spec_augment", "final_learning_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} {getattr(self, name)} is outside 0..1")
        if not 0 < self.learning_rate < 1 or self.clip <= 0:
            raise ValueError(f"learning_rate {self.learning_rate} and clip {self.clip} must be positive")

    @property
    def labelled(self) -> frozenset[int]:
        """The classes that are labelled.

        Raises:
            ValueError: a name is neither a drum's nor a family's.
        """
        return drum_classes(self.classes) if self.classes else frozenset(range(NUM_CLASSES))


def load_config(
    paths: Path | Sequence[Path], overrides: Mapping[str, Any] = MappingProxyType({})
) -> TrainConfig:
    """Settings from YAML files and overrides, merged deeply: later ones win, value by value.

    The overlay of the machine (train/configs/machine) has the lowest precedence. Names may be dotted:
    `loss.focal_gamma` is `focal_gamma` in the section `loss`.

    Raises:
        ValueError: a file is unreadable, a field is unknown or a value out of range.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    values: dict[str, Any] = {}
    for path in files:
        values = merged(values, _read(path))
    values = merged(values, nested(overrides))
    machine = values.get("machine", "auto")
    machine = detect_machine() if machine == "auto" else machine
    if machine not in MACHINES:
        raise ValueError(f"machine {machine!r} is not one of auto, {', '.join(MACHINES)}")
    values = merged(_read(OVERLAYS / f"{machine}.yaml"), values | {"machine": machine})
    auto = values.get("bfloat16") == "auto"
    config = from_mapping(values | ({"bfloat16": False} if auto else {}), " and ".join(map(str, files)))
    if not auto:
        return config
    from mt3drum.model.checkpoint import read_header

    network = model_config(config) if config.preset else read_header(Path(config.initial))["config"]
    return replace(config, bfloat16=bfloat16_is_fast(machine, network.width, config.batch))


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: not a readable YAML file ({reason})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: must hold `name: value` lines")
    return nested(values)


def from_mapping(values: Mapping[str, Any], where: str = "settings") -> TrainConfig:
    """Settings from nested plain values.

    Args:
        where: source of the values, for messages.

    Raises:
        ValueError: a field is unknown or a value out of range.
    """
    values = dict(values)
    if type(values.get("scheme")) is int:
        values["scheme"] = str(values["scheme"])  # YAML takes 8 for a number
    model = _network(f"{where}: model", values.pop("model", {}), values.pop("windows", None))
    if model:
        values["model"] = model
    steps = model.get("codec", {}).get("segment_steps")
    augment = values.get("augment", {})
    if isinstance(steps, int) and isinstance(augment, Mapping) and "seconds" not in augment:
        values["augment"] = {**augment, "seconds": steps / Codec().steps_per_second}
    for name, kind in get_type_hints(TrainConfig).items():
        if isinstance(kind, type) and is_dataclass(kind) and name in values:
            values[name] = _made(f"{where}: {name}", kind, values[name])
    return _made(where, TrainConfig, values)


def _network(where: str, model: Any, windows: Any) -> dict[str, Any]:
    """The section `model` in the form of `ModelConfig.to_dict`; `windows` was a separate setting once."""
    if not isinstance(model, Mapping):
        raise ValueError(f"{where}: must hold `name: value` lines")
    model = dict(model)
    windows = model.pop("windows", windows)
    if windows:
        model = merged({"audio": {"windows": windows}}, model)
    if "segment_seconds" in model:
        seconds = _as(float, model.pop("segment_seconds"), f"{where}: segment_seconds")
        model = merged({"codec": {"segment_steps": round(seconds * Codec().steps_per_second)}}, model)
    for section in ("audio", "codec"):
        if not isinstance(model.get(section, {}), Mapping):
            raise ValueError(f"{where}: {section}: must hold `name: value` lines")
    windows = model.get("audio", {}).get("windows", [])
    if not isinstance(windows, list | tuple):
        raise ValueError(f"{where}: windows {windows!r} must be a list")
    return model


def model_config(config: TrainConfig, base: ModelConfig | None = None) -> ModelConfig:
    """The network of a run: that of its preset, or `base`, with the changes of the section `model`.

    Raises:
        ValueError: a value is unknown or out of range.
    """
    base = base or PRESETS[config.preset]
    return ModelConfig.from_dict(merged(base.to_dict(), config.model)) if config.model else base


def detect_machine() -> str:
    """The machine that `machine: auto` selects."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _made(where: str, owner: type, values: Any) -> Any:
    checked = _checked(where, owner, values)
    try:
        return owner(**checked)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _checked(where: str, owner: type, values: Any) -> dict[str, Any]:
    """`values` converted to the types of a dataclass's fields.

    Raises:
        ValueError: a field is unknown or of the wrong type; the message names it.
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
            # YAML reads 1e-3, without a dot, as text.
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
    kind = get_origin(kind) or kind
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where} {value!r} must be of kind {getattr(kind, '__name__', kind)}")
    return value
