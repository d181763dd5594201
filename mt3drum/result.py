"""The result for one recording: a transcription, with conversions for other libraries, or a failure.

Does not import torch: hits from any source can be put into a `Transcription` and written by
`mt3drum.formats.write`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenizer.drums import SCHEMES
from tokenizer.hits import Hit

if TYPE_CHECKING:
    from mt3drum.rhythm.grid import Grid
    from mt3drum.rhythm.quantise import Score, Steps
    from tokenizer.midi import Notes


@dataclass(frozen=True)
class Transcription:
    """The transcription of one recording."""

    hits: tuple[Hit, ...]
    seconds: float
    path: Path | None = None
    warnings: tuple[str, ...] = ()
    candidates: tuple[Hit, ...] = ()
    """Hits below the confidence threshold of the decoding settings (`minimum_confidence`); not in `hits`."""
    left_out: tuple[Hit, ...] = ()
    """Hits removed by `only`: no format writes them, but tempo and grid are estimated from all hits."""
    scheme: str = "26"
    """The labels that were distinguished (`DecodeConfig.scheme`): a hit's drum stands for its label."""

    def only(self, drums: Collection[int]) -> Transcription:
        """Keep only the hits of these drums (indices into `tokenizer.drums.DRUMS`), or of labels that contain
        one of them, unchanged."""
        drums, every = SCHEMES[self.scheme].written(drums), self.all_hits
        return replace(
            self,
            hits=tuple(hit for hit in every if hit.drum in drums),
            candidates=tuple(hit for hit in self.candidates if hit.drum in drums),
            left_out=tuple(hit for hit in every if hit.drum not in drums),
        )

    @property
    def all_hits(self) -> tuple[Hit, ...]:
        """All hits in order, including those in `left_out`."""
        return tuple(sorted((*self.hits, *self.left_out))) if self.left_out else self.hits

    def to_records(self) -> list[dict[str, Any]]:
        """One dict per hit (time in seconds, name of the drum or label, velocity, confidence), as accepted by
        pandas."""
        return [record(hit, self.scheme) for hit in self.hits]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """time float64 [n] in seconds, drum int64 [n] (index into `tokenizer.drums.DRUMS`), velocity int64
        [n], confidence float64 [n]."""
        return {
            "time": np.array([hit.time for hit in self.hits], np.float64),
            "drum": np.array([hit.drum for hit in self.hits], np.int64),
            "velocity": np.array([hit.velocity for hit in self.hits], np.int64),
            "confidence": np.array([hit.confidence for hit in self.hits], np.float64),
        }

    def to_note_sequence(self, notes: Notes = "gm") -> Any:
        """A `note_seq.NoteSequence` with unquantised times."""
        from tokenizer.midi import to_note_sequence

        return to_note_sequence(self.hits, notes=notes)

    def to_pretty_midi(self, notes: Notes = "gm") -> Any:
        """A `pretty_midi.PrettyMIDI` with unquantised times, accurate to half a millisecond.

        Raises:
            ValueError: the recording is longer than pretty_midi's limit (87 minutes).
        """
        from tokenizer.midi import to_pretty_midi

        return to_pretty_midi(self.hits, notes=notes)

    def beats(self, bpm: float | None = None, meter: str | None = None) -> Grid | None:
        """Beats, downbeats, tempo and meter; None if there is no steady beat.

        Args:
            bpm: the tempo, if known.
            meter: the meter, if known, such as "6/8".

        Raises:
            ValueError: the tempo or the meter is invalid.
        """
        from mt3drum.rhythm.estimate import estimate
        from mt3drum.rhythm.grid import Meter

        known = Meter.parse(meter) if meter else None
        return estimate(self.all_hits, self.seconds, bpm=bpm, meter=known)

    def score(
        self, steps: Steps = "auto", bpm: float | None = None, meter: str | None = None
    ) -> Score | None:
        """The hits quantised to the beat grid; None if there is no steady beat.

        Raises:
            ValueError: the tempo, the meter or the grid is invalid.
        """
        from mt3drum.rhythm.quantise import quantise

        grid = self.beats(bpm, meter)
        return None if grid is None else quantise(self.all_hits, grid, steps).without(self.left_out)


@dataclass(frozen=True)
class Failure:
    """A recording that could not be transcribed."""

    path: Path
    reason: str
    """The reason, in one line that names the file."""


def record(hit: Hit, scheme: str = "26") -> dict[str, Any]:
    """One hit as plain values: time in seconds, rounded to microseconds, and the name of its label."""
    return {
        "time": round(hit.time, 6),
        "drum": SCHEMES[scheme].name_of(hit.drum),
        "velocity": hit.velocity,
        "confidence": round(hit.confidence, 4),
    }
