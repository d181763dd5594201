"""The web app's queue of recordings: one worker thread, everything bounded, resumed after a restart."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mt3drum.audio.recording import AudioError
from mt3drum.files import AUDIO_SUFFIXES
from mt3drum.transcriber import Failure, Transcriber, Transcription
from mt3drum.web.again import Again, Work
from mt3drum.web.escape import shown
from mt3drum.web.page import page_data
from mt3drum.web.work import WorkFolder

State = Literal["uploading", "waiting", "working", "done", "failed"]
_log = logging.getLogger("mt3drum.web.jobs")


@dataclass(frozen=True)
class Limits:
    """Limits of the web app."""

    bytes: int = 200 * 2**20
    """Maximum size of an upload."""
    seconds: float = 1_800.0
    """Maximum duration of a recording."""
    upload_seconds: float = 300.0
    """Maximum time for an upload to arrive."""
    work_seconds: float = 1_800.0
    """Maximum time to transcribe a recording."""
    uploads: int = 2
    """Maximum simultaneous uploads."""
    part_seconds: float = 600.0
    """Maximum duration of a part that is transcribed again."""
    parts: int = 4
    """Maximum parts waiting to be transcribed again."""
    exports: int = 2
    """Maximum simultaneous exports; others wait."""
    waiting: int = 8
    """Maximum recordings that are not finished, including current uploads."""
    kept: int = 100
    """Maximum number of transcribed recordings. None is dropped; at the limit, uploads are rejected."""
    failed: int = 20
    """Maximum failed recordings in the list; the oldest is dropped first."""


class Busy(RuntimeError):
    """The queue is full for the moment."""


class Full(RuntimeError):
    """The maximum number of recordings is stored."""


class _Stopped(Exception):
    """The job was cancelled or took too long, or the server is stopping."""


@dataclass
class Job:
    """One recording in the queue. Written by the worker, read by other threads."""

    id: str
    """Unguessable, because it grants access to the recording."""
    name: str
    """Display name; never used as a path."""
    upload: Path
    state: State = "uploading"
    progress: float = 0.0
    """Transcribed share, 0..1."""
    message: str = ""
    """One-line reason of a failure."""
    seconds: float = 0.0
    """Duration of the recording, once known."""
    hits: int = 0
    cancelled: bool = False
    arrived: float = field(default_factory=time.time)
    started: float = 0.0
    """Start of the work on the monotonic clock."""
    stepped: float = 0.0
    """When `progress` last changed, on the monotonic clock."""

    def public(self, pace: float | None = None) -> dict[str, Any]:
        """The state sent to the browser.

        Args:
            pace: seconds of work per second of audio, if known.
        """
        names = ("id", "name", "state", "progress", "message", "seconds", "hits")
        return {name: getattr(self, name) for name in names} | {"left": self.left(pace)}

    def left(self, pace: float | None) -> float | None:
        """Estimated seconds of work left, if known."""
        if self.state == "working" and self.progress:
            spent = self.stepped - self.started
            return max(0.0, spent * (1 / self.progress - 1) - (time.monotonic() - self.stepped))
        if self.state in ("waiting", "working") and pace and self.seconds:
            spent = time.monotonic() - self.started if self.state == "working" else 0.0
            return max(0.0, pace * self.seconds - spent)
        return None

    def kept(self) -> dict[str, Any]:
        """The state saved to disk; the inverse of `restored`."""
        names = ("name", "state", "message", "seconds", "hits", "arrived")
        return {name: getattr(self, name) for name in names} | {"upload": self.upload.name}


def restored(identity: str, values: dict[str, Any], folder: Path) -> Job:
    """Restore a job from disk; interrupted work starts again.

    Raises:
        ValueError, TypeError, KeyError: the values are not those of a job.
    """
    state = values["state"]
    if state not in ("waiting", "working", "done", "failed"):
        raise ValueError(f"state {state!r:.40}")
    return Job(
        identity,
        shown(str(values["name"])),
        folder / Path(str(values["upload"])).name,
        "waiting" if state == "working" else state,
        progress=1.0 if state == "done" else 0.0,
        message=str(values["message"]),
        seconds=float(values["seconds"]),
        hits=int(values["hits"]),
        arrived=float(values["arrived"]),
    )


class Queue:
    """Jobs in order of arrival.

    Args:
        transcriber: used by the worker thread only.
        work: storage.
        limits: see `Limits`.
    """

    def __init__(self, transcriber: Transcriber, work: WorkFolder, limits: Limits) -> None:
        self.transcriber = transcriber
        self.work = work
        self.limits = limits
        self.pace: float | None = None
        """Seconds of work per second of audio, for the last recording."""
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._parts: deque[Work] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="mt3drum-worker", daemon=True)

    def start(self) -> None:
        """Load the jobs of the folder and start the worker."""
        for identity, values in self.work.jobs():
            try:
                job = restored(identity, values, self.work.recordings / identity)
            except (ValueError, TypeError, KeyError) as error:
                _log.warning("recording %s is damaged and left as it is: %s", identity, shown(str(error)))
                continue
            self._jobs[identity] = job
            if job.state == "waiting":
                self._waiting.append(job)
        self._thread.start()

    def stop(self) -> None:
        """Ask the worker to stop and wait for it, at most one batch of segments. The next start resumes its
        job."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout=60)
        for part in self._parts:
            part.future.cancel()

    def reserve(self, name: str) -> Job:
        """Create a job whose upload may begin.

        Raises:
            Busy: too many jobs are in progress.
            Full: too many recordings are stored.
        """
        with self._changed:
            states = [job.state for job in self._jobs.values()]
            if sum(state in ("uploading", "waiting", "working") for state in states) >= self.limits.waiting:
                raise Busy("the queue is full; wait until a recording is done")
            if len(states) - states.count("failed") >= self.limits.kept:
                raise Full(f"{self.limits.kept} recordings are kept here; remove some first")
            identity = secrets.token_urlsafe(12)
            # The suffix tells the reader the file type; nothing else of the name becomes part of the path.
            suffix = Path(name).suffix.lower()
            upload = self.work.add(identity) / f"upload{suffix if suffix in AUDIO_SUFFIXES else ''}"
            job = Job(identity, name, upload)
            self._jobs[identity] = job
            return job

    def submit(self, job: Job) -> None:
        """Queue a job whose upload is complete."""
        if job.cancelled:
            self.forget(job)
            return
        with self._changed:
            job.state = "waiting"
            self.work.save_job(job.id, job.kept())
            self._waiting.append(job)
            self._changed.notify_all()

    def again(self, sound: Path, again: Again) -> Future[Transcription]:
        """Transcribe a part of a recording, before the next recording or between two batches of one.

        Raises:
            Busy: too many wait.
        """
        with self._changed:
            if len(self._parts) >= self.limits.parts or self._stopping:
                raise Busy("other parts are being transcribed; try again in a moment")
            part = Work(sound, again, self.limits.work_seconds)
            self._parts.append(part)
            self._changed.notify_all()
        return part.future

    def _do_parts(self) -> None:
        while self._parts:
            self._parts.popleft().do(self.transcriber, lambda: self._stopping)

    def find(self, identity: str) -> Job | None:
        """Return a job by its id, None if there is none."""
        with self._changed:
            return self._jobs.get(identity)

    def all(self) -> list[Job]:
        """All jobs in order of arrival."""
        with self._changed:
            return list(self._jobs.values())

    def cancel(self, job: Job) -> None:
        """Remove a job; one in progress is stopped at its next batch."""
        job.cancelled = True
        if job.state != "uploading":
            self.forget(job)

    def forget(self, job: Job) -> None:
        """Remove a job and its files."""
        with self._changed:
            self._jobs.pop(job.id, None)
            if job in self._waiting:
                self._waiting.remove(job)
        self.work.remove(job.id)

    def _work(self) -> None:
        while True:
            self._do_parts()
            with self._changed:
                while not self._waiting and not self._parts and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                if self._parts:
                    continue
                job = self._waiting.popleft()
                job.state = "working"
            state: State = "done"
            job.started = job.stepped = time.monotonic()
            try:
                self._transcribe(job)
                self.pace = (time.monotonic() - job.started) / max(job.seconds, 1.0)
            except Exception as error:  # no recording may stop the server
                if self._stopping and isinstance(error, _Stopped):
                    return  # still waiting, on disk
                # The reason contains the internal path; replace it with the display name.
                reason = str(error).replace(str(job.upload), job.name) or type(error).__name__
                job.message, state = shown(" ".join(reason.split()))[:300], "failed"
            self._finish(job, state)

    def _finish(self, job: Job, state: State) -> None:
        try:
            self.work.save_job(job.id, {**job.kept(), "state": state})
            job.upload.unlink(missing_ok=True)
        except OSError as error:
            job.message, state = f"{job.name}: cannot be kept: {error.strerror}", "failed"
        job.state = state  # last, because readers rely on the rest once they see it
        if job.cancelled:
            self.forget(job)
        failed = [other for other in self.all() if other.state == "failed"]
        for other in failed[: max(0, len(failed) - self.limits.failed)]:
            self.forget(other)

    def _transcribe(self, job: Job) -> None:
        end = time.monotonic() + self.limits.work_seconds
        job.seconds = check_length(job.upload, self.limits.seconds) or 0.0

        def on_progress(path: Path, share: float) -> None:
            job.progress, job.stepped = share, time.monotonic()
            if job.cancelled or self._stopping:
                raise _Stopped("stopped")
            self._do_parts()
            if time.monotonic() > end:
                raise _Stopped(f"stopped: it took longer than {self.limits.work_seconds:.0f} s")

        (result,) = self.transcriber.transcribe_files([job.upload], on_progress)
        if isinstance(result, Failure):
            raise AudioError(result.reason)
        if result.seconds > self.limits.seconds:  # the header was wrong
            raise AudioError(too_long(job.upload, self.limits.seconds))
        job.seconds, job.hits, job.progress = result.seconds, len(result.hits), 1.0
        self.work.save_page(job.id, page_data(result, job.upload, name=job.name))


def check_length(path: Path, most: float) -> float | None:
    """Duration of a recording in seconds, from its samples rather than its header.

    None if libsndfile cannot read the file; then ffmpeg reads it, or the transcriber reports what is wrong.

    Raises:
        AudioError: it is longer than `most` seconds.
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
            return frames / file.samplerate
    except (RuntimeError, TypeError, OSError):
        return None


def too_long(path: Path, most: float) -> str:
    """The error line for a recording that is too long."""
    return f"{path}: longer than {most / 60:.0f} minutes; cut it, or use `mt3drum transcribe`"
