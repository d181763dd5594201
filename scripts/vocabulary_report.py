"""What `--vocabulary` is worth on recordings of few drums, beside choosing from all that is heard (`--only`).

    python scripts/vocabulary_report.py --data $DATA --docs docs/decoding.md

Performances of the Groove MIDI Dataset's test split, less all other drums, are rendered dry on kits that
nothing was trained on, and transcribed by the bundled model both ways.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data.corpora.readers import read_gmd
from data.corpora.recording import Recording
from data.kits.load import kit_split, load_kit
from data.kits.sample import Kit
from data.render.drums import render_drums
from eval.metrics.f_measure import f_measure
from mt3drum.cli.drum_options import drum_classes
from mt3drum.transcriber import Transcriber
from scripts.pages.doc_block import replace_block
from tokenizer.drums import DRUMS
from tokenizer.hits import Hit

BLOCK = "vocabulary"
HELD = (("snare", "rim"), ("kick", "snare", "rim"), ("hihat",), ("tom",))  # families
SCHEMES = ("5", "26")
SECONDS = 20.0
FEWEST = 12  # strokes of a recording


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="What --vocabulary is worth on recordings of few drums.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="kits, midi and splits.json")
    parser.add_argument("--clips", type=int, default=5, metavar="N", help="a kit (default: 5)")
    parser.add_argument("--docs", type=Path, metavar="PAGE", help="write the table there")
    return parser.parse_args(arguments)


def clips(
    families: Sequence[str],
    performances: Sequence[Recording],
    kits: Sequence[Kit],
    count: int,
    rng: np.random.Generator,
) -> Iterator[tuple[np.ndarray, tuple[Hit, ...]]]:
    """Audio and truth of recordings that hold these families only, `count` a kit."""
    for kit in kits:
        found = 0
        for place in rng.permutation(len(performances)):
            hits = [
                h for h in performances[place].hits if h.time < SECONDS and DRUMS[h.drum].family in families
            ]
            rendered = render_drums(hits, [kit], rng, SECONDS) if len(hits) >= FEWEST else None
            if rendered is not None and len(rendered.hits) >= FEWEST:
                yield rendered.audio, rendered.hits
                found += 1
            if found == count:
                break


def table(data: Path, count: int) -> str:
    """Micro F within 50 ms of the drums that sound, both ways."""
    root = next((data / "midi").rglob("info.csv")).parent
    performances = read_gmd(root, "test")
    names = [name for split in ("validation", "test") for name in kit_split(data / "splits.json", split)]
    kits = [load_kit(data / "kits" / name) for name in names]
    transcriber = Transcriber.load(device="cpu", precision="float32")
    every = transcriber.config
    rows = [
        "| drums in the recording | recordings | 5 classes: `--only` | `--vocabulary` "
        "| 26 classes: `--only` | `--vocabulary` |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for families in tqdm(HELD, unit="kind"):
        drums = drum_classes(families)
        truth: dict[str, list[Hit]] = {}
        estimates: tuple[dict[str, list[Hit]], dict[str, list[Hit]]] = ({}, {})
        for number, (audio, hits) in enumerate(
            clips(families, performances, kits, count, np.random.default_rng(2))
        ):
            truth[str(number)] = list(hits)
            for config, result in zip((every, replace(every, classes=drums)), estimates, strict=True):
                transcriber.config = config
                result[str(number)] = list(transcriber.transcribe_array(audio).only(drums).hits)
        figures = [
            f_measure(truth, result, scheme=scheme).micro.f for scheme in SCHEMES for result in estimates
        ]
        cells = " | ".join(f"{figure:.3f}" for figure in figures)
        rows.append(f"| {', '.join(families)} | {len(truth)} | {cells} |")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    args = parse(arguments)
    text = table(args.data, args.clips)
    print(text)
    if args.docs is not None:
        replace_block(args.docs, BLOCK, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
