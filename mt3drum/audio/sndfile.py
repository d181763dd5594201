"""Files that libsndfile reads, as blocks; what is damaged or was never finished, as far as it holds sound."""

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

_READ = 4_096  # frames asked of libsndfile at once near damage: what it had of a damaged block is lost
_SHORT = 0.05  # seconds by which a file may hold less than its header promises: encoders pad
_LOCK = threading.Lock()


class Unreadable(Exception):
    """libsndfile does not know this kind of file; the text says what it misses."""


class _Forward(soundfile.SoundFile):
    """Read from start to end only: soundfile seeks to where it stands after every block, which shifts and
    damages MP3 (by 4 ms at 128 kbit/s in the test)."""

    def seekable(self) -> bool:
        return False


class SoundFile:
    """A file that libsndfile opens; each `blocks()` reads it anew.

    Raises:
        Unreadable: it does not. AudioError: the rate or the number of channels is out of range.
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
        except (RuntimeError, TypeError, OSError) as error:  # TypeError: headerless .raw
            raise Unreadable(str(error).rsplit(": ", 1)[-1].rstrip(".")) from error

    def blocks(self, notes: list[str]) -> Iterator[np.ndarray]:
        """[n c] until the end, or the first damage after some audio.

        Raises:
            AudioError: damaged from the start.
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
        """[n c] from frame `known` on, up to a place that cannot be read."""
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
        """Opened for one more pass."""
        if not self.path.exists():  # between two passes
            raise AudioError(f"{self.path}: no such file")
        try:
            return self._open()
        except Unreadable as error:
            raise AudioError(f"{self.path}: cannot be read again ({error})") from error

    def _note(self, notes: list[str], seconds: float, file: _Forward, damaged: bool) -> None:
        """What is wrong with what was read."""
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
        elif seconds < promised - _SHORT and promised < 1e9:  # FLAC of unknown length promises 2^63 frames
            notes.append(
                f"{path}: damaged or cut off after {seconds:.1f} s of {promised:.1f} s; what came before was "
                "used"
            )


def _read(file: _Forward, frames: int) -> np.ndarray:
    """[n c]: the next frames, at most the given number.

    Raises:
        RuntimeError: they are damaged.
    """
    kind = "float64" if file.subtype == "DOUBLE" else "float32"  # 1e300 is a finite number
    with _quiet(file.format == "MP3"):
        return np.asarray(file.read(frames, dtype=kind, always_2d=True))


@contextmanager
def _quiet(needed: bool = True) -> Iterator[None]:
    """libmpg123 writes what it thinks of a file to file descriptor 2, and libsndfile has no switch for it."""
    if not needed:
        yield
        return
    with _LOCK:
        try:
            kept = os.dup(2)
        except OSError:  # closed: there is nobody to hear it
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
