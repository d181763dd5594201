"""Read audio with libsndfile in blocks, recovering what it can from damaged or unfinished files."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from mt3drum.audio.headers import Mended, find_samples, ogg_is_cut, unclosed, unknown
from mt3drum.audio.limits import BLOCK, AudioError, check

_READ = 4_096  # frames per read near damage: libsndfile discards the block that fails
_SHORT = 0.05  # tolerance in seconds for a file shorter than its header states: encoders pad
_LOCK = threading.Lock()


class Unreadable(Exception):
    """libsndfile does not support this kind of file; the message gives its reason."""


class _Forward(soundfile.SoundFile):
    """Reads from start to end only: soundfile seeks to its current position after every block, which shifts
    and damages MP3 (by 4 ms at 128 kbit/s in the test)."""

    def seekable(self) -> bool:
        return False


class SoundFile:
    """A file opened by libsndfile. Each call of `blocks()` decodes it from the start.

    Raises:
        Unreadable: libsndfile cannot open it. AudioError: the rate or the number of channels is out of range.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.samples = find_samples(path)
        self.unclosed = self.samples is not None and unclosed(path, self.samples)
        with self._open() as file:
            check(file.samplerate, file.channels, str(path))
            self.rate: int = file.samplerate
            self.channels: int = file.channels
            self.kind: str = file.format_info
            self.codec: str = file.subtype_info

    def _open(self) -> _Forward:
        try:
            with _quiet():
                if self.samples is not None and (self.unclosed or self.samples.promised > self.samples.held):
                    return _Forward(Mended(self.path, self.samples))
                # As bytes: soundfile cannot encode a name that is not UTF-8.
                return _Forward(os.fsencode(self.path) if os.name == "posix" else self.path)
        except (RuntimeError, TypeError, OSError) as error:  # TypeError: raw file without a header
            raise Unreadable(str(error).rsplit(": ", 1)[-1].rstrip(".")) from error

    def blocks(self, notes: list[str]) -> Iterator[np.ndarray]:
        """Yield blocks [n c] until the end, or until the first damage after some audio.

        Raises:
            AudioError: the file is damaged from the start.
        """
        read, damaged = 0, False
        with self._again() as file:
            try:
                while len(part := _read(file, BLOCK)):
                    read += len(part)
                    yield part
            except RuntimeError:
                damaged = True
            else:
                self._note(notes, read / self.rate, file, damaged)
        if damaged:
            yield from self._up_to_damage(notes, read)

    def _up_to_damage(self, notes: list[str], known: int) -> Iterator[np.ndarray]:
        """Yield blocks [n c] from frame `known` on, up to the first unreadable position."""
        read, parts, damaged = 0, [], False
        with self._again() as file:
            try:
                while len(part := _read(file, _READ)):
                    parts.append(part[max(0, known - read) :])
                    read += len(part)
                    if sum(map(len, parts)) >= BLOCK:
                        yield np.concatenate(parts)
                        parts = []
            except RuntimeError as error:
                if not read:
                    raise AudioError(
                        f"{self.path}: damaged from the start ({error}); get another copy"
                    ) from error
                damaged = True
            self._note(notes, read / self.rate, file, damaged)
        if parts:
            yield np.concatenate(parts)

    def _again(self) -> _Forward:
        """Open the file for another pass."""
        if not self.path.exists():  # deleted between two passes
            raise AudioError(f"{self.path}: no such file")
        try:
            return self._open()
        except Unreadable as error:
            raise AudioError(f"{self.path}: cannot be read again ({error})") from error

    def _note(self, notes: list[str], seconds: float, file: _Forward, damaged: bool) -> None:
        """Add warnings about the audio that was read."""
        path, samples = self.path, self.samples
        promised = file.frames / self.rate
        if damaged:
            notes.append(f"{path}: damaged after {seconds:.1f} s; what came before was used")
        elif samples is not None and self.unclosed:
            notes.append(
                f"{path}: never finished by its recorder (its header promises "
                f"{'no sound' if samples.promised == 0 else 'less'}); all {seconds:.1f} s were used"
            )
        elif samples is not None and samples.promised > samples.held and not unknown(samples):
            share = samples.held / samples.promised
            notes.append(
                f"{path}: cut off: it holds {share:.0%} of what its header promises; its {seconds:.1f} s "
                "were used"
            )
        elif samples is None and file.format == "OGG" and ogg_is_cut(path):
            notes.append(f"{path}: cut off: it ends before its last page; its {seconds:.1f} s were used")
        elif seconds < promised - _SHORT and promised < 1e9:  # FLAC of unknown length states 2^63 frames
            notes.append(
                f"{path}: damaged or cut off after {seconds:.1f} s of {promised:.1f} s; what came before was "
                "used"
            )


def _read(file: _Forward, frames: int) -> np.ndarray:
    """Read up to `frames` frames [n c].

    Raises:
        RuntimeError: the data are damaged.
    """
    kind = "float64" if file.subtype == "DOUBLE" else "float32"  # 1e300 is finite in float64
    with _quiet(file.format == "MP3"):
        return np.asarray(file.read(frames, dtype=kind, always_2d=True))


@contextmanager
def _quiet(needed: bool = True) -> Iterator[None]:
    """Silence libmpg123, which prints diagnostics to file descriptor 2; libsndfile has no switch for that."""
    if not needed:
        yield
        return
    with _LOCK:
        try:
            kept = os.dup(2)
        except OSError:  # stderr is closed: nothing to silence
            kept = -1
        if kept >= 0:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        try:
            yield
        finally:
            if kept >= 0:
                os.dup2(kept, 2)
                os.close(kept)
