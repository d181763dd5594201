"""What to transcribe, and under which name to write it: files, folders, patterns and lists to tasks."""

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
"""WebDataset's mark of a shell command whose output is a tar file."""
STDIN = "-"
"""Standard input holds a recording, or a list."""
STDIN_NAME = "standard input"


@dataclass(frozen=True)
class Task:
    """One recording and the file name, without suffix, of its results."""

    source: Path
    target: Path


class Problem(NamedTuple):
    """An input that cannot be used, and why, in one line that names it."""

    source: str
    reason: str


def read_list(path: Path) -> list[str]:
    """The lines of a file that lists recordings, folders or tar files; empty ones are passed over.

    Raises:
        ValueError: it cannot be read, or a line is a command: those are only taken from who types them.
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
                f"{path}: line {number}: {PIPE} runs a command, and is taken from the command line only"
            )
        if "\0" in name:
            raise ValueError(f"{path}: line {number}: holds a zero byte; one path a line is wanted")
    return [name for name in names if name]


def brace_patterns(texts: Iterable[str]) -> list[str]:
    """`a-{000..012}.tar` and `{a,b}.wav` to their names, as WebDataset does it, where no file has that very
    name."""
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
    """Tasks in order, each source once, and one problem for each input that gave none.

    A file `x/song.wav` becomes `output/song`. What comes from a folder, or from a pattern, keeps its place
    below the folder, or below the part of the pattern without wildcards; what comes from a list, below the
    folder that holds all that is listed. Sources that would share a target by their names alone (song.wav
    and song.mp3) keep their suffix in it: `song.wav.mid`, `song.mp3.mid`.

    Raises:
        ValueError: two sources would still be written to one file.
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
        except OSError:  # a name too long, a folder one may not look into: trying it will say so
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
    """TypeScript has the same suffixes. MPEG packets begin with 0x47, in .mts behind four bytes."""
    try:
        with path.open("rb") as file:
            return 0x47 in file.read(5)[::4]
    except OSError:
        return True  # reading it will say why


def _is_file(path: Path) -> bool:
    """A file, and none of our own renderings, which may lie beside the recordings."""
    return path.is_file() and not path.name.endswith(SUFFIX["wav"])


def _recordings_in(folder: Path) -> tuple[list[Path], list[OSError]]:
    """Recordings at any depth, hidden ones left out, and why folders could not be looked into."""
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
