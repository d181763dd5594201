"""A recording and a transcriber that always hears the same, for the tests of the review page."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from mt3drum.audio.recording import AudioError, open_file
from mt3drum.decode.part import Part
from mt3drum.transcriber import Failure, OnHits, Transcriber, Transcription
from tests.grooves import ROCK, played, steady
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit, within

SECONDS = 3.0
HITS = tuple(
    Hit(0.25 + 0.25 * i, CLASS_INDEX[name], 40 + 8 * i, round(1 - 0.09 * i, 2))
    for i, name in enumerate(
        (
            "kick",
            "hihat_closed",
            "snare_head",
            "hihat_closed_edge",
            "kick",
            "hihat_open",
            "ride_bell",
            "tom3_rim",
        )
    )
)
GROOVE_SECONDS = 10.0
GROOVE = tuple(
    Hit(round(hit.time, 6), hit.drum, hit.velocity, round(1 - 0.005 * i, 4))
    for i, hit in enumerate(played(ROCK, 4, steady(120.0, 1.2), 4)[0])
)
"""Four bars of rock at 120 beats a minute: what needs beats can be written of it."""
CANDIDATES = (Hit(2.03, CLASS_INDEX["crash1"], 50, 0.15), Hit(4.1, CLASS_INDEX["tom1_head"], 60, 0.25))
"""Heard in the groove, and not trusted."""
HOSTILE = (
    "</script><script>document.title='owned'</script>.wav",
    '"><img src=x onerror="document.title=1">.wav',
    "<!--<script>{{data}}{{script}}.wav",
    "a'b&amp;c\u2028\u202e\x00\x1b[31m.wav",
    "../../etc/passwd",
    "太鼓 🥁.flac",
)


def write_recording(path: Path, seconds: float = SECONDS) -> Path:
    """Clicks at the hits."""
    audio = np.zeros(int(seconds * 44_100), dtype=np.float32)
    for hit in HITS:
        start = int(hit.time * 44_100)
        audio[start : start + 400] = 0.5 * np.hanning(400)[: max(0, len(audio) - start)]
    soundfile.write(path, audio, 44_100)
    return path


class Stub(Transcriber):
    """Reads a file as the real one does, and hears `hits` in it."""

    def __init__(self, hits: tuple[Hit, ...] = HITS) -> None:
        self.hits = hits
        self.asked: list[tuple[Part | None, dict[str, Any]]] = []
        self.options: dict[str, Any] = {}
        self.kit = None
        self.on_file: Callable[[], object] = lambda: None

    def with_options(self, **options: Any) -> Stub:
        """Shares what it hears, and what it notes down."""
        other = copy.copy(self)
        other.options = options
        return other

    def transcribe_files(
        self,
        paths: Iterable[str | Path],
        on_progress: Callable[[Path, float], None] | None = None,
        on_hits: OnHits | None = None,
        part: Part | None = None,
    ) -> Iterator[Transcription | Failure]:
        for path in map(Path, paths):
            try:
                seconds = open_file(path).seconds
            except AudioError as error:
                yield Failure(path, str(error))
                continue
            self.on_file()
            self.asked.append((part, self.options))
            if on_progress is not None:
                on_progress(path, 0.5)
            hits = self.hits if part is None else within(self.hits, part.start, part.end)
            yield Transcription(tuple(hits), seconds, path)
