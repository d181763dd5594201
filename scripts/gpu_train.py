"""Train on a rented GPU machine without a network, in sessions of minutes: pack, train there, join the
weights.

    python scripts/gpu_train.py pack --data $DATA --wheels wheels -o gpu
    python gpu/code/scripts/gpu_train.py stretch --pack gpu --work work -o out --minutes 9.5     (there)
    python scripts/gpu_train.py join out --name best.safetensors -o runs/base/best.safetensors

A session renders shards, then trains `base` in bfloat16 with DeepSpeed. Rerun the command to resume, as long
as --work is kept. Weights are returned in parts of 16 MB, three per session (--first-part 3 for the next
three). Exit code 3: rendering is not finished.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    pack = verbs.add_parser("pack", help="here: a folder of code, data and wheels")
    pack.add_argument("-o", "--output", type=Path, required=True, help="folder; created")
    pack.add_argument("--data", type=Path, help="folder as for make_shards.py; without, all is synthesised")
    pack.add_argument("--without", nargs="+", default=[], metavar="KIT", help="kits to leave out")
    pack.add_argument("--wheels", type=Path, metavar="DIR", help="wheels for that machine's Python")
    pack.add_argument("--limit", type=float, default=64.0, metavar="MIB", help="in all (default: 64)")
    stretch = verbs.add_parser("stretch", help="there: render and train for some minutes")
    stretch.add_argument("--pack", type=Path, required=True, help="the folder that was packed")
    stretch.add_argument("--work", type=Path, required=True, help="shards and run; kept between stretches")
    stretch.add_argument("-o", "--output", type=Path, required=True, help="folder of what is brought back")
    stretch.add_argument("--minutes", type=float, default=9.5, help="in all (default: 9.5)")
    stretch.add_argument("--clips", type=int, default=16_000, help="to train on (default: 16000)")
    stretch.add_argument("--validation-clips", type=int, default=96, help="to validate on (default: 96)")
    stretch.add_argument("--config", default="train/configs/base.yaml", help="below code/ of the pack")
    stretch.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="override a setting, as in train/main.py",
    )
    stretch.add_argument(
        "--first-part", type=int, default=0, help="first part of the weights to return (default: 0)"
    )
    join = verbs.add_parser("join", help="here: put weights together that came back in parts")
    join.add_argument("parts", type=Path, help="folder; those in folders inside it, too")
    join.add_argument(
        "--name", default="best.safetensors", help="name of the file (default: best.safetensors)"
    )
    join.add_argument("-o", "--output", type=Path, required=True, help="file")
    args = parser.parse_args(arguments)
    if args.verb == "stretch" and min(args.minutes, args.clips, args.validation_clips) <= 0:
        parser.error("--minutes, --clips and --validation-clips must be above 0")
    return args


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, 3 where the next stretch must go on rendering, or 1 with one line on standard error."""
    args = parse_args(arguments)
    try:
        if args.verb == "pack":
            from scripts.rented.pack import pack

            size = pack(args.output, args.data, args.wheels, round(args.limit * 2**20), args.without)
            print(f"{args.output}: {size / 2**20:.1f} MiB")
            return 0
        if args.verb == "join":
            from scripts.rented.parts import join

            join(args.parts, args.name, args.output)
            return 0
        from scripts.rented.stretch import Stretch

        return Stretch(
            args.pack.resolve(),
            args.work,
            args.output,
            60 * args.minutes,
            args.clips,
            args.validation_clips,
            args.config,
            args.set,
            args.first_part,
        ).run()
    except (ValueError, OSError) as error:
        print(f"gpu_train: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
