"""Render the score as audio, with a quiet click on the beats, to check a transcription by ear."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import soundfile

from mt3drum.config import SAMPLE_RATE
from mt3drum.formats.kit_sounds import click, kit
from mt3drum.rhythm.grid import Grid
from tokenizer.drums import DRUMS
from tokenizer.hits import Hit

CLICK = 0.15
"""Amplitude of the click relative to a drum at velocity 127."""
PRACTICE_CLICK = 0.4
"""The same for practice tracks, where the click is played along to."""
_HEADROOM = 0.5
_FAMILY_GAIN = {"kick": 1.0, "hihat": 0.4, "ride": 0.45, "crash": 0.5, "aux": 0.5}
_BLOCK = 60 * SAMPLE_RATE


def to_wav(hits: Sequence[Hit], seconds: float, grid: Grid | None, loudness: float = CLICK) -> bytes:
    """Render a 16-bit WAV file, mono, 44.1 kHz, at least as long as the recording; no click without a grid.

    An open hi-hat is choked by the next hi-hat stroke. Rendering works in blocks of one minute, so memory is
    bounded.

    Args:
        seconds: length of the recording.
        loudness: amplitude of the click.
    """
    events = [(hit.time, kit()[hit.drum], _gain(hit), _choked(hits, i)) for i, hit in enumerate(hits)]
    if grid is not None:
        downbeats = set(grid.downbeats)
        events += [(beat, click(beat in downbeats), loudness, np.inf) for beat in grid.beats]
    events.sort(key=lambda event: event[0])
    length = max([seconds, *(time + 2.2 for time, *_ in events)])
    total = int(length * SAMPLE_RATE)
    file = io.BytesIO()
    tail = np.zeros(0, np.float32)
    at = 0
    with soundfile.SoundFile(file, "w", SAMPLE_RATE, 1, "PCM_16", format="WAV") as out:
        for start in range(0, total, _BLOCK):
            block = np.zeros(min(_BLOCK, total - start) + 3 * SAMPLE_RATE, np.float32)
            block[: tail.size] += tail
            while at < len(events) and events[at][0] * SAMPLE_RATE < start + _BLOCK:
                time, sound, gain, until = events[at]
                offset = round(time * SAMPLE_RATE) - start
                sound = sound if time + sound.size / SAMPLE_RATE <= until else _cut(sound, until - time)
                room = max(0, block.size - offset)
                block[offset : offset + sound.size] += gain * sound[:room]
                at += 1
            kept = min(_BLOCK, total - start)
            out.write(np.clip(_HEADROOM * block[:kept], -1, 1))
            tail = block[kept:]
    return file.getvalue()


def _gain(hit: Hit) -> float:
    # 40 dB from the softest to the loudest stroke, as usual for drum machines
    return float(_FAMILY_GAIN.get(DRUMS[hit.drum].family, 0.8) * (hit.velocity / 127) ** 2)


def _choked(hits: Sequence[Hit], index: int) -> float:
    """Time in seconds at which an open hi-hat is choked: the next stroke of the hi-hat."""
    if "hihat_open" not in DRUMS[hits[index].drum].name:
        return np.inf
    later = (
        h.time for h in hits[index + 1 :] if DRUMS[h.drum].family == "hihat" and h.time > hits[index].time
    )
    return next(later, np.inf)


def _cut(sound: np.ndarray, seconds: float) -> np.ndarray:
    kept = sound[: max(1, round(seconds * SAMPLE_RATE))].copy()
    fade = min(200, kept.size)
    kept[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return kept
