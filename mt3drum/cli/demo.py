"""The subcommand `mt3drum demo`: transcribe the bundled clip to MIDI and a review page."""

from __future__ import annotations

import argparse
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from mt3drum.batch.console import say_json
from mt3drum.cli.parser import add_json

EXIT_FAILED = 1
CLIP = "demo.ogg"


def add_parser(commands: Any) -> None:
    """Add the parser to the subparsers of `mt3drum`."""
    parser = commands.add_parser(
        "demo",
        help="transcribe the bundled ten-second clip",
        description=f"Write {CLIP} (ten seconds of drums and band), its transcription demo.mid and the "
        "review page demo.html.",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("."), metavar="DIR", help="default: .")
    add_json(parser)


def demo(args: argparse.Namespace) -> int:
    """Run the command. Returns the exit code."""
    from dataclasses import replace

    from mt3drum.files import write_whole
    from mt3drum.formats.options import ScoreOptions
    from mt3drum.formats.write import Rendering
    from mt3drum.transcriber import Transcriber
    from mt3drum.web.page import write_page

    clip, midi, page = (args.output / f"demo{suffix}" for suffix in (".ogg", ".mid", ".html"))
    try:
        write_whole(clip, (resources.files("mt3drum") / "assets" / CLIP).read_bytes())
        result = Transcriber.load().transcribe_file(clip)
        rendering = Rendering(result, "gm", ScoreOptions())
        rendering.write({"midi": midi})
        write_page(result, clip, page, replace(ScoreOptions(), beats=rendering.grid))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    if args.json:
        files = {"source": str(clip), "status": "done", "files": [str(midi), str(page)]}
        say_json(files | rendering.record | {"warnings": list(rendering.warnings)}, sys.stdout)
    else:
        print(f"{clip} -> {midi}, {page}: {rendering.summary}")
    return 0
