"""Where live sound comes from: a pipe or a microphone, each read by a thread of its own."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from io import BytesIO, RawIOBase
from typing import Any, NamedTuple

import numpy as np

from mt3drum.audio.limits import AudioError, check
from mt3drum.extras import need
from mt3drum.live.pcm import Pcm, read_header

PIECE_SECONDS = 0.05
"""Longest piece that is read at once."""
WAITING_PIECES = 400
"""Pieces that can wait to be decoded, at most 20 s. Beyond that a pipe has to wait, and the sound of a
microphone is lost."""
_POLL_SECONDS = 0.1


class Piece(NamedTuple):
    """Some sound as it arrived."""

    at: float
    """Time of arrival (`time.monotonic`)."""
    frames: np.ndarray
    """float32 [n channels]"""
    lost: int = 0
    """Samples before it that were lost."""


class SoundSource:
    """Sound from a thread, in pieces.

    Args:
        name: for messages.
        rate: Hz.
    """

    def __init__(self, name: str, rate: int) -> None:
        self.name, self.rate = name, rate
        self.lost = 0.0
        """Seconds that were lost."""
        self._waiting: queue.Queue[Piece | Exception | None] = queue.Queue(WAITING_PIECES)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Hear no more; what has arrived is still delivered. May be called from a signal handler."""
        self._stopped.set()

    def pieces(self) -> Iterator[Piece]:
        """In order, up to the end of the sound or until `stop`.

        Raises:
            AudioError: the source failed.
        """
        while True:
            try:
                item = self._waiting.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if self._stopped.is_set():
                    return
                continue
            if item is None:
                return
            if isinstance(item, Exception):
                raise AudioError(f"{self.name}: {' '.join(str(item).split())}") from item
            self.lost += item.lost / self.rate
            yield item

    def close(self) -> None:
        """Release the device."""
        self.stop()


class PipeSource(SoundSource):
    """WAV, or raw PCM where it is described, from an unbuffered stream.

    Args:
        stream: `read` returns what is there. A buffered one would hold a lock while its thread waits, and the
            interpreter could not exit.

    Raises:
        AudioError: the stream is neither.
    """

    def __init__(self, stream: RawIOBase | BytesIO, raw: Pcm | None = None) -> None:
        self._stream = stream
        self._pcm, self._left = (raw, None) if raw is not None else read_header(self._read)
        super().__init__("standard input", self._pcm.rate)
        threading.Thread(target=self._run, name="reading standard input", daemon=True).start()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self._stream.read(size - len(data))):
            data += more
        return data

    def _run(self) -> None:
        most = max(1, int(PIECE_SECONDS * self._pcm.rate)) * self._pcm.frame_bytes
        rest = b""
        end: Exception | None = None
        try:
            while not self._stopped.is_set() and (self._left is None or self._left > 0):
                data = self._stream.read(most if self._left is None else min(most, self._left))
                if not data:
                    break
                if self._left is not None:
                    self._left -= len(data)
                data = rest + data
                whole = len(data) // self._pcm.frame_bytes * self._pcm.frame_bytes
                rest = data[whole:]
                if whole:
                    self._waiting.put(Piece(time.monotonic(), self._pcm.decode(data[:whole])))
        except (OSError, ValueError) as error:
            end = error
        self._waiting.put(end)


class MicrophoneSource(SoundSource):
    """The sound of an input device, through the extra `live` (sounddevice).

    Args:
        device: number, or part of a name; None: the system's default.

    Raises:
        MissingExtra: sounddevice is not installed.
        AudioError: there is no such device, or it cannot be opened.
    """

    def __init__(self, device: str | None = None) -> None:
        need("live", "sounddevice")
        try:
            import sounddevice
        except OSError as error:  # its wheels for Linux come without PortAudio
            raise AudioError(
                f"microphone: {error}; install PortAudio (sudo apt-get install libportaudio2), or use a "
                "pipe: ffmpeg ... -f wav - | mt3drum listen -"
            ) from error
        wanted = int(device) if device is not None and device.isdecimal() else device
        self._lost = 0
        try:
            about = sounddevice.query_devices(wanted, "input")
            channels, rate = min(2, int(about["max_input_channels"])), int(about["default_samplerate"])
            check(rate, channels, "microphone")
            super().__init__(f"microphone {about['name']}", rate)
            self._device = sounddevice.InputStream(
                device=wanted,
                samplerate=rate,
                channels=channels,
                dtype="float32",
                blocksize=int(PIECE_SECONDS * rate),
                callback=self._heard,
                finished_callback=self._ended,
            )
            self._device.start()
        except (ValueError, sounddevice.PortAudioError) as error:
            reason = " ".join(str(error).split())
            raise AudioError(
                f"microphone{'' if device is None else f' {device}'}: {reason}; "
                "python -m sounddevice lists the devices"
            ) from error

    def _heard(self, frames: np.ndarray, count: int, when: Any, status: Any) -> None:
        try:
            self._waiting.put_nowait(Piece(time.monotonic(), frames.copy(), self._lost))
            self._lost = 0
        except queue.Full:
            self._lost += count

    def _ended(self) -> None:
        self.stop()

    def close(self) -> None:
        """Release the device."""
        super().close()
        self._device.close()
