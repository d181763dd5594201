"""Which estimated hit stands for which reference hit: reduction to a scheme, then mir_eval's matching per
label.

The matching is `mir_eval.util.match_events` (Raffel et al. 2014), one maximum matching per label and track,
window inclusive. A maximum matching is not unique, so the pairs are uncrossed in time afterwards: that
changes no count and no feasibility, and it makes the pairs (timing, velocity) as orderly as the hits are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mir_eval
import numpy as np

from tokenizer.drums import CLASS_INDEX, SCHEMES, Scheme
from tokenizer.hits import SAME_STROKE, Hit

_NO_PAIRS = np.zeros((0, 2), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Events:
    """Hits of one track under one scheme, as arrays in rising time."""

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
    """[m 2] indices (reference, estimate), by rising reference."""

    @property
    def missed(self) -> np.ndarray:
        """[k] indices of reference hits without an estimate."""
        return np.setdiff1d(np.arange(len(self.references)), self.pairs[:, 0])

    @property
    def false(self) -> np.ndarray:
        """[k] indices of estimates without a reference hit."""
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
    """The scheme of that name.

    Raises:
        ValueError: there is none.
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
    """Hits under a scheme. Classes in `unjudged` and classes the scheme leaves out are dropped.

    Hits of *different* classes with one label become one event when they lie within `merge` seconds of the
    first (earliest time, greatest velocity and confidence): two cymbals struck together are one `CY`. Hits of
    one class are never merged: a flam stays two hits and a duplicated estimate stays a false alarm.

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
    for hit in sorted(hits):
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
    matched = mir_eval.util.match_events(references, estimates, window)
    if not matched:
        return _NO_PAIRS
    pairs = np.array(matched, dtype=np.int64)
    return np.stack([np.sort(pairs[:, 0]), np.sort(pairs[:, 1])], axis=1)


def count_matches(references: np.ndarray, estimates: np.ndarray, window: float) -> int:
    """Size of the maximum matching of two sorted lists of times, by one greedy pass (exact for equal
    windows).

    As `len(match_times(...))`, some twenty times faster: for scans over many offsets.
    """
    low = np.searchsorted(references, estimates - window, side="left").tolist()
    high = np.searchsorted(references, estimates + window, side="right").tolist()
    following = count = 0
    for first, end in zip(low, high, strict=True):
        at = max(first, following)
        if at < end:
            count += 1
            following = at + 1
    return count


def match_events(references: Events, estimates: Events, window: float) -> np.ndarray:
    """[m 2] pairs (reference, estimate) of one label within the window, by rising reference."""
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
    """Every reference track matched with its estimate. A track without an estimate is matched with silence;
    an estimate without a reference is not looked at.

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
