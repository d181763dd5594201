"""Stems of a recording: each drum family separated by soft masks around its hits, and the rest.

The stems and the rest add up to the recording, sample by sample, at its own rate and with all its channels.
A recording is read twice, block by block: once to learn the drums' templates
(`mt3drum.audio.drum_model`), once to write the stems.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from mt3drum.audio.drum_model import KitTemplates, Onset, learn, masks, onsets_of
from mt3drum.audio.recording import open_raw
from tokenizer.drums import DRUMS, FAMILIES
from tokenizer.hits import Hit, within
from tokenizer.whole_file import whole_file

WINDOW_SECONDS = 0.0464
"""Window length, rounded to a power of two in samples: 2,048 at 44.1 kHz; the hop is a quarter of it."""
LEARN_SECONDS, STRETCH_SECONDS = 120, 10
"""Duration of audio from which templates are learned, and of each excerpt."""
BLOCK_SECONDS, CONTEXT_SECONDS = 15, 3
"""Duration of audio written at once, and of the context on both sides."""
REST = "rest"
"""Everything that belongs to no drum; with the stems it adds up to the recording."""
FADE_SECONDS = 0.05
"""Crossfade between the masks of adjacent blocks."""
_FULL = 2**23  # 24-bit steps on one side of zero


@dataclass(frozen=True)
class _Frames:
    """Short-time Fourier transform at one sample rate: square-root Hann windows, 75 % overlap."""

    rate: int

    @property
    def size(self) -> int:
        return int(2 ** round(np.log2(WINDOW_SECONDS * self.rate)))

    @property
    def hop(self) -> int:
        return self.size // 4

    @property
    def per_second(self) -> float:
        return self.rate / self.hop

    @property
    def window(self) -> np.ndarray:
        return np.sqrt(np.hanning(self.size + 1)[:-1]).astype(np.float32)

    def forward(self, audio: np.ndarray) -> np.ndarray:
        """[samples] -> [frames, bins]; frame k is centred on sample k hop, with silence outside."""
        half = self.size // 2
        padded = np.pad(audio.astype(np.float32), (half, half + (-len(audio)) % self.hop))
        framed = np.lib.stride_tricks.sliding_window_view(padded, self.size)[:: self.hop]
        return np.fft.rfft(framed * self.window, axis=1).astype(np.complex64)

    def backward(self, spectrum: np.ndarray, samples: int) -> np.ndarray:
        """The inverse of `forward`."""
        half = self.size // 2
        framed = np.fft.irfft(spectrum, self.size, axis=1) * (self.window / 2)
        audio = np.zeros(len(framed) * self.hop + self.size)
        for number, frame in enumerate(framed):
            audio[number * self.hop : number * self.hop + self.size] += frame
        return audio[half : half + samples]


def write_stems(
    path: Path,
    hits: Sequence[Hit],
    folder: Path,
    families: Collection[str] = FAMILIES,
    kind: str = "wav",
    progress: Callable[[float], None] = lambda share: None,
) -> list[Path]:
    """Write 24-bit `folder/kick.wav`, ... for the families with hits, and `rest.wav`: all files or none.

    Args:
        hits: of all drums in the recording, so that none is attributed to another.
        families: families to write; the others remain in the rest.
        kind: wav or flac.
        progress: called with the finished share 0..1.

    Raises:
        AudioError: the recording cannot be read.
        OSError: a file cannot be written.
    """
    rate = open_raw(path).rate
    frames = _Frames(rate)
    model = _learn(path, hits, frames)
    struck = {DRUMS[hit.drum].family for hit in hits}
    names = [name for name in FAMILIES if name in struck and name in families]
    places = [folder / f"{name}.{kind}" for name in (*names, REST)]
    last = max((hit.time for hit in hits), default=0.0) + 1
    with ExitStack() as files, ExitStack() as opened:
        temporary = [files.enter_context(whole_file(place)) for place in places]
        outs: list[soundfile.SoundFile] = []
        for start, parts in _separated(path, hits, frames, model, names):
            for file in temporary[len(outs) :]:
                channels = parts.shape[-1]
                out = soundfile.SoundFile(file, "w", rate, channels, "PCM_24", format=kind.upper())
                outs.append(opened.enter_context(out))
            for out, part in zip(outs, parts, strict=True):
                out.write(part << 8)  # libsndfile takes the upper 24 bits
            progress(min(1.0, start / rate / last))
        opened.close()  # complete before the files are renamed
    return places


def _separated(
    path: Path, hits: Sequence[Hit], frames: _Frames, model: KitTemplates, names: Sequence[str]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first sample, 24-bit integers [stems and rest, samples, channels]) block by block."""
    rate = frames.rate
    fade = round(FADE_SECONDS * rate)
    tail: np.ndarray | None = None
    for start, stop, first, audio in _blocks(path, rate, frames.hop, fade):
        inside = slice(start - first, stop - first + fade)
        stems = _stems(audio, first, hits, frames, model, names)[:, inside]
        if tail is not None and tail.shape[1]:
            rise = np.linspace(0, 1, tail.shape[1])[None, :, None]
            head = stems[:, : tail.shape[1]]
            stems[:, : tail.shape[1]] = tail * (1 - rise) + head * rise
        tail = stems[:, stop - start :].copy()
        yield start, _whole(audio[start - first : stop - first], stems[:, : stop - start])


def _whole(recording: np.ndarray, stems: np.ndarray) -> np.ndarray:
    """Round the stems [stems, samples, channels] and the rest to integers that add up to the recording."""
    whole = np.clip(np.rint(recording * _FULL), -_FULL, _FULL - 1).astype(np.int64)
    parts = np.clip(np.rint(stems * _FULL), -_FULL, _FULL - 1).astype(np.int64)
    rest = whole - parts.sum(axis=0)
    over = rest - np.clip(rest, -_FULL, _FULL - 1)
    if over.any():  # stem and rest at full scale with opposite signs: reduce the first stem
        parts[0] += over
        rest -= over
    return np.concatenate((parts, rest[None])).astype(np.int32)


def _stems(
    audio: np.ndarray,
    first: int,
    hits: Sequence[Hit],
    frames: _Frames,
    model: KitTemplates,
    names: Sequence[str],
) -> np.ndarray:
    """[stems, samples, channels] of an excerpt [samples, channels] that begins at sample `first`."""
    stems = np.zeros((len(names), *audio.shape))
    start = first / frames.rate
    near = within(hits, start - CONTEXT_SECONDS, start + len(audio) / frames.rate)
    spectra = [frames.forward(channel) for channel in audio.T]
    onsets = onsets_of(near, frames.per_second, first // frames.hop)
    shares = masks(model, _loudness(spectra), onsets, frames.per_second)
    for number, name in enumerate(names):
        for channel, spectrum in enumerate(spectra):
            if name in shares:
                stems[number, :, channel] = frames.backward(spectrum * shares[name], len(audio))
    return stems


def _loudness(spectra: Sequence[np.ndarray]) -> np.ndarray:
    """Magnitude over all channels; opposite phases do not cancel."""
    return np.sqrt(np.mean([np.abs(spectrum) ** 2 for spectrum in spectra], axis=0)).astype(np.float32)


def _learn(path: Path, hits: Sequence[Hit], frames: _Frames) -> KitTemplates:
    """Learn from the excerpts with most strokes, giving priority to rare drums."""
    chosen = _stretches(hits)
    spectrograms: list[np.ndarray] = []
    onsets: list[Onset] = []
    at = 0
    for number, audio in _cut(path, frames.rate, chosen):
        spectrogram = _loudness([frames.forward(channel) for channel in audio.T])
        start = number * STRETCH_SECONDS
        inside = within(hits, start, start + STRETCH_SECONDS)
        for onset in onsets_of(inside, frames.per_second, round(start * frames.per_second)):
            begin = max(0, onset.start)
            length = min(onset.length, len(spectrogram) - begin)  # no stroke continues into the next excerpt
            if length > 0:
                onsets.append(replace(onset, start=at + begin, length=length))
        spectrograms.append(spectrogram)
        at += len(spectrogram)
    if not onsets:
        return KitTemplates({})
    return learn(np.concatenate(spectrograms), onsets, frames.rate, frames.hop)


def _stretches(hits: Sequence[Hit]) -> frozenset[int]:
    """Indices of the excerpts to learn from."""
    by_stretch: dict[int, Counter[int]] = {}
    for hit in hits:
        by_stretch.setdefault(int(hit.time // STRETCH_SECONDS), Counter())[hit.drum] += 1
    seen: Counter[int] = Counter()
    chosen: list[int] = []
    while by_stretch and len(chosen) < LEARN_SECONDS // STRETCH_SECONDS:
        best = max(by_stretch, key=lambda n: sum(c / (1 + seen[drum]) for drum, c in by_stretch[n].items()))
        seen += by_stretch.pop(best)
        chosen.append(best)
    return frozenset(chosen)


def _cut(path: Path, rate: int, chosen: Collection[int]) -> Iterator[tuple[int, np.ndarray]]:
    """(index, audio [samples, channels]) of the excerpts, in order."""
    length = STRETCH_SECONDS * rate
    number, parts, have = 0, [], 0
    last = max(chosen, default=-1)
    for block in _read(path):
        while len(block) and number <= last:
            part = block[: length - have]
            block = block[len(part) :]
            if number in chosen:
                parts.append(part)
            have += len(part)
            if have == length:
                if parts:
                    yield number, np.concatenate(parts)
                number, parts, have = number + 1, [], 0
        if number > last:
            return
    if parts:
        yield number, np.concatenate(parts)


def _blocks(path: Path, rate: int, hop: int, fade: int) -> Iterator[tuple[int, int, int, np.ndarray]]:
    """(first sample, sample after the last, first sample of the audio, audio): contiguous blocks, each with
    context."""
    size, context = BLOCK_SECONDS * rate, CONTEXT_SECONDS * rate
    start, first = 0, 0
    held: list[np.ndarray] = []
    have = 0
    ended = False
    blocks = _read(path)
    while True:
        while not ended and first + have < start + size + context + fade:
            block = next(blocks, None)
            ended = block is None
            if block is not None:
                held.append(block)
                have += len(block)
        if first + have <= start:
            return
        audio = np.concatenate(held)
        stop = min(start + size, first + have)
        yield start, stop, first, audio
        start = stop
        drop = max(0, start - context - first) // hop * hop  # keeps the frame positions
        held, have, first = [audio[drop:]], have - drop, first + drop


def _read(path: Path) -> Iterator[np.ndarray]:
    """Blocks [samples, channels]; non-finite samples become silence."""
    notes: list[str] = []  # already reported when the recording was transcribed
    for block in open_raw(path).blocks(notes):
        yield np.clip(np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0), -1.0, 1.0)
