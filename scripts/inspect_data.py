"""What training data hold: hits and share of every class, rare classes, proposed merges, velocities, company.

    python scripts/inspect_data.py datasets/train
    python scripts/inspect_data.py --corpus gmd --root $DATA/midi/groove --plot gmd.svg

Of shards, or of a corpus before any shards are made of it; no audio is read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from data.corpora.readers import READERS, read_egmd, read_gmd
from data.corpora.recording import SPLITS, Recording
from data.shards.find import find_shards
from data.shards.read import read_labels
from data.statistics import SCARCE_SHARE, CountedTrack, Statistics, statistics, table
from mt3drum.files import write_whole

CORPORA = ("gmd", "egmd", *READERS)


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shards", nargs="?", help="as the setting `shards` of training: a folder, a pattern")
    parser.add_argument("--corpus", choices=CORPORA, help="read a corpus instead")
    parser.add_argument("--root", type=Path, help="folder of the corpus")
    parser.add_argument(
        "--label-map", default="gm", help="label map of a folder or of NoteSequences (default: gm)"
    )
    parser.add_argument("--split", choices=SPLITS, help="split of a corpus (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all counts")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the shares of the classes")
    return parser.parse_args(arguments)


def recordings_of(args: argparse.Namespace) -> list[Recording]:
    """The corpus, read.

    Raises:
        ValueError, OSError: it cannot be read.
    """
    wanted = (args.split,) if args.split else SPLITS
    if args.corpus in ("gmd", "egmd"):
        read = read_gmd if args.corpus == "gmd" else read_egmd
        return [recording for split in wanted for recording in read(args.root, split)]
    if args.corpus in ("folder", "note_sequences"):
        return READERS[args.corpus](args.root, args.label_map, args.split or "train")
    return [recording for recording in READERS[args.corpus](args.root) if recording.split in wanted]


def tracks_of(recordings: Iterable[Recording]) -> Iterator[CountedTrack]:
    """Recordings as they are counted; a recording lasts as long as its hits, since no audio is read."""
    for one in recordings:
        groups = {"splits": [one.split], "kits": [one.kit], "styles": [one.style]}
        yield CountedTrack(one.hits, one.hits[-1].time if one.hits else 0.0, one.unmapped, groups)


def clips_of(text: str) -> Iterator[CountedTrack]:
    """Clips of shards.

    Raises:
        ValueError: they cannot be read.
    """
    for labels in read_labels(find_shards(text).paths):
        meta = labels.meta
        groups = {"corpora": [str(meta.get("corpus", ""))], "kits": list(meta.get("kits") or {})}
        groups["styles"] = [str(meta["style"])] if "style" in meta else []
        yield CountedTrack(labels.hits, labels.seconds, meta.get("unmapped") or {}, groups)


def plot(found: Statistics, path: Path) -> None:
    """Shares of the classes as bars on a logarithmic axis; those that could be merged are pale."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = sorted(found.hits, key=found.share)
    figure, axes = plt.subplots(figsize=(7, 7), layout="constrained")
    colours = ["#2a7f5c" if found.share(name) >= SCARCE_SHARE else "#c3b59a" for name in names]
    axes.barh(names, [100 * found.share(name) for name in names], color=colours)
    axes.axvline(100 * SCARCE_SHARE, color="#666", linewidth=0.8)
    axes.set(xscale="log", xlabel="share of the hits, %", title=f"{found.total} hits")
    figure.savefig(path)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    args = parse_args(arguments)
    try:
        if bool(args.shards) == bool(args.corpus) or (args.corpus and args.root is None):
            raise ValueError("name SHARDS, or --corpus NAME with --root DIR")
        found = statistics(tracks_of(recordings_of(args)) if args.corpus else clips_of(args.shards))
        if args.json:
            write_whole(args.json, json.dumps(found.to_json(), indent=1))
        if args.plot:
            plot(found, args.plot)
    except (ValueError, OSError) as error:
        print(f"inspect_data: {error}", file=sys.stderr)
        return 1
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
