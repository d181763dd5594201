"""Figures by the conventions of other publications, to reproduce their results."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.metrics.f_measure import Counts, FMeasures


@dataclass(frozen=True)
class AdtofFigures:
    """ADTOF's two summaries (Zehren et al. 2021, 2023; `adtof/model/eval.py` of MZehren/ADTOF)."""

    sum_f: float
    """Counts summed over tracks and classes: our micro F."""
    mean_f: float
    """Mean over every track *and* class of its F, where a class without estimates has precision 1 and one
    without references has recall 1. A class without references and estimates counts as 1, so the figure is
    optimistic for sparse drums."""


def adtof(scores: FMeasures) -> AdtofFigures:
    """ADTOF's figures from our counts. ADTOF also matches with mir_eval but does not merge hits, so score
    with merge=0."""
    cells = [_adtof_f(counts) for track in scores.tracks.values() for counts in track]
    return AdtofFigures(_adtof_f(scores.micro), float(np.mean(cells)))


def _adtof_f(counts: Counts) -> float:
    precision = counts.tp / counts.estimates if counts.estimates else 1.0
    recall = counts.tp / counts.references if counts.references else 1.0
    return 2 * precision * recall / (precision + recall) if precision * recall else 0.0
