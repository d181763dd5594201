"""The command `mt3drum`. Heavy imports happen only after the arguments have been validated."""

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
    export_site,
    info,
    model_options,
    notation_options,
    part_options,
    review,
    stem_options,
)
from mt3drum.cli.parser import CommandParser, add_json, meant
from mt3drum.decoding import DECODED_SCHEMES, DECODERS, PLAYABLE, DecodeConfig
from mt3drum.files import SUFFIX, format_of

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(drum_options.names(text)))
    unknown = [name for name in names if name not in SUFFIX]
    if not names or unknown:
        hint = "".join(meant(name, SUFFIX) for name in unknown[:1])
        raise argparse.ArgumentTypeError(f"{text!r}: expected one or more of {', '.join(SUFFIX)}{hint}")
    return names


def _confidence(text: str) -> float | dict[str, float]:
    """A bound, or bounds by family."""
    try:
        if "=" not in text:
            return float(text)
        pairs = [item.split("=") for item in drum_options.names(text)]
        return {family.strip(): float(bound) for family, bound in pairs}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: a number, or family=number,... are wanted") from None


def build_parser() -> argparse.ArgumentParser:
    """The parser of all subcommands."""
    parser = CommandParser(
        prog="mt3drum", description="Automatic drum transcription: recordings to MIDI, notation and tables."
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    add_transcribe(commands)
    review.add_parsers(commands)
    convert.add_parser(commands, add_output)
    demo.add_parser(commands)
    export_site.add_parser(commands)
    info.add_parser(commands)
    doctor.add_parser(commands)
    completion.add_parser(commands)
    return parser


def add_transcribe(commands: Any) -> None:
    """Add the subcommand `transcribe`."""
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
        "--output-shards",
        type=int,
        metavar="N",
        help="write results to tar files of N recordings each, results-RANK-NUMBER.tar (requires --manifest)",
    )
    add("--local_rank", help=argparse.SUPPRESS)  # given by the deepspeed launcher
    add(
        "--vocabulary",
        type=drum_options.names,
        default=[],
        metavar="D,D",
        help="drums or families that the recording contains, if it contains no others: every sound is "
        "attributed to one of them (use --only to choose which drums are written)",
    )
    model_options.add_options(transcribe)
    _add_computing(transcribe)
    add("--quiet", action="store_true", help="no progress bar, no messages for successful files")
    add_json(transcribe)
    add_decoding(transcribe)


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


def add_decoding(parser: argparse.ArgumentParser) -> None:
    """Add the options that override a checkpoint's decode settings."""
    add = parser.add_argument
    add(
        "--decoder",
        choices=DECODERS,
        help="product: decoder and onset head combined; frames: the onset head alone, faster "
        "(default: product, if the checkpoint has a decoder)",
    )
    add("--beam", type=int, metavar="N", help="beam size; 1 is greedy search (default: from the checkpoint)")
    add(
        "--onset-weight",
        type=float,
        metavar="X",
        help="weight of the onset head, 0..1 (default: from the checkpoint)",
    )
    add(
        "--onset-bias",
        type=float,
        metavar="X",
        help="added to the onset head's logits (default: from the checkpoint)",
    )
    add(
        "--minimum-confidence",
        type=_confidence,
        metavar="X",
        help="drop hits below this confidence, 0..1: one threshold, or thresholds by family, as in "
        "tom=0.4,ride=0.2 (default: from the checkpoint)",
    )
    add(
        "--scheme",
        choices=DECODED_SCHEMES,
        help="number of drums to distinguish: 26; 16: each drum once; 8: families; 5: KD SD TT HH CY",
    )
    add("--playable", action="store_const", const=PLAYABLE, help="avoid hits that need a third hand")
    add(
        "--transitions",
        type=float,
        metavar="X",
        help="weight of which drum human drummers strike after which (default: 0, off)",
    )
    add("--minimum-gap", type=float, metavar="S", help="minimum seconds between two hits on one drum")
    add("--max-hits-per-second", type=int, metavar="N", help="maximum number of hits in any one second")


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


def decode_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options that override a checkpoint's decode settings.

    Raises:
        ValueError: a value is out of range, a name unknown, or no class left.
    """
    names = (
        *("decoder", "beam", "onset_weight", "onset_bias", "minimum_confidence", "scheme", "playable"),
        *("transitions", "minimum_gap", "max_hits_per_second"),
    )
    options = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.vocabulary:
        options["classes"] = drum_options.drum_classes(args.vocabulary)
    if args.kit is not None and options.get("scheme", "26") != "26":
        raise ValueError("--kit tells drums apart that --scheme takes for one; give only one of them")
    DecodeConfig().with_options(options)  # checks the ranges before anything heavy is imported
    if args.batch is not None and args.batch < 1:
        raise ValueError(f"--batch {args.batch} is less than 1")
    if args.output_shards is not None and (args.output_shards < 1 or args.manifest is None):
        raise ValueError("--output-shards needs at least 1 recording per tar file, and --manifest DIR")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code; user errors print one line each, without a traceback."""
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
            "export-site": export_site.export_site,
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
            stems=stem_options.stems(args),
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
        raise ValueError(f"--watch {args.watch} cannot be combined with {' and '.join(clash)}")
    if not args.watch.is_dir():
        raise ValueError(f"--watch {args.watch}: no such folder")
    if args.output is not None and (args.output == "-" or format_of(Path(args.output))):
        raise ValueError(f"-o {args.output} is one file, and --watch may find more: name a folder")


if __name__ == "__main__":
    sys.exit(main())
