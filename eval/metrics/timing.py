"""Timing: signed error of matched hits, the best constant offset, errors near segment borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.metrics.match import TrackMatch, count_matches

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
OFFSETS_MS = range(-100, 101)
"""Constant offsets to try, in milliseconds."""


@dataclass(frozen=True)
class Timing:
    """Estimate minus reference over matched pairs, seconds: negative means early."""

    pairs: int
    mean: float
    deviation: float
    """Standard deviation."""
    mean_absolute: float
    quantiles: tuple[float, ...]
    """At `QUANTILES`."""
    label_median: dict[int, float]
    """Median per label index; labels without a match are omitted."""

    @property
    def median(self) -> float:
        return self.quantiles[QUANTILES.index(0.5)]


@dataclass(frozen=True)
class BestOffset:
    """The constant offset on all estimated times that gives the best micro F."""

    window: float
    """Seconds."""
    offset: float
    """Seconds; 10 ms means that the estimates are 10 ms early. Where F is flat, the middle of the best
    interval."""
    f: float
    f_unshifted: float


@dataclass(frozen=True)
class Seams:
    """Errors per reference hit near segment borders and elsewhere."""

    near_hits: int
    near_errors: int
    far_hits: int
    far_errors: int

    @property
    def near_rate(self) -> float:
        return self.near_errors / max(1, self.near_hits)

    @property
    def far_rate(self) -> float:
        return self.far_errors / max(1, self.far_hits)


def errors_of(match: TrackMatch) -> np.ndarray:
    """[m] estimate minus reference of each pair, seconds."""
    return np.asarray(match.estimates.time[match.pairs[:, 1]] - match.references.time[match.pairs[:, 0]])


def timing(matches: Sequence[TrackMatch]) -> Timing | None:
    """Signed timing error of all tracks, or None without a matched pair."""
    error = np.concatenate([errors_of(match) for match in matches])
    if not len(error):
        return None
    label = np.concatenate([match.references.label[match.pairs[:, 0]] for match in matches])
    return Timing(
        pairs=len(error),
        mean=float(error.mean()),
        deviation=float(error.std()),
        mean_absolute=float(np.abs(error).mean()),
        quantiles=tuple(float(q) for q in np.quantile(error, QUANTILES)),
        label_median={int(i): float(np.median(error[label == i])) for i in np.unique(label)},
    )


def by_label(match: TrackMatch) -> list[tuple[np.ndarray, np.ndarray]]:
    """Reference and estimated times of each label that occurs in both."""
    return [
        (
            match.references.time[match.references.label == label],
            match.estimates.time[match.estimates.label == label],
        )
        for label in np.intersect1d(match.references.label, match.estimates.label)
    ]


def matched_at(match: TrackMatch, window: float, offset: float = 0.0, scale: float = 1.0) -> int:
    """Number of matches of a track with its estimates at `scale * time + offset`."""
    return sum(count_matches(r, scale * e + offset, window) for r, e in by_label(match))


def best_offset(matches: Sequence[TrackMatch], window: float) -> BestOffset:
    """Micro F at the best constant offset within +-100 ms, in steps of 1 ms."""
    hits = sum(len(match.references) + len(match.estimates) for match in matches)
    sides = [pair for match in matches for pair in by_label(match)]
    found = np.array([sum(count_matches(r, e + ms / 1000, window) for r, e in sides) for ms in OFFSETS_MS])
    best = np.flatnonzero(found == found.max())
    runs = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    longest = max(runs, key=len)
    # The search is flat over many offsets when the window is wide: the middle of the longest stretch is
    # stable.
    chosen = OFFSETS_MS[int(longest[len(longest) // 2])]
    unshifted = int(found[OFFSETS_MS.index(0)])
    return BestOffset(
        window, chosen / 1000, 2 * int(found.max()) / max(1, hits), 2 * unshifted / max(1, hits)
    )


def seams(
    matches: Sequence[TrackMatch], period: float, first: float | None = None, reach: float = 0.1
) -> Seams:
    """Missed and false hits within `reach` seconds of the segment borders `first + k * period`, and
    elsewhere.

    Args:
        period: seconds between two segment borders of the decoder.
        first: time of the first border in seconds; default: `period`.
        reach: seconds either side.

    Raises:
        ValueError: `period` is not positive or not above twice `reach`.
    """
    if period <= 2 * reach:
        raise ValueError(f"seam period {period} s must be above twice the reach {reach} s")
    start = period if first is None else first

    def near(times: np.ndarray) -> np.ndarray:
        phase = (times - start) % period
        return np.asarray((np.minimum(phase, period - phase) <= reach) & (times >= start - reach))

    near_hits = near_errors = hits = errors = 0
    for match in matches:
        wrong = np.concatenate([match.references.time[match.missed], match.estimates.time[match.false]])
        near_hits += int(near(match.references.time).sum())
        near_errors += int(near(wrong).sum())
        hits += len(match.references)
        errors += len(wrong)
    return Seams(near_hits, near_errors, hits - near_hits, errors - near_errors)
