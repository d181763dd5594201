"""Candidate beat sequences for a list of hits, one for each range of tempos.

A bar-pointer model (Whiteley, Cemgil and Godsill 2006; Krebs, Boeck and Widmer 2015) that observes hits
instead of audio and whose bar is one beat: within a beat of known length every role of the kit is a Poisson
process whose rate peaks at the subdivisions of the beat (`mt3drum.rhythm.patterns`).
`mt3drum.rhythm.meter` then groups beats into bars and chooses among the candidates.

Beat lengths are real numbers. Each path keeps the rounding error of its last beat in frames (per-survivor
processing, Raheli, Polydoros and Tzou 1995), so that beats of 48.4 frames are possible.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from itertools import count as count_from

import numpy as np

from mt3drum.rhythm.patterns import BEAT, ROLES, TICKS, Pattern
from tokenizer.hits import Hit

FRAME = 0.01
"""Seconds: resolution of the search. Beats are located more precisely."""
SIGMA, NARROW = 0.02, 0.05
"""Standard deviation of a stroke around its position: in seconds (10 ms of the drummer plus annotation
error), and as a maximum share of a beat, so that the sixteenths of fast beats stay distinct."""
FLOOR = 0.1
"""Background rate of each role in strokes per second, so that no stroke is impossible."""
STIFFNESS = 60.0
"""Cost in nats of a tempo change by a factor of e from one beat to the next."""
REACH = 3
"""Maximum change in steps of the tempo grid from one beat to the next (6 %)."""
STEP = 1.02
"""Ratio of neighbouring lengths in the search."""
EARLY = 1 / 12
"""Strokes up to this share of a beat early belong to the beat. Few strokes fall at this border, and rounding
it to frames neither loses nor duplicates any."""
BAND = 1.25
"""Ratio of the longest to the shortest beat of a band. Neighbouring bands overlap by half."""
_TOGETHER = 2.0
"""Maximum ratio of beat lengths that are searched together."""
_STRETCH = 256
"""Approximate number of frames whose evidence is summed at once."""
_NAT = 2**20
"""Scores are integers in units of 1 / 2^20 nat; the lowest bits encode the step of the maximum."""
_BITS, _MASK = 3, 7
_NEVER = -(2**58)
"""Score of an unreachable state, far below any score that two hours of strokes can produce."""
_FRESH = 255
"""Step that marks the start of a path."""


@dataclass(frozen=True)
class BeatPath:
    """The most likely beats in one band of tempos."""

    likelihood: float
    """Log-likelihood; comparable between bands for the same hits."""
    beats: tuple[float, ...]
    """Beat times in seconds, from at or before the first hit to after the last."""


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
    """Viterbi search, block by block: the best path for each range of beat lengths (seconds), in order.

    A block is as long as the shortest beat, so that every frame depends on earlier blocks only. Ranges of
    similar lengths are searched together, which keeps blocks few and the templates short. Memory: two bytes
    per frame and length, 15 KB per second. Time: 0.15 CPU-s per minute for lengths of 0.2 to 1.9 s, 0.02 for
    those within a factor of 1.7.

    Args:
        hits: at least one, in order. roles: index into `ROLES` of each hit.
        ranges: of beat lengths. pattern: of one beat.
    """
    # Uncertain strokes weigh less; the mean weight is 1, which the cost of empty beats assumes.
    mean = sum(hit.confidence for hit in hits) / len(hits)
    weights = [hit.confidence / mean if mean else 1.0 for hit in hits]
    found: list[BeatPath] = []
    for group in _groups(ranges):
        search = _search(pattern, group)
        # Frame of the recording that is frame 0 here.
        origin = math.floor(hits[0].time / FRAME) - math.ceil(search.longest)
        frames = [round(hit.time / FRAME) - origin for hit in hits]
        found += [
            BeatPath(likelihood, tuple((end + origin) * FRAME for end in ends))
            for likelihood, ends in search.run(frames, roles, weights)
        ]
    return found


def _groups(ranges: tuple[tuple[float, float], ...]) -> list[tuple[tuple[float, float], ...]]:
    """Merge neighbouring ranges as far as `_TOGETHER` allows."""
    groups: list[list[tuple[float, float]]] = []
    for band in ranges:
        if groups and max(band[1], groups[-1][-1][1]) <= _TOGETHER * min(band[0], groups[-1][0][0]):
            groups[-1].append(band)
        else:
            groups.append([band])
    return [tuple(group) for group in groups]


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
        cost = rates.sum((1, 2)) - np.log([style.share for style in pattern.styles])
        self.cost = cost.astype(np.float32)[:, None, None]  # [styles, 1, 1]
        self.reach = math.ceil(self.longest * (1 + EARLY)) + 1
        self.template = self._template(rates)
        logs, band = np.log(self.lengths), np.repeat(np.arange(len(ranges)), np.diff(self.bands))
        other = np.arange(-REACH, REACH + 1)[:, None] + np.arange(len(logs))
        inside = np.clip(other, 0, len(logs) - 1)
        change = np.rint(-STIFFNESS * np.abs(logs - logs[inside]) * _NAT).astype(np.int64)
        change[(inside != other) | (band != band[inside])] = _NEVER
        # The lowest bits encode the step; of equal scores the lowest step is taken.
        self.change = (change << _BITS) + np.arange(2 * REACH, -1, -1)[:, None]

    def _template(self, rates: np.ndarray) -> np.ndarray:
        """[roles, styles, reach, lengths]: log-likelihood of a stroke s frames before the end of its beat."""
        table = np.zeros((len(ROLES), len(rates), self.reach, len(self.lengths)), np.float32)
        for column, length in enumerate(self.lengths):
            first = max(1, round(length * EARLY))
            until_end = np.arange(first, first + round(length))
            place = (length - until_end) / length  # of the stroke, in beats
            gap = np.abs(place[:, None] - np.arange(TICKS) / TICKS)
            gap = np.minimum(gap, 1 - gap) * length * FRAME
            sigma = min(SIGMA, NARROW * length * FRAME)
            bump = np.exp(-0.5 * (gap / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
            logs = np.log(rates @ bump.T + FLOOR)  # [styles, roles, frames]
            table[:, :, until_end, column] = logs.transpose(1, 0, 2)
        return table

    def run(
        self, frames: Sequence[int], struck: Sequence[int] | np.ndarray, weights: Sequence[float]
    ) -> list[tuple[float, list[float]]]:
        """(log-likelihood, beat times in fractional frames) of each band."""
        first, last = frames[0], frames[-1]
        lengths, count, block = self.lengths, len(self.lengths), self.block
        whole = np.floor(lengths).astype(np.int64)
        beyond = lengths - whole
        border = np.maximum(1, np.round(lengths * EARLY)).astype(np.int64)
        past = int(whole.max()) + 1
        stretch = max(1, _STRETCH // block) * block
        total = -(-(last + 1 + self.reach) // stretch) * stretch
        evidence = self._evidence(frames, struck, weights, stretch)
        origin = np.zeros((total, count), np.uint8)  # by first frame of a beat: the step to its length
        late = np.zeros((total, count), np.bool_)  # by last frame of a beat: whether it is one frame longer
        # By start frame of a beat, for `past` frames and a stretch: the best score of a beat that ends there,
        # and the rounding error in frames of the next beat.
        onward = np.full((past + stretch, count), _NEVER)
        fraction = np.zeros((past + stretch, count))
        starts = (np.arange(past - 1, past + block)[:, None] - whole) * count + np.arange(count)
        padded = np.full((block, count + 2 * REACH), _NEVER)
        padded_fraction = np.zeros((block, count + 2 * REACH))
        shifted = np.lib.stride_tricks.sliding_window_view(padded, count, axis=1).transpose(1, 0, 2)
        options = np.empty(shifted.shape, np.int64)
        at_last_step = np.arange(block)[:, None] * padded.shape[1] + np.arange(count) + 2 * REACH
        best, best_end = np.full(count, _NEVER), np.zeros(count, np.int64)
        for low in range(0, total, block):
            at = low % stretch
            if at == 0:
                heard = next(evidence)
                onward[:past], fraction[:past] = onward[stretch:], fraction[stretch:]
            # A beat that would start half a frame late ends a frame later.
            begun = onward.ravel()[at * count :].take(starts, mode="clip")
            missed = fraction.ravel()[at * count :].take(starts, mode="clip")
            more = missed >= 0.5
            punctual = np.where(more[1:], _NEVER, begun[1:])
            delayed = np.where(more[:-1], begun[:-1], _NEVER)
            extra = np.greater(delayed, punctual, out=late[low : low + block])
            score = np.maximum(punctual, delayed) + heard[at : at + block]
            if low + block > last:
                _close(best, best_end, score, low, border, lengths, last)
            np.left_shift(score, _BITS, out=padded[:, REACH:-REACH])
            padded_fraction[:, REACH:-REACH] = np.where(extra, missed[:-1] - 1, missed[1:])
            np.add(shifted, self.change[:, None], out=options)
            top = options.max(0)
            step = top & _MASK
            top >>= _BITS
            kept = padded_fraction.take(at_last_step - step, mode="clip")
            origin[low : low + block] = step
            if low <= first + border.max():
                fresh = (np.arange(low, low + block)[:, None] <= first + border) & (top < 0)
                top[fresh], kept[fresh] = 0, 0.0
                origin[low : low + block][fresh] = _FRESH
            onward[past + at : past + at + block] = top
            np.add(kept, beyond, out=fraction[past + at : past + at + block])
        return [
            self._trace(origin, late, best, best_end, slice(low, high)) for low, high in pairwise(self.bands)
        ]

    def _evidence(
        self,
        frames: Sequence[int],
        struck: Sequence[int] | np.ndarray,
        weights: Sequence[float],
        stretch: int,
    ) -> Iterator[np.ndarray]:
        """Endless stretches [frames, lengths]: evidence, in `_NAT`, for a beat that ends at each frame."""
        ahead = np.zeros((len(self.cost), stretch + self.reach, len(self.lengths)), np.float32)
        scaled = np.empty_like(self.template[0])
        hits = iter(zip(frames, struck, weights, strict=True))
        hit = next(hits, None)
        for low in count_from(0, stretch):
            while hit is not None and hit[0] < low + stretch:
                frame, role, weight = hit
                np.multiply(self.template[role], np.float32(weight), out=scaled)
                ahead[:, frame - low : frame - low + self.reach] += scaled
                hit = next(hits, None)
            yield (_logsumexp(ahead[:, :stretch] - self.cost) * np.float32(_NAT)).astype(np.int64)
            ahead[:, : self.reach] = ahead[:, stretch:].copy()
            ahead[:, self.reach :] = 0

    def _trace(
        self, origin: np.ndarray, late: np.ndarray, best: np.ndarray, best_end: np.ndarray, band: slice
    ) -> tuple[float, list[float]]:
        length = band.start + int(best[band].argmax())
        likelihood, frame = float(best[length]) / _NAT, int(best_end[length])
        lasting: list[float] = []
        while True:
            lasting.append(float(self.lengths[length]))
            frame -= math.floor(self.lengths[length]) + int(late[frame, length])
            step = int(origin[frame, length])
            if step == _FRESH:
                return likelihood, list(accumulate(reversed(lasting), initial=float(frame)))
            length += REACH - step


_search = lru_cache(maxsize=16)(_Search)


def _close(
    best: np.ndarray,
    best_end: np.ndarray,
    score: np.ndarray,
    low: int,
    border: np.ndarray,
    lengths: np.ndarray,
    last: int,
) -> None:
    """Record paths that end here, on a beat that contains the last stroke."""
    rows = np.arange(low, low + len(score))[:, None] - border
    closed = np.where((rows > last) & (rows - lengths <= last + 1), score, _NEVER)
    at = closed.argmax(0)
    top = closed[at, np.arange(len(at))]
    np.copyto(best_end, low + at, where=top > best)
    np.maximum(best, top, out=best)


def _logsumexp(x: np.ndarray) -> np.ndarray:
    """Over the first axis."""
    top = x.max(0)
    x -= top
    return top + np.log(np.exp(x, out=x).sum(0))
