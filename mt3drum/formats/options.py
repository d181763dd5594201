"""How hits become a score. Light: the command line makes these before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tokenizer.midi_tracks import TrackOptions

if TYPE_CHECKING:
    from mt3drum.rhythm.grid import Grid, Meter
    from mt3drum.rhythm.quantise import Steps


GRIDS: Mapping[str, Steps] = {"8": 8, "16": 16, "24": 24, "auto": "auto"}
"""Grids by the names users give them: eighths, sixteenths, sixteenth triplets, or what fits beat by beat."""


Style = Literal["alternate", "right"]
"""Of stickings (`mt3drum.formats.stickings`)."""
STYLES: tuple[Style, ...] = ("alternate", "right")
PRACTICE = 0.5
"""Tempo of the practice formats, as a share of the recording's, until told otherwise."""


@dataclass(frozen=True)
class MidiOptions:
    """How a score becomes MIDI files."""

    tracks: TrackOptions = field(default_factory=TrackOptions)
    files: bool = False
    """A file for each family of drums, beside that of all."""


@dataclass(frozen=True)
class ScoreOptions:
    """Beats are estimated from the hits, within what is given here."""

    bpm: float | None = None
    """Beats a minute."""
    meter: Meter | None = None
    grid: Steps | None = None
    """Write the hits of every format on this grid. None: as they were played, and on the grid that fits only
    where a format knows nothing else (MusicXML, tab, chart)."""
    beats: Grid | None = None
    """Beats to keep instead of estimating them (a page's, a JSON file's); `bpm` and `meter` are not used."""
    midi: MidiOptions = field(default_factory=MidiOptions)
    stickings: Style | None = None
    """Hands below the notes of MusicXML, PDF and SVG."""
    practice: float = PRACTICE
    """Tempo of the practice formats, as a share of the recording's."""
