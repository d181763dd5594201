"""Notes of a part before synthesis, and changes to a part as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.band.config import BAND, ArrangeConfig
from data.band.song import Song


@dataclass(frozen=True, slots=True)
class Event:
    """One note or chord."""

    time: float
    pitches: tuple[int, ...]
    """MIDI notes in the order of a strum; empty for an unpitched sound."""
    seconds: float
    velocity: float
    """0..1, linear gain."""
    touch: str = "open"
    """open, mute (palm-muted), dead (muted by hand: a scratch), up (strummed upwards)."""


def humanise(events: Sequence[Event], rng: np.random.Generator, spread: float) -> list[Event]:
    """Shift each event by a normal deviate of `spread` seconds, and the whole part by another one."""
    shift = rng.normal(0, spread / 2)
    moved = [
        replace(event, time=event.time + shift + offset)
        for event, offset in zip(events, rng.normal(0, spread, len(events)), strict=True)
    ]
    return sorted(moved, key=lambda event: event.time)


def arrange(
    events: Sequence[Event], song: Song, rng: np.random.Generator, config: ArrangeConfig = BAND.arrange
) -> list[Event]:
    """Apply song structure: occasionally a part enters late, ends early, rests for a bar, or plays every
    other bar."""
    bars = len(song.bars())
    active = np.ones(bars, dtype=bool)
    draw = rng.random()
    if draw < config.late:
        active[: int(rng.integers(bars)) + 1] = False
    elif draw < config.late + config.early:
        active[int(rng.integers(bars)) :] = False
    elif draw < config.late + config.early + config.resting:
        active &= rng.random(bars) < config.played
    if active.all():
        return list(events)
    return [
        event for event in events if active[int(np.clip((event.time - song.start) // song.bar, 0, bars - 1))]
    ]
