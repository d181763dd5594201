"""Confidence: precision-recall curve, average precision, reliability and expected calibration error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eval.metrics.match import Events, TrackMatch
from eval.metrics.timing import matched_at

THRESHOLDS = 60
"""Maximum number of thresholds, at quantiles of the observed confidences."""
CLASS_THRESHOLDS = 20
"""The same for the curve of one label."""
BINS = 10


@dataclass(frozen=True)
class Curve:
    """Precision and recall for decreasing confidence thresholds."""

    threshold: np.ndarray
    """[k] decreasing; hits of at least this confidence are kept."""
    precision: np.ndarray
    recall: np.ndarray
    average_precision: float
    """Sum of precision times the increase in recall: the area up to the recall that the estimates reach."""

    @property
    def f(self) -> np.ndarray:
        """[k] F at each threshold."""
        total = self.precision + self.recall
        return np.divide(2 * self.precision * self.recall, total, out=np.zeros_like(total), where=total > 0)


@dataclass(frozen=True)
class Reliability:
    """Share of correct hits per confidence bin."""

    count: np.ndarray
    """[bins] hits."""
    confidence: np.ndarray
    """[bins] mean confidence, nan where empty."""
    right: np.ndarray
    """[bins] share of correct hits, nan where empty."""
    expected_error: float
    """Mean of |confidence - share correct| over the bins, weighted by hits (Naeini et al. 2015; Guo et al.
    2017)."""
    brier: float
    """Mean squared difference of confidence and outcome (Brier 1950)."""


def has_confidence(matches: Sequence[TrackMatch]) -> bool:
    """Whether the estimates have more than one confidence value."""
    values = np.concatenate([match.estimates.confidence for match in matches])
    return len(values) > 1 and bool(np.ptp(values) > 0)


def class_curves(matches: Sequence[TrackMatch], labels: Sequence[str], window: float) -> dict[str, Curve]:
    """A curve for every label that is both played and heard."""
    curves = {}
    for number, label in enumerate(labels):
        own = [
            replace(
                match,
                references=_kept(match.references, match.references.label == number),
                estimates=_kept(match.estimates, match.estimates.label == number),
            )
            for match in matches
        ]
        if any(len(one.references) for one in own) and any(len(one.estimates) for one in own):
            curves[label] = precision_recall(own, window, CLASS_THRESHOLDS)
    return curves


def precision_recall(matches: Sequence[TrackMatch], window: float, thresholds: int = THRESHOLDS) -> Curve:
    """The curve, with a new matching at every threshold, so that each point is the score of the remaining
    estimates."""
    values = np.concatenate([match.estimates.confidence for match in matches])
    references = sum(len(match.references) for match in matches)
    levels = np.unique(np.quantile(values, np.linspace(0, 1, thresholds), method="lower"))[::-1]
    precision, recall = [], []
    for level in levels:
        kept = [
            replace(match, estimates=_kept(match.estimates, match.estimates.confidence >= level))
            for match in matches
        ]
        found = sum(matched_at(match, window) for match in kept)
        precision.append(found / max(1, sum(len(match.estimates) for match in kept)))
        recall.append(found / max(1, references))
    p, r = np.array(precision), np.array(recall)
    return Curve(levels, p, r, float(np.sum(p * np.diff(r, prepend=0.0))))


def reliability(matches: Sequence[TrackMatch]) -> Reliability:
    """Reliability in ten equal confidence bins; a hit is correct if it is matched."""
    values = np.concatenate([match.estimates.confidence for match in matches])
    right = np.concatenate([match.hit_right for match in matches]).astype(np.float64)
    place = np.minimum((values * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(place, values, BINS) / count
        share = np.bincount(place, right, BINS) / count
    gap = np.nan_to_num(np.abs(confidence - share))
    total = max(1, len(values))
    brier = float(np.mean((values - right) ** 2)) if len(values) else 0.0
    return Reliability(count, confidence, share, float((gap * count).sum() / total), brier)


def _kept(events: Events, kept: np.ndarray) -> Events:
    return Events(events.time[kept], events.label[kept], events.velocity[kept], events.confidence[kept])
