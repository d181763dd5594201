"""Velocity: E-GMD's rule for "onset and velocity right", and how estimated velocities follow the played ones.

The rule is mir_eval.transcription_velocity's (Hawthorne et al. 2018; used for drums by Callender et al. 2020,
arXiv:2004.00188): per track, reference velocities are scaled to 0..1 by their own minimum and maximum,
estimated ones by the least-squares line through the matched pairs, and a match counts when the two differ by
less than 0.1.

How loud a drum stands in a mix, and on what scale an annotator wrote velocities, is not in the playing:
whether a system hears the dynamics shows in ranks, within one recording and one class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eval.metrics.f_measure import FMeasures, count_matches
from eval.metrics.match import TrackMatch

TOLERANCE = 0.1
"""Share of the track's velocity range, exclusive (mir_eval's default, E-GMD's choice)."""


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
    """The matches as if the system knew how loud each drum stands in each mix: per track and class,
    estimated velocities moved by a constant, so that their mean over the matched pairs is the played one.

    Not a score of a system but a what-if: what is wrong then is wrong from stroke to stroke.
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
"""Matched pairs of a class in a track below which their order says nothing."""


@dataclass(frozen=True)
class RankAgreement:
    """Whether louder strokes are estimated louder, within a track and class."""

    correlation: float
    """Spearman's, averaged over tracks and classes, weighted by matched pairs."""
    pairs: int
    """In the mean: of every class of a track with `FEWEST` pairs or more whose references vary."""


def rank_agreement(matches: Sequence[TrackMatch], fewest: int = FEWEST) -> RankAgreement | None:
    """Spearman's rank correlation (equal velocities share their mean rank) of estimated and played
    velocities. Constant estimates count as 0; classes of a track played at one velocity are left out. None
    where nothing is left."""
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
    """Pearson's; None where either side does not vary."""
    bias: float
    """Mean of estimate minus reference."""
    mean_absolute_error: float
    ranks: RankAgreement | None
    """Within tracks and classes."""


def velocity_agreement(matches: Sequence[TrackMatch]) -> VelocityAgreement | None:
    """How estimated velocities follow the references', or None without a matched pair."""
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
