"""The step of training and what goes wrong in it: cuts of a batch, early stopping, NaN, damaged data."""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import train.loop
import train.objective
import train.record
import train.run
import train.step
from data.example import LoaderConfig
from data.loader import make_loader
from data.shards.write import make_shards, shard_paths
from mt3drum.config import PRESETS
from mt3drum.model.checkpoint import read_header
from mt3drum.model.loss import losses
from tests.small_runs import (
    BeepShards,
    at_step,
    bare,
    curve,
    run_main,
    same_curves,
)
from train.config import TrainConfig, load_config
from train.launch import set_up_ranks
from train.main import make_engine
from train.objective import terms
from train.optim import blank, learning_rate
from train.run import Run, build_model, resume, start_run
from train.state import newest_state
from train.step import StopRequest, training_step
from train.validate import Group, Validation


def engine_of(config: Path, folder: Path, **settings: Any) -> Any:
    set_up_ranks()
    engine = make_engine(load_config(bare(config, folder, **settings), {}), None)
    engine.train()
    return engine


def batches_of(config: TrainConfig, number: int) -> Iterator[Any]:
    loader = make_loader(
        shard_paths(Path(config.shards)),
        PRESETS[config.preset].codec,
        LoaderConfig(config.batch, 0, config.seed, config.augment),
    )
    for batch, _ in zip(loader, range(number), strict=False):
        yield batch


def steps_of(config: Path, folder: Path, batch: int, accumulation: int) -> tuple[Run, list[dict[str, float]]]:
    """Three steps of eight segments, cut as stated; batch statistics, which differ by the cut, are frozen."""
    engine = engine_of(config, folder, batch=batch, accumulation=accumulation, spec_augment=0.0, clip=0.5)
    settings = load_config(folder / "bare.yaml", {})
    for module in engine.module.modules():
        if "BatchNorm" in type(module).__name__:
            module.eval()
    run = start_run(settings, engine, folder, 0, 1)
    batches = batches_of(settings, 3 * accumulation)
    found = []
    for _ in range(3):
        found.append(training_step(run, [next(batches) for _ in range(accumulation)], StopRequest()).scalars)
        run.progress.step += 1
    return run, found


def test_accumulated_steps_equal_whole_ones_and_plain_torch(config: Path, tmp_path: Path) -> None:
    whole, scalars = steps_of(config, tmp_path, batch=8, accumulation=1)
    cut, cut_scalars = steps_of(config, tmp_path, batch=4, accumulation=2)
    for one, other in zip(scalars, cut_scalars, strict=True):
        assert one == pytest.approx(other, abs=1e-5, rel=1e-5)
    plain = plain_steps(whole.config)
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(cut.model.state_dict()[name], value, atol=1e-5, rtol=0)
        torch.testing.assert_close(plain[name], value, atol=1e-5, rtol=0)
    assert all(line["optimizer/gradient_norm"] > 0.5 for line in scalars)  # so that clipping was tried


def plain_steps(config: TrainConfig) -> dict[str, torch.Tensor]:
    """The same without DeepSpeed: one loss, one clipping, AdamW."""
    model = build_model(config)
    for module in model.modules():
        if "BatchNorm" in type(module).__name__:
            module.eval()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=config.weight_decay)
    for number, batch in enumerate(batches_of(config, 3)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, number)
        encoded, logits = model(model.features(batch.audio), batch.tokens)
        sums = losses(
            model.config.codec, encoded, logits, batch.tokens, batch.onset, batch.velocity, config.loss
        )
        loss = sums.tokens / (batch.tokens != 0).sum() + sums.onsets / len(batch.audio)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
    return model.state_dict()


@pytest.mark.parametrize("stage", [1, 2])
def test_zero_by_json_and_autocast_resume_exactly(config: Path, tmp_path: Path, stage: int) -> None:
    settings = tmp_path / "deepspeed.json"
    settings.write_text(json.dumps({"zero_optimization": {"stage": stage}}))
    short = bare(config, tmp_path, steps=6, save_every=3, bfloat16=True)
    more = ("--deepspeed_config", str(settings))
    assert run_main(short, tmp_path / "whole", *more) == 0
    with pytest.MonkeyPatch.context() as patch:
        at_step(patch, 2, lambda: signal.raise_signal(signal.SIGTERM))
        assert run_main(short, tmp_path / "cut", *more) == 0
    assert newest_state(tmp_path / "cut") == tmp_path / "cut" / "state-3"
    assert run_main(short, tmp_path / "cut", *more) == 0
    whole = curve(tmp_path / "whole" / "losses.jsonl")
    same_curves(curve(tmp_path / "cut" / "losses.jsonl"), whole)
    assert all(line["optimizer/gradient_norm"] > 0 for line in whole)
    assert run_main(short, tmp_path / "cut") == 1  # without ZeRO: refused


def test_a_run_of_several_micro_batches_resumes_to_the_same_data(config: Path, tmp_path: Path) -> None:
    """A step takes `accumulation` batches of the stream: going on starts after all of them."""
    short = bare(config, tmp_path, steps=4, save_every=2, batch=1, accumulation=3)
    assert run_main(short, tmp_path / "whole") == 0
    with pytest.MonkeyPatch.context() as patch:
        at_step(patch, 1, lambda: signal.raise_signal(signal.SIGTERM))
        assert run_main(short, tmp_path / "cut") == 0
    assert newest_state(tmp_path / "cut") == tmp_path / "cut" / "state-2"
    assert run_main(short, tmp_path / "cut") == 0
    same_curves(curve(tmp_path / "cut" / "losses.jsonl"), curve(tmp_path / "whole" / "losses.jsonl"))


def test_a_state_of_before_samples_were_counted(config: Path, tmp_path: Path) -> None:
    """Its position follows from its steps: each took `accumulation` batches."""
    engine = engine_of(config, tmp_path, batch=2, accumulation=3)
    run = start_run(load_config(tmp_path / "bare.yaml", {}), engine, tmp_path, 0, 1)
    old = {"step": 7, "best_f": 0.0, "best_step": 0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.run, "newest_state", lambda _: tmp_path / "state-7")
        patch.setattr(train.run, "load_state", lambda *_: old)
        assert resume(run).progress.samples == 7 * 3 * 2


def test_each_micro_batch_of_each_rank_is_blanked_by_itself(config: Path, tmp_path: Path) -> None:
    """SpecAugment is a function of seed, step, micro-batch and rank, and of nothing else."""
    engine = engine_of(config, tmp_path, spec_augment=1.0)
    first = start_run(load_config(tmp_path / "bare.yaml", {}), engine, tmp_path, 0, 1)
    (batch,) = batches_of(first.config, 1)
    blanked: list[torch.Tensor] = []

    def remembered(mel: torch.Tensor, *rest: Any) -> torch.Tensor:
        before = mel.clone()
        blank(mel, *rest)
        blanked.append(mel != before)
        return mel

    second = dataclasses.replace(first, rank=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.objective, "blank", remembered)
        for run, micro in ((first, 0), (first, 0), (first, 1), (second, 0), (second, 1)):
            terms(run, batch, micro)
    assert torch.equal(blanked[0], blanked[1])
    assert all(not torch.equal(a, b) for a, b in itertools.combinations(blanked[1:], 2))


def test_a_signal_between_exchanges_does_not_part_the_ranks(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flag a signal sets is looked at in the next exchange only, never to decide alone."""
    run = start_run(load_config(bare(config, tmp_path), {}), engine_of(config, tmp_path), tmp_path, 0, 1)
    batches = list(batches_of(run.config, 2))
    assert not training_step(run, batches[:1], StopRequest()).stop
    assert training_step(run, batches[1:], StopRequest(asked=True)).stop


def test_early_stopping_keeps_the_best(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter((0.1, 0.5, 0.4, 0.5, 0.9))
    monkeypatch.setattr(train.loop, "groups_of", lambda _: [Group("beeps", {}, {}, frozenset())])
    monkeypatch.setattr(
        train.record, "validate", lambda *_: Validation(f := next(scores), {"beeps": f}, {"beeps/KD": f})
    )
    assert run_main(bare(config, tmp_path, validate_every=2, patience=2), tmp_path / "run") == 0
    assert [line["f_measure"] for line in curve(tmp_path / "run" / "validations.jsonl")] == [
        0.1,
        0.5,
        0.4,
        0.5,
    ]
    assert len(curve(tmp_path / "run" / "losses.jsonl")) == 8
    best = read_header(tmp_path / "run" / "best.safetensors")["training"]
    assert best["step"] == 4 and best["result"]["f_measure"] == 0.5
    assert newest_state(tmp_path / "run") == tmp_path / "run" / "state-8"


def test_a_loss_that_is_not_finite_stops(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short = bare(config, tmp_path)

    def spoilt(*arguments: Any) -> Any:
        return losses(*arguments)._replace(tokens=torch.tensor(float("nan"), requires_grad=True))

    with monkeypatch.context() as patch:
        at_step(patch, 6, lambda: patch.setattr(train.objective, "losses", spoilt))
        assert run_main(short, tmp_path / "run") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == f"error: the loss is not finite at step 6; {train.step.REMEDY}"
    assert newest_state(tmp_path / "run") == tmp_path / "run" / "state-5"


def test_a_gradient_that_is_not_finite_stops(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train.step, "gradient_norm", lambda _: float("inf"))
    assert run_main(bare(config, tmp_path), tmp_path / "run") == 1
    assert "error: the gradient is not finite at step 0; the last saved state" in capsys.readouterr().err


def damaged(config: Path, folder: Path, share: str) -> Path:
    """The run's settings on shards of which one is gone, or some sounds are not FLAC."""
    shards = folder / "shards"
    make_shards(shards, BeepShards())
    paths = [Path(path) for path in shard_paths(shards)]
    if share == "a shard":
        paths[2].unlink()
    else:
        for path in paths:
            path.write_bytes(path.read_bytes().replace(b"fLaC", b"XXXX", 1 if share == "a third" else -1))
    return bare(config, folder, shards=str(shards), steps=8)


@pytest.mark.parametrize(("share", "reason"), [("a third", "flac corrupt"), ("a shard", "shard missing")])
def test_damaged_data_are_logged_and_passed_over(
    config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, share: str, reason: str
) -> None:
    with caplog.at_level(logging.WARNING):
        assert run_main(damaged(config, tmp_path, share), tmp_path / "run") == 0
    assert len(curve(tmp_path / "run" / "losses.jsonl")) == 8
    assert any(reason in message and "skipped" in message for message in caplog.messages)
    assert any(reason in message and "could not be used" in message for message in caplog.messages)


def test_no_usable_data_is_an_error_in_one_line(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(damaged(config, tmp_path, "all"), tmp_path / "run") == 1
    assert "error: no usable sample in a whole epoch" in capsys.readouterr().err.splitlines()[-1]
