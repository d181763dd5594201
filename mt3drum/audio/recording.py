"""Audio in: any file or array to mono 44.1 kHz float32 at one loudness, as a stream of overlapping segments.

Nothing here holds a whole recording longer than `BUFFER_SECONDS`: longer files are read twice, once for their
level and once for their segments, in blocks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from mt3drum.config import HOP, SAMPLE_RATE
from tokenizer.codec import Codec

MIN_RATE, MAX_RATE = 4_000, 384_000  # Hz
MAX_CHANNELS = 32
TARGET_PEAK = 0.5
"""Robust peak every recording is brought to: what training renders peak at, on average."""
CLIP = 4.0
"""Samples this far over full scale (18 dB over the robust peak) are damage, and are clipped."""
SILENCE = 1e-5
"""Recordings whose robust peak is below this (-100 dB of full scale) are silent."""
BUFFER_SECONDS = 600
"""A recording up to this long is kept in memory (4 bytes x 44,100 x 600: 106 MB) and so decoded only once."""
_BLOCK = 65_536  # frames worked on at once
_READ = 4_096  # frames asked of libsndfile at once: what it had of a damaged block is lost
_PEAK_BLOCK = SAMPLE_RATE // 10  # samples: one peak for every 100 ms
_PEAK_QUANTILE = 0.999
_ABSURD = 1e12  # a sample beyond this is not audio of any scale
_FFMPEG_PATIENCE = 60.0  # seconds without output until ffmpeg is killed
_FFMPEG_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,eac3,flac,flv,m4a,matroska,mov,mp3,mp4,mpc,mpc8,mpeg,mpegts,ogg,"
    "rm,tak,tta,w64,wav,webm,wv"
)
"""What ffmpeg may take a file for; not playlists (hls, concat, dash), which name other files."""


class AudioError(ValueError):
    """Audio that cannot be read; the message names the file, the reason and the remedy."""


@dataclass(frozen=True)
class AudioSource:
    """One recording, ready to be cut."""

    blocks: Callable[[], Iterator[np.ndarray]]
    """A fresh stream of mono float32 blocks at 44.1 kHz, before the gain."""
    samples: int
    """Length at 44.1 kHz."""
    gain: float
    """Factor to `TARGET_PEAK`; 0 where the recording is silent."""
    warnings: tuple[str, ...]
    """What was wrong and mended, one line each."""

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE


@dataclass(frozen=True)
class Segment:
    """One stretch of a recording as the model hears it."""

    start: int
    """Step (10 ms) of the recording at which it starts; negative for the first."""
    audio: np.ndarray
    """float32, zeros where the recording has nothing."""


def open_file(path: Path) -> AudioSource:
    """Read a file's level, and its samples if it is not long.

    Raises:
        AudioError: the file is missing, holds no audio, or is of a kind nobody here reads.
    """
    return _measure(lambda notes: _mono(*_open_raw(path, notes), str(path), notes), str(path))


def open_array(audio: np.ndarray, sample_rate: int = SAMPLE_RATE) -> AudioSource:
    """The same of an array [samples] or [samples channels] of floats.

    Raises:
        AudioError: the array is empty, of another shape or of integers, or the rate is out of range.
    """
    if audio.ndim not in (1, 2) or not np.issubdtype(audio.dtype, np.floating):
        raise AudioError(
            f"audio array of shape {audio.shape} and {audio.dtype}: floats [samples] or "
            "[samples channels] are wanted"
        )
    frames = audio if audio.ndim == 2 else audio[:, None]
    _check(sample_rate, frames.shape[1], "audio array")

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(frames), _BLOCK):
            yield frames[start : start + _BLOCK]

    return _measure(lambda notes: _mono(blocks(), sample_rate, "audio array", notes), "audio array")


def segments(recording: AudioSource, codec: Codec, margin: int) -> Iterator[Segment]:
    """Overlapping segments whose middles, `margin` steps from both ends, lie end to end over the recording.

    The first starts `margin` steps before it. Silent recordings have none.
    """
    if recording.gain == 0.0:
        return
    length, stride = codec.segment_steps * HOP, (codec.segment_steps - 2 * margin) * HOP
    waiting = np.zeros(margin * HOP, dtype=np.float32)
    start, ended, blocks = 0, False, recording.blocks()
    while start < recording.samples:
        parts = [waiting]
        have = len(waiting)
        while have < length and not ended:
            block = next(blocks, None)
            ended = block is None
            if block is not None:
                parts.append(np.clip(block * np.float32(recording.gain), -CLIP, CLIP))
                have += len(block)
        waiting = np.concatenate(parts)
        audio = np.zeros(length, dtype=np.float32)
        audio[: min(length, have)] = waiting[:length]
        yield Segment(start // HOP - margin, audio)
        waiting = waiting[stride:]
        start += stride


def _measure(stream: Callable[[list[str]], Iterator[np.ndarray]], name: str) -> AudioSource:
    """One pass: length, robust peak, and the samples themselves while they are few."""
    notes: list[str] = []
    kept: list[np.ndarray] | None = []
    peaks: list[np.ndarray] = []
    rest = np.zeros(0, dtype=np.float32)
    samples = 0
    for block in stream(notes):
        samples += len(block)
        if kept is not None:
            kept.append(block)
            if samples > BUFFER_SECONDS * SAMPLE_RATE:
                kept = None
        rest = np.concatenate((rest, np.abs(block)))
        whole = len(rest) // _PEAK_BLOCK * _PEAK_BLOCK
        peaks.append(rest[:whole].reshape(-1, _PEAK_BLOCK).max(axis=1, initial=0.0))
        rest = rest[whole:]
    if not samples:
        raise AudioError(f"{name}: no audio in it")
    peaks.append(rest.max(keepdims=True, initial=0.0))
    heights = np.concatenate(peaks).astype(np.float64)
    sounding = heights[heights > SILENCE]  # ten seconds of drums in an hour of silence are no outlier
    gain = TARGET_PEAK / float(np.quantile(sounding, _PEAK_QUANTILE)) if len(sounding) else 0.0
    if kept is None:
        return AudioSource(lambda: stream([]), samples, gain, tuple(notes))
    blocks = kept
    return AudioSource(lambda: iter(blocks), samples, gain, tuple(notes))


def _check(rate: float, channels: int, name: str) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(
            f"{name}: sample rate {rate:g} Hz is outside {MIN_RATE}..{MAX_RATE}; resample it first"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"{name}: {channels} channels, at most {MAX_CHANNELS} are read; mix it down first")


def _mono(blocks: Iterable[np.ndarray], rate: int, name: str, notes: list[str]) -> Iterator[np.ndarray]:
    """Blocks [n c] at any rate -> mono float32 blocks at 44.1 kHz; samples that are not numbers become 0."""
    resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32") if rate != SAMPLE_RATE else None
    damaged = frames = samples = 0
    for block in blocks:
        frames += len(block)
        good = np.abs(block) < _ABSURD  # False for NaN too
        if not good.all():
            damaged += int((~good).sum())
            block = np.where(good, block, 0.0)
        mono = np.asarray(block.mean(axis=1), dtype=np.float32)
        if resampler is not None:
            mono = resampler.resample_chunk(mono)
        samples += len(mono)
        if len(mono):
            yield mono
    if resampler is not None:
        tail = resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
        if frames and not samples + len(tail):
            tail = np.zeros(1, dtype=np.float32)  # a few samples at a high rate are still a recording
        if len(tail):
            yield tail
    if damaged:
        notes.append(f"{name}: {damaged} samples were not finite numbers and were taken as silence")


def _open_raw(path: Path, notes: list[str]) -> tuple[Iterator[np.ndarray], int]:
    """Blocks [n c] and sample rate of a file, by libsndfile, else by ffmpeg."""
    if not path.is_file():
        raise AudioError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: the file is empty")
    try:
        # As bytes: soundfile cannot encode a name that is not UTF-8.
        file = _Forward(os.fsencode(path) if os.name == "posix" else path)
    except (RuntimeError, TypeError, OSError) as error:  # TypeError: headerless .raw
        program = shutil.which("ffmpeg")
        if program is None:
            reason = str(error).rsplit(": ", 1)[-1].rstrip(".")
            raise AudioError(
                f"{path}: not audio that libsndfile reads ({reason}); convert it to WAV or FLAC, "
                "or install ffmpeg"
            ) from error
        return _ffmpeg_blocks(program, path), SAMPLE_RATE
    try:
        _check(file.samplerate, file.channels, str(path))
    except AudioError:
        file.close()
        raise
    return _file_blocks(file, path, notes), file.samplerate


class _Forward(soundfile.SoundFile):
    """Read from start to end only: soundfile seeks to where it stands after every block, which shifts and
    damages MP3 (by 4 ms at 128 kbit/s in the test)."""

    def seekable(self) -> bool:
        return False


def _file_blocks(file: soundfile.SoundFile, path: Path, notes: list[str]) -> Iterator[np.ndarray]:
    """Until the end, or the first damage after some audio."""
    read, parts = 0, []
    with file:
        while True:
            try:
                part = file.read(_READ, dtype="float32", always_2d=True)
            except RuntimeError as error:
                if not read:
                    raise AudioError(f"{path}: damaged from the start ({error}); get another copy") from error
                notes.append(
                    f"{path}: damaged after {read / file.samplerate:.1f} s; what came before was used"
                )
                break
            if not len(part):
                break
            read += len(part)
            parts.append(part)
            if len(parts) * _READ >= _BLOCK:
                yield np.concatenate(parts)
                parts = []
    if parts:
        yield np.concatenate(parts)


def _ffmpeg_blocks(program: str, path: Path) -> Iterator[np.ndarray]:
    """Mono 44.1 kHz blocks [n 1] from ffmpeg: only local files, killed when it hangs, never a shell."""
    command = [
        program,
        "-nostdin",
        "-v",
        "error",
        "-protocol_whitelist",
        "file,pipe",
        "-format_whitelist",
        _FFMPEG_FORMATS,
        "-i",
        f"file:{path.absolute()}",
        "-map",
        "0:a:0",
        "-f",
        "f32le",
        "-ac",
        "1",
        "-ar",
        str(SAMPLE_RATE),
        "pipe:1",
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    assert process.stdout is not None
    read = 0
    try:
        while True:
            watchdog = threading.Timer(_FFMPEG_PATIENCE, process.kill)
            watchdog.start()
            try:
                data = process.stdout.read(4 * _BLOCK)
            finally:
                watchdog.cancel()
            whole = len(data) // 4
            if not whole:
                break
            read += whole
            yield np.frombuffer(data, dtype="<f4", count=whole)[:, None]
        if process.wait() != 0 or not read:
            raise AudioError(f"{path}: neither libsndfile nor ffmpeg reads it; convert it to WAV or FLAC")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
