"""Find drum rolls and cymbal swells of a chart, where a game asks for fast strokes instead of exact ones.

A roll lane is marked where hand strokes are too fast to be told apart, on one lane or alternating between two
(TheNathannator/GuitarGame_ChartFormats, Drums: "used to make imprecise or indiscernible rhythms such as drum
rolls or cymbal swells easier to play").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mt3drum.formats.lanes import KICK, Charted

GAP = 0.07
"""Maximum seconds between the strokes of a roll: 14 per second, thirty-seconds at 107 beats per minute."""
LEAST_ONE, LEAST_TWO = 6, 8
"""Minimum number of strokes of a roll on one lane, and of one alternating between two."""


@dataclass(frozen=True)
class RollLane:
    """A roll, from its first stroke to its last."""

    start: int
    """Tick of the first stroke."""
    end: int
    lanes: tuple[int, ...]
    """One lane, or the two between which the strokes alternate."""


def find_rolls(charted: Charted) -> tuple[RollLane, ...]:
    """Find rolls, in order of time. A chord of two hands ends a roll; kicks do not."""
    struck: dict[int, list[tuple[int, float]]] = {}
    for gem, time in zip(charted.gems, charted.seconds, strict=True):
        if gem.lane != KICK:
            struck.setdefault(gem.tick, []).append((gem.lane, time))
    runs: list[list[tuple[int, int, float]]] = [[]]
    for tick, chord in sorted(struck.items()):
        lane, time = chord[0]
        if len(chord) > 1 or (runs[-1] and time - runs[-1][-1][2] > GAP):
            runs.append([])
        if len(chord) == 1:
            runs[-1].append((tick, lane, time))
    rolls = []
    for run in runs:
        rolls += _rolls([(tick, lane) for tick, lane, _ in run])
    return tuple(rolls)


def _rolls(run: Sequence[tuple[int, int]]) -> list[RollLane]:
    """Split fast strokes (tick, lane) into stretches on one lane or alternating between two."""
    rolls = []
    at = 0
    while at < len(run):
        one, two = _same(run, at), _alternating(run, at)
        end = one if one - at >= LEAST_ONE else two if two - at >= LEAST_TWO else None
        if end is None:
            at += 1
            continue
        lanes = tuple(dict.fromkeys(lane for _, lane in run[at:end]))
        rolls.append(RollLane(run[at][0], run[end - 1][0], lanes))
        at = end
    return rolls


def _same(run: Sequence[tuple[int, int]], at: int) -> int:
    """Index after the last consecutive stroke on the same lane."""
    end = at + 1
    while end < len(run) and run[end][1] == run[at][1]:
        end += 1
    return end


def _alternating(run: Sequence[tuple[int, int]], at: int) -> int:
    """Index after the last consecutive stroke that alternates between two lanes."""
    end = at + 1
    while end < len(run) and run[end][1] != run[end - 1][1]:
        if end - at >= 2 and run[end][1] != run[end - 2][1]:
            break
        end += 1
    return end


def phrase_ends(rolls: Sequence[RollLane], length: int) -> list[int]:
    """Tick at which each roll ends: `length` after its last stroke, or at the start of the next roll."""
    starts = [roll.start for roll in rolls]
    return [min([roll.end + length, *starts[number + 1 :][:1]]) for number, roll in enumerate(rolls)]
