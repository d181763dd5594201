"""The subcommand `mt3drum transcribe`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from mt3drum.cli import drum_options, model_options, notation_options, part_options, stem_options
from mt3drum.cli.decode_options import add_decoding, decode_options
from mt3drum.cli.output_options import add_output
from mt3drum.cli.parser import add_json
from mt3drum.files import format_of

EXIT_USAGE = 2


def add_transcribe(commands: Any) -> None:
    """Add the parser to the subparsers of `mt3drum`."""
    transcribe = commands.add_parser(
        "transcribe",
        help="transcribe recordings to MIDI, MusicXML, tab, charts, JSON, ...",
        description="Transcribe recordings. Exit code 0: all transcribed; 1: some failed (one line each); "
        "2: wrong usage; 130: interrupted.",
    )
    add = transcribe.add_argument
    add(
        "files",
        nargs="*",
        metavar="FILES",
        help="audio files, folders (recursive), tar files of recordings, patterns (globs, "
        "{000..012}, {a,b}), 'pipe:COMMAND' for a shell command that writes a tar file, - for standard input",
    )
    add(
        "--list",
        type=Path,
        metavar="FILE",
        help="read further paths from a file, one per line (-: standard input)",
    )
    add_output(transcribe)
    notation_options.add_options(transcribe)
    drum_options.add_options(transcribe)
    part_options.add_options(transcribe)
    stem_options.add_options(transcribe)
    _add_many(transcribe)
    add("--local_rank", help=argparse.SUPPRESS)  # passed by the deepspeed launcher
    model_options.add_options(transcribe)
    _add_computing(transcribe)
    add("--quiet", action="store_true", help="no progress bar, no messages for successful files")
    add_json(transcribe)
    add_decoding(transcribe)


def _add_many(parser: argparse.ArgumentParser) -> None:
    """Add the options for many recordings."""
    add = parser.add_argument
    add(
        "--watch",
        type=Path,
        metavar="DIR",
        help="watch a folder and transcribe each recording once it is complete (unchanged for 3 s), until "
        "Ctrl-C; recordings with newer results are skipped",
    )
    add("--skip-existing", action="store_true", help="skip recordings whose results all exist")
    add(
        "--manifest",
        type=Path,
        metavar="DIR",
        help="keep a ledger of finished and failed recordings in this folder, skip finished ones, and "
        "process this rank's share (RANK and WORLD_SIZE of deepspeed or torchrun)",
    )
    add(
        "--task",
        metavar="I/N",
        help="take the I-th of N shares, I from 0 to N - 1, instead of that by RANK and WORLD_SIZE: for "
        "Slurm arrays (needs --manifest)",
    )
    add(
        "--output-shards",
        type=int,
        metavar="N",
        help="write results to tar files of N recordings each, results-RANK-NUMBER.tar (requires --manifest)",
    )


def _add_computing(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--batch", type=int, metavar="N", help="segments per batch")
    kinds = "auto", "float32", "bfloat16"
    add(
        "--precision",
        choices=kinds,
        default="auto",
        help="precision of matrix products (default: the fastest)",
    )
    add(
        "--runtime",
        choices=("torch", "onnx"),
        default="torch",
        help="inference engine; onnx: ONNX Runtime on the CPU in float32 (default: torch)",
    )


def transcribe(args: argparse.Namespace) -> int:
    """Run the command. Returns the exit code."""
    from mt3drum.batch.console import error
    from mt3drum.batch.outputs import read_output
    from mt3drum.batch.plan import TranscribeOptions
    from mt3drum.batch.run import run

    try:
        if args.watch is not None:
            _check_watch(args)
        elif not args.files and args.list is None:
            raise ValueError("nothing to transcribe: name FILES, or a --list of them")
        decoding, drums = decode_options(args), drum_options.chosen(args)
        _check_many(args)
        notes, score = notation_options.score_options(args)
        if args.json and args.output == "-":
            raise ValueError("--json and -o - both write to standard output; name a folder or a file")
        merge = part_options.merge_into(args)
        if merge is not None and score.bpm is None and score.meter is None:
            score = replace(score, beats=merge[1])
        output = read_output(args.output, args.format, args.overwrite)
        notation_options.check_formats(args, output)
        options = TranscribeOptions(
            files=args.files,
            output=output,
            decoding=decoding,
            notes=notes,
            score=score,
            drums=drums,
            list=args.list,
            manifest=args.manifest,
            task=args.task,
            output_shards=args.output_shards,
            skip_existing=args.skip_existing,
            quiet=args.quiet,
            json=args.json,
            checkpoint=args.checkpoint,
            kit=args.kit,
            device=args.device,
            batch=args.batch,
            precision=args.precision,
            runtime=args.runtime,
            part=part_options.part_of(args),
            merge=merge[0] if merge else None,
            stems=stem_options.stems(args),
        )
    except (ValueError, OSError) as problem:
        error(str(problem))
        return EXIT_USAGE
    if args.watch is None:
        return run(options)
    from mt3drum.batch.run import watch

    return watch(options, args.watch)


def _check_many(args: argparse.Namespace) -> None:
    """
    Raises:
        ValueError: a count is out of range.
    """
    if args.batch is not None and args.batch < 1:
        raise ValueError(f"--batch {args.batch} is less than 1")
    if args.output_shards is not None and (args.output_shards < 1 or args.manifest is None):
        raise ValueError("--output-shards needs at least 1 recording per tar file, and --manifest DIR")


def _check_watch(args: argparse.Namespace) -> None:
    """Check the options that watch a folder.

    Raises:
        ValueError: it is not a folder, or other options do not fit.
    """
    others = {
        "FILES": args.files,
        "--list": args.list,
        "--manifest": args.manifest,
        "--merge": args.merge,
        "--task": args.task,
    }
    if clash := [name for name, value in others.items() if value]:
        raise ValueError(f"--watch {args.watch} cannot be combined with {' and '.join(clash)}")
    if not args.watch.is_dir():
        raise ValueError(f"--watch {args.watch}: no such folder")
    if args.output is not None and (args.output == "-" or format_of(Path(args.output))):
        raise ValueError(f"-o {args.output} is one file, and --watch may find more: name a folder")
