"""The command `mt3drum`. Heavy imports wait until the arguments are known to be good."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mt3drum.cli import (
    completion,
    convert,
    demo,
    doctor,
    drum_options,
    info,
    model_options,
    notation_options,
    part_options,
    review,
)
from mt3drum.cli.parser import CommandParser, add_json, meant
from mt3drum.decoding import DECODERS, DecodeConfig
from mt3drum.files import SUFFIX, format_of

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(drum_options.names(text)))
    unknown = [name for name in names if name not in SUFFIX]
    if not names or unknown:
        hint = "".join(meant(name, SUFFIX) for name in unknown[:1])
        raise argparse.ArgumentTypeError(f"{text!r}: some of {', '.join(SUFFIX)} are wanted{hint}")
    return names


def build_parser() -> argparse.ArgumentParser:
    """All options of all subcommands."""
    parser = CommandParser(
        prog="mt3drum", description="Automatic drum transcription: recordings to MIDI, notation and tables."
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    add_transcribe(commands)
    review.add_parsers(commands)
    convert.add_parser(commands, add_output)
    demo.add_parser(commands)
    info.add_parser(commands)
    doctor.add_parser(commands)
    completion.add_parser(commands)
    return parser


def add_transcribe(commands: Any) -> None:
    """Add it to the subparsers of the command `mt3drum`."""
    transcribe = commands.add_parser(
        "transcribe",
        help="recordings to MIDI, MusicXML, tab, charts, JSON, ...",
        description="Transcribe recordings. Exit code 0: all done; 1: some failed (one line each); "
        "2: wrong usage; 130: interrupted.",
    )
    add = transcribe.add_argument
    add(
        "files",
        nargs="*",
        metavar="FILES",
        help="audio files, folders (recursive), tar files of recordings, patterns (globs, "
        "{000..012}, {a,b}), 'pipe:COMMAND': a shell command that writes a tar file, and -: standard input",
    )
    add("--list", type=Path, metavar="FILE", help="a file of further paths, one a line (-: standard input)")
    add_output(transcribe)
    notation_options.add_options(transcribe)
    drum_options.add_options(transcribe)
    part_options.add_options(transcribe)
    add(
        "--watch",
        type=Path,
        metavar="DIR",
        help="wait for recordings in this folder and transcribe each once it is complete (unchanged for "
        "3 s), until Ctrl-C; those with newer results are left out",
    )
    add("--skip-existing", action="store_true", help="skip recordings whose results all exist")
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
    add(
        "--vocabulary",
        type=drum_options.names,
        default=[],
        metavar="D,D",
        help="the drums or families that the recording holds, where it holds no others: all that sounds is "
        "one of them (to choose what is written, use --only)",
    )
    model_options.add_options(transcribe)
    _add_computing(transcribe)
    add("--quiet", action="store_true", help="no progress bar and no line per success")
    add_json(transcribe)
    add_decoding(transcribe)


def _add_computing(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--batch", type=int, metavar="N", help="segments per batch")
    kinds = "auto", "float32", "bfloat16"
    add("--precision", choices=kinds, default="auto", help="of matrix products (default: the fastest here)")
    add(
        "--runtime",
        choices=("torch", "onnx"),
        default="torch",
        help="what runs the network; onnx: ONNX Runtime on the cpu in float32, faster where the "
        "processor has no bfloat16 (default: torch)",
    )


def add_decoding(parser: argparse.ArgumentParser) -> None:
    """Add what replaces a checkpoint's decode settings."""
    add = parser.add_argument
    add(
        "--decoder",
        choices=DECODERS,
        help="product: decoder and onset head together; frames: the onset head alone, faster "
        "(default: product where the checkpoint has a decoder)",
    )
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


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `-o`, `--format` and `--overwrite`."""
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR|FILE|-",
        help="folder for the results, or for one recording a file (result.mid) or - (standard output); files "
        "that are there are replaced. Default: the current folder, where nothing is replaced",
    )
    formats = ", ".join(SUFFIX)
    parser.add_argument(
        "--format", type=_formats, metavar="F,F", help=f"{formats} (default: by -o FILE, else midi)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results in the current folder too")


def decode_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options that replace a checkpoint's decode settings.

    Raises:
        ValueError: a value is out of range, a name unknown, or no class left.
    """
    names = ("decoder", "beam", "onset_weight", "onset_bias", "minimum_gap", "max_hits_per_second")
    options = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.vocabulary:
        options["classes"] = drum_options.drum_classes(args.vocabulary)
    DecodeConfig().with_options(options)  # checks the ranges before anything heavy is imported
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
            "info": info.info,
            "doctor": doctor.doctor,
            "completion": lambda args: completion.completion(args, parser),
        }
        return run[args.command](args)
    except KeyboardInterrupt:
        print("interrupted; finished files are complete", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `mt3drum ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def _transcribe(args: argparse.Namespace) -> int:
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
        )
    except (ValueError, OSError) as problem:
        error(str(problem))
        return EXIT_USAGE
    if args.watch is None:
        return run(options)
    from mt3drum.batch.run import watch

    return watch(options, args.watch)


def _check_watch(args: argparse.Namespace) -> None:
    """
    Raises:
        ValueError: it is no folder, or other options do not go with it.
    """
    others = {"FILES": args.files, "--list": args.list, "--manifest": args.manifest, "--merge": args.merge}
    if clash := [name for name, value in others.items() if value]:
        raise ValueError(f"--watch {args.watch} goes without {' and '.join(clash)}")
    if not args.watch.is_dir():
        raise ValueError(f"--watch {args.watch}: no such folder")
    if args.output is not None and (args.output == "-" or format_of(Path(args.output))):
        raise ValueError(f"-o {args.output} is one file, and --watch may find more: name a folder")


if __name__ == "__main__":
    sys.exit(main())
