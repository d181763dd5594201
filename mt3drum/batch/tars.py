"""Recordings in tar files: located by their headers and copied one at a time to files with generated
names."""

from __future__ import annotations

import sys
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple

from mt3drum.batch.inputs import STDIN, Problem, Task
from mt3drum.files import AUDIO_SUFFIXES, is_hidden

MAX_MEMBER_BYTES = 4 * 2**30
"""Maximum size of a member of a tar file, which is copied to a separate file for reading."""
_BLOCK = 2**20


class Place(NamedTuple):
    """A recording in a tar file."""

    tar: Path
    offset: int
    size: int


@dataclass(frozen=True)
class Opened:
    """Tasks, with every tar file replaced by its recordings."""

    tasks: list[Task] = field(default_factory=list)
    places: dict[Path, Place] = field(default_factory=dict)
    """Members by the `source` of their recording (path of the tar file / name of the member)."""
    problems: list[Problem] = field(default_factory=list)
    """One for every tar file or member that cannot be used."""


def open_tars(tasks: Iterable[Task]) -> Opened:
    """List the recordings in tar files; `x/a.tar` with `b/c.flac` gives `<target of a>/b/c`."""
    opened = Opened()
    for task in tasks:
        if task.source.suffix.lower() == ".tar":
            open_tar(task.source, task, opened)
        else:
            opened.tasks.append(task)
    return opened


def open_tar(path: Path, task: Task, opened: Opened) -> None:
    """Add the recordings of the tar file `path`, which is known as `task.source`.

    Members without an audio suffix, and the accompaniment `*.band.flac` of training shards, are skipped.
    """
    found: dict[PurePosixPath, Place] = {}

    def wrong(what: str, member: str = "") -> None:
        source = f"{task.source}/{member}" if member else str(task.source)
        opened.problems.append(Problem(source, f"{task.source}: {what}"))

    try:
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                name = PurePosixPath(info.name)
                if name.suffix.lower() not in AUDIO_SUFFIXES or name.name.endswith(".band.flac"):
                    continue
                if is_hidden(name):
                    continue
                problem = _problem(info, name, found)
                if problem:
                    wrong(f"member {info.name!r:.300} {problem}", info.name)
                else:
                    found[name] = Place(path, info.offset_data, info.size)
    except (OSError, tarfile.TarError, ValueError, EOFError) as error:
        wrong(f"not a whole tar file ({error}); what came before was used")
    else:
        if not found:
            wrong("no recording in it")
    for member, (name, place) in zip(tasks_of(map(str, found), task), found.items(), strict=True):
        opened.places[task.source / name] = place
        opened.tasks.append(member)


def tasks_of(names: Iterable[str], tar: Task) -> list[Task]:
    """The tasks for recordings with these names in a tar file; names that differ only by suffix keep it."""
    members = [PurePosixPath(name) for name in names]
    stems = Counter(name.with_suffix("") for name in members)
    return [
        Task(
            tar.source / name,
            tar.target / (name if stems[name.with_suffix("")] > 1 else name.with_suffix("")),
        )
        for name in members
    ]


def _problem(info: tarfile.TarInfo, name: PurePosixPath, found: dict[PurePosixPath, Place]) -> str:
    if not info.isreg():
        return "is not a file"
    if name.is_absolute() or ".." in name.parts:
        return "leads out of the folder"
    if not 0 <= info.size <= MAX_MEMBER_BYTES:
        return f"is larger than {MAX_MEMBER_BYTES} bytes"
    return "is there twice" if name in found else ""


def staged(tasks: Sequence[Task], places: dict[Path, Place], scratch: Path) -> Iterator[Path]:
    """A path to read each task from: a member of a tar file is copied to `scratch` when its turn comes.

    A member that cannot be copied yields a path to a missing file, which then fails to read.
    """
    for number, task in enumerate(tasks):
        place = places.get(task.source)
        path = scratch / f"{number:08d}{task.source.suffix}"
        if str(task.source) == STDIN:
            _keep(sys.stdin.buffer, path)
            yield path
            continue
        if place is None:
            yield task.source
            continue
        try:
            with place.tar.open("rb") as tar, path.open("wb") as copy:
                tar.seek(place.offset)
                left = place.size
                while left and (block := tar.read(min(left, _BLOCK))):
                    copy.write(block)
                    left -= len(block)
        except OSError:
            path.unlink(missing_ok=True)
        yield path


def _keep(stream: BinaryIO, path: Path) -> None:
    """Copy a stream to a file; no file remains if the stream is too large or cannot be written."""
    size = 0
    try:
        with path.open("wb") as copy:
            while (block := stream.read(_BLOCK)) and size <= MAX_MEMBER_BYTES:
                size += copy.write(block)
    except OSError:
        size = MAX_MEMBER_BYTES + 1
    if size > MAX_MEMBER_BYTES:
        path.unlink(missing_ok=True)


def renamed(result: Any, source: Path) -> Any:
    """A result (or failure) read from a staged copy, under the name of its source."""
    if result.path is None or result.path == source:
        return result
    old, new = str(result.path), str(source)
    if hasattr(result, "reason"):
        return replace(result, path=source, reason=result.reason.replace(old, new))
    return replace(result, path=source, warnings=tuple(text.replace(old, new) for text in result.warnings))
