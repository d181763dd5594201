"""What a run was made with: refused where a resumed run differs, kept with its steps where it may."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from data.shards.write import make_shards
from mt3drum.config import PRESETS
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import read_header, save_checkpoint
from mt3drum.model.network import DrumModel
from tests.small_runs import BeepShards, bare, curve, run_main, write_run
from train.config import TrainConfig
from train.history import RECORDED, DataUse, History, data_use, differences, from_state, going_on
from train.state import PROGRESS, newest_state


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("data"), steps=2, warmup_steps=0, save_every=1, validation="")


def manifest(clips: int) -> dict[str, object]:
    return {name: None for name in RECORDED} | {"clips": clips, "hits": {"kick": clips}}


def history(settings: TrainConfig, clips: int = 96) -> History:
    return History(dataclasses.asdict(settings), [data_use("a", ["a/0.tar"], manifest(clips))])


SETTINGS = TrainConfig("a")
MIXES_CHANGED = "development_mixes ['drum_only', 'pseudo_mix'] -> ['drum_only']"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "seed 0 -> 1"),
        ({"batch": 4}, "batch 8 -> 4"),
        ({"learning_rate": 0.01}, "learning_rate 0.0012 -> 0.01"),
        ({"ema": 0.9}, "ema 0.999 -> 0.9"),
        ({"loss": dataclasses.replace(SETTINGS.loss, focal_gamma=2.0)}, "loss.focal_gamma 0.0 -> 2.0"),
        (
            {"development_mixes": ("drum_only",)},
            MIXES_CHANGED,
        ),
    ],
)
def test_what_differs_is_named(change: dict[str, object], named: str) -> None:
    now = dataclasses.replace(SETTINGS, **change)  # type: ignore[arg-type]
    before = history(SETTINGS)
    assert differences(before, now, before.data[0]) == [named]


def test_what_changes_nothing_learnt_may_change() -> None:
    now = dataclasses.replace(SETTINGS, workers=3, save_every=7, validate_every=9, patience=2, shards="b")
    same_elsewhere = data_use("b", ["b/0.tar"], manifest(96))
    assert differences(history(SETTINGS), now, same_elsewhere) == []


def test_other_data_of_the_same_name_are_other_data() -> None:
    (named,) = differences(history(SETTINGS), SETTINGS, data_use("a", ["a/0.tar"], manifest(48)))
    assert named == "shards a (96 clips) -> a (48 clips)"


def test_every_data_set_is_kept_with_its_steps() -> None:
    before, other = history(SETTINGS), data_use("b", ["b/0.tar"], manifest(48))
    with pytest.raises(ValueError, match=r"shards a \(96 clips\) -> b \(48 clips\).*--accept-changes"):
        going_on(before, SETTINGS, other, 250, 2000, accept=False)
    after = going_on(before, SETTINGS, other, 250, 2000, accept=True)
    assert after.data[1].first_sample == 2000
    assert [(use["shards"], use["steps"], use["clips"]) for use in after.data_sets(400)] == [
        ("a", [0, 250], 96),
        ("b", [250, 400], 48),
    ]
    assert after.changes == [{"step": 250, "what": "shards a (96 clips) -> b (48 clips)"}]
    assert going_on(after, SETTINGS, other, 300, 2400, accept=False) == after


def test_a_state_gives_it_back_and_an_old_one_has_none() -> None:
    before = history(SETTINGS)
    saved = json.loads(json.dumps({"step": 1, "history": dataclasses.asdict(before)}))
    found = from_state(saved)
    assert found is not None and differences(found, SETTINGS, before.data[0]) == []
    assert from_state({"step": 1}) is None
    with pytest.raises(ValueError, match="damaged history"):
        from_state({"history": {"data": [{}]}})


def test_a_message_names_a_few() -> None:
    now = TrainConfig("a", seed=1, batch=1, clip=2.0, ema=0.5, spec_augment=0.0, accumulation=3, steps=4)
    with pytest.raises(ValueError, match=r"steps 10000 -> 4; .* and 2 more; use those") as error:
        going_on(history(SETTINGS), now, history(SETTINGS).data[0], 1, 8, accept=False)
    assert "\n" not in str(error.value)


def test_a_resumed_run_refuses_other_data_and_credits_all(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, other = tmp_path / "run", tmp_path / "other"
    make_shards(other, BeepShards(shards=2, seed=5))
    assert run_main(bare(config, tmp_path), output) == 0
    more = bare(config, tmp_path, steps=3, shards=str(other))
    assert run_main(more, output) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(
        f"error: {output}/state-2: saved with other settings or data: steps 2 -> 3; shards "
    )
    assert run_main(more, output, "--accept-changes") == 0
    record = read_header(output / "last.safetensors")["training"]
    assert [(use["clips"], use["steps"]) for use in record["data_sets"]] == [(12, [0, 2]), (6, [2, 3])]
    assert record["data"]["clips"] == 6 and [change["step"] for change in record["changes"]] == [2, 2]
    assert len(curve(output / "losses.jsonl")) == 3
    state = newest_state(output)
    assert state is not None
    progress = json.loads((state / PROGRESS).read_text())
    assert progress["samples"] == 6 and progress["history"]["data"][1]["first_sample"] == 4


def test_a_state_of_the_older_form_goes_on(config: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    assert run_main(bare(config, tmp_path, steps=1), output) == 0
    state = newest_state(output)
    assert state is not None
    progress = json.loads((state / PROGRESS).read_text())
    for name in ("history", "samples", "validated"):
        del progress[name]
    (state / PROGRESS).write_text(json.dumps(progress))
    assert run_main(bare(config, tmp_path, steps=2), output) == 0
    newest = newest_state(output)
    assert newest is not None and json.loads((newest / PROGRESS).read_text())["samples"] == 4


def test_weights_that_go_on_keep_their_decode_settings(config: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.safetensors"
    decoding = DecodeConfig(onset_bias=-0.25, beam=2).to_dict()
    save_checkpoint(first, PRESETS["tiny"], DrumModel(PRESETS["tiny"]).state_dict(), decoding, {"step": 7})
    assert run_main(bare(config, tmp_path, steps=1, initial=str(first)), tmp_path / "run") == 0
    header = read_header(tmp_path / "run" / "last.safetensors")
    assert header["decoding"] == json.loads(json.dumps(decoding))
    assert header["training"]["initial"] == {"step": 7}


def test_a_data_use_is_known_by_what_it_holds() -> None:
    one: DataUse = data_use("a", ["a/0.tar", "a/1.tar"], manifest(2))
    assert one.fingerprint == data_use("b", ["b/0.tar", "b/1.tar"], manifest(2)).fingerprint
    for paths, clips in ((["a/0.tar"], 2), (["a/1.tar", "a/0.tar"], 2), (["a/0.tar", "a/1.tar"], 3)):
        assert one.fingerprint != data_use("a", paths, manifest(clips)).fingerprint
