"""ONNX Runtime in the place of torch: the same numbers, the same hits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mt3drum.config import PRESETS, ModelConfig
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import bundled, load_inference_model, save_checkpoint
from mt3drum.model.decoder_window import begin_windows, decode_window
from mt3drum.model.inference import InferenceModel
from mt3drum.model.network import DrumModel
from mt3drum.transcriber import RUNTIMES, Transcriber
from tests.mt3drum.model.test_decoder_step import TWO_LAYERS, random_model
from tests.synthetic import recording

onnx = pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")
pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")

from mt3drum.model.onnx_graph import decoder_graph, encoder_graph  # noqa: E402
from mt3drum.model.onnx_runtime import OnnxModel  # noqa: E402

WIDE = replace(TWO_LAYERS, width=128, head_width=64)  # half of a head is not turned


@pytest.mark.parametrize("config", [TWO_LAYERS, WIDE], ids=["two", "wide"])
@torch.inference_mode()
def test_encoder_steps_beams_and_windows_are_torchs(config: ModelConfig) -> None:
    weights = random_model(config).state_dict()
    ours, theirs = OnnxModel(config, weights), InferenceModel(config, weights)
    assert ours.decoder is not None and theirs.decoder is not None
    audio = 0.1 * torch.randn(3, config.segment_samples)
    here, there = ours.encode(audio), theirs.encode(audio)
    for name in ("time_keys", "onset_logits", "velocity"):
        torch.testing.assert_close(getattr(here, name), getattr(there, name), atol=2e-5, rtol=1e-4)
    for beams in (1, 3):
        caches = ours.decoder.begin(here, beams), theirs.decoder.begin(there, beams)
        for _ in range(40):  # the cache grows
            tokens = torch.randint(0, config.codec.size, (3, beams))
            step, expected = ours.decoder.step(caches[0], tokens), theirs.decoder.step(caches[1], tokens)
            torch.testing.assert_close(step, expected, atol=2e-5, rtol=1e-4)
    windows = begin_windows(ours.decoder, here), begin_windows(theirs.decoder, there)
    first = torch.zeros(3, dtype=torch.long)
    for number in range(12):
        tokens = torch.randint(0, config.codec.size, (3, 8))
        window = decode_window(ours.decoder, windows[0], tokens, first)
        expected = decode_window(theirs.decoder, windows[1], tokens, first)
        torch.testing.assert_close(window, expected, atol=2e-5, rtol=1e-4)
        first = first + torch.tensor([8, 1 + number % 3, 5])  # what was drafted wrong is overwritten
    assert first.max() > 64


def test_weights_of_a_checkpoint_are_stored_in_half_the_bytes_without_loss() -> None:
    model, _ = load_inference_model(bundled(), dtype=torch.float32)
    assert model.decoder is not None
    graphs = [graph.SerializeToString() for graph in (encoder_graph(model), decoder_graph(model.decoder))]
    assert sum(map(len, graphs)) < 1.05 * bundled().stat().st_size
    folded: dict[str, np.ndarray] = {}
    for proto in map(onnx.load_from_string, graphs):
        halves = {c.name: c for c in proto.graph.initializer if c.data_type == onnx.TensorProto.FLOAT16}
        assert len(halves) > 10
        folded |= {name: onnx.numpy_helper.to_array(c).astype(np.float32) for name, c in halves.items()}
    wanted = model.layers[0].ff_in[0].T.numpy()
    assert any(value.shape == wanted.shape and np.array_equal(value, wanted) for value in folded.values())
    query = model.decoder.layers[0].cross_q  # scaled by 1/8: its small weights are no float16
    assert query is not None
    stored = query.half().float()
    assert not torch.equal(stored, query)
    assert any(
        value.shape == query.T.shape and np.array_equal(value / 64, query.T) for value in folded.values()
    )


@pytest.mark.parametrize("beam", [1, 2])
def test_hits_are_torchs(beam: int) -> None:
    count = 4 if beam == 1 else 1
    both = [Transcriber.load(runtime=r, precision="float32", beam=beam) for r in RUNTIMES]
    for seed in range(count):
        theirs, ours = (each.transcribe_array(recording(seed)).hits for each in both)
        assert len(theirs) > 15
        assert [(hit.drum, hit.velocity) for hit in ours] == [(hit.drum, hit.velocity) for hit in theirs]
        for name in ("time", "confidence"):
            here, there = ([getattr(hit, name) for hit in hits] for hits in (ours, theirs))
            np.testing.assert_allclose(here, there, atol=1e-4)


def test_what_it_cannot_do_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="runtime onnx works on the cpu in float32, not on cpu in bfloat16"):
        Transcriber.load(device="cpu", runtime="onnx", precision="bfloat16")
    with pytest.raises(ValueError, match="runtime 'tflite' is not one of torch, onnx"):
        Transcriber.load(runtime="tflite")  # type: ignore[arg-type]
    alone = replace(PRESETS["tiny"], decoder_layers=0)
    path = tmp_path / "frames.safetensors"
    save_checkpoint(path, alone, DrumModel(alone).state_dict(), DecodeConfig().to_dict(), {})
    with pytest.raises(
        ValueError, match=r"frames\.safetensors: not for --runtime onnx: the model has no decoder"
    ):
        Transcriber.load(path, runtime="onnx")
