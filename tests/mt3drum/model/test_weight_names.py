"""Our names of weights: every weight has one, old files and states are read, values are untouched."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mt3drum.config import PRESETS, AudioConfig, ModelConfig
from mt3drum.model.checkpoint import (
    CheckpointError,
    bundled,
    load_inference_model,
    load_model,
    save_checkpoint,
)
from mt3drum.model.network import DrumModel
from mt3drum.model.weight_names import to_network, to_own, weights_of

TINY = PRESETS["tiny"]
OTHER = replace(
    TINY, encoder_layers=3, decoder_layers=2, audio=AudioConfig(windows=(512, 1024, 2048), mel_bands=64)
)


def of_modules(model: DrumModel) -> dict[str, Tensor]:
    """Parameters and buffers by the names of the modules that hold them."""
    return dict(model.named_parameters()) | {
        name: value for name, value in model.named_buffers() if name not in ("time_code",)
    }


def saved_as_before(path: Path, model: DrumModel) -> None:
    """A checkpoint of the format in which weights were named by the modules."""
    weights = to_network(model.state_dict(), model.config)
    half = {n: v.half() if v.is_floating_point() else v for n, v in weights.items()}
    header = {
        "format": "mt3drum-1",
        "config": json.dumps(model.config.to_dict()),
        "fingerprint": model.config.codec.fingerprint(),
        "decoding": json.dumps({"prior_weight": 0.25}),
        "training": "{}",
    }
    save_file(half, path, metadata=header)


@pytest.mark.parametrize("config", [*PRESETS.values(), OTHER], ids=[*PRESETS, "other"])
def test_every_weight_has_a_name_and_a_shape(config: ModelConfig) -> None:
    with torch.device("meta"):
        model = DrumModel(config)
    weights = list(weights_of(config))
    assert {w.name: w.shape for w in weights} == {n: tuple(v.shape) for n, v in model.state_dict().items()}
    modules = {name for name, _ in model.named_parameters()}
    assert modules <= {w.network_name for w in weights}
    assert len({w.name for w in weights}) == len({w.network_name for w in weights}) == len(weights)


def test_names_say_what_a_weight_is() -> None:
    model = DrumModel(TINY)
    state, modules = model.state_dict(), dict(model.named_parameters())
    for ours, theirs in (
        ("decoder.layers.0.cross_attention.key.weight", "decoder.layers.1.1.to_k.weight"),
        ("encoder.layers.0.feed_forward.in.bias", "encoder.layers.1.1.ff.0.0.bias"),
        ("decoder.layers.0.feed_forward.norm.gain_less_one", "decoder.layers.2.0.0.gamma"),
        ("stem.convolution_2.weight", "stem.convolutions.3.weight"),
    ):
        assert state[ours].data_ptr() == modules[theirs].data_ptr()


def test_the_two_maps_are_inverse() -> None:
    state = DrumModel(OTHER).state_dict()
    there = to_network(state, OTHER)
    assert there.keys().isdisjoint({"encoder.norm.gain_less_one", "stem.norm_1.bias"})
    assert to_own(there, OTHER).keys() == state.keys()
    assert to_own({"unknown": 1}, OTHER) == {"unknown": 1}


@pytest.mark.parametrize("named", ["ours", "modules"])
def test_a_network_reads_either_names(named: str) -> None:
    model, other = DrumModel(TINY), DrumModel(TINY)
    state = model.state_dict()
    other.load_state_dict(state if named == "ours" else to_network(state, TINY))
    for name, value in model.named_parameters():
        assert torch.equal(value, other.get_parameter(name))


def test_files_of_the_format_before_still_load(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = DrumModel(OTHER).eval()
    old, new = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    saved_as_before(old, model)
    save_checkpoint(new, OTHER, model.state_dict(), {}, {})
    assert "encoder.layers.0.1.to_q.weight" in load_file(old)
    assert "encoder.layers.0.attention.query.weight" in load_file(new)
    for name, value in load_model(new)[0].state_dict().items():
        assert torch.equal(load_model(old)[0].state_dict()[name], value)
    audio = torch.randn(1, OTHER.segment_samples) * 0.1
    with torch.inference_mode():
        heard = [load_inference_model(path, dtype=torch.float32)[0].encode(audio) for path in (old, new)]
    assert all(torch.equal(one, other) for one, other in zip(*heard, strict=True))


def test_a_weight_under_both_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.safetensors"
    model = DrumModel(TINY)
    saved_as_before(path, model)
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        header = dict(file.metadata())
    save_file({**load_file(path), "encoder.norm.gain_less_one": torch.zeros(32)}, path, metadata=header)
    with pytest.raises(CheckpointError, match="one is there twice"):
        load_model(path)


def test_the_bundled_weights_load_either_way() -> None:
    model, header = load_model(bundled())
    assert header["config"] == model.config
    ours = load_inference_model(bundled(), dtype=torch.float32)[0]
    state = model.state_dict()
    assert torch.equal(ours.rate, state["encoder.rotary_frequency"])
    assert torch.equal(ours.final_norm, state["encoder.norm.gain_less_one"] + 1)
