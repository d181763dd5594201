"""The option `--stems` of `mt3drum transcribe`."""

from __future__ import annotations

import argparse
from typing import Any

from mt3drum.batch.stems import KINDS
from mt3drum.cli import part_options


def add_options(parser: Any) -> None:
    """Add the option."""
    parser.add_argument(
        "--stems",
        choices=KINDS,
        help="write the sound of each drum family and the rest, which add up to the recording, to a folder "
        "song.stems (docs/producing.md)",
    )


def stems(args: argparse.Namespace) -> str | None:
    """File type of the stems; None if they are not requested.

    Raises:
        ValueError: the option does not fit the other ones.
    """
    others = {"--output-shards": args.output_shards, "-o -": args.output == "-", "--merge": args.merge}
    if args.stems and (clash := [name for name, value in others.items() if value]):
        raise ValueError(f"--stems writes a folder beside the results and cannot be combined with {clash[0]}")
    if args.stems and part_options.part_of(args) is not None:
        raise ValueError("--stems needs the whole recording, without --from and --to")
    kind: str | None = args.stems
    return kind
