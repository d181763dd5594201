"""Grooves made up on the spot, balanced so that every one of the 26 classes is played often enough to be
learnt.

A take is sections of a few bars from one groove of `written`, with fills, crashes and other timekeepers
from section to section; rare classes are featured on purpose. One take in four is something else: random
rhythms of random drums, solos, percussion alone, swells, or hardly anything at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.grooves.performance import Performance
from data.grooves.variations import vary
from data.grooves.written import GROOVES, Groove
from tokenizer.drums import CLASS_INDEX, DRUMS, NUM_CLASSES
from tokenizer.hits import Hit

__all__ = ["Performance", "generate", "vary"]

Stroke = tuple[float, int, float]  # beat, class, velocity

VELOCITY = {"X": 112.0, "x": 88.0, "o": 58.0, "g": 32.0, "?": 45.0, "f": 104.0, "d": 98.0, "z": 80.0}
COMMON = ("kick", "snare_head", "hihat_closed")
TIMEKEEPERS = {
    "hihat_closed": 6.0, "hihat_closed_edge": 4.0, "hihat_open": 1.2, "hihat_open_edge": 1.4,
    "hihat_pedal": 0.4, "ride": 4.0, "ride_bell": 1.0, "ride_edge": 1.0, "crash1": 0.5, "crash1_edge": 0.5,
    "crash2": 0.5, "crash2_edge": 0.5, "floor_tom_head": 0.5, "floor_tom_rim": 0.5, "aux1": 0.4, "aux2": 0.4,
}  # fmt: skip
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
WEIGHTS = np.array([groove.weight for groove in GROOVES]) / sum(groove.weight for groove in GROOVES)


def generate(rng: np.random.Generator, seconds: float) -> Performance:
    """A made-up take of ``seconds``. The same generator state gives the same take."""
    if not seconds > 0:
        raise ValueError(f"generate: length {seconds} s is not positive")
    kinds = (_groove_take, _random_take, _solo_take, _percussion_take, _swell_take, _sparse_take)
    take = kinds[rng.choice(len(kinds), p=(0.66, 0.14, 0.08, 0.04, 0.04, 0.04))]
    style, bpm, swing, grid, events = take(rng, seconds)
    hits = _play(events, bpm, swing, grid, seconds, rng)
    number = int(rng.integers(1 << 48))
    return Performance(f"{style.replace(' ', '-')}-{number:012x}", "train", "generated", "CC0-1.0", bpm, hits)


Take = tuple[str, float, float, float, list[Stroke]]  # style, bpm, swing, beats per step, events


def _groove_take(rng: np.random.Generator, seconds: float) -> Take:
    groove = GROOVES[rng.choice(len(GROOVES), p=WEIGHTS)]
    bpm = float(rng.uniform(*groove.bpm) * rng.uniform(0.92, 1.08))
    featured = _featured(rng, int(rng.integers(1, 5)))
    bars = int(np.ceil(seconds * bpm / 60 / groove.beats)) + 2
    offset = -float(rng.uniform(0, groove.beats))
    events: list[Stroke] = []
    bar = 0
    while bar < bars:
        length = int(rng.choice((1, 2, 4, 4, 8)))
        section = _section(groove, featured, rng)
        for number in range(min(length, bars - bar)):
            start = offset + (bar + number) * groove.beats
            fill_beats = 0.0
            if number == length - 1 and rng.random() < 0.65:
                fill_beats = min(float(rng.choice((0.5, 1, 1, 2, 2, groove.beats))), groove.beats)
            events += _bar(section, groove, start, fill_beats, rng)
            if fill_beats:
                events += _fill(start + groove.beats - fill_beats, fill_beats, featured, rng)
        if rng.random() < 0.6:
            events += _crash(offset + bar * groove.beats, featured, rng)
        bar += length
    if rng.random() < 0.75:
        events = _two_hands(events)
    return groove.style, bpm, float(rng.uniform(*groove.swing)), groove.beats / groove.steps, events


def _featured(rng: np.random.Generator, count: int) -> list[int]:
    rare = [drum.index for drum in DRUMS if drum.name not in COMMON]
    return [int(drum) for drum in rng.choice(rare, count, replace=False)]


Section = list[tuple[str, int]]  # one line of steps per class; class -1 is the toms


def _section(groove: Groove, featured: Sequence[int], rng: np.random.Generator) -> Section:
    """One alternative per part; then the featured classes take over the time, the backbeat, or a line of
    their own."""
    lines: list[tuple[str, str, int]] = []
    for role, alternatives in groove.parts:
        lines.append((role, alternatives[rng.integers(len(alternatives))], _cast(role, rng)))
    if rng.random() < 0.08:  # somebody drops out
        lines.pop(int(rng.integers(len(lines))))
    for drum in featured:
        family = DRUMS[drum].family
        taking = [i for i, (role, _, _) in enumerate(lines) if role in _takes(family)]
        if taking and rng.random() < 0.6:
            role, steps, _ = lines[taking[rng.integers(len(taking))]]
            lines = [line for line in lines if line[:2] != (role, steps)] + [(role, steps, drum)]
        elif rng.random() < 0.8:
            lines.append(("", _line(groove.steps, groove.beats, rng), drum))
    return [(steps, drum) for _, steps, drum in lines]


def _takes(family: str) -> str:
    """The roles a featured class of a family may take over."""
    return {"rim": "SX", "hihat": "TH", "tom": "MTF", "crash": "TY", "ride": "TH", "aux": "TAC"}.get(
        family, ""
    )


def _cast(role: str, rng: np.random.Generator) -> int:
    if role == "M":
        return -1
    names = ROLES[role]
    weights = np.array(list(names.values()))
    return CLASS_INDEX[list(names)[rng.choice(len(weights), p=weights / weights.sum())]]


def _line(steps: int, beats: float, rng: np.random.Generator) -> str:
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


def _bar(
    section: Section, groove: Groove, start: float, fill_beats: float, rng: np.random.Generator
) -> list[Stroke]:
    step = groove.beats / groove.steps
    last = groove.beats - fill_beats - 1e-6
    events: list[Stroke] = []
    for steps, drum in section:
        for i, mark in enumerate(steps):
            if mark == "." or i * step >= last or (mark == "?" and rng.random() < 0.5) or rng.random() < 0.02:
                continue
            struck = drum if drum >= 0 else int(rng.choice(TOM_HEADS if rng.random() < 0.8 else TOM_RIMS))
            events += _ornament(start + i * step, struck, mark, step)
    return events


def _ornament(beat: float, drum: int, mark: str, step: float) -> list[Stroke]:
    """The stroke of one mark, with its grace notes (kept as negative velocities: seconds are known later)."""
    velocity = VELOCITY[mark]
    if mark == "z":
        return [(beat, drum, velocity), (beat + step / 2, drum, velocity * 0.8)]
    if mark in "fd" and drum not in FEET:
        return [(beat, drum, -velocity if mark == "f" else -velocity - 1000)]
    return [(beat, drum, velocity)]


def _fill(start: float, beats: float, featured: Sequence[int], rng: np.random.Generator) -> list[Stroke]:
    """A fill: runs round the toms, snare and rims, in 8ths to 32nds and triplets, sometimes with kicks
    between."""
    division = int(rng.choice((2, 3, 4, 4, 4, 6, 8)))
    toms = list(TOM_HEADS)
    pool = [CLASS_INDEX["snare_head"], *toms]
    chance = rng.random()
    if chance < 0.25:
        pool = [int(rng.choice(TOM_RIMS)) if rng.random() < 0.5 else drum for drum in pool]
    elif chance < 0.45:
        pool = [CLASS_INDEX["snare_head"]]
    pool += [drum for drum in featured if DRUMS[drum].family in ("tom", "rim", "aux", "crash")]
    count = max(1, int(beats * division))
    run = np.minimum(np.arange(count) * len(pool) // count, len(pool) - 1)
    if rng.random() < 0.35:
        run = rng.integers(len(pool), size=count)
    rising = rng.random() < 0.5
    events: list[Stroke] = []
    for i in range(count):
        if rng.random() < 0.12:
            continue
        velocity = 70 + 45 * i / count if rising else float(rng.choice((70, 95, 115)))
        drum = pool[int(run[i])]
        if rng.random() < 0.12:
            drum = CLASS_INDEX["kick"]
        grace = rng.random() < 0.06 and drum not in FEET
        events.append((start + i / division, drum, -velocity if grace else velocity))
    return events


def _crash(beat: float, featured: Sequence[int], rng: np.random.Generator) -> list[Stroke]:
    wanted = [drum for drum in featured if DRUMS[drum].family == "crash"]
    drum = int(rng.choice(wanted or CRASHES))
    events: list[Stroke] = [(beat, drum, float(rng.uniform(85, 125)))]
    if rng.random() < 0.8:
        events.append((beat, CLASS_INDEX["kick"], 110.0))
    if rng.random() < 0.1:
        events.append((beat, int(rng.choice([c for c in CRASHES if c != drum])), 110.0))
    return events


def _two_hands(events: list[Stroke]) -> list[Stroke]:
    """Of strokes on one instant, keeps all feet and shakers and at most two of the hands'."""
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


def _random_take(rng: np.random.Generator, seconds: float) -> Take:
    """Random rhythms of a few random classes, on a grid or free: no groove to guess from."""
    bpm = float(rng.uniform(60, 200))
    step = float(rng.choice((1, 0.5, 0.5, 1 / 3, 0.25, 0.25)))
    step = max(step, 0.06 * bpm / 60)
    drums = rng.choice(NUM_CLASSES, int(rng.integers(2, 9)), replace=False)
    density = rng.uniform(0.1, 0.45)
    wander = rng.uniform(0, 0.5) if rng.random() < 0.3 else 0.0
    loud = rng.uniform(60, 105)
    events: list[Stroke] = []
    for i in range(int(seconds * bpm / 60 / step) + 1):
        for drum in drums[rng.random(drums.size) < density]:
            beat = (i + rng.uniform(-wander, wander)) * step
            events.append((beat, int(drum), float(np.clip(rng.normal(loud, 25), 6, 127))))
    return "random", bpm, 0.5, step, events


def _solo_take(rng: np.random.Generator, seconds: float) -> Take:
    """One fill after the other."""
    bpm = float(rng.uniform(70, 170))
    events: list[Stroke] = []
    featured = _featured(rng, 5)
    beat = 0.0
    while beat < seconds * bpm / 60:
        length = float(rng.choice((1, 2, 2, 4)))
        if rng.random() < 0.85:
            events += _fill(beat, length, featured, rng)
        if rng.random() < 0.4:
            events += _crash(beat + length, featured, rng)
        beat += length
    return "solo", bpm, 0.5, 0.25, events


def _percussion_take(rng: np.random.Generator, seconds: float) -> Take:
    """Tambourine, shaker, clap, cowbell, rims and sticks without a kit."""
    bpm = float(rng.uniform(70, 150))
    names = ("aux1", "aux2", "snare_cross_stick", "tom1_rim", "floor_tom_rim", "hihat_pedal", "ride_bell")
    drums = [CLASS_INDEX[name] for name in rng.choice(names, int(rng.integers(1, 4)), replace=False)]
    lines = [(_line(16, 4, rng), drum) for drum in drums]
    events: list[Stroke] = []
    groove = Groove("percussion", 4, (70, 150), (0.5, 0.6), (("A", ("." * 16,)),))
    for bar in range(int(seconds * bpm / 240) + 1):
        events += _bar(lines, groove, bar * 4.0, 0.0, rng)
    return "percussion", bpm, float(rng.uniform(0.5, 0.6)), 0.25, events


def _swell_take(rng: np.random.Generator, seconds: float) -> Take:
    """Rolls that grow and end in an accent, on cymbals, toms or snare, over a sparse pulse."""
    bpm = float(rng.uniform(60, 120))
    cymbals = [drum.index for drum in DRUMS if drum.family in ("crash", "ride")]
    beat, total = float(rng.uniform(0, 2)), seconds * bpm / 60
    events: list[Stroke] = []
    while beat < total:
        drum = int(rng.choice(cymbals if rng.random() < 0.6 else [*TOM_HEADS, CLASS_INDEX["snare_head"]]))
        length, rate = float(rng.choice((2, 4, 4, 8))), int(rng.choice((4, 6, 8)))
        count = int(length * rate)
        low, high = rng.uniform(12, 40), rng.uniform(70, 120)
        for i in range(count):
            events.append((beat + i / rate, drum, float(low + (high - low) * (i / count) ** 1.5)))
        events += _crash(beat + length, (), rng)
        beat += length + float(rng.choice((0, 2, 4)))
    return "swell", bpm, 0.5, 0.25, events


def _sparse_take(rng: np.random.Generator, seconds: float) -> Take:
    """A stroke now and then, or none at all."""
    bpm = float(rng.uniform(60, 120))
    count = int(rng.integers(0, 1 + max(2, int(seconds / 2))))
    beats = np.sort(rng.uniform(0, seconds * bpm / 60, count))
    events = [(float(b), int(rng.integers(NUM_CLASSES)), float(rng.uniform(15, 125))) for b in beats]
    return "sparse", bpm, 0.5, 0.25, events


def _play(
    events: list[Stroke], bpm: float, swing: float, grid: float, seconds: float, rng: np.random.Generator
) -> tuple[Hit, ...]:
    """Beats to seconds as a person would: swing, drifting tempo, loose timing and dynamics, a lean per
    limb."""
    tight = rng.uniform(0.0, 0.012) if rng.random() < 0.85 else rng.uniform(0.012, 0.03)
    lean = rng.normal(0.0, tight / 2, NUM_CLASSES)
    spread = rng.uniform(2.0, 14.0)
    scale = float(np.clip(rng.normal(0.92, 0.2), 0.4, 1.2))
    drift, phase = rng.uniform(0.0, 0.012), rng.uniform(0, 2 * np.pi)
    hits: list[Hit] = []
    for beat, drum, marked in events:
        pair = 2 * grid
        within = (beat % pair) / pair
        warped = within * 2 * swing if within < 0.5 else swing + (within - 0.5) * 2 * (1 - swing)
        time = (beat - beat % pair + warped * pair) * 60 / bpm
        time += drift * np.sin(phase + 2 * np.pi * time / 15) * 2 + lean[drum] + rng.normal(0.0, tight)
        graces = 0 if marked > 0 else 1 if marked > -1000 else 2
        velocity = (marked if graces == 0 else -marked - (1000 if graces == 2 else 0)) * scale + rng.normal(
            0, spread
        )
        for grace in range(graces, 0, -1):
            gap = DRAG_SECONDS if graces == 2 else rng.uniform(0.022, 0.045)
            hits += _hit(time - grace * gap, drum, velocity * rng.uniform(0.3, 0.6), seconds)
        hits += _hit(time, drum, velocity, seconds)
    return tuple(sorted(hits))


def _hit(time: float, drum: int, velocity: float, seconds: float) -> list[Hit]:
    if not 0 <= time < seconds:
        return []
    return [Hit(float(time), drum, int(np.clip(round(velocity), 3, 127)))]
