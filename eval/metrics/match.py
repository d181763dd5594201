"""Matching of estimated and reference hits: reduction to a scheme, then mir_eval's matching per label.

The matching is `mir_eval.util.match_events` (Raffel et al. 2014), one maximum matching per label and track,
window inclusive. A maximum matching is not unique, so crossing pairs are swapped into time order afterwards.
This changes no count and gives well-defined pairs for timing and velocity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import mir_eval
import numpy as np

from tokenizer.drums import CLASS_INDEX, SCHEMES, Scheme
from tokenizer.hits import SAME_STROKE, Hit

MOST_PAIRS, MOST_EACH = 20_000, 16
"""Limits on the possible pairs of a group of hits and of each of its references. Above them, mir_eval's
matching is too slow and a greedy pass with a matching of the same size is used. Music does not reach them: 16
strokes of one drum within 100 ms, or a minute of one drum 60 times per second."""
_IN_ORDER = attrgetter("time", "drum", "velocity", "confidence")
_NO_PAIRS = np.zeros((0, 2), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Events:
    """Hits of one track under one scheme, as arrays in order of time."""

    time: np.ndarray
    """[n] seconds."""
    label: np.ndarray
    """[n] index into `Scheme.labels`."""
    velocity: np.ndarray
    """[n] MIDI velocity."""
    confidence: np.ndarray
    """[n] 0..1."""

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, eq=False)
class TrackMatch:
    """Reference and estimate of one track, matched."""

    track: str
    references: Events
    estimates: Events
    pairs: np.ndarray
    """[m 2] indices (reference, estimate), in order of the reference."""

    @property
    def missed(self) -> np.ndarray:
        """[k] indices of reference hits without an estimate."""
        return np.setdiff1d(np.arange(len(self.references)), self.pairs[:, 0])

    @property
    def false(self) -> np.ndarray:
        """[k] indices of estimates without a reference."""
        return np.setdiff1d(np.arange(len(self.estimates)), self.pairs[:, 1])

    @property
    def hit_right(self) -> np.ndarray:
        """[estimates] whether each estimate is matched."""
        right = np.zeros(len(self.estimates), dtype=bool)
        right[self.pairs[:, 1]] = True
        return right

    @property
    def found(self) -> np.ndarray:
        """[references] whether each reference hit is matched."""
        found = np.zeros(len(self.references), dtype=bool)
        found[self.pairs[:, 0]] = True
        return found


def get_scheme(name: str) -> Scheme:
    """The scheme with this name.

    Raises:
        ValueError: the name is unknown.
    """
    if name not in SCHEMES:
        raise ValueError(f"unknown scheme {name!r}; known: {', '.join(SCHEMES)}")
    return SCHEMES[name]


def reduce_hits(
    hits: Sequence[Hit],
    scheme: Scheme,
    unjudged: frozenset[str] = frozenset(),
    merge: float = SAME_STROKE,
) -> Events:
    """Hits under a scheme. Classes in `unjudged` and classes excluded by the scheme are dropped.

    Hits of *different* classes with one label become one event when they lie within `merge` seconds of the
    first (earliest time, greatest velocity and confidence): two cymbals struck together are one `CY`. Hits of
    one class are never merged: a flam remains two hits and a duplicated estimate remains a false positive.

    Raises:
        ValueError: `unjudged` names an unknown class, or `merge` is negative.
    """
    unknown = sorted(unjudged - set(CLASS_INDEX))
    if unknown:
        raise ValueError(f"unjudged: unknown classes {unknown}")
    if merge < 0:
        raise ValueError(f"merge {merge} must be at least 0 s")
    left_out = {CLASS_INDEX[name] for name in unjudged}
    rows: list[list[float]] = []
    open_event: dict[int, tuple[int, set[int]]] = {}
    for hit in sorted(hits, key=_IN_ORDER):
        label = scheme.of_class[hit.drum]
        if label < 0 or hit.drum in left_out:
            continue
        if label in open_event:
            at, drums = open_event[label]
            if hit.drum not in drums and hit.time - rows[at][0] <= merge + 1e-9:  # 1 ns: 1.02 - 1.0 > 0.02
                drums.add(hit.drum)
                rows[at][2] = max(rows[at][2], hit.velocity)
                rows[at][3] = max(rows[at][3], hit.confidence)
                continue
        open_event[label] = (len(rows), {hit.drum})
        rows.append([hit.time, label, hit.velocity, hit.confidence])
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Events(table[:, 0], table[:, 1].astype(np.int64), table[:, 2], table[:, 3])


def match_times(references: np.ndarray, estimates: np.ndarray, window: float) -> np.ndarray:
    """One maximum matching of two sorted lists of times.

    Args:
        references: [n] seconds, rising.
        estimates: [m] seconds, rising.
        window: seconds, inclusive.

    Returns:
        [k 2] pairs of indices, both columns rising.
    """
    if not len(references) or not len(estimates):
        return _NO_PAIRS
    low, high = _in_reach(references, estimates, window)
    dense = _dense(low, high)
    sparse = np.flatnonzero(~dense)
    matched = mir_eval.util.match_events(references, estimates[sparse], window) if len(sparse) else []
    pairs = np.array(matched, dtype=np.int64).reshape(-1, 2)
    pairs[:, 1] = sparse[pairs[:, 1]]
    if dense.any():
        thick = np.flatnonzero(dense)
        found = _greedy(low[thick], high[thick])
        found = np.stack([found[:, 1], thick[found[:, 0]]], axis=1)
        pairs = np.concatenate([pairs, found])
    return np.stack([np.sort(pairs[:, 0]), np.sort(pairs[:, 1])], axis=1)


def _in_reach(references: np.ndarray, estimates: np.ndarray, window: float) -> tuple[np.ndarray, np.ndarray]:
    """For each estimate [m], the index of the first reference within the window and one past the last."""
    low = np.searchsorted(references, estimates - window, side="left")
    return low, np.searchsorted(references, estimates + window, side="right")


def _dense(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """[m] whether an estimate belongs to a group with many possible pairs, in total or for one reference.

    Groups share no reference, so each can be matched separately.
    """
    starts = np.flatnonzero(np.concatenate([[True], low[1:] >= high[:-1]]))
    ends = np.append(starts[1:], len(low))
    pairs = np.add.reduceat(high - low, starts)
    dense = (pairs > MOST_PAIRS) | (pairs > MOST_EACH * (high[ends - 1] - low[starts]))
    return np.repeat(dense, ends - starts)


def _greedy(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """[k 2] (estimate, reference) of a maximum matching: each hit of the smaller side in turn takes the first
    unused hit of the other side within reach, which is exact for windows of equal width (Glover 1967)."""
    if not len(low):
        return _NO_PAIRS
    references = np.arange(low[0], high[-1])
    swap = len(references) < len(low)
    if swap:
        first, end = (np.searchsorted(border, references, side="right") for border in (high, low))
    else:
        first, end = low, high
    taken, following = [], 0
    for one, (start, stop) in enumerate(zip(first.tolist(), end.tolist(), strict=True)):
        other = max(start, following)
        if other < stop:
            taken.append((one, other))
            following = other + 1
    pairs = np.array(taken, dtype=np.int64).reshape(-1, 2)
    return np.stack([pairs[:, 1], references[pairs[:, 0]]], axis=1) if swap else pairs


def count_matches(references: np.ndarray, estimates: np.ndarray, window: float) -> int:
    """Size of the maximum matching of two sorted lists of times, by one greedy pass (exact for equal
    windows).

    Equals `len(match_times(...))` and is about twenty times faster; used to scan many offsets.
    """
    low, high = _in_reach(references, estimates, window)
    return len(_greedy(low, high))


def match_events(references: Events, estimates: Events, window: float) -> np.ndarray:
    """[m 2] pairs (reference, estimate) of one label within the window, in order of the reference."""
    found = [_NO_PAIRS]
    for label in np.intersect1d(references.label, estimates.label):
        of_reference = np.flatnonzero(references.label == label)
        of_estimate = np.flatnonzero(estimates.label == label)
        pairs = match_times(references.time[of_reference], estimates.time[of_estimate], window)
        found.append(np.stack([of_reference[pairs[:, 0]], of_estimate[pairs[:, 1]]], axis=1))
    pairs = np.concatenate(found)
    return pairs[np.argsort(pairs[:, 0], kind="stable")]


def match_tracks(
    references: Mapping[str, Sequence[Hit]],
    estimates: Mapping[str, Sequence[Hit]],
    *,
    scheme: str = "5",
    window: float = 0.05,
    unjudged: frozenset[str] = frozenset(),
    merge: float = SAME_STROKE,
) -> list[TrackMatch]:
    """Match every reference track with its estimate. A missing estimate counts as empty; an estimate without
    a reference is ignored.

    Raises:
        ValueError: no references, an unknown scheme or class, a window that is not positive.
    """
    if not references:
        raise ValueError("no reference tracks to score against")
    if not window > 0:
        raise ValueError(f"window {window} must be above 0 s")
    table = get_scheme(scheme)
    matches = []
    for track, hits in references.items():
        reference = reduce_hits(hits, table, unjudged, merge)
        estimate = reduce_hits(estimates.get(track, ()), table, unjudged, merge)
        matches.append(TrackMatch(track, reference, estimate, match_events(reference, estimate, window)))
    return matches
