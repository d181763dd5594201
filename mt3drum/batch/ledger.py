"""Distribute recordings over processes, with ledgers that survive a kill.

Each of w ranks computes the same list and takes every w-th recording (or every w-th `pipe:` command), so
ranks never wait for each other and no recording is lost or processed twice. A rank appends one line to its
own ledger for every finished recording, after its results are in place. A restarted run skips recordings that
any ledger lists as done.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from mt3drum.files import write_whole

MERGED = "manifest.jsonl"
Record = dict[str, Any]
"""Outcome of a recording: `status` done or failed, with `hits` and `seconds` or with `reason`."""
_Item = TypeVar("_Item")


class Share(NamedTuple):
    """The share of this process in the work."""

    rank: int
    world: int

    @staticmethod
    def from_environment(ledger: bool) -> Share:
        """From RANK and WORLD_SIZE, as set by deepspeed, torchrun and others; without them, everything.

        Raises:
            ValueError: the values are invalid, or there are several ranks and no ledger.
        """
        texts = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
        try:
            share = Share(int(texts[0]), int(texts[1]))
        except ValueError:
            share = Share(-1, -1)
        if not 0 <= share.rank < share.world:
            raise ValueError(
                f"RANK {texts[0]} and WORLD_SIZE {texts[1]} in the environment are not a valid rank and size"
            )
        if share.world > 1 and not ledger:
            raise ValueError(f"{share.world} ranks need --manifest DIR, a folder shared by all of them")
        return share

    @staticmethod
    def parse(text: str, ledger: bool) -> Share:
        """`3/16`: the fourth of 16 tasks, counted from 0, as a Slurm array does.

        Raises:
            ValueError: it is no such share, or there is no ledger.
        """
        first, _, second = text.partition("/")
        if not (first.isdecimal() and second.isdecimal() and int(first) < int(second)):
            raise ValueError(f"--task {text} is not valid: use I/N with I from 0 to N - 1")
        if not ledger:
            raise ValueError(f"--task {text} needs --manifest DIR, a folder that all tasks see")
        return Share(int(first), int(second))

    def of(self, items: Sequence[_Item]) -> list[_Item]:
        """This rank's items; they depend only on the list, so ranks need not start together."""
        return list(items[self.rank :: self.world])


class Ledger:
    """The outcome of every recording: one JSON object per line, one file per rank.

    Raises:
        OSError: the folder or the rank's file cannot be written.
    """

    def __init__(self, folder: Path, share: Share) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.share = folder, share
        self.records = read_ledgers(folder)
        self.file = (folder / f"rank-{share.rank:05d}.jsonl").open("a+b", buffering=0)
        if self.file.seek(0, os.SEEK_END):
            self.file.seek(-1, os.SEEK_END)
            if self.file.read(1) != b"\n":
                self.file.write(b"\n")  # killed while writing a line: the line is ignored

    def is_done(self, source: Path) -> bool:
        """Whether any rank has finished it, in this run or before; failed recordings are retried."""
        return self.records.get(str(source), {}).get("status") == "done"

    def add(self, source: Path | str, record: Record) -> None:
        """Call once the results are in place."""
        full = {"source": str(source), **record, "rank": self.share.rank}
        self.records[str(source)] = full
        # One write of one line; ASCII, so that names that are not UTF-8 survive.
        self.file.write(json.dumps(full).encode("ascii") + b"\n")
        os.fsync(self.file.fileno())

    def close(self, sources: Iterable[str], pipes: Iterable[str] = ()) -> Path | None:
        """Write the merged manifest, in the order of the sources, if this was the last rank to finish.

        Args:
            sources: all recordings except those from commands.
            pipes: short names of the commands; the record of each lists its recordings.
        """
        self.file.close()
        records = read_ledgers(self.folder)
        wanted = list(dict.fromkeys(sources))
        for pipe in pipes:
            wanted += [pipe, *(f"{pipe}/{name}" for name in records.get(pipe, {}).get("members", ()))]
        if any(source not in records for source in wanted):
            return None
        path = self.folder / MERGED
        write_whole(path, "".join(json.dumps(records[source]) + "\n" for source in wanted))
        return path


def read_ledgers(folder: Path) -> dict[str, Record]:
    """The record of every recording: `done` by any rank takes precedence over `failed`, else the later
    counts."""
    records: dict[str, Record] = {}
    for path in sorted(folder.glob("rank-*.jsonl")):
        for record in records_of(path.read_bytes()):
            if record["status"] == "done" or records.get(record["source"], {}).get("status") != "done":
                records[record["source"]] = record
    return records


def records_of(content: bytes) -> list[Record]:
    """The records in JSON lines; truncated lines are skipped."""
    found = []
    for line in content.split(b"\n"):
        try:
            record = json.loads(line)
            found.append({**record, "source": str(record["source"]), "status": str(record["status"])})
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return found
