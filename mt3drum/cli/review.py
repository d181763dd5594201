"""The subcommands `mt3drum review` and `mt3drum serve`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt3drum.batch.console import say_json
from mt3drum.batch.inputs import STDIN, STDIN_NAME, Task
from mt3drum.batch.outputs import STDOUT, private_folder
from mt3drum.batch.tars import renamed, staged
from mt3drum.cli import model_options, notation_options
from mt3drum.cli.parser import add_json

if TYPE_CHECKING:
    from mt3drum.formats.options import ScoreOptions
    from mt3drum.formats.write import Rendering
    from mt3drum.result import Transcription
    from mt3drum.transcriber import Transcriber

EXIT_FAILED, EXIT_USAGE = 1, 2


def add_parsers(commands: Any) -> None:
    """Add both parsers to the subparsers of `mt3drum`."""
    review = commands.add_parser(
        "review",
        help="transcribe to a web page for listening and correcting",
        description="Transcribe a recording (at most one hour) and write one HTML file with its audio, "
        "spectrogram and hits. Play, correct and export in any browser, without a network.",
    )
    review.add_argument("file", type=Path, metavar="FILE", help="audio file; -: standard input")
    review.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="PAGE",
        help="output page; -: standard output (default: the file's name with .html; never replaces a file)",
    )
    review.add_argument("--overwrite", action="store_true", help="replace the default page")
    notation_options.add_tempo_options(review)
    add_json(review)
    serve = commands.add_parser(
        "serve",
        help="run the review page as a local web app",
        description="Serve a web app on 127.0.0.1: upload recordings, follow the transcription and review "
        "the result. Only this machine can reach it. Requires pip install 'mt3drum[web]'.",
    )
    serve.add_argument("--port", type=int, default=8026, metavar="N", help="default: 8026")
    serve.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="folder for recordings, scores and edits (default: mt3drum in the user's data folder)",
    )
    for parser in (review, serve):
        model_options.add_options(parser)


def review(args: argparse.Namespace) -> int:
    """Run `mt3drum review`. Returns the exit code."""
    piped = str(args.file) == STDIN
    page = args.output or Path("standard-input.html" if piped else args.file.with_suffix(".html").name)
    try:
        options = notation_options.tempo_options(args)
        if args.json and str(page) == STDOUT:
            raise ValueError("--json and -o - both write to standard output; name the page")
        if page.is_dir():
            raise ValueError(f"-o {page}: is a folder; name the page, as in {page / 'song.html'}")
        if page.exists() and args.file.exists() and page.samefile(args.file):
            raise ValueError(f"{page}: would be overwritten; name another page with -o")
        if args.output is None and page.exists() and not args.overwrite:
            raise ValueError(f"{page} already exists; --overwrite replaces it, and -o names another page")
    except ValueError as error:
        return _error(str(error), EXIT_USAGE)
    transcriber = _load(args)
    if transcriber is None:
        return EXIT_FAILED
    from mt3drum.web.escape import shown

    with private_folder() as scratch:
        (path,) = staged([Task(args.file, page)], {}, scratch)
        name = Path(STDIN_NAME) if piped else args.file
        try:
            result = renamed(transcriber.transcribe_file(path), name)
            rendering = _write_page(result, path, name, page, options)
        except (ValueError, OSError) as error:
            return _error(shown(str(error).replace(str(path), str(name))))
    for warning in result.warnings:
        print(f"warning: {shown(warning)}", file=sys.stderr)
    if args.json:
        files = {"source": str(args.file), "status": "done", "files": [str(page)]}
        say_json(files | rendering.record | {"warnings": list(rendering.warnings)}, sys.stdout)
        return 0
    line = f"{name} -> {page}: {rendering.summary}"
    print(shown(line), file=sys.stderr if str(page) == STDOUT else sys.stdout)
    return 0


def _write_page(
    result: Transcription, audio: Path, name: Path, page: Path, options: ScoreOptions
) -> Rendering:
    """Write one page; returns its rendering, for the summary.

    Args:
        audio: the recording, known to the user as `name`.
    """
    from mt3drum.files import write_whole
    from mt3drum.formats.write import Rendering
    from mt3drum.web.page import build_page

    rendering = Rendering(result, "gm", options)
    text = build_page(result, audio, name=name.name, options=replace(options, beats=rendering.grid))
    if str(page) == STDOUT:
        sys.stdout.buffer.write(text.encode())
    else:
        write_whole(page, text)
    for doubt in rendering.warnings[len(result.warnings) :]:
        print(f"warning: {doubt}", file=sys.stderr)
    return rendering


def serve(args: argparse.Namespace) -> int:
    """Run `mt3drum serve` until interrupted. Returns the exit code."""
    missing = [name for name in ("starlette", "uvicorn", "platformdirs") if find_spec(name) is None]
    if missing:
        return _error(f"mt3drum serve needs {', '.join(missing)}; install with: pip install 'mt3drum[web]'")
    if not 1 <= args.port <= 65_535:
        return _error(f"--port {args.port} is outside 1..65535", EXIT_USAGE)
    transcriber = _load(args)
    if transcriber is None:
        return EXIT_FAILED
    from mt3drum.web.app import run
    from mt3drum.web.work import InUse, WorkFolder, default_folder

    work = WorkFolder(args.work or default_folder())
    try:
        with work.held():
            return _run(lambda: run(transcriber, args.port, work), args.port)
    except InUse as error:
        return _error(f"{error}; stop that one, or choose another folder by --work")
    except OSError as error:
        return _error(f"--work {work.folder} cannot be used: {error.strerror or error}")


def _run(server: Callable[[], None], port: int) -> int:
    try:
        server()
    except OSError as error:
        return _error(f"port {port} cannot be used ({error.strerror or error}); choose another by --port")
    return 0


def _load(args: argparse.Namespace) -> Transcriber | None:
    from mt3drum.transcriber import Transcriber

    try:
        transcriber = Transcriber.load(args.checkpoint, args.device, kit=args.kit)
    except (ValueError, OSError) as error:
        _error(str(error))
        return None
    for warning in transcriber.kit.warnings if transcriber.kit else ():
        print(f"warning: {warning}", file=sys.stderr)
    return transcriber


def _error(text: str, code: int = EXIT_FAILED) -> int:
    print(f"error: {text}", file=sys.stderr)
    return code
