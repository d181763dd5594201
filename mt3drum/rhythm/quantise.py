"""Quantise a copy of the hits to note values, with swing stored separately. Notation, tab and charts use
it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np

from mt3drum.rhythm.figures import Figures, find_figures
from mt3drum.rhythm.grid import Grid
from mt3drum.rhythm.tempo_map import TempoMap
from tokenizer.hits import Hit

Steps = Literal[8, 16, 24, "auto"]
"""Divisions of a whole note: 8 eighths, 16 sixteenths, 24 sixteenth triplets; auto: the best fit per beat."""

TIMING = 0.02
"""Typical distance of a stroke from its grid position, in seconds."""
FLAM = 0.06
"""Two strokes of one drum on one grid position, closer than this many seconds, are a grace note and its main
note."""
COST: dict[int, float] = {1: 0.0, 2: 0.4, 3: 2.0, 4: 1.0, 5: 4.5, 6: 3.5, 7: 5.5, 8: 5.0, 12: 5.0}
"""Cost of each division of a beat: the finer, the better it must fit. The cost of a stroke is half its
squared distance in units of `TIMING`."""
ODD = frozenset({5, 7})
"""Quintuplets and septuplets are considered only if at most one of their positions is empty."""
HABIT = 1.0
"""Weight of the negative log-frequency of a division in the recording."""
COLLISION = 4.0
"""Cost of two strokes of one drum, other than a flam, on one position."""
SWUNG, LATE = 0.56, 0.02
"""Minimum share of a pair, and minimum delay in seconds after its middle, for the second note to count as
swung; less is a drummer's feel or the timing error of fast notes."""


@dataclass(frozen=True)
class Note:
    """A stroke at its grid position."""

    position: Fraction
    """Quarter notes from the start of the first bar (which a pick-up may fill only partly)."""
    hit: Hit
    """The stroke as played."""
    grace: bool = False
    """A grace note of a flam, drag or ruff, just before the note on this position."""
    roll: tuple[Hit, ...] = ()
    """The other strokes of a roll that begins here, too fast to be written individually."""
    until: Fraction | None = None
    """Quarter notes from the start of the first bar to the end of this part of the roll."""


@dataclass(frozen=True)
class Score:
    """A quantised copy of the hits."""

    notes: tuple[Note, ...]
    """By position; grace notes before their main note, then by drum."""
    grid: Grid
    swing: float = 0.5
    """Share of a pair of `swing_unit` notes taken by the first one: 0.5 is straight, 0.667 a triplet."""
    swing_unit: Literal[0, 8, 16] = 0
    """Which notes swing: eighths, sixteenths or (0) none. Positions are always straight."""
    dropped: tuple[Hit, ...] = ()
    """Strokes without a free position on the given grid, because another one of their drum occupies it."""

    @property
    def bars(self) -> int:
        """Number of bars up to and including that of the last note."""
        last = self.notes[-1].position if self.notes else Fraction(0)
        return math.floor(last / self.grid.meter.bar_quarters) + 1

    @property
    def first_bar(self) -> int:
        """Bar of the first note, 0-based; silence before the music is not written."""
        first = self.notes[0].position if self.notes else Fraction(0)
        return math.floor(first / self.grid.meter.bar_quarters)

    def swung(self, position: Fraction) -> float:
        """A position with its swing, in quarter notes."""
        beat = position / self.grid.meter.beat_quarters
        whole = math.floor(beat)
        swung = whole + _swung(float(beat - whole), self.swing, self.swing_unit)
        return swung * float(self.grid.meter.beat_quarters)

    def seconds(self, position: Fraction) -> float:
        """Time of a position in seconds, including swing."""
        return self.grid.seconds(self.swung(position) / float(self.grid.meter.beat_quarters))

    def without(self, hits: Collection[Hit]) -> Score:
        """A copy without some of the strokes."""
        if not hits:
            return self
        gone = set(hits)
        return replace(
            self,
            notes=tuple(note for note in self.notes if note.hit not in gone),
            dropped=tuple(hit for hit in self.dropped if hit not in gone),
        )

    def hits(self, lines: TempoMap | None = None) -> tuple[Hit, ...]:
        """The strokes at the times of their places, swing included; a grace note keeps its lead.

        Args:
            lines: times are those of this map of the grid, which keeps to its beats less closely, so that
                every stroke is exactly on its tick in a MIDI file with the map's tempos.
        """

        def seconds(position: Fraction) -> float:
            return (
                self.seconds(position)
                if lines is None
                else lines.time(float(lines.lead) + self.swung(position))
            )

        moved = []
        mains: dict[tuple[Fraction, int], float] = {}
        for note in self.notes:
            if not note.grace:
                mains[note.position, note.hit.drum] = note.hit.time
        for note in self.notes:
            shift = seconds(note.position) - mains[note.position, note.hit.drum]
            moved += [replace(hit, time=max(0.0, hit.time + shift)) for hit in (note.hit, *note.roll)]
        return tuple(sorted(moved))


def quantise(hits: Sequence[Hit], grid: Grid, steps: Steps = "auto") -> Score:
    """Move every stroke to the nearest position of its beat's division.

    Args:
        steps: one division for all beats, or "auto": for each beat the division with the best fit, given its
            cost.
    Raises:
        ValueError: triplets are requested in a meter of three eighths per beat.
    """
    everything = sorted(hits)
    figures = find_figures(everything, grid)
    hits = figures.rest
    places = np.array([grid.position(hit.time) for hit in hits])
    swing, unit = _find_swing(places, grid) if hits else (0.5, 0)
    straight = np.floor(places) + np.array([_unswung(float(place % 1), swing, unit) for place in places])
    beat_seconds = 60 / grid.bpm
    divisions = _allowed(steps, grid.meter.beat_quarters)
    # A stroke slightly before a beat belongs to that beat.
    owner = np.floor(straight + min(0.1, 1.5 * TIMING / beat_seconds)).astype(int)
    members = {int(beat): np.flatnonzero(owner == beat) for beat in np.unique(owner)}

    def divide(prices: Mapping[int, float]) -> dict[int, int]:
        return {
            beat: _division(straight[inside] - beat, [hits[int(i)] for i in inside], prices, beat_seconds)
            for beat, inside in members.items()
        }

    chosen = divide({division: COST[division] for division in divisions})
    if len(divisions) > 1:  # divisions used elsewhere in the recording are more likely
        counts = Counter(chosen.values())
        chosen = divide(
            {d: COST[d] + HABIT * math.log((len(chosen) + 1) / (counts[d] + 1)) for d in divisions}
        )
    placed: list[tuple[Fraction, Hit]] = []
    for beat, inside in members.items():
        division = chosen[beat]
        for i in inside:
            step = round(float((straight[i] - beat) * division))
            # There is nothing before the first bar: an early stroke moves to its first beat.
            position = max(Fraction(0), beat + Fraction(step, division))
            placed.append((position * grid.meter.beat_quarters, hits[int(i)]))
    notes, dropped = _graces(placed, figures)
    return Score(tuple(notes), grid, swing, unit, tuple(dropped))


def _allowed(steps: Steps, beat_quarters: Fraction) -> list[int]:
    if steps == "auto":
        if beat_quarters == Fraction(3, 2):
            return [1, 3, 6, 12]
        return [1, 2, 3, 4, 5, 6, 7, 8] if beat_quarters == 1 else [1, 2, 3, 4]
    if steps == 24 and beat_quarters == Fraction(3, 2):
        raise ValueError("a grid of 24 (triplets) does not fit beats of three eighths; use 8 or 16")
    return [int(steps * beat_quarters / 4)]


def _division(phases: np.ndarray, hits: list[Hit], prices: Mapping[int, float], beat_seconds: float) -> int:
    """The division of one beat with the lowest cost; phases 0..1 from its start."""
    if len(prices) == 1:
        return next(iter(prices))

    def cost(division: int) -> float:
        steps = np.round(phases * division)
        if division in ODD and len(set(steps) - {division}) < division - 1:
            return math.inf
        off = (phases - steps / division) * beat_seconds / TIMING
        taken: dict[tuple[int, float], float] = {}
        collisions = 0
        for hit, step in zip(hits, steps, strict=True):
            before = taken.get((hit.drum, step))
            collisions += before is not None and hit.time - before > FLAM
            taken[hit.drum, step] = hit.time
        return float((off**2).sum()) / 2 + prices[division] + COLLISION * collisions

    return min(prices, key=cost)


def _graces(placed: list[tuple[Fraction, Hit]], figures: Figures) -> tuple[list[Note], list[Hit]]:
    """Notes in order; the loudest of several strokes of one drum on one position becomes the note."""
    groups: dict[tuple[Fraction, int], list[Hit]] = {}
    for position, hit in placed:
        groups.setdefault((position, hit.drum), []).append(hit)
    notes, dropped = [], []
    for (position, _), group in groups.items():
        # Of equals the later: a flam ends with its main stroke. A stroke with its own figure comes first.
        main = max(group, key=lambda hit: (hit in figures.led, hit.velocity, hit.time))
        notes += [Note(position, grace, grace=True) for grace in figures.graces.get(main, ())]
        for hit in group:
            if hit is main:
                notes.append(Note(position, hit, False, figures.rolls.get(main, ()), figures.until(main)))
            elif 0 < main.time - hit.time <= FLAM:
                notes.append(Note(position, hit, grace=True))
            else:
                dropped += [hit, *figures.graces.get(hit, ()), *figures.rolls.get(hit, ())]
    notes.sort(key=lambda note: (note.position, not note.grace, note.hit.drum, note.hit.time))
    return notes, sorted(dropped)


# Swing


def _find_swing(places: np.ndarray, grid: Grid) -> tuple[float, Literal[0, 8, 16]]:
    """Detect swing of eighths, else of sixteenths, else none. Beats of three eighths do not swing.

    Eighths swing if strokes in the middle of the beat come late and the beat has few other subdivisions: with
    sixteenths, or strokes on the second third, the same late strokes are sixteenths or triplets.
    """
    if grid.meter.beat_quarters != 1:
        return 0.5, 0
    beat_seconds = 60 / grid.bpm
    phase = places % 1
    middle = phase[(phase > 0.42) & (phase < 0.74)]
    others = ((phase > 0.15) & (phase <= 0.42)) | ((phase >= 0.76) & (phase < 0.88))
    if len(middle) >= 8 and others.sum() < 0.2 * len(middle):
        share = float(np.median(middle))
        return (share, 8) if _alternates(places, share, beat_seconds) else (0.5, 0)
    half = places * 2 % 1
    middle = half[(half > 0.42) & (half < 0.72)]
    straight = phase[(phase > 0.42) & (phase < 0.58)]
    if len(middle) >= 8 and len(straight) >= 4:
        share = float(np.median(middle))
        thirds = ((half > 0.28) & (half <= 0.4)).sum()
        if thirds < 0.2 * len(middle) and _alternates(places * 2, share, beat_seconds / 2):
            return share, 16
    return 0.5, 0


def _alternates(pairs: np.ndarray, share: float, seconds: float) -> bool:
    """Whether long and short notes alternate, as in swing: the second notes are clustered and clearly late,
    and most follow a first note.

    Args:
        pairs: positions of the strokes, in pairs of notes. share: of the pair, taken by its first note.
        seconds: duration of a pair.
    """
    if share < SWUNG or (share - 0.5) * seconds < LATE:
        return False
    phase, number = pairs % 1, np.floor(pairs)
    second = (phase > 0.42) & (phase < 0.74)
    spread = float(np.median(np.abs(phase[second] - share)))
    firsts = np.unique(np.round(pairs[np.abs(pairs - np.round(pairs)) < 0.15]))
    seconds_of = np.unique(number[second])
    followed = np.isin(seconds_of, firsts).mean()
    return bool(spread < 0.5 * (share - 0.5) and followed >= 0.5 and len(seconds_of) >= len(firsts) / 4)


def _swung(phase: float, share: float, unit: int) -> float:
    """Swung position of a straight phase of a beat: each half of a pair is stretched linearly."""
    if unit == 0:
        return phase
    pairs = 1 if unit == 8 else 2
    pair, inside = divmod(phase * pairs, 1)
    inside = inside * 2 * share if inside < 0.5 else share + (inside - 0.5) * 2 * (1 - share)
    return (pair + inside) / pairs


def _unswung(phase: float, share: float, unit: int) -> float:
    """The inverse of `_swung`."""
    if unit == 0:
        return phase
    pairs = 1 if unit == 8 else 2
    pair, inside = divmod(phase * pairs, 1)
    inside = inside / (2 * share) if inside < share else 0.5 + (inside - share) / (2 * (1 - share))
    return (pair + inside) / pairs
