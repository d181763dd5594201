"""Precision, recall and F of onsets: per label, micro, macro, track mean. Definitions: docs/scoring.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.metrics.match import TrackMatch, get_scheme, match_tracks
from tokenizer.hits import SAME_STROKE, Hit


@dataclass(frozen=True)
class Counts:
    """True positives, false positives, false negatives and derived figures (0 where undefined)."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def references(self) -> int:
        return self.tp + self.fn

    @property
    def estimates(self) -> int:
        return self.tp + self.fp

    @property
    def empty(self) -> bool:
        """Whether there is neither a reference nor an estimate, so that no figure is defined."""
        return self.tp + self.fp + self.fn == 0

    @property
    def precision(self) -> float:
        return self.tp / self.estimates if self.estimates else 0.0

    @property
    def recall(self) -> float:
        return self.tp / self.references if self.references else 0.0

    @property
    def f(self) -> float:
        """2 tp / (2 tp + fp + fn)."""
        return 0.0 if self.empty else 2 * self.tp / (2 * self.tp + self.fp + self.fn)

    def to_dict(self) -> dict[str, float]:
        """JSON-ready."""
        return {
            "tp": self.tp,
            "fp": self.fp,
            "fn": self.fn,
            "precision": self.precision,
            "recall": self.recall,
            "f": self.f,
        }


@dataclass(frozen=True)
class FMeasures:
    """Counts of every track and label under one scheme and window."""

    scheme: str
    window: float
    """Seconds."""
    labels: tuple[str, ...]
    tracks: Mapping[str, tuple[Counts, ...]]
    """Per track, one `Counts` per label."""

    @property
    def classes(self) -> dict[str, Counts]:
        """Per label, summed over tracks."""
        return {
            label: sum((counts[i] for counts in self.tracks.values()), Counts())
            for i, label in enumerate(self.labels)
        }

    @property
    def per_track(self) -> dict[str, Counts]:
        """Per track, summed over labels."""
        return {track: sum(counts, Counts()) for track, counts in self.tracks.items()}

    @property
    def micro(self) -> Counts:
        """Summed over tracks and labels; its `f` is the headline figure."""
        return sum(self.per_track.values(), Counts())

    @property
    def macro_f(self) -> float:
        """Mean F of the labels that the references contain."""
        values = [counts.f for counts in self.classes.values() if counts.references]
        return float(np.mean(values)) if values else 0.0

    @property
    def track_f(self) -> float:
        """Mean of the F of each track, excluding tracks without any hit on either side."""
        values = [counts.f for counts in self.per_track.values() if not counts.empty]
        return float(np.mean(values)) if values else 0.0

    def array(self) -> np.ndarray:
        """[tracks labels 3] tp, fp, fn, as resampled by the bootstrap."""
        rows = [[(c.tp, c.fp, c.fn) for c in counts] for counts in self.tracks.values()]
        return np.array(rows, dtype=np.int64).reshape(len(self.tracks), len(self.labels), 3)

    def to_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return {
            "scheme": self.scheme,
            "window": self.window,
            "micro": self.micro.to_dict(),
            "macro_f": self.macro_f,
            "track_f": self.track_f,
            "classes": {label: counts.to_dict() for label, counts in self.classes.items()},
            "tracks": {track: counts.to_dict() for track, counts in self.per_track.items()},
        }


def count_matches(matches: Sequence[TrackMatch], *, scheme: str, window: float) -> FMeasures:
    """Count the matched tracks."""
    labels = get_scheme(scheme).labels
    tracks = {}
    for match in matches:
        references = np.bincount(match.references.label, minlength=len(labels))
        estimates = np.bincount(match.estimates.label, minlength=len(labels))
        hits = np.bincount(match.references.label[match.pairs[:, 0]], minlength=len(labels))
        tracks[match.track] = tuple(
            Counts(int(tp), int(e - tp), int(r - tp))
            for tp, e, r in zip(hits, estimates, references, strict=True)
        )
    return FMeasures(scheme, window, labels, tracks)


def f_measure(
    references: Mapping[str, Sequence[Hit]],
    estimates: Mapping[str, Sequence[Hit]],
    *,
    scheme: str = "5",
    window: float = 0.05,
    unjudged: frozenset[str] = frozenset(),
    merge: float = SAME_STROKE,
) -> FMeasures:
    """Score estimates against references, track by track and label by label.

    Iterates over the references: a missing estimate scores as empty, an estimate without a reference is
    ignored.

    Args:
        references: track name to hits.
        estimates: track name to hits.
        scheme: a name in `tokenizer.drums.SCHEMES`.
        window: seconds either side, inclusive (mir_eval.util.match_events).
        unjudged: class names removed from both sides (`LabelMap.unjudged` of the reference map).
        merge: see `eval.metrics.match.reduce_hits`.

    Raises:
        ValueError: no references, an unknown scheme or class, a window that is not positive.
    """
    matches = match_tracks(
        references, estimates, scheme=scheme, window=window, unjudged=unjudged, merge=merge
    )
    return count_matches(matches, scheme=scheme, window=window)
