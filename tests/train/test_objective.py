"""Terms beside the transcription loss: teachers, consistency, masked spectrograms, unlabelled segments."""

from __future__ import annotations

import itertools
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from data.corpora.readers import READERS
from data.example import LoaderConfig
from data.loader import Batch, make_loader
from data.shards.read import read_clips
from data.shards.write import shard_paths
from mt3drum.config import PRESETS
from mt3drum.model.checkpoint import read_header, save_checkpoint
from mt3drum.model.network import DrumModel
from scripts.make_shards import main as make_shards
from tests.small_runs import at_step, bare, beeps, curve, run_main, same_curves
from train.config import load_config
from train.launch import set_up_ranks
from train.main import make_engine
from train.objective import agreed, counts, hide, names, onset_divergence, terms, token_divergence
from train.run import Run, start_run
from train.step import StopRequest, training_step


def run_of(config: Path, folder: Path, **settings: Any) -> tuple[Run, Batch]:
    """A run in evaluation mode, so that a network answers twice alike, and a batch."""
    set_up_ranks()
    loaded = load_config(bare(config, folder, spec_augment=0.0, **settings))
    engine = make_engine(loaded, None)
    engine.eval()
    loader = make_loader(
        shard_paths(Path(loaded.shards)), PRESETS["tiny"].codec, LoaderConfig(2, 0, 0, loaded.augment)
    )
    return start_run(loaded, engine, folder, 0, 1), next(iter(loader))


@pytest.fixture
def teacher(tmp_path: Path) -> str:
    path = tmp_path / "teacher.safetensors"
    torch.manual_seed(7)
    save_checkpoint(path, PRESETS["tiny"], DrumModel(PRESETS["tiny"]).state_dict(), {}, {"step": 3})
    return str(path)


def test_a_teacher_equal_to_its_student_asks_for_nothing(config: Path, tmp_path: Path, teacher: str) -> None:
    run, batch = run_of(config, tmp_path, teacher={"checkpoint": teacher}, initial=teacher, preset="")
    found, _ = terms(run, batch, 0)
    assert list(found) == names(run.config) == ["tokens", "onsets", "teacher_tokens", "teacher_onsets"]
    assert (
        abs(float(found["teacher_tokens"].total)) < 1e-3 and abs(float(found["teacher_onsets"].total)) < 1e-4
    )
    other, batch = run_of(config, tmp_path, teacher={"checkpoint": teacher, "weight": 3.0})
    found, _ = terms(other, batch, 0)
    assert float(found["teacher_tokens"].total) > 1 and float(found["teacher_onsets"].total) > 0.01
    assert found["teacher_tokens"].weight == 3.0
    assert all(weight.grad is None for weight in other.teacher.parameters())  # type: ignore[union-attr]


def test_divergences_by_hand() -> None:
    """KL of two Bernoulli distributions; of token distributions over what is legal only."""
    p, q = torch.tensor(0.8), torch.tensor(0.3)
    cell = torch.logit(torch.stack((p, q)))[:, None, None, None]
    expected = 0.8 * np.log(0.8 / 0.3) + 0.2 * np.log(0.2 / 0.7)
    assert float(onset_divergence(cell[0], cell[1], 1.0)) == pytest.approx(20 * expected, rel=1e-4)
    codec = PRESETS["tiny"].codec
    one, other = torch.randn(2, 1, 1, codec.size)
    tokens = torch.tensor([[codec.first_time + 4]])
    expected_kl = token_divergence(codec, one, other, tokens, 2.0)
    one[..., codec.first_velocity :] += 30.0  # illegal at the start
    torch.testing.assert_close(token_divergence(codec, one, other, tokens, 2.0), expected_kl)
    assert float(expected_kl) > 0 and float(token_divergence(codec, one, one, tokens, 2.0)) == 0


def test_a_run_with_a_teacher_resumes_exactly_and_credits_it(
    config: Path, tmp_path: Path, teacher: str
) -> None:
    extra = {"teacher": {"checkpoint": teacher}, "consistency": {"weight": 1.0}, "masked": {"weight": 1.0}}
    short = bare(config, tmp_path, steps=4, save_every=2, bfloat16=True, **extra)
    assert run_main(short, tmp_path / "whole") == 0
    with pytest.MonkeyPatch.context() as patch:
        at_step(patch, 1, lambda: signal.raise_signal(signal.SIGTERM))
        assert run_main(short, tmp_path / "cut") == 0
    assert run_main(short, tmp_path / "cut") == 0
    whole = curve(tmp_path / "whole" / "losses.jsonl")
    same_curves(curve(tmp_path / "cut" / "losses.jsonl"), whole)
    assert all(
        line[f"loss/{name}"] > 0 for line in whole for name in ("teacher_tokens", "consistency", "masked")
    )
    header = read_header(tmp_path / "cut" / "last.safetensors")  # would be refused with a weight too many
    assert header["training"]["teacher"]["step"] == 3
    assert (
        run_main(
            bare(config, tmp_path, steps=1, initial=str(tmp_path / "cut" / "last.safetensors")),
            tmp_path / "b",
        )
        == 0
    )


def test_consistency_asks_where_two_cuts_agree(config: Path, tmp_path: Path) -> None:
    run, batch = run_of(config, tmp_path, consistency={"weight": 1.0})
    run.average.weights["onset_head.bias"][:] = 0.0
    sides, model = set(), DrumModel(run.model.config).eval()
    model.load_state_dict(run.network_weights)
    with torch.no_grad():
        whole = torch.sigmoid(model.encode(batch.audio).onset_logits)[:, 100:300]
    for number in range(6):
        wanted, sure = agreed(run, batch.audio, 50, (0, number))
        side = "late" if sure[:, :50].sum() == 0 else "early"
        sides.add(side)
        assert side == "late" or sure[:, -50:].sum() == 0, "a frame heard once is no target"
        inner = sure[:, 50:-50]
        moved = (wanted[:, 100:300] - whole).abs().mean()
        assert 0 < moved < 0.25 * whole[:, ::2].std(1).mean(), (
            "frames of the two cuts face each other"
        )  # a head has weights of its own for odd frames
        assert 0 < inner.mean() < 1
        assert (wanted >= 0).all() and (wanted <= 1).all()
    assert sides == {"late", "early"}
    again, kept = agreed(run, batch.audio, 50, (0, 5))
    assert torch.equal(again, wanted) and torch.equal(kept, sure)


def test_a_network_sure_of_itself_agrees_with_itself(config: Path, tmp_path: Path) -> None:
    """Where the onset head does not look at the sound, both cuts say the same."""
    run, batch = run_of(config, tmp_path, consistency={"weight": 1.0})
    run.average.weights["onset_head.weight"].zero_()
    wanted, sure = agreed(run, batch.audio, 50, (0, 0))
    assert sure.mean() == pytest.approx(350 / 400) and torch.allclose(
        wanted, torch.sigmoid(torch.tensor(-4.0))
    )


def test_hidden_cells_are_flat_and_asked_for() -> None:
    mel = torch.randn(2, 2, 32, 400, generator=torch.Generator().manual_seed(0)) + 3.0
    before = mel.clone()
    target, hidden = hide(mel, 0.3, (0, 1))
    assert torch.equal(hidden[:, 0], hidden[:, 1]), "both windows, or one shows what the other hides"
    assert torch.equal(mel[~hidden], before[~hidden]) and 0.1 < hidden.float().mean() < 0.3
    assert mel[hidden].std() < 0.1 * before[hidden].std()
    assert abs(float(target.mean())) < 1e-4 and float(target.std()) == pytest.approx(1, abs=0.01)
    assert not torch.equal(hide(before.clone(), 0.3, (0, 2))[1], hidden)


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Shards of a recording without labels."""
    root = tmp_path / "songs"
    root.mkdir()
    audio, _ = beeps(13.0, np.random.default_rng(5))
    soundfile.write(root / "a.flac", audio, 44_100)
    (root / "SOURCE.txt").write_text("repo: x\nlicence: CC0\n")
    output = tmp_path / "song-shards"
    arguments = ["--corpus", "unlabelled", "--root", str(root), "--seconds", "6", "--workers", "1"]
    assert make_shards(["--output", str(output), *arguments]) == 0
    return output


def test_unlabelled_segments_are_not_silence(config: Path, tmp_path: Path, songs: Path) -> None:
    """They add nothing to the transcription loss and have their part in the others."""
    manifest = json.loads((songs / "manifest.json").read_text())
    assert manifest["sources"]["corpora"]["songs"]["licence"] == "CC0"
    assert "unlabelled" not in READERS, "a benchmark would score it as silence"
    with pytest.raises(ValueError, match="unlabelled"):
        list(read_clips(songs))
    run, batch = run_of(config, tmp_path, consistency={"weight": 1.0}, masked={"weight": 1.0})
    loader = make_loader(shard_paths(songs), PRESETS["tiny"].codec, LoaderConfig(2, 0, 0, run.config.augment))
    unknown = next(iter(loader))
    assert batch.labelled.all() and not unknown.labelled.any()
    found, table = terms(run, unknown, 0)
    assert float(found["tokens"].total) == float(found["onsets"].total) == float(table.sum()) == 0
    assert float(found["consistency"].total) > 0 and float(found["masked"].total) > 0
    assert counts([unknown]) == [0.0, 0.0, 2.0]
    mixed = Batch(
        torch.cat((batch.audio, unknown.audio)),
        torch.nn.functional.pad(batch.tokens, (0, 0, 0, 2)),
        torch.cat((batch.onset, unknown.onset)),
        torch.cat((batch.velocity, unknown.velocity)),
        torch.tensor([True, True, False, False]),
        [],
        {},
    )
    plain, _ = run_of(config, tmp_path)
    for name in ("tokens", "onsets"):
        alone, together = (terms(plain, one, 0)[0][name].total for one in (batch, mixed))
        torch.testing.assert_close(alone, together, atol=1e-3, rtol=1e-4)
    assert counts([mixed])[1:] == [2.0, 4.0] and counts([mixed])[0] == counts([batch])[0]


def test_a_step_on_unlabelled_audio_alone(config: Path, tmp_path: Path, songs: Path) -> None:
    run, _ = run_of(config, tmp_path, shards=str(songs), masked={"weight": 1.0}, consistency={"weight": 1.0})
    loader = make_loader(shard_paths(songs), PRESETS["tiny"].codec, LoaderConfig(2, 0, 0, run.config.augment))
    run.engine.train()
    losses = []
    for batch in itertools.islice(loader, 8):
        losses.append(training_step(run, [batch], StopRequest()).scalars["loss/masked"])
        run.progress.step += 1
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


def test_a_teacher_of_another_vocabulary_is_refused(
    config: Path, tmp_path: Path, teacher: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = bare(config, tmp_path, teacher={"checkpoint": teacher}, model={"segment_seconds": 2.0})
    assert run_main(other, tmp_path / "run") == 1
    assert "the teacher has another vocabulary" in capsys.readouterr().err
