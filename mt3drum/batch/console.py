"""Terminal output of the commands: messages and a progress bar."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO


def say(text: str, file: TextIO) -> None:
    """Print one line, whatever the file name contains, without breaking a progress bar."""
    line = "".join(c if c.isprintable() or 0xDC80 <= ord(c) <= 0xDCFF else "?" for c in text)
    if "tqdm" not in sys.modules:  # no bar yet, and what is wrong with the options is said at once
        print(line, file=file)
        return
    from tqdm import tqdm

    tqdm.write(line, file=file)


def say_json(record: Mapping[str, Any], file: TextIO) -> None:
    """One JSON object on one line, in ASCII; at once, for who reads along."""
    say(json.dumps(record), file)
    file.flush()


def error(text: str) -> None:
    """Print one line to standard error."""
    say(f"error: {text}", sys.stderr)


class ProgressBar(NamedTuple):
    """Callbacks that advance a progress bar."""

    progress: Callable[[Path, float], None]
    """Called with a recording and the fraction of it that is decoded."""
    finish: Callable[[Path], None]
    """Called when a recording is finished."""


@contextmanager
def progress_bar(sizes: Mapping[Path, int], quiet: bool) -> Iterator[ProgressBar]:
    """A progress bar in bytes over recordings of these sizes; none if the output is not a terminal."""
    from tqdm import tqdm

    finished, count = 0, 0
    with tqdm(
        total=sum(sizes.values()),
        file=sys.stderr,
        leave=False,
        disable=quiet or not sys.stderr.isatty(),
        bar_format="{percentage:3.0f}% |{bar}| {postfix} {remaining} left",
    ) as bar:

        def progress(path: Path, share: float) -> None:
            bar.n = finished + share * sizes.get(path, 0)
            bar.refresh()

        def finish(path: Path) -> None:
            nonlocal finished, count
            finished, count = finished + sizes[path], count + 1
            bar.set_postfix_str(f"{count}/{len(sizes)} files", refresh=False)
            bar.n = finished
            bar.refresh()

        yield ProgressBar(progress, finish)
