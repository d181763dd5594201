"""The options of `mt3drum transcribe` for a part of a recording: `--from`, `--to`, `--merge`."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mt3drum.decode.part import Part
    from mt3drum.result import Transcription
    from mt3drum.rhythm.grid import Grid

_CLOCK = re.compile(r"(?:(?:(\d{1,3}):)?([0-5]?\d):)?(\d{1,6}(?:\.\d{1,9})?)")


def add_options(parser: Any) -> None:
    """Add the options to an argument parser or group."""
    add = parser.add_argument
    add(
        "--from",
        dest="start",
        type=seconds,
        metavar="M:SS",
        help="start transcribing at this time of the file",
    )
    add("--to", dest="end", type=seconds, metavar="M:SS", help="stop transcribing at this time of the file")
    add(
        "--merge",
        type=Path,
        metavar="FILE.json",
        help="merge the new part (default: the whole recording) into this existing transcription; with "
        "--only, replace only these drums. Its beats are kept unless --bpm or --meter is given",
    )


def seconds(text: str) -> float:
    """Parse seconds from `62`, `62.5`, `1:02.5` or `1:00:02`."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None or (found[2] is not None and float(found[3]) >= 60):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; expected seconds, M:SS or H:MM:SS")
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + rest


def part_of(args: argparse.Namespace) -> Part | None:
    """The part selected by `--from` and `--to`; None: the whole recording.

    Raises:
        ValueError: the part is empty.
    """
    if args.start is None and args.end is None:
        return None
    from mt3drum.decode.part import Part

    return Part(args.start or 0.0, math.inf if args.end is None else args.end)


def merge_into(args: argparse.Namespace) -> tuple[Transcription, Grid | None] | None:
    """The transcription given by `--merge`, and its beats.

    Raises:
        ValueError: it is not a transcription, or the other options do not fit.
        OSError: it cannot be read.
    """
    if args.merge is None:
        return None
    for name in ("manifest", "skip_existing"):
        if getattr(args, name):
            raise ValueError(
                f"--merge changes one transcription and cannot be combined with --{name.replace('_', '-')}"
            )
    from mt3drum.formats.read_json import read_json

    return read_json(args.merge)
