"""Recall by the gap to the neighbouring hit, by loudness and by the number of simultaneous drums, and false
alarms per minute on recordings without drums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.metrics.match import TrackMatch

GAP_EDGES_MS = (0, 30, 50, 100, 200, 400)
"""Lower edges in milliseconds. 8.9 % of snare pairs in the Groove data are closer than 50 ms (flams,
drags)."""
LOUDNESS_EDGES = (1, 20, 40, 60, 80, 100)
"""Lower edges of MIDI velocity. Nearly half of recorded hits are below 60."""
TOGETHER_SECONDS = 0.02
"""Reference hits at most this far apart count as simultaneous."""


@dataclass(frozen=True)
class Bin:
    """Recall of one group of reference hits."""

    name: str
    hits: int
    found: int

    @property
    def recall(self) -> float:
        return self.found / self.hits if self.hits else 0.0


def recall_by_gap(matches: Sequence[TrackMatch]) -> list[Bin]:
    """By the time to the nearest reference hit of the same label, before or after."""
    gaps = []
    for match in matches:
        gap = np.full(len(match.references), np.inf)
        for label in np.unique(match.references.label):
            of_label = np.flatnonzero(match.references.label == label)
            between = np.diff(match.references.time[of_label])
            gap[of_label[1:]] = between
            gap[of_label[:-1]] = np.minimum(gap[of_label[:-1]], between)
        gaps.append(gap * 1000)
    return _bins(matches, gaps, GAP_EDGES_MS, "ms")


def recall_by_loudness(matches: Sequence[TrackMatch]) -> list[Bin]:
    """By the velocity of the reference hit."""
    return _bins(matches, [match.references.velocity for match in matches], LOUDNESS_EDGES, "velocity")


def recall_by_company(matches: Sequence[TrackMatch]) -> list[Bin]:
    """By the number of reference hits (any label, itself included) within 20 ms."""
    company = []
    for match in matches:
        time = match.references.time
        reach = TOGETHER_SECONDS + 1e-9
        company.append(
            np.searchsorted(time, time + reach, "right") - np.searchsorted(time, time - reach, "left")
        )
    found = np.concatenate([match.found for match in matches])
    size = np.concatenate(company)
    groups = [(str(n), size == n) for n in (1, 2, 3)] + [("4 or more", size >= 4)]
    return [Bin(f"{name} at once", int(group.sum()), int(found[group].sum())) for name, group in groups]


def _bins(
    matches: Sequence[TrackMatch], values: list[np.ndarray], edges: tuple[int, ...], unit: str
) -> list[Bin]:
    found = np.concatenate([match.found for match in matches])
    value = np.concatenate(values)
    bins = []
    for low, high in zip(edges, (*edges[1:], np.inf), strict=True):
        group = (value >= low) & (
            (value < high) | (high == np.inf)
        )  # a lone hit has no neighbour: infinite gap
        name = f"{low} {unit} and above" if high == np.inf else f"{low} to {int(high)} {unit}"
        bins.append(Bin(name, int(group.sum()), int(found[group].sum())))
    return bins


@dataclass(frozen=True)
class FalseAlarms:
    """Estimates on recordings without drums."""

    tracks: int
    minutes: float
    by_label: dict[int, int]
    """Label index to number of false alarms."""
    by_track: dict[str, int]
    """False alarms of every track, including tracks without any."""

    @property
    def per_minute(self) -> float:
        return sum(self.by_label.values()) / self.minutes if self.minutes else 0.0


def false_alarms(matches: Sequence[TrackMatch], seconds: Mapping[str, float]) -> FalseAlarms | None:
    """False alarms on tracks with an empty reference and a known length; None if there is no such track."""
    drumless = [match for match in matches if not len(match.references) and match.track in seconds]
    if not drumless:
        return None
    labels = np.concatenate([match.estimates.label for match in drumless])
    minutes = sum(seconds[match.track] for match in drumless) / 60
    counts = {int(label): int(n) for label, n in zip(*np.unique(labels, return_counts=True), strict=True)}
    by_track = {match.track: len(match.estimates) for match in drumless}
    return FalseAlarms(len(drumless), minutes, counts, by_track)
