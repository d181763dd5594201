"""Audio input: files and arrays to normalised mono 44.1 kHz float32, as a stream of overlapping segments.

A recording longer than `BUFFER_SECONDS` is never held in memory: it is read twice in blocks, once for its
level and once for its segments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soxr

from mt3drum.audio.downmix import Downmix
from mt3drum.audio.ffmpeg import MediaFile, programs
from mt3drum.audio.headers import identify
from mt3drum.audio.limits import BLOCK, AudioError, check
from mt3drum.audio.sndfile import SoundFile, Unreadable
from mt3drum.config import HOP, SAMPLE_RATE
from tokenizer.codec import Codec

TARGET_PEAK = 0.5
"""Robust peak to which every recording is scaled: the average peak of training clips."""
FULL_RATE = 22_050
"""Hz. Below this sample rate, hits of hi-hats and cymbals are lost (docs/decoding.md)."""
CLIP = 4.0
"""Samples beyond this multiple of full scale (18 dB above the robust peak) are clipped as damage."""
SILENCE = 1e-5
"""Recordings whose robust peak is below this (-100 dB of full scale) are silent."""
BUFFER_SECONDS = 600
"""Recordings up to this length are kept in memory (4 bytes x 44,100 x 600: 106 MB) and read only once."""
PEAK_BLOCK = SAMPLE_RATE // 10  # samples: one peak for every 100 ms
PEAK_QUANTILE = 0.999
_ABSURD = 1e12  # a sample beyond this is not audio at any scale
Stream = Callable[[list[str], Downmix], Iterator[np.ndarray]]
"""Reads a recording from its start: mono float32 blocks at 44.1 kHz. Appends warnings to the list."""


@dataclass(frozen=True)
class AudioSource:
    """One recording, ready to be segmented."""

    blocks: Callable[[], Iterator[np.ndarray]]
    """A new stream of mono float32 blocks at 44.1 kHz, before the gain."""
    samples: int
    """Length in samples at 44.1 kHz."""
    gain: float
    """Factor to `TARGET_PEAK`; 0 if the recording is silent."""
    warnings: tuple[str, ...]
    """Problems that were worked around, one line each."""

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE


@dataclass(frozen=True)
class Segment:
    """One excerpt of a recording as the model receives it."""

    start: int
    """Step (10 ms) of the recording at which it starts; negative for the first."""
    audio: np.ndarray
    """float32, zero outside the recording."""
    first: int
    """First of its steps whose hits are its own; earlier ones belong to the segment before."""


def open_file(path: Path) -> AudioSource:
    """Read a file's level, and its samples if it is short enough.

    Raises:
        AudioError: the file is missing, contains no audio, or has an unsupported format.
    """
    return listen(open_raw(path), path)


def listen(source: SoundFile | MediaFile, path: Path) -> AudioSource:
    """Measure level and length of an open file.

    Raises:
        AudioError: nothing can be decoded.
    """
    return _measure(
        lambda notes, downmix: mono(source.blocks(notes), source.rate, str(path), notes, downmix), str(path)
    )


def open_array(audio: np.ndarray, sample_rate: int = SAMPLE_RATE) -> AudioSource:
    """Measure a floating-point array [samples] or [samples channels] in the same way.

    Raises:
        AudioError: the array is empty, has another shape or an integer type, or the rate is out of range.
    """
    if audio.ndim not in (1, 2) or not np.issubdtype(audio.dtype, np.floating):
        raise AudioError(
            f"audio array of shape {audio.shape} and {audio.dtype}: expected floats [samples] or "
            "[samples channels]"
        )
    frames = audio if audio.ndim == 2 else audio[:, None]
    check(sample_rate, frames.shape[1], "audio array")

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(frames), BLOCK):
            yield frames[start : start + BLOCK]

    return _measure(
        lambda notes, downmix: mono(blocks(), sample_rate, "audio array", notes, downmix), "audio array"
    )


class SegmentCutter:
    """Cuts a stream into overlapping segments whose own steps cover it without gaps.

    Args:
        length: of a segment, in steps.
        after: steps at its end that belong to the next one.
    """

    def __init__(self, length: int, after: int) -> None:
        self.length, self.after = length, after
        self.next = 0
        """First step that no segment has covered."""
        self.received = 0
        """Samples."""
        self._kept = [np.zeros(length * HOP, dtype=np.float32)]
        self._start = -length * HOP  # of what is kept, in samples of the stream

    def push(self, block: np.ndarray) -> None:
        """Take mono float32 samples."""
        self._kept.append(block)
        self.received += len(block)

    def lacking(self, own: int) -> int:
        """Samples still missing for a segment with this many steps of its own."""
        return max(0, (self.next + own + self.after) * HOP - self.received)

    def cut(self, own: int, gain: float) -> Segment:
        """The next segment, filled up with silence where samples are missing."""
        start = self.next + own + self.after - self.length
        have = np.concatenate(self._kept)
        audio = np.zeros(self.length * HOP, dtype=np.float32)
        heard = have[start * HOP - self._start :][: len(audio)]
        np.multiply(heard, np.float32(gain), out=audio[: len(heard)])
        np.clip(audio, -CLIP, CLIP, out=audio)
        first = self.next - start
        self.next += own
        self._kept = [have[max(0, (self.next - self.length) * HOP - self._start) :]]
        self._start = max(self._start, (self.next - self.length) * HOP)
        return Segment(start, audio, first)


def segments(
    recording: AudioSource, codec: Codec, margin: int, before: int | None = None
) -> Iterator[Segment]:
    """Overlapping segments whose middles cover the recording without gaps. Silent recordings have none.

    Args:
        margin: steps at the end of a segment that are not its own.
        before: steps at its start that are not its own (default: `margin`). The first segment starts as many
            steps before the recording.
    """
    if recording.gain == 0.0:
        return
    own = codec.segment_steps - margin - (margin if before is None else before)
    cutter = SegmentCutter(codec.segment_steps, margin)
    for block in recording.blocks():
        cutter.push(block)
        while not cutter.lacking(own):
            yield cutter.cut(own, recording.gain)
    while cutter.next * HOP < recording.samples:
        yield cutter.cut(own, recording.gain)


def _measure(stream: Stream, name: str) -> AudioSource:
    """Measure length and level in one pass; if the channels cancel, in a second pass over one channel."""
    downmix = Downmix()
    recording = _listen(stream, downmix, name)
    channel = downmix.cancelled()
    if channel is None:
        return recording
    count = downmix.channels
    recording = _listen(stream, Downmix(channel), name)
    note = (
        f"{name}: its channels cancel one another (opposite phase); channel {channel + 1} of {count} was "
        "used alone"
    )
    return replace(recording, warnings=(*recording.warnings, note))


def _listen(stream: Stream, downmix: Downmix, name: str) -> AudioSource:
    """One pass: length, robust peak, and the samples if the recording is short enough."""
    notes: list[str] = []
    kept: list[np.ndarray] | None = []
    peaks: list[np.ndarray] = []
    rest = np.zeros(0, dtype=np.float32)
    samples = 0
    for block in stream(notes, downmix):
        samples += len(block)
        if kept is not None:
            kept.append(block)
            if samples > BUFFER_SECONDS * SAMPLE_RATE:
                kept = None
        rest = np.concatenate((rest, block))
        whole = len(rest) // PEAK_BLOCK * PEAK_BLOCK
        tenths = rest[:whole].reshape(-1, PEAK_BLOCK)
        peaks.append(np.maximum(tenths.max(axis=1), -tenths.min(axis=1)))
        rest = rest[whole:]
    if not samples:
        raise AudioError(f"{name}: no audio in it")
    peaks.append(np.abs(rest).max(keepdims=True, initial=0.0))
    heights = np.concatenate(peaks).astype(np.float64)
    sounding = heights[heights > SILENCE]  # ignore silence: short drumming in a long silence is no outlier
    gain = TARGET_PEAK / float(np.quantile(sounding, PEAK_QUANTILE)) if len(sounding) else 0.0
    if kept is None:
        return AudioSource(lambda: stream([], Downmix(downmix.channel)), samples, gain, tuple(notes))
    blocks = kept
    return AudioSource(lambda: iter(blocks), samples, gain, tuple(notes))


def mono(
    blocks: Iterable[np.ndarray], rate: int, name: str, notes: list[str], downmix: Downmix
) -> Iterator[np.ndarray]:
    """Blocks [n c] at any rate -> mono float32 blocks at 44.1 kHz; non-finite samples become 0.

    Args:
        notes: at the end, what was wrong is added to it.
    """
    resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32") if rate != SAMPLE_RATE else None
    not_finite = absurd = frames = samples = 0
    for block in blocks:
        frames += len(block)
        # also False for NaN
        if not -_ABSURD < block.min(initial=0.0) <= block.max(initial=0.0) < _ABSURD:
            good = np.abs(block) < _ABSURD
            finite = np.isfinite(block)
            not_finite += int((~finite).sum())
            absurd += int((finite & ~good).sum())
            block = np.where(good, block, 0.0)
        mono = downmix.mix(block)
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
    if not_finite:
        notes.append(f"{name}: {not_finite} samples were not finite numbers and were taken as silence")
    if absurd:
        notes.append(
            f"{name}: {absurd} samples were over {_ABSURD:g} (full scale is 1) and were taken as silence"
        )
    if rate < FULL_RATE:
        notes.append(
            f"{name}: sampled at {rate} Hz: nothing above {rate / 2000:.3g} kHz can be heard, so hi-hats and "
            "cymbals may be missed"
        )


def open_raw(path: Path) -> SoundFile | MediaFile:
    """Open a file with libsndfile or, failing that, with ffmpeg.

    Raises:
        AudioError: the file is missing or empty, or neither can read it.
    """
    if not path.is_file():
        raise AudioError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: the file is empty")
    try:
        path.open("rb").close()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        return SoundFile(path)
    except Unreadable as error:
        if known := identify(path):
            raise AudioError(f"{path}: {known}") from error
        tools = programs()
        if tools is None:
            raise AudioError(
                f"{path}: not audio that libsndfile reads ({error}); convert it to WAV or FLAC, "
                "or install ffmpeg"
            ) from error
    return MediaFile(path, tools)
