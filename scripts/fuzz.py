"""Damage files of every kind this project reads: each ends in a result or in one line that names it.

`python scripts/fuzz.py --cases 100000` prints a table of outcomes; tests/test_fuzz.py runs a few hundred of
the same cases. A case is a function of seed, target and number alone; the files of cases that fail are kept.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.fuzz_targets import Target

CPU_SECONDS = 20
"""A case that takes longer hangs."""
MEMORY = 1024
"""MiB the process may grow by over all cases."""
LONGEST_MESSAGE = 2000


class Hung(BaseException):
    """Raised by the timer; nothing that is being fuzzed may catch it."""


def _hung(*_: object) -> None:
    raise Hung(f"more than {CPU_SECONDS} s of CPU time")


def outcome(target: Target, path: Path) -> str:
    """Read one file: "result", "refused", or "FAILED: why"."""
    before = signal.signal(signal.SIGVTALRM, _hung)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        target.read(path)
    except target.errors as error:
        text = str(error)
        if target.named(path) not in text:
            return f"FAILED: the message does not name the file: {text[:200]!r}"
        if "\n" in text or len(text) > LONGEST_MESSAGE:
            return f"FAILED: not one line of at most {LONGEST_MESSAGE} characters: {text[:200]!r}"
        return "refused"
    except (Exception, Hung) as error:
        return f"FAILED: {error!r:.300}"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return "result"


def parse_args(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--cases", type=int, default=1000, help="in all; shared out by weight (default: 1000)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], metavar="TARGET")
    parser.add_argument("--failures", type=Path, help="folder for the files of cases that fail")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 if every case ended well, 1 otherwise."""
    args = parse_args(arguments)
    from scripts.fuzz_targets import TARGETS

    unknown = set(args.only) - {target.name for target in TARGETS}
    if args.cases < 1 or unknown:
        print(
            f"error: --cases {args.cases} must be 1 or more; no such target: {sorted(unknown)}",
            file=sys.stderr,
        )
        return 2
    chosen = [target for target in TARGETS if not args.only or target.name in args.only]
    weight = sum(target.weight for target in chosen)
    total: Counter[str] = Counter()
    start = _memory()
    print(
        "| target | cases | result | refused in one line | failed | CPU ms each |\n|---|--:|--:|--:|--:|--:|"
    )
    for target in chosen:
        count = max(1, round(args.cases * target.weight / weight))
        before = time.process_time()
        counts = _run(target, count, args.seed, args.failures)
        cost = 1000 * (time.process_time() - before) / count
        total += counts
        print(f"| {target.name} | {_row(counts)} | {cost:.1f} |", flush=True)
    grown = _memory() - start
    print(f"| all | {_row(total)} | |\n\nMemory grew by {grown:.0f} MiB (bound: {MEMORY}); seed {args.seed}.")
    return 1 if total["failed"] or grown > MEMORY else 0


def _run(target: Target, count: int, seed: int, failures: Path | None) -> Counter[str]:
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        path = target.prepare(Path(scratch))
        for number in range(count):
            content = target.case(random.Random(f"{seed}:{target.name}:{number}"))
            path.write_bytes(content)
            said = outcome(target, path)
            counts[said.partition(":")[0].lower()] += 1
            if said.startswith("FAILED"):
                print(f"{target.name} {number}: {said}", file=sys.stderr, flush=True)
                if failures is not None:
                    failures.mkdir(parents=True, exist_ok=True)
                    (failures / f"{target.name}-{number}{path.suffix}").write_bytes(content)
    return counts


def _row(counts: Counter[str]) -> str:
    return " | ".join(str(n) for n in (counts.total(), *(counts[k] for k in ("result", "refused", "failed"))))


def _memory() -> float:
    """MiB this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
