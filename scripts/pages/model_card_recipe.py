"""The commands that make a checkpoint again, from what its header says of its run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scripts.fetch_songs import GUITARS
from scripts.update_results import ROOT

CONFIG = "train/configs/small.yaml"


def remake(training: Mapping[str, Any]) -> list[str]:
    """The commands that make shards, runs and checkpoint; of every run that the weights went through or that
    gave checkpoints to their mean."""
    runs = [training]
    while "initial" in runs[0]:
        runs.insert(0, runs[0]["initial"])
    lines: list[str] = []
    initial = ""
    outputs: dict[str, str] = {}
    for number, record in enumerate(runs, 1):
        suffix = "" if record is training else f"-{number}"
        output = outputs[_key(record)] = f"runs/small{suffix}"
        lines += _run(record, output, suffix, initial)
        initial = f"{output}/{_kept(record)}.safetensors"
        after, others = _after(record, suffix, initial, outputs)
        lines += after
        if record is training and "tuning" in record:
            lines += _tune(
                record, [initial, *others], f"mt3drum/assets/{record['config']['preset']}.safetensors"
            )
        elif others:
            mean = f"{output}/mean.safetensors"
            lines += _tune(record, [initial, *others], mean)
            initial = mean
    return lines


def _key(training: Mapping[str, Any]) -> str:
    """What tells a run from others; not its number of steps, which may be changed on the way."""
    data = [manifest["settings"] for manifest in _manifests(training["data"])]
    return json.dumps([training["config"]["seed"], training["commit"], data], sort_keys=True)


def _after(
    training: Mapping[str, Any], suffix: str, initial: str, outputs: dict[str, str]
) -> tuple[list[str], list[str]]:
    """The commands that make the runs whose checkpoints are in the mean, each run once, from the checkpoint
    `initial`; and these checkpoints.

    Args:
        outputs: of the runs made so far, by `_key`; new ones are added.
    """
    lines: list[str] = []
    checkpoints: list[str] = []
    new = 0
    for record in training.get("averaged", ()):
        key = _key(record)
        if key not in outputs:
            new += 1
            own = f"{suffix}-after-{new}"
            outputs[key] = f"runs/small{own}"
            same = record["data"] == training["data"]
            lines += _run(record, outputs[key], suffix if same else own, initial, made=same)
        kept = "mean" if "averaged" in record else _kept(record)
        checkpoints.append(f"{outputs[key]}/{kept}.safetensors")
    return lines, checkpoints


def _tune(training: Mapping[str, Any], checkpoints: list[str], output: str) -> list[str]:
    """The commands that choose the decode settings of a checkpoint, or of the mean of several."""
    clips, chosen = training["tuning"]["clips"], given_onset(training["tuning"])
    given = f" --onset {chosen['weight']} {chosen['bias']}" if chosen else ""
    config = training["tuning"].get("settings", {}).get("config", {"band": 1.0, "negatives": 0.0})
    shares = "".join(f" --{name} {config[name]:g}" for name in ("band", "negatives"))
    source = _source(_manifests(training["data"])[0]["settings"])
    return [
        "git checkout main",
        f"python scripts/make_shards.py --output datasets/validation {source} --split validation "
        f"--clips {clips}{shares}",
        f"python scripts/tune_decoding.py --checkpoint {' '.join(checkpoints)} "
        f"--shards datasets/validation --clips {clips}{given} --output {output}",
    ]


def given_onset(tuning: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Weight and bias, where `scripts/tune_decoding.py` was given them; early records have one trial then."""
    trials = tuning.get("trials", ())
    return tuning.get("onset") or (trials[0] if len(trials) == 1 else None)


def _kept(training: Mapping[str, Any]) -> str:
    """Which checkpoint of its run this is."""
    return "best" if training["step"] < training["config"]["steps"] else "last"


def _run(
    training: Mapping[str, Any], output: str, suffix: str, initial: str, made: bool = False
) -> list[str]:
    """The commands that make the shards of one run and train it from the checkpoint `initial`, if any;
    ``made``: the shards are there already."""
    config, manifests = training["config"], _manifests(training["data"])
    name = Path(config["shards"]).name if len(manifests) == 1 else "train"
    folders = [f"datasets/{name}{suffix}{chr(97 + at) if at else ''}" for at in range(len(manifests))]
    shards = folders[0] if len(folders) == 1 else f"datasets/{{{','.join(Path(f).name for f in folders)}}}"
    lines: list[str] = []
    commit = None
    for data, folder in zip(manifests, folders, strict=True):
        settings = data["settings"]
        if settings["kind"] == "rendered" and not made:
            if data["commit"]:
                lines.append(f"git checkout {data['commit']}")
                commit = data["commit"]
            options = [_source(settings), f"--clips {data['clips']}", f"--seed {settings['seed']}"]
            options += [f"--{key} {value:g}" for key, value in _changed(settings["config"]).items()]
            if GUITARS in data["accompaniment"]:
                lines.append("python scripts/fetch_songs.py -o songs")
                options.append(f"--stems songs/{GUITARS}")
            lines.append(f"python scripts/make_shards.py --output {folder} {' '.join(options)}")
    if training["commit"] != commit:
        lines.append(f"git checkout {training['commit']}")
    ranks = training["world"]
    run = "python train/main.py"
    if ranks > 1:
        run = f"OMP_NUM_THREADS=1 deepspeed --num_accelerators {ranks} train/main.py"
    changes = _overrides({**config, "initial": initial}, shards)
    lines.append(f"{run} --config {CONFIG} --output {output}{changes}")
    lines += [f"# changed at step {one['step']}: {one['what']}" for one in training.get("changes", ())]
    return lines


def _source(settings: Mapping[str, Any]) -> str:
    """The option that says what clips were rendered from."""
    return "--data $DATA" if settings.get("kits", True) else "--no-data"


def _changed(rendered: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the renderer that are not the defaults."""
    from data.clips.clip import RenderConfig

    usual = asdict(RenderConfig())
    return {
        key: value
        for key, value in rendered.items()
        if isinstance(value, int | float) and key in usual and value != usual[key]
    }


def _manifests(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Settings, commit and clips of every folder of shards; `data.shards.find` lists those of several."""
    if not isinstance(data["settings"], list):
        return [{**data, "accompaniment": data["sources"]["accompaniment"]}]
    clips = [sum(entry["clips"] for entry in corpora.values()) for corpora in data["corpora"]]
    return [
        {"settings": settings, "commit": commit, "clips": count, "accompaniment": source["accompaniment"]}
        for settings, commit, count, source in zip(
            data["settings"], data["commit"], clips, data["sources"], strict=True
        )
    ]


def _overrides(config: Mapping[str, Any], shards: str) -> str:
    """` --set name=value` for every setting that differs from the configuration file."""
    from train.config import load_config

    file = asdict(load_config(ROOT / CONFIG, {}))
    given = {"shards": shlex.quote(shards)} if file["shards"] != shards else {}
    if config.get("development"):
        given["development"] = f"$DATA/real/{Path(config['development']).name}"
    for name, value in config.items():
        usual, value = plain(file.get(name)), plain(value)
        if isinstance(value, dict) and isinstance(usual, dict):
            value = {key: one for key, one in value.items() if usual.get(key) != one}
            usual = {}
        if name in file and name not in ("shards", "development", "validation") and usual != value:
            given[name] = shlex.quote(json.dumps(value))
    return "".join(f" --set {name}={value}" for name, value in given.items())


def plain(value: Any) -> Any:
    """As JSON has it: tuples are lists there."""
    return json.loads(json.dumps(value))
