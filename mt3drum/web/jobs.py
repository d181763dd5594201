"""A queue of recordings for the web app: one worker thread, bounds on everything, files deleted after use."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mt3drum.audio.recording import AudioError
from mt3drum.files import AUDIO_SUFFIXES
from mt3drum.transcriber import Failure, Transcriber
from mt3drum.web.page import build_page, shown

State = Literal["uploading", "waiting", "working", "done", "failed"]


@dataclass(frozen=True)
class Limits:
    """Of the web app."""

    bytes: int = 200 * 2**20
    """Of one upload."""
    seconds: float = 1_800.0
    """Of one recording."""
    upload_seconds: float = 300.0
    """For one upload to arrive."""
    work_seconds: float = 1_800.0
    """For one recording to be transcribed."""
    uploads: int = 2
    """At once."""
    exports: int = 2
    """Written at once; others wait."""
    waiting: int = 8
    """Recordings not yet done, those being uploaded included."""
    kept: int = 20
    """Finished recordings; the oldest is dropped first."""


class Busy(RuntimeError):
    """The queue is full."""


class _Stopped(Exception):
    """The job was cancelled, took too long, or the server stops."""


@dataclass
class Job:
    """One recording on its way. Written by the worker, read by everybody."""

    id: str
    """Cannot be guessed: whoever has it may see the recording."""
    name: str
    """As shown; never used as a path."""
    upload: Path
    page: Path
    state: State = "uploading"
    progress: float = 0.0
    """Share transcribed, 0..1."""
    message: str = ""
    """Why it failed, in one line."""
    seconds: float = 0.0
    hits: int = 0
    cancelled: bool = False

    def public(self) -> dict[str, Any]:
        """What the browser is told."""
        names = ("id", "name", "state", "progress", "message", "seconds", "hits")
        return {name: getattr(self, name) for name in names}


class Queue:
    """Jobs in order of arrival.

    Args:
        transcriber: used by the worker thread alone.
        folder: for uploads and pages.
        limits: see `Limits`.
        server: what a page is told of its server, by job id.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        folder: Path,
        limits: Limits,
        server: Callable[[str], Mapping[str, Any]],
    ) -> None:
        self.transcriber = transcriber
        self.folder = folder
        self.limits = limits
        self.server = server
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="mt3drum-worker", daemon=True)

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the worker to stop and wait for it (a batch of segments at most)."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout=60)

    def reserve(self, name: str) -> Job:
        """A job whose upload may begin.

        Raises:
            Busy: too many are under way.
        """
        with self._changed:
            if sum(job.state in ("uploading", "waiting", "working") for job in self._jobs.values()) >= (
                self.limits.waiting
            ):
                raise Busy("the queue is full; wait until a recording is done")
            identity = secrets.token_urlsafe(12)
            # The suffix tells the reader the kind of file; anything else of the name stays out of the path.
            suffix = Path(name).suffix.lower()
            upload = self.folder / (identity + (suffix if suffix in AUDIO_SUFFIXES else ""))
            job = Job(identity, name, upload, self.folder / f"{identity}.html")
            self._jobs[identity] = job
            return job

    def submit(self, job: Job) -> None:
        """Its upload is complete."""
        with self._changed:
            job.state = "waiting"
            self._waiting.append(job)
            self._changed.notify_all()

    def find(self, identity: str) -> Job | None:
        """A job by its id."""
        with self._changed:
            return self._jobs.get(identity)

    def all(self) -> list[Job]:
        """In order of arrival."""
        with self._changed:
            return list(self._jobs.values())

    def cancel(self, job: Job) -> None:
        """Forget a job; one under way is stopped at its next batch."""
        job.cancelled = True
        if job.state != "uploading":
            self.forget(job)

    def forget(self, job: Job) -> None:
        """Drop a job and its files."""
        with self._changed:
            self._jobs.pop(job.id, None)
            if job in self._waiting:
                self._waiting.remove(job)
        job.upload.unlink(missing_ok=True)
        job.page.unlink(missing_ok=True)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                job = self._waiting.popleft()
                job.state = "working"
            state: State = "done"
            try:
                self._transcribe(job)
            except Exception as error:  # whatever a recording does, the next one is served
                # The reason names the file by its path here, which nobody outside knows: say its own name.
                reason = str(error).replace(str(job.upload), job.name) or type(error).__name__
                job.message, state = shown(" ".join(reason.split()))[:300], "failed"
            job.upload.unlink(missing_ok=True)
            job.state = state  # last: who sees it may rely on the rest
            if job.cancelled:
                self.forget(job)
            self._drop_old()

    def _transcribe(self, job: Job) -> None:
        end = time.monotonic() + self.limits.work_seconds
        check_length(job.upload, self.limits.seconds)

        def on_progress(path: Path, share: float) -> None:
            job.progress = share
            if job.cancelled or self._stopping:
                raise _Stopped("stopped")
            if time.monotonic() > end:
                raise _Stopped(f"stopped: it took longer than {self.limits.work_seconds:.0f} s")

        (result,) = self.transcriber.transcribe_files([job.upload], on_progress)
        if isinstance(result, Failure):
            raise AudioError(result.reason)
        if result.seconds > self.limits.seconds:  # the header lied
            raise AudioError(too_long(job.upload, self.limits.seconds))
        job.seconds, job.hits = result.seconds, len(result.hits)
        page = build_page(result, job.upload, name=job.name, server=self.server(job.id))
        job.page.write_text(page, encoding="utf-8")

    def _drop_old(self) -> None:
        finished = [job for job in self.all() if job.state in ("done", "failed")]
        for job in finished[: max(0, len(finished) - self.limits.kept)]:
            self.forget(job)


def check_length(path: Path, most: float) -> None:
    """Refuse a recording longer than `most` seconds by counting its samples, whatever its header says.

    Files that libsndfile cannot read pass: the transcriber says what is wrong, or ffmpeg reads them.

    Raises:
        AudioError: it is too long.
    """
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            most_frames = int(most * file.samplerate)
            frames = 0
            while count := len(file.read(262_144, dtype="int16")):
                frames += count
                if frames > most_frames:
                    raise AudioError(too_long(path, most))
    except (RuntimeError, TypeError, OSError):
        return


def too_long(path: Path, most: float) -> str:
    """The line that says so."""
    return f"{path}: longer than {most / 60:.0f} minutes; cut it, or use `mt3drum transcribe`"
