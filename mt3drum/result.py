"""What a recording gave: a transcription, in the forms other libraries want, or the reason there is none.

No torch here: hits from anywhere can be put into a `Transcription` and written by `mt3drum.formats.write`.
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
    """What was heard in one recording."""

    hits: tuple[Hit, ...]
    seconds: float
    path: Path | None = None
    warnings: tuple[str, ...] = ()
    candidates: tuple[Hit, ...] = ()
    """Heard, but less certain than the decoding settings ask (`minimum_confidence`): not in `hits`."""
    left_out: tuple[Hit, ...] = ()
    """Heard, and taken out by `only`: no format writes them, but tempo and grid come from all strokes."""
    scheme: str = "26"
    """What was told apart (`DecodeConfig.scheme`): a hit's drum stands for its label."""

    def only(self, drums: Collection[int]) -> Transcription:
        """The hits of these drums (indices into `tokenizer.drums.DRUMS`), or of labels that hold one of them;
        what was heard stays as it was."""
        drums, heard = SCHEMES[self.scheme].written(drums), self.heard
        return replace(
            self,
            hits=tuple(hit for hit in heard if hit.drum in drums),
            candidates=tuple(hit for hit in self.candidates if hit.drum in drums),
            left_out=tuple(hit for hit in heard if hit.drum not in drums),
        )

    @property
    def heard(self) -> tuple[Hit, ...]:
        """All hits, those left out too, in order."""
        return tuple(sorted((*self.hits, *self.left_out))) if self.left_out else self.hits

    def to_records(self) -> list[dict[str, Any]]:
        """One dict a hit (time in seconds, drum or label by name, velocity, confidence), as pandas takes
        them."""
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
        """A `note_seq.NoteSequence` with the times as heard."""
        from tokenizer.midi import to_note_sequence

        return to_note_sequence(self.hits, notes=notes)

    def to_pretty_midi(self, notes: Notes = "gm") -> Any:
        """A `pretty_midi.PrettyMIDI` with the times as heard, to half a millisecond.

        Raises:
            ValueError: the recording is longer than pretty_midi takes (87 minutes).
        """
        from tokenizer.midi import to_pretty_midi

        return to_pretty_midi(self.hits, notes=notes)

    def beats(self, bpm: float | None = None, meter: str | None = None) -> Grid | None:
        """Beats, downbeats, tempo and meter; None where nothing is steady. What is given is taken as known.

        Raises:
            ValueError: the tempo or the meter is none.
        """
        from mt3drum.rhythm.estimate import estimate
        from mt3drum.rhythm.grid import Meter

        known = Meter.parse(meter) if meter else None
        return estimate(self.heard, self.seconds, bpm=bpm, meter=known)

    def score(
        self, steps: Steps = "auto", bpm: float | None = None, meter: str | None = None
    ) -> Score | None:
        """The hits on their beats' grid, a copy; None where there are no beats.

        Raises:
            ValueError: the tempo, the meter or the grid is none.
        """
        from mt3drum.rhythm.quantise import quantise

        grid = self.beats(bpm, meter)
        return None if grid is None else quantise(self.heard, grid, steps).without(self.left_out)


@dataclass(frozen=True)
class Failure:
    """A recording that could not be transcribed."""

    path: Path
    reason: str
    """One line that names the file."""


def record(hit: Hit, scheme: str = "26") -> dict[str, Any]:
    """One hit as plain values: seconds with microseconds, the drum by the name of its label."""
    return {
        "time": round(hit.time, 6),
        "drum": SCHEMES[scheme].name_of(hit.drum),
        "velocity": hit.velocity,
        "confidence": round(hit.confidence, 4),
    }
