"""Confusion between drums among hits matched by time only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eval.metrics.match import TrackMatch, match_times


def confusion(matches: Sequence[TrackMatch], labels: int, window: float) -> np.ndarray:
    """Count substitutions.

    Hits matched with their own label stay matched, so the diagonal holds the true positives of the scores.
    Missed and false hits are then matched by time, regardless of label.

    Args:
        matches: tracks under one scheme.
        labels: number of labels of the scheme.
        window: seconds.

    Returns:
        [labels+1 labels+1] counts, row: reference, column: estimate. Last row: false positives without a
        nearby missed hit; last column: missed hits without a nearby false positive.
    """
    matrix = np.zeros((labels + 1, labels + 1), dtype=np.int64)
    for match in matches:
        right = match.references.label[match.pairs[:, 0]]
        np.add.at(matrix, (right, right), 1)
        missed, false = match.missed, match.false
        pairs = match_times(match.references.time[missed], match.estimates.time[false], window)
        swapped = (match.references.label[missed[pairs[:, 0]]], match.estimates.label[false[pairs[:, 1]]])
        np.add.at(matrix, swapped, 1)
        alone_missed = np.delete(missed, pairs[:, 0])
        alone_false = np.delete(false, pairs[:, 1])
        np.add.at(matrix, (match.references.label[alone_missed], labels), 1)
        np.add.at(matrix, (labels, match.estimates.label[alone_false]), 1)
    return matrix
