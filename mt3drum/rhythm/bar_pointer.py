"""Beats that a list of hits may keep to, one candidate for each range of tempos.

A bar-pointer model (Whiteley, Cemgil and Godsill 2006; Krebs, Boeck and Widmer 2015) that observes hits
instead of audio and whose bar is one beat: within a beat of known length every role of the kit strikes as a
Poisson process whose rate peaks at the subdivisions of the beat (`mt3drum.rhythm.patterns`). What a beat of a
bar is, and which of the candidates is the beat, `mt3drum.rhythm.meter` decides.

Lengths are real numbers. A path keeps the fraction of a frame by which its beat missed the frame it was
rounded to (per-survivor processing, Raheli, Polydoros and Tzou 1995), so that a beat of 48.4 frames is one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np

from mt3drum.rhythm.patterns import BEAT, ROLES, TICKS, Pattern
from tokenizer.hits import Hit

FRAME = 0.01
"""Seconds: resolution of the search. Beats are kept finer."""
SIGMA, NARROW = 0.02, 0.05
"""Standard deviation of a stroke around its place: seconds (a drummer's 10 ms and the annotation's), and at
most so much of a beat, or the sixteenths of a fast one would run into each other."""
FLOOR = 0.1
"""Strokes a second of a role anywhere, so that no stroke is impossible."""
STIFFNESS = 60.0
"""Cost in nats of a change of tempo by a factor e from one beat to the next."""
REACH = 3
"""Most steps of the tempo grid from one beat to the next (6 %)."""
STEP = 1.02
"""Ratio of neighbouring lengths in the search."""
EARLY = 1 / 12
"""Of a beat: strokes that much before it are still its own. Few strokes fall there, so that rounding the
border to frames loses none and counts none twice."""
BAND = 1.25
"""Ratio of the longest length of a band to its shortest. Neighbouring bands overlap by half."""


@dataclass(frozen=True)
class BeatPath:
    """The likeliest beats of one band of tempos."""

    likelihood: float
    """Natural logarithm; comparable between bands for the same hits."""
    beats: tuple[float, ...]
    """Seconds: from at or before the first hit to after the last."""


def bands(shortest: float, longest: float) -> tuple[tuple[float, float], ...]:
    """Ranges of lengths in seconds that cover `shortest`..`longest`, each overlapping the next by half."""
    count = max(1, math.ceil(math.log(longest / shortest) / math.log(math.sqrt(BAND))) - 1)
    ratio = (longest / shortest) ** (1 / (count + 1))
    return tuple((shortest * ratio**i, shortest * ratio ** (i + 2)) for i in range(count))


def likeliest(
    hits: Sequence[Hit],
    roles: Sequence[int] | np.ndarray,
    ranges: tuple[tuple[float, float], ...],
    pattern: Pattern = BEAT,
) -> list[BeatPath]:
    """Viterbi search, block by block: the best path of each range of lengths (seconds), in their order.

    A block is as long as the shortest beat, so that whatever a frame depends on lies in an earlier block.
    Memory: two bytes a frame and length, 40 KB a second for lengths of 0.2 to 1.5 s; time: 0.3 s a minute.

    Args:
        hits: at least one, in order. roles: of each hit, indices into `ROLES`.
        ranges: of one beat's length. pattern: of one beat.
    """
    search = _search(pattern, ranges)
    # The frame of the recording that is frame 0 here.
    origin = math.floor(hits[0].time / FRAME) - math.ceil(search.longest)
    frames = [round(hit.time / FRAME) - origin for hit in hits]
    # Doubtful strokes weigh less; on average strokes weigh 1, as the cost of beats without any has it.
    mean = sum(hit.confidence for hit in hits) / len(hits)
    weights = [hit.confidence / mean if mean else 1.0 for hit in hits]
    return [
        BeatPath(likelihood, tuple((end + origin) * FRAME for end in ends))
        for likelihood, ends in search.run(frames, roles, weights)
    ]


class _Search:
    def __init__(self, pattern: Pattern, ranges: tuple[tuple[float, float], ...]) -> None:
        per_band = []
        for shortest, longest in ranges:
            count = math.ceil(math.log(longest / shortest) / math.log(STEP)) + 1
            per_band.append(np.geomspace(shortest, longest, max(count, 2)) / FRAME)
        self.lengths = np.concatenate(per_band)
        self.bands = np.cumsum([0, *map(len, per_band)])
        self.longest = float(self.lengths.max())
        self.block = math.floor(float(self.lengths.min()))
        rates = np.stack([pattern.rates(style)[:, 0] for style in pattern.styles])  # [styles, roles, ticks]
        self.cost = (rates.sum((1, 2)) - np.log([style.share for style in pattern.styles])).astype(np.float32)
        self.reach = math.ceil(self.longest * (1 + EARLY)) + 1
        self.template = self._template(rates)
        logs, band = np.log(self.lengths), np.repeat(np.arange(len(ranges)), np.diff(self.bands))
        other = np.arange(len(logs))[:, None] + np.arange(-REACH, REACH + 1)
        inside = np.clip(other, 0, len(logs) - 1)
        cost = -STIFFNESS * np.abs(logs[:, None] - logs[inside])
        cost[(inside != other) | (band[:, None] != band[inside])] = -np.inf
        self.change = cost.astype(np.float32)  # [lengths, steps]

    def _template(self, rates: np.ndarray) -> np.ndarray:
        """[roles, reach, lengths, styles]: what a stroke adds to a beat that ends s frames after it."""
        table = np.zeros((len(ROLES), self.reach, len(self.lengths), len(rates)), np.float32)
        for column, length in enumerate(self.lengths):
            first = max(1, round(length * EARLY))
            until_end = np.arange(first, first + round(length))
            place = (length - until_end) / length  # of the stroke, in beats
            gap = np.abs(place[:, None] - np.arange(TICKS) / TICKS)
            gap = np.minimum(gap, 1 - gap) * length * FRAME
            sigma = min(SIGMA, NARROW * length * FRAME)
            bump = np.exp(-0.5 * (gap / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
            logs = np.log(rates @ bump.T + FLOOR)  # [styles, roles, frames]
            table[:, until_end, column] = logs.transpose(1, 2, 0)
        return table

    def run(
        self, frames: Sequence[int], struck: Sequence[int] | np.ndarray, weights: Sequence[float]
    ) -> list[tuple[float, list[float]]]:
        """(likelihood, frames of the beats with their fractions) of each band."""
        first, last = frames[0], frames[-1]
        lengths, count, block = self.lengths, len(self.lengths), self.block
        total = -(-(last + 2 + self.reach) // block) * block
        ring = self.reach + block
        evidence = np.zeros((ring, count, len(self.cost)), np.float32)
        # By the frame on which a beat ends: the best up to its start, and the fraction of a frame at its end.
        arriving = np.full((ring, count), -np.inf, np.float32)
        fraction = np.zeros((ring, count), np.float32)
        origin = np.zeros((total, count), np.uint8)  # of a beat by its start: the step to its length
        late = np.zeros((total + ring, count), np.uint8)  # of a beat by its end: frames beyond its whole ones
        column = np.arange(count)
        whole = np.floor(lengths).astype(np.int64)
        beyond = (lengths - whole).astype(np.float32)
        border = np.maximum(1, np.round(lengths * EARLY))
        best, best_end = np.full(count, -np.inf), np.zeros(count, np.int64)
        padded = np.full((block, count + 2 * REACH), -np.inf, np.float32)
        padded_fraction = np.zeros((block, count + 2 * REACH), np.float32)
        added = 0
        for low in range(0, total, block):
            rows = np.arange(low, low + block)
            while added < len(frames) and frames[added] + 1 < low + block:
                self._add(evidence, frames[added], struck[added], weights[added])
                added += 1
            here = rows % ring
            score = arriving[here] + _logsumexp(evidence[here] - self.cost)
            evidence[here] = 0
            arriving[here] = -np.inf
            ended = (rows[:, None] - border > last) & (rows[:, None] - border - lengths <= last + 1)
            if ended.any():
                closed = np.where(ended, score, -np.inf)
                at = closed.argmax(0)
                top = closed[at, column]
                best_end = np.where(top > best, low + at, best_end)
                best = np.maximum(top, best)
            if low > last + self.reach:
                break
            padded[:, REACH:-REACH] = score
            padded_fraction[:, REACH:-REACH] = fraction[here]
            # Step by step: the maximum along a last axis of seven is several times slower.
            chosen = np.zeros(score.shape, np.uint8)
            onward = padded[:, :count] + self.change[:, 0]
            kept = padded_fraction[:, :count].copy()
            for step in range(1, 2 * REACH + 1):
                option = padded[:, step : step + count] + self.change[:, step]
                better = option > onward
                chosen[better] = step
                np.copyto(kept, padded_fraction[:, step : step + count], where=better)
                np.maximum(onward, option, out=onward)
            fresh = (rows[:, None] <= first + border) & (onward < 0)
            onward[fresh], kept[fresh], chosen[fresh] = 0.0, 0.0, _FRESH
            origin[rows] = chosen
            kept += beyond
            more = kept >= 0.5
            for extra in (0, 1):
                target = rows[:, None] + (whole + extra)
                slot = target % ring, column
                before = arriving[slot]
                better = (more == extra) & (onward > before)
                arriving[slot] = np.where(better, onward, before)
                fraction[slot] = np.where(better, kept - extra, fraction[slot])
                late[target, column] = np.where(better, extra, late[target, column])
        return [
            self._trace(origin, late, best, best_end, slice(low, high)) for low, high in pairwise(self.bands)
        ]

    def _add(self, evidence: np.ndarray, frame: int, role: int, weight: float) -> None:
        """Add a stroke's evidence to the rows of the ring from its own frame on."""
        template = self.template[role] if weight == 1.0 else self.template[role] * np.float32(weight)
        at = frame % len(evidence)
        head = min(len(evidence) - at, self.reach)
        evidence[at : at + head] += template[:head]
        evidence[: self.reach - head] += template[head:]

    def _trace(
        self, origin: np.ndarray, late: np.ndarray, best: np.ndarray, best_end: np.ndarray, band: slice
    ) -> tuple[float, list[float]]:
        length = band.start + int(best[band].argmax())
        likelihood, frame = float(best[length]), int(best_end[length])
        lasting: list[float] = []
        while True:
            lasting.append(float(self.lengths[length]))
            frame -= math.floor(self.lengths[length]) + int(late[frame, length])
            step = int(origin[frame, length])
            if step == _FRESH:
                return likelihood, list(accumulate(reversed(lasting), initial=float(frame)))
            length += step - REACH


_FRESH = 255
_search = lru_cache(maxsize=4)(_Search)


def _logsumexp(x: np.ndarray) -> np.ndarray:
    """Over the last axis, which is short: item by item."""
    items = [x[..., item] for item in range(x.shape[-1])]
    top = items[0].copy()
    for item in items[1:]:
        np.maximum(top, item, out=top)
    total = np.exp(items[0] - top)
    for item in items[1:]:
        total += np.exp(item - top)
    return top + np.log(total)
