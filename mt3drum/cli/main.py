"""The command `mt3drum`. Heavy imports wait until the arguments are known to be good."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mt3drum.cli import convert, demo, model_options, notation_options, review
from mt3drum.decoding import DecodeConfig
from mt3drum.files import SUFFIX
from tokenizer.drums import CLASS_INDEX, DRUMS, FAMILIES

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def drum_classes(names: Sequence[str]) -> frozenset[int]:
    """Classes of names of drums or families; where both have the name (kick, ride), the family is meant.

    Raises:
        ValueError: a name is neither.
    """
    chosen: set[int] = set()
    for name in names:
        if name in FAMILIES:
            chosen |= {drum.index for drum in DRUMS if drum.family == name}
        elif name in CLASS_INDEX:
            chosen.add(CLASS_INDEX[name])
        else:
            raise ValueError(
                f"{name!r} is no drum and no family; families: {', '.join(FAMILIES)}; drums: "
                f"{', '.join(CLASS_INDEX)}"
            )
    return frozenset(chosen)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(_names(text)))
    if not names or set(names) - set(SUFFIX):
        raise argparse.ArgumentTypeError(f"{text!r}: some of {', '.join(SUFFIX)} are wanted")
    return names


def build_parser() -> argparse.ArgumentParser:
    """All options of all subcommands."""
    parser = argparse.ArgumentParser(prog="mt3drum", description="A recording of drums in, a score out.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    transcribe = commands.add_parser(
        "transcribe",
        help="recordings to MIDI, MusicXML, tab, charts, JSON, ...",
        description="Transcribe recordings. Exit code 0: all done; 1: some failed (each has its line); "
        "2: wrong usage; 130: interrupted.",
    )
    add = transcribe.add_argument
    add(
        "files",
        nargs="*",
        metavar="FILES",
        help="audio files, folders (searched through), tar files of recordings, patterns (globs, "
        "{000..012}, {a,b}), and 'pipe:COMMAND': a shell command that writes a tar file",
    )
    add("--list", type=Path, metavar="FILE", help="a file of further paths, one a line")
    add(
        "-o",
        "--output",
        type=Path,
        default=Path("."),
        metavar="DIR",
        help="folder for the results (default: .)",
    )
    formats = ", ".join(SUFFIX)
    add("--format", type=_formats, default=("midi",), metavar="F,F", help=f"{formats} (default: midi)")
    notation_options.add_options(transcribe)
    add("--skip-existing", action="store_true", help="leave out recordings whose results are all there")
    add(
        "--manifest",
        type=Path,
        metavar="DIR",
        help="keep a ledger of done and failed recordings there, leave out what it says is done, and take "
        "this process's share by RANK and WORLD_SIZE (deepspeed, torchrun); failures do not stop other ranks",
    )
    add(
        "--output-shards",
        type=int,
        metavar="N",
        help="write results into tar files of N recordings each, results-RANK-NUMBER.tar (needs --manifest)",
    )
    add("--local_rank", help=argparse.SUPPRESS)  # given by the deepspeed launcher
    add("--only", type=_names, default=[], metavar="D,D", help="only these drums or families")
    add("--without", type=_names, default=[], metavar="D,D", help="none of these drums or families")
    model_options.add_options(transcribe)
    add("--batch", type=int, metavar="N", help="segments decoded at once")
    kinds = "auto", "float32", "bfloat16"
    add("--precision", choices=kinds, default="auto", help="of matrix products (default: the fastest here)")
    add("--quiet", action="store_true", help="no progress bar and no line for what went well")
    add("--beam", type=int, metavar="N", help="beams; 1 is greedy (default: the checkpoint's)")
    add(
        "--onset-weight",
        type=float,
        metavar="X",
        help="weight 0..1 of the onset head (default: the checkpoint's)",
    )
    add(
        "--onset-bias",
        type=float,
        metavar="X",
        help="added to the onset head's logits (default: the checkpoint's)",
    )
    add("--minimum-gap", type=float, metavar="S", help="least seconds between two strokes of one drum")
    add("--max-hits-per-second", type=int, metavar="N", help="most hits in any one second")
    review.add_parsers(commands)
    convert.add_parser(commands, _formats)
    demo.add_parser(commands)
    return parser


def decode_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options that replace a checkpoint's decode settings.

    Raises:
        ValueError: a value is out of range, a name unknown, or no class left.
    """
    names = ("beam", "onset_weight", "onset_bias", "minimum_gap", "max_hits_per_second")
    options = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.only or args.without:
        every = DecodeConfig().classes
        options["classes"] = (drum_classes(args.only) if args.only else every) - drum_classes(args.without)
        if not options["classes"]:
            raise ValueError("--only and --without leave no drum")
    replace(DecodeConfig(), **options)  # checks the ranges before anything heavy is imported
    if args.batch is not None and args.batch < 1:
        raise ValueError(f"--batch {args.batch} is less than 1")
    if args.output_shards is not None and (args.output_shards < 1 or args.manifest is None):
        raise ValueError("--output-shards wants 1 or more recordings a tar file, and --manifest DIR")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code; errors of the user are one line each, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(
                errors="backslashreplace"
            )  # file names need not be valid in the terminal's encoding
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.version:
        from mt3drum import __version__

        print(f"mt3drum {__version__}")
        return 0
    if args.command is None:
        parser.print_help()
        return EXIT_USAGE
    try:
        run = {
            "transcribe": _transcribe,
            "review": review.review,
            "serve": review.serve,
            "convert": convert.convert,
            "demo": demo.demo,
        }
        return run[args.command](args)
    except KeyboardInterrupt:
        print("interrupted; finished files are complete", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `mt3drum ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def _transcribe(args: argparse.Namespace) -> int:
    from mt3drum.batch import run

    try:
        if not args.files and args.list is None:
            raise ValueError("nothing to transcribe: name FILES, or a --list of them")
        options = decode_options(args)
        args.notes, args.score = notation_options.score_options(args)
    except (ValueError, OSError) as error:
        run.error(str(error))
        return EXIT_USAGE
    return run.run(args, options)


if __name__ == "__main__":
    sys.exit(main())
