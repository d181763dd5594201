"""The command `mt3drum`. Heavy imports happen only after the arguments have been validated."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from mt3drum.cli import (
    completion,
    convert,
    demo,
    doctor,
    export_site,
    info,
    label,
    listen,
    mcp_server,
    output_options,
    review,
    transcribe,
)
from mt3drum.cli.parser import CommandParser

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def build_parser() -> argparse.ArgumentParser:
    """The parser of all subcommands."""
    parser = CommandParser(
        prog="mt3drum", description="Automatic drum transcription: recordings to MIDI, notation and tables."
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    transcribe.add_transcribe(commands)
    review.add_parsers(commands)
    listen.add_parser(commands)
    label.add_parser(commands)
    convert.add_parser(commands, output_options.add_output)
    demo.add_parser(commands)
    export_site.add_parser(commands)
    info.add_parser(commands)
    doctor.add_parser(commands)
    mcp_server.add_parser(commands)
    completion.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit code; user errors print one line each, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(
                errors="backslashreplace"
            )  # file names may be invalid in the terminal's encoding
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
            "transcribe": transcribe.transcribe,
            "review": review.review,
            "serve": review.serve,
            "listen": listen.listen,
            "label": label.label,
            "convert": convert.convert,
            "demo": demo.demo,
            "info": info.info,
            "doctor": doctor.doctor,
            "mcp": mcp_server.mcp,
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


if __name__ == "__main__":
    sys.exit(main())
