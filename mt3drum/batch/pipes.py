"""`pipe:` URLs as in WebDataset: shell commands whose output is a tar file.

They are accepted on the command line and in settings written by a person, never from data files.
(WebDataset's own reader drops the last block of a command that fails, and comes with the extra `train` only.)
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mt3drum.batch.inputs import PIPE, Task


class Pipe(NamedTuple):
    """A tar file written by a command."""

    url: str
    """pipe:COMMAND"""
    task: Task
    """The short name `pipe:a-000.tar` as the source, the folder of its results as the target."""


def pipes_of(urls: Iterable[str], output: Path) -> list[Pipe]:
    """Commands named after their last word that ends in .tar, else numbered.

    Raises:
        ValueError: two commands have the same name.
    """
    pipes: dict[Path, Pipe] = {}
    for number, url in enumerate(urls):
        names = re.findall(r"([^\s/\"'=|;&<>?]+)\.tar\b", url)
        stem = names[-1] if names else f"pipe-{number:05d}"
        target = output / stem
        other = pipes.setdefault(target, Pipe(url, Task(Path(f"{PIPE}{stem}.tar"), target)))
        if other.url != url:
            raise ValueError(
                f"{other.url} and {url} would both be written to {target}; use two output folders"
            )
    return list(pipes.values())


def fetch(url: str, path: Path) -> None:
    """Run the command and store its output in `path`; output written before a failure is kept.

    Raises:
        OSError: `path` cannot be written, the command failed, or (on Windows) there is no `sh` on the path.
    """
    shell = "/bin/sh" if os.name == "posix" else shutil.which("sh")
    if shell is None:
        raise OSError(
            f"{url}: pipe: commands need a POSIX shell; put sh (Git for Windows has one) on the PATH"
        )
    with path.open("wb") as file:
        command = [shell, "-c", url.removeprefix(PIPE)]
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, check=False).returncode
    if code:
        how = f"was killed by signal {-code}" if code < 0 else f"exited with {code}"
        raise OSError(f"{url}: the command {how}")
