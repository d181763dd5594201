"""Several checkpoints: averages of probabilities, and specialists whose hits replace others'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mt3drum.config import PRESETS, ModelConfig
from mt3drum.decode.constraints import Narrowing
from mt3drum.decode.hypothesis import Hypothesis
from mt3drum.decode.onset_head import onset_probabilities, onset_tables
from mt3drum.decode.product import score
from mt3drum.decode.several import combined
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import CheckpointError, load_model, save_checkpoint
from mt3drum.model.ensemble import mean_logits
from mt3drum.model.network import DrumModel
from mt3drum.transcriber import Transcriber
from tokenizer.codec import EOS, Codec
from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.hits import Hit

TINY = replace(PRESETS["tiny"], codec=Codec(segment_steps=60))
WIDE = replace(TINY, width=48, head_width=24, encoder="conformer", decoder_layers=2)
FRAMES = replace(TINY, decoder_layers=0, encoder="gru")
AUDIO = 0.3 * np.random.default_rng(0).standard_normal(3 * 44_100).astype(np.float32)


def save(
    path: Path, config: ModelConfig = TINY, seed: int = 0, bias: float = 3.0, **decoding: object
) -> Path:
    torch.manual_seed(seed)
    model = DrumModel(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
        model.onset_head.bias.add_(bias)
    save_checkpoint(path, config, model.state_dict(), {"max_tokens": 40, **decoding}, {})
    return path


def hits(paths: Sequence[Path], batch: int = 32, **options: Any) -> list[tuple[float, int, int]]:
    transcriber = Transcriber.load(paths, "cpu", batch, "float32", loudness_pass=False, **options)
    found = transcriber.transcribe_array(AUDIO).hits
    return [(round(hit.time, 4), hit.drum, hit.velocity) for hit in found]


@pytest.mark.parametrize("options", [{"beam": 1}, {"beam": 3}, {"decoder": "frames", "onset_bias": 0.0}])
def test_copies_are_one_and_batches_do_not_matter(tmp_path: Path, options: dict[str, Any]) -> None:
    one, other = save(tmp_path / "a.safetensors"), save(tmp_path / "b.safetensors", WIDE, 3)
    alone = hits([one], **options)
    assert alone and hits([one, one], **options) == alone
    both = hits([one, other], **options)
    assert both != alone and both != hits([other], **options)
    assert hits([one, other], batch=1, **options) == both


@torch.inference_mode()
def test_probabilities_are_averaged_after_the_mask_of_the_grammar() -> None:
    codec, config = TINY.codec, DecodeConfig(onset_weight=0.0)
    probability = onset_probabilities(torch.randn(2, 60, 26), 0.0)
    tables = onset_tables(codec, probability, 60)
    logits = torch.randn(2, 2, 1, codec.size)
    logits[0, ..., codec.first_velocity :] = 50.0  # illegal at the start: nobody's business
    narrowing = Narrowing(codec, probability, config, 60)
    legal = narrowing.legal()
    found = score(logits.clone(), narrowing, tables, config, 60, False).decoder
    each = torch.softmax(logits.masked_fill(~legal, -torch.inf), dim=-1)
    expected = each.mean(0)
    torch.testing.assert_close(found.exp()[legal], expected[legal], atol=1e-6, rtol=1e-4)


def test_a_mean_of_logits_is_that_of_probabilities_and_does_not_saturate() -> None:
    logits = 4 * torch.randn(3, 5, dtype=torch.float64)
    torch.testing.assert_close(torch.sigmoid(mean_logits(logits)), torch.sigmoid(logits).mean(0))
    high = torch.tensor([[30.0, 31.0], [30.0, 32.0]])
    found = mean_logits(high)
    assert found[1] > found[0] > 29 and mean_logits(-high)[0] < -29


def test_each_has_its_own_bias(tmp_path: Path) -> None:
    """What one head inflates and its bias takes back is not averaged with another's."""
    plain = save(tmp_path / "a.safetensors", FRAMES, bias=5.0)
    inflated = tmp_path / "b.safetensors"
    model = DrumModel(FRAMES)
    torch.manual_seed(0)
    weights = load_model(plain)[0].state_dict()
    bias = weights["onset_head.bias"].clone().unflatten(0, (2, 2, -1))
    bias[:, 0] += 2.0
    frames = {"onset_bias": -3.0, "minimum_confidence": 0.0, "confidence_calibration": []}
    save_checkpoint(
        inflated, model.config, {**weights, "onset_head.bias": bias.flatten()}, {"frames": frames}, {}
    )
    own = {**frames, "onset_bias": -1.0}
    save_checkpoint(plain, model.config, weights, {"frames": own}, {})
    audio = torch.from_numpy(AUDIO[: FRAMES.segment_samples])[None]
    alone, both = (Transcriber.load(x, precision="float32") for x in ([plain], [plain, inflated]))
    expected, found = (each.model.encode(audio).onset_logits for each in (alone, both))
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)  # weights are stored in 16 bits
    assert both.config.onset_bias == -1.0


def test_one_without_a_decoder_lends_its_head(tmp_path: Path) -> None:
    whole, head = save(tmp_path / "a.safetensors"), save(tmp_path / "b.safetensors", FRAMES, 2)
    both = Transcriber.load([head, whole], precision="float32")
    assert both.model.decoder is not None and both.config.onset_weight == 0.5
    assert hits([head, whole]) == hits([whole, head]) != hits([whole])


def test_other_vocabularies_are_refused(tmp_path: Path) -> None:
    one = save(tmp_path / "a.safetensors")
    other = save(tmp_path / "b.safetensors", replace(TINY, codec=Codec(segment_steps=80)))
    with pytest.raises(CheckpointError, match="different vocabularies or segments cannot be averaged"):
        Transcriber.load([one, other])
    eight = save(tmp_path / "c.safetensors", scheme="8")
    with pytest.raises(CheckpointError, match="give --scheme"):
        Transcriber.load([one, eight])
    assert Transcriber.load([one, eight], scheme="8").config.scheme == "8"
    with pytest.raises(ValueError, match="runtime onnx takes one checkpoint"):
        Transcriber.load([one, one], runtime="onnx")


def taught(*families: str) -> list[int]:
    return [drum.index for drum in DRUMS if drum.family in families]


def test_a_specialist_has_its_families_and_the_others_the_rest(tmp_path: Path) -> None:
    general = save(tmp_path / "a.safetensors", minimum_confidence=0.0)
    special = save(
        tmp_path / "b.safetensors", seed=5, classes=taught("tom"), bias=4.5, minimum_confidence={"tom": 0.02}
    )
    alone, together = hits([general], exclusive_gap=0.0), hits([general, special], exclusive_gap=0.0)
    own = hits([special], exclusive_gap=0.0)
    assert [hit for hit in together if DRUMS[hit[1]].family != "tom"] == [
        hit for hit in alone if DRUMS[hit[1]].family != "tom"
    ]
    assert own and [hit for hit in together if DRUMS[hit[1]].family == "tom"] == own
    assert hits([special, general], exclusive_gap=0.0) == together
    config = Transcriber.load([general, special]).config
    assert config.least(CLASS_INDEX["tom1_head"]) == 0.02 and config.least(CLASS_INDEX["kick"]) == 0.0


def test_specialists_that_do_not_go_together(tmp_path: Path) -> None:
    general = save(tmp_path / "a.safetensors")
    toms = save(tmp_path / "b.safetensors", classes=taught("tom"))
    more = save(tmp_path / "c.safetensors", classes=taught("tom", "kick"))
    part = save(tmp_path / "d.safetensors", classes=[CLASS_INDEX["tom1_head"]])
    with pytest.raises(CheckpointError, match="tom belongs to two specialists"):
        Transcriber.load([general, toms, more])
    with pytest.raises(CheckpointError, match="taught a part of the family tom"):
        Transcriber.load([general, part])
    two = Transcriber.load([toms, save(tmp_path / "e.safetensors", classes=taught("kick"))])
    assert len(two.specialists) == 1 and two.config.classes == frozenset(taught("tom"))


def test_hits_are_joined_in_order() -> None:
    kick, tom = CLASS_INDEX["kick"], CLASS_INDEX["tom1_head"]
    general = Hypothesis((1, EOS), 0.0, (Hit(0.1, kick, 9), Hit(0.2, tom, 8)), (10, 20))
    special = Hypothesis((EOS,), 0.0, (Hit(0.05, tom, 7), Hit(0.3, kick, 6)), (5, 30), cut=True)
    found = combined(general, special, frozenset({"tom"}))
    assert found.hits == (Hit(0.05, tom, 7), Hit(0.1, kick, 9)) and found.steps == (5, 10) and found.cut
