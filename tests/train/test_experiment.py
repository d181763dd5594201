"""One experiment after another: likelihoods by hand, plans of sweeps, and fine-tuning on a miniature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from scipy.io import wavfile
from torch.nn import functional

from data.example import frame_targets
from data.shards.read import StoredClip, read_clips
from data.shards.write import make_shards
from mt3drum.config import PRESETS, SAMPLE_RATE
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import read_header, save_checkpoint
from mt3drum.model.loss import LossConfig, token_loss
from mt3drum.model.network import DrumModel
from scripts import finetune, sweep
from tests.small_runs import BeepShards, beeps
from tokenizer.encode import encode
from tokenizer.hits import Hit
from tokenizer.midi import write_midi
from train.config import load_config
from train.experiment import fingerprint, nats, rendered_f, with_tuned_decoding

TINY = PRESETS["tiny"]


def checkpoint(path: Path, seed: int = 0, **decoding: Any) -> Path:
    torch.manual_seed(seed)
    save_checkpoint(path, TINY, DrumModel(TINY).state_dict(), DecodeConfig(**decoding).to_dict(), {"step": 1})
    return path


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("validation")
    make_shards(folder, BeepShards(split="validation", shards=1, per_shard=2, seconds=4.0, seed=9))
    return folder


def test_likelihoods_by_hand(tmp_path: Path) -> None:
    """One segment: a token's mean nats, and the binary cross-entropy of all cells in a second."""
    path = checkpoint(tmp_path / "a.safetensors", onset_bias=-1.5)
    audio, hits = beeps(4.0, np.random.default_rng(0))
    clip = StoredClip("a", audio, None, list(hits), "")
    found = nats(path, [clip])
    from mt3drum.model.checkpoint import load_model

    model = load_model(path)[0]
    codec = TINY.codec
    tokens = torch.tensor([encode(codec, hits).ids])
    with torch.inference_mode():
        encoded, logits = model(model.features(torch.from_numpy(audio)[None]), tokens)
    plain = LossConfig(time_sigma=0.0, family_weight=0.0)
    total = float(token_loss(codec, logits, tokens, plain)[0])
    assert found["token_nats"] == pytest.approx(total / tokens.shape[1], rel=1e-4)
    onset = torch.from_numpy(frame_targets(hits, codec)[0])[None]
    cells = functional.binary_cross_entropy_with_logits(encoded.onset_logits - 1.5, onset, reduction="sum")
    assert found["onset_nats"] == pytest.approx(float(cells) / codec.segment_seconds, rel=1e-4)


def test_a_checkpoint_is_tuned_once(
    tmp_path: Path, validation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoint(tmp_path / "a.safetensors", scheme="8")
    calls = []

    def tune(model: Any, clips: Any, report: Any, given: Any, taught: Mapping[str, Any]) -> tuple[Any, list]:
        calls.append(len(clips))
        return replace(DecodeConfig(onset_bias=-2.0), scheme=taught["scheme"]), []

    monkeypatch.setattr("train.experiment.tune", tune)
    tuned = with_tuned_decoding(path, validation)
    assert with_tuned_decoding(path, validation) == tuned and calls == [2]
    decoding = read_header(tuned)["decoding"]
    assert (decoding["onset_bias"], decoding["scheme"]) == (-2.0, "8")


PLAN: dict[str, Any] = {
    "base": {"preset": "tiny", "batch": 2, "shards": "shards"},
    "ranges": {
        "learning_rate": {"log": [1e-4, 1e-2]},
        "loss.onset_positive": [1.0, 8.0],
        "loss.onset_weight": {"choice": [0.5, 2.0]},
    },
    "draws": 4,
    "rungs": [2, 4],
}


def written(path: Path, **changes: Any) -> Path:
    path.write_text(yaml.safe_dump({**PLAN, **changes}))
    return path


def test_draws_are_of_their_ranges_and_the_same_in_every_rung(tmp_path: Path) -> None:
    plan = sweep.read_plan(written(tmp_path / "plan.yaml"))
    draws = [plan.settings(draw, 2) for draw in range(40)]
    assert plan.settings(3, 4) == draws[3] | {"steps": 4}
    assert all(1e-4 <= one["learning_rate"] <= 1e-2 for one in draws)
    small = sum(one["learning_rate"] < 1e-3 for one in draws)
    assert 10 < small < 30, "logarithmic: half of them"
    assert {one["loss"]["onset_weight"] for one in draws} == {0.5, 2.0}
    assert len({one["loss"]["onset_positive"] for one in draws}) > 30


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ranges": {"learning_rate": {"log": [0.0, 1.0]}}}, "must be positive"),
        ({"ranges": {"learning_rate": 3}}, "must be"),
        ({"ranges": {"learning_rate": [2.0, 1.0]}}, "low, high"),
        ({"ranges": {"loss.focal": [0.0, 1.0]}}, "unknown settings focal"),
        ({"rungs": [4, 2]}, "rising"),
        ({"draw": 1}, "must hold base"),
    ],
)
def test_plans_are_checked(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        sweep.read_plan(written(tmp_path / "plan.yaml", **changes))
    assert "plan.yaml" in str(error.value) and "\n" not in str(error.value)


def test_the_better_half_goes_on(
    tmp_path: Path, validation: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = []

    def run_training(settings: Mapping[str, Any], place: Path) -> Path:
        trained.append((settings["steps"], settings["learning_rate"]))
        place.mkdir(parents=True)
        (place / "rate").write_text(str(settings["learning_rate"]))
        return place / "last.safetensors"

    def likelihood(path: Path, clips: Any) -> dict[str, float]:
        return {"token_nats": float((path.parent / "rate").read_text()), "onset_nats": 0.0}

    monkeypatch.setattr(sweep, "run_training", run_training)
    monkeypatch.setattr(sweep, "with_tuned_decoding", lambda path, *_: path)
    monkeypatch.setattr(sweep, "nats", likelihood)
    arguments = [str(written(tmp_path / "plan.yaml")), "--validation", str(validation)]
    arguments += ["--output", str(tmp_path / "out")]
    assert sweep.main(arguments) == 0
    first = sorted(rate for steps, rate in trained if steps == 2)
    assert len(first) == 4 and sorted(rate for steps, rate in trained if steps == 4) == first[:2]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 and f"| {first[0]} |" in lines[2], "the best of the last rung leads"
    assert sweep.main(arguments) == 0 and len(trained) == 6, "what is done is kept"
    assert len(json.loads((tmp_path / "out" / "results.json").read_text())) == 6


def test_other_settings_and_other_data_are_another_experiment(validation: Path, tmp_path: Path) -> None:
    make_shards(tmp_path, BeepShards(split="validation", shards=1, per_shard=1, seconds=4.0))
    one = fingerprint({"steps": 1}, validation)
    assert one == fingerprint({"steps": 1}, validation)
    assert len({one, fingerprint({"steps": 2}, validation), fingerprint({"steps": 1}, tmp_path)}) == 3


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Six songs of beeps with their MIDI files."""
    folder = tmp_path / "songs"
    folder.mkdir()
    for number in range(6):
        audio, hits = beeps(4.0, np.random.default_rng(number))
        wavfile.write(folder / f"song {'abcdef'[number]}.wav", SAMPLE_RATE, audio)
        write_midi(
            [Hit(hit.time, hit.drum, hit.velocity) for hit in hits], folder / f"song {'abcdef'[number]}.mid"
        )
    return folder


def test_fine_tuning_writes_what_changed_in_both_worlds(
    songs: Path, validation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = checkpoint(tmp_path / "before.safetensors", onset_weight=1.0, onset_bias=1.25)
    asked: dict[str, Any] = {}

    def run_training(settings: Mapping[str, Any], place: Path) -> Path:
        asked.update(settings)
        file = tmp_path / "asked.yaml"
        file.write_text(yaml.safe_dump(dict(settings)))
        config = load_config(file)
        assert config.freeze == ("stem",) and config.shard_weights == (0.75, 0.25)
        place.mkdir(parents=True)
        return checkpoint(place / "last.safetensors", 1)

    monkeypatch.setattr(finetune, "run_training", run_training)
    arguments = [str(songs), "--output", str(tmp_path / "out"), "--replay", str(validation)]
    arguments += ["--validation", str(validation), "--checkpoint", str(before), "--replay-share", "0.25"]
    arguments += ["--split-shares", "50,0,50", "--clips", "2"]
    assert finetune.main(arguments) == 0
    assert asked["initial"] == str(before) and asked["shards"].endswith(f",{validation}}}")
    text = (tmp_path / "out" / "finetune.md").read_text()
    assert text.count("| own test |") == text.count("| rendered |") == 3
    after = tmp_path / "out" / "finetuned.safetensors"
    decoding = read_header(after)["decoding"]
    assert (decoding["onset_weight"], decoding["onset_bias"]) == (1.0, 1.25), "inherited"
    clips = list(read_clips(validation, 2))
    for path, column in ((before, 4), (after, 5)):
        f = rendered_f(path, clips, {}, ("26",))["26"]
        (row,) = [line for line in text.splitlines() if line.startswith("| rendered | 2 | 26 |")]
        assert f"{f:.3f}" == row.split("|")[column].strip()


def test_a_split_without_recordings_is_refused(
    songs: Path, validation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(songs), "--output", str(tmp_path / "out"), "--replay", str(validation)]
    assert finetune.main([*arguments, "--validation", str(validation), "--split-shares", "1,0,0"]) == 1
    assert "none is for test" in capsys.readouterr().err


@pytest.mark.slow
def test_two_points_are_trained_tuned_and_compared(
    tmp_path: Path, validation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing stands in for anything: two runs of two steps, their decoding tuned, the table of both."""
    make_shards(tmp_path / "shards", BeepShards(shards=1))
    base = {"preset": "tiny", "batch": 2, "shards": str(tmp_path / "shards"), "bfloat16": False}
    plan = written(tmp_path / "plan.yaml", base=base, draws=2, rungs=[2])
    arguments = [
        str(plan),
        "--validation",
        str(validation),
        "--output",
        str(tmp_path / "out"),
        "--clips",
        "1",
    ]
    assert sweep.main(arguments) == 0
    assert len(list((tmp_path / "out").glob("draw-*-2-*/tuned.safetensors"))) == 2
    assert capsys.readouterr().out.count("\n") == 4
    assert all(
        0 < found["token_nats"] < 20
        for found in json.loads((tmp_path / "out" / "results.json").read_text()).values()
    )
