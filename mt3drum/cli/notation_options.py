"""The options of `mt3drum transcribe` about tempo, meter, grid and notes."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt3drum.cli.parser import meant
from mt3drum.formats.options import GRIDS

if TYPE_CHECKING:
    from mt3drum.formats.options import ScoreOptions
    from tokenizer.midi import Notes


def add_options(parser: Any) -> None:
    """To an argument parser or group."""
    add = parser.add_argument
    add(
        "--notes",
        default="gm",
        metavar="gm|td17|FILE",
        help="note numbers in MIDI: General MIDI (default), Roland TD-17, or a JSON file of drum names to "
        "numbers",
    )
    add_tempo_options(parser)
    add(
        "--grid",
        choices=tuple(GRIDS),
        help="quantise to eighths, sixteenths, sixteenth triplets, or the best fit per beat; swing is kept "
        "(default: times as played)",
    )


def add_tempo_options(parser: Any) -> None:
    """Those about what the user knows of tempo and meter."""
    add = parser.add_argument
    add("--bpm", type=float, metavar="X", help="set the tempo, to within 6 %% (default: estimated)")
    add(
        "--meter",
        metavar="N/D",
        help="set the time signature: 3/4, 6/8, ... (default: estimated)",
    )


def tempo_options(args: argparse.Namespace) -> ScoreOptions:
    """What those say.

    Raises:
        ValueError: a value is out of range.
    """
    from mt3drum.formats.options import ScoreOptions

    if args.bpm is not None and not 20 <= args.bpm <= 500:
        raise ValueError(f"--bpm {args.bpm:g} is outside 20..500")
    meter = None
    if args.meter is not None:
        from mt3drum.rhythm.grid import Meter

        meter = Meter.parse(args.meter)
    return ScoreOptions(args.bpm, meter)


def score_options(args: argparse.Namespace) -> tuple[Notes, ScoreOptions]:
    """What the options say.

    Raises:
        ValueError: a value is out of range, or the map of notes is none.
        OSError: the map of notes cannot be read.
    """
    known = tempo_options(args)
    if args.grid == "24" and known.meter is not None and known.meter.compound:
        raise ValueError(f"--grid 24 (triplets) does not fit the beats of {known.meter}; use 8, 16 or auto")
    notes: Notes = args.notes
    if args.notes not in ("gm", "td17"):
        from mt3drum.formats.note_map import read_note_map

        if not Path(args.notes).is_file():
            hint = meant(args.notes, ("gm", "td17"))
            raise ValueError(f"--notes {args.notes}: neither gm nor td17, and no such file{hint}")
        notes = read_note_map(Path(args.notes))
    return notes, replace(known, grid=None if args.grid is None else GRIDS[args.grid])
