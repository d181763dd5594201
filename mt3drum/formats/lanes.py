"""Map the 26 classes to the lanes of rhythm games, in four difficulties: pads, cymbals and the kick.

The lanes are those of Rock Band 3's pro drums, which Clone Hero and YARG play: red snare; yellow, blue and
green toms; yellow (hi-hat), blue (ride) and green (crash) cymbals.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mt3drum.formats.marks import Mark, mark, marker
from tokenizer.drums import DRUMS
from tokenizer.hits import Hit

Difficulty = Literal["Expert", "Hard", "Medium", "Easy"]
DIFFICULTIES: tuple[Difficulty, ...] = ("Expert", "Hard", "Medium", "Easy")

KICK, RED, YELLOW, BLUE, GREEN = range(5)
DOUBLE_KICK = 0.18
"""Seconds; of kicks closer than this (5 to 6 per second), every other one is marked as double kick."""
TOGETHER = 0.02
"""Seconds; without a grid, strokes closer than this form one chord."""
HANDS = 2
"""Maximum number of hand gems per chord; Easy allows one. The kick is not counted."""
_LET_GO = ("hihat", "ride", "aux", "tom", "crash", "rim", "snare")
"""Families in the order in which a crowded chord loses them: timekeepers are missed least."""
LEAST_GAP: Mapping[str, float] = {"Expert": 0.0, "Hard": 0.14, "Medium": 0.24, "Easy": 0.45}
"""Minimum seconds between two hand chords; of closer ones the weaker is removed."""
KICK_GAP: Mapping[str, float] = {"Expert": 0.0, "Hard": 0.24, "Medium": 0.45, "Easy": 0.9}
MOST_HANDS: Mapping[str, int] = {"Hard": HANDS, "Medium": HANDS, "Easy": 1}

_LANES: dict[str, tuple[int, bool] | None] = {
    "kick": (KICK, False),
    "snare": (RED, False),
    "rim": (RED, False),
    "hihat": (YELLOW, True),
    "ride": (BLUE, True),
    "crash": (GREEN, True),
    "aux": (BLUE, True),
    "tom1": (YELLOW, False),
    "tom2": (BLUE, False),
    "tom3": (GREEN, False),
    "floor": (GREEN, False),
}
LANE_OF: tuple[tuple[int, bool] | None, ...] = tuple(
    None
    if drum.name == "hihat_pedal"
    else _LANES[drum.name.split("_")[0] if drum.family == "tom" else drum.family]
    for drum in DRUMS
)
"""(lane, whether it is a cymbal) of each class; None if not charted (the hi-hat pedal: left foot)."""


@dataclass(frozen=True, order=True)
class Gem:
    """One note of a chart."""

    tick: int
    lane: int
    cymbal: bool
    mark: Mark = ""
    double: bool = False
    """Played with the second pedal."""
    flam: bool = False
    """Preceded by a grace stroke."""


@dataclass(frozen=True)
class Charted:
    """The gems of the hardest difficulty, and the number of hits that do not fit."""

    gems: tuple[Gem, ...]
    seconds: tuple[float, ...]
    """Time of each gem in seconds."""
    left_out: int
    """Hits without a lane, on a lane taken by a drum of the same colour, or beyond two hands."""


def chart_gems(hits: Sequence[Hit], ticks: Sequence[int], flams: Collection[Hit] = ()) -> Charted:
    """Turn hits into gems, one per hit as far as hands and lanes allow.

    Of three hand strokes the two most important stay. A cymbal and a tom of one colour exclude each other, so
    the second one moves to the next free lane of its kind.

    Args:
        ticks: chart tick of each hit.
        flams: hits preceded by a grace stroke.
    """
    limits = marker(hits)
    chords: dict[int, list[Hit]] = {}
    for hit, tick in zip(hits, ticks, strict=True):
        chords.setdefault(tick, []).append(hit)
    gems: list[tuple[Gem, float]] = []
    left_out = 0
    for tick, chord in sorted(chords.items()):
        taken: set[int] = set()
        for hit in sorted(chord, key=precedence):
            where = LANE_OF[hit.drum]
            full = where is not None and where[0] != KICK and len(taken - {KICK}) == HANDS
            lane = _free(where, taken) if where and not full else None
            if where is None or lane is None:
                left_out += 1
                continue
            taken.add(lane)
            marked: Mark = "" if lane == KICK else mark(hit, limits)
            gems.append((Gem(tick, lane, where[1], marked, flam=hit in flams), hit.time))
    gems.sort()
    doubled = _double_kicks(gems)
    return Charted(tuple(gem for gem, _ in doubled), tuple(time for _, time in doubled), left_out)


def precedence(hit: Hit) -> tuple[int, int]:
    """Sort key: the strokes of a chord take their lanes in this order."""
    return -_LET_GO.index(family) if (family := DRUMS[hit.drum].family) in _LET_GO else 0, -hit.velocity


def _free(where: tuple[int, bool], taken: set[int]) -> int | None:
    lane, _ = where
    if lane not in taken:
        return lane
    if lane in (KICK, RED):  # a rim and a head struck together are one snare
        return None
    return next((other for other in (BLUE, GREEN, YELLOW) if other not in taken), None)


def _double_kicks(gems: list[tuple[Gem, float]]) -> list[tuple[Gem, float]]:
    marked = []
    last, second = -1.0, False
    for gem, time in gems:
        if gem.lane == KICK:
            second = last >= 0 and time - last < DOUBLE_KICK and not second
            last = time
            gem = replace(gem, double=second)
        marked.append((gem, time))
    return marked


def thin(charted: Charted, difficulty: Difficulty, resolution: int) -> list[Gem]:
    """Reduce a chart to an easier difficulty: a subset of the gems of the next harder one.

    Double kicks are removed below Expert, ghost notes below Hard; of two chords that are too close, the one
    on the stronger beat stays.
    """
    if difficulty == "Expert":
        return list(charted.gems)
    harder = DIFFICULTIES[DIFFICULTIES.index(difficulty) - 1]
    keep = set(thin(charted, harder, resolution))
    times = {gem.tick: time for gem, time in zip(charted.gems, charted.seconds, strict=True)}
    keep = {gem for gem in keep if not gem.double and not (gem.mark == "ghost" and difficulty != "Hard")}
    hands = _spaced(
        _chords(gem for gem in keep if gem.lane != KICK), times, LEAST_GAP[difficulty], resolution
    )
    kicks = _spaced(_chords(gem for gem in keep if gem.lane == KICK), times, KICK_GAP[difficulty], resolution)
    most = MOST_HANDS[difficulty]
    kept = [gem for tick in hands for gem in sorted(hands[tick], key=_importance)[:most]]
    if difficulty == "Easy":  # one limb at a time on Easy
        struck = {gem.tick for gem in kept}
        kicks = {tick: chord for tick, chord in kicks.items() if tick not in struck}
    return sorted([*kept, *(gem for chord in kicks.values() for gem in chord)])


def _chords(gems: Iterable[Gem]) -> dict[int, list[Gem]]:
    chords: dict[int, list[Gem]] = {}
    for gem in sorted(gems):
        chords.setdefault(gem.tick, []).append(gem)
    return chords


def _importance(gem: Gem) -> tuple[bool, int]:
    return gem.lane != RED, -gem.lane  # the backbeat first, then crash, ride, hi-hat


def _strength(tick: int, resolution: int) -> int:
    """Metrical level: 0 on a beat, 1 on its half, 2 on its quarters and thirds, 3 elsewhere."""
    parts = (resolution, resolution // 2, resolution // 4, resolution // 3)
    return next((max(0, i - (i == 3)) for i, part in enumerate(parts) if tick % part == 0), 3)


def _spaced(
    chords: dict[int, list[Gem]], times: Mapping[int, float], gap: float, resolution: int
) -> dict[int, list[Gem]]:
    kept: list[int] = []
    for tick in chords:
        while kept and times[tick] - times[kept[-1]] < gap:
            if _strength(kept[-1], resolution) <= _strength(tick, resolution):
                break
            kept.pop()
        else:
            kept.append(tick)
    return {tick: chords[tick] for tick in kept}
