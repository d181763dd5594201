"""Staff position, note head and tab line of each drum.

Positions follow Weinberg (1998) where it lists the drum. Rims and edges that it does not distinguish share a
position with head or bow and differ by note head or only by instrument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tokenizer.drums import CLASS_INDEX


@dataclass(frozen=True)
class Sign:
    """How one drum is written."""

    step: str
    octave: int
    """Octave on a treble staff, where F4 is the lowest space."""
    head: str
    """MusicXML name of the note head."""
    title: str
    """Display name."""
    line: str
    """Two letters in front of its tab line."""
    strokes: str
    """Tab characters: plain stroke, accent, ghost note, flam, accented flam, ghosted flam."""

    @property
    def height(self) -> int:
        """Vertical position on the staff, for comparison."""
        return 7 * self.octave + "CDEFGAB".index(self.step)


_DRUM, _CYMBAL, _OPEN = "oOgfFd", "xXyhHn", "oOucCb"
_TABLE = {
    "kick": ("F", 4, "normal", "Kick", "BD", _DRUM),
    "snare_head": ("C", 5, "normal", "Snare", "SD", _DRUM),
    "snare_cross_stick": ("C", 5, "x", "Cross-stick", "CS", _CYMBAL),
    "snare_rim": ("C", 5, "slashed", "Rim shot", "RS", _DRUM),
    "hihat_closed": ("G", 5, "x", "Hi-hat", "HH", _CYMBAL),
    "hihat_closed_edge": ("G", 5, "x", "Hi-hat edge", "HE", _CYMBAL),
    "hihat_open": ("G", 5, "circle-x", "Open hi-hat", "HH", _OPEN),
    "hihat_open_edge": ("G", 5, "circle-x", "Open hi-hat edge", "HE", _OPEN),
    "hihat_pedal": ("D", 4, "x", "Hi-hat pedal", "HP", _CYMBAL),
    "tom1_head": ("E", 5, "normal", "Tom 1", "T1", _DRUM),
    "tom1_rim": ("E", 5, "x", "Tom 1 rim", "R1", _CYMBAL),
    "tom2_head": ("D", 5, "normal", "Tom 2", "T2", _DRUM),
    "tom2_rim": ("D", 5, "x", "Tom 2 rim", "R2", _CYMBAL),
    "tom3_head": ("B", 4, "normal", "Tom 3", "T3", _DRUM),
    "tom3_rim": ("B", 4, "x", "Tom 3 rim", "R3", _CYMBAL),
    "floor_tom_head": ("A", 4, "normal", "Floor tom", "FT", _DRUM),
    "floor_tom_rim": ("A", 4, "x", "Floor tom rim", "RF", _CYMBAL),
    "crash1": ("A", 5, "x", "Crash 1", "C1", _CYMBAL),
    "crash1_edge": ("A", 5, "diamond", "Crash 1 edge, splash", "E1", _CYMBAL),
    "crash2": ("B", 5, "x", "Crash 2", "C2", _CYMBAL),
    "crash2_edge": ("B", 5, "diamond", "Crash 2 edge, china", "E2", _CYMBAL),
    "ride": ("F", 5, "x", "Ride", "RD", _CYMBAL),
    "ride_edge": ("F", 5, "circle-x", "Ride edge", "RE", _CYMBAL),
    "ride_bell": ("F", 5, "diamond", "Ride bell", "RB", _CYMBAL),
    "aux1": ("C", 6, "triangle", "Tambourine, shaker, clap", "A1", _CYMBAL),
    "aux2": ("E", 5, "triangle", "Cowbell", "A2", _CYMBAL),
}
SIGNS: Mapping[int, Sign] = {CLASS_INDEX[name]: Sign(*row) for name, row in _TABLE.items()}
"""Signs by class index."""
