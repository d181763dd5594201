"""The onset head alone: `decoder="frames"`, and networks without a decoder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mt3drum.config import PRESETS, ModelConfig
from mt3drum.decode.beam_search import generate
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import load_model, save_checkpoint
from mt3drum.model.loss import LossConfig, losses
from mt3drum.model.network import DrumModel
from mt3drum.transcriber import Transcriber
from scripts.benchmark_suite.systems import _own_options
from train.config import TrainConfig
from train.run import build_model

WHOLE = PRESETS["tiny"]
ALONE = replace(WHOLE, decoder_layers=0)


def test_frames_have_settings_of_their_own() -> None:
    product = DecodeConfig(
        minimum_confidence=0.4, confidence_calibration=((0.0, 0.0), (1.0, 0.9)), margin=0.3
    )
    frames = product.with_options({"decoder": "frames"})
    assert (frames.onset_weight, frames.onset_bias, frames.minimum_confidence) == (1.0, -0.5, 0.0)
    assert frames.confidence_calibration == () and frames.margin == 0.3
    assert product.with_options({"decoder": "product", "beam": 2}) == replace(product, beam=2)


def test_a_checkpoint_can_bring_them_and_options_win() -> None:
    config = DecodeConfig(frames={"onset_bias": 0.3, "minimum_confidence": {"kick": 0.2}})
    config = DecodeConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    frames = config.with_options({"decoder": "frames"})
    assert frames.onset_bias == 0.3 and frames.minimum_confidence == (("kick", 0.2),)
    assert config.with_options({"decoder": "frames", "onset_bias": 1.0}).onset_bias == 1.0


@pytest.mark.parametrize(
    "options", [{"decoder": "beam"}, {"decoder": "frames", "onset_weight": 0.5}, {"decoders": "frames"}]
)
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"decoder|onset_weight"):
        DecodeConfig().with_options(options)


@pytest.mark.parametrize("frames", [{"onset_weight": 0.5}, {"frames": {}}, {"onset_bias": 99}, {"bias": 1}])
def test_wrong_settings_of_frames_are_refused(frames: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"frames|onset_bias|unknown"):
        DecodeConfig(frames=frames)


def saved(path: Path, config: ModelConfig, weights: dict[str, torch.Tensor]) -> Path:
    save_checkpoint(path, config, weights, DecodeConfig(frames={"onset_bias": 4.0}).to_dict(), {})
    return path


def test_a_network_without_a_decoder_decodes_as_one_with_it_does_at_weight_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = DrumModel(WHOLE).state_dict()
    alone = {name: weights[name] for name in DrumModel(ALONE).state_dict()}
    assert not any(name.startswith(("decoder", "embedding", "time_")) for name in alone)
    whole = saved(tmp_path / "whole.safetensors", WHOLE, weights)
    part = saved(tmp_path / "alone.safetensors", ALONE, alone)
    audio = np.random.default_rng(0).normal(0, 0.1, 6 * 44_100).astype(np.float32)
    expected = Transcriber.load(whole, "cpu", decoder="frames").transcribe_array(audio)
    found = Transcriber.load(part, "cpu").transcribe_array(audio)
    assert found.hits == expected.hits and len(found.hits) > 10
    assert load_model(part)[0].config == ALONE


def test_a_network_without_a_decoder_refuses_to_be_asked_for_one(tmp_path: Path) -> None:
    part = saved(tmp_path / "alone.safetensors", ALONE, DrumModel(ALONE).state_dict())
    with pytest.raises(ValueError, match="onset_weight 0.5"):
        Transcriber.load(part, "cpu", onset_weight=0.5)
    transcriber = Transcriber(DrumModel(ALONE).eval(), DecodeConfig())
    assert transcriber.config.onset_weight == 1.0
    with torch.inference_mode():
        encoded = transcriber.model.encode(torch.zeros(1, ALONE.segment_samples))
    with pytest.raises(ValueError, match="no decoder"):
        generate(transcriber.model, encoded, DecodeConfig(silence_gate=0.0))


def test_it_trains_on_the_head_alone() -> None:
    config = TrainConfig("shards", preset="tiny", model={"decoder_layers": 0})
    model = build_model(config)
    assert model.config == ALONE
    codec = model.config.codec
    mel = model.features(torch.randn(2, model.config.segment_samples))
    onset = (torch.rand(2, codec.segment_steps, codec.num_drums) < 0.1).float()
    encoded, logits = model(mel, torch.zeros(2, 5, dtype=torch.long))
    found = losses(codec, encoded, logits, torch.zeros(2, 5), onset, onset, LossConfig())
    assert logits is None and found.tokens == 0 and found.by_kind.shape == (4, 2)
    found.onsets.backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_options_of_one_system_of_the_benchmark() -> None:
    assert _own_options("a=bundled@decoder=frames,onset_bias=-0.25") == (
        "a=bundled",
        {"decoder": "frames", "onset_bias": -0.25},
    )
    assert _own_options("runs/me@host/best.safetensors") == ("runs/me@host/best.safetensors", {})
