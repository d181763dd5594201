"""Score drum transcriptions, ours or anyone's, against references, and write the tables.

    python scripts/benchmark.py --reference refs --reference-map mdb_class --estimate theirs --output report
    python scripts/benchmark.py --corpus mdb $DATA/real/mdb_drums_dev --output report
    python scripts/benchmark.py --corpus mdb PATH --corpus-option mix=full_mix --estimate A=d1 --estimate B=d2

    python scripts/benchmark.py --drumless RECORDINGS_WITHOUT_DRUMS --output report

Without --estimate the bundled checkpoint transcribes the references' recordings first. Definitions:
docs/scoring.md.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mt3drum.files import write_whole

if TYPE_CHECKING:
    from eval.report.report import Report

FORMATS = ("json", "md", "csv", "tex", "html")


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _input_options(parser)
    how = parser.add_argument_group("scoring")
    how.add_argument(
        "--scheme", help="26, 16, 12, 8, 5 or 3 classes (default: 5, or what the references can judge)"
    )
    how.add_argument(
        "--labels",
        metavar="LABEL,...",
        help="score only these labels of the scheme, such as KD,HH where the references hold no others",
    )
    how.add_argument(
        "--window", type=float, default=50.0, metavar="MS", help="window of the headline (default: 50)"
    )
    how.add_argument(
        "--windows", default="20,30,50", metavar="MS,...", help="windows of the table (default: 20,30,50)"
    )
    merge = "two classes that become one are one hit within this (default: 20)"
    how.add_argument("--merge", type=float, default=20.0, metavar="MS", help=merge)
    how.add_argument(
        "--bootstrap", type=int, default=2000, metavar="N", help="resamples of tracks (default: 2000)"
    )
    how.add_argument("--seed", type=int, default=0, help="bootstrap seed (default: 0)")
    how.add_argument(
        "--seam", type=float, metavar="SECONDS", help="between two joins of the decoder's segments"
    )
    out = parser.add_argument_group("output")
    out.add_argument(
        "--output", type=Path, metavar="DIR", help="folder for the report; else only the terminal"
    )
    out.add_argument(
        "--formats", default=",".join(FORMATS), help=f"of the report (default: {','.join(FORMATS)})"
    )
    out.add_argument(
        "--moments", type=int, default=40, metavar="N", help="worst moments in the HTML (default: 40)"
    )
    args = parser.parse_args(arguments)
    if args.reference is not None and args.corpus is not None:
        parser.error("give either --reference DIR or --corpus NAME PATH, not both")
    if args.reference is None and args.corpus is None and args.drumless is None:
        parser.error("give --reference DIR, --corpus NAME PATH or --drumless DIR")
    unknown = sorted(set(args.formats.split(",")) - set(FORMATS))
    if unknown:
        parser.error(f"--formats: unknown {', '.join(unknown)}; known: {', '.join(FORMATS)}")
    return args


def _input_options(parser: argparse.ArgumentParser) -> None:
    given = parser.add_argument_group("references: --reference or --corpus")
    given.add_argument(
        "--reference", type=Path, metavar="DIR", help="folder of MIDI, text, JSON or JAMS files"
    )
    given.add_argument(
        "--reference-map",
        default="gm",
        metavar="MAP",
        help="a name or a JSON file: what their labels mean (default: gm)",
    )
    given.add_argument(
        "--corpus", nargs=2, metavar=("NAME", "PATH"), help="a corpus that data/corpora/readers.py reads"
    )
    option = "for its reader, such as mix=full_mix, annotation=subclass, split=test"
    given.add_argument("--corpus-option", action="append", default=[], metavar="KEY=VALUE", help=option)
    by = "a JSON file of track to group: a table of F by group, such as styles (scripts/export_shards.py)"
    given.add_argument("--groups", type=Path, metavar="FILE", help=by)
    given.add_argument("--tracks", nargs="+", metavar="GLOB", help="only tracks whose name fits one of these")
    systems = parser.add_argument_group("estimates; without any, the bundled checkpoint decodes")
    systems.add_argument(
        "--estimate", action="append", default=[], metavar="[NAME=]DIR", help="one system's files"
    )
    meaning = "a name or a JSON file: what their labels mean, for all systems or for one (default: gm)"
    systems.add_argument("--estimate-map", action="append", default=[], metavar="[NAME=]MAP", help=meaning)
    decode = "decode with this checkpoint first; 'bundled' for the one inside mt3drum"
    systems.add_argument(
        "--checkpoint", action="append", default=[], metavar="[NAME=]FILE[@KEY=VALUE,...]", help=decode
    )
    option = "for decoding, such as beam=1"
    systems.add_argument("--decode", action="append", default=[], metavar="KEY=VALUE", help=option)
    sound = "recordings, for decoding, pictures and sound"
    systems.add_argument("--audio", type=Path, metavar="DIR", help=sound)
    silent = "recordings without drums, for false alarms a minute; needs no references"
    systems.add_argument("--drumless", type=Path, metavar="DIR", help=silent)


def main(arguments: list[str] | None = None) -> int:
    args = parse_args(arguments)
    from scripts.benchmark_suite.report import build_report

    command = "python scripts/benchmark.py " + shlex.join(sys.argv[1:] if arguments is None else arguments)
    try:
        report, audio = build_report(args, command)
    except (ValueError, OSError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    from eval.report.text import terminal

    print(terminal(report), end="")
    if args.output is not None:
        _save(report, audio, args)
    return 0


def _save(report: Report, audio: dict[str, Path], args: argparse.Namespace) -> None:
    """Write each format to a temporary name, then rename."""
    from eval.report.html_page import html
    from eval.report.json_file import json_text
    from eval.report.text import csv_text, latex, markdown

    writers = {
        "json": lambda: json_text(report),
        "md": lambda: markdown(report),
        "csv": lambda: csv_text(report),
        "tex": lambda: latex(report),
        "html": lambda: html(report, audio, args.moments),
    }
    args.output.mkdir(parents=True, exist_ok=True)
    for suffix in args.formats.split(","):
        path = args.output / f"report.{suffix}"
        write_whole(path, writers[suffix]())
        print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
