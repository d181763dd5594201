"""Settings of a run: read, overridden, refused by name; and what the schedule makes of them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from mt3drum.model.checkpoint import read_header
from tests.small_runs import (
    bare,
    run_main,
)
from train.config import TrainConfig, load_config
from train.main import main
from train.optim import blank, learning_rate


def test_set_overrides_the_file(config: Path) -> None:
    found = load_config(config, {"steps": 7, "learning_rate": "1e-3", "loss": {"focal_gamma": 2}})
    assert found.steps == 7 and found.learning_rate == 1e-3 and found.batch == 2
    assert found.loss.focal_gamma == 2.0 and found.augment.seconds == 4.0


def test_set_on_the_command_line(config: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    changes = ("--set", "steps=1", "--set", "learning_rate=1e-3", "--set", "validation=")
    assert run_main(bare(config, tmp_path), output, *changes) == 0
    record = read_header(output / "last.safetensors")["training"]["config"]
    assert record["steps"] == 1 and record["learning_rate"] == 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("preset=huge", "preset 'huge' is not one of tiny, mini, small"),
        ("steps=0", "steps 0 must be at least 1"),
        ("steps=many", "steps 'many' must be of kind int"),
        ("steps=1.5", "steps 1.5 must be of kind int"),
        ("batch=yes", "batch True must be of kind int"),
        ("learning_rate=fast", "learning_rate 'fast' must be a number"),
        ("learning_rate=2", "learning_rate 2.0 and clip"),
        ("weight_decay=.nan", "weight_decay nan must be a number"),
        ("ema=1.5", "ema 1.5 is outside 0..1"),
        ("workers=-1", "workers -1 is negative"),
        ("bfloat16=1", "bfloat16 1 must be of kind bool"),
        ("development_mixes=drum_only", "development_mixes 'drum_only' must be a list"),
        ("loss={focal_gamma: -1}", "loss focal_gamma -1.0 is negative"),
        ("loss={gamma: 1}", "loss: unknown settings gamma"),
        ("loss=3", "loss: must hold"),
        ("augment={speed_range: 1}", "speed_range is 1.0, expected 0..0.3"),
        ("bogus=1", "unknown settings bogus"),
        ("shards=nowhere", "nowhere/manifest.json: no usable manifest"),
        ("validation=nowhere", "nowhere/manifest.json: no usable manifest"),
        ("development=nowhere", "nowhere: found no annotations/class"),
        ("initial=nowhere", "nowhere: not a readable safetensors file"),
        ("steps", "--set steps: must be NAME=VALUE"),
        ("steps={", "--set steps={: must be NAME=VALUE"),
    ],
)
def test_wrong_settings_are_named_in_one_line(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, message: str
) -> None:
    assert run_main(bare(config, tmp_path), tmp_path / "run", "--set", change) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and message in errors[0]


@pytest.mark.parametrize("content", ["- a\n- b\n", "steps: [\n", "\x00"])
def test_a_file_that_is_no_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(content)
    assert run_main(path, tmp_path / "run") == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {path}: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--config is needed"),
        (["--config", "{config}"], "--output is needed"),
        (["--config", "nowhere.yaml", "--output", "x"], "nowhere.yaml: not a readable YAML file"),
    ],
)
def test_missing_arguments(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main([argument.format(config=config) for argument in arguments]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a readable JSON file"),
        ("[1]", "not a readable JSON file"),
        ('{"bf16": {"enabled": true}}', "bf16 would keep the weights in half precision"),
        ('{"fp16": {"enabled": true}}', "fp16 would keep the weights in half precision"),
        ('{"zero_optimization": {"stage": 3}}', "ZeRO stage 3 partitions the weights"),
    ],
)
def test_a_deepspeed_json_that_does_not_fit(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    path = tmp_path / "deepspeed.json"
    path.write_text(content)
    assert run_main(bare(config, tmp_path), tmp_path / "run", "--deepspeed_config", str(path)) == 1
    assert f"error: {path}: {message}" in capsys.readouterr().err


def test_quick_test_is_for_one_rank(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["--quick-test"]) == 1
    assert "--quick-test runs on one rank" in capsys.readouterr().err


def test_example_shows_what_the_model_eats(config: Path, tmp_path: Path) -> None:
    assert main(["--config", str(config), "--example", str(tmp_path / "look")]) == 0
    assert {path.name for path in (tmp_path / "look").iterdir()} == {
        "example.wav",
        "example.png",
        "example.mid",
    }


def test_learning_rate_warms_up_and_falls_along_a_cosine() -> None:
    config = TrainConfig("x", steps=110, warmup_steps=10, learning_rate=0.01, final_learning_rate=0.1)
    rates = [learning_rate(config, step) for step in range(111)]
    np.testing.assert_allclose(rates[:10], 0.001 * np.arange(1, 11))
    assert rates[10] == pytest.approx(0.01)
    assert rates[60] == pytest.approx(0.01 * (0.1 + 0.9 * 0.5))
    assert rates[110] == pytest.approx(0.001)
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))


def test_blanking_is_a_function_of_its_integers() -> None:
    mel = torch.randn(16, 2, 64, 100, generator=torch.Generator().manual_seed(0))
    first, again, other = (blank(mel.clone(), 0.5, seed) for seed in ((0, 3), (0, 3), (0, 4)))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(blank(mel.clone(), 0.0, (0, 3)), mel)


def test_blanking_takes_a_band_or_a_short_stretch() -> None:
    mel = torch.randn(64, 2, 64, 100, generator=torch.Generator().manual_seed(0))
    changed = blank(mel.clone(), 1.0, (1,)) != mel
    bands = changed.all(3).all(1).sum(1)
    stretches = changed.all(2).all(1).sum(1)
    assert bands.min() >= 1 and bands.max() <= 1 + 0.12 * 64
    assert 0 in stretches and 1 <= stretches.max() <= 17
