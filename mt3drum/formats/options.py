"""Notation options. Import-light: the command line builds them before heavy imports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tokenizer.midi_tracks import TrackOptions

if TYPE_CHECKING:
    from mt3drum.rhythm.grid import Grid, Meter
    from mt3drum.rhythm.quantise import Steps


GRIDS: Mapping[str, Steps] = {"8": 8, "16": 16, "24": 24, "auto": "auto"}
"""Grids by their option values: eighths, sixteenths, sixteenth triplets, or the best fit per beat."""


Style = Literal["alternate", "right", "alternate-left", "left"]
"""Sticking styles (`mt3drum.formats.stickings`)."""
STYLES: tuple[Style, ...] = ("alternate", "right", "alternate-left", "left")
PRACTICE = 0.5
"""Default tempo of the practice formats, relative to the recording."""


@dataclass(frozen=True)
class MidiOptions:
    """How a score is written to MIDI files."""

    tracks: TrackOptions = field(default_factory=TrackOptions)
    files: bool = False
    """Also write a file per drum family."""


@dataclass(frozen=True)
class ScoreOptions:
    """Constraints on the beats, which are otherwise estimated from the hits."""

    bpm: float | None = None
    """Beats per minute."""
    meter: Meter | None = None
    grid: Steps | None = None
    """Quantise the hits of every format to this grid. None: keep the played times, and quantise to the best
    grid only for formats that need one (MusicXML, tab, chart)."""
    beats: Grid | None = None
    """Known beats, from a page or a JSON file, to use instead of an estimate; `bpm` and `meter` are
    ignored."""
    midi: MidiOptions = field(default_factory=MidiOptions)
    stickings: Style | None = None
    """Sticking style for MusicXML, PDF and SVG; None writes none."""
    practice: float = PRACTICE
    """Tempo of the practice formats, relative to the recording."""
