"""Grooves with known beats, for the tests of meter, quantising and formats."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit

ROCK = {
    "kick": "X.......X.x.....",
    "snare_head": "....X..g.g..X..g",
    "hihat_closed": "X.x.X.x.X.x.X.x.",
}
WALTZ = {"kick": "X...........", "snare_head": "....X...X...", "ride": "X...X.x.X..."}
SIX_EIGHT = {"kick": "X....x", "snare_head": "...X..", "hihat_closed": "XxxXxx"}
SHUFFLE = {"kick": "X.....X....x", "snare_head": "...X.....X..", "hihat_closed": "X.xX.xX.xX.x"}
SIXTEENTHS = {
    "kick": "X......xX.x.....",
    "snare_head": "....X.......X...",
    "hihat_closed": "XxxxXxxxXxxxXxxx",
}
VELOCITIES = {"X": 110, "x": 80, "g": 30}


def played(
    pattern: Mapping[str, str],
    bars: int,
    beat_seconds: Callable[[float], float],
    beats_per_bar: int,
    *,
    swing: float = 0.5,
    jitter: float = 0.01,
    seed: int = 0,
    first_beat: float = 0.0,
) -> tuple[list[Hit], list[float]]:
    """(hits, times of the beats): every bar is the pattern; a crash opens every fourth.

    Args:
        beat_seconds: beat number to its time.
        swing: share of a pair of the pattern's steps that its first takes.
        jitter: standard deviation in seconds.
        first_beat: strokes before this beat are left out: a pick-up bar.
    """
    rng = np.random.default_rng(seed)
    steps = len(next(iter(pattern.values())))
    per_beat = steps / beats_per_bar
    hits = []
    for bar in range(bars):
        lines = [
            (name, step, mark)
            for name, line in pattern.items()
            for step, mark in enumerate(line)
            if mark != "."
        ]
        if bar % 4 == 0:
            lines.append(("crash1", 0, "X"))
        for name, step, mark in lines:
            swung = step - step % 2 + (2 * swing if step % 2 else 0)
            beat = bar * beats_per_bar + swung / per_beat
            if beat < first_beat:
                continue
            time = max(0.0, beat_seconds(beat) + rng.normal(0, jitter))
            hits.append(Hit(time, CLASS_INDEX[name], VELOCITIES[mark]))
    return sorted(hits), [beat_seconds(beat) for beat in range(bars * beats_per_bar) if beat >= first_beat]


def steady(bpm: float, start: float = 0.0) -> Callable[[float], float]:
    """Beat number to seconds at one tempo."""
    return lambda beat: start + beat * 60 / bpm


def drifting(bpm: float) -> Callable[[float], float]:
    """A tempo that wavers by 3 % to either side over 48 beats, from 0.3 s on."""
    pace = 2 * math.pi / 48
    return lambda beat: 0.3 + 60 / bpm * (beat + 0.03 / pace * math.sin(pace * beat))
