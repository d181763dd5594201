"""Expand files, folders, patterns and lists into tasks: recordings and the names of their results."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from braceexpand import braceexpand

from mt3drum.files import AUDIO_SUFFIXES, SUFFIX, is_hidden

PIPE = "pipe:"
"""WebDataset's prefix for a shell command whose output is a tar file."""
STDIN = "-"
"""Standard input, for a recording or a list."""
STDIN_NAME = "standard input"


@dataclass(frozen=True)
class Task:
    """One recording and the file name of its results, without suffix."""

    source: Path
    target: Path


class Problem(NamedTuple):
    """An input that cannot be used, with the reason in one line that names it."""

    source: str
    reason: str


def read_list(path: Path) -> list[str]:
    """The lines of a file that lists recordings, folders or tar files; empty lines are skipped.

    Raises:
        ValueError: it cannot be read, or a line is a command; commands are accepted on the command line only.
    """
    if str(path) == STDIN:
        data = sys.stdin.buffer.read()
    else:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ValueError(f"--list {path}: cannot be read ({error.strerror or error})") from error
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    names = [line.removesuffix("\r") for line in lines]
    for number, name in enumerate(names, 1):
        if name.startswith(PIPE):
            raise ValueError(
                f"{path}: line {number}: {PIPE} runs a command and is only accepted on the command line"
            )
        if "\0" in name:
            raise ValueError(f"{path}: line {number}: contains a zero byte; expected one path per line")
    return [name for name in names if name]


def brace_patterns(texts: Iterable[str]) -> list[str]:
    """Expand `a-{000..012}.tar` and `{a,b}.wav` as WebDataset does, unless a file has exactly that name."""
    names: list[str] = []
    for text in texts:
        if "{" not in text or (not text.startswith(PIPE) and Path(text).exists()):
            names.append(text)
            continue
        try:
            names += braceexpand(text, escape=False)
        except ValueError:  # braces that do not match
            names.append(text)
    return names


def plan(inputs: Iterable[str], output: Path, listed: Sequence[str] = ()) -> tuple[list[Task], list[Problem]]:
    """Tasks in order, each source once, and one problem for each input without any.

    A file `x/song.wav` becomes `output/song`. Results keep the folder structure below a given folder, below
    the part of a pattern without wildcards, or below the common parent of a list. Sources whose targets would
    differ only by suffix (song.wav and song.mp3) keep it: `song.wav.mid`, `song.mp3.mid`.

    Raises:
        ValueError: two sources would be written to the same file.
    """
    found: dict[Path, Path] = {}  # source -> place below the output folder
    problems = []
    above = _common_folder(listed)
    for text, kept in [*((text, None) for text in inputs), *((text, above) for text in listed)]:
        path = Path(text)
        if re.match("[a-z][a-z0-9+.-]+://", text, re.IGNORECASE):
            problems.append(Problem(text, f"{text}: an address; download the recording, then name the file"))
            continue
        if text == STDIN and kept is None:
            found.setdefault(path, Path(STDIN_NAME.replace(" ", "-")))
            continue
        try:
            is_folder, is_there = path.is_dir(), path.exists()
        except OSError:  # a name too long or an unreadable folder: opening it reports the error
            is_folder, is_there = False, True
        if is_folder:
            members, unread = _recordings_in(path)
            problems += [Problem(str(error.filename), f"{text}: {error}") for error in unread]
            places = {p: p.relative_to(path) for p in members}
            problem = f"{text}: no audio file in this folder"
        elif is_there or kept is not None or not glob.has_magic(text):
            places = {path: Path(path.name)}
            problem = ""
        else:
            root = _fixed_part(path)
            matches = map(Path, sorted(glob.glob(text, recursive=True)))
            members = [p for p in matches if _is_file(p) and "__MACOSX" not in p.parts]
            places = {p: p.relative_to(root) for p in members}
            problem = f"{text}: no file matches"
        if kept is not None:
            place = Path(os.path.relpath(os.path.abspath(text), kept))
            places = {p: place / inner if is_folder else place for p, inner in places.items()}
        if not places:
            problems.append(Problem(text, problem))
        for source, place in places.items():
            found.setdefault(source, place)
    stems = Counter(place.with_suffix("") for place in found.values())
    tasks = [
        Task(source, output / (place if stems[place.with_suffix("")] > 1 else place.with_suffix("")))
        for source, place in found.items()
    ]
    _refuse_shared_targets(tasks)
    return tasks, problems


def _refuse_shared_targets(tasks: Iterable[Task]) -> None:
    owner: dict[Path, Path] = {}
    for task in tasks:
        other = owner.setdefault(task.target, task.source)
        if other != task.source:
            raise ValueError(
                f"{other} and {task.source} would both be written to {task.target}.*; name their "
                "folder instead of the files, or use two runs with two output folders"
            )


def _is_recording(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix not in AUDIO_SUFFIXES or not _is_file(path):
        return False
    return suffix not in (".ts", ".mts") or _is_transport_stream(path)


def _is_transport_stream(path: Path) -> bool:
    """Whether a file is TypeScript, which has the same suffixes. MPEG packets begin with 0x47, in .mts after
    four bytes."""
    try:
        with path.open("rb") as file:
            return 0x47 in file.read(5)[::4]
    except OSError:
        return True  # reading it reports the error


def _is_file(path: Path) -> bool:
    """Whether this is a file and not one of our own audio renderings, which may be in the same folder."""
    return path.is_file() and not path.name.endswith(SUFFIX["wav"])


def _recordings_in(folder: Path) -> tuple[list[Path], list[OSError]]:
    """Recordings at any depth except hidden ones, and the errors for unreadable folders."""
    unread: list[OSError] = []
    found = []
    for parent, folders, names in os.walk(folder, onerror=unread.append):
        folders[:] = [name for name in folders if not is_hidden(Path(name))]
        found += [Path(parent, name) for name in names if not is_hidden(Path(name))]
    return sorted(path for path in found if _is_recording(path)), unread


def _common_folder(paths: Sequence[str]) -> str | None:
    return os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths]) if paths else None


def _fixed_part(pattern: Path) -> Path:
    """The folders of a pattern before its first wildcard."""
    fixed = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed)
