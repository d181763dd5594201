"""Complete reports as JSON."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from eval.evaluate import Evaluation, Settings
from eval.metrics.timing import QUANTILES
from eval.report.report import Report

FORMAT = 1
"""Incremented whenever a key changes its meaning."""


def json_text(report: Report) -> str:
    """The report as indented JSON; nothing in it is NaN or infinite."""
    document = {
        "format": FORMAT,
        "references": report.title,
        "command": report.command,
        "settings": _settings(report.settings),
        "unmapped": dict(report.unmapped),
        "excluded": dict(report.excluded),
        "groups": dict(report.groups),
        "names": {system: dict(names) for system, names in report.names.items()},
        "systems": {evaluation.name: _system(evaluation) for evaluation in report.evaluations},
        "comparisons": [
            {
                "first": c.first,
                "second": c.second,
                "figure": c.figure,
                **asdict(c.result),
                "verdict": c.verdict,
            }
            for c in report.comparisons
        ],
    }
    return json.dumps(_plain(document), indent=1, allow_nan=False) + "\n"


def _settings(settings: Settings) -> dict[str, Any]:
    return {
        "scheme": settings.scheme,
        "window": settings.window,
        "unjudged": sorted(settings.unjudged),
        "merge": settings.merge,
        "bootstrap": {"samples": settings.samples, "seed": settings.seed, "level": 0.95},
        "seam_period": settings.seam_period,
    }


def _system(e: Evaluation) -> dict[str, Any]:
    labels = e.settings.labels
    timing = None
    if e.timing is not None:
        timing = asdict(e.timing) | {
            "quantiles": dict(zip(map(str, QUANTILES), e.timing.quantiles, strict=True)),
            "label_median": {labels[i]: value for i, value in e.timing.label_median.items()},
        }
    alarms = None
    if e.false_alarms is not None:
        by_label = {labels[i]: count for i, count in e.false_alarms.by_label.items()}
        alarms = asdict(e.false_alarms) | {"by_label": by_label, "per_minute": e.false_alarms.per_minute}
    return {
        "headline": e.headline.to_dict(),
        "intervals": {name: asdict(interval) for name, interval in e.headline_intervals.items()},
        "adtof": asdict(e.adtof),
        "table": [scores.to_dict() for scores in e.table.values()],
        "with_velocity": e.velocity_scores.to_dict() if e.velocity_scores else None,
        "with_velocity_levels_known": e.velocity_levels_known.to_dict() if e.velocity_levels_known else None,
        "with_velocity_intervals": {name: asdict(i) for name, i in (e.velocity_intervals or {}).items()},
        "velocity": asdict(e.velocity) if e.velocity else None,
        "timing": timing,
        "best_offset": [asdict(offset) for offset in e.offsets],
        "recall": {
            "gap": [asdict(b) for b in e.gaps],
            "loudness": [asdict(b) for b in e.loudness or ()],
            "at_once": [asdict(b) for b in e.company],
        },
        "seams": asdict(e.seams) if e.seams else None,
        "false_alarms": alarms,
        "confusion": {"labels": [*labels, "nothing"], "matrix": e.confusion},
        "precision_recall": asdict(e.curve) if e.curve else None,
        "precision_recall_by_class": {label: asdict(curve) for label, curve in e.class_curves.items()},
        "reliability": asdict(e.reliability) if e.reliability else None,
        "lint": [asdict(finding) for finding in e.findings],
        "unmapped": e.unmapped,
        "excluded": e.excluded,
    }


def _plain(value: Any) -> Any:
    """Numpy values and counters as JSON values; NaN (an empty bin) as null."""
    if isinstance(value, Counter | Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
