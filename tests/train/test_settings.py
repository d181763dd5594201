"""One tree of settings, merged from files, overrides and machine; what is shipped keeps its meaning."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from mt3drum.config import PRESETS, AudioConfig, ModelConfig
from mt3drum.model.checkpoint import save_checkpoint
from mt3drum.model.network import DrumModel
from scripts.ablate import CONFIG as ABLATIONS
from tests import ROOT
from train import config as module
from train import precision
from train.config import MACHINES, OVERLAYS, TrainConfig, from_mapping, load_config, model_config
from train.explain import explained, field_docs
from train.main import main, overrides
from train.run import build_model

SMALL = ROOT / "train" / "configs" / "small.yaml"
BASE = TrainConfig(
    "datasets/ablation",
    preset="mini",
    batch=8,
    steps=500,
    learning_rate=2e-3,
    warmup_steps=50,
    ema=0.99,
    validate_every=1_000_000,
    save_every=1_000_000,
)


@pytest.fixture(autouse=True)
def on_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "detect_machine", lambda: "cpu")


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_value_beside_an_override_stays(tmp_path: Path) -> None:
    path = write(tmp_path, "run.yaml", "shards: x\nloss: {family_weight: 0.0, time_sigma: 0.5}\n")
    for item in ("loss.focal_gamma=2", "loss={focal_gamma: 2}"):
        found = load_config(path, overrides([item])).loss
        assert (found.focal_gamma, found.family_weight, found.time_sigma) == (2.0, 0.0, 0.5)


def test_later_files_and_overrides_win_value_by_value(tmp_path: Path) -> None:
    first = write(tmp_path, "a.yaml", "shards: x\nbatch: 2\naugment: {speed_range: 0.01, band_low: -9}\n")
    second = write(tmp_path, "b.yaml", "batch: 3\naugment.band_low: -8\n")
    found = load_config([first, second], overrides(["seed=4", "augment.band_low=-7", "seed=5"]))
    assert (found.batch, found.seed, found.augment.speed_range) == (3, 5, 0.01)
    assert found.augment.band_low == -7 and load_config([first, second]).augment.band_low == -8
    assert load_config([second, first]).batch == 2


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("loss.gamma=1", "loss: unknown settings gamma"),
        ("steps.x=1", "steps {'x': 1} must be of kind int"),
        ("model=3", "model: must hold"),
        ("model.audio=3", "audio: must hold"),
        ("model.windows=7", "windows 7 must be a list"),
        ("model.depth=3", "not a model configuration: .*depth"),
        ("model.dropout=1.5", "dropout 1.5 is outside 0..1"),
        ("model.segment_seconds=x", "segment_seconds 'x' must be a number"),
        ("machine=gpu", "machine 'gpu' is not one of auto, cpu, mps, cuda"),
        ("preset=huge", "preset 'huge' is not one of tiny"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, item: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_config(write(tmp_path, "run.yaml", "shards: x\n"), overrides([item]))


def test_the_section_model_changes_the_preset(tmp_path: Path) -> None:
    path = write(tmp_path, "run.yaml", "shards: x\npreset: mini\nmodel: {dropout: 0.1}\n")
    items = ["model.encoder_layers=5", "model.windows=[512, 2048]", "model.segment_seconds=2"]
    found = load_config(path, overrides(items))
    network = model_config(found)
    expected = dataclasses.replace(
        PRESETS["mini"],
        dropout=0.1,
        encoder_layers=5,
        audio=AudioConfig(windows=(512, 2048)),
        codec=dataclasses.replace(PRESETS["mini"].codec, segment_steps=200),
    )
    assert network == expected and found.augment.seconds == 2.0
    assert load_config(path, {"model": {"width": PRESETS["mini"].width, "dropout": 0.0}}).model == {}


def plan() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(ABLATIONS.read_text())
    return found


def loss(**values: Any) -> dict[str, Any]:
    return {"loss": dataclasses.replace(BASE.loss, **values)}


def augment(**values: Any) -> dict[str, Any]:
    return {"augment": dataclasses.replace(BASE.augment, **values)}


MEANT: dict[str, dict[str, Any]] = {
    "base": {},
    "base, seed 1": {"seed": 1},
    "base, seed 2": {"seed": 2},
    "accompaniment off": augment(band_probability=0.0),
    "onset head off": loss(onset_weight=0.0),
    "soft time off": loss(time_sigma=0.0),
    "grammar mask in the loss off": loss(grammar_mask=False),
    "one window": {"model": {"audio": {"windows": [1024]}}},
    "family term off": loss(family_weight=0.0),
    "focal, gamma 2": loss(focal_gamma=2.0),
    "class weights, exponent 0.5": loss(class_weight=0.5),
    "hit mixing 0.3": augment(hit_mixing_probability=0.3),
    "SpecAugment off": {"spec_augment": 0.0},
    "EMA off": {"ema": 0.0},
    "4 kits": {"shards": "datasets/ablation-4-kits"},
    "16 kits": {"shards": "datasets/ablation-16-kits"},
    "all kits, 1,600 clips": {"shards": "datasets/ablation-all-kits"},
}
"""What the entries of ablations.yaml that train meant before settings were merged deeply."""


def test_every_shipped_configuration_means_what_it_meant(tmp_path: Path) -> None:
    small = TrainConfig("datasets/train", validation="datasets/validation", preset="small", steps=6000)
    assert load_config(SMALL) == dataclasses.replace(small, machine="cpu")
    assert model_config(load_config(SMALL)) == ModelConfig()
    trained = {name: entry for name, entry in plan()["runs"].items() if "of" not in entry}
    assert set(MEANT) <= set(trained)
    base = write(tmp_path, "base.yaml", yaml.safe_dump(plan()["base"]))
    for name, change in MEANT.items():
        found = load_config(base, trained[name].get("set", {}))
        assert found == dataclasses.replace(BASE, machine="cpu", **change), name
        windows = (1024,) if name == "one window" else (1024, 4096)
        expected = dataclasses.replace(PRESETS["mini"], audio=AudioConfig(windows=windows))
        assert model_config(found) == expected, name


def test_windows_of_older_settings_are_read() -> None:
    assert from_mapping({"shards": "x", "windows": [1024]}).model == {"audio": {"windows": [1024]}}
    assert from_mapping({"shards": "x", "windows": []}).model == {}


@pytest.mark.parametrize("machine", MACHINES)
def test_every_machine_has_an_overlay_that_the_settings_beat(tmp_path: Path, machine: str) -> None:
    overlay = yaml.safe_load((OVERLAYS / f"{machine}.yaml").read_text())
    found = load_config(write(tmp_path, "run.yaml", f"shards: x\nmachine: {machine}\n"))
    assert found.machine == machine and all(getattr(found, name) == value for name, value in overlay.items())
    assert load_config(write(tmp_path, "run.yaml", f"shards: x\nmachine: {machine}\nworkers: 9")).workers == 9


def test_auto_is_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "run.yaml", "shards: x\nbfloat16: auto\n")
    monkeypatch.setattr(precision, "fastest_dtype", lambda _: torch.float32)
    assert load_config(path).machine == "cpu" and load_config(path).bfloat16 is False
    monkeypatch.setattr(precision, "fastest_dtype", lambda _: torch.bfloat16)
    assert load_config(path).bfloat16 is True
    monkeypatch.setattr(module, "detect_machine", lambda: "cuda")
    assert load_config(path).machine == "cuda" and load_config(path).bfloat16 is True


@pytest.mark.parametrize(
    ("settings", "fast"),
    [
        ("preset: tiny\nbatch: 64", False),  # measured: 0.81 to 0.97 times as fast
        ("preset: mini\nbatch: 1", False),  # 1.07, within the noise
        ("preset: mini\nbatch: 2", True),
        ("preset: small\nbatch: 1", True),  # 1.17
        ("preset: mini\nbatch: 2\nmodel: {width: 96}", False),
    ],
)
def test_auto_is_bfloat16_where_that_is_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, fast: bool
) -> None:
    path = write(tmp_path, "run.yaml", f"shards: x\nbfloat16: auto\n{settings}\n")
    monkeypatch.setattr(module, "detect_machine", lambda: "cpu")
    monkeypatch.setattr(precision, "fastest_dtype", lambda _: torch.bfloat16)
    assert load_config(path).bfloat16 is fast
    monkeypatch.setattr(precision, "fastest_dtype", lambda _: torch.float32)
    assert load_config(path).bfloat16 is False
    monkeypatch.setattr(module, "detect_machine", lambda: "cuda")
    assert load_config(path).bfloat16 is True
    assert load_config(path, {"bfloat16": False}).bfloat16 is False


def test_what_is_printed_reads_back_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "run.yaml", "shards: 'a: b #c'\npreset: mini\nmodel: {windows: [1024]}\n")
    items = ("--set", "loss.focal_gamma=2", "--set", "learning_rate=1e-5", "--set", "development_mixes=[]")
    assert main(["--config", str(path), *items, "--print-config"]) == 0
    text = capsys.readouterr().out
    before = load_config(path, overrides(list(items[1::2])))
    assert load_config(write(tmp_path, "printed.yaml", text)) == before
    for owner in (TrainConfig, type(before.loss), type(before.augment)):
        docs = field_docs(owner)
        assert docs and all(doc.split()[0] in text for doc in docs.values())
    assert "# Segments per rank and micro-batch.\nbatch: 8\n" in text and "  focal_gamma: 2.0\n" in text
    assert explained(before) == text


def test_weights_and_a_network_that_differ_are_refused(tmp_path: Path) -> None:
    first = tmp_path / "tiny.safetensors"
    save_checkpoint(first, PRESETS["tiny"], DrumModel(PRESETS["tiny"]).state_dict(), {}, {})
    assert build_model(TrainConfig("x", initial=str(first))).config == PRESETS["tiny"]
    for settings in (
        {"preset": "mini"},
        {"model": {"width": 64}},
        {"preset": "tiny", "model": {"width": 64}},
    ):
        with pytest.raises(ValueError, match=r"tiny\.safetensors: another network .*width 32 -> "):
            build_model(TrainConfig("x", initial=str(first), **settings))
    changed = build_model(TrainConfig("x", initial=str(first), model={"dropout": 0.2}))
    assert changed.config.dropout == 0.2


def test_checkpointing_changes_no_gradient_and_keeps_less() -> None:
    kept, gradients = [], []
    for checkpointing in (False, True):
        model = build_model(TrainConfig("x", preset="tiny", checkpointing=checkpointing))
        size = model.config
        generator = torch.Generator().manual_seed(0)
        mel = torch.randn(1, 2, size.audio.mel_bands, size.codec.segment_steps, generator=generator)
        sizes = [0]

        def pack(tensor: torch.Tensor, sizes: list[int] = sizes) -> torch.Tensor:
            sizes[0] += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            encoded, logits = model(mel, torch.full((1, 12), 5))
        (encoded.onset_logits.square().sum() + logits.square().mean()).backward()
        kept.append(sizes[0])
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    assert kept[1] < 0.7 * kept[0]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
