"""The folder in which `mt3drum serve` keeps its recordings across restarts.

    WORK/lock                      held by the server that uses the folder
    WORK/recordings/ID/job.json    name, state, order; missing if the upload did not finish
                      /upload.*    until it is transcribed
                      /page.json   the content of the review page (`mt3drum.web.page.PageData.values`)
                      /sound       the audio embedded in the page
                      /edits.json  the user's edits and their revision

Every file is complete or absent.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mt3drum.files import write_whole
from mt3drum.web.edits import Changes, parse_changes
from mt3drum.web.escape import shown
from mt3drum.web.page import PageData
from tokenizer.hits import Hit

_ID = re.compile(r"[A-Za-z0-9_-]{16}")
_log = logging.getLogger("mt3drum.web.work")


def default_folder() -> Path:
    """The user's data folder for mt3drum: ~/.local/share/mt3drum on Linux, ~/Library/Application
    Support/mt3drum on macOS."""
    from platformdirs import user_data_path

    return user_data_path("mt3drum", appauthor=False)


class InUse(RuntimeError):
    """Another server uses the folder."""


class Stale(RuntimeError):
    """Other edits were saved after the revision on which these are based."""

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__("edits were saved elsewhere in the meantime")
        self.record = record


class WorkFolder:
    """The folder while a server uses it.

    Args:
        folder: created if necessary, readable by its owner only.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recordings = folder / "recordings"
        self._saving = threading.Lock()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Lock the folder for exclusive use.

        Raises:
            InUse: another server uses it.
            OSError: it cannot be created or written.
        """
        self.recordings.mkdir(mode=0o700, parents=True, exist_ok=True)
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InUse(f"{self.folder} is in use by another mt3drum serve") from None
        try:
            yield
        finally:
            lock.release()

    def add(self, identity: str) -> Path:
        """Create the folder of a recording."""
        folder = self.recordings / identity
        folder.mkdir(mode=0o700)
        return folder

    def remove(self, identity: str) -> None:
        """Delete a recording and everything that belongs to it."""
        with self._saving:
            shutil.rmtree(self.recordings / identity, ignore_errors=True)

    def save_job(self, identity: str, values: dict[str, Any]) -> None:
        """Save a job's state, unless its recording has been removed."""
        folder = self.recordings / identity
        with self._saving:
            if folder.is_dir():
                write_whole(folder / "job.json", json.dumps(values))

    def jobs(self) -> list[tuple[str, dict[str, Any]]]:
        """Every recording with its state, in order of arrival; unfinished uploads are deleted."""
        found = []
        for folder in self.recordings.iterdir():
            if not _ID.fullmatch(folder.name) or not folder.is_dir():
                continue
            if not (folder / "job.json").exists():
                self.remove(folder.name)
                continue
            try:
                values = _read(folder / "job.json")
                found.append((float(values["arrived"]), folder.name, values))
            except (ValueError, TypeError, KeyError, OSError) as error:
                _log.warning("%s is damaged and left as it is: %s", folder, shown(str(error)))
        return [(identity, values) for _, identity, values in sorted(found, key=lambda entry: entry[:2])]

    def save_page(self, identity: str, data: PageData) -> None:
        """Save the content of a review page."""
        folder = self.recordings / identity
        write_whole(folder / "sound", data.sound)
        write_whole(folder / "page.json", json.dumps(data.values))

    def page(self, identity: str) -> PageData:
        """Load the content of a review page.

        Raises:
            OSError, ValueError: it is missing or damaged.
        """
        folder = self.recordings / identity
        return PageData(_read(folder / "page.json"), (folder / "sound").read_bytes())

    def sound(self, identity: str) -> Path:
        """The recording as the page carries it."""
        return self.recordings / identity / "sound"

    def values(self, identity: str) -> dict[str, Any]:
        """`page` without the audio."""
        return _read(self.recordings / identity / "page.json")

    def edits(self, identity: str) -> dict[str, Any]:
        """The record of the edits: `revision` (0: none yet), `removed`, `changed` and optionally `tempo`.

        Raises:
            OSError, ValueError: it is damaged.
        """
        path = self.recordings / identity / "edits.json"
        if not path.exists():
            return {"revision": 0, **Changes().to_record()}
        return _read(path)

    def save_edits(self, identity: str, revision: int, changes: Changes) -> int:
        """Save edits that are based on a revision; returns the new revision.

        Raises:
            Stale: they are based on an older revision.
            OSError: they cannot be written, or the recording has been removed.
        """
        with self._saving:
            (self.recordings / identity / "page.json").stat()
            last = self.edits(identity)
            if last["revision"] != revision:
                raise Stale(last)
            record = {"revision": revision + 1, **changes.to_record()}
            write_whole(self.recordings / identity / "edits.json", json.dumps(record))
            return revision + 1

    def score(self, identity: str) -> tuple[list[Hit], Any]:
        """The edited hits of a recording, and its tempo record (or None)."""
        values, edits = self.values(identity), self.edits(identity)
        changes = parse_changes(edits, values["seconds"])
        hits = changes.apply([Hit(*row) for row in values["hits"]])
        return hits, edits["tempo"] if "tempo" in edits else values["tempo"]


def _read(path: Path) -> dict[str, Any]:
    values = json.loads(path.read_bytes())
    if not isinstance(values, dict):
        raise ValueError(f"{path}: not a JSON object")
    return values
