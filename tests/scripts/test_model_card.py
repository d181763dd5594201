"""The model card of a small checkpoint, and the results block that it shares with the README."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mt3drum.config import PRESETS
from mt3drum.model.checkpoint import save_checkpoint
from mt3drum.model.network import DrumModel
from scripts import model_card, update_results
from scripts.pages import model_card_recipe
from scripts.pages.doc_block import block_in
from tokenizer.drums import DRUMS

CONFIG = {
    "shards": "/somebody/datasets/train",
    "development": "/somebody/dev",
    "preset": "small",
    "steps": 5000,
    "batch": 8,
    "accumulation": 1,
    "learning_rate": 0.0012,
    "ema": 0.999,
    "seed": 3,
}
DATA = {
    "settings": {
        "kind": "rendered",
        "config": {"split": "train", "seconds": 12.0, "patterns": 0.5, "band": 0.75},
        "seed": 7,
    },
    "commit": "aaa111",
    "clips": 1200,
    "seconds": 14400.0,
    "hits": {drum.name: 100 * drum.index for drum in DRUMS},
    "kits": {name: {"licence": "-", "clips": 10} for name in ("oak", "oak-room", "tin", "synthesised")},
    "corpora": {"gmd": {"licence": "-", "clips": 800}, "generated": {"licence": "-", "clips": 400}},
    "sources": {
        "corpora": {"gmd": {"licence": "CC BY 4.0"}},
        "accompaniment": {"harps": "repo ...", "synthesised": "ours"},
    },
}
TRAINING = {
    "step": 4200,
    "world": 2,
    "config": CONFIG,
    "commit": "bbb222",
    "data": DATA,
    "result": {"f_measure": 0.87, "by_group": {"drum_only": 0.92, "pseudo_mix": 0.82}, "by_class": {}},
}


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A checkpoint and the licence files of what it learnt from."""
    tiny = PRESETS["tiny"]
    save_checkpoint(tmp_path / "tiny.safetensors", tiny, DrumModel(tiny).state_dict(), {"beam": 2}, TRAINING)
    oak = "repo: https://example.org/oak commit 1\npath: wood/\nlicence: CC BY 4.0, by Ann\nholds: a kit\n"
    harps = "repo: https://example.org/harps\nlicences:\none: CC0\ntwo: CC BY 3.0, by Bo\nholds: notes\n"
    groove = (
        "GMD\nrepo: https://example.org/gmd\nlicence: CC BY 4.0 - cite Gillick et al.\npitches: 36 kick\n"
    )
    for folder, source in {
        "kits/oak": oak,
        "kits/oak-room": oak,
        "kits/tin": "repo: r\nlicence: CC0-1.0\n",
        "accompaniment/harps": harps,
        "midi/groove": groove,
    }.items():
        path = tmp_path / "data" / folder
        path.mkdir(parents=True)
        (path / "SOURCE.txt").write_text(source)
        (path / "kit.json").write_text(json.dumps({"name": f"The {path.name}"}))
    return tmp_path


def write(world: Path) -> str:
    arguments = ["--data", f"{world}/data", "--checkpoint", f"{world}/tiny.safetensors"]
    arguments += ["--results", f"{world}/results", "--output", f"{world}/a.md", f"{world}/b.md"]
    assert model_card.main(arguments) == 0
    text = (world / "a.md").read_text()
    assert (world / "b.md").read_text() == text
    return text


def test_the_card_credits_every_source_and_tells_how_to_make_it_again(world: Path) -> None:
    text = write(world)
    assert (
        "- **The oak; The oak-room**. https://example.org/oak commit 1. Licence: CC BY 4.0, by Ann\n" in text
    )
    assert "one: CC0; two: CC BY 3.0, by Bo" in text and "holds" not in text and "pitches" not in text
    assert "**Groove MIDI Dataset**. https://example.org/gmd" in text and "cite Gillick et al." in text
    assert "Step 4,200 of 5,000, 16 segments of 4 s a step (67,200 in all), 2 rank(s), seed 3" in text
    assert (
        "drum_only 0.920, pseudo_mix 0.820" in text
        and "selected this checkpoint" in text
        and "Decode settings: beam 2.\n" in text
    )
    assert "1,200 rendered clips, 4.0 hours, 32,500 hits on 3 sampled kits" in text
    assert "| aux2 | 2,500 | 7.69% |" in text
    assert "/somebody" not in text  # nobody's folders
    commands = text[text.index("To reproduce it") :].splitlines()[2:8]
    assert commands[1] == "git checkout aaa111"
    assert (
        commands[2]
        == "python scripts/make_shards.py --output datasets/train --data $DATA --clips 1200 --seed 7 "
        "--patterns 0.5"
    )
    assert commands[3] == "git checkout bbb222"
    assert commands[4].startswith("OMP_NUM_THREADS=1 deepspeed --num_accelerators 2 train/main.py --config")
    assert "--set development=$DATA/real/dev --set steps=5000 --set seed=3" in commands[4]


def test_a_source_without_its_licence_is_an_error(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (world / "data/kits/tin/SOURCE.txt").write_text("repo: r\n")
    arguments = [
        "--data",
        f"{world}/data",
        "--checkpoint",
        f"{world}/tiny.safetensors",
        "--output",
        f"{world}/a",
    ]
    assert model_card.main(arguments) == 1
    assert "tin/SOURCE.txt: needs a line `repo: ...` and a line `licence: ...`" in capsys.readouterr().err
    assert not (world / "a").exists()


def counts(f: float, tp: int = 9) -> dict[str, float]:
    return {"tp": tp, "fp": 0, "fn": 0, "precision": f, "recall": f, "f": f}


def scores(scheme: str, f: float, window: float = 0.05) -> dict[str, object]:
    labels = {label: counts(f) for label in update_results.FIVE[:4]} | {"CY": counts(0.0, tp=0)}
    return {
        "scheme": scheme,
        "window": window,
        "micro": counts(f),
        "macro_f": f - 0.1,
        "track_f": f - 0.2,
        "classes": labels,
        "tracks": {"song": counts(f), "other": counts(f)},
    }


def report(schemes: tuple[str, ...], headline: str) -> dict[str, object]:
    system = {
        "headline": scores(headline, 0.9),
        "intervals": {"micro": {"value": 0.9, "low": 0.8, "high": 0.95}},
        "table": [scores(scheme, 0.9, window) for scheme in schemes for window in (0.02, 0.05)],
        "with_velocity": scores(headline, 0.7) if "26" in schemes else None,
        "velocity": None,
        "timing": None,
        "seams": None,
        "false_alarms": None,
        "confusion": {},
    }
    return {
        "format": 1,
        "references": "folder",
        "command": "python scripts/benchmark.py --x",
        "settings": {"scheme": headline, "window": 0.05},
        "systems": {"mt3drum": system},
    }


def test_results_are_filled_in_from_reports(world: Path) -> None:
    for name, of in (("rendered", report(("26", "5"), "26")), ("drum_only", report(("5",), "5"))):
        (world / "report" / name).mkdir(parents=True)
        (world / "report" / name / "report.json").write_text(json.dumps(of))
    page = world / "page.md"
    page.write_text("before <!-- results:begin -->old<!-- results:end --> after")
    arguments = [f"{world}/report/rendered", f"{world}/report/drum_only", "--results", f"{world}/results"]
    readme = world / "readme.md"
    readme.write_text("<!-- results:begin --><!-- results:end -->")
    pages = ["--readme", str(readme), "--pages", str(page)]
    assert update_results.main([*arguments, *pages]) == 0
    assert readme.read_text().splitlines()[1:-1] == [
        "| measured on (recordings) | mt3drum |",
        "|---|---:|",
        "| development, drums only (2) | F 0.900 (0.800 to 0.950) |",
        "| rendered test (2) | F 0.900 (0.800 to 0.950) |",
    ]
    text = page.read_text()
    assert text.startswith("before <!-- results:begin -->\n") and text.endswith("<!-- results:end --> after")
    lines = text.splitlines()
    drums = "| development, drums only (2) | mt3drum | 0.900 | 0.800 to 0.950 |" + 4 * " 0.900 |" + " - |"
    assert lines.index(f"{drums} 0.800 | 0.700 |") < lines.index(
        "| rendered test (2) | mt3drum | 0.900 | - | 0.900 | 0.900 | 0.900 | 0.900 | - | 0.800 | 0.700 |"
    )
    assert (
        "| rendered test (2) | mt3drum | 0.900 | - | - | - | 0.900 | - | 0.800 | 0.700 (26 classes) |"
        in lines
    )
    assert (
        "tracks"
        not in json.loads((world / "results/drum_only.json").read_text())["systems"]["mt3drum"]["table"][0]
    )
    assert update_results.main(["--results", f"{world}/results", *pages]) == 0
    assert page.read_text() == text  # nothing new, nothing changed
    assert drums in write(world)


def test_the_readme_has_its_marks() -> None:
    digests = update_results.read_digests(update_results.RESULTS)
    assert block_in(update_results.README, "results") == update_results.summary(digests)
    assert "development, drums only" in block_in(update_results.README, "results")


def test_a_run_that_began_from_another_is_made_again_from_its_beginning() -> None:
    first = TRAINING | {"step": 5000, "commit": "first1"}
    second = TRAINING | {"commit": "second2", "config": CONFIG | {"initial": "x"}, "initial": first}
    third = TRAINING | {"config": CONFIG | {"initial": "y"}, "initial": second, "tuning": {"clips": 5}}
    lines = model_card_recipe.remake(third)
    runs = [line for line in lines if "train/main.py" in line]
    assert len(runs) == 3
    assert "--output runs/small-1 " in runs[0] and "datasets/train-1" in runs[0] and "initial" not in runs[0]
    assert "--output runs/small-2 " in runs[1] and "runs/small-1/last.safetensors" in runs[1]
    assert "--output runs/small " in runs[2] and "runs/small-2/best.safetensors" in runs[2]
    assert lines.index("git checkout first1") < lines.index(runs[0]) < lines.index("git checkout second2")
    assert "runs/small/best.safetensors" in lines[-1]


def test_the_runs_whose_checkpoints_were_averaged_are_made_again_each_once(world: Path) -> None:
    seeds = [CONFIG | {"seed": seed, "initial": "x"} for seed in (8, 9)]
    after: list[dict[str, object]] = [
        {"config": seeds[0], "commit": "ccc"},
        {"config": seeds[0], "commit": "ccc", "step": 5000},
        {"config": seeds[1], "commit": "ddd", "data": DATA | {"commit": "eee"}},
    ]
    record = TRAINING | {"averaged": [TRAINING | each for each in after], "tuning": {"clips": 5}}
    lines = model_card_recipe.remake(record)
    runs = [line for line in lines if "train/main.py" in line]
    assert len(runs) == 3 and all("runs/small/best.safetensors" in run for run in runs[1:])
    assert "seed=8" in runs[1] and "shards" not in runs[1]  # those of the first
    assert "seed=9" in runs[2] and "datasets/train-after-2" in runs[2]
    assert sum("make_shards" in line for line in lines) == 3  # of two runs, and for validation
    assert lines.index("git checkout ccc") < lines.index(runs[1]) < lines.index("git checkout eee")
    names = ("small/best", "small-after-1/best", "small-after-1/last", "small-after-2/best")
    assert " ".join(f"runs/{name}.safetensors" for name in names) in lines[-1]
    later = model_card_recipe.remake(TRAINING | {"initial": record, "tuning": {"clips": 5}})
    means = [line for line in later if "tune_decoding" in line]
    assert len(means) == 2 and "--output runs/small-1/mean.safetensors" in means[0]
    assert "runs/small-1-after-1/best.safetensors" in means[0]
    assert sum("runs/small-1/mean.safetensors" in line for line in later if "train/main.py" in line) == 1
    tiny = PRESETS["tiny"]
    save_checkpoint(world / "tiny.safetensors", tiny, DrumModel(tiny).state_dict(), {}, record)
    text = write(world)
    assert "step 4,200 of 5,000 (seed 8), step 5,000 of 5,000 (seed 8), step 4,200 of 5,000 (seed 9)" in text
    assert "selected the checkpoints whose mean this is" in text


def test_the_card_credits_all_that_was_ever_learnt_from(world: Path) -> None:
    """Data that came in on the way, and those of the run whose weights it began from."""
    tin = {**DATA, "kits": {"tin": {"licence": "-", "clips": 10}}, "clips": 77}
    oak = {**DATA, "kits": {"oak": {"licence": "-", "clips": 10}}, "clips": 88}
    training = {
        **TRAINING,
        "data": tin,
        "data_sets": [{**oak, "steps": [0, 250]}, {**tin, "steps": [250, 4200]}],
        "initial": {**TRAINING, "data": {**DATA, "kits": {"oak-room": {"licence": "-", "clips": 10}}}},
    }
    header = {"config": PRESETS["tiny"], "decoding": {}, "training": training}
    text = model_card.card(header, "tiny.safetensors", 1.0, world / "data", "")
    assert "## Training data, steps 0 to 250" in text and "88 rendered clips" in text
    assert "## Training data, steps 250 to 4,200" in text and "77 rendered clips" in text
    assert "**The oak; The oak-room**" in text and "**The tin**" in text


def test_earlier_checkpoints_of_the_same_run_and_its_beginning_are_not_made_again() -> None:
    first = TRAINING | {"commit": "first1", "config": CONFIG | {"seed": 3}}
    before = TRAINING | {"config": CONFIG | {"steps": 9_000, "initial": "x"}, "step": 700, "initial": first}
    record = TRAINING | {"config": CONFIG | {"initial": "x"}, "initial": first, "averaged": [before, first]}
    record |= {"tuning": {"clips": 5}, "changes": [{"step": 800, "what": "steps 9000 -> 5000"}]}
    lines = model_card_recipe.remake(record)
    assert len([line for line in lines if "train/main.py" in line]) == 2
    assert "# changed at step 800: steps 9000 -> 5000" in lines
    kept = "best" if TRAINING["step"] < CONFIG["steps"] else "last"  # type: ignore[operator]
    chosen = f"runs/small/{kept}.safetensors runs/small/best.safetensors runs/small-1/{kept}.safetensors"
    assert f"--checkpoint {chosen} " in lines[-1]


def test_a_mean_that_was_averaged_again_is_not_the_last_step_of_its_run() -> None:
    first = TRAINING | {"commit": "first1", "averaged": [TRAINING | {"commit": "first1", "step": 700}]}
    first |= {"config": CONFIG | {"seed": 3}, "tuning": {"clips": 5}}
    record = TRAINING | {"config": CONFIG | {"initial": "x"}, "initial": first, "averaged": [first, first]}
    lines = model_card_recipe.remake(record | {"tuning": {"clips": 5}})
    mean = "runs/small-1/mean.safetensors"
    assert f" {mean} {mean} " in lines[-1] and any("train/main" in line and mean in line for line in lines)
