"""Variations of a take: other drums, tempo, dynamics, fewer or more players."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data.grooves.config import VARIATIONS, VaryConfig
from data.grooves.performance import Performance
from tokenizer.drums import CLASS_INDEX, DRUMS, NUM_CLASSES
from tokenizer.hits import Hit

# Within a line the first class is played by one of the others, as a drummer would move the part.
SWAPS: tuple[tuple[str, ...], ...] = (
    ("hihat_closed", "ride", "hihat_closed_edge", "ride_bell", "hihat_open", "aux1", "floor_tom_rim"),
    ("hihat_closed_edge", "ride", "hihat_closed", "ride_edge", "hihat_open_edge", "crash1"),
    ("hihat_open", "hihat_open_edge", "hihat_closed", "crash2", "ride_edge"),
    ("hihat_open_edge", "hihat_open", "crash1_edge", "hihat_closed_edge", "crash2_edge"),
    ("hihat_pedal", "hihat_closed", "aux1", "aux2"),
    ("snare_head", "snare_cross_stick", "snare_rim", "tom1_head", "floor_tom_head", "tom1_rim"),
    ("snare_rim", "snare_head", "snare_cross_stick", "tom2_rim"),
    ("snare_cross_stick", "snare_rim", "aux2", "tom3_rim"),
    ("tom1_head", "tom2_head", "tom1_rim", "tom3_head"),
    ("tom2_head", "tom1_head", "tom2_rim", "floor_tom_head"),
    ("tom3_head", "floor_tom_head", "tom3_rim", "tom2_head"),
    ("floor_tom_head", "tom3_head", "floor_tom_rim"),
    ("crash1", "crash1_edge", "crash2", "crash2_edge"),
    ("crash1_edge", "crash1", "crash2_edge"),
    ("crash2", "crash2_edge", "crash1"),
    ("crash2_edge", "crash2", "crash1_edge"),
    ("ride", "hihat_closed", "ride_edge", "ride_bell", "crash2", "hihat_open"),
    ("ride_edge", "crash2", "ride", "crash1_edge"),
    ("ride_bell", "ride", "aux2", "ride_edge"),
)
KEPT_FAMILIES = ("kick", "snare")
WASH = ("crash1", "crash1_edge", "crash2", "crash2_edge", "hihat_open", "hihat_open_edge")
TIME = frozenset(CLASS_INDEX[name] for name in ("hihat_closed", "hihat_closed_edge", "ride"))
WASH_GAP = 0.14  # seconds: an arm does not ride a crash much faster
ACCENT = 60  # velocity of a snare stroke that is no ghost note
TOGETHER = 0.03  # seconds within which hands and foot play one stroke


def vary(performance: Performance, rng: np.random.Generator, config: VaryConfig = VARIATIONS) -> Performance:
    """``performance`` with substitutions, another tempo, other dynamics, a class dropped or thinned, and
    sometimes tambourine, shaker or clap playing along. Name, split, corpus and licence stay."""
    hits = list(performance.hits)
    stretch = float(rng.uniform(*config.stretch)) if rng.random() < config.stretched else 1.0
    if rng.random() < config.substituted:
        hits = _substitute(hits, rng, config)
    if rng.random() < config.washed:
        hits = _wash(hits, rng, config)
    if rng.random() < config.doubled:
        hits = _double(hits, rng, config)
    if rng.random() < config.side_stick:
        hits = _side_stick(hits)
    if rng.random() < config.no_time:
        hits = [hit for hit in hits if DRUMS[hit.drum].family not in ("hihat", "ride")]
    if rng.random() < config.thinned:
        hits = _thin(hits, rng, config)
    hits = _dynamics(hits, rng, config)
    if rng.random() < config.accompanied:
        hits += _play_along(hits, performance.bpm, rng, config)
    moved = sorted(replace(hit, time=hit.time * stretch) for hit in hits)
    return replace(performance, bpm=performance.bpm / stretch, hits=tuple(moved))


def _substitute(hits: list[Hit], rng: np.random.Generator, config: VaryConfig) -> list[Hit]:
    table = list(range(NUM_CLASSES))
    for swap in SWAPS:
        if rng.random() < config.swap:
            table[CLASS_INDEX[swap[0]]] = CLASS_INDEX[swap[rng.integers(1, len(swap))]]
    return [replace(hit, drum=table[hit.drum]) for hit in hits]


def _wash(hits: list[Hit], rng: np.random.Generator, config: VaryConfig) -> list[Hit]:
    """Move timekeeping to a crash or open hi-hat: on every stroke, or only with kick and snare."""
    drum = CLASS_INDEX[WASH[rng.integers(len(WASH))]]
    beats = [hit.time for hit in hits if DRUMS[hit.drum].family in KEPT_FAMILIES]
    anchored = rng.random() < config.wash_anchored
    loud = rng.uniform(*config.wash_louder)
    kept: list[Hit] = []
    last = -np.inf
    for hit in hits:
        if hit.drum not in TIME:
            kept.append(hit)
        elif hit.time - last >= WASH_GAP and (
            not anchored or any(abs(beat - hit.time) < TOGETHER for beat in beats)
        ):
            kept.append(replace(hit, drum=drum, velocity=int(min(127, hit.velocity + loud))))
            last = hit.time
    return kept


def _double(hits: list[Hit], rng: np.random.Generator, config: VaryConfig) -> list[Hit]:
    """Add a tom to every loud snare stroke, as in builds and unisons; half of the time with a kick."""
    tom = CLASS_INDEX["floor_tom_head" if rng.random() < config.doubled_floor else "tom3_head"]
    along = [tom, CLASS_INDEX["kick"]] if rng.random() < config.doubled_kick else [tom]
    kicks = [hit.time for hit in hits if DRUMS[hit.drum].family == "kick"]
    loud = [hit for hit in hits if DRUMS[hit.drum].family == "snare" and hit.velocity >= ACCENT]
    return hits + [
        Hit(max(0.0, hit.time + rng.normal(0, 0.005)), drum, hit.velocity)
        for hit in loud
        for drum in along
        if drum == tom or all(abs(time - hit.time) > TOGETHER for time in kicks)
    ]


def _side_stick(hits: list[Hit]) -> list[Hit]:
    """Play a ballad's snare accents as cross-stick and omit its other strokes (the hand rests on the
    head)."""
    stick = CLASS_INDEX["snare_cross_stick"]
    return [
        replace(hit, drum=stick) if DRUMS[hit.drum].family == "snare" else hit
        for hit in hits
        if DRUMS[hit.drum].family != "snare" or hit.velocity >= ACCENT
    ]


def _thin(hits: list[Hit], rng: np.random.Generator, config: VaryConfig) -> list[Hit]:
    """Remove one class, or half of its strokes; kick and snare are only thinned."""
    played = sorted({hit.drum for hit in hits})
    if not played:
        return hits
    drum = played[rng.integers(len(played))]
    out = rng.random() < config.thinned_out and DRUMS[drum].family not in KEPT_FAMILIES
    share = 1.0 if out else config.thinned_share
    return [hit for hit in hits if hit.drum != drum or rng.random() >= share]


def _dynamics(hits: list[Hit], rng: np.random.Generator, config: VaryConfig) -> list[Hit]:
    """Scales velocities and narrows or widens them around their mean."""
    if not hits:
        return hits
    scale, width = rng.uniform(*config.scale), rng.uniform(*config.width)
    mean = float(np.mean([hit.velocity for hit in hits]))
    return [
        replace(hit, velocity=int(np.clip(round((mean + (hit.velocity - mean) * width) * scale), 3, 127)))
        for hit in hits
    ]


def _play_along(hits: list[Hit], bpm: float, rng: np.random.Generator, config: VaryConfig) -> list[Hit]:
    """Tambourine, shaker, clap or cowbell on beats, backbeats, 8ths or 16ths, locked to the loudest
    strokes."""
    if not hits or not 20 < bpm < 400:
        return []
    beat = 60.0 / bpm
    drum = CLASS_INDEX["aux1" if rng.random() < config.accompanied_aux1 else "aux2"]
    gap, start = [(1.0, 0.0), (2.0, 1.0), (0.5, 0.0), (0.25, 0.0)][rng.integers(4)]
    loud = rng.uniform(*config.accompanied_loud)
    anchors = np.array([hit.time for hit in hits])
    layer = []
    for i in range(int((hits[-1].time / beat - start) / gap) + 1):
        time = (start + i * gap) * beat
        nearest = float(anchors[np.argmin(np.abs(anchors - time))])
        if abs(nearest - time) < 0.04:  # players follow each other
            time = nearest
        velocity = loud * (1.0 if i % 2 == 0 else config.accompanied_off) + rng.normal(0, 6)
        layer.append(Hit(max(0.0, time + rng.normal(0, 0.006)), drum, int(np.clip(round(velocity), 8, 127))))
    return layer
