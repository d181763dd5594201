"""`mt3drum transcribe --watch DIR`: recordings as they arrive in a folder, each once it is complete."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mt3drum.batch.inputs import Task, plan

PAUSE = 1.0
"""Seconds between two looks at the folder."""
SETTLED = 3.0
"""A file is complete once it has not changed for so long."""
MOST = 10_000
"""Files followed; a folder with more is no inbox."""


class _State(NamedTuple):
    size: int
    changed: int
    """Nanoseconds, by the file system's clock."""


@dataclass
class Inbox:
    """What has arrived in a folder, at any depth.

    A file is taken when its size and time have stayed the same over `SETTLED` seconds of our own clock, and
    again when it is written anew later. (Nothing portable tells whether somebody still has it open: where a
    recorder pauses for longer in the middle of a file, it is taken too early, and again at the end.)
    """

    folder: Path
    output: Path
    clock: Callable[[], float] = time.monotonic
    _seen: dict[Path, tuple[_State, float]] = field(default_factory=dict)
    """What each file was like, and since when."""
    _taken: dict[Path, _State] = field(default_factory=dict)

    def ready(self) -> list[Task]:
        """Look once: the recordings that are complete and were not taken yet.

        Raises:
            ValueError: there are more files than `MOST`, or two would be written to one result.
            OSError: the folder is gone.
        """
        os.stat(self.folder)
        tasks, _ = plan([str(self.folder)], self.output)
        if len(tasks) > MOST:
            raise ValueError(f"--watch {self.folder}: more than {MOST} recordings; move old ones away")
        now, done = self.clock(), []
        there = {task.source for task in tasks}
        for known in (self._seen, self._taken):
            for path in known.keys() - there:
                del known[path]
        for task in tasks:
            state = _state(task.source)
            if state is None or state == self._taken.get(task.source):
                continue
            before, since = self._seen.get(task.source, (None, now))
            if before != state:
                self._seen[task.source] = state, now
            elif now - since >= SETTLED and state.size:
                self._taken[task.source] = state
                del self._seen[task.source]
                done.append(task)
        return done


def _state(path: Path) -> _State | None:
    try:
        found = path.stat()
    except OSError:  # moved away meanwhile
        return None
    return _State(found.st_size, found.st_mtime_ns)


def up_to_date(source: Path, results: Iterable[Path]) -> bool:
    """Whether all results are there, and none is older than the recording."""
    try:
        made = source.stat().st_mtime_ns
        return all(path.stat().st_mtime_ns >= made for path in results)
    except OSError:
        return False
