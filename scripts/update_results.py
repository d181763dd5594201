"""Put the benchmark's figures into README and model card, so that no number there is typed by hand.

    python scripts/update_results.py report/drum_only report/pseudo_mix report/full_mix report/rendered

Each folder named is one that scripts/benchmark.py wrote: a digest of its report.json becomes
docs/results/<folder>.json. Then the block "results" of the pages is written from all digests there: one table
for the README, all tables with their commands for the model cards.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mt3drum.files import write_whole
from scripts.pages.doc_block import replace_block

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
README = ROOT / "README.md"
PAGES = (ROOT / "docs" / "model_card.md", ROOT / "mt3drum" / "assets" / "MODEL_CARD.md")
REPORT_FORMAT = 1
"""Of the reports read here (`eval.report.json_file.FORMAT`)."""
NAMES = {
    "drum_only": "development, drums only",
    "pseudo_mix": "development, pseudo mixes",
    "full_mix": "development, full mix",
    "rendered": "rendered test",
    "every": "second rendered test: all 26 classes",
    "electronic": "development, electronic song: kick and hi-hat only",
    "phone": "pseudo mixes through a phone",
    "hall": "pseudo mixes in a hall",
    "noise": "pseudo mixes, white noise at 10 dB",
    "clip": "pseudo mixes, clipped by 18 dB",
    "velocity": "development, drums only: second annotator",
    "melodic": "electronic song, melodic stems",
    "drumless": "drumless set: 28 kinds of music and noise",
}
"""What the rows are called, in their order; other reports follow under their own names."""
OURS, VELOCITY = "mt3drum", "velocity"
WINDOW = 0.05  # seconds
FINE = ("26", "16", "12", "8", "5", "3")
FIVE = ("KD", "SD", "TT", "HH", "CY")

Digest = dict[str, Any]


def digest(report: Mapping[str, Any]) -> Digest:
    """What the tables need of a report: without tracks, curves and confusion. In the command, the folder
    named by the environment variable DATA is written as `$DATA`.

    Raises:
        ValueError: the report is of another format.
    """
    if report.get("format") != REPORT_FORMAT:
        raise ValueError(f"report of format {report.get('format')!r}, expected {REPORT_FORMAT}")
    systems = {}
    for name, system in report["systems"].items():
        kept = {key: system[key] for key in ("intervals", "velocity", "timing", "seams", "false_alarms")}
        kept["table"] = [_without_tracks(scores) for scores in system["table"]]
        if system["with_velocity"] is not None:
            kept["with_velocity"] = _without_tracks(system["with_velocity"])
        systems[name] = kept
    head = {key: report[key] for key in ("format", "references", "command", "settings")}
    if folder := os.environ.get("DATA"):
        head["command"] = head["command"].replace(folder.rstrip("/"), "$DATA")
    tracks = next(iter(report["systems"].values()))["headline"]["tracks"]
    return {**head, "tracks": len(tracks), "systems": systems}


def _without_tracks(scores: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in scores.items() if key != "tracks"}


def take_in(folder: Path, results: Path) -> Path:
    """Write the digest of a report; returns its path.

    Raises:
        ValueError: the folder holds no report of ours.
    """
    path = folder / "report.json"
    try:
        short = digest(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise ValueError(f"{path}: not a report of scripts/benchmark.py ({error!r})") from error
    target = results / f"{folder.resolve().name}.json"
    write_whole(target, json.dumps(short, indent=1) + "\n")
    return target


def read_digests(results: Path) -> dict[str, Digest]:
    """All digests of a folder, in the order of the tables.

    Raises:
        ValueError: one is not JSON.
    """
    order = list(NAMES)
    paths = sorted(
        results.glob("*.json"), key=lambda p: (order.index(p.stem) if p.stem in order else len(order), p.stem)
    )
    try:
        return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    except ValueError as error:
        raise ValueError(f"{results}: a file in it is not JSON ({error})") from error


def block(digests: Mapping[str, Digest]) -> str:
    """The text between the marks: tables, and the commands that made them."""
    if not digests:
        return "No results yet: `python scripts/update_results.py --help` says how they get here.\n"
    parts = [
        "Onset F-measure for five classes (kick, snare, toms, hi-hat, cymbals), 50 ms tolerance; 95 %: "
        "bootstrap interval over recordings.",
        _table(("recordings", "system", "micro F", "95 %", *FIVE, "macro F", "track F"), _five(digests)),
    ]
    if fine := list(_fine(digests)):
        parts.append(
            "Micro F-measure by number of classes, 50 ms; the last column also requires correct velocity."
        )
        parts.append(_table(("recordings", "system", *FINE, "26, macro", "with velocity"), fine))
    if alarms := list(_false_alarms(digests)):
        parts.append("Recordings without drums: every hit is a false alarm.")
        columns = ("recordings", "system", "minutes", "hits a minute", "of them")
        parts.append(_table(columns, alarms))
    if ranks := list(_velocity_ranks(digests)):
        parts.append("Velocity: Spearman correlation within recording and class, weighted by hits.")
        parts.append(_table(("recordings", "system", "matched hits", "rank correlation"), ranks))
    commands = "\n".join(report["command"] for report in digests.values())
    parts.append("Definitions: docs/scoring.md. Commands (docs/data.md says what `$DATA` holds):")
    parts.append("```\n" + commands + "\n```")
    return "\n\n".join(parts) + "\n"


def summary(digests: Mapping[str, Digest]) -> str:
    """One table: a row a set of recordings, a column a system."""
    systems = list(dict.fromkeys(name for report in digests.values() for name in report["systems"]))
    systems.sort(key=lambda name: name != OURS)
    rows = [
        [_title(name, report), *[_headline(report["systems"].get(system), name) for system in systems]]
        for name, report in digests.items()
    ]
    return _table(("measured on (recordings)", *systems), rows, left=1)


def _headline(figures: Mapping[str, Any] | None, name: str) -> str:
    """The one figure of a system on a set: false alarms without drums, F-measure otherwise."""
    if figures is None:
        return "-"
    if not _played(figures):
        return f"{figures['false_alarms']['per_minute']:.1f} a minute"
    ranks = (figures["velocity"] or {}).get("ranks")
    if name == VELOCITY and ranks:
        return f"velocity ranks {ranks['correlation']:.3f}"
    scores = _scores(figures, "5")
    if scores is None:
        return "-"
    interval = figures["intervals"].get("micro")
    own = interval and abs(interval["value"] - scores["micro"]["f"]) < 5e-4  # of five classes, not of 26
    span = f" ({interval['low']:.3f} to {interval['high']:.3f})" if own else ""
    return f"F {scores['micro']['f']:.3f}{span}"


def _tracks(report: Digest) -> int:
    figures = next(iter(report["systems"].values()))
    return int(report["tracks"] if _played(figures) else figures["false_alarms"]["tracks"])


def _five(digests: Mapping[str, Digest]) -> Iterator[list[str]]:
    for name, report in digests.items():
        for system, figures in report["systems"].items():
            scores = _scores(figures, "5")
            if scores is None or not _played(figures):
                continue
            settings = report["settings"]
            headline = settings["scheme"] == "5" and settings["window"] == WINDOW
            interval = figures["intervals"].get("micro") if headline else None
            span = f"{interval['low']:.3f} to {interval['high']:.3f}" if interval else "-"
            classes = [_f(scores["classes"][label]) for label in FIVE]
            yield [
                _title(name, report),
                system,
                f"{scores['micro']['f']:.3f}",
                span,
                *classes,
                f"{scores['macro_f']:.3f}",
                f"{scores['track_f']:.3f}",
            ]


def _fine(digests: Mapping[str, Digest]) -> Iterator[list[str]]:
    """Rows of the reports whose references tell all 26 classes apart."""
    for name, report in digests.items():
        for system, figures in report["systems"].items():
            all_classes = _scores(figures, "26")
            if all_classes is None or not _played(figures):
                continue
            row = [_scores(figures, scheme) for scheme in FINE]
            velocity = figures.get("with_velocity")
            shown = f"{velocity['micro']['f']:.3f} ({velocity['scheme']} classes)" if velocity else "-"
            yield [
                _title(name, report),
                system,
                *[f"{s['micro']['f']:.3f}" if s else "-" for s in row],
                f"{all_classes['macro_f']:.3f}",
                shown,
            ]


def _false_alarms(digests: Mapping[str, Digest]) -> Iterator[list[str]]:
    for name, report in digests.items():
        for system, figures in report["systems"].items():
            alarms = figures["false_alarms"]
            if alarms is None or _played(figures):
                continue
            most = sorted(alarms["by_label"].items(), key=lambda item: -item[1])[:3]
            yield [
                _title(name, report),
                system,
                f"{alarms['minutes']:.1f}",
                f"{alarms['per_minute']:.1f}",
                ", ".join(f"{label} {count}" for label, count in most) or "-",
            ]


def _velocity_ranks(digests: Mapping[str, Digest]) -> Iterator[list[str]]:
    for name, report in digests.items():
        for system, figures in report["systems"].items():
            ranks = (figures["velocity"] or {}).get("ranks")
            if ranks:
                row = [_title(name, report), system, f"{ranks['pairs']:,}"]
                yield [*row, f"{ranks['correlation']:.3f}"]


def _played(figures: Mapping[str, Any]) -> bool:
    """Whether the references hold any hit."""
    return any(row["micro"]["tp"] + row["micro"]["fn"] for row in figures["table"])


def _scores(figures: Mapping[str, Any], scheme: str) -> dict[str, Any] | None:
    rows = (row for row in figures["table"] if row["scheme"] == scheme and row["window"] == WINDOW)
    return next(rows, None)


def _f(counts: Mapping[str, float]) -> str:
    """F of a class; a dash where it is neither played nor heard."""
    return f"{counts['f']:.3f}" if counts["tp"] + counts["fp"] + counts["fn"] else "-"


def _title(name: str, report: Digest) -> str:
    return f"{NAMES.get(name, report['references'])} ({_tracks(report)})"


def _table(columns: Sequence[str], rows: Iterator[list[str]] | list[list[str]], left: int = 2) -> str:
    """A Markdown table; all columns but the first `left` are aligned to the right."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * left + "---:|" * (len(columns) - left)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "reports", nargs="*", type=Path, metavar="DIR", help="folders of scripts/benchmark.py"
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="folder of digests (default: docs/results)"
    )
    parser.add_argument(
        "--pages", nargs="+", type=Path, default=PAGES, metavar="FILE", help="default: the model cards"
    )
    parser.add_argument(
        "--readme", type=Path, default=README, metavar="FILE", help="page with one table (default: README.md)"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    args = parse_args(arguments)
    try:
        for folder in args.reports:
            print(f"wrote {take_in(folder, args.results)}")
        digests = read_digests(args.results)
        for page, text in ((args.readme, summary(digests)), *((page, block(digests)) for page in args.pages)):
            if page.exists():
                replace_block(page, "results", text)
                print(f"filled {page}")
    except (ValueError, OSError) as error:
        print(f"update_results: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
