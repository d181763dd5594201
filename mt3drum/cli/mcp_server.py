"""The subcommand `mt3drum mcp`: transcription as tools for assistants, by the Model Context Protocol over
standard input and output (extra `mcp`)."""

from __future__ import annotations

import argparse
import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mt3drum.batch.console import error
from mt3drum.cli import model_options
from mt3drum.cli.info import describe_file, read_score
from mt3drum.extras import MissingExtra, need
from mt3drum.files import SUFFIX, result_paths

if TYPE_CHECKING:
    from mt3drum.transcriber import Transcriber

EXIT_FAILED = 1
_FORMATS = ", ".join(SUFFIX)


def add_parser(commands: Any) -> None:
    """Add it to the subparsers of the command `mt3drum`."""
    parser = commands.add_parser(
        "mcp",
        help="serve transcription tools to assistants (Model Context Protocol)",
        description="Serve the tools transcribe, info and score over standard input and output, for programs "
        "that speak the Model Context Protocol. The tools can read and write whatever you can. Requires "
        "pip install 'mt3drum[mcp]'.",
    )
    model_options.add_options(parser)


def mcp(args: argparse.Namespace) -> int:
    """Returns the exit code, when standard input ends."""
    try:
        need("mcp", "mcp")
        from mt3drum.transcriber import Transcriber

        tools = Tools(Transcriber.load(args.checkpoint, args.device, kit=args.kit))
    except (MissingExtra, ValueError, OSError) as problem:
        error(str(problem))
        return EXIT_FAILED
    make_server(tools).run("stdio")
    return 0


class Tools:
    """What assistants can call. Errors become results that say why."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber
        self._turn = threading.Lock()  # one model: one recording at a time

    def transcribe(
        self, path: str, output: str, formats: str = "midi", bpm: float | None = None
    ) -> dict[str, Any]:
        from mt3drum.formats.options import ScoreOptions
        from mt3drum.formats.write import Rendering

        names = tuple(dict.fromkeys(name.strip() for name in formats.split(",")))
        if unknown := [name for name in names if name not in SUFFIX]:
            raise ValueError(f"{unknown[0]!r:.40} is not one of {_FORMATS}")
        with self._turn:
            result = self._transcriber.transcribe_file(path)
        rendering = Rendering(result, "gm", ScoreOptions(bpm=bpm))
        written = rendering.write(result_paths(Path(output) / Path(path).stem, names))
        files = {"files": [str(file) for file in written.files], "missing": dict(written.missing)}
        return files | rendering.record | {"warnings": list(written.warnings)}

    def info(self, path: str) -> dict[str, Any]:
        return describe_file(Path(path))

    def score(
        self, reference: str, estimate: str, classes: Literal["26", "16", "12", "8", "5", "3"] = "5"
    ) -> dict[str, Any]:
        from mt3drum.formats.compare import compare

        wanted, given = (read_score(Path(path))[0].hits for path in (reference, estimate))
        return compare(wanted, given, classes)


def make_server(tools: Tools) -> Any:
    """An `mcp.server.mcpserver.MCPServer` with the three tools."""
    from mcp.server.mcpserver import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError

    from mt3drum import __version__

    def told(call: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        """The reason of a failure is for the assistant; of other exceptions the protocol tells nothing."""

        @functools.wraps(call)
        def wrapped(**values: Any) -> dict[str, Any]:
            try:
                return call(**values)
            except (ValueError, OSError) as problem:
                raise ToolError(str(problem)) from None

        return wrapped

    server = MCPServer("mt3drum", version=__version__, log_level="WARNING")
    server.add_tool(
        told(tools.transcribe),
        description="Transcribe the drums of an audio or video file and write the results into the folder "
        "`output`. Returns the files, the number of hits, hits by drum and the tempo. `formats`: one or "
        f"more, between commas, of {_FORMATS}. `bpm`: the tempo, where it is known.",
    )
    server.add_tool(
        told(tools.info),
        description="Describe a recording (kind, length, sample rate, channels) or a transcription in JSON "
        "or MIDI (length, tempo, meter, hits by drum).",
    )
    server.add_tool(
        told(tools.score),
        description="Compare two transcriptions (JSON or General MIDI) of one recording: matched, missed and "
        "extra hits and the F-measure within 50 ms, by drum and for all. `classes`: how many drums to tell "
        "apart; 5 is usual.",
    )
    return server
