"""Represent a grid as changes of tempo and meter, as MIDI files, charts and notation need them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from mt3drum.rhythm.grid import Grid, Meter

TOLERANCE = 0.015
"""Maximum deviation in seconds of the map's beats from the grid; each tempo lasts as long as this allows."""


@dataclass(frozen=True)
class TempoMap:
    """A piecewise linear map from positions in quarter notes to seconds. Position 0 is second 0.

    Recordings rarely start on a beat: at most one shortened beat leads up to the first beat, and the beats
    before the first downbeat form a short bar of their own.
    """

    places: tuple[Fraction, ...]
    """Quarter notes from second 0: position 0 and every tempo change."""
    seconds: tuple[float, ...]
    """The same positions in seconds."""
    tempos: tuple[float, ...]
    """Quarter notes per minute from each position on: 6e7 over a whole number of microseconds."""
    meters: tuple[tuple[Fraction, int, int], ...]
    """(quarter notes, numerator, denominator) of every meter change."""
    lead: Fraction
    """Quarter notes from second 0 to the start of the grid's first bar; negative if it starts earlier."""

    def place(self, position: Fraction) -> Fraction:
        """Quarter notes from second 0 for a position of the grid (quarter notes from its first bar)."""
        return self.lead + position

    def quarters(self, seconds: float) -> float:
        """Quarter notes from second 0 for a time."""
        i = bisect_right(self.seconds, seconds) - 1
        return float(self.places[i]) + (seconds - self.seconds[i]) * self.tempos[i] / 60

    def time(self, quarters: Fraction | float) -> float:
        """The inverse of `quarters`."""
        i = bisect_right(self.places, quarters) - 1
        return self.seconds[i] + float(quarters - self.places[i]) * 60 / self.tempos[i]

    def beats(self, grid: Grid) -> Grid:
        """The grid from which this map was made, with beat times taken from the map."""
        places = (self.lead + (grid.first + i) * grid.meter.beat_quarters for i in range(len(grid.beats)))
        return replace(grid, beats=tuple(self.time(place) for place in places))

    @property
    def midi_tempos(self) -> list[tuple[float, float]]:
        """(seconds, quarter notes per minute), as `tokenizer.midi` expects them."""
        return list(zip(self.seconds, self.tempos, strict=True))

    @property
    def midi_meters(self) -> list[tuple[float, int, int]]:
        """(seconds, numerator, denominator), as `tokenizer.midi` expects them."""
        return [(self.time(place), numerator, denominator) for place, numerator, denominator in self.meters]


def tempo_map(grid: Grid, tolerance: float = TOLERANCE) -> TempoMap:
    """Use as few tempos as keep every beat within `tolerance` seconds of the grid."""
    meter = grid.meter
    first_length = grid.beats[1] - grid.beats[0]
    leading = 1 if grid.beats[0] > first_length / 2 else 0
    pickup = leading + -grid.first % meter.beats
    # Knots: beats from second 0. Without a leading beat, the first beat is stretched back to second 0.
    knots = [0.0, *grid.beats] if leading else [0.0, *grid.beats[1:]]
    forced = {1, pickup} if leading or grid.beats[0] > tolerance else {pickup}
    places, seconds, tempos = [], [0.0], []
    for start, end in pairwise(_anchors(knots, forced, tolerance)):
        quarters = (end - start) * meter.beat_quarters
        # Whole microseconds, as in MIDI, so that a position of the map falls exactly on its tick. The next
        # tempo compensates the remaining error.
        tempo = max(1, round(1e6 * (knots[end] - seconds[-1]) / float(quarters)))
        places.append(start * meter.beat_quarters)
        tempos.append(6e7 / tempo)
        seconds.append(seconds[-1] + float(quarters * tempo) / 1e6)
    meters = [(pickup * meter.beat_quarters, meter.numerator, meter.denominator)]
    if pickup:
        meters.insert(0, (Fraction(0), *_short_bar(pickup, meter)))
    lead = (leading - grid.first) * meter.beat_quarters
    return TempoMap(tuple(places), tuple(seconds[:-1]), tuple(tempos), tuple(meters), lead)


def _short_bar(beats: int, meter: Meter) -> tuple[int, int]:
    return beats * (3 if meter.compound else 1), meter.denominator


def _anchors(knots: list[float], forced: set[int], tolerance: float) -> list[int]:
    """Indices of the knots, from first to last, joined by straight lines that miss no knot by more than
    `tolerance`; each line is as long as possible, and breaks at the forced knots."""
    anchors = [0]
    while anchors[-1] < len(knots) - 1:
        start = anchors[-1]
        low, high = 0.0, float("inf")
        reached = start + 1
        for end in range(start + 1, len(knots)):
            slope = (knots[end] - knots[start]) / (end - start)
            if low <= slope <= high:
                reached = end
            low = max(low, (knots[end] - tolerance - knots[start]) / (end - start))
            high = min(high, (knots[end] + tolerance - knots[start]) / (end - start))
            if low > high or end in forced:
                reached = end if end in forced and low <= slope <= high else reached
                break
        anchors.append(reached)
    return anchors
