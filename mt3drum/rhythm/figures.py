"""Strokes too close together to be notes of their own: grace notes (ruffs, drags, flams) and rolls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from mt3drum.rhythm.grid import Grid
from tokenizer.drums import DRUMS
from tokenizer.hits import Hit

CLOSE = 0.045
"""Seconds: strokes of one drum closer than this belong to one ruff or roll (22 strokes per second:
thirty-seconds at 167 beats per minute)."""
FEET = frozenset(drum.index for drum in DRUMS if drum.name in ("kick", "hihat_pedal"))
MOST_GRACES = 3
"""Maximum number of grace notes before a note; longer runs are rolls."""


@dataclass(frozen=True)
class Figures:
    """Figures, keyed by the stroke that is written."""

    rest: list[Hit]
    """The strokes to quantise, in order: all except those in `graces` and `rolls`."""
    graces: Mapping[Hit, tuple[Hit, ...]]
    """Two or three grace strokes before a main stroke: a drag or a ruff. Flams are found by position."""
    rolls: Mapping[Hit, tuple[Hit, ...]]
    """The strokes that follow the first stroke of a roll, up to the end of its beat or of the roll."""
    ends: Mapping[Hit, Fraction]
    """End of each roll in quarter notes from the start of the first bar."""

    @property
    def led(self) -> frozenset[Hit]:
        """Strokes that represent others."""
        return frozenset({*self.graces, *self.rolls})

    def until(self, hit: Hit) -> Fraction | None:
        """The end of the roll that starts with the stroke."""
        return self.ends.get(hit)


def find_figures(hits: Sequence[Hit], grid: Grid) -> Figures:
    """Find ruffs, drags and rolls in the strokes of each drum played by hand.

    A run of strokes closer than `CLOSE` is a ruff if its last stroke is the loudest and at most `MOST_GRACES`
    precede it; longer runs are rolls, split at the beats.

    Args:
        hits: in order of time.
    """
    graces: dict[Hit, tuple[Hit, ...]] = {}
    rolls: dict[Hit, tuple[Hit, ...]] = {}
    ends: dict[Hit, Fraction] = {}
    for run in _runs(hits):
        *before, last = run
        if len(run) > MOST_GRACES + 1:
            beats = _by_beat(run, grid)
            for number, (beat, part) in enumerate(beats):
                rolls[part[0]] = tuple(part[1:])
                going_on = number + 1 < len(beats)
                ends[part[0]] = (beat + 1) * grid.meter.beat_quarters if going_on else _end(last, grid)
        elif len(before) > 1 and last.velocity >= max(hit.velocity for hit in before):
            graces[last] = tuple(before)
    inner = {hit for group in (*graces.values(), *rolls.values()) for hit in group}
    return Figures([hit for hit in hits if hit not in inner], graces, rolls, ends)


def _runs(hits: Sequence[Hit]) -> list[list[Hit]]:
    """Runs of close strokes on one drum; simultaneous strokes form no run."""
    runs: dict[int, list[list[Hit]]] = {}
    for hit in hits:
        of_drum = runs.setdefault(hit.drum, [])
        if hit.drum not in FEET and of_drum and hit.time - of_drum[-1][-1].time < CLOSE:
            of_drum[-1].append(hit)
        else:
            of_drum.append([hit])
    return [
        run
        for of_drum in runs.values()
        for run in of_drum
        if len(run) > 1 and all(a.time < b.time for a, b in pairwise(run))
    ]


def _by_beat(run: list[Hit], grid: Grid) -> list[tuple[int, list[Hit]]]:
    """(beat, its strokes); strokes nearer to the next beat than to the previous stroke belong to it."""
    half = (run[-1].time - run[0].time) / (len(run) - 1) / 2
    parts: dict[int, list[Hit]] = {}
    for hit in run:
        parts.setdefault(math.floor(grid.position(hit.time + half)), []).append(hit)
    return list(parts.items())


def _end(last: Hit, grid: Grid) -> Fraction:
    """End of the last stroke in quarter notes, rounded to a quarter of a beat (a sixth if beats are three
    eighths)."""
    parts = 6 if grid.meter.compound else 4
    end = math.floor(grid.position(last.time) * parts) + 1
    return Fraction(end, parts) * grid.meter.beat_quarters
