"""One case of fuzzing: give a reader a damaged file and say what came of it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.fuzzing.targets import Target

CPU_SECONDS = 20
"""A case that takes longer hangs."""
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


def attempt(target: Target, path: Path, content: bytes, name: str, failures: Path | None) -> str:
    """One case: "result", "refused" or "failed"; of the last the reason is said and the file kept."""
    path.unlink(missing_ok=True)  # ext4 would send a file that is cut and written again to the disk at once
    path.write_bytes(content)
    said = outcome(target, path)
    if said.startswith("FAILED"):
        print(f"{target.name} {name}: {said}", file=sys.stderr, flush=True)
        if failures is not None:
            failures.mkdir(parents=True, exist_ok=True)
            (failures / f"{target.name}-{name}{path.suffix}").write_bytes(content)
    return said.partition(":")[0].lower()
