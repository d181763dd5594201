"""Checkpoints: safetensors with fp16 weights, the complete configuration and the codec's fingerprint.

Nothing is unpickled. A file with another vocabulary or with missing, surplus or misshapen weights is
rejected.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt3drum.config import ModelConfig
from mt3drum.decoding import DecodeConfig
from mt3drum.extras import need
from tokenizer.whole_file import whole_file

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mt3drum.model.inference import InferenceModel
    from mt3drum.model.network import DrumModel

FORMAT = "mt3drum-2"
_BY_NETWORK_NAMES = "mt3drum-1"  # weights were named by the attributes of the training network
MAX_BYTES = 2**31


class CheckpointError(ValueError):
    """The checkpoint cannot be used; the message names the file and the reason."""


def bundled() -> Path:
    """The checkpoint included in the package."""
    return Path(str(resources.files("mt3drum") / "assets" / "small.safetensors"))


def save_checkpoint(
    path: Path,
    config: ModelConfig,
    weights: Mapping[str, Tensor],
    decoding: Mapping[str, Any],
    training: Mapping[str, Any],
) -> None:
    """Write weights as fp16 with everything needed to use them. The file is complete or absent.

    Args:
        weights: keyed by the names of `mt3drum.model.weight_names`.
        decoding: the decode settings chosen for these weights (fields of `DecodeConfig`).
        training: how they were trained (steps, seed, commit, data).
    """
    import torch
    from safetensors.torch import save_file

    header = {
        "format": FORMAT,
        "config": json.dumps(config.to_dict()),
        "fingerprint": config.codec.fingerprint(),
        "decoding": json.dumps(dict(decoding)),
        "training": json.dumps(dict(training)),
    }
    half = {
        name: value.detach()
        .cpu()
        .to(torch.float16 if value.is_floating_point() else value.dtype)
        .contiguous()
        for name, value in weights.items()
    }
    with whole_file(path) as temporary:
        save_file(half, temporary, metadata=header)


def read_header(path: Path) -> dict[str, Any]:
    """Configuration and record of a checkpoint, without its weights.

    Returns:
        `format`, `config` (ModelConfig), `decoding` and `training` (dicts).

    Raises:
        CheckpointError: the file is missing, too large, not an mt3drum checkpoint, or has another vocabulary.
    """
    from safetensors import SafetensorError, safe_open

    try:
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(
                f"{path}: larger than {MAX_BYTES >> 20} MiB, not a checkpoint of this program"
            )
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({_brief(error)})") from error
    if header.get("format") not in (FORMAT, _BY_NETWORK_NAMES):
        raise CheckpointError(
            f"{path}: format {header.get('format')!r} is not {FORMAT!r}: not a checkpoint of mt3drum"
        )
    try:
        config = ModelConfig.from_dict(json.loads(header["config"]))
        decoding, training = json.loads(header["decoding"]), json.loads(header["training"])
        if not isinstance(training, dict):
            raise ValueError("the record of training is not a mapping")
        DecodeConfig.from_dict(decoding)
    except (KeyError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged header ({_brief(error)})") from error
    if header.get("fingerprint") != config.codec.fingerprint():
        raise CheckpointError(
            f"{path}: made for vocabulary {header.get('fingerprint')}, this program has "
            f"{config.codec.fingerprint()}; use the version of mt3drum that made it"
        )
    return {"format": header["format"], "config": config, "decoding": decoding, "training": training}


def load_model(path: Path) -> tuple[DrumModel, dict[str, Any]]:
    """The model of a checkpoint, in evaluation mode on the CPU in float32, and its header.

    Raises:
        CheckpointError: see `read_header`; or the weights do not fit the configuration exactly.
        MissingExtra: x-transformers is not installed; `load_inference_model` does without it.
    """
    import torch

    need("train", "x_transformers")
    from mt3drum.model.network import DrumModel

    header, weights = _read(path)
    with torch.device("cpu"):
        model = DrumModel(header["config"])
    model.load_state_dict(weights, strict=True)
    return model.eval(), header


def load_inference_model(
    path: Path, device: str = "cpu", dtype: torch.dtype | None = None, runtime: str = "torch"
) -> tuple[InferenceModel, dict[str, Any]]:
    """Load a model for decoding only, without importing x-transformers, and its header.

    Args:
        dtype: type of the matrix products (default: the fastest on this machine).
        runtime: `torch`, or `onnx` for ONNX Runtime on the CPU in float32.

    Raises:
        CheckpointError: as `load_model`; or the runtime is onnx and the checkpoint has no decoder.
        MissingExtra: the runtime is onnx, and onnx or onnxruntime is not installed.
    """
    from mt3drum.model.inference import InferenceModel, fastest_dtype

    header, weights = _read(path)
    if runtime == "onnx":
        from mt3drum.model.onnx_runtime import OnnxModel

        try:
            return OnnxModel(header["config"], weights), header
        except ValueError as error:
            raise CheckpointError(f"{path}: not for --runtime onnx: {error}") from error
    weights = {name: value.to(device) for name, value in weights.items()}
    return InferenceModel(header["config"], weights, dtype or fastest_dtype(device)), header


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and weights, validated: exactly those of the configuration, floating-point and finite."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from mt3drum.model.weight_names import to_own, weights_of

    header = read_header(path)
    expected = {weight.name: weight.shape for weight in weights_of(header["config"])}
    if sum(map(math.prod, expected.values())) > path.stat().st_size:
        # Check before allocating: a header of one kilobyte can declare a terabyte.
        raise CheckpointError(
            f"{path}: the weights do not fit the configuration: the file is too small for it"
        )
    try:
        weights = load_file(path)
    except (RuntimeError, SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({_brief(error)})") from error
    given = len(weights)
    if header["format"] == _BY_NETWORK_NAMES:
        weights = to_own(weights, header["config"])
        if len(weights) < given:
            raise CheckpointError(f"{path}: the weights do not fit the configuration: one is there twice")
    wrong = [
        name
        for name in sorted(expected.keys() | weights.keys())
        if _shape(weights, name) != expected.get(name)
    ]
    if wrong:
        found = _shape(weights, wrong[0])
        raise CheckpointError(
            f"{path}: the weights do not fit the configuration ({len(wrong)} of them, the first {wrong[0]}: "
            f"{found or 'missing'}, wanted {expected.get(wrong[0], 'none')})"
        )
    floats = torch.float16, torch.bfloat16, torch.float32, torch.float64
    for name, value in weights.items():
        counts = name.endswith("num_batches_tracked")  # of the batch norms; everything else is weights
        if value.dtype not in ((torch.int64,) if counts else floats):
            kind = str(value.dtype).removeprefix("torch.")
            wanted = "int64" if counts else "floating-point numbers"
            raise CheckpointError(f"{path}: weight {name} is of {kind}, not of {wanted}")
        if value.is_floating_point() and not value.isfinite().all():
            raise CheckpointError(f"{path}: weight {name} is not finite")
    return header, weights


def _shape(weights: Mapping[str, Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(weights[name].shape) if name in weights else None


def _brief(error: Exception) -> str:
    """An error as one line of limited length."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]} ..."
