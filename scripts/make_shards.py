"""Make training, validation or test shards: rendered from performances and kits, or cut from recordings.

    python scripts/make_shards.py --output datasets/train --data $DATA --clips 20000
    python scripts/make_shards.py --output datasets/test --data $DATA --split test --clips 300
    python scripts/make_shards.py --output datasets/bare --no-data --clips 2000
    python scripts/make_shards.py --output datasets/egmd --corpus egmd --root e-gmd-v1.0.0 --clips 20000

Rerun the same command to resume an interrupted run.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data.clips.clip import RenderConfig
    from data.clips.makers import RecordedShards, RenderedShards

CORPORA = ("egmd", "folder", "note_sequences", "enst", "rbma13", "idmt_smt", "slakh", "mdb", "unlabelled")


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="folder for the shards; created")
    parser.add_argument("--split", choices=("train", "validation", "test"), default="train")
    parser.add_argument("--clips", type=int, help="total number (default for recordings: all, completely)")
    parser.add_argument("--clips-per-shard", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=12.0, help="length of a clip (default: 12)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)"
    )
    _rendered_options(parser)
    recorded = parser.add_argument_group("recordings")
    recorded.add_argument("--corpus", choices=CORPORA, help="cut clips from this corpus instead of rendering")
    recorded.add_argument("--root", type=Path, help="folder of the corpus")
    recorded.add_argument(
        "--label-map",
        default="gm",
        help="for --corpus folder and note_sequences: label map, a name or a JSON file (default: gm)",
    )
    recorded.add_argument(
        "--kits-per-performance", type=int, default=4, help="for --corpus egmd (default: 4 of 43)"
    )
    recorded.add_argument(
        "--split-shares",
        type=split_shares,
        metavar="T,V,E",
        help="for --corpus folder and note_sequences: divide the recordings into train, validation and test "
        "by a hash of their names, such as 70,15,15; takes of one song (song-1, song take 2) stay together",
    )
    args = parser.parse_args(arguments)
    if args.clips is None and args.corpus is None:
        parser.error("--clips is required for rendered clips")
    if args.corpus is None and (args.data is None) == (not args.no_data):
        parser.error("give either --data or --no-data for rendered clips")
    if args.stems and (args.corpus is not None or args.split == "test"):
        parser.error("--stems are bands of rendered clips for training and validation; test bands play notes")
    if args.corpus is not None and args.root is None:
        parser.error("--corpus needs --root")
    if args.split_shares and args.corpus not in ("folder", "note_sequences"):
        parser.error("--split-shares is for --corpus folder and note_sequences; others have their splits")
    for name in ("clips", "clips_per_shard", "workers", "max_kits", "kits_per_performance"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if args.seed < 0:
        parser.error("--seed must not be negative")
    return args


def _rendered_options(parser: argparse.ArgumentParser) -> None:
    rendered = parser.add_argument_group("rendered clips")
    rendered.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with kits/, midi/groove/, accompaniment/, splits.json and, optionally, electronic/ "
        "(docs/data.md)",
    )
    rendered.add_argument(
        "--stems",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="more recordings without drums to use as bands, with their SOURCE.txt; may be repeated",
    )
    rendered.add_argument("--no-data", action="store_true", help="synthesised kits, notes and patterns only")
    rendered.add_argument("--max-kits", type=int, help="maximum number of kits, drawn with the seed")
    for name, what in (
        ("patterns", "of a generated pattern"),
        ("electronic", "of programmed drums on a drum machine"),
        ("synthetic", "of a synthesised kit"),
        ("band", "of a backing band; default for validation and test: 0"),
        ("negatives", "of a clip without drums (training: 0.2)"),
        ("vary", "of a varied performance"),
    ):
        rendered.add_argument(f"--{name}", type=float, metavar="P", help=f"probability {what}")
    rendered.add_argument(
        "--no-band", action="store_true", help="no bands at all (same as --band 0 --negatives 0)"
    )


def split_shares(text: str) -> tuple[float, ...]:
    """Three numbers that are not negative, as shares of their sum."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or min(numbers) < 0 or not 0 < sum(numbers) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected three numbers, such as 70,15,15")
    return tuple(number / sum(numbers) for number in numbers)


def render_config(args: argparse.Namespace) -> RenderConfig:
    """The defaults of the split, with what was asked for."""
    from dataclasses import replace

    from data.clips.clip import RenderConfig

    if args.split == "train":
        config = RenderConfig(args.split, args.seconds)
    else:
        config = RenderConfig.plain(args.split, args.seconds)
    names = ("patterns", "electronic", "synthetic", "band", "negatives", "vary")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.no_band:
        given.update(band=0.0, negatives=0.0)
    return replace(config, **given)


def stem_folders(args: argparse.Namespace) -> list[Path]:
    """Folders of stems: DATA/electronic where it is there, and those given.

    Raises:
        ValueError: two have one name, which would credit one of them only.
    """
    from data.band.stems import SOURCE

    own = [args.data / SOURCE] if args.data and (args.data / SOURCE / "train").is_dir() else []
    folders = [*own, *args.stems]
    names = [folder.name for folder in folders]
    if len(set(names)) < len(names):
        raise ValueError(f"--stems: folders need different names, not {', '.join(sorted(names))}")
    return folders


def rendered_shards(args: argparse.Namespace) -> RenderedShards:
    """Read what the clips are rendered from."""
    from dataclasses import replace

    import numpy as np

    from data.band.play import make_bank
    from data.band.stems import BackingStem, load_stems
    from data.clips.clip import Palette
    from data.clips.makers import RenderedShards, describe
    from data.corpora.readers import read_gmd
    from data.grooves.patterns import Performance
    from data.kits.load import kit_split, load_kits

    if not args.no_data and not args.data.is_dir():
        raise ValueError(f"{args.data} is not a folder; use --no-data to synthesise everything")
    config = render_config(args)
    rng = np.random.default_rng(args.seed)
    bank = None
    stems: tuple[BackingStem, ...] = ()
    if config.band or config.negatives:
        held_out = args.split == "test"
        bank = make_bank(None if args.no_data else args.data / "accompaniment", rng, held_out)
        if not held_out:
            for folder in stem_folders(args):
                more, licences = load_stems(folder)
                stems += more
                bank = replace(bank, licences=bank.licences | licences)
    if args.no_data:
        return RenderedShards(config, Palette(notes=bank), args.seed, args.clips, args.clips_per_shard)
    names = kit_split(args.data / "splits.json", args.split)
    if args.max_kits is not None:
        names = sorted(rng.permutation(names)[: args.max_kits].tolist())
    recordings = read_gmd(args.data / "midi" / "groove", args.split)
    performances = tuple(
        Performance(one.name, one.split, one.corpus, one.licence, one.bpm, one.hits, style=one.style)
        for one in recordings
        if one.hits
    )
    palette = Palette(performances, tuple(load_kits(args.data / "kits", names)), bank, stems)
    return RenderedShards(config, palette, args.seed, args.clips, args.clips_per_shard, describe(recordings))


def recorded_shards(args: argparse.Namespace) -> RecordedShards:
    """Read the corpus; of corpora with an official split, only that split."""
    from data.clips.makers import RecordedShards
    from data.corpora.readers import READERS, read_egmd, read_unlabelled
    from data.corpora.recording import split_by_name

    if args.corpus == "egmd":
        recordings = read_egmd(args.root, args.split, args.kits_per_performance, args.seed)
    elif args.corpus in ("folder", "note_sequences"):
        recordings = READERS[args.corpus](args.root, args.label_map, args.split)
    elif args.corpus == "unlabelled":  # no reader of a corpus: nothing can be scored on it
        recordings = read_unlabelled(args.root)
    else:
        recordings = READERS[args.corpus](args.root)
    if args.split_shares:
        recordings = split_by_name(recordings, args.split_shares)
    recordings = [recording for recording in recordings if recording.split == args.split]
    if not recordings:
        raise ValueError(f"{args.root}: {args.corpus} has no recordings of split {args.split}")
    silent = [recording.name for recording in recordings if recording.audio is None]
    if silent:
        raise ValueError(f"{args.root}: {len(silent)} recordings without audio, the first is {silent[0]}")
    return RecordedShards(
        tuple(recordings), args.split, args.seed, args.clips, args.seconds, args.clips_per_shard
    )


def main(arguments: list[str] | None = None) -> int:
    args = parse_args(arguments)
    from tqdm import tqdm

    from data.shards.write import make_shards

    try:
        maker = recorded_shards(args) if args.corpus else rendered_shards(args)
        with tqdm(total=sum(maker.sizes()), unit="clip", smoothing=0.05) as bar:
            manifest = make_shards(args.output, maker, args.workers, bar.update)
    except (ValueError, OSError) as error:
        print(f"make_shards: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make_shards: interrupted; rerun the command to resume", file=sys.stderr)
        return 130
    hours = manifest["seconds"] / 3600
    print(f"{manifest['clips']} clips, {hours:.2f} h, {sum(manifest['hits'].values())} hits in {args.output}")
    print("rare classes (< 0.1 % of hits):", ", ".join(manifest["rare"]) or "none")
    for corpus, about in manifest["sources"]["corpora"].items():
        if about["unmapped"]:
            print(f"unmapped labels of {corpus}:", about["unmapped"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
