"""Parts of a checkpoint, from fewer labels to more, and parts that stand still."""

from __future__ import annotations

import json
import logging
import math
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mt3drum.config import PRESETS
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import load_model, read_header, save_checkpoint
from mt3drum.model.network import DrumModel
from mt3drum.model.stem import FRAMES_PER_STATE
from mt3drum.transcriber import Transcriber
from tests.small_runs import at_step, bare, curve, run_main, same_curves
from tokenizer.codec import NUM_SPECIAL
from tokenizer.drums import CLASS_INDEX, NUM_CLASSES, SCHEMES
from train.config import TrainConfig
from train.run import build_model, labelled_counts
from train.transfer import spread

TINY = PRESETS["tiny"]


def saved(path: Path, **decoding: object) -> DrumModel:
    torch.manual_seed(7)
    model = DrumModel(TINY)
    for value in model.parameters():
        value.data += 0.1 * torch.randn_like(value)
    save_checkpoint(path, TINY, model.state_dict(), decoding, {})
    return load_model(path)[0]


def test_parts_are_copied_and_the_rest_is_new(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = saved(tmp_path / "first.safetensors").state_dict()
    config = TrainConfig(
        "shards",
        preset="tiny",
        model={"decoder_layers": 2},
        initial=str(tmp_path / "first.safetensors"),
        initial_parts=("stem", "encoder"),
    )
    with caplog.at_level(logging.INFO, logger="train"):
        model = build_model(config)
    for name, value in model.state_dict().items():
        if name.startswith(("stem.", "encoder.")):
            assert torch.equal(value, first[name]), name
    assert not torch.equal(model.state_dict()["onset_head.weight"], first["onset_head.weight"])
    assert model.config.decoder_layers == 2
    assert "stem, encoder; new: decoder, onset_head, embedding" in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"initial_parts": ("encoders",)}, "no part 'encoders'; there are stem, encoder"),
        ({"initial_parts": ("stem",), "model": {"stem_channels": 8}}, "stem.* cannot be taken"),
        ({"initial_parts": ("encoder",), "model": {"encoder_layers": 2}}, "is missing"),
        ({"model": {"encoder_layers": 2}}, "another network"),
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path: Path, settings: dict, message: str) -> None:
    saved(tmp_path / "first.safetensors")
    config = TrainConfig("shards", preset="tiny", initial=str(tmp_path / "first.safetensors"), **settings)
    with pytest.raises(ValueError, match=message):
        build_model(config)


def test_every_class_begins_as_its_label() -> None:
    torch.manual_seed(0)
    weights = DrumModel(TINY).state_dict()
    found = spread(weights, TINY, "8")
    toms = [CLASS_INDEX[name] for name in CLASS_INDEX if "tom" in name]
    kick, tom = CLASS_INDEX["kick"], toms[0]
    first = TINY.codec.first_drum
    for name, start in (("embedding.weight", first), ("other_head.weight", NUM_SPECIAL)):
        own = weights[name][start + tom]
        rows = found[name][[start + drum for drum in toms]]
        assert (rows - own).abs().max() < 0.5 * own.std() and not torch.equal(rows[0], rows[1])
        assert torch.equal(found[name][start + kick], weights[name][start + kick]), "a label of one class"
    assert torch.equal(found["embedding.weight"][:first], weights["embedding.weight"][:first])
    bias = found["other_head.bias"] - weights["other_head.bias"][NUM_SPECIAL + tom]
    assert bias[NUM_SPECIAL + toms[3]] == pytest.approx(-math.log(8), abs=1e-5), "eight toms share it"
    heads = [w["onset_head.bias"].unflatten(0, (FRAMES_PER_STATE, 2, NUM_CLASSES)) for w in (weights, found)]
    torch.testing.assert_close(heads[1][:, 0, toms[5]], heads[0][:, 0, tom] - math.log(8))
    assert torch.equal(heads[1][:, 1, toms[5]], heads[0][:, 1, tom]), "velocities are not divided"


def test_a_run_at_eight_labels_then_one_at_all(config: Path, tmp_path: Path) -> None:
    few = bare(config, tmp_path, steps=2, scheme=8)
    assert run_main(few, tmp_path / "few") == 0
    checkpoint = tmp_path / "few" / "last.safetensors"
    assert read_header(checkpoint)["decoding"] == {"scheme": "8"}
    transcriber = Transcriber.load(checkpoint, "cpu", decoder="frames", onset_bias=8.0)
    assert transcriber.config.scheme == "8"
    written = {hit.drum for hit in transcriber.transcribe_array(torch.randn(44_100).numpy()).hits}
    assert written and written <= set(SCHEMES["8"].first_class)
    with pytest.raises(ValueError, match="scheme 26: this checkpoint tells only 8 labels apart"):
        Transcriber.load(checkpoint, "cpu", scheme="26")
    assert DecodeConfig(scheme="8").with_options({"scheme": "5"}).scheme == "5"
    every = bare(config, tmp_path, steps=2, initial=str(checkpoint), preset="")
    assert run_main(every, tmp_path / "every") == 0
    assert read_header(tmp_path / "every" / "last.safetensors")["decoding"] == {"scheme": "26"}


def test_a_specialist_decodes_its_classes(config: Path, tmp_path: Path) -> None:
    assert run_main(bare(config, tmp_path, steps=1, classes=["tom", "kick"]), tmp_path / "run") == 0
    classes = read_header(tmp_path / "run" / "last.safetensors")["decoding"]["classes"]
    assert classes == [0, *(CLASS_INDEX[name] for name in CLASS_INDEX if "tom" in name)]


@pytest.mark.parametrize("stage", [0, 1])
def test_frozen_parts_stand_still_and_thaw_over_a_resume(config: Path, tmp_path: Path, stage: int) -> None:
    """Four steps frozen, two that learn; a run that is cut at the third goes on exactly."""
    settings = tmp_path / "deepspeed.json"
    settings.write_text(json.dumps({"zero_optimization": {"stage": stage}}))
    more = ("--deepspeed_config", str(settings))
    freeze = {"freeze": ["stem", "encoder"], "freeze_steps": 4, "save_every": 2, "warmup_steps": 0}
    short = bare(config, tmp_path, steps=6, **freeze)
    before = build_model(TrainConfig("shards", preset="tiny")).state_dict()
    with pytest.MonkeyPatch.context() as patch:
        at_step(patch, 2, lambda: signal.raise_signal(signal.SIGTERM))
        assert run_main(short, tmp_path / "cut", *more) == 0
    third = load_file(tmp_path / "cut" / "state-3" / "model.safetensors")
    frozen = [name for name in before if name.startswith(("stem.", "encoder."))]
    assert any("running_mean" in name for name in frozen)
    assert all(torch.equal(third[name], before[name]) for name in frozen), "statistics too"
    assert not torch.equal(third["onset_head.weight"], before["onset_head.weight"])
    assert run_main(short, tmp_path / "cut", *more) == 0
    assert run_main(short, tmp_path / "whole", *more) == 0
    same_curves(curve(tmp_path / "cut" / "losses.jsonl"), curve(tmp_path / "whole" / "losses.jsonl"))
    last = load_file(tmp_path / "cut" / "state-6" / "model.safetensors")
    other = load_file(tmp_path / "whole" / "state-6" / "model.safetensors")
    assert all(torch.equal(last[name], other[name]) for name in last)
    moved = [
        name for name in frozen if "num_batches" not in name and not torch.equal(last[name], before[name])
    ]
    assert len(moved) > len(frozen) // 2, "they have thawed"


@pytest.mark.parametrize(
    "settings",
    [
        {"freeze": ("stem",)},
        {"freeze_steps": 3},
        {"initial_parts": ("stem",)},
        {"scheme": "12"},
        {"fraction": 0.0},
    ],
)
def test_half_given_settings_are_refused(settings: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        replace(TrainConfig("shards"), **settings)


def test_classes_are_weighted_as_they_are_labelled() -> None:
    hits = {"kick": 5, "tom1_head": 2, "floor_tom_rim": 3, "aux1": 7}
    config = TrainConfig("shards", scheme="8", classes=("kick", "tom"))
    found = labelled_counts(config, hits)
    assert (found[0], found[CLASS_INDEX["tom1_head"]], sum(found)) == (5, 5, 10)
    assert labelled_counts(TrainConfig("shards"), hits)[CLASS_INDEX["floor_tom_rim"]] == 3
