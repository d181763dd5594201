"""All figures that the benchmark reports for one system, from references and estimates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from eval.metrics import calibration, lint
from eval.metrics.bootstrap import Interval, intervals
from eval.metrics.confusion import confusion
from eval.metrics.conventions import AdtofFigures, adtof
from eval.metrics.f_measure import FMeasures, count_matches, f_measure
from eval.metrics.match import TrackMatch, get_scheme, match_tracks
from eval.metrics.recall import (
    Bin,
    FalseAlarms,
    false_alarms,
    recall_by_company,
    recall_by_gap,
    recall_by_loudness,
)
from eval.metrics.timing import BestOffset, Seams, Timing, best_offset, seams, timing
from eval.metrics.velocity import (
    VelocityAgreement,
    score_with_velocity,
    velocity_agreement,
    with_levels_known,
)
from tokenizer.drums import SCHEMES
from tokenizer.hits import SAME_STROKE, Hit


@dataclass(frozen=True)
class Settings:
    """Scoring options.

    Raises:
        ValueError: a scheme is unknown, a window is not positive.
    """

    scheme: str = "5"
    """Scheme of the headline and of every analysis."""
    schemes: tuple[str, ...] = tuple(SCHEMES)
    """Schemes of the table; the caller omits those finer than the labels support."""
    window: float = 0.05
    """Window of the headline, seconds."""
    windows: tuple[float, ...] = (0.02, 0.03, 0.05)
    """Windows of the table, seconds."""
    unjudged: frozenset[str] = frozenset()
    """Class names removed from both sides."""
    merge: float = SAME_STROKE
    """Seconds; see `eval.metrics.match.reduce_hits`."""
    samples: int = 2000
    """Bootstrap resamples."""
    seed: int = 0
    seam_period: float | None = None
    """Seconds between the borders of the decoder's segments, if known."""

    def __post_init__(self) -> None:
        for name in (self.scheme, *self.schemes):
            get_scheme(name)
        for window in (self.window, *self.windows):
            if not 0 < window <= 1:
                raise ValueError(f"window {window} must lie above 0 and up to 1 s")

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the headline scheme."""
        return SCHEMES[self.scheme].labels


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All figures of one system."""

    name: str
    settings: Settings
    table: Mapping[tuple[str, float], FMeasures]
    """By scheme and window."""
    headline: FMeasures
    headline_intervals: Mapping[str, Interval]
    velocity_scores: FMeasures | None
    """With E-GMD's velocity rule; None if the reference velocities do not vary."""
    velocity_intervals: Mapping[str, Interval] | None
    velocity_levels_known: FMeasures | None
    """The same with each drum's level in each mix known (`eval.metrics.velocity.with_levels_known`)."""
    velocity: VelocityAgreement | None
    adtof: AdtofFigures
    timing: Timing | None
    offsets: Sequence[BestOffset]
    """One per window of the table; the narrower the window, the more an offset costs."""
    gaps: Sequence[Bin]
    loudness: Sequence[Bin] | None
    company: Sequence[Bin]
    seams: Seams | None
    false_alarms: FalseAlarms | None
    confusion: np.ndarray
    curve: calibration.Curve | None
    class_curves: Mapping[str, calibration.Curve]
    """By label; none where there are no confidences."""
    reliability: calibration.Reliability | None
    findings: Sequence[lint.Finding]
    matches: Sequence[TrackMatch]
    """At the scheme and window of the headline."""
    unmapped: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)


def evaluate(
    name: str,
    references: Mapping[str, Sequence[Hit]],
    estimates: Mapping[str, Sequence[Hit]],
    settings: Settings,
    *,
    seconds: Mapping[str, float] | None = None,
    drumless: Mapping[str, Sequence[Hit]] | None = None,
    unmapped: Counter[str] | None = None,
    excluded: Counter[str] | None = None,
    stray: Sequence[str] = (),
) -> Evaluation:
    """Compute all figures for one system.

    Args:
        name: of the system.
        references: track to hits.
        estimates: the same track names to hits; a missing track scores as empty.
        settings: schemes, windows, classes left out.
        seconds: length of each track's audio, where known.
        drumless: estimates on recordings without drums (lengths in `seconds`), scored separately.
        unmapped: labels of the estimates that are in no map, for the report.
        excluded: labels of the estimates that are excluded on purpose, for the report.
        stray: estimates without a reference, for the lint.
    """
    lengths = seconds or {}
    labels, window = settings.labels, settings.window
    matches = match_tracks(
        references,
        estimates,
        scheme=settings.scheme,
        window=window,
        unjudged=settings.unjudged,
        merge=settings.merge,
    )
    silent = [match for match in matches if not len(match.references)]
    if drumless:
        nothing: dict[str, Sequence[Hit]] = {track: () for track in drumless}
        silent += match_tracks(
            nothing, drumless, scheme=settings.scheme, window=window, unjudged=settings.unjudged
        )
    headline = count_matches(matches, scheme=settings.scheme, window=window)
    loud = any(len(match.references) and np.ptp(match.references.velocity) > 0 for match in matches)
    with_velocity = score_with_velocity(matches, scheme=settings.scheme, window=window) if loud else None
    confident = calibration.has_confidence(matches)
    when = timing(matches)
    offsets = [best_offset(matches, each) for each in sorted({*settings.windows, window})]
    findings = [
        *lint.missing_files(references, estimates, stray),
        *lint.wrong_classes(matches, labels, window),
        *lint.timing_findings(when, offsets[0]),
        *lint.axis_findings(matches, window),
        *lint.past_the_end("reference", references, lengths),
        *lint.past_the_end("estimated", estimates, lengths),
        *lint.duplicates("reference", references),
        *lint.duplicates("estimated", estimates),
        *lint.few_velocities(estimates),
    ]
    if settings.scheme == "26":
        findings += lint.absent_classes(references, estimates)
    return Evaluation(
        name=name,
        settings=settings,
        table=_table(references, estimates, settings),
        headline=headline,
        headline_intervals=intervals(headline, samples=settings.samples, seed=settings.seed),
        velocity_scores=with_velocity,
        velocity_intervals=None
        if with_velocity is None
        else intervals(with_velocity, samples=settings.samples, seed=settings.seed),
        velocity_levels_known=score_with_velocity(
            with_levels_known(matches), scheme=settings.scheme, window=window
        )
        if loud
        else None,
        velocity=velocity_agreement(matches) if loud else None,
        adtof=adtof(_unmerged(references, estimates, settings)),
        timing=when,
        offsets=offsets,
        gaps=recall_by_gap(matches),
        loudness=recall_by_loudness(matches) if loud else None,
        company=recall_by_company(matches),
        seams=seams(matches, settings.seam_period) if settings.seam_period else None,
        false_alarms=false_alarms(silent, lengths),
        confusion=confusion(matches, len(labels), window),
        curve=calibration.precision_recall(matches, window) if confident else None,
        class_curves=calibration.class_curves(matches, labels, window) if confident else {},
        reliability=calibration.reliability(matches) if confident else None,
        findings=findings,
        matches=matches,
        unmapped=unmapped or Counter(),
        excluded=excluded or Counter(),
    )


def _table(
    references: Mapping[str, Sequence[Hit]], estimates: Mapping[str, Sequence[Hit]], settings: Settings
) -> dict[tuple[str, float], FMeasures]:
    return {
        (scheme, window): f_measure(
            references,
            estimates,
            scheme=scheme,
            window=window,
            unjudged=settings.unjudged,
            merge=settings.merge,
        )
        for scheme in settings.schemes
        for window in settings.windows
    }


def _unmerged(
    references: Mapping[str, Sequence[Hit]], estimates: Mapping[str, Sequence[Hit]], settings: Settings
) -> FMeasures:
    """The headline by ADTOF's convention, without merging."""
    return f_measure(
        references,
        estimates,
        scheme=settings.scheme,
        window=settings.window,
        unjudged=settings.unjudged,
        merge=0.0,
    )
