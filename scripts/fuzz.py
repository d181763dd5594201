"""Damage files of every kind this project reads: each ends in a result or in one line that names it.

`python scripts/fuzz.py --cases 100000` prints a table of outcomes; `tests/scripts/test_fuzz.py` runs some of
the same cases. A case is a function of seed, target and number alone; the files of cases that fail are kept.

`--guided` lets atheris (`pip install 'mt3drum[fuzz]'`) find the cases instead: those that reach new lines of
our code, and of the readers in Python below it, breed others.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.fuzzing.attempt import attempt

if TYPE_CHECKING:
    from scripts.fuzzing.targets import Target

MEMORY = 1024
"""MiB the process may grow by over all cases."""
HEAD = ("target", "cases", "result", "refused in one line", "failed", "CPU ms each")


def parse_args(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--cases", type=int, default=1000, help="total number, distributed by weight (default: 1000)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], metavar="TARGET")
    parser.add_argument("--failures", type=Path, help="folder for the files of cases that fail")
    parser.add_argument(
        "--guided", action="store_true", help="guide the fuzzing with atheris, one process per target"
    )
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into the page's block")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 if every case ended well, 1 otherwise."""
    args = parse_args(arguments)
    if args.guided:
        from scripts.fuzzing.guided import guided, load_targets

        try:
            targets, attempts = load_targets(), guided
        except ValueError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    else:
        from scripts.fuzzing.targets import TARGETS

        targets, attempts = TARGETS, run
    unknown = set(args.only) - {target.name for target in targets}
    if args.cases < 1 or unknown:
        print(
            f"error: --cases {args.cases} must be 1 or more; no such target: {sorted(unknown)}",
            file=sys.stderr,
        )
        return 2
    chosen = [target for target in targets if not args.only or target.name in args.only]
    weight = sum(target.weight for target in chosen)
    total: Counter[str] = Counter()
    start = _memory()
    options = f"--cases {args.cases} --seed {args.seed}" + " --guided" * args.guided
    lines = [
        f"`python scripts/fuzz.py {options}`:",
        "",
        "| " + " | ".join(HEAD) + " |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    print("\n".join(lines))
    for target in chosen:
        count = max(1, round(args.cases * target.weight / weight))
        before = _cpu()
        counts = attempts(target, count, args.seed, args.failures)
        cost = 1000 * (_cpu() - before) / count
        total += counts
        lines.append(f"| {target.name} | {_row(counts)} | {cost:.1f} |")
        print(lines[-1], flush=True)
    grown = _memory() - start
    lines += [f"| all | {_row(total)} | |", ""]
    if not args.guided:
        lines.append(f"Memory grew by {grown:.0f} MiB (bound: {MEMORY}).")
    print("\n".join(lines[-2 - (not args.guided) :]))
    if args.write:
        from scripts.pages.doc_block import replace_block

        replace_block(args.write, "fuzz-guided" if args.guided else "fuzz", "\n".join(lines))
    return 1 if total["failed"] or grown > MEMORY else 0


def run(target: Target, count: int, seed: int, failures: Path | None) -> Counter[str]:
    """Outcomes of `count` cases."""
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        path = target.prepare(Path(scratch))
        for number in range(count):
            content = target.case(random.Random(f"{seed}:{target.name}:{number}"))
            said = attempt(target, path, content, str(number), failures)
            counts[said] += 1
    return counts


def _row(counts: Counter[str]) -> str:
    return " | ".join(str(n) for n in (counts.total(), *(counts[k] for k in ("result", "refused", "failed"))))


def _cpu() -> float:
    """Seconds of this process and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _memory() -> float:
    """MiB this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
