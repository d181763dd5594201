"""The command `mt3drum`. Heavy imports wait until the arguments are known to be good."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt3drum import cli_score, cli_web, inputs
from mt3drum.decoding import DecodeConfig
from tokenizer.drums import CLASS_INDEX, DRUMS, FAMILIES

if TYPE_CHECKING:
    from tqdm import tqdm

    from mt3drum.batch import Ledger, Opened, Share
    from mt3drum.transcribe import Transcriber, Transcription

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
    if not names or set(names) - set(inputs.SUFFIX):
        raise argparse.ArgumentTypeError(f"{text!r}: some of {', '.join(inputs.SUFFIX)} are wanted")
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
    add("files", nargs="+", metavar="FILES", help="audio files, folders (searched through) and patterns")
    add(
        "-o",
        "--output",
        type=Path,
        default=Path("."),
        metavar="DIR",
        help="folder for the results (default: .)",
    )
    formats = ", ".join(inputs.SUFFIX)
    add("--format", type=_formats, default=("midi",), metavar="F,F", help=f"{formats} (default: midi)")
    cli_score.add_options(transcribe)
    add("--skip-existing", action="store_true", help="leave out recordings whose results are all there")
    add(
        "--manifest",
        type=Path,
        metavar="DIR",
        help="keep a ledger of done and failed recordings there, leave out what it says is done, and take "
        "this process's share by RANK and WORLD_SIZE (deepspeed, torchrun); failures do not stop other ranks",
    )
    add("--local_rank", help=argparse.SUPPRESS)  # given by the deepspeed launcher
    add("--only", type=_names, default=[], metavar="D,D", help="only these drums or families")
    add("--without", type=_names, default=[], metavar="D,D", help="none of these drums or families")
    add("--checkpoint", type=Path, metavar="FILE", help="another checkpoint than the bundled one")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default: auto)")
    add("--batch", type=int, metavar="N", help="segments decoded at once")
    add("--quiet", action="store_true", help="no progress bar and no line for what went well")
    add("--beam", type=int, metavar="N", help="beams; 1 is greedy (default: the checkpoint's)")
    add(
        "--prior-weight",
        type=float,
        metavar="X",
        help="weight 0..1 of the onset head (default: the checkpoint's)",
    )
    add(
        "--prior-bias",
        type=float,
        metavar="X",
        help="added to the onset head's logits (default: the checkpoint's)",
    )
    add("--minimum-gap", type=float, metavar="S", help="least seconds between two strokes of one drum")
    add("--max-hits-per-second", type=int, metavar="N", help="most hits in any one second")
    cli_web.add_parsers(commands)
    return parser


def decode_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options that replace a checkpoint's decode settings.

    Raises:
        ValueError: a value is out of range, a name unknown, or no class left.
    """
    names = ("beam", "prior_weight", "prior_bias", "minimum_gap", "max_hits_per_second")
    options = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.only or args.without:
        every = DecodeConfig().classes
        options["classes"] = (drum_classes(args.only) if args.only else every) - drum_classes(args.without)
        if not options["classes"]:
            raise ValueError("--only and --without leave no drum")
    replace(DecodeConfig(), **options)  # checks the ranges before anything heavy is imported
    if args.batch is not None and args.batch < 1:
        raise ValueError(f"--batch {args.batch} is less than 1")
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
        return {"transcribe": _transcribe, "review": cli_web.review, "serve": cli_web.serve}[args.command](
            args
        )
    except KeyboardInterrupt:
        print("interrupted; finished files are complete", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `mt3drum ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def _transcribe(args: argparse.Namespace) -> int:
    from mt3drum import batch

    try:
        options = decode_options(args)
        args.notes, args.score = cli_score.score_options(args)
        share = batch.Share.from_environment(args.manifest is not None)
        tasks, problems = inputs.plan(batch.brace_patterns(args.files), args.output)
        opened = batch.open_tars(tasks)
        ledger = batch.Ledger(args.manifest, share) if args.manifest else None
    except (ValueError, OSError) as error:
        _error(str(error))
        return EXIT_USAGE
    problems = [*problems, *opened.problems] if share.rank == 0 else []
    for problem in problems:
        _error(problem)
    mine = share.of(opened.tasks)

    def is_there(task: inputs.Task) -> bool:
        known = args.skip_existing or (ledger is not None and ledger.is_done(task.source))
        return known and _exists(task, args.format)

    todo = [task for task in mine if not is_there(task)]
    failed = len(problems)
    if todo:
        transcriber = _load(args, options, share)
        if transcriber is None:
            return EXIT_FAILED
        failed += _run(transcriber, todo, args, opened, ledger)
    if ledger is not None:
        for task in mine:
            if str(task.source) not in ledger.records:  # left out by --skip-existing
                ledger.skipped(task.source)
        ledger.close(opened.tasks)
    done, skipped = len(todo) + len(problems) - failed, len(mine) - len(todo)
    if not args.quiet or failed:
        left = f", {skipped} already there" if skipped else ""
        print(f"{done} transcribed, {failed} failed{left}", file=sys.stderr)
    # Launchers end all ranks when one exits non-zero; what failed stands in the manifest.
    return EXIT_FAILED if failed and share.world == 1 else 0


def _load(args: argparse.Namespace, options: dict[str, Any], share: Share) -> Transcriber | None:
    from mt3drum.transcribe import BATCH, Transcriber

    device = args.device
    if share.world > 1:
        import torch

        if device == "auto" and torch.cuda.is_available():
            device = f"cuda:{int(os.environ.get('LOCAL_RANK', share.rank)) % torch.cuda.device_count()}"
        if "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(1)  # ranks share the processor: one thread each is fastest
    try:
        return Transcriber.load(args.checkpoint, device, batch=args.batch or BATCH, **options)
    except (ValueError, OSError) as error:
        _error(str(error))
        return None


def _run(
    transcriber: Transcriber,
    tasks: list[inputs.Task],
    args: argparse.Namespace,
    opened: Opened,
    ledger: Ledger | None,
) -> int:
    """Transcribe, write and note in the ledger; returns how many failed."""
    import tempfile

    from tqdm import tqdm

    from mt3drum.batch import renamed, staged
    from mt3drum.live import LiveLines
    from mt3drum.transcribe import Failure

    sizes = {task.source: _size(task.source) for task in tasks}
    bar = tqdm(
        total=sum(sizes.values()),
        file=sys.stderr,
        disable=args.quiet or not sys.stderr.isatty(),
        leave=False,
        bar_format="{percentage:3.0f}% |{bar}| {postfix} {remaining} left",
    )
    finished = failed = 0

    def progress(path: Path, share: float) -> None:
        bar.n = finished + share * sizes.get(path, 0)
        bar.refresh()

    live = LiveLines(tasks if "jsonl" in args.format and args.score.grid is None else ())
    with bar, tempfile.TemporaryDirectory(prefix="mt3drum-") as scratch:
        staged_paths = staged(tasks, opened.places, Path(scratch))
        results = transcriber.transcribe_files(staged_paths, progress, live if live.parts else None)
        for count, (task, found) in enumerate(zip(tasks, results, strict=True), 1):
            result = renamed(found, task.source)
            reason = result.reason if isinstance(result, Failure) else _write(task, result, args, bar)
            if reason:
                failed += 1
                _error(reason, bar)
            if ledger is not None and reason:
                ledger.failed(task.source, reason)
            elif ledger is not None:
                ledger.done(task.source, len(result.hits), result.seconds, result.warnings)
            live.close(task.source)
            if task.source in opened.places and found.path is not None:
                found.path.unlink(missing_ok=True)
            finished += sizes[task.source]
            bar.set_postfix_str(f"{count}/{len(tasks)} files", refresh=False)
            bar.n = finished
            bar.refresh()
    return failed


def _write(task: inputs.Task, result: Transcription, args: argparse.Namespace, bar: tqdm[Any]) -> str:
    """Returns why it could not be written, or nothing."""
    from mt3drum import output

    for warning in result.warnings:
        bar.write(f"warning: {_shown(warning)}", file=sys.stderr)
    try:
        written = output.write(result, task.target, args.format, args.notes, args.score)
    except (OSError, ValueError) as error:
        return f"{task.source}: cannot write the result: {error}"
    if not args.quiet:
        names = ", ".join(map(str, written))
        bar.write(_shown(f"{task.source} -> {names}: {output.summary(result)}"), file=sys.stdout)
    return ""


def _exists(task: inputs.Task, formats: Sequence[str]) -> bool:
    return all(task.target.with_name(task.target.name + inputs.SUFFIX[name]).exists() for name in formats)


def _size(path: Path) -> int:
    try:
        return max(1, path.stat().st_size)
    except OSError:
        return 1


def _shown(text: str) -> str:
    """On one line, whatever a file is called."""
    return "".join(c if c.isprintable() or 0xDC80 <= ord(c) <= 0xDCFF else "?" for c in text)


def _error(text: str, bar: tqdm[Any] | None = None) -> None:
    line = f"error: {_shown(text)}"
    if bar is None:
        print(line, file=sys.stderr)
    else:
        bar.write(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
