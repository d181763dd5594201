"""Meters, and the beats and bars of a recording."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from statistics import median

from mt3drum.rhythm.patterns import PATTERNS

EARLY = 0.06
"""Seconds by which a stroke may precede the first beat and still belong to it."""


@dataclass(frozen=True)
class Meter:
    """A time signature.

    Raises:
        ValueError: the time signature is not supported.
    """

    numerator: int
    denominator: int

    def __post_init__(self) -> None:
        if (self.numerator, self.denominator) not in PATTERNS:
            known = ", ".join(f"{a}/{b}" for a, b in PATTERNS)
            raise ValueError(f"meter {self.numerator}/{self.denominator} is not one of {known}")

    @staticmethod
    def parse(text: str) -> Meter:
        """From `6/8`.

        Raises:
            ValueError: the text is not a supported meter.
        """
        parts = text.split("/")
        if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
            raise ValueError(f"meter {text!r} is not of the form 4/4")
        return Meter(int(parts[0]), int(parts[1]))

    @property
    def compound(self) -> bool:
        """A beat is three eighths: 6/8, 9/8, 12/8."""
        return self.denominator == 8 and self.numerator % 3 == 0 and self.numerator > 3

    @property
    def beats(self) -> int:
        """Counted beats per bar: 2 in 6/8."""
        return self.numerator // 3 if self.compound else self.numerator

    @property
    def beat_quarters(self) -> Fraction:
        """Quarter notes per beat: 3/2 in 6/8."""
        return Fraction(4, self.denominator) * (3 if self.compound else 1)

    @property
    def bar_quarters(self) -> Fraction:
        """Quarter notes per bar."""
        return Fraction(4 * self.numerator, self.denominator)

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"


@dataclass(frozen=True)
class Grid:
    """The beats and bars of a recording."""

    beats: tuple[float, ...]
    """Time of every beat in seconds, increasing; at least two."""
    first: int
    """Number of beats of the first bar that precede the first beat: with 0 or a whole bar the first beat is a
    downbeat, otherwise the bar begins with a pick-up."""
    meter: Meter
    steadiness: float = 1.0
    """How closely the strokes follow the grid, 0..1: the mean resultant length of their phases between its
    subdivisions (the best of 2, 3, 4 and 6 per beat). Random strokes give 0.15 to 0.35, human drummers 0.5 to
    0.95."""

    @property
    def bpm(self) -> float:
        """Median tempo in beats per minute: quarter notes in 4/4, dotted quarters in 6/8."""
        return 60.0 / median(b - a for a, b in pairwise(self.beats))

    @property
    def downbeats(self) -> tuple[float, ...]:
        """Times of the beats that begin a bar, in seconds."""
        return self.beats[-self.first % self.meter.beats :: self.meter.beats]

    def position(self, seconds: float) -> float:
        """Beats since the start of the first bar; never negative for a stroke of the recording."""
        i = min(max(bisect_right(self.beats, seconds) - 1, 0), len(self.beats) - 2)
        return self.first + i + (seconds - self.beats[i]) / (self.beats[i + 1] - self.beats[i])

    def seconds(self, position: float) -> float:
        """The inverse of `position`."""
        i = min(max(math.floor(position) - self.first, 0), len(self.beats) - 2)
        return self.beats[i] + (position - self.first - i) * (self.beats[i + 1] - self.beats[i])

    def reaching(self, seconds: float) -> Grid:
        """The same with a bar of its own before the first beat, where a stroke lies clearly before it."""
        if self.first == 0 and seconds < self.beats[0] - EARLY:
            return replace(self, first=self.meter.beats)
        return self
