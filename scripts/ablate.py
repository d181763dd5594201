"""Run the ablations of train/configs/ablations.yaml and write their table into docs/archive/experiments.md.

python scripts/make_shards.py --output datasets/ablation --data $DATA --clips 6336 --clips-per-shard 64
python scripts/make_shards.py --output datasets/ablation-4-kits --data $DATA --clips 1600 --max-kits 4
python scripts/make_shards.py --output datasets/ablation-16-kits --data $DATA --clips 1600 --max-kits 16
python scripts/make_shards.py --output datasets/ablation-all-kits --data $DATA --clips 1600
python scripts/make_shards.py --output datasets/test --data $DATA --split test --clips 300
python scripts/make_shards.py --output datasets/validation --data $DATA --split validation --clips 96 \\
    --band 1 --negatives 0
python scripts/ablate.py --development $DATA/real/mdb_drums_dev --output runs/ablations \\
    --validation datasets/validation --docs docs/archive/experiments.md
    --docs docs/archive/experiments.md

Finished runs are kept: rerun the command to resume. `--only NAME` runs some of them. `--set NAME=VALUE`
changes the base of all, such as their budget (with another --output): --set steps=300
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from tqdm import tqdm

from mt3drum.files import write_whole
from scripts.pages.doc_block import replace_block
from train.experiment import run_training
from train.main import overrides
from train.tree import merged, nested

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "train" / "configs" / "ablations.yaml"
RENDERED_CLIPS = 60
MIXES = ("drum_only_50", "pseudo_mix_50")
LEAST = 0.005  # of F between decodings of the same weights: less is a handful of hits
CLASSES = ("KD", "SD", "TT", "HH", "CY")


def train(name: str, entry: Mapping[str, Any], base: Mapping[str, Any], folder: Path) -> Path:
    """The checkpoint of a run, trained now unless it is there.

    Raises:
        ValueError: the training failed; its last lines are in the message.
    """
    settings = merged(nested(base), nested(entry.get("set", {})))
    if "after" in entry:
        settings["initial"] = str(place(folder, entry["after"]) / "last.safetensors")
    return run_training(settings, place(folder, name))


def place(folder: Path, name: str) -> Path:
    """The folder of a run."""
    return folder / name.replace(" ", "-").replace(",", "")


def measure(
    checkpoints: Sequence[Path],
    entry: Mapping[str, Any],
    shards: Path,
    development: Path,
    validation: Path | None = None,
) -> dict[str, Any]:
    """Micro F on the development recordings (five classes; by class for drums only) and rendered clips.

    Args:
        checkpoints: none, the bundled weights; several, decoded together (`mt3drum.decode.several`).
    """
    from data.corpora.readers import read_mdb
    from data.shards.read import read_clips
    from eval.metrics.f_measure import f_measure
    from mt3drum.transcriber import Transcriber
    from tokenizer.maps import LABEL_MAPS
    from train.experiment import TUNING_CLIPS, nats, rendered_f, with_tuned_decoding

    likelihood = {}
    if validation is not None:
        checkpoints = [with_tuned_decoding(checkpoint, validation) for checkpoint in checkpoints]
        if len(checkpoints) == 1:
            likelihood = nats(checkpoints[0], list(read_clips(validation, TUNING_CLIPS)))
    transcriber = Transcriber.load(checkpoints, **entry.get("decode", {}))
    found: dict[str, Any] = {**likelihood}
    for mix in ("drum_only", "pseudo_mix"):
        recordings = read_mdb(development, annotation="class", mix=mix)
        estimates = {r.name: transcriber.transcribe_file(r.audio).hits for r in recordings if r.audio}
        played = {r.name: list(r.hits) for r in recordings}
        unjudged = LABEL_MAPS["mdb_class"].unjudged
        for milliseconds in (50, 20):
            scores = f_measure(played, estimates, scheme="5", window=milliseconds / 1000, unjudged=unjudged)
            found[f"{mix}_{milliseconds}"] = scores.micro.f
            if mix == "drum_only" and milliseconds == 50:
                found["classes"] = {label: scores.classes[label].f for label in CLASSES}
    clips = list(read_clips(shards, RENDERED_CLIPS))
    rendered = rendered_f(checkpoints, clips, entry.get("decode", {}), ("26", "5"))
    return found | {f"rendered_{scheme}": f for scheme, f in rendered.items()}


def table(results: Mapping[str, Mapping[str, Any]], runs: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    """Markdown of everything measured so far.

    Trained runs are compared with the mean of the base's seeds, and differ only where both mixes together
    leave the range of those seeds; decodings of the shipped weights are compared with its own settings.
    """
    seeds = [found for name, found in results.items() if name.startswith("base")]
    spans = {key: [found[key] for found in seeds] for key in MIXES}
    usual = {key: float(np.mean(spans[key])) if seeds else math.nan for key in MIXES}
    both = [float(np.mean([found[key] for key in MIXES])) for found in seeds]
    lines = []
    if len(seeds) > 1:
        lines += [
            f"Trained runs: preset `{base['preset']}`, {base['steps']} steps of {base['batch']} segments"
            f"{' with ' + json.dumps(base['model']) if base.get('model') else ''}, "
            f"seed 0 unless named; differences: to the mean of {len(seeds)} seeds. Between them drums only "
            f"spans {np.ptp(spans[MIXES[0]]):.3f} and pseudo mixes {np.ptp(spans[MIXES[1]]):.3f}. The "
            "verdict is on the mean of both mixes: outside the range of the seeds or not; for the shipped "
            f"weights, more or less than {LEAST} from their own settings.",
            "",
        ]
    lines += [
        "| what | why | drums only | difference | "
        + " | ".join(CLASSES)
        + " | at 20 ms | pseudo mixes | difference | rendered, 26 | 5 | token nats | onset nats | verdict |",
        "|---|---|---:|---:|" + "---:|" * (len(CLASSES) + 7) + "---|",
    ]
    for name, entry in runs.items():
        if name not in results:
            continue
        found = results[name]
        shipped = results.get("shipped model", found) if entry.get("of") == "bundled" else None
        against = usual if shipped is None else {key: shipped[key] for key in MIXES}
        low, high = (min(both), max(both)) if shipped is None else (math.nan, math.nan)
        if shipped is not None:
            centre = float(np.mean([shipped[key] for key in MIXES]))
            low, high = centre - LEAST, centre + LEAST
        here = float(np.mean([found[key] for key in MIXES]))
        verdict = "worse" if here < low else "better" if here > high else "no difference seen"
        plain = found is shipped or name.startswith("base")
        change = ["" if plain else f"{found[key] - against[key]:+.3f}" for key in MIXES]
        lines.append(
            f"| {name} | {entry['why']} | {found[MIXES[0]]:.3f} | {change[0]} | "
            + " | ".join(f"{found['classes'][label]:.3f}" for label in CLASSES)
            + f" | {found['drum_only_20']:.3f} | {found[MIXES[1]]:.3f} | {change[1]} "
            f"| {found['rendered_26']:.3f} | {found['rendered_5']:.3f} "
            + "".join(f"| {found[n]:.4f} " if n in found else "| " for n in ("token_nats", "onset_nats"))
            + f"| {'' if plain else verdict} |"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs and results.json")
    parser.add_argument("--shards", type=Path, default=Path("datasets/test"), help="rendered test clips")
    parser.add_argument(
        "--development",
        type=Path,
        required=True,
        metavar="DIR",
        help="MDB Drums, as $DATA/real/mdb_drums_dev",
    )
    parser.add_argument(
        "--validation",
        type=Path,
        help="rendered validation clips: every trained run is decoded with a weight, bias and bounds of its "
        "own, chosen on them, and gets its likelihood there (otherwise all have the defaults)",
    )
    parser.add_argument("--docs", type=Path, help="page that gets the table")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change the base of all runs"
    )
    parser.add_argument("--only", action="append", help="a name; may be given more than once")
    args = parser.parse_args(arguments)
    plan = yaml.safe_load(CONFIG.read_text())
    runs = plan["runs"]
    base = merged(nested(plan["base"]), overrides(args.set))
    args.output.mkdir(parents=True, exist_ok=True)
    record = args.output / "results.json"
    try:
        results = json.loads(record.read_text()) if record.exists() else {}
        for name in tqdm(args.only or list(runs), unit="ablation"):
            if name not in runs:
                raise ValueError(f"{name}: not in {CONFIG.name}: {', '.join(runs)}")
            if name in results:
                continue
            entry = runs[name]
            of = entry.get("of", name)
            sources = []
            for part in of if isinstance(of, list) else [of] * (of != "bundled"):
                if after := runs[part].get("after"):
                    train(after, runs[after], base, args.output)
                sources.append(train(part, runs[part], base, args.output))
            found = measure(sources, entry, args.shards, args.development, args.validation)
            results = (
                json.loads(record.read_text()) if record.exists() else {}
            )  # another process may add, too
            results[name] = found
            write_whole(record, json.dumps(results, indent=1))
        if args.docs:
            replace_block(args.docs, "ablations", table(results, runs, base))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
