"""Where results go: files of their own, or tar files of many recordings each. Complete or absent, both."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

from mt3drum.batch.inputs import Task
from mt3drum.batch.ledger import Ledger, Record, Share, records_of
from mt3drum.files import result_paths
from mt3drum.formats.write import WriteError, Written
from mt3drum.result import Transcription

INDEX = ".manifest.jsonl"
"""Last member of a tar file of results: a record for each recording. (WebDataset passes such names over.)"""
_NAME = re.compile(r"results-(\d+)-\d+\.tar")
Write = Callable[[Transcription, Mapping[str, Path]], Written]
"""Writes a result in each format to its file; raises WriteError."""


class Outcome(NamedTuple):
    """What became of one result."""

    source: Path
    record: Record
    result: Transcription
    files: tuple[str, ...]
    """What was written."""
    lacks: Sequence[str] = ()
    """What could not be written, a line for each reason."""


def _done(result: Transcription, written: Written) -> Record:
    """Formats that are impossible (`missing`) are not tried again: the recording has no steady beat."""
    record: Record = {
        "status": "done",
        "hits": len(result.hits),
        "seconds": round(result.seconds, 3),
        "warnings": list(written.warnings),
    }
    return record | ({"missing": dict(written.missing)} if written.missing else {})


def _none(source: Path, written: Written) -> Record:
    """Not one of the formats is possible."""
    reason = f"{source}: {'; '.join(written.lacks)}"
    return {"status": "failed", "reason": reason, "missing": dict(written.missing)}


def _failed(source: Path, error: Exception) -> Record:
    record: Record = {"status": "failed", "reason": f"{source}: cannot write the result: {error}"}
    files = error.files if isinstance(error, WriteError) else ()
    return record | ({"written": list(map(str, files))} if files else {})


class Files:
    """Every result in files of its own."""

    def __init__(self, paths: Callable[[Task], Mapping[str, Path]], write: Write) -> None:
        self.paths, self.write = paths, write

    def holds(self, task: Task, record: Record) -> bool:
        """Whether all files of a result are there, but those that are impossible."""
        missing = record.get("missing", {})
        return all(os.path.exists(path) for name, path in self.paths(task).items() if name not in missing)

    def put(self, task: Task, result: Transcription) -> list[Outcome]:
        """Write it, at once."""
        try:
            written = self.write(result, self.paths(task))
        except OSError as error:
            return [Outcome(task.source, _failed(task.source, error), result, ())]
        if not written.files:
            return [Outcome(task.source, _none(task.source, written), result, ())]
        files = tuple(map(str, written.files))
        result = replace(result, warnings=written.warnings)
        return [Outcome(task.source, _done(result, written), result, files, written.lacks)]

    def close(self) -> list[Outcome]:
        """Nothing is left to do."""
        return []


class Shards:
    """Results in tar files `results-<rank>-<number>.tar`, `size` recordings each, members named as the files
    would be.

    Results wait in a folder of their own until a tar file is full or all is done; then it is written under a
    temporary name and linked to the next free number, so that nothing is ever written over.
    """

    def __init__(self, folder: Path, formats: Sequence[str], rank: int, size: int, write: Write) -> None:
        self.folder, self.formats, self.rank, self.size, self.write = folder, formats, rank, size, write
        self.scratch = tempfile.TemporaryDirectory(prefix="mt3drum-")
        self.waiting: list[tuple[Task, Transcription, Written]] = []
        self.there = {path.name for path in shards_in(folder)}

    def holds(self, task: Task, record: Record) -> bool:
        """Whether the tar file that a record names is there."""
        return record.get("shard") in self.there

    def put(self, task: Task, result: Transcription) -> list[Outcome]:
        """Write it, together with `size` - 1 others."""
        base = Path(self.scratch.name) / str(len(self.waiting)) / task.target.relative_to(self.folder)
        try:
            written = self.write(result, result_paths(base, self.formats))
        except OSError as error:
            return [Outcome(task.source, _failed(task.source, error), result, ())]
        if not written.files:
            return [Outcome(task.source, _none(task.source, written), result, ())]
        self.waiting.append((task, replace(result, warnings=written.warnings), written))
        return self._flush() if len(self.waiting) == self.size else []

    def close(self) -> list[Outcome]:
        """Write what waits."""
        try:
            return self._flush() if self.waiting else []
        finally:
            self.scratch.cleanup()

    def _flush(self) -> list[Outcome]:
        waiting, self.waiting = self.waiting, []
        temporary = self.folder / f".{uuid.uuid4().hex}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self._place(temporary, waiting)
        except (OSError, ValueError, tarfile.TarError) as error:
            return [Outcome(t.source, _failed(t.source, error), result, ()) for t, result, _ in waiting]
        finally:
            temporary.unlink(missing_ok=True)
            for *_, written in waiting:
                for file in written.files:
                    file.unlink(missing_ok=True)
        self.there.add(path.name)
        return [
            Outcome(
                task.source,
                _done(result, written) | {"shard": path.name},
                result,
                (str(path),),
                written.lacks,
            )
            for task, result, written in waiting
        ]

    def _place(self, temporary: Path, waiting: list[tuple[Task, Transcription, Written]]) -> Path:
        lines = []
        with temporary.open("wb") as raw:
            with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for number, (task, result, written) in enumerate(waiting):
                    for file in written.files:
                        name = file.relative_to(Path(self.scratch.name) / str(number)).as_posix()
                        _add(tar, name, file.read_bytes())
                    lines.append(json.dumps({"source": str(task.source), **_done(result, written)}) + "\n")
                _add(tar, INDEX, "".join(lines).encode("ascii"))
            raw.flush()
            os.fsync(raw.fileno())
        for number in count():
            path = self.folder / f"results-{self.rank:05d}-{number:06d}.tar"
            try:
                os.link(temporary, path)
            except FileExistsError:
                continue
            return path
        raise AssertionError("numbers end")


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Owner and time are fixed: the bytes depend on the results alone."""
    member = tarfile.TarInfo(name)
    member.size, member.mtime = len(content), 0
    tar.addfile(member, io.BytesIO(content))


def shards_in(folder: Path) -> list[Path]:
    """The complete tar files of results in a folder."""
    return sorted(path for path in folder.glob("results-*.tar") if _NAME.fullmatch(path.name))


def recover(folder: Path, ledger: Ledger, share: Share) -> None:
    """Enter in the ledger what stands in a tar file and, since a kill came between, in no ledger.

    Every rank knows then; the one with the number of the tar file's maker writes it down.

    Raises:
        OSError: a tar file cannot be read.
    """
    known = {record.get("shard") for record in ledger.records.values()}
    for path in shards_in(folder):
        if path.name in known:
            continue
        for record in _index(path):
            full = record | {"shard": path.name}
            name = _NAME.fullmatch(path.name)
            if name is not None and int(name[1]) % share.world == share.rank:
                ledger.add(record["source"], full)
            else:
                ledger.records[record["source"]] = full


def _index(path: Path) -> Iterable[Record]:
    """
    Raises:
        OSError: it is not a tar file of results.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            member = tar.extractfile(INDEX)
            return records_of(member.read()) if member is not None else []
    except (tarfile.TarError, KeyError, ValueError, EOFError) as error:
        raise OSError(f"{path}: not a tar file of results ({error}); move it out of the folder") from error
