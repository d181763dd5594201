"""Variants of stem, encoder and head: shapes, independence of the batch, gradients, files, decoding."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mt3drum.config import PRESETS, AudioConfig, ModelConfig
from mt3drum.model.checkpoint import CheckpointError, load_inference_model, load_model, save_checkpoint
from mt3drum.model.encoder import one_way
from mt3drum.model.inference import CHUNK, InferenceModel
from mt3drum.model.network import DrumModel
from mt3drum.model.stem import FrequencyGate
from mt3drum.model.weight_names import weights_of
from mt3drum.transcriber import Transcriber
from tests.mt3drum.model.test_inference import random_model
from tokenizer.codec import Codec
from tokenizer.drums import CLASS_INDEX, INSTRUMENT_OF

TINY = replace(PRESETS["tiny"], encoder_layers=2, codec=Codec(segment_steps=60))
CHANGES = {
    "patch": {"stem": "patch"},
    "fused": {"stem": "fused"},
    "gate": {"frequency_gate": True},
    "conformer": {"encoder": "conformer"},
    "gru": {"encoder": "gru"},
    "instrument": {"head": "instrument"},
    "all": {"stem": "fused", "frequency_gate": True, "encoder": "conformer", "head": "instrument"},
}
CONFIGS = {name: replace(TINY, **change) for name, change in CHANGES.items()}  # type: ignore[arg-type]


@pytest.fixture(params=CONFIGS)
def config(request: pytest.FixtureRequest) -> ModelConfig:
    return CONFIGS[request.param]


def noise(config: ModelConfig, segments: int) -> torch.Tensor:
    return 0.3 * torch.randn(segments, config.segment_samples, generator=torch.Generator().manual_seed(1))


def test_decoding_runs_what_training_runs(config: ModelConfig) -> None:
    model, audio = random_model(config), noise(config, CHUNK + 1)
    with torch.inference_mode():
        expected, found = model.encode(audio), InferenceModel(config, model.state_dict()).encode(audio)
    assert expected.memory.shape == (CHUNK + 1, 30, 32) and expected.onset_logits.shape == (CHUNK + 1, 60, 26)
    for name, one, other in zip(expected._fields, expected, found, strict=True):
        assert torch.allclose(other, one, atol=2e-5, rtol=1e-5), name


def test_a_segment_depends_on_itself_alone_and_on_all_of_itself(config: ModelConfig) -> None:
    """In evaluation neither batch nor padding of a batch matters; the encoder sees both directions."""
    model, audio = random_model(config), noise(config, 3)
    changed = audio.clone()
    changed[0, -4410:] = 0
    with torch.inference_mode():
        together, alone = model.encode(audio), model.encode(audio[:1])
        other = model.encode(changed)
    for one, same in zip(together, alone, strict=True):
        assert torch.allclose(one[:1], same, atol=1e-5)
    assert not torch.allclose(other.memory[0, 0], alone.memory[0, 0], atol=1e-7)
    assert torch.equal(other.memory[1:], together.memory[1:])


def test_onsets_keep_their_place(config: ModelConfig) -> None:
    """The stem of each variant answers where the sound changes: states within 100 ms, and others little."""
    model, audio = random_model(config), noise(config, 1)
    changed = audio.clone()
    changed[0, 441 * 30 : 441 * 31] += 1.0
    with torch.inference_mode():
        moved = (model.stem(model.features(changed)) - model.stem(model.features(audio))).abs().mean(-1)[0]
    assert 13 <= int(moved.argmax()) <= 17  # a state is two frames
    assert moved[:10].max() < 0.2 * moved.max() > moved[21:].max()


def test_every_weight_learns_and_has_its_name(config: ModelConfig) -> None:
    torch.manual_seed(0)
    model = DrumModel(config).train()
    encoded, logits = model(model.features(noise(config, 2)), torch.tensor([[1, 30, 70], [1, 40, 80]]))
    assert logits is not None
    (encoded.onset_logits.sin().sum() + encoded.velocity.sin().sum() + logits.sin().sum()).backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None and weight.grad.abs().max() > 0, name
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in DrumModel(config).state_dict().items()}
    assert {w.name: w.shape for w in weights_of(config)} == shapes


def test_bfloat16_is_close(config: ModelConfig) -> None:
    model, audio = random_model(config), noise(config, 2)
    with torch.inference_mode():
        exact = InferenceModel(config, model.state_dict()).encode(audio)
        rounded = InferenceModel(config, model.state_dict(), torch.bfloat16).encode(audio)
    for one, other in zip(exact, rounded, strict=True):
        assert other.dtype == torch.float32
        assert 0 < float((one - other).std() / one.std()) < 0.05


def test_training_in_bfloat16_gives_finite_gradients(config: ModelConfig) -> None:
    model = DrumModel(config).train()
    mel = model.features(noise(config, 2))
    with torch.autocast("cpu", torch.bfloat16):
        encoded = model.encode_features(mel)
    encoded.onset_logits.float().sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters() if weight.grad is not None)


def test_a_checkpoint_says_what_it_is_and_is_transcribed_with(config: ModelConfig, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    torch.manual_seed(0)
    model = DrumModel(config)
    with torch.no_grad():
        model.onset_head.bias.fill_(0.5)
    save_checkpoint(path, config, model.state_dict(), {}, {})
    loaded, header = load_model(path)
    assert header["config"] == config == loaded.config
    assert load_inference_model(path)[1]["config"].variants
    audio = noise(config, 1)[0].numpy()
    transcriber = Transcriber.load(path, precision="float32", minimum_confidence=0.0)
    found = transcriber.transcribe_array(np.tile(audio, 3)).hits
    same = Transcriber(loaded, transcriber.config).transcribe_array(np.tile(audio, 3)).hits
    assert found and [(h.time, h.drum) for h in found] == [(h.time, h.drum) for h in same]


def test_another_part_is_refused_where_the_weights_are_not_its_own(tmp_path: Path) -> None:
    path, config = tmp_path / "a.safetensors", CONFIGS["conformer"]
    save_checkpoint(path, config, DrumModel(config).state_dict(), {}, {})
    with safe_open(path, framework="pt") as file:
        header = dict(file.metadata())
    values = {**config.to_dict(), "encoder": "gru"}
    save_file(load_file(path), path, metadata={**header, "config": json.dumps(values)})
    with pytest.raises(CheckpointError, match="weights do not fit the configuration"):
        load_model(path)


@pytest.mark.parametrize("name", CHANGES)
def test_a_header_that_asks_for_gigabytes_is_refused_before_they_are_allocated(
    tmp_path: Path, name: str
) -> None:
    path, config = tmp_path / "a.safetensors", CONFIGS[name]
    save_checkpoint(path, config, DrumModel(config).state_dict(), {}, {})
    with safe_open(path, framework="pt") as file:
        header = dict(file.metadata())
    sizes = {"width": 4096, "encoder_layers": 64, "feed_forward": 64, "stem_channels": 4096}
    header["config"] = json.dumps({**config.to_dict(), **sizes})
    save_file(load_file(path), path, metadata=header)
    with pytest.raises(CheckpointError, match="file is too small"):
        load_model(path)


@pytest.mark.parametrize("name", CHANGES)
def test_onnx_refuses_in_one_line(tmp_path: Path, name: str) -> None:
    pytest.importorskip("onnxruntime")
    from scripts.export_onnx import main as export

    path, config = tmp_path / "a.safetensors", CONFIGS[name]
    save_checkpoint(path, config, DrumModel(config).state_dict(), {}, {})
    with pytest.raises(CheckpointError, match="only networks of the usual parts are exported") as error:
        Transcriber.load(path, runtime="onnx")
    assert "\n" not in str(error.value) and all(part in str(error.value) for part in config.variants)
    assert export(["--checkpoint", str(path), "--output", str(tmp_path / "out")]) == 1
    assert not list(tmp_path.glob("out/*.onnx"))


def test_classes_of_an_instrument_share_one_probability() -> None:
    outputs = 5 * torch.randn(3, 26, generator=torch.Generator().manual_seed(0))
    p = torch.sigmoid(one_way(outputs))
    for instrument in set(INSTRUMENT_OF):
        own = [drum for drum, other in enumerate(INSTRUMENT_OF) if other == instrument]
        ways = torch.softmax(torch.cat((torch.zeros(3, 1), outputs[:, own]), dim=1), dim=1)
        torch.testing.assert_close(p[:, own], ways[:, 1:], atol=1e-6, rtol=1e-4)
    both = torch.full((1, 26), 9.0)
    snare = [CLASS_INDEX["snare_head"], CLASS_INDEX["rim_shot"]] if "rim_shot" in CLASS_INDEX else [1, 2]
    assert float(torch.sigmoid(one_way(both))[0, snare].sum()) <= 1.0
    extreme = torch.tensor([[200.0, -200.0] * 13]).requires_grad_()
    one_way(extreme).sum().backward()
    assert extreme.grad is not None and extreme.grad.isfinite().all()


def test_a_gate_weights_bands_and_nothing_else() -> None:
    torch.manual_seed(0)
    gate, image = FrequencyGate(4), torch.rand(2, 3, 4, 5) + 0.5
    weight = gate(image) / image
    assert torch.allclose(weight, weight[:, :1, :, :1].expand_as(weight), atol=1e-6)
    assert weight.min() > 0 and weight.max() < 2 and float(weight[0, 0, :, 0].std()) > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": "lstm"}, "encoder 'lstm' is not one of transformer, conformer, gru"),
        ({"stem": "patch", "frequency_gate": True}, "no frequency_gate"),
        ({"stem": "patch", "audio": AudioConfig(mel_bands=24)}, "multiples of 16, not 24"),
        ({"stem": "fused", "audio": AudioConfig(windows=(1024,), mel_bands=32)}, "at least two windows"),
        ({"frequency_gate": "yes"}, "neither true nor false"),
    ],
)
def test_parts_that_do_not_exist_or_go_together(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)  # type: ignore[arg-type]
