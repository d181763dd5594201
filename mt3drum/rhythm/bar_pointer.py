"""The likeliest beats behind a list of hits.

A bar-pointer model (Whiteley, Cemgil and Godsill 2006; Krebs, Boeck and Widmer 2015) that observes hits
instead of audio: within a beat of known length and place in the bar, every role of the kit strikes as a
Poisson process whose rate peaks at the subdivisions of the beat (`mt3drum.rhythm.patterns`). One likelihood
thus weighs tempo, beats and downbeats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mt3drum.rhythm.patterns import ROLES, TICKS, Pattern, roles
from tokenizer.hits import Hit

FRAME = 0.01
"""Seconds: resolution of the search; `mt3drum.rhythm.estimate` refines the beats found."""
SIGMA = 0.02
"""Seconds: standard deviation of a stroke around its place: a drummer's 10 ms and the annotation's."""
FLOOR = 0.1
"""Strokes a second of a role anywhere, so that no stroke is impossible."""
STIFFNESS = 60.0
"""Cost in nats of a change of tempo by a factor e from one beat to the next."""
REACH = 3
"""Most steps of the tempo grid from one beat to the next (8 %)."""
STEP = 1.025
"""Ratio of neighbouring tempos in the search."""
BEAT_SPREAD = 0.3
"""Standard deviation of the logarithm of a beat's length: the tempo prior."""
PRIOR_WEIGHT = 8.0
"""The tempo prior counts as so many observations: strokes are less independent than the model has it."""


@dataclass(frozen=True)
class BeatPath:
    """The likeliest beats of one meter."""

    likelihood: float
    """Natural logarithm; comparable between meters and tempos for the same hits."""
    beats: tuple[float, ...]
    """Seconds, in multiples of `FRAME`: from at or before the first hit to after the last."""
    first: int
    """Which beat of its bar, 0-based, the first beat is."""


def periods(shortest: float, longest: float) -> np.ndarray:
    """Lengths of a beat to search, in frames, rising in steps of at most a frame or 2.5 %; int64."""
    low, high = shortest / FRAME, longest / FRAME
    count = max(0, math.ceil(math.log(high / low) / math.log(STEP)))
    return np.unique(np.round(low * STEP ** np.arange(count + 1)).astype(np.int64))


def likeliest(
    hits: Sequence[Hit], pattern: Pattern, lengths: np.ndarray, *, use_prior: bool = True
) -> BeatPath:
    """Viterbi search over beats of `lengths` frames, block by block.

    A block is as long as the shortest beat, so that whatever a frame depends on lies in an earlier block.
    Memory: one byte per frame, length and beat of the bar; time: 0.3 s a minute of music and meter.

    Args:
        hits: at least one, in order.
        lengths: as `periods` gives them.
        use_prior: whether some tempos are usual.
    """
    search = _Search(pattern, lengths)
    if not use_prior:
        search.start[:] = 0.0
    origin = round(hits[0].time / FRAME) - search.longest  # the frame of the recording that is frame 0 here
    frames = [round(hit.time / FRAME) - origin for hit in hits]
    # Doubtful strokes weigh less; on average strokes weigh 1, as the cost of beats without any has it.
    mean = sum(hit.confidence for hit in hits) / len(hits)
    weights = [hit.confidence / mean if mean else 1.0 for hit in hits]
    likelihood, ends, first = search.run(frames, roles(hits), weights)
    return BeatPath(likelihood, tuple((end + origin) * FRAME for end in ends), first)


class _Search:
    def __init__(self, pattern: Pattern, lengths: np.ndarray) -> None:
        self.lengths, self.beats = lengths, pattern.beats
        self.longest, self.block = int(lengths[-1]), int(lengths[0])
        self.styles = len(pattern.styles)
        rates = [pattern.rates(style) for style in pattern.styles]
        expected = np.stack([table.sum((0, 2)) for table in rates], -1)
        shares = np.log([style.share for style in pattern.styles])
        self.cost = (expected - shares).astype(np.float32)  # [beats, styles]
        self.templates = np.stack([self._templates(table.reshape(len(ROLES), -1)) for table in rates], -1)
        logs = np.log(lengths)
        steps = np.arange(-REACH, REACH + 1)
        reach = np.clip(np.arange(len(lengths))[:, None] + steps, 0, len(lengths) - 1)
        self.change = (-STIFFNESS * np.abs(logs[:, None] - logs[reach])).astype(
            np.float32
        )  # [lengths, steps]
        usual = (logs - math.log(pattern.usual / FRAME)) / BEAT_SPREAD
        self.start = (-0.5 * PRIOR_WEIGHT * usual**2).astype(np.float32)

    def _templates(self, rates: np.ndarray) -> np.ndarray:
        """[roles, longest, lengths, beats]: what a stroke adds to a beat that ends s + 1 frames after it."""
        table = np.zeros((len(ROLES), self.longest, len(self.lengths), self.beats), np.float32)
        for column, length in enumerate(self.lengths):
            bar = self.beats * length
            places = np.arange(self.beats * TICKS) * (length / TICKS)
            gap = np.abs(np.arange(bar)[:, None] - places)
            gap = np.minimum(gap, bar - gap) * FRAME
            bump = np.exp(-0.5 * (gap / SIGMA) ** 2) / (SIGMA * math.sqrt(2 * math.pi))
            logs = np.log(rates @ bump.T + FLOOR).reshape(len(ROLES), self.beats, length)
            table[:, :length, column] = logs[:, :, ::-1].transpose(0, 2, 1)
        return table

    def run(
        self, frames: Sequence[int], struck: Sequence[int], weights: Sequence[float]
    ) -> tuple[float, list[int], int]:
        """(likelihood, frames of the beats, place in the bar of the first)."""
        first, last = frames[0], frames[-1]
        count, beats, block = len(self.lengths), self.beats, self.block
        total = -(-(last + 1 + self.longest) // block) * block
        ring = self.longest + block
        evidence = np.zeros((ring, count, beats, self.styles), np.float32)
        arriving = np.full(
            (ring, count, beats), -np.inf, np.float32
        )  # [frame a beat ends]: best up to its start
        origin = np.zeros((total, count, beats), np.uint8)
        best, best_end = -math.inf, (0, 0, 0)
        column = np.arange(count)
        padded = np.full((block, count + 2 * REACH, beats), -np.inf, np.float32)
        added = 0
        for low in range(0, total, block):
            rows = np.arange(low, low + block)
            while added < len(frames) and frames[added] + 1 < low + block:
                self._add(evidence, frames[added] + 1, struck[added], weights[added])
                added += 1
            here = rows % ring
            score = np.roll(arriving[here], 1, axis=2) + _logsumexp(evidence[here] - self.cost)
            evidence[here] = 0
            ended = (rows[:, None] > last) & (rows[:, None] - self.lengths <= last)
            if ended.any():
                closed = np.where(ended[..., None], score, -np.inf)
                if closed.max() > best:
                    best = float(closed.max())
                    row, length, beat = np.unravel_index(closed.argmax(), closed.shape)
                    best_end = (low + int(row), int(length), int(beat))
            padded[:, REACH:-REACH] = score
            # Step by step: the maximum along a last axis of seven is several times slower.
            chosen = np.zeros(score.shape, np.uint8)
            onward = padded[:, :count] + self.change[:, :1]
            for step in range(1, 2 * REACH + 1):
                option = padded[:, step : step + count] + self.change[:, step, None]
                chosen[option > onward] = step
                np.maximum(onward, option, out=onward)
            fresh = (rows[:, None, None] <= first) & (self.start[:, None] > onward)
            onward = np.where(fresh, self.start[:, None], onward)
            origin[rows] = np.where(fresh, _FRESH, chosen)
            arriving[(rows[:, None] + self.lengths) % ring, column] = onward
        return best, *self._trace(origin, best_end)

    def _add(self, evidence: np.ndarray, start: int, role: int, weight: float) -> None:
        """Add a stroke's evidence to the rows `start` .. `start` + longest of the ring."""
        template = self.templates[role] if weight == 1.0 else self.templates[role] * np.float32(weight)
        at = start % len(evidence)
        head = min(len(evidence) - at, self.longest)
        evidence[at : at + head] += template[:head]
        evidence[: self.longest - head] += template[head:]

    def _trace(self, origin: np.ndarray, end: tuple[int, int, int]) -> tuple[list[int], int]:
        frame, length, beat = end
        ends = [frame]
        while True:
            frame -= int(self.lengths[length])
            ends.append(frame)
            before = (beat - 1) % self.beats
            step = int(origin[frame, length, before])
            if step == _FRESH:
                return ends[::-1], beat
            length += step - REACH
            beat = before


_FRESH = 255


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
