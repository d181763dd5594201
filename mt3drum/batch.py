"""Many recordings over many processes: shares of a list, ledgers that survive a kill, tar files.

Rank r of w takes every w-th recording of one list, which every rank makes for itself: nobody waits for
anybody, no recording is taken twice and none is lost. A rank appends one line to its own ledger for every
recording it has finished, after the results are in place; whoever starts again skips what any ledger says is
done.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from mt3drum.inputs import AUDIO_SUFFIXES, Task

MERGED = "manifest.jsonl"
MAX_MEMBER_BYTES = 4 * 2**30
"""A larger member of a tar file is refused: it is copied to a file of its own to be read."""
_BLOCK = 2**20


class Share(NamedTuple):
    """Which part of the work is this process's."""

    rank: int
    world: int

    @staticmethod
    def from_environment(ledger: bool) -> Share:
        """RANK and WORLD_SIZE as deepspeed, torchrun and others set them; without them, everything.

        Raises:
            ValueError: they are no rank of a world, or there are several ranks and no ledger.
        """
        texts = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
        try:
            share = Share(int(texts[0]), int(texts[1]))
        except ValueError:
            share = Share(-1, -1)
        if not 0 <= share.rank < share.world:
            raise ValueError(
                f"RANK {texts[0]} and WORLD_SIZE {texts[1]} in the environment are no rank of a world"
            )
        if share.world > 1 and not ledger:
            raise ValueError(f"{share.world} ranks need --manifest DIR, a folder all of them see")
        return share

    def of(self, tasks: Sequence[Task]) -> list[Task]:
        """This rank's tasks: a function of the list alone, so that ranks need not start together."""
        return list(tasks[self.rank :: self.world])


class Ledger:
    """What has become of every recording: one JSON object a line, one file a rank.

    Raises:
        OSError: the folder or the rank's file cannot be written.
    """

    def __init__(self, folder: Path, share: Share) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.share = folder, share
        self.records = read_ledgers(folder)
        self.file = os.open(
            folder / f"rank-{share.rank:05d}.jsonl", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666
        )
        size = os.fstat(self.file).st_size
        if size and os.pread(self.file, 1, size - 1) != b"\n":
            os.write(self.file, b"\n")  # killed within a line: that line counts for nothing

    def is_done(self, source: Path) -> bool:
        """Whether any rank, now or before, has finished it; what failed is tried again."""
        return self.records.get(str(source), {}).get("status") == "done"

    def done(self, source: Path, hits: int, seconds: float, warnings: Sequence[str]) -> None:
        """Call once the results are in place."""
        self._add(
            source, {"status": "done", "hits": hits, "seconds": round(seconds, 3), "warnings": list(warnings)}
        )

    def failed(self, source: Path, reason: str) -> None:
        """With a reason of one line."""
        self._add(source, {"status": "failed", "reason": reason})

    def skipped(self, source: Path) -> None:
        """Its results were there before."""
        self._add(source, {"status": "done", "skipped": True})

    def _add(self, source: Path, what: dict[str, Any]) -> None:
        record = {"source": str(source), **what, "rank": self.share.rank}
        self.records[str(source)] = record
        # One write of one line; ASCII, so that names that are not UTF-8 survive.
        os.write(self.file, json.dumps(record).encode("ascii") + b"\n")
        os.fsync(self.file)

    def close(self, tasks: Iterable[Task]) -> Path | None:
        """Write the merged manifest, in the order of the tasks, if this was the last rank to finish."""
        os.close(self.file)
        records = read_ledgers(self.folder)
        sources = [str(task.source) for task in tasks]
        if any(source not in records for source in sources):
            return None
        path = self.folder / MERGED
        temporary = path.with_name(f".{MERGED}.{os.getpid()}.tmp")
        try:
            temporary.write_text("".join(json.dumps(records[source]) + "\n" for source in sources), "ascii")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return path


def read_ledgers(folder: Path) -> dict[str, dict[str, Any]]:
    """The record of every recording: `done` by any rank outweighs `failed`, else the later counts.

    Lines that a kill has cut short are passed over.
    """
    records: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("rank-*.jsonl")):
        for line in path.read_bytes().split(b"\n"):
            try:
                record = json.loads(line)
                source, status = str(record["source"]), record["status"]
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
            if status == "done" or records.get(source, {}).get("status") != "done":
                records[source] = record
    return records


class Place(NamedTuple):
    """A recording within a tar file."""

    tar: Path
    offset: int
    size: int


@dataclass(frozen=True)
class Opened:
    """Tasks, with every tar file replaced by the recordings in it."""

    tasks: list[Task]
    places: dict[Path, Place]
    """Of the recordings that lie in a tar file, by their `source` (path of the tar / name of the member)."""
    problems: list[str]
    """One line for every tar file or member that cannot be used."""


def open_tars(tasks: Iterable[Task]) -> Opened:
    """List the recordings in tar files; `x/a.tar` with `b/c.flac` gives `<target of a>/b/c`.

    Members that are no recordings (by their suffix), and the accompaniment `*.band.flac` of training shards,
    are passed over.
    """
    opened = Opened([], {}, [])
    for task in tasks:
        if task.source.suffix.lower() != ".tar":
            opened.tasks.append(task)
            continue
        found: dict[PurePosixPath, Place] = {}
        try:
            with tarfile.open(task.source, "r:") as tar:
                for info in tar:
                    name = PurePosixPath(info.name)
                    if name.suffix.lower() not in AUDIO_SUFFIXES or name.name.endswith(".band.flac"):
                        continue
                    problem = _problem(info, name, found)
                    if problem:
                        opened.problems.append(f"{task.source}: member {info.name!r} {problem}")
                    else:
                        found[name] = Place(task.source, info.offset_data, info.size)
        except (OSError, tarfile.TarError, ValueError, EOFError) as error:
            opened.problems.append(
                f"{task.source}: not a whole tar file ({error}); what came before was used"
            )
        if not found:
            opened.problems.append(f"{task.source}: no recording in it")
        stems = Counter(name.with_suffix("") for name in found)
        for name, place in found.items():
            source, stem = task.source / name, name.with_suffix("")
            opened.places[source] = place
            opened.tasks.append(Task(source, task.target / (name if stems[stem] > 1 else stem)))
    return opened


def _problem(info: tarfile.TarInfo, name: PurePosixPath, found: dict[PurePosixPath, Place]) -> str:
    if not info.isreg():
        return "is not a file"
    if name.is_absolute() or ".." in name.parts:
        return "leads out of the folder"
    if not 0 <= info.size <= MAX_MEMBER_BYTES:
        return f"is larger than {MAX_MEMBER_BYTES} bytes"
    return "is there twice" if name in found else ""


def staged(tasks: Iterable[Task], places: dict[Path, Place], scratch: Path) -> Iterator[Path]:
    """A path to read each task from: a member of a tar file is copied to `scratch` when its turn comes.

    A member that cannot be copied gives a path where nothing is: reading that is its failure.
    """
    for number, task in enumerate(tasks):
        place = places.get(task.source)
        if place is None:
            yield task.source
            continue
        path = scratch / f"{number:08d}{task.source.suffix}"
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


def brace_patterns(texts: Iterable[str]) -> list[str]:
    """`a-{000..012}.tar` to its names, where there is no file of that very name."""
    names = []
    for text in texts:
        match = re.fullmatch(r"(.*)\{(\d{1,9})\.\.(\d{1,9})\}(.*)", text)
        if match is None or Path(text).exists():
            names.append(text)
            continue
        before, first, last, after = match.groups()
        numbers = range(int(first), int(last) + 1)
        names += brace_patterns(f"{before}{number:0{len(first)}d}{after}" for number in numbers)
    return names


def renamed(result: Any, source: Path) -> Any:
    """A result (or failure) read from a staged copy, under the name of its source."""
    if result.path is None or result.path == source:
        return result
    old, new = str(result.path), str(source)
    if hasattr(result, "reason"):
        return replace(result, path=source, reason=result.reason.replace(old, new))
    return replace(result, path=source, warnings=tuple(text.replace(old, new) for text in result.warnings))
