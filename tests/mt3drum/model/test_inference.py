"""The network as decoding runs it against the one that is trained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mt3drum.config import PRESETS, ModelConfig
from mt3drum.model.checkpoint import load_inference_model, save_checkpoint
from mt3drum.model.inference import CHUNK, InferenceModel, fastest_dtype
from mt3drum.model.network import DrumModel
from tokenizer.codec import Codec

OTHER = ModelConfig(
    width=48,
    head_width=24,
    encoder_layers=3,
    decoder_layers=1,
    feed_forward=3,
    stem_channels=6,
    audio=PRESETS["tiny"].audio,
    codec=Codec(segment_steps=60, velocity_bins=8),
)


def random_model(config: ModelConfig) -> DrumModel:
    """Every weight and every statistic of the batch norms away from where it begins."""
    torch.manual_seed(0)
    model = DrumModel(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
        for name, value in model.named_buffers():
            if name.endswith("running_mean"):
                value.normal_()
            if name.endswith("running_var"):
                value.uniform_(0.5, 2.0)
    return model


@pytest.mark.parametrize("config", [PRESETS["tiny"], OTHER, PRESETS["small"]], ids=["tiny", "other", "small"])
def test_encodes_as_the_model_that_is_trained(config: ModelConfig) -> None:
    model = random_model(config)
    audio = 0.3 * torch.randn(CHUNK + 1, config.segment_samples)
    with torch.inference_mode():
        expected, found = model.encode(audio), InferenceModel(config, model.state_dict()).encode(audio)
    for name, one, other in zip(expected._fields, expected, found, strict=True):
        assert torch.allclose(other, one, atol=2e-5, rtol=1e-5), name


def test_bfloat16_is_close() -> None:
    """Products rounded to 8 bits: a hundredth of what the states differ by among themselves."""
    config = PRESETS["small"]
    model = random_model(config)
    audio = 0.3 * torch.randn(2, config.segment_samples)
    with torch.inference_mode():
        exact = InferenceModel(config, model.state_dict()).encode(audio)
        rounded = InferenceModel(config, model.state_dict(), torch.bfloat16).encode(audio)
    for one, other in zip(exact, rounded, strict=True):
        assert other.dtype == torch.float32
        error = float((one - other).std() / one.std())
        assert 0 < error < 0.02


def test_a_checkpoint_is_loaded_without_the_library(tmp_path: Path) -> None:
    """x-transformers and librosa take a second each to import."""
    config = PRESETS["tiny"]
    save_checkpoint(tmp_path / "a.safetensors", config, DrumModel(config).state_dict(), {}, {})
    code = (
        "import sys; from mt3drum.transcriber import Transcriber; import numpy as np; "
        f"Transcriber.load({str(tmp_path / 'a.safetensors')!r}).transcribe_array(np.ones(100_000)); "
        "print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert "torch" in loaded and not loaded & {"x_transformers", "einx", "librosa", "numba", "scipy", "sympy"}


def test_precision(tmp_path: Path) -> None:
    path, config = tmp_path / "a.safetensors", PRESETS["tiny"]
    save_checkpoint(path, config, DrumModel(config).state_dict(), {}, {})
    assert (
        load_inference_model(path)[0].dtype
        == fastest_dtype("cpu")
        == load_inference_model(path, "cpu", None)[0].dtype
    )
    assert load_inference_model(path, dtype=torch.float32)[0].dtype == torch.float32
    assert fastest_dtype("cuda") == torch.float32
