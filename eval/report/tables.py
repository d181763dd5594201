"""The tables of a report, as rows of values: every output format renders the same ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from eval.evaluate import Evaluation
from eval.metrics.bootstrap import FEW_TRACKS
from eval.metrics.recall import Bin
from eval.metrics.timing import QUANTILES
from eval.report.alarms import alarms_table
from eval.report.groups import group_table
from eval.report.report import Cell, Report, Table, span


def all_tables(report: Report) -> list[Table]:
    """Every table of a report, the headline first."""
    tables = [summary(report), classes(report), schemes(report)]
    if report.comparisons:
        tables.append(comparisons(report))
    tables += [
        lint_table(report),
        inputs(report),
        timing_table(report),
        offsets_table(report),
        recall_table(report),
    ]
    if report.groups:
        tables.append(group_table(report))
    if any(e.false_alarms for e in report.evaluations):
        tables.append(alarms_table(report))
    if any(e.velocity for e in report.evaluations):
        tables.append(velocity_table(report))
    if any(e.reliability for e in report.evaluations):
        tables.append(calibration_table(report))
    tables += [confusion_table(e) for e in report.evaluations]
    return [*tables, tracks(report)]


def summary(report: Report) -> Table:
    """One row a system."""
    rows = []
    for e in report.evaluations:
        micro = e.headline.micro
        rows.append(
            (
                e.name,
                len(e.headline.tracks),
                micro.references,
                micro.estimates,
                micro.f,
                span(e.headline_intervals.get("micro")),
                micro.precision,
                micro.recall,
                e.headline.macro_f,
                e.headline.track_f,
                e.velocity_scores.micro.f if e.velocity_scores else None,
                e.adtof.mean_f,
                None if e.timing is None else f"{e.timing.median * 1000:+.1f}",
            )
        )
    columns = (
        "system",
        "tracks",
        "played",
        "estimated",
        "micro F",
        "95 %",
        "P",
        "R",
        "macro F",
        "track F",
        "F with velocity",
        "ADTOF mean F",
        "median error, ms",
    )
    settings = report.settings
    note = f"{len(settings.labels)} classes, {settings.window * 1000:g} ms"
    if settings.unjudged:
        note += f"; left out on both sides: {', '.join(sorted(settings.unjudged))}"
    note += f"; intervals: {settings.samples} resamples of tracks, seed {settings.seed}"
    if report.evaluations and len(report.evaluations[0].headline.tracks) < FEW_TRACKS:
        note += f"; fewer than {FEW_TRACKS} tracks: the intervals are a rough guide"
    return Table("summary", "Summary", columns, tuple(rows), note)


def classes(report: Report) -> Table:
    """One row a system and label."""
    rows = []
    for e in report.evaluations:
        for label, counts in e.headline.classes.items():
            known = not counts.empty
            rows.append(
                (
                    e.name,
                    label,
                    counts.references,
                    counts.estimates,
                    counts.tp,
                    counts.f if known else None,
                    span(e.headline_intervals.get(label)) if known else None,
                    counts.precision if counts.estimates else None,
                    counts.recall if counts.references else None,
                )
            )
    columns = ("system", "class", "played", "estimated", "right", "F", "95 %", "P", "R")
    return Table("classes", "Classes", columns, tuple(rows))


def schemes(report: Report) -> Table:
    """One row a system, scheme and window."""
    rows = [
        (
            e.name,
            scheme,
            f"{window * 1000:g}",
            scores.micro.f,
            scores.micro.precision,
            scores.micro.recall,
            scores.macro_f,
            scores.track_f,
        )
        for e in report.evaluations
        for (scheme, window), scores in e.table.items()
    ]
    columns = ("system", "classes", "window, ms", "micro F", "P", "R", "macro F", "track F")
    return Table("schemes", "Schemes and windows", columns, tuple(rows))


def comparisons(report: Report) -> Table:
    """One row a pair of systems and figure."""
    rows = [
        (
            c.first,
            c.second,
            c.figure,
            f"{c.result.difference:+.3f}",
            f"{c.result.low:+.3f} to {c.result.high:+.3f}",
            c.result.share_better,
            c.verdict,
        )
        for c in report.comparisons
    ]
    columns = ("first", "second", "F", "difference", "95 %", "first ahead in", "verdict")
    note = "Paired bootstrap over tracks. An interval that holds zero: the two cannot be told apart here."
    return Table("comparisons", "Which system is better", columns, tuple(rows), note)


def lint_table(report: Report) -> Table:
    """Every finding."""
    rows = [
        (e.name, finding.severity, finding.kind, finding.track or "all", finding.message)
        for e in report.evaluations
        for finding in e.findings
    ]
    return Table("lint", "Lint", ("system", "severity", "kind", "track", "finding"), tuple(rows))


def inputs(report: Report) -> Table:
    """Labels that were read and could not be scored."""
    rows: list[tuple[Cell, ...]] = [("reference", *_counters(report.unmapped, report.excluded))]
    rows += [(e.name, *_counters(e.unmapped, e.excluded)) for e in report.evaluations]
    columns = ("input", "unmapped", "unmapped labels", "left out", "left-out labels")
    note = "Unmapped: labels no map knows. Left out: labels the map leaves out on purpose."
    return Table("inputs", "Labels that were not scored", columns, tuple(rows), note)


def _counters(unmapped: Counter[str], excluded: Counter[str]) -> tuple[Cell, ...]:
    def listed(counter: Counter[str]) -> str:
        return ", ".join(f"{label} x {count}" for label, count in counter.most_common())

    return sum(unmapped.values()), listed(unmapped), sum(excluded.values()), listed(excluded)


def timing_table(report: Report) -> Table:
    """Signed timing errors."""
    rows: list[tuple[Cell, ...]] = []
    for e in report.evaluations:
        t = e.timing
        if t is None:
            rows.append((e.name, 0, *[None] * (len(QUANTILES) + 3)))
        else:
            spread = [f"{1000 * value:+.1f}" for value in (*t.quantiles, t.mean)]
            rows.append(
                (e.name, t.pairs, *spread, f"{1000 * t.deviation:.1f}", f"{1000 * t.mean_absolute:.1f}")
            )
    quantiles = [f"{q:.0%}" if q != 0.5 else "median" for q in QUANTILES]
    columns = ("system", "pairs", *quantiles, "mean", "deviation", "mean absolute")
    note = "Estimate minus reference of matched hits, milliseconds: negative is early."
    return Table("timing", "Timing", columns, tuple(rows), note)


def offsets_table(report: Report) -> Table:
    """F at the best constant offset."""
    rows: list[tuple[Cell, ...]] = [
        (e.name, f"{1000 * best.window:g}", f"{1000 * best.offset:+.0f}", best.f, best.f_unshifted)
        for e in report.evaluations
        for best in e.offsets
    ]
    columns = ("system", "window, ms", "best offset, ms", "micro F at it", "micro F as it is")
    note = "The offset is added to every estimate; where F is flat, the middle of its longest best stretch."
    return Table("offsets", "Best constant offset", columns, tuple(rows), note)


def recall_table(report: Report) -> Table:
    """Recall by gap, loudness and company; errors near seams."""
    rows: list[tuple[Cell, ...]] = []
    for e in report.evaluations:
        groups: list[tuple[str, Sequence[Bin]]] = [
            ("gap to the nearest of the class", e.gaps),
            ("loudness", e.loudness or ()),
            ("hits at once", e.company),
        ]
        for kind, bins in groups:
            rows += [(e.name, kind, b.name, b.hits, b.recall if b.hits else None) for b in bins]
        if e.seams:
            for name, hits, rate in (
                ("within 100 ms of a seam", e.seams.near_hits, e.seams.near_rate),
                ("elsewhere", e.seams.far_hits, e.seams.far_rate),
            ):
                rows.append((e.name, "errors per hit near seams", name, hits, rate))
    columns = ("system", "by", "group", "hits", "recall (or as named)")
    return Table("recall", "Where recall is lost", columns, tuple(rows))


def velocity_table(report: Report) -> Table:
    """Figures with velocity."""
    rows = []
    for e in report.evaluations:
        if e.velocity_scores and e.velocity_levels_known and e.velocity and e.velocity_intervals is not None:
            scores, v = e.velocity_scores, e.velocity
            rows.append(
                (
                    e.name,
                    scores.micro.f,
                    span(e.velocity_intervals.get("micro")),
                    scores.track_f,
                    scores.micro.precision,
                    scores.micro.recall,
                    e.velocity_levels_known.micro.f,
                    v.ranks.correlation if v.ranks else None,
                    v.correlation,
                    f"{v.bias:+.1f}",
                    f"{v.mean_absolute_error:.1f}",
                )
            )
    columns = (
        "system",
        "micro F",
        "95 %",
        "track F",
        "P",
        "R",
        "micro F, levels known",
        "rank correlation",
        "correlation",
        "bias, MIDI",
        "mean absolute error, MIDI",
    )
    note = (
        "Onset and velocity right by E-GMD's rule (linear fit per track, tolerance 0.1); its figure: track F."
        " Levels known: had each drum of each track the mean velocity played; a what-if, not a score."
        " Rank correlation: Spearman's within track and class, weighted by matched hits."
    )
    return Table("velocity", "Velocity", columns, tuple(rows), note)


def calibration_table(report: Report) -> Table:
    """Confidences."""
    rows = []
    for e in report.evaluations:
        if e.curve and e.reliability:
            f = e.curve.f
            best = int(f.argmax())
            rows.append(
                (
                    e.name,
                    e.curve.average_precision,
                    float(f[best]),
                    float(e.curve.threshold[best]),
                    e.reliability.expected_error,
                    e.reliability.brier,
                )
            )
    columns = ("system", "average precision", "best F", "at confidence", "calibration error", "Brier score")
    return Table("calibration", "Confidences", columns, tuple(rows))


def confusion_table(evaluation: Evaluation) -> Table:
    """Rows: played; columns: estimated."""
    labels = evaluation.settings.labels
    matrix = evaluation.confusion
    rows: list[tuple[Cell, ...]] = [
        (name, *map(int, matrix[i])) for i, name in enumerate((*labels, "nothing"))
    ]
    title = f"Confusion: {evaluation.name}"
    note = "Rows: played, columns: estimated. Off the diagonal: missed and false hits matched in time only."
    return Table(f"confusion_{evaluation.name}", title, ("played", *labels, "nothing"), tuple(rows), note)


def tracks(report: Report) -> Table:
    """One row a track, one column a system."""
    per_system = [e.headline.per_track for e in report.evaluations]
    rows: list[tuple[Cell, ...]] = []
    for track, counts in per_system[0].items():
        of_track = [scores[track] for scores in per_system]
        rows.append((track, counts.references, *[None if c.empty else c.f for c in of_track]))
    names = tuple(f"F {e.name}" for e in report.evaluations)
    return Table("tracks", "Tracks", ("track", "played", *names), tuple(rows))
