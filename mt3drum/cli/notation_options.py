"""The options of `mt3drum transcribe` for tempo, meter, grid and MIDI notes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt3drum.cli.parser import meant
from mt3drum.extras import MissingExtra, need
from mt3drum.formats.note_map import PRESETS, find_preset, read_note_map
from mt3drum.formats.options import GRIDS, PRACTICE, STYLES, MidiOptions
from tokenizer.midi_tracks import NOTE_SECONDS, TrackOptions

if TYPE_CHECKING:
    from mt3drum.batch.outputs import Output
    from mt3drum.formats.options import ScoreOptions
    from tokenizer.midi import Notes

BUILT_IN: Mapping[str, Notes] = {"gm": "gm", "td17": "td17"}
NOTE_MAPS = (*BUILT_IN, *PRESETS)


def add_options(parser: Any) -> None:
    """Add the options to an argument parser or group."""
    add = parser.add_argument
    add(
        "--notes",
        default="gm",
        metavar="NAME|FILE",
        help=f"MIDI note numbers: {', '.join(NOTE_MAPS)} (default: gm), or a JSON file that maps drum names "
        "to numbers (docs/producing.md)",
    )
    add(
        "--note-length",
        type=_note_length,
        metavar="S|N/D",
        help="length of MIDI notes: seconds (default: 0.05), or a note value such as 1/16",
    )
    add(
        "--split",
        choices=("tracks", "files"),
        help="one MIDI track per drum family, or one extra MIDI file per drum family",
    )
    add(
        "--stickings",
        choices=STYLES,
        help="hands below the notes of musicxml, pdf and svg: right and left in turn, or right-hand lead; "
        "with left: hands exchanged, for a left-handed player at a mirrored kit",
    )
    add(
        "--practice-tempo",
        type=float,
        metavar="X",
        help=f"tempo of practice-midi and practice-wav, as a share of the recording's (default: {PRACTICE})",
    )
    add_tempo_options(parser)
    add(
        "--grid",
        choices=tuple(GRIDS),
        help="quantise to eighths, sixteenths, sixteenth triplets, or the best fit per beat; swing is kept "
        "(default: times as played)",
    )


def add_tempo_options(parser: Any) -> None:
    """Add the options for a known tempo and meter."""
    add = parser.add_argument
    add("--bpm", type=float, metavar="X", help="set the tempo, to within 6 %% (default: estimated)")
    add(
        "--meter",
        metavar="N/D",
        help="set the time signature: 3/4, 6/8, ... (default: estimated)",
    )


def tempo_options(args: argparse.Namespace) -> ScoreOptions:
    """The known tempo and meter.

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


def _note_length(text: str) -> float | Fraction:
    """Parse seconds, or a fraction of a whole note."""
    try:
        return Fraction(text) if "/" in text else float(text)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither seconds nor a note value such as 1/16"
        ) from None


def score_options(args: argparse.Namespace) -> tuple[Notes, ScoreOptions]:
    """The MIDI notes and notation options given on the command line.

    Raises:
        ValueError: a value is out of range, or the note map is invalid.
        OSError: the note map cannot be read.
    """
    known = tempo_options(args)
    if args.grid == "24" and known.meter is not None and known.meter.compound:
        raise ValueError(f"--grid 24 (triplets) does not fit the beats of {known.meter}; use 8, 16 or auto")
    notes, pedal = note_map(args.notes)
    length = NOTE_SECONDS if args.note_length is None else args.note_length
    tracks = TrackOptions(length, pedal, args.split == "tracks")
    midi = MidiOptions(tracks, args.split == "files")
    practice = PRACTICE if args.practice_tempo is None else args.practice_tempo
    if not 0.1 <= practice <= 2:
        raise ValueError(f"--practice-tempo {practice:g} is outside 0.1..2")
    return notes, replace(
        known,
        grid=None if args.grid is None else GRIDS[args.grid],
        midi=midi,
        stickings=args.stickings,
        practice=practice,
    )


def check_formats(args: argparse.Namespace, output: Output) -> None:
    """Check that the options fit the formats, and that the extras of the formats are installed.

    Raises:
        ValueError: an option needs a format that is not requested, or several files would go to standard
            output.
    """
    about = {
        "--split": (args.split, "MIDI files", ("midi",)),
        "--note-length": (args.note_length, "MIDI files", ("midi", "practice-midi")),
        "--stickings": (args.stickings, "musicxml, pdf and svg", ("musicxml", "pdf", "svg")),
        "--practice-tempo": (args.practice_tempo, "practice formats", ("practice-midi", "practice-wav")),
    }
    for option, (value, what, formats) in about.items():
        if value is not None and not set(formats) & set(output.formats):
            raise ValueError(f"{option} applies to {what}, but --format names none")
    try:
        if {"pdf", "svg"} & set(output.formats):
            need("engrave", "verovio", "typst")
        if "parquet" in output.formats:
            need("parquet", "pyarrow")
    except MissingExtra as missing:
        raise ValueError(f"--format {','.join(output.formats)}: {missing}") from None
    if args.split == "files" and output.to_stdout:
        raise ValueError("--split files writes several files: name a folder with -o")


def note_map(text: str) -> tuple[Notes, int | None]:
    """MIDI note numbers, and the controller of the hi-hat pedal.

    Raises:
        ValueError: there is no such preset, or the file is not a valid map.
        OSError: the file cannot be read.
    """
    if text in PRESETS:
        preset = find_preset(text)
        return preset.numbers, preset.pedal_controller
    if text in BUILT_IN:
        return BUILT_IN[text], None
    if not Path(text).is_file():
        hint = meant(text, NOTE_MAPS)
        raise ValueError(f"--notes {text}: none of {', '.join(NOTE_MAPS)}, and no such file{hint}")
    return read_note_map(Path(text)), None
