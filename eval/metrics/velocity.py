"""Velocity: E-GMD's rule for correct onset and velocity, and agreement of estimated with played velocities.

The rule is mir_eval.transcription_velocity's (Hawthorne et al. 2018; used for drums by Callender et al. 2020,
arXiv:2004.00188): per track, reference velocities are scaled to 0..1 by their own minimum and maximum,
estimated ones by the least-squares line through the matched pairs, and a match counts when the two differ by
less than 0.1.

The level of a drum in a mix and the scale of annotated velocities are not part of the playing. Rank
correlation within one recording and one class shows whether a system follows the dynamics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eval.metrics.f_measure import FMeasures, count_matches
from eval.metrics.match import TrackMatch

TOLERANCE = 0.1
"""Tolerance as a share of the track's velocity range, exclusive (mir_eval's default, as in E-GMD)."""


def velocity_right(match: TrackMatch, tolerance: float = TOLERANCE) -> np.ndarray:
    """[m] whether each pair of the match also agrees in velocity."""
    if not len(match.pairs):
        return np.zeros(0, dtype=bool)
    reference = match.references.velocity
    low, high = reference.min(), reference.max()
    played = ((reference - low) / max(1.0, high - low))[match.pairs[:, 0]]
    given = match.estimates.velocity[match.pairs[:, 1]]
    slope, intercept = np.linalg.lstsq(np.vstack([given, np.ones(len(given))]).T, played, rcond=None)[0]
    return np.asarray(np.abs(slope * given + intercept - played) < tolerance)


def score_with_velocity(
    matches: Sequence[TrackMatch], *, scheme: str, window: float, tolerance: float = TOLERANCE
) -> FMeasures:
    """As `count_matches`, counting only the pairs that agree in velocity."""
    kept = [
        TrackMatch(
            match.track, match.references, match.estimates, match.pairs[velocity_right(match, tolerance)]
        )
        for match in matches
    ]
    return count_matches(kept, scheme=scheme, window=window)


def with_levels_known(matches: Sequence[TrackMatch]) -> list[TrackMatch]:
    """The matches with known levels: per track and class, estimated velocities shifted by a constant so that
    their mean over the matched pairs equals that of the references.

    Diagnostic, not a score: the remaining error is the error from stroke to stroke.
    """
    moved = []
    for match in matches:
        references, estimates = match.references, match.estimates
        velocity = estimates.velocity.astype(float)
        for label in np.unique(estimates.label):
            pairs = match.pairs[estimates.label[match.pairs[:, 1]] == label]
            if len(pairs):
                error = estimates.velocity[pairs[:, 1]].mean() - references.velocity[pairs[:, 0]].mean()
                velocity[estimates.label == label] -= error
        moved.append(replace(match, estimates=replace(estimates, velocity=velocity)))
    return moved


FEWEST = 5
"""Minimum number of matched pairs of a class in a track for a rank correlation."""


@dataclass(frozen=True)
class RankAgreement:
    """Rank correlation of estimated and played velocity within a track and class."""

    correlation: float
    """Spearman's rank correlation, averaged over tracks and classes, weighted by matched pairs."""
    pairs: int
    """Number of pairs in the average: classes of a track with at least `FEWEST` pairs and varying
    references."""


def rank_agreement(matches: Sequence[TrackMatch], fewest: int = FEWEST) -> RankAgreement | None:
    """Spearman's rank correlation (ties share their mean rank) of estimated and played velocities. Constant
    estimates count as 0; classes of a track with constant references are excluded. None if none remain."""
    total, weight = 0.0, 0
    for match in matches:
        played = match.references.velocity[match.pairs[:, 0]]
        given = match.estimates.velocity[match.pairs[:, 1]]
        label = match.references.label[match.pairs[:, 0]]
        for one in np.unique(label):
            chosen = label == one
            count = int(chosen.sum())
            if count < fewest or not np.ptp(played[chosen]):
                continue
            if np.ptp(given[chosen]):
                total += count * float(np.corrcoef(_ranks(played[chosen]), _ranks(given[chosen]))[0, 1])
            weight += count
    return RankAgreement(total / weight, weight) if weight else None


def _ranks(values: np.ndarray) -> np.ndarray:
    """[n] ranks from 1 up, the mean rank for equal values."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


@dataclass(frozen=True)
class VelocityAgreement:
    """Velocities of the matched pairs of all tracks, in MIDI units."""

    pairs: int
    correlation: float | None
    """Pearson's correlation; None if either side is constant."""
    bias: float
    """Mean of estimate minus reference."""
    mean_absolute_error: float
    ranks: RankAgreement | None
    """Rank correlation within tracks and classes."""


def velocity_agreement(matches: Sequence[TrackMatch]) -> VelocityAgreement | None:
    """Agreement of estimated with reference velocities, or None without a matched pair."""
    played = np.concatenate([match.references.velocity[match.pairs[:, 0]] for match in matches])
    given = np.concatenate([match.estimates.velocity[match.pairs[:, 1]] for match in matches])
    if not len(played):
        return None
    varies = len(played) > 1 and np.ptp(played) > 0 and np.ptp(given) > 0
    correlation = float(np.corrcoef(played, given)[0, 1]) if varies else None
    error = given - played
    return VelocityAgreement(
        len(played), correlation, float(error.mean()), float(np.abs(error).mean()), rank_agreement(matches)
    )
