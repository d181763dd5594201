"""Write the model card: from what the checkpoint says of itself, the sources' licence files and the results.

    python scripts/model_card.py --data $DATA

Writes docs/model_card.md and, the same text, mt3drum/assets/MODEL_CARD.md (shipped in the wheel).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mt3drum.decoding import DecodeConfig
from mt3drum.files import write_whole
from scripts.pages.doc_block import marked
from scripts.pages.model_card_recipe import given_onset, plain, remake
from scripts.update_results import PAGES, RESULTS, block, read_digests

STEMS = "electronic"  # of data.band.stems: a folder beside accompaniment/
SYNTHESISED = "synthesised"  # kits and instruments made of arithmetic
NOT_LICENCE = ("holds:", "path:", "repo:", "pitches", "velocity layers:")
"""Lines of a SOURCE.txt that say something else."""

INTENDED = """## Intended use

Transcribing recordings of drum kits, solo or in a band, to MIDI, notation, JSON or CSV: for practice,
teaching, sample replacement, research and first drafts of annotations. Not intended as sole evidence of who
played or wrote something, or for sounds other than drums. Review a transcription before you publish it; the
confidences show where to look first."""

LIMITS = """## Limitations

- Trained on rendered drums only: expect lower scores on kits, rooms and productions unlike those below.
- Full mixes are harder than isolated drums (see the results).
- Finer classes are less reliable. Where a kit lacks an articulation (edges of hats and cymbals, rims of toms,
  a tom), training used one derived from its other samples (data/kits/derive.py).
- Two hits on one drum within 20 ms are merged.
- Percussion outside the drum kit has no class of its own: it is dropped or labelled aux1 or aux2.
- Velocity is loudness on the scale of the electronic kit of the Groove MIDI Dataset.
- The model predicts hits. Tempo, meter and notation are derived from them (docs/beats.md)."""

LICENCE = """## Licence and credits

The weights are licensed under [CC BY-SA 4.0](https://creativecommons.org/licenses/by-sa/4.0/): use them for
anything, credit mt3drum and the sources below, and share modified weights under the same licence. The code is
Apache-2.0. Your transcriptions are yours. No samples under the plain GPL were used.

The weights were trained on the work of:"""


@dataclass(frozen=True)
class Source:
    """Where some of the training data comes from."""

    name: str
    origin: str
    licence: str


def read_source(path: Path) -> Source:
    """A SOURCE.txt: repository with commit, and its licence in its own words.

    Raises:
        ValueError: it is missing, or names no repository or licence.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error}); what has no licence is not credited") from error
    repository = next((line.removeprefix("repo: ") for line in lines if line.startswith("repo: ")), "")
    start = next((i for i, line in enumerate(lines) if line.startswith("licence")), None)
    if not repository or start is None:
        raise ValueError(f"{path}: needs a line `repo: ...` and a line `licence: ...`")
    rows = [line for line in lines[start:] if not line.startswith(NOT_LICENCE)]
    licence = "; ".join([rows[0].partition(": ")[2] or rows[0], *rows[1:]])
    return Source(path.parent.name, repository, licence)


def kit_name(path: Path) -> str:
    """The name of a kit in its kit.json.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: no kit description ({error!r})") from error


def card(
    header: Mapping[str, Any],
    name: str,
    megabytes: float,
    data_root: Path,
    results: str,
    stems: Sequence[Path] = (),
) -> str:
    """The whole text.

    Args:
        header: of `mt3drum.model.checkpoint.read_header`.
        name: file name of the checkpoint.
        data_root: folder with kits/, midi/groove/ and accompaniment/, for their SOURCE.txt.
        results: the block of `scripts.update_results`.
        stems: further folders of stems that were used.
    Raises:
        ValueError: the header lacks its record, or a source its licence.
    """
    training = header["training"]
    try:
        sections = [
            *_what(header, name, megabytes),
            "## Results",
            _chosen(training),
            marked("results", results),
            *_data(training),
            *_training(training, header["decoding"]),
            LIMITS,
            *_licence(training, data_root, stems),
        ]
    except KeyError as error:
        raise ValueError(f"{name}: its training record lacks {error}") from error
    return "\n\n".join(sections) + "\n"


def _what(header: Mapping[str, Any], name: str, megabytes: float) -> list[str]:
    config = header["config"]
    windows = " and ".join(map(str, config.audio.windows))
    return [
        f"# Model card: {name}",
        "<!-- Written by scripts/model_card.py; a change here is lost. -->",
        "Automatic drum transcription: onset time, drum class (26), velocity and confidence for every hit.\n"
        f"{config.encoder_layers} encoder and {config.decoder_layers} decoder layers of width "
        f"{config.width} over log-mel\nspectrograms of {windows} samples at 44.1 kHz; {megabytes:.1f} MB in "
        f"fp16; vocabulary\n`{config.codec.fingerprint()}`. How it works: docs/architecture.md.",
        INTENDED,
    ]


def _chosen(training: Mapping[str, Any]) -> str:
    by_group = training["result"].get("by_group", {})
    groups = ", ".join(f"{name} {value:.3f}" for name, value in by_group.items())
    scored = f" (micro F,\nfive classes, float32, when its settings were chosen: {groups})" if groups else ""
    if "averaged" in training:
        how = f"the development recordings selected the checkpoints whose mean this is{scored}"
    elif training["step"] < training["config"]["steps"]:
        how = f"the development recordings selected this checkpoint among those of its run{scored}"
    else:
        how = f"the development recordings were monitored during training{scored}"
    return (
        f"**The development scores are optimistic**: {how}.\n"
        "The renderer's drum levels and band density were also set after measuring them. Their audio was\n"
        "never trained on. No design choice used the rendered test: other performances, other kits."
    )


def data_sets(training: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Every data set of a run, in order; older records have one."""
    return [joined(data) for data in training.get("data_sets") or [training["data"]]]


def joined(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The manifest of several folders of shards (`data.shards.find` lists what it cannot add) as that of one:
    counts added, sources united, settings of the first."""
    if isinstance(data["kits"], Mapping):
        return data
    counted: dict[str, dict[str, dict[str, Any]]] = {"kits": {}, "corpora": {}}
    for kind, table in counted.items():
        for manifest in data[kind]:
            for name, entry in manifest.items():
                before = table.get(name, {"clips": 0})["clips"]
                table[name] = {**entry, "clips": before + entry["clips"]}
    sources: dict[str, dict[str, Any]] = {}
    for manifest in data["sources"]:
        for kind, entries in manifest.items():
            sources[kind] = {**sources.get(kind, {}), **entries} if isinstance(entries, Mapping) else entries
    commits = ", ".join(dict.fromkeys(data["commit"]))
    return {**data, **counted, "sources": sources, "settings": data["settings"][0], "commit": commits}


def _data(training: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    sets = data_sets(training)
    for data in sets:
        steps = f", steps {data['steps'][0]:,} to {data['steps'][1]:,}" if len(sets) > 1 else ""
        found += [f"## Training data{steps}", *_data_set(data)]
    return found


def _data_set(data: Mapping[str, Any]) -> list[str]:
    hits = data["hits"]
    total = sum(hits.values())
    rows = "\n".join(f"| {drum} | {count:,} | {count / max(1, total):.2%} |" for drum, count in hits.items())
    corpora = ", ".join(f"{name} {about['clips']:,}" for name, about in data["corpora"].items())
    sampled = len(set(data["kits"]) - {SYNTHESISED})
    config = data["settings"].get("config", {})
    shares = ", ".join(
        f"{key} {value:g}" for key, value in config.items() if isinstance(value, float) and value <= 1
    )
    return [
        f"{data['clips']:,} {data['settings']['kind']} clips, {data['seconds'] / 3600:.1f} hours, {total:,} "
        f"hits on {sampled} sampled kits and some synthesised ones.\n"
        f"Clips by source of their hits: {corpora}.\nRenderer probabilities: {shares or '-'}.\n"
        "Clips are cropped, mixed and augmented on the fly (docs/data.md).",
        "| drum | hits | share |\n|---|---:|---:|\n" + rows,
    ]


def _training(training: Mapping[str, Any], decoding: Mapping[str, Any]) -> list[str]:
    config, data = training["config"], joined(training["data"])
    steps, batch = training["step"], config["batch"] * config["accumulation"] * training["world"]
    tuning = training.get("tuning")
    chosen = f"; chosen on {tuning['clips']} rendered validation clips" if tuning else ""
    if tuning and given_onset(tuning):
        chosen += "; lambda and bias were set on the development recordings (docs/archive/experiments.md)"
    after = ", ".join(
        f"step {each['step']:,} of {each['config']['steps']:,} (seed {each['config']['seed']})"
        for each in training.get("averaged", ())
    )
    mean = (
        f"The weights are the mean of these and of checkpoints of runs from there: {after}.\n"
        if after
        else ""
    )
    first = training.get("initial")
    before = f"It started from the weights of an earlier run, step {first['step']:,}.\n" if first else ""
    return [
        "## Training",
        f"Step {steps:,} of {config['steps']:,}, {batch} segments of 4 s a step "
        f"({steps * batch:,} in all), "
        f"{training['world']} rank(s), seed {config['seed']},\npreset `{config['preset'] or 'as before'}`, "
        f"learning rate {config['learning_rate']:g}; the weights are a moving average "
        f"(decay {config['ema']:g}).\n"
        f"{before}{mean}Code: "
        f"commit `{training['commit']}`; data: commit `{data['commit']}`.\n"
        f"Decode settings: {_changed_settings(decoding)}{chosen}.",
        "To reproduce it (settings at the end of each run; docs/archive/experiments.md has later changes):",
        "```\n" + "\n".join(remake(training)) + "\n```",
    ]


def _changed_settings(decoding: Mapping[str, Any]) -> str:
    """The decode settings that are not the defaults."""
    usual, chosen = (plain(config.to_dict()) for config in (DecodeConfig(), DecodeConfig.from_dict(decoding)))
    return (
        _described({name: value for name, value in chosen.items() if value != usual[name]}) or "the defaults"
    )


def _described(given: dict[str, Any]) -> str:
    """Decode settings in words."""
    points, frames = given.pop("confidence_calibration", ()), given.pop("frames", None)
    words = [
        f"{name} {', '.join(f'{key} {each:g}' for key, each in value.items())}"
        if isinstance(value, Mapping)
        else f"{name} {value}"
        for name, value in given.items()
    ]
    words += [f"confidences calibrated at {len(points)} points"] if points else []
    words += [f"with `--decoder frames`: {_described(dict(frames))}"] if frames else []
    return "; ".join(words)


def _licence(training: Mapping[str, Any], root: Path, stems: Sequence[Path]) -> list[str]:
    """Credits of all that the weights have learnt from, in earlier runs too."""
    used = data_sets(training)
    before = training
    while "initial" in before:
        before = before["initial"]
        used = [*data_sets(before), *used]
    corpora = {name for data in used for name in data["sources"]["corpora"]}
    accompaniment = {name for data in used for name in data["sources"]["accompaniment"]}
    all_kits = {kit for data in used for kit in data["kits"]}
    played = [named_source("Groove MIDI Dataset", root / "midi" / "groove")] if "gmd" in corpora else []
    unknown = sorted(corpora - {"gmd"})
    places = {folder.name: folder for folder in (root / STEMS, *stems)}
    notes = [
        read_source(places.get(name, root / "accompaniment" / name) / "SOURCE.txt")
        for name in sorted(accompaniment)
        if name != SYNTHESISED
    ]
    kits = [
        named_source(kit_name(root / "kits" / kit / "kit.json"), root / "kits" / kit)
        for kit in sorted(all_kits)
        if kit != SYNTHESISED
    ]
    sections = [LICENCE]
    sections += ["### Performances", _credits(played)] if played else []
    sections += [f"Also: {', '.join(unknown)}."] if unknown else []
    sections += ["### Drum kits", _credits(kits)] if kits else []
    sections += ["### Accompaniment", _credits(notes)] if notes else []
    own = (
        "A source is credited in full even where only part of it was used. Generated patterns, synthesised\n"
        "kits and synthesised instruments are this project's own."
    )
    return [*sections, own]


def named_source(name: str, folder: Path) -> Source:
    """The SOURCE.txt of a folder, under another name than the folder's."""
    return replace(read_source(folder / "SOURCE.txt"), name=name)


def _credits(sources: list[Source]) -> str:
    """One item for each origin and licence, naming all that come from it."""
    names: dict[tuple[str, str], list[str]] = {}
    for source in sources:
        names.setdefault((source.origin, source.licence), []).append(source.name)
    return "\n".join(
        f"- **{'; '.join(same)}**. {origin}. Licence: {licence}" for (origin, licence), same in names.items()
    )


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with kits/, midi/ and accompaniment/"
    )
    parser.add_argument(
        "--stems", type=Path, action="append", default=[], metavar="DIR", help="as for make_shards.py"
    )
    parser.add_argument("--checkpoint", type=Path, help="default: the bundled one")
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: docs/results")
    parser.add_argument("--output", nargs="+", type=Path, default=PAGES, metavar="FILE")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    args = parse_args(arguments)
    from mt3drum.model.checkpoint import bundled, read_header

    try:
        path = args.checkpoint or bundled()
        header, size = read_header(path), path.stat().st_size / 1e6
        text = card(header, path.name, size, args.data, block(read_digests(args.results)), args.stems)
        for target in args.output:
            write_whole(target, text)
            print(f"wrote {target}")
    except (ValueError, OSError) as error:
        print(f"model_card: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
