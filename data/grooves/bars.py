"""The bars of generated grooves: classes of each role, fills, crashes, and what two hands can play."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.grooves.config import BarConfig, FillConfig
from data.grooves.written import Groove
from tokenizer.drums import CLASS_INDEX, DRUMS

Stroke = tuple[float, int, float]  # beat, class, velocity

VELOCITY = {"X": 112.0, "x": 88.0, "o": 58.0, "g": 32.0, "?": 45.0, "f": 104.0, "d": 98.0, "z": 80.0}
COMMON = ("kick", "snare_head", "hihat_closed")
TIMEKEEPERS = {
    "hihat_closed": 6.0,
    "hihat_closed_edge": 4.0,
    "hihat_open": 1.2,
    "hihat_open_edge": 1.4,
    "hihat_pedal": 0.4,
    "ride": 4.0,
    "ride_bell": 1.0,
    "ride_edge": 1.0,
    "crash1": 0.5,
    "crash1_edge": 0.5,
    "crash2": 0.5,
    "crash2_edge": 0.5,
    "floor_tom_head": 0.5,
    "floor_tom_rim": 0.5,
    "aux1": 0.4,
    "aux2": 0.4,
}
ROLES = {
    "K": {"kick": 1.0},
    "S": {"snare_head": 8.0, "snare_rim": 1.2, "snare_cross_stick": 1.0},
    "X": {"snare_cross_stick": 8.0, "snare_rim": 1.0, "aux2": 0.5},
    "G": {"snare_head": 1.0},
    "T": TIMEKEEPERS,
    "H": {"hihat_closed": 2.0, "hihat_closed_edge": 1.5},
    "P": {"hihat_pedal": 1.0},
    "O": {"hihat_open": 1.0, "hihat_open_edge": 1.0},
    "B": {"ride_bell": 3.0, "aux2": 1.0},
    "Y": {"crash1": 1.0, "crash1_edge": 1.0, "crash2": 1.0, "crash2_edge": 1.0},
    "A": {"aux1": 1.0},
    "C": {"aux2": 3.0, "ride_bell": 1.0},
    "F": {"floor_tom_head": 4.0, "tom3_head": 1.5, "tom2_head": 0.5, "tom1_head": 0.5},
}
TOM_HEADS = tuple(drum.index for drum in DRUMS if drum.family == "tom" and drum.name.endswith("head"))
TOM_RIMS = tuple(drum.index for drum in DRUMS if drum.family == "tom" and drum.name.endswith("rim"))
CRASHES = tuple(drum.index for drum in DRUMS if drum.family == "crash")
FEET = frozenset(CLASS_INDEX[name] for name in ("kick", "hihat_pedal", "aux1", "aux2"))
# What the two hands let go of last when more than two strokes fall together.
HAND_ORDER = ("snare", "rim", "crash", "tom", "ride", "hihat")
DRAG_SECONDS = 0.045


def pick_featured(rng: np.random.Generator, count: int) -> list[int]:
    """Draw the (rare) classes that a take features."""
    rare = [drum.index for drum in DRUMS if drum.name not in COMMON]
    return [int(drum) for drum in rng.choice(rare, count, replace=False)]


Section = list[tuple[str, int]]  # one line of steps per class; class -1 is the toms


def make_section(
    groove: Groove, featured: Sequence[int], rng: np.random.Generator, config: BarConfig
) -> Section:
    """One alternative per part; then the featured classes take over the time, the backbeat, or a line of
    their own."""
    lines: list[tuple[str, str, int]] = []
    for role, alternatives in groove.parts:
        lines.append((role, alternatives[rng.integers(len(alternatives))], _cast(role, rng)))
    if rng.random() < config.part_missing:
        lines.pop(int(rng.integers(len(lines))))
    for drum in featured:
        family = DRUMS[drum].family
        taking = [i for i, (role, _, _) in enumerate(lines) if role in _takes(family)]
        if taking and rng.random() < config.takes_over:
            role, steps, _ = lines[taking[rng.integers(len(taking))]]
            lines = [line for line in lines if line[:2] != (role, steps)] + [(role, steps, drum)]
        elif rng.random() < config.own_line:
            lines.append(("", random_line(groove.steps, groove.beats, rng), drum))
    return [(steps, drum) for _, steps, drum in lines]


def _takes(family: str) -> str:
    """The roles that a featured class of a family may replace."""
    return {"rim": "SX", "hihat": "TH", "tom": "MTF", "crash": "TY", "ride": "TH", "aux": "TAC"}.get(
        family, ""
    )


def _cast(role: str, rng: np.random.Generator) -> int:
    if role == "M":
        return -1
    names = ROLES[role]
    weights = np.array(list(names.values()))
    return CLASS_INDEX[list(names)[rng.choice(len(weights), p=weights / weights.sum())]]


def random_line(steps: int, beats: float, rng: np.random.Generator) -> str:
    """A line for one drum: on the beats, off the beats, every eighth or spread evenly (a Euclidean
    rhythm)."""
    per_beat = max(1, round(steps / beats))
    kind = rng.integers(4)
    if kind == 0:
        return "".join("X" if i % per_beat == 0 else "." for i in range(steps))
    if kind == 1:
        return "".join("x" if i % per_beat == per_beat // 2 else "." for i in range(steps))
    if kind == 2:
        gap = max(1, per_beat // 2)
        return "".join("Xo"[(i // gap) % 2] if i % gap == 0 else "." for i in range(steps))
    pulses, turn = int(rng.integers(1, max(2, steps // 2))), int(rng.integers(steps))
    struck = {(int(i * steps / pulses) + turn) % steps for i in range(pulses)}
    return "".join("x" if i in struck else "." for i in range(steps))


def play_bar(
    section: Section,
    groove: Groove,
    start: float,
    fill_beats: float,
    rng: np.random.Generator,
    config: BarConfig,
) -> list[Stroke]:
    """One bar starting at beat `start`, without the `fill_beats` at its end."""
    step = groove.beats / groove.steps
    last = groove.beats - fill_beats - 1e-6
    events: list[Stroke] = []
    for steps, drum in section:
        for i, mark in enumerate(steps):
            if mark == "." or i * step >= last or (mark == "?" and rng.random() < config.optional):
                continue
            if rng.random() < config.left_out:
                continue
            struck = drum
            if drum < 0:
                struck = int(rng.choice(TOM_HEADS if rng.random() < config.tom_heads else TOM_RIMS))
            events += _ornament(start + i * step, struck, mark, step)
    return events


def _ornament(beat: float, drum: int, mark: str, step: float) -> list[Stroke]:
    """The stroke of one mark with its grace notes (as negative velocities, since seconds are not known
    yet)."""
    velocity = VELOCITY[mark]
    if mark == "z":
        return [(beat, drum, velocity), (beat + step / 2, drum, velocity * 0.8)]
    if mark in "fd" and drum not in FEET:
        return [(beat, drum, -velocity if mark == "f" else -velocity - 1000)]
    return [(beat, drum, velocity)]


def play_fill(
    start: float, beats: float, featured: Sequence[int], rng: np.random.Generator, config: FillConfig
) -> list[Stroke]:
    """A fill: runs round the toms, snare and rims, in 8ths to 32nds and triplets, sometimes with kicks
    between."""
    division = int(rng.choice(config.divisions))
    toms = list(TOM_HEADS)
    pool = [CLASS_INDEX["snare_head"], *toms]
    chance = rng.random()
    if chance < config.rims:
        pool = [int(rng.choice(TOM_RIMS)) if rng.random() < config.rim else drum for drum in pool]
    elif chance < config.rims + config.snare_alone:
        pool = [CLASS_INDEX["snare_head"]]
    pool += [drum for drum in featured if DRUMS[drum].family in ("tom", "rim", "aux", "crash")]
    count = max(1, int(beats * division))
    run = np.minimum(np.arange(count) * len(pool) // count, len(pool) - 1)
    if rng.random() < config.scattered:
        run = rng.integers(len(pool), size=count)
    rising = rng.random() < config.growing
    events: list[Stroke] = []
    for i in range(count):
        if rng.random() < config.left_out:
            continue
        velocity = 70 + 45 * i / count if rising else float(rng.choice(config.velocities))
        drum = pool[int(run[i])]
        if rng.random() < config.kicked:
            drum = CLASS_INDEX["kick"]
        grace = rng.random() < config.graced and drum not in FEET
        events.append((start + i / division, drum, -velocity if grace else velocity))
    return events


def play_crash(
    beat: float, featured: Sequence[int], rng: np.random.Generator, config: FillConfig
) -> list[Stroke]:
    """A crash, usually with a kick; occasionally two crashes."""
    wanted = [drum for drum in featured if DRUMS[drum].family == "crash"]
    drum = int(rng.choice(wanted or CRASHES))
    events: list[Stroke] = [(beat, drum, float(rng.uniform(*config.crash)))]
    if rng.random() < config.crash_kicked:
        events.append((beat, CLASS_INDEX["kick"], 110.0))
    if rng.random() < config.crash_doubled:
        events.append((beat, int(rng.choice([c for c in CRASHES if c != drum])), 110.0))
    return events


def two_hands(events: list[Stroke]) -> list[Stroke]:
    """Of simultaneous strokes, keep those of the feet and shakers and at most two of the hands."""
    kept: list[Stroke] = []
    hands: dict[int, int] = {}
    order = {family: rank for rank, family in enumerate(HAND_ORDER)}
    for event in sorted(events, key=lambda e: (e[0], order.get(DRUMS[e[1]].family, 9))):
        instant = round(event[0] * 96)
        if event[1] not in FEET:
            hands[instant] = hands.get(instant, 0) + 1
            if hands[instant] > 2:
                continue
        kept.append(event)
    return kept
