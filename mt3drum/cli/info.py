"""The subcommand `mt3drum info`: describe a recording or a transcription."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt3drum.batch.console import error, say, say_json
from mt3drum.cli import model_options
from mt3drum.cli.parser import add_json

if TYPE_CHECKING:
    from mt3drum.result import Transcription
    from mt3drum.rhythm.grid import Grid
    from mt3drum.transcriber import Transcriber

EXIT_FAILED = 1


def add_parser(commands: Any) -> None:
    """Add the parser to the subparsers of `mt3drum`."""
    parser = commands.add_parser(
        "info",
        help="describe a file: length, rate, channels, streams; tempo, meter and drums",
        description="Describe recordings (kind, length, sample rate, channels, audio streams) and "
        "transcriptions in JSON or MIDI (length, tempo, meter, hits of each drum).",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings, JSON or MIDI files")
    parser.add_argument(
        "--transcribe", action="store_true", help="also transcribe recordings and describe the result"
    )
    add_json(parser)
    model_options.add_options(parser)


def info(args: argparse.Namespace) -> int:
    """Run the command. Returns the exit code."""
    transcriber: Transcriber | None = None
    failed = 0
    for path in args.files:
        try:
            if args.transcribe and transcriber is None and not _is_score(path):
                from mt3drum.transcriber import Transcriber

                transcriber = Transcriber.load(args.checkpoint, args.device, kit=args.kit)
            record = describe_file(path, transcriber)
        except (ValueError, OSError) as problem:
            failed += 1
            text = str(problem)
            text = text if str(path) in text else f"{path}: {text}"
            error(text)
            if args.json:
                say_json({"source": str(path), "status": "failed", "reason": text}, sys.stdout)
            continue
        if args.json:
            say_json(record, sys.stdout)
        else:
            for line in as_text(record):
                say(line, sys.stdout)
            for warning in record.get("warnings", ()):
                say(f"warning: {warning}", sys.stderr)
    return EXIT_FAILED if failed else 0


def _is_score(path: Path) -> bool:
    if path.suffix.lower() == ".json":
        return True
    try:
        with path.open("rb") as file:
            return file.read(4) == b"MThd"
    except OSError:
        return False


def describe_file(path: Path, transcriber: Transcriber | None = None) -> dict[str, Any]:
    """The content of a file as plain values.

    Args:
        transcriber: transcribes recordings; None only describes them.

    Raises:
        ValueError: the file is neither a recording nor a JSON score nor MIDI; the message names it.
        OSError: it cannot be read.
    """
    if _is_score(path):
        result, grid, kind = read_score(path)
        warnings: tuple[str, ...] = result.warnings
        return {"source": str(path), "kind": kind, **_heard(result, grid), "warnings": list(warnings)}
    from mt3drum.audio.describe import describe

    found = describe(path)
    record: dict[str, Any] = {
        "source": str(path),
        "kind": found.kind,
        "seconds": round(found.seconds, 3),
        "rate": found.stream.rate,
        "channels": found.stream.channels,
        "silent": found.silent,
        "streams": [stream._asdict() for stream in found.streams],
        "warnings": list(found.warnings),
    }
    if transcriber is not None:
        result = transcriber.transcribe_file(path)
        record |= {**_heard(result, result.beats()), "warnings": list(result.warnings)}
    return record


def read_score(path: Path) -> tuple[Transcription, Grid | None, str]:
    """A transcription in JSON or MIDI, its beats, and what kind of file it is.

    Raises:
        ValueError: the file is neither. OSError: it cannot be read.
    """
    if path.suffix.lower() == ".json":
        from mt3drum.formats.read_json import read_json

        result, grid = read_json(path)
        return result, grid, "transcription (JSON)"
    from mt3drum.result import Transcription
    from tokenizer.maps import LABEL_MAPS
    from tokenizer.midi_read import read_midi

    score = read_midi(path, LABEL_MAPS["gm"])
    end = score.hits[-1].time if score.hits else 0.0
    lost = sum(score.unmapped.values()) + sum(score.excluded.values())
    notes = (f"{path}: {lost} notes are no drum of General MIDI",) if lost else ()
    result = Transcription(score.hits, end, path, notes)
    return result, result.beats(), "MIDI file"


def _heard(result: Transcription, grid: Grid | None) -> dict[str, Any]:
    from mt3drum.formats.summary import summary_record, tempo_summary

    bars = {} if grid is None else {"bars": len(grid.downbeats)}
    return {**summary_record(result), "tempo": tempo_summary(grid), **bars}


def as_text(record: dict[str, Any]) -> list[str]:
    """The record as lines for people."""
    lines = [f"{record['source']}: {record['kind']}", f"  length   {clock(record['seconds'])}"]
    if "rate" in record:
        channels = {1: "mono", 2: "stereo"}.get(record["channels"], f"{record['channels']} channels")
        silent = ", silent" if record["silent"] else ""
        codec = next(s["codec"] for s in record["streams"] if s["used"])
        lines.append(f"  sound    {codec}, {record['rate']} Hz, {channels}{silent}")
        if len(record["streams"]) > 1:
            lines += [f"  stream {s['number']} {_stream(s)}" for s in record["streams"]]
    if "hits" in record:
        tempo = record["tempo"]
        steady = "no steady beat" if tempo is None else f"{tempo['bpm']:.1f} bpm, {tempo['meter']}"
        bars = f", {record['bars']} bars" if "bars" in record else ""
        drums = ", ".join(f"{name} {count}" for name, count in record["drums"].items())
        lines += [f"  tempo    {steady}{bars}", f"  hits     {record['hits']}"]
        lines += [f"  drums    {drums}"] if drums else []
    return lines


def _stream(stream: dict[str, Any]) -> str:
    parts = [stream["codec"], f"{stream['rate']} Hz", f"{stream['channels']} channels", stream["language"]]
    return ", ".join(part for part in parts if part) + (" (used)" if stream["used"] else "")


def clock(seconds: float) -> str:
    """Format a time as players show it: `3:25.1`, `1:02:03.0`."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
