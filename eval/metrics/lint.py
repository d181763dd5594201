"""Checks for common evaluation errors: wrong class map, offset, stretched time axis, duplicates, missing
files, times past the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eval.metrics.confusion import confusion
from eval.metrics.match import Events, TrackMatch
from eval.metrics.timing import BestOffset, Timing, matched_at
from tokenizer.drums import DRUMS
from tokenizer.hits import Hit

DUPLICATE_SECONDS = 0.01
"""Two hits on one drum this close are one hit written twice; nobody plays that fast."""
SUSPECT_F = 0.8
"""Tracks below this F are checked for an offset or a stretched time axis."""
GAIN = 0.15
"""An offset or scale is reported if it raises a track's F by at least this much."""
EARLY_MEDIAN = 0.008
"""Median timing errors of at least this many seconds are reported: almost a frame of 10 ms."""
RATIOS = (44100 / 48000, 48000 / 44100, 0.5, 2.0, 441 / 440, 440 / 441, 1000 / 1001, 1001 / 1000)
"""Scales caused by wrong sample rates, frame rates and tempi, tried in addition to the grid around 1."""
FINE_WINDOW = 0.02
"""Window in seconds for refining an offset or scale."""
MOST_SEARCHED = 12
"""Maximum number of suspect tracks to check."""


@dataclass(frozen=True)
class Finding:
    """One suspected error."""

    kind: str
    severity: str
    """"error": the table would be wrong; "warning": look at it; "note": worth knowing."""
    message: str
    track: str | None = None


def missing_files(
    references: Iterable[str], estimates: Iterable[str], unused: Iterable[str]
) -> list[Finding]:
    """Reference tracks without an estimate (they score as empty) and estimates without a reference
    (ignored)."""
    given = set(estimates)
    findings = [
        Finding("missing estimate", "error", "no estimate: scored as empty", name)
        for name in references
        if name not in given
    ]
    return findings + [
        Finding("stray estimate", "warning", "no reference of that name: not scored", name) for name in unused
    ]


def duplicates(side: str, tracks: Mapping[str, Sequence[Hit]]) -> list[Finding]:
    """Hits of one drum written twice: a warning for each track with many, one note for the others."""
    findings = []
    stray = Counter[str]()
    for track, hits in tracks.items():
        count = 0
        for drum in {hit.drum for hit in hits}:
            times = np.sort([hit.time for hit in hits if hit.drum == drum])
            count += int((np.diff(times) < DUPLICATE_SECONDS).sum())
        if count > max(2, 0.01 * len(hits)):
            message = f"{count} of {len(hits)} {side} hits repeat one on the same drum within 10 ms"
            findings.append(Finding("duplicates", "warning", message, track))
        elif count:
            stray[track] = count
    if stray:
        message = (
            f"{stray.total()} {side} hits in {len(stray)} tracks repeat one on the same drum within 10 ms"
        )
        findings.append(Finding("duplicates", "note", message))
    return findings


def past_the_end(
    side: str, tracks: Mapping[str, Sequence[Hit]], seconds: Mapping[str, float]
) -> list[Finding]:
    """Hits after the end of the audio, where its length is known."""
    findings = []
    for track, hits in tracks.items():
        late = [hit.time for hit in hits if track in seconds and hit.time > seconds[track] + 0.05]
        if late:
            end = f"{seconds[track]:.2f} s"
            message = f"{len(late)} {side} hits after the end of the audio ({end}), last {max(late):.2f} s"
            findings.append(Finding("past the end", "error", message, track))
    return findings


def wrong_classes(matches: Sequence[TrackMatch], labels: Sequence[str], window: float) -> list[Finding]:
    """A label that is mostly missed while another has false positives at the same times: a wrong class
    map."""
    matrix = confusion(matches, len(labels), window)
    findings = []
    for row, label in enumerate(labels):
        total = int(matrix[row].sum())
        swapped = matrix[row, :-1].copy()
        swapped[row] = 0
        other = int(np.argmax(swapped))
        if total >= 10 and swapped[other] >= 0.5 * total:
            message = (
                f"{int(swapped[other])} of {total} {label} hits are estimated as {labels[other]} "
                f"({int(matrix[row, row])} as {label}): is the class map right?"
            )
            findings.append(Finding("class map", "error", message))
    return findings


def timing_findings(timing: Timing | None, offset: BestOffset | None) -> list[Finding]:
    """A constant offset over all tracks; `offset` is the best one at the narrowest window."""
    if timing is None or offset is None or timing.pairs < 20:
        return []
    findings = []
    if abs(timing.median) >= EARLY_MEDIAN:
        where = "early" if timing.median < 0 else "late"
        gain = offset.f - offset.f_unshifted
        severity = "warning" if gain >= 0.02 else "note"
        message = (
            f"matched estimates lie {abs(timing.median) * 1000:.1f} ms {where} (median); "
            f"shifted by {offset.offset * 1000:+.0f} ms F at {offset.window * 1000:g} ms would be "
            f"{offset.f:.3f} instead of {offset.f_unshifted:.3f}"
        )
        findings.append(Finding("constant offset", severity, message))
    return findings


def axis_findings(matches: Sequence[TrackMatch], window: float) -> list[Finding]:
    """Tracks that score poorly but well when shifted or stretched."""
    suspects = [
        match
        for match in matches
        if min(len(match.references), len(match.estimates)) >= 10 and _f_at(match, window) < SUSPECT_F
    ]
    suspects.sort(key=lambda match: _f_at(match, window))
    findings = []
    for match in suspects[:MOST_SEARCHED]:
        now = _f_at(match, window)
        shift = find_offset(match, window)
        scale = find_scale(match, window)
        shifted, scaled = _f_at(match, window, offset=shift), _f_at(match, window, scale=scale)
        if scaled >= max(now + GAIN, shifted):
            message = (
                f"times stretched by {1 / scale:.5f}: F {now:.3f}, multiplied by {scale:.5f} {scaled:.3f}"
            )
            findings.append(Finding("stretched time axis", "error", message, match.track))
        elif shifted >= now + GAIN:
            off = f"{-shift * 1000:+.0f} ms"
            message = f"times off by {off}: F {now:.3f}, shifted back {shifted:.3f}"
            findings.append(Finding("constant offset", "error", message, match.track))
    return findings


def find_offset(match: TrackMatch, window: float, reach: float = 2.0) -> float:
    """Seconds to add to a track's estimates, within +-`reach`, from the histogram of all time differences."""
    differences = [np.zeros(0)]
    for label in np.intersect1d(match.references.label, match.estimates.label):
        reference = match.references.time[match.references.label == label]
        for time in match.estimates.time[match.estimates.label == label]:
            low, high = np.searchsorted(reference, (time - reach, time + reach))
            differences.append(reference[low:high] - time)
    edges = np.arange(-reach, reach + 0.01, 0.01)
    histogram = np.histogram(np.concatenate(differences), edges)[0]
    smooth = np.convolve(histogram, np.ones(3), mode="same")
    candidates = (edges[np.argsort(smooth)[::-1][:5]] + 0.005).tolist()
    # Score the peaks: a shift by one bar gives a peak nearly as high as the true offset.
    coarse = float(max([0.0, *candidates], key=lambda shift: matched_at(match, window, offset=shift)))
    fine = coarse + np.arange(-0.02, 0.0201, 0.001)
    return _middle_of_best(fine, [matched_at(match, FINE_WINDOW, offset=shift) for shift in fine])


def find_scale(match: TrackMatch, window: float, head: float = 60.0) -> float:
    """The best factor on a track's estimated times, from a grid of +-10 % and `RATIOS` on the first minute,
    refined."""
    end = min(head, float(match.references.time[-1]))
    start = _until(match.references, end)
    step = window / end
    grid = [*np.arange(0.9, 1.1 + step, step).tolist(), 1.0, *RATIOS]

    def early_f(scale: float) -> float:
        cut = replace(match, references=start, estimates=_until(match.estimates, (end + window) / scale))
        return _f_at(cut, window, scale=scale)

    coarse = max(grid, key=early_f)
    last = max(end, float(match.references.time[-1]))
    fine = np.linspace(coarse - step, coarse + step, 2 * int(np.ceil(4 * step * last / window)) + 9)
    return _middle_of_best(fine, [matched_at(match, FINE_WINDOW, scale=scale) for scale in fine])


def _middle_of_best(values: np.ndarray, matched: list[int]) -> float:
    """The middle of the best values, because the number of matches changes in steps."""
    return float(np.median(values[np.array(matched) == max(matched)]))


def few_velocities(tracks: Mapping[str, Sequence[Hit]]) -> list[Finding]:
    """Estimates with constant velocity, for which velocity figures mean little."""
    velocities = {hit.velocity for hits in tracks.values() for hit in hits}
    if len(velocities) == 1:
        return [Finding("velocity", "note", f"every estimate has velocity {velocities.pop()}")]
    return []


def absent_classes(
    references: Mapping[str, Sequence[Hit]], estimates: Mapping[str, Sequence[Hit]]
) -> list[Finding]:
    """Drums that are played often and never estimated, by class name: gaps in a class map."""
    played = np.bincount([h.drum for hits in references.values() for h in hits], minlength=len(DRUMS))
    estimated = np.bincount([h.drum for hits in estimates.values() for h in hits], minlength=len(DRUMS))
    names = [
        f"{drum.name} ({played[drum.index]})"
        for drum in DRUMS
        if played[drum.index] >= 20 and not estimated[drum.index]
    ]
    return (
        [Finding("absent classes", "note", f"played but never estimated: {', '.join(names)}")]
        if names
        else []
    )


def _until(events: Events, end: float) -> Events:
    stop = int(np.searchsorted(events.time, end, "right"))
    return Events(events.time[:stop], events.label[:stop], events.velocity[:stop], events.confidence[:stop])


def _f_at(match: TrackMatch, window: float, offset: float = 0.0, scale: float = 1.0) -> float:
    total = len(match.references) + len(match.estimates)
    return 2 * matched_at(match, window, offset, scale) / max(1, total)
