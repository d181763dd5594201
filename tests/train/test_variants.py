"""Training of the network's variants: exact resumption, recomputed activations, class weights."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from mt3drum.model.checkpoint import read_header
from tests.small_runs import at_step, bare, curve, run_main, same_curves
from train.config import load_config
from train.run import build_model

FUSED = {"stem": "fused", "frequency_gate": True, "encoder": "conformer", "head": "instrument"}
PATCH = {"stem": "patch", "encoder": "gru"}


@pytest.mark.parametrize("model", [FUSED, PATCH], ids=["fused, conformer", "patch, gru"])
def test_a_run_resumes_exactly(config: Path, tmp_path: Path, model: dict[str, Any]) -> None:
    short = bare(config, tmp_path, steps=4, save_every=2, bfloat16=True, model=model)
    assert run_main(short, tmp_path / "whole") == 0
    with pytest.MonkeyPatch.context() as patch:
        at_step(patch, 1, lambda: signal.raise_signal(signal.SIGTERM))
        assert run_main(short, tmp_path / "cut") == 0
    assert run_main(short, tmp_path / "cut") == 0
    same_curves(curve(tmp_path / "cut" / "losses.jsonl"), curve(tmp_path / "whole" / "losses.jsonl"))
    found = read_header(tmp_path / "cut" / "last.safetensors")["config"]
    assert {name: getattr(found, name) for name in model} == model


@pytest.mark.parametrize("model", [FUSED, PATCH], ids=["fused, conformer", "patch, gru"])
def test_recomputed_activations_change_nothing(config: Path, tmp_path: Path, model: dict[str, Any]) -> None:
    gradients = []
    for checkpointing in (False, True):
        settings = load_config(bare(config, tmp_path, model=model, checkpointing=checkpointing))
        net = build_model(settings)
        audio = 0.3 * torch.randn(2, net.config.segment_samples, generator=torch.Generator().manual_seed(0))
        net.encode(audio).onset_logits.sin().sum().backward()
        gradients.append([weight.grad for weight in net.parameters() if weight.grad is not None])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_class_weights_are_not_for_the_instrument_head(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their correction of the biases is that of independent classes."""
    model, loss = {"head": "instrument"}, {"class_weight": 0.5}
    assert run_main(bare(config, tmp_path, model=model, loss=loss), tmp_path / "run") == 1
    assert "class_weight" in json.dumps(capsys.readouterr().err)
