"""Choose the beat among candidate sequences, its meter, and the position of the bar lines.

A reading is a beat sequence, a meter and the beat that starts a bar. Its score models the strokes of all bars
as a mixture of grooves: each position of the bar has its own rate, drawn from a Gamma distribution around the
groove's rate (Gamma-Poisson evidence), so that a consistent rhythm counts for more than a textbook one. The
score also includes how closely the strokes follow their positions, how typical the tempo is for the groove,
and how typical the strokes on and between the beats are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from mt3drum.rhythm.grooves import grooves
from mt3drum.rhythm.patterns import ROLES, TICKS

SIGMA = 0.02
"""Standard deviation in seconds of a stroke around its position."""
FLOOR = 0.1
"""Background rate of a role in strokes per second."""
BARS = 3.0
"""Prior weight of a groove, in bars."""
TERNARY = 0.4
"""Beats are three eighths if this share of non-empty beats has a stroke on the second third (a shuffle, which
has none there, is written in 4/4). Between half this share and all of it, the meters compete."""
EVIDENCE, TIMING, START = 0.31, 0.4, 0.9
"""Weights of evidence and timing relative to the tempo prior (strokes are less independent than in the
model), and the bonus of a bar that starts with the first stroke. Chosen with `COST` by random search for the
most correct tempos, meters and downbeats on the Groove MIDI Dataset's training and validation splits and on
synthetic grooves of 60 to 280 beats per minute."""
COST = {(4, 4): 0.0, (3, 4): 6.5, (5, 4): 8.0, (6, 8): 15.4, (12, 8): 14.7, (9, 8): 16.0}
"""The candidate meters, and by how many nats each must be more likely than 4/4."""
ON = {"kick": 3.6, "snare": 3.6, "time": 2.1}
HALFWAY = {"kick": -3.1, "snare": -1.1, "time": -1.1}
STRUCK, BACKBONE, SIXTEENTHS, KICKS, DENSITY = 5.7, 4.8, 1.2, 0.7, 0.5
"""Nats for `_usual_beats`: per stroke on a beat and halfway to the next; for the shares of beats with any
stroke on them, with a kick or snare on them, and with sixteenths; per kick; and for the logarithm of all
strokes a beat. Fitted by gradient ascent to the measures expected of a choice (beats, downbeats, tempo,
meter) on the Groove MIDI Dataset's training split and synthetic grooves."""
_PEAK = 1 / (SIGMA * math.sqrt(2 * math.pi))  # density at a position with one stroke per beat
_OFF = math.log(FLOOR / _PEAK)
_PLACES = np.array([0, 2, 3, 4, 6, 8, 9, 10, 12])
_MOST = 400  # bars in the table; larger counts are clipped


@dataclass(frozen=True)
class Placed:
    """Strokes mapped to a beat sequence."""

    beats: np.ndarray
    """Seconds; enough beats to contain all strokes."""
    counts: np.ndarray
    """float64 [beats, roles, 12]: 1 where a role strikes; times are rounded to sixteenths and triplets."""
    timing: float
    """Log density of the strokes around their positions, relative to perfect timing."""
    on_beat: bool
    """Whether the first stroke is on the first beat; else it comes later."""


def placed(times: np.ndarray, roles: np.ndarray, beats: np.ndarray) -> Placed:
    """Map strokes at `times` (seconds, increasing) to beats, which are extended as needed."""
    ahead, behind = beats[1] - beats[0], beats[-1] - beats[-2]
    before = max(0, math.ceil((beats[0] - times[0]) / ahead - 0.3))
    after = max(0, math.ceil((times[-1] - beats[-1]) / behind + 0.3))
    beats = np.concatenate(
        [
            beats[0] - ahead * np.arange(before, 0, -1),
            beats,
            beats[-1] + behind * np.arange(1, after + 1),
        ]
    )
    place = np.interp(times, beats, np.arange(len(beats)))
    beat = np.floor(place).astype(int)
    nearest = _PLACES[np.abs((place - beat)[:, None] * TICKS - _PLACES).argmin(1)]
    length = np.diff(beats)[np.minimum(beat, len(beats) - 2)]
    off = ((place - beat) - nearest / TICKS) * length / SIGMA
    timing = np.maximum(-0.5 * off**2, _OFF)
    beat, nearest = beat + nearest // TICKS, nearest % TICKS
    counts = np.zeros((len(beats) + 1, len(ROLES), TICKS))
    kept = timing > _OFF
    counts[beat[kept], roles[kept], nearest[kept]] = 1.0
    low, high = int(beat[0]), int(beat.max()) + 1
    counts = counts[low:high]
    return Placed(beats[low:], counts, float(timing.sum()), bool(counts[0, :, 0].any()))


def repetition(counts: np.ndarray, meter: tuple[int, int]) -> np.ndarray:
    """float64 [phases, grooves]: log evidence of the bars for each first beat and groove."""
    tables = _tables(meter)
    beats = tables.shapes.shape[1]
    heard = [counts[beat::beats] for beat in range(beats)]
    strokes = np.stack([part.sum(0) for part in heard]).astype(int)
    bars = np.array([len(part) for part in heard], float)
    at = np.minimum(strokes, _MOST)
    result = np.empty((beats, len(tables.shapes)))
    for phase in range(beats):
        order = (phase + np.arange(beats)) % beats
        struck, count = at[order], bars[order]
        gained = tables.rising[(*tables.index, struck)].sum((1, 2, 3))
        total = np.log((BARS + count) / BARS)  # [beats]
        spent = (tables.mass * total).sum(1) + (strokes[order].sum((1, 2)) * np.log(BARS + count)).sum()
        result[phase] = gained - spent
    return result


@dataclass(frozen=True)
class _Tables:
    shapes: np.ndarray
    """[grooves, beats, roles, 12]: shape parameters of the Gamma distributions."""
    mass: np.ndarray
    """[grooves, beats]: their sums."""
    rising: np.ndarray
    """[grooves, beats, roles, 12, strokes + 1]: logarithm of the rising factorial."""
    index: tuple[np.ndarray, ...]
    shares: np.ndarray
    """[grooves]: log prior weights."""
    spreads: np.ndarray
    """[grooves]"""


@cache
def _tables(meter: tuple[int, int]) -> _Tables:
    shapes = np.stack([groove.rates for groove in grooves(*meter)]) * BARS
    steps = np.log(shapes[..., None] + np.arange(_MOST))
    rising = np.concatenate([np.zeros((*shapes.shape, 1)), steps.cumsum(-1)], -1).astype(np.float32)
    index = np.ix_(*map(np.arange, shapes.shape))
    shares = np.array([groove.share for groove in grooves(*meter)])
    spreads = np.array([groove.spread for groove in grooves(*meter)])
    return _Tables(shapes, shapes.sum((2, 3)), rising, index, np.log(shares / shares.sum()), spreads)


@dataclass(frozen=True)
class Reading:
    """A beat sequence interpreted in a meter."""

    score: float
    """Log score; comparable between readings of the same strokes."""
    beats: np.ndarray
    """Seconds; the first beat contains the first stroke."""
    meter: tuple[int, int]
    phase: int
    """Index of the first beat that starts a bar."""


def readings(
    times: np.ndarray,
    roles: np.ndarray,
    series: Iterable[np.ndarray],
    meter: tuple[int, int] | None = None,
    *,
    use_tempo: bool = True,
) -> list[Reading]:
    """All readings of all beat sequences, most likely first.

    Args:
        times: of the strokes in seconds, increasing. roles: of the strokes, indices into `ROLES`.
        series: beat sequences in seconds, at least two beats each. meter: if known.
        use_tempo: whether to use the tempo prior.
    """
    found = []
    for beats in series:
        strokes = placed(times, roles, beats)
        length = math.log(float(np.median(np.diff(beats))))
        triplets = _inner_triplets(strokes.counts)
        usual_beats = _usual_beats(strokes.counts)
        of_series: list[Reading] = []
        for name, cost in COST.items() if meter is None else ((meter, 0.0),):
            if meter is None and name[1] == 8 and triplets < TERNARY / 2:
                continue
            # Tempo cost of each groove, plus its prior.
            usual = _usual(name, length) if use_tempo else _tables(name).shares
            evidence = np.logaddexp.reduce(EVIDENCE * repetition(strokes.counts, name) + usual, axis=1)
            evidence += TIMING * strokes.timing + usual_beats - cost
            start = (0 if strokes.on_beat else 1) % len(evidence)
            evidence[start] += START
            of_series += [
                Reading(float(score), strokes.beats, name, phase) for phase, score in enumerate(evidence)
            ]
        found += of_series if meter or triplets < TERNARY else _of_three(of_series)
    return sorted(found, key=lambda reading: -reading.score)


def _usual(meter: tuple[int, int], length: float) -> np.ndarray:
    tables = _tables(meter)
    off = (length - np.log([groove.usual for groove in grooves(*meter)])) / tables.spreads
    return np.asarray(tables.shares - 0.5 * off**2 - np.log(tables.spreads))


def _inner_triplets(counts: np.ndarray) -> float:
    """Share of non-empty beats with a stroke on the second third."""
    filled = int(counts[:, :, 1:].any((1, 2)).sum())
    return int(counts[:, :, 4].any(1).sum()) / filled if filled >= 4 else 0.0


def _usual_beats(counts: np.ndarray) -> float:
    """Log score of a beat sequence by what happens on its beats and between them, in any meter and groove."""
    on, halfway = counts[:, :, 0], counts[:, :, TICKS // 2]
    score = sum(nats * float(on[:, ROLES.index(role)].mean()) for role, nats in ON.items())
    score += sum(nats * float(halfway[:, ROLES.index(role)].mean()) for role, nats in HALFWAY.items())
    score += STRUCK * float(on.any(1).mean())
    score += BACKBONE * float(on[:, [ROLES.index("kick"), ROLES.index("snare")]].any(1).mean())
    score += SIXTEENTHS * float(counts[:, :, [TICKS // 4, 3 * TICKS // 4]].any((1, 2)).mean())
    score += KICKS * float(counts[:, ROLES.index("kick")].sum()) / len(counts)
    return score + DENSITY * math.log(float(counts.sum()) / len(counts) + 0.1)


def _of_three(readings: Sequence[Reading]) -> list[Reading]:
    """Readings in meters with three eighths per beat, each as likely as the sequence in any meter."""
    three = [reading for reading in readings if reading.meter[1] == 8]
    gain = max(reading.score for reading in readings) - max(reading.score for reading in three)
    return [replace(reading, score=reading.score + gain) for reading in three]
