"""A grid as changes of tempo and meter: what MIDI files, charts and notation need."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from mt3drum.rhythm.grid import Grid, Meter

TOLERANCE = 0.015
"""Seconds by which a beat of the map may miss the beat of the grid: one tempo holds as long as it can."""


@dataclass(frozen=True)
class TempoMap:
    """Straight lines from tick-countable places to seconds. Place 0 is second 0.

    A recording rarely starts on a beat: up to its first beat runs one shortened beat or none, and the beats
    before the first downbeat make a short bar of their own.
    """

    places: tuple[Fraction, ...]
    """Quarter notes from second 0: 0 and every change of tempo."""
    seconds: tuple[float, ...]
    """The same in seconds."""
    tempos: tuple[float, ...]
    """Quarter notes a minute from each place on: 6e7 over a whole number of microseconds."""
    meters: tuple[tuple[Fraction, int, int], ...]
    """(quarter notes, numerator, denominator) of every change of meter."""
    lead: Fraction
    """Quarter notes from second 0 to the start of the grid's first bar; negative where that bar had begun."""

    def place(self, position: Fraction) -> Fraction:
        """Quarter notes from second 0 of a position of the grid (quarter notes from its first bar)."""
        return self.lead + position

    def quarters(self, seconds: float) -> float:
        """Quarter notes from second 0 of a time."""
        i = bisect_right(self.seconds, seconds) - 1
        return float(self.places[i]) + (seconds - self.seconds[i]) * self.tempos[i] / 60

    def time(self, quarters: Fraction | float) -> float:
        """The inverse of `quarters`."""
        i = bisect_right(self.places, quarters) - 1
        return self.seconds[i] + float(quarters - self.places[i]) * 60 / self.tempos[i]

    def beats(self, grid: Grid) -> Grid:
        """The grid this map was made from, with its beats where the map has them."""
        places = (self.lead + (grid.first + i) * grid.meter.beat_quarters for i in range(len(grid.beats)))
        return replace(grid, beats=tuple(self.time(place) for place in places))

    @property
    def midi_tempos(self) -> list[tuple[float, float]]:
        """(seconds, quarter notes a minute), as `tokenizer.midi` takes them."""
        return list(zip(self.seconds, self.tempos, strict=True))

    @property
    def midi_meters(self) -> list[tuple[float, int, int]]:
        """(seconds, numerator, denominator), as `tokenizer.midi` takes them."""
        return [(self.time(place), numerator, denominator) for place, numerator, denominator in self.meters]


def tempo_map(grid: Grid, tolerance: float = TOLERANCE) -> TempoMap:
    """As few tempos as keep every beat within `tolerance` seconds of the grid's."""
    meter = grid.meter
    first_length = grid.beats[1] - grid.beats[0]
    leading = 1 if grid.beats[0] > first_length / 2 else 0
    pickup = leading + -grid.first % meter.beats
    # Knots: beats counted from second 0. Without a leading beat the first one is stretched to reach second 0.
    knots = [0.0, *grid.beats] if leading else [0.0, *grid.beats[1:]]
    forced = {1, pickup} if leading or grid.beats[0] > tolerance else {pickup}
    places, seconds, tempos = [], [0.0], []
    for start, end in pairwise(_anchors(knots, forced, tolerance)):
        quarters = (end - start) * meter.beat_quarters
        # Whole microseconds, as MIDI has them, so that a place of the map is exactly on its tick there. What
        # that is off by at the end, the next tempo makes up for.
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
    """Indices of the knots, from the first to the last, between which a straight line misses none by more
    than `tolerance`; each line goes as far as it can, and stops at the forced ones."""
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
