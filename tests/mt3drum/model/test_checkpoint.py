"""Checkpoints: whole or refused, with one line that names the file and the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mt3drum.config import PRESETS
from mt3drum.model.checkpoint import FORMAT, CheckpointError, load_model, read_header, save_checkpoint
from mt3drum.model.network import DrumModel

DECODING = {"beam": 2}


@pytest.fixture(scope="module")
def model() -> DrumModel:
    torch.manual_seed(0)
    return DrumModel(PRESETS["tiny"])


@pytest.fixture
def path(tmp_path: Path, model: DrumModel) -> Path:
    file = tmp_path / "model.safetensors"
    save_checkpoint(file, model.config, model.state_dict(), DECODING, {"steps": 7})
    return file


def rewrite(
    path: Path, header: dict[str, str] | None = None, weights: dict[str, torch.Tensor | None] | None = None
) -> None:
    """Change entries of the header, and weights (None: leave out)."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        old = dict(file.metadata())
    tensors = {**load_file(path), **(weights or {})}
    kept = {name: value for name, value in tensors.items() if value is not None}
    save_file(kept, path, metadata={**old, **(header or {})})


def test_round_trip(path: Path, model: DrumModel) -> None:
    loaded, header = load_model(path)
    assert header["config"] == model.config and header["decoding"] == DECODING
    assert header["training"] == {"steps": 7}
    assert not loaded.training
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value.half().to(value.dtype))
    assert not list(path.parent.glob("*.tmp*"))


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing.safetensors"):
        load_model(tmp_path / "nothing.safetensors")


def test_pickle_is_not_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (pytest.fail, ("unpickled",))

    torch.save({"weights": Bomb()}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="model.pt: not a readable safetensors file"):
        load_model(tmp_path / "model.pt")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_truncated(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(CheckpointError, match="model.safetensors: not a readable safetensors file"):
        load_model(path)


def test_other_format(path: Path, tmp_path: Path) -> None:
    rewrite(path, {"format": "mt3drum-99"})
    with pytest.raises(CheckpointError, match=f"'mt3drum-99' is not '{FORMAT}'"):
        load_model(path)
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="other.safetensors: format None"):
        load_model(tmp_path / "other.safetensors")


def test_other_vocabulary(path: Path) -> None:
    rewrite(path, {"fingerprint": "0123456789abcdef"})
    with pytest.raises(CheckpointError, match="made for vocabulary 0123456789abcdef, this program has"):
        load_model(path)


@pytest.mark.parametrize("value", ["", "{", "[]", "null", '{"width": 32}'])
def test_damaged_header(path: Path, value: str) -> None:
    rewrite(path, {"config": value})
    with pytest.raises(CheckpointError, match="model.safetensors: damaged header"):
        read_header(path)


def test_configuration_out_of_range(path: Path, model: DrumModel) -> None:
    rewrite(path, {"config": json.dumps({**model.config.to_dict(), "encoder_layers": 10**9})})
    with pytest.raises(CheckpointError, match="damaged header .encoder_layers 1000000000 is outside"):
        load_model(path)


def test_weights_that_do_not_fit(path: Path) -> None:
    data = path.read_bytes()
    for weights in (
        {"surplus": torch.zeros(1)},
        {"embedding.weight": None},
        {"embedding.weight": torch.zeros(2, 2)},
    ):
        path.write_bytes(data)
        rewrite(path, weights=weights)  # type: ignore[arg-type]
        with pytest.raises(CheckpointError, match="model.safetensors: the weights do not fit"):
            load_model(path)


def test_weights_that_are_no_numbers(path: Path, model: DrumModel) -> None:
    rewrite(path, weights={"embedding.weight": torch.full_like(model.embedding.weight, torch.nan)})
    with pytest.raises(CheckpointError, match="model.safetensors: weight embedding.weight is not finite"):
        load_model(path)


@pytest.mark.parametrize("kind", [torch.int64, torch.int8, torch.bool])
def test_weights_of_whole_numbers(path: Path, model: DrumModel, kind: torch.dtype) -> None:
    rewrite(path, weights={"embedding.weight": torch.ones_like(model.embedding.weight, dtype=kind)})
    name = str(kind).removeprefix("torch.")
    with pytest.raises(CheckpointError, match=f"weight embedding.weight is of {name}, not of floating-point"):
        load_model(path)


def test_a_count_that_is_no_whole_number(path: Path) -> None:
    name = "stem.normalise.num_batches_tracked"
    rewrite(path, weights={name: torch.tensor(1.0)})
    with pytest.raises(CheckpointError, match=f"weight {name} is of float32"):
        load_model(path)
