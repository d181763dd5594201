"""The subcommand `mt3drum convert`: convert a transcribed or edited JSON score to other formats."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt3drum.batch.console import error, say, say_json
from mt3drum.batch.inputs import STDIN, STDIN_NAME, Task
from mt3drum.batch.outputs import Output, check_one, read_output, to_stdout
from mt3drum.cli import drum_options, notation_options
from mt3drum.cli.parser import add_json

if TYPE_CHECKING:
    from mt3drum.formats.options import ScoreOptions
    from tokenizer.midi import Notes

EXIT_FAILED, EXIT_USAGE = 1, 2


def add_parser(commands: Any, add_output: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add the parser to the subparsers of `mt3drum`.

    Args:
        add_output: adds the output options.
    """
    parser = commands.add_parser(
        "convert",
        help="convert a JSON transcription to other formats",
        description="Convert JSON scores (from `mt3drum transcribe --format json` or exported from the "
        "review page) to other formats. Uses the beats in the file unless --bpm or --meter is given.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE.json", help="JSON scores; -: standard input")
    add_output(parser)
    drum_options.add_options(parser)
    notation_options.add_options(parser)
    add_json(parser)


def convert(args: argparse.Namespace) -> int:
    """Run the command. Returns the exit code."""
    try:
        notes, options = notation_options.score_options(args)
        if args.json and args.output == "-":
            raise ValueError("--json and -o - both write to standard output; name a folder or a file")
        drums = drum_options.chosen(args)
        output = read_output(args.output, args.format, args.overwrite)
        notation_options.check_formats(args, output)
        tasks = [_task(text, output) for text in args.files]
        check_one(output, tasks, ())
    except (ValueError, OSError) as problem:
        error(str(problem))
        return EXIT_USAGE
    lacking = 0
    taken: set[Path] = set()
    for task in tasks:
        try:
            if task.target in taken:
                raise ValueError(
                    f"{task.source}: another file of this name was written to {task.target}.*; "
                    "use another folder"
                )
            taken.add(task.target)
            lacking += _convert(task, output, drums, notes, options, args.json)
        except (ValueError, OSError) as problem:
            lacking += 1
            text = str(problem)
            text = text if str(task.source) in text else f"{task.source}: {text}"
            error(text)
            if args.json:
                say_json({"source": str(task.source), "status": "failed", "reason": text}, sys.stdout)
    return EXIT_FAILED if lacking else 0


def _task(text: str, output: Output) -> Task:
    name = STDIN_NAME if text == STDIN else Path(text).name
    return Task(Path(text), output.folder / name.removesuffix(Path(name).suffix))


def _convert(
    task: Task, output: Output, drums: frozenset[int], notes: Notes, options: ScoreOptions, as_json: bool
) -> int:
    """Convert one score. Returns the number of formats that could not be written.

    Raises:
        ValueError, OSError: nothing, or not everything, could be written.
    """
    from mt3drum.formats.read_json import read_json
    from mt3drum.formats.write import Rendering

    result, beats = read_json(task.source)
    if refusal := output.refusal(task):
        raise ValueError(refusal)
    known = options.bpm is not None or options.meter is not None
    rendering = Rendering(result.only(drums), notes, options if known else replace(options, beats=beats))
    paths = output.paths(task)
    written = to_stdout(rendering, paths) if output.to_stdout else rendering.write(paths)
    for warning in written.warnings[len(result.warnings) :]:
        say(f"warning: {warning}", sys.stderr)
    if as_json:
        missing = {"missing": dict(written.missing)} if written.missing else {}
        found: dict[str, Any] = {"source": str(task.source), "status": "done" if written.files else "failed"}
        found |= {"files": list(map(str, written.files)), **rendering.record, **missing}
        say_json(found | {"warnings": list(written.warnings)}, sys.stdout)
    elif written.files:
        line = f"{task.source} -> {', '.join(map(str, written.files))}: {rendering.summary}"
        say(line, sys.stderr if output.to_stdout else sys.stdout)
    for lack in written.lacks:
        error(f"{task.source}: {lack}")
    return len(written.missing)
