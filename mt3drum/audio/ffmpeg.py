"""Read audio with ffmpeg: choose the stream, and decode it in sync with the file's clock.

Local files only, no shell, and a time limit on every call.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from mt3drum.audio.limits import BLOCK, AudioError, check

PATIENCE = 60.0
"""Seconds without output after which ffmpeg is killed."""
SILENT = 1e-4
"""A stream whose peak stays below this (-80 dB of full scale; lossy silence is not 0) is silent."""
MAX_LATE = 3_600.0
"""Maximum delay of a stream's start in seconds; beyond it, time stamps are ignored."""
MAX_HOURS = 48
"""Limit on the decoded length: broken time stamps can produce silence of any length."""
FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,iff,m4a,matroska,mov,mp3,mp4,mpc,mpc8,mpeg,"
    "mpegts,ogg,rm,tak,tta,w64,wav,webm,wv"
)
"""Demuxers that ffmpeg may use; no playlists (hls, concat, dash), because they refer to other files."""
_PROMISING = {"mov", "matroska", "asf", "avi"}  # containers that store their length instead of estimating it
_MAX_ANSWER = 1 << 20  # maximum bytes of ffprobe's output
_MAX_SAID = 4_096  # maximum bytes of ffmpeg's error output
_SHORT = 0.5  # tolerance in seconds for a stream shorter than its container states


def programs() -> tuple[str, str] | None:
    """Paths of ffmpeg and ffprobe, if both are installed."""
    found = shutil.which("ffmpeg"), shutil.which("ffprobe")
    return None if found[0] is None or found[1] is None else (found[0], found[1])


@dataclass(frozen=True)
class _Stream:
    index: int
    """Index among all streams of the file."""
    default: bool
    start: float
    """Start in seconds, by the file's time stamps."""
    codec: str
    rate: int
    """Hz, from the container; 0 if not given."""
    channels: int
    language: str


class MediaFile:
    """One audio stream of a file. Each call of `blocks()` decodes it from the start.

    If a file has several, takes the default stream, or the loudest if the default is silent or not unique.

    Raises:
        AudioError: ffmpeg cannot read the file, or it has no audio.
    """

    def __init__(self, path: Path, tools: tuple[str, str]) -> None:
        self.path, self.tools = path, tools
        self.choice = ""
        found = self._probe()
        container = found.get("format", {})
        # Start of the file's clock; only decoder pre-roll lies before 0.
        self.zero = max(0.0, _number(container.get("start_time"), 0.0))
        stated = str(container.get("format_name", "")).split(",")[0] in _PROMISING
        self.seconds = _number(container.get("duration"), 0.0) if stated else 0.0
        every = [stream for stream in found.get("streams", []) if isinstance(stream, dict)]
        streams = [
            _Stream(
                int(s["index"]),
                bool(s.get("disposition", {}).get("default")),
                _number(s.get("start_time"), self.zero),
                str(s["codec_name"]),
                int(_number(s.get("sample_rate"), 0.0)),
                int(_number(s.get("channels"), 0.0)),
                str(s.get("tags", {}).get("language", "")),
            )
            for s in every
            if s.get("codec_type") == "audio" and s.get("codec_name", "unknown") != "unknown"
        ]
        self.streams = streams
        self.kind = str(container.get("format_long_name", ""))
        if not streams:
            kinds = sorted({str(stream.get("codec_type", "data")) for stream in every})
            raise AudioError(f"{path}: no audio in it{', only ' + ' and '.join(kinds) if kinds else ''}")
        self.stream = streams[0] if len(streams) == 1 else self._choose(streams)
        first = next(self._read(self.stream, []), None)
        if first is None:
            raise AudioError(f"{path}: no audio in it")
        self.rate = first[1]

    def blocks(self, notes: list[str]) -> Iterator[np.ndarray]:
        """Yield blocks [n c] of the stream, preceded by silence if it starts late.

        Raises:
            AudioError: nothing can be decoded.
        """
        if self.choice:
            notes.append(self.choice)
        read = 0
        for block, _ in self._read(self.stream, notes):
            read += len(block)
            yield block
        seconds = read / self.rate
        if seconds < self.seconds - max(_SHORT, 0.1 * self.seconds) and not notes[1 if self.choice else 0 :]:
            # Audio may end before the video: warn only if much is missing.
            notes.append(
                f"{self.path}: its sound ends after {seconds:.1f} s of {self.seconds:.1f} s; it may be cut"
            )

    def _choose(self, streams: list[_Stream]) -> _Stream:
        defaults = [stream for stream in streams if stream.default]
        if len(defaults) == 1 and self._peak(defaults[0], enough=SILENT) > SILENT:
            chosen, why = defaults[0], "the default"
        else:
            chosen = max(streams, key=self._power)
            why = "the loudest; the default one is silent" if len(defaults) == 1 else "the loudest"
        number = streams.index(chosen) + 1
        self.choice = f"{self.path}: of {len(streams)} audio streams number {number} was used ({why})"
        return chosen

    def _peak(self, stream: _Stream, enough: float) -> float:
        """The peak of the stream, or the first sample that reaches `enough`."""
        peak = 0.0
        for block, _ in self._read(stream, []):
            peak = max(peak, float(np.abs(block).max(initial=0.0)))
            if peak > enough:
                break
        return peak

    def _power(self, stream: _Stream) -> float:
        total, count = 0.0, 0
        for block, _ in self._read(stream, []):
            total += float(np.square(block, dtype=np.float64).sum())
            count += block.size
        return total / max(1, count)

    def _input(self) -> list[str]:
        return [
            "-v",
            "error",
            "-protocol_whitelist",
            "file,pipe",
            "-format_whitelist",
            FORMATS,
            "-i",
            f"file:{self.path.absolute()}",
        ]

    def _probe(self) -> dict[str, Any]:
        wanted = (
            "stream=index,codec_type,codec_name,start_time,sample_rate,channels:stream_disposition=default"
            ":stream_tags=language:format=format_name,format_long_name,start_time,duration"
        )
        command = [self.tools[1], "-of", "json", "-show_entries", wanted, *self._input()]
        with _running(command, subprocess.DEVNULL) as process:
            assert process.stdout is not None
            answer = _within(process, _MAX_ANSWER)
        try:
            found = json.loads(answer)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or not found.get("streams"):
            raise AudioError(
                f"{self.path}: neither libsndfile nor ffmpeg reads it; convert it to WAV or FLAC"
            )
        return found

    def _read(self, stream: _Stream, notes: list[str]) -> Iterator[tuple[np.ndarray, int]]:
        """Yield blocks [n c] and their rate, by way of AU, the simplest container with rate and channels.

        `copyts` keeps the file's time stamps, shifted to start at 0, and `aresample` fills gaps with silence:
        before a late start and at missing packets.
        """
        zero = self.zero if stream.start - self.zero <= MAX_LATE else stream.start
        command = [
            self.tools[0],
            "-nostdin",
            "-copyts",
            *self._input(),
            "-map",
            f"0:{stream.index}",
            "-af",
            f"asetpts=PTS-({zero!r})/TB,aresample=async=1:first_pts=0",
            "-f",
            "au",
            "-c:a",
            "pcm_f32be",
            "pipe:1",
        ]
        read = 0
        with tempfile.TemporaryFile() as said, _running(command, said) as process:
            header = _within(process, 24)
            if header[:4] == b".snd" and len(header) == 24:
                start, (rate, channels) = _word(header, 4), (_word(header, 16), _word(header, 20))
                check(rate, channels, str(self.path))
                _within(process, start - 24)
                while data := _within(process, 4 * channels * BLOCK):
                    whole = len(data) // (4 * channels) * channels
                    read += whole // channels
                    if read > MAX_HOURS * 3600 * rate:
                        raise AudioError(f"{self.path}: longer than {MAX_HOURS} hours; cut it")
                    yield np.frombuffer(data, ">f4", whole).astype(np.float32).reshape(-1, channels), rate
            failed = process.wait() != 0
            said.seek(0)
            words = said.read(_MAX_SAID).decode("utf-8", "replace").splitlines()
        if not read:
            raise AudioError(
                f"{self.path}: neither libsndfile nor ffmpeg reads it; convert it to WAV or FLAC"
            )
        if failed or words:
            reason = re.sub(r"^\[[^]]*\] *", "", words[0]).strip() if words else "it gave up"
            notes.append(
                f"{self.path}: damaged in places; what ffmpeg could decode was used (ffmpeg: {reason:.100})"
            )


@contextmanager
def _running(command: list[str], errors: int | IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command, and always end it on exit."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _within(process: subprocess.Popen[bytes], size: int) -> bytes:
    """Read up to `size` bytes of output; kill the process after `PATIENCE` seconds."""
    assert process.stdout is not None
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        return process.stdout.read(size)
    finally:
        watchdog.cancel()


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _number(value: Any, default: float) -> float:
    """Parse a number from ffprobe, which writes text and N/A."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return default
    return number if math.isfinite(number) else default
