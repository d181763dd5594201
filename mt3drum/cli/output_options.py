"""The output options: `-o`, `--format`, `--overwrite`."""

from __future__ import annotations

import argparse

from mt3drum.cli import drum_options
from mt3drum.cli.parser import meant
from mt3drum.files import SUFFIX


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(drum_options.names(text)))
    unknown = [name for name in names if name not in SUFFIX]
    if not names or unknown:
        hint = "".join(meant(name, SUFFIX) for name in unknown[:1])
        raise argparse.ArgumentTypeError(f"{text!r}: expected one or more of {', '.join(SUFFIX)}{hint}")
    return names


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `-o`, `--format` and `--overwrite`."""
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR|FILE|-",
        help="output folder, or for a single recording a file (result.mid) or - (standard output); existing "
        "files are replaced. Default: the current folder, where existing files are kept",
    )
    formats = ", ".join(SUFFIX)
    parser.add_argument(
        "--format", type=_formats, metavar="F,F", help=f"{formats} (default: by -o FILE, else midi)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="also replace existing results in the current folder"
    )
