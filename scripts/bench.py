"""Measure speed side by side in one run, as ratios with medians and spread.

    python scripts/bench.py --quick --output bench.json --docs docs/performance.md \\
        --development $DATA/real/mdb_drums_dev

One thread unless a row says otherwise. CPU seconds are those of the whole command, imports included. With
`--docs`, the blocks between the markers of that file are replaced by the opening and the tables; nobody types
numbers.

    python scripts/bench.py --device cuda --output gpu.json

measures one device instead, by the clock: decoding greedily and with four beams, and training steps.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.pages.doc_block import block_in, replace_block

ROOT = Path(__file__).resolve().parent.parent
TABLE = re.compile(r"^(\*\*(?P<name>.+?)\*\*\n.*?^\*cpu .*?\*$)", re.DOTALL | re.MULTILINE)
"""A part's table in a page, from its name to the line on the machine."""


def parse_args(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer repeats: about five minutes")
    only = "these parts; the others of --output are kept as they are"
    parser.add_argument("--only", nargs="*", default=[], metavar="PART", help=only)
    parser.add_argument("--development", type=Path, metavar="DIR", help="mdb_drums_dev, for `precision`")
    parser.add_argument(
        "--device", metavar="DEVICE", help="measure decoding and training on it, nothing else"
    )
    peer = "another system beside ours on the same recording: its command, with {audio} and {output} in it"
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND", help=peer)
    parser.add_argument("--checkpoint", type=Path, help="another than the bundled one")
    parser.add_argument("--output", type=Path, help="JSON file of all values")
    parser.add_argument("--docs", type=Path, help="Markdown file whose marked block is replaced")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, or 2 where the arguments are wrong."""
    args = parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = "1"
    from mt3drum.transcriber import pick_device
    from scripts.bench_suite.device import PARTS as DEVICE
    from scripts.bench_suite.growth import PARTS as GROWTH
    from scripts.bench_suite.headline import PARTS as HEADLINE
    from scripts.bench_suite.parts import PARTS as DECODING
    from scripts.bench_suite.parts import Setting
    from scripts.bench_suite.precision import PARTS as PRECISION
    from scripts.bench_suite.profile import PARTS as PROFILE
    from scripts.bench_suite.training import PARTS as TRAINING

    parts = {**HEADLINE, **PROFILE, **DECODING, **GROWTH, **PRECISION, **TRAINING}
    if args.device:
        try:
            pick_device(args.device)
        except ValueError as error:
            print(f"error: --device: {error}", file=sys.stderr)
            return 2
        parts = DEVICE
    unknown = sorted(set(args.only) - set(parts))
    if unknown:
        print(f"error: no such part: {', '.join(unknown)}; there are {', '.join(parts)}", file=sys.stderr)
        return 2
    peers = [tuple(text.split("=", 1)) for text in args.peer]
    if any(len(peer) != 2 or not peer[1] for peer in peers):
        print("error: --peer wants NAME=COMMAND", file=sys.stderr)
        return 2
    report: dict[str, Any] = {"rows": []}
    if args.only and args.output and args.output.exists():
        report = json.loads(args.output.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        setting = Setting(
            Path(scratch), args.quick, args.checkpoint, peers, args.development, args.device or "cpu"
        )
        for name, part in parts.items():
            if not args.only or name in args.only:
                about = machine() | ({"device": device_name(args.device)} if args.device else {})
                rows = [{"part": name, **row, "machine": about} for row in part(setting)]
                report["rows"] = [row for row in report["rows"] if row["part"] != name] + rows
                if rows:
                    print(table(name, rows), flush=True)
                if args.output:
                    args.output.write_text(json.dumps(report, indent=1), encoding="utf-8")
    order = list(parts)
    report["rows"].sort(key=lambda row: order.index(row["part"]))
    if args.docs:
        fill(args.docs, report, order)
    return 0


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    import torch

    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
    }


def device_name(device: str) -> str:
    """What a person calls it."""
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def table(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """Rows of one part as Markdown; a ratio is to the first row with the same unit."""
    lines = [
        f"**{name}**",
        "",
        "| what | median | lowest to highest | runs | ratio |",
        "|---|--:|--:|--:|--:|",
    ]
    first: dict[str, float] = {}
    for row in rows:
        values = row["values"]
        middle = statistics.median(values)
        base = first.setdefault(row["unit"], middle)
        ratio = f"{middle / base:.2f}" if base else "-"
        low, high = _shown(min(values)), _shown(max(values))
        lines.append(
            f"| {row['name']} | {_shown(middle)} {row['unit']} | {low} to {high} | {len(values)} | {ratio} |"
        )
    return "\n".join([*lines, ""])


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def fill(path: Path, report: dict[str, Any], order: Sequence[str] = ()) -> None:
    """Put tables into a Markdown file: the opening, if it was measured, and in place of its own each part's.

    Args:
        order: of the parts; tables of parts that are not in the report stay.

    Raises:
        ValueError: the markers are not in it.
    """
    from scripts.bench_suite.headline import opening

    tables = {found["name"]: found[0] for found in TABLE.finditer(block_in(path, "bench"))}
    for part in dict.fromkeys(row["part"] for row in report["rows"]):
        rows = [row for row in report["rows"] if row["part"] == part]
        about = ", ".join(f"{key} {value}" for key, value in rows[0]["machine"].items())
        text = f"{table(part, rows)}\n*{about}*"
        if part == "headline":
            replace_block(path, "headline", f"{opening(rows)}\n\n{text}")
        else:
            tables[part] = text
    known = [*order, *(name for name in tables if name not in order)]
    replace_block(path, "bench", "\n\n".join(tables[name] for name in known if name in tables))


if __name__ == "__main__":
    sys.exit(main())
