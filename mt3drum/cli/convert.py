"""The subcommand `mt3drum convert`: a score in JSON, as transcribed or as edited, to the other formats."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mt3drum.batch import run
from mt3drum.cli import notation_options

EXIT_FAILED, EXIT_USAGE = 1, 2


def add_parser(commands: Any, formats: Callable[[str], tuple[str, ...]]) -> None:
    """Add it to the subparsers of the command `mt3drum`.

    Args:
        formats: reads the value of --format.
    """
    parser = commands.add_parser(
        "convert",
        help="a score in JSON, edited or not, to the other formats",
        description="Write scores in JSON (of `mt3drum transcribe --format json`, or exported from the "
        "review page) in other formats. Beats are those in the file, unless --bpm or --meter says otherwise.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.json", help="scores in JSON")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("."),
        metavar="DIR",
        help="folder for the results (default: .)",
    )
    parser.add_argument(
        "--format",
        type=formats,
        default=("midi",),
        metavar="F,F",
        help="as mt3drum transcribe (default: midi)",
    )
    notation_options.add_options(parser)


def convert(args: argparse.Namespace) -> int:
    """Returns the exit code."""
    from mt3drum.files import SUFFIX
    from mt3drum.formats import write
    from mt3drum.formats.read_json import read_json

    try:
        notes, options = notation_options.score_options(args)
    except (ValueError, OSError) as error:
        run.error(str(error))
        return EXIT_USAGE
    failed = 0
    taken: set[Path] = set()
    for path in args.files:
        base = args.output / path.name.removesuffix(path.suffix)
        try:
            result, beats = read_json(path)
            if base in taken:
                raise ValueError(
                    f"{path}: another file of this name was written to {base}.*; use another folder"
                )
            taken.add(base)
            own = base.with_name(base.name + SUFFIX["json"])
            if "json" in args.format and own.resolve() == path.resolve():
                raise ValueError(f"{path}: would be written over; use another folder")
            known = options.bpm is not None or options.meter is not None
            rendering = write.Rendering(result, notes, options if known else replace(options, beats=beats))
            written = rendering.write(base, args.format)
        except (ValueError, OSError) as error:
            failed += 1
            run.error(str(error) if str(path) in str(error) else f"{path}: {error}")
            continue
        line = f"{path} -> {', '.join(map(str, written))}: {rendering.summary}"
        run.say(line, sys.stdout)
    return EXIT_FAILED if failed else 0
