"""The subcommand `mt3drum label`: name samples of single drums."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt3drum.batch.console import error, progress_bar, say, say_json
from mt3drum.batch.inputs import plan
from mt3drum.cli.parser import add_json

if TYPE_CHECKING:
    from mt3drum.one_shots.library import Label
    from mt3drum.result import Failure
    from mt3drum.transcriber import Transcriber

EXIT_FAILED, EXIT_USAGE = 1, 2
TABLE, RECORD, KIT = "labels.csv", "labels.json", "kit"


def add_parser(commands: Any) -> None:
    """Add it to the subparsers of the command `mt3drum`."""
    parser = commands.add_parser(
        "label",
        help="name drum samples, measure them and make a kit of them",
        description="Name samples of single drums: class, confidence, loudness, attack, length. Writes "
        f"{TABLE}, {RECORD} and the folder {KIT}, which --kit and the renderer read. Files that an earlier "
        "run labelled are not analysed again.",
    )
    add = parser.add_argument
    add("files", nargs="+", metavar="SAMPLES", help="audio files, folders (recursive) or patterns")
    add("-o", "--output", type=Path, default=Path("labels"), metavar="DIR", help="default: labels")
    add(
        "--unsure",
        type=float,
        default=0.0,
        metavar="X",
        help="leave samples with a confidence below this, 0..1, out of the kit (default: 0)",
    )
    add("--checkpoint", type=Path, metavar="FILE", help="checkpoint to use (default: the bundled one)")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default: auto)")
    add("--quiet", action="store_true", help="no progress bar, no line for each sample")
    add_json(parser)


def label(args: argparse.Namespace) -> int:
    """Returns the exit code."""
    from mt3drum.model.checkpoint import bundled
    from mt3drum.one_shots.library import MAX_SAMPLES, VERSION, digest_of_weights, read_labels

    try:
        if not 0 <= args.unsure <= 1:
            raise ValueError(f"--unsure {args.unsure:g} is outside 0..1")
        if args.output.exists() and not args.output.is_dir():
            raise ValueError(f"-o {args.output}: not a folder")
        tasks, problems = plan(args.files, args.output)
        own = (args.output / KIT).absolute()
        paths = [task.source for task in tasks if not task.source.absolute().is_relative_to(own)]
        if len(paths) > MAX_SAMPLES:
            raise ValueError(f"{len(paths)} samples, at most {MAX_SAMPLES} are labelled at once; name fewer")
        made_by = f"mt3drum label {VERSION}, weights {digest_of_weights(args.checkpoint or bundled())}"
    except (ValueError, OSError) as problem:
        error(str(problem))
        return EXIT_USAGE
    for source, reason in problems:
        error(reason)
        if args.json:
            say_json({"source": source, "status": "failed", "reason": reason}, sys.stdout)
    known = read_labels(args.output / RECORD, made_by)
    try:
        labels, failures = _label(args, paths, known)
        files = _write(args, labels, failures, made_by) if labels else []
    except (ValueError, OSError) as problem:
        error(str(problem))
        return EXIT_FAILED
    _conclude(args, labels, failures, files)
    return EXIT_FAILED if failures or problems or not labels else 0


def _label(
    args: argparse.Namespace, paths: list[Path], known: dict[str, Label]
) -> tuple[list[Label], list[Failure]]:
    """Labels and failures, each told as it comes.

    Raises:
        ValueError, OSError: the checkpoint cannot be used.
    """
    from mt3drum.one_shots.library import label_samples
    from mt3drum.result import Failure

    def load() -> Transcriber:
        from mt3drum.transcriber import Transcriber

        return Transcriber.load(args.checkpoint, args.device)

    labels: list[Label] = []
    failures: list[Failure] = []
    with progress_bar(dict.fromkeys(paths, 1), args.quiet) as bar:
        for path, found in zip(paths, label_samples(paths, known, load), strict=True):
            if isinstance(found, Failure):
                failures.append(found)
                error(found.reason)
            else:
                labels.append(found)
            if args.json:
                say_json(_record(found), sys.stdout)
            elif not args.quiet and not isinstance(found, Failure):
                say(_as_text(found), sys.stdout)
            bar.finish(path)
    return labels, failures


def _record(found: Label | Failure) -> dict[str, Any]:
    from dataclasses import asdict

    from mt3drum.result import Failure

    if isinstance(found, Failure):
        return {"source": str(found.path), "status": "failed", "reason": found.reason}
    return {"status": "done", **asdict(found)}


def _as_text(found: Label) -> str:
    same = f", the same as {found.duplicate_of}" if found.duplicate_of else ""
    return (
        f"{found.source}: {found.class26} ({found.confidence26:.2f}), {found.loudness_db:.1f} dB, attack "
        f"{found.attack_ms:.1f} ms, {found.seconds:.2f} s{same}"
    )


def _write(
    args: argparse.Namespace, labels: list[Label], failures: list[Failure], made_by: str
) -> list[Path]:
    """Returns what was written.

    Raises:
        ValueError, OSError: something could not be.
    """
    from mt3drum.files import write_whole
    from mt3drum.one_shots.kit import choose, write_kit
    from mt3drum.one_shots.library import to_csv, to_json

    table, record, kit = (args.output / name for name in (TABLE, RECORD, KIT))
    write_whole(table, to_csv(labels))
    write_whole(record, to_json(labels, failures, made_by))
    chosen = choose(labels, args.unsure)
    if not chosen:
        return [table, record]
    write_kit(kit, chosen)
    return [table, record, kit]


def _conclude(
    args: argparse.Namespace, labels: list[Label], failures: list[Failure], files: list[Path]
) -> None:
    drums = Counter(label.class26 for label in labels).most_common()
    copies = sum(bool(label.duplicate_of) for label in labels)
    line = f"{len(labels)} {'sample' if len(labels) == 1 else 'samples'}: " + ", ".join(
        f"{name} {count}" for name, count in drums
    )
    line += f"; {copies} {'is a copy' if copies == 1 else 'are copies'}" if copies else ""
    line += f"; {len(failures)} failed" if failures else ""
    if labels and not args.quiet:
        say(f"{line} -> {', '.join(map(str, files))}", sys.stderr if args.json else sys.stdout)
