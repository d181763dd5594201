"""Clips cut from recordings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import soundfile
import soxr

from data.clips.clip import Clip
from data.corpora.readers import Recording
from mt3drum.config import SAMPLE_RATE
from tokenizer.hits import within

SHORTEST_REST = 1.0
"""The rest of a recording shorter than this many seconds does not become a clip."""


def cut_recording(recording: Recording, start: float, seconds: float) -> Clip:
    """`seconds` of a recording from `start`, or the rest of it if shorter; mono at 44.1 kHz.

    Raises:
        ValueError: the recording has no audio, or the audio cannot be read.
    """
    if recording.audio is None:
        raise ValueError(f"{recording.corpus} {recording.name}: no audio")
    try:
        with soundfile.SoundFile(str(recording.audio)) as file:
            rate = file.samplerate
            file.seek(min(round(start * rate), file.frames))
            audio = file.read(round(seconds * rate), dtype="float32", always_2d=True).mean(axis=1)
    except (OSError, soundfile.SoundFileError) as error:
        raise ValueError(f"{recording.audio}: cannot read the audio ({error})") from None
    if not np.isfinite(audio).all():
        raise ValueError(f"{recording.audio}: samples that are not finite numbers")
    lasting = len(audio) / rate
    if rate != SAMPLE_RATE:
        audio = soxr.resample(audio, rate, SAMPLE_RATE)
    # The last clip keeps a hit annotated a moment after the end of the audio; loaders pad with silence.
    hits = within(recording.hits, start, start + seconds)
    return Clip(
        np.asarray(audio, np.float32),
        None,
        hits=tuple(replace(hit, time=hit.time - start) for hit in hits),
        corpus=recording.corpus,
        performance=recording.performance,
        kits={recording.kit: recording.licence} if recording.kit else {},
        licence=recording.licence,
        split=recording.split,
        seconds=round(lasting, 6),
        bpm=recording.bpm,
        unmapped=recording.unmapped,
        style=recording.style,
        labelled=recording.labelled,
    )


def audio_seconds(recording: Recording) -> float:
    """Length of a recording in seconds.

    Raises:
        ValueError: the recording has no audio, or the audio cannot be read.
    """
    if recording.audio is None:
        raise ValueError(f"{recording.corpus} {recording.name}: no audio")
    try:
        return float(soundfile.info(str(recording.audio)).duration)
    except (OSError, soundfile.SoundFileError) as error:
        raise ValueError(f"{recording.audio}: cannot read the audio ({error})") from None


def clip_starts(recording: Recording, seconds: float) -> list[float]:
    """Start times of consecutive clips that cover a recording; a short rest is omitted."""
    lasting = audio_seconds(recording)
    return [start for start in np.arange(0.0, lasting, seconds).tolist() if lasting - start >= SHORTEST_REST]
