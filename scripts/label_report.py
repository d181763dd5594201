"""How well `mt3drum label` names the samples of kits that training did not use.

    python scripts/label_report.py --data $DATA --write docs/label.md
    python scripts/label_report.py --data $DATA --write-counts

Only recorded samples count, none that `data/kits/derive.py` makes of others; those whose source was unsure of
the drum are left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from data.kits.load import kit_split, recorded_files
from mt3drum.audio.limits import AudioError
from mt3drum.files import write_whole
from mt3drum.one_shots.facts import read_sample
from mt3drum.one_shots.library import batched
from mt3drum.one_shots.names import COUNTS, LEVELS, Name, name_samples
from mt3drum.transcriber import Transcriber
from scripts.pages.doc_block import replace_block
from tokenizer.drums import DRUMS, SCHEMES

ASSETS = Path(__file__).resolve().parents[1] / "mt3drum" / "assets"
SPLITS = ("validation", "test")
BINS = (0.0, 0.4, 0.6, 0.8, 1.01)
"""Borders of the confidences that are compared with the accuracy."""


class NamedSample(NamedTuple):
    """A sample of a kit, its class, and what it was named."""

    kit: str
    drum: int
    name: Name


def name_kits(transcriber: Transcriber, data: Path, split: str) -> list[NamedSample]:
    """Name every recorded sample of the kits of a split; silent ones are left out."""
    found = []
    for kit in kit_split(data / "splits.json", split):
        for group in batched(recorded_files(data / "kits" / kit), 16):
            audible = []
            for path, drum in group:
                try:
                    audible.append((drum, read_sample(path)))
                except AudioError as error:
                    print(f"left out: {error}", file=sys.stderr)
            names = name_samples(
                transcriber.model, transcriber.config.onset_bias, [audio for _, audio in audible]
            )
            found += [NamedSample(kit, drum, name) for (drum, _), name in zip(audible, names, strict=True)]
    return found


def accuracy(samples: list[NamedSample], level: str) -> float:
    """Share of samples whose label is right, of those that have one at this level."""
    of = SCHEMES[level].of_class
    right = [of[one.drum] == of[one.name.drum] for one in samples if of[one.drum] >= 0]
    return float(np.mean(right)) if right else float("nan")


def table(samples: dict[str, list[NamedSample]]) -> list[str]:
    """By kit and split, then confidence against accuracy."""
    lines = ["| kits | samples | 26 classes | 8 | 5 |", "|---|---:|---:|---:|---:|"]
    for split, all_of in samples.items():
        kits = dict.fromkeys(one.kit for one in all_of)
        groups = {f"{split}: {kit}": [one for one in all_of if one.kit == kit] for kit in kits}
        for title, group in {**groups, f"**{split}, all**": all_of}.items():
            cells = " | ".join(f"{accuracy(group, level):.2f}" for level in LEVELS)
            lines.append(f"| {title} | {len(group)} | {cells} |")
    lines += ["", "| confidence (26 classes) | samples | mean confidence | right |", "|---|---:|---:|---:|"]
    every = [one for all_of in samples.values() for one in all_of]
    for low, high in pairwise(BINS):
        group = [one for one in every if low <= one.name.confidence["26"] < high]
        if group:
            mean = np.mean([one.name.confidence["26"] for one in group])
            lines.append(
                f"| {low:g} to {min(high, 1):g} | {len(group)} | {mean:.2f} | {accuracy(group, '26'):.2f} |"
            )
    return lines


def write_counts(data: Path) -> None:
    """How many training kits have recorded samples of each class."""
    kits = kit_split(data / "splits.json", "train")
    drums = [{drum for _, drum in recorded_files(data / "kits" / kit)} for kit in kits]
    counts = {drum.name: sum(drum.index in own for own in drums) for drum in DRUMS}
    write_whole(ASSETS / COUNTS, json.dumps({"kits": len(kits), "kits_with": counts}, indent=1) + "\n")


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of docs/data.md")
    parser.add_argument("--checkpoint", type=Path, help="default: the bundled one")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables between its markers")
    parser.add_argument(
        "--write-counts",
        action="store_true",
        help=f"only count the classes of training kits, into {COUNTS}",
    )
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        if args.write_counts:
            write_counts(args.data)
            return 0
        transcriber = Transcriber.load(args.checkpoint, "cpu")
        samples = {split: name_kits(transcriber, args.data, split) for split in SPLITS}
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    lines = table(samples)
    print("\n".join(lines))
    if args.write:
        replace_block(args.write, "label", "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
