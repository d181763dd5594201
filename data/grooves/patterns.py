"""Generated grooves, balanced so that each of the 26 classes is frequent enough to be learnt.

A take consists of sections of a few bars from one groove of `written`, with fills, crashes and a change of
timekeeper between sections; rare classes are featured on purpose. About one take in three is something else:
random rhythms of random drums, solos, percussion, swells, or a few single strokes.
"""

from __future__ import annotations

import numpy as np

from data.grooves.bars import (
    DRAG_SECONDS,
    TOM_HEADS,
    Stroke,
    make_section,
    pick_featured,
    play_bar,
    play_crash,
    play_fill,
    random_line,
    two_hands,
)
from data.grooves.config import TAKES, HandsConfig, TakeConfig
from data.grooves.performance import Performance
from data.grooves.variations import vary
from data.grooves.written import GROOVES, Groove
from tokenizer.drums import CLASS_INDEX, DRUMS, NUM_CLASSES
from tokenizer.hits import Hit

__all__ = ["Performance", "generate", "vary"]

WEIGHTS = np.array([groove.weight for groove in GROOVES]) / sum(groove.weight for groove in GROOVES)


def generate(rng: np.random.Generator, seconds: float, config: TakeConfig = TAKES) -> Performance:
    """Generate a take of ``seconds``. Equal generator states give equal takes."""
    if not seconds > 0:
        raise ValueError(f"generate: length {seconds} s is not positive")
    kinds = (_groove_take, _random_take, _solo_take, _percussion_take, _swell_take, _sparse_take)
    take = kinds[rng.choice(len(kinds), p=config.kinds)]
    style, bpm, swing, grid, events = take(rng, seconds, config)
    hits = perform(events, bpm, swing, grid, seconds, rng, config.hands)
    number = int(rng.integers(1 << 48))
    return Performance(f"{style.replace(' ', '-')}-{number:012x}", "train", "generated", "CC0-1.0", bpm, hits)


Take = tuple[str, float, float, float, list[Stroke]]  # style, bpm, swing, beats per step, events


def _groove_take(rng: np.random.Generator, seconds: float, config: TakeConfig) -> Take:
    groove = GROOVES[rng.choice(len(GROOVES), p=WEIGHTS)]
    bpm = float(rng.uniform(*groove.bpm) * rng.uniform(*config.tempo_spread))
    featured = pick_featured(rng, int(rng.integers(*config.featured)))
    bars = int(np.ceil(seconds * bpm / 60 / groove.beats)) + 2
    offset = -float(rng.uniform(0, groove.beats))
    events: list[Stroke] = []
    bar = 0
    while bar < bars:
        length = int(rng.choice(config.sections))
        section = make_section(groove, featured, rng, config.bars)
        for number in range(min(length, bars - bar)):
            start = offset + (bar + number) * groove.beats
            fill_beats = 0.0
            if number == length - 1 and rng.random() < config.fill:
                fill_beats = min(float(rng.choice((*config.fill_beats, groove.beats))), groove.beats)
            events += play_bar(section, groove, start, fill_beats, rng, config.bars)
            if fill_beats:
                events += play_fill(
                    start + groove.beats - fill_beats, fill_beats, featured, rng, config.fills
                )
        if rng.random() < config.crash:
            events += play_crash(offset + bar * groove.beats, featured, rng, config.fills)
        bar += length
    if rng.random() < config.playable:
        events = two_hands(events)
    return groove.style, bpm, float(rng.uniform(*groove.swing)), groove.beats / groove.steps, events


def _random_take(rng: np.random.Generator, seconds: float, config: TakeConfig) -> Take:
    """Random rhythms of a few random classes, on a grid or free, without a groove to guess from."""
    bpm = float(rng.uniform(*config.random_tempo))
    step = float(rng.choice((1, 0.5, 0.5, 1 / 3, 0.25, 0.25)))
    step = max(step, 0.06 * bpm / 60)
    drums = rng.choice(NUM_CLASSES, int(rng.integers(2, 9)), replace=False)
    density = rng.uniform(*config.random_density)
    wander = rng.uniform(*config.random_wander) if rng.random() < config.random_free else 0.0
    loud = rng.uniform(*config.random_loud)
    events: list[Stroke] = []
    for i in range(int(seconds * bpm / 60 / step) + 1):
        for drum in drums[rng.random(drums.size) < density]:
            beat = (i + rng.uniform(-wander, wander)) * step
            velocity = float(np.clip(rng.normal(loud, config.random_spread), 6, 127))
            events.append((beat, int(drum), velocity))
    return "random", bpm, 0.5, step, events


def _solo_take(rng: np.random.Generator, seconds: float, config: TakeConfig) -> Take:
    """One fill after another."""
    bpm = float(rng.uniform(*config.solo_tempo))
    events: list[Stroke] = []
    featured = pick_featured(rng, 5)
    beat = 0.0
    while beat < seconds * bpm / 60:
        length = float(rng.choice((1, 2, 2, 4)))
        if rng.random() < config.solo_fill:
            events += play_fill(beat, length, featured, rng, config.fills)
        if rng.random() < config.solo_crash:
            events += play_crash(beat + length, featured, rng, config.fills)
        beat += length
    return "solo", bpm, 0.5, 0.25, events


def _percussion_take(rng: np.random.Generator, seconds: float, config: TakeConfig) -> Take:
    """Tambourine, shaker, clap, cowbell, rims and cross-stick without the rest of the kit."""
    bpm = float(rng.uniform(*config.percussion_tempo))
    names = ("aux1", "aux2", "snare_cross_stick", "tom1_rim", "floor_tom_rim", "hihat_pedal", "ride_bell")
    drums = [CLASS_INDEX[name] for name in rng.choice(names, int(rng.integers(1, 4)), replace=False)]
    lines = [(random_line(16, 4, rng), drum) for drum in drums]
    events: list[Stroke] = []
    groove = Groove("percussion", 4, (70, 150), (0.5, 0.6), (("A", ("." * 16,)),))
    for bar in range(int(seconds * bpm / 240) + 1):
        events += play_bar(lines, groove, bar * 4.0, 0.0, rng, config.bars)
    return "percussion", bpm, float(rng.uniform(0.5, 0.6)), 0.25, events


def _swell_take(rng: np.random.Generator, seconds: float, config: TakeConfig) -> Take:
    """Crescendo rolls that end in an accent, on cymbals, toms or snare, over a sparse pulse."""
    bpm = float(rng.uniform(*config.slow_tempo))
    cymbals = [drum.index for drum in DRUMS if drum.family in ("crash", "ride")]
    beat, total = float(rng.uniform(0, 2)), seconds * bpm / 60
    events: list[Stroke] = []
    while beat < total:
        skins = [*TOM_HEADS, CLASS_INDEX["snare_head"]]
        drum = int(rng.choice(cymbals if rng.random() < config.swell_cymbals else skins))
        length, rate = float(rng.choice((2, 4, 4, 8))), int(rng.choice((4, 6, 8)))
        count = int(length * rate)
        low, high = rng.uniform(*config.swell_low), rng.uniform(*config.swell_high)
        for i in range(count):
            events.append((beat + i / rate, drum, float(low + (high - low) * (i / count) ** 1.5)))
        events += play_crash(beat + length, (), rng, config.fills)
        beat += length + float(rng.choice((0, 2, 4)))
    return "swell", bpm, 0.5, 0.25, events


def _sparse_take(rng: np.random.Generator, seconds: float, config: TakeConfig) -> Take:
    """Occasional strokes, or none."""
    bpm = float(rng.uniform(*config.slow_tempo))
    count = int(rng.integers(0, 1 + max(2, int(seconds / 2))))
    beats = np.sort(rng.uniform(0, seconds * bpm / 60, count))
    events = [(float(b), int(rng.integers(NUM_CLASSES)), float(rng.uniform(15, 125))) for b in beats]
    return "sparse", bpm, 0.5, 0.25, events


def perform(
    events: list[Stroke],
    bpm: float,
    swing: float,
    grid: float,
    seconds: float,
    rng: np.random.Generator,
    config: HandsConfig,
) -> tuple[Hit, ...]:
    """Beats to seconds with swing, tempo drift, timing and velocity spread, and a constant offset per
    limb."""
    exact = rng.random() < config.tight
    tight = rng.uniform(*(config.tight_spread if exact else config.loose_spread))
    lean = rng.normal(0.0, tight / 2, NUM_CLASSES)
    spread = rng.uniform(*config.velocity_spread)
    scale = float(np.clip(rng.normal(*config.scale), *config.scale_limits))
    drift, phase = rng.uniform(*config.drift), rng.uniform(0, 2 * np.pi)
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
            gap = DRAG_SECONDS if graces == 2 else rng.uniform(*config.grace_gap)
            hits += _hit(time - grace * gap, drum, velocity * rng.uniform(*config.grace_level), seconds)
        hits += _hit(time, drum, velocity, seconds)
    return tuple(sorted(hits))


def _hit(time: float, drum: int, velocity: float, seconds: float) -> list[Hit]:
    if not 0 <= time < seconds:
        return []
    return [Hit(float(time), drum, int(np.clip(round(velocity), 3, 127)))]
