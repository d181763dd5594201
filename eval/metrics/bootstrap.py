"""Bootstrap over tracks: intervals for every headline figure, and a paired test of two systems.

Tracks, not hits, are resampled (Efron & Tibshirani 1993), because errors within a recording are correlated.
Intervals are percentile intervals; with fewer than about ten tracks they are too narrow, which the report
states.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.metrics.f_measure import FMeasures

FEW_TRACKS = 10
"""With fewer tracks, the bootstrap is only a rough guide."""


@dataclass(frozen=True)
class Interval:
    """A figure and its bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Paired:
    """Difference of two systems (first minus second) on the same resampled tracks."""

    difference: float
    low: float
    high: float
    share_better: float
    """Share of resamples in which the first system is better (ties count half)."""
    tracks: int

    @property
    def told_apart(self) -> bool:
        """Whether the interval of the difference excludes zero."""
        return self.low > 0 or self.high < 0


def f_of(counts: np.ndarray) -> np.ndarray:
    """[... 3] counts tp, fp, fn to [...] F; zero if there is nothing to count."""
    tp, fp, fn = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    total = 2 * tp + fp + fn
    return np.divide(2 * tp, total, out=np.zeros_like(total), where=total > 0)


def draws(tracks: int, samples: int, seed: int) -> np.ndarray:
    """[samples tracks] how often each resample contains each track."""
    return np.random.default_rng(seed).multinomial(tracks, np.full(tracks, 1 / tracks), size=samples)


def statistics(counts: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Figures for weighted sets of tracks.

    Args:
        counts: [tracks labels 3] tp, fp, fn.
        weights: [samples tracks].

    Returns:
        "micro", "precision", "recall", "macro", "track": [samples]; "labels": [samples labels] F;
        "present": [samples labels], whether the references contain the label.
    """
    pooled = np.einsum("st,tlc->slc", weights, counts)
    total = pooled.sum(1)
    label_f = f_of(pooled)
    present = (pooled[..., 0] + pooled[..., 2]) > 0
    of_track = counts.sum(1)
    not_empty = weights * (of_track.sum(-1) > 0)
    tp = total[:, 0].astype(np.float64)
    return {
        "micro": f_of(total),
        "precision": tp / np.maximum(total[:, 0] + total[:, 1], 1),
        "recall": tp / np.maximum(total[:, 0] + total[:, 2], 1),
        "macro": (label_f * present).sum(1) / np.maximum(present.sum(1), 1),
        "track": not_empty @ f_of(of_track) / np.maximum(not_empty.sum(1), 1),
        "labels": label_f,
        "present": present,
    }


def intervals(
    scores: FMeasures, *, samples: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[str, Interval]:
    """Intervals of micro F, precision and recall, macro F, track mean F, and F per label (key: its name);
    empty for a single track, which cannot be resampled.

    Raises:
        ValueError: `samples` below 1 or `level` outside 0..1.
    """
    _check(samples, level)
    counts = scores.array()
    if len(counts) < 2:
        return {}
    tails = (50 * (1 - level), 50 * (1 + level))
    value = statistics(counts, np.ones((1, len(counts)), dtype=np.int64))
    spread = statistics(counts, draws(len(counts), samples, seed))
    found = {}
    for name in ("micro", "precision", "recall", "macro", "track"):
        low, high = np.percentile(spread[name], tails)
        found[name] = Interval(float(value[name][0]), float(low), float(high))
    for i, label in enumerate(scores.labels):
        # A rare drum is missing from some resamples, which are excluded for its label.
        drawn = spread["labels"][:, i][spread["present"][:, i]]
        low, high = np.percentile(drawn, tails) if len(drawn) else (0.0, 0.0)
        found[label] = Interval(float(value["labels"][0, i]), float(low), float(high))
    return found


def paired(
    first: FMeasures,
    second: FMeasures,
    *,
    figure: str = "micro",
    samples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Paired:
    """Compare two systems scored on the same tracks.

    Raises:
        ValueError: the systems have different tracks, labels, schemes or windows, or `figure` is unknown.
    """
    _check(samples, level)
    if (first.scheme, first.window, list(first.tracks)) != (
        second.scheme,
        second.window,
        list(second.tracks),
    ):
        raise ValueError("a paired comparison needs two systems scored on the same tracks, scheme and window")
    if figure not in ("micro", "macro", "track"):
        raise ValueError(f"figure {figure!r} must be micro, macro or track")
    tracks = len(first.tracks)
    weights = draws(tracks, samples, seed)
    whole = np.ones((1, tracks), dtype=np.int64)
    spread = statistics(first.array(), weights)[figure] - statistics(second.array(), weights)[figure]
    value = statistics(first.array(), whole)[figure] - statistics(second.array(), whole)[figure]
    low, high = np.percentile(spread, (50 * (1 - level), 50 * (1 + level)))
    better = float(np.mean(spread > 0) + np.mean(spread == 0) / 2)
    return Paired(float(value[0]), float(low), float(high), better, tracks)


def _check(samples: int, level: float) -> None:
    if samples < 1:
        raise ValueError(f"bootstrap samples {samples} must be at least 1")
    if not 0 < level < 1:
        raise ValueError(f"level {level} must lie between 0 and 1")
