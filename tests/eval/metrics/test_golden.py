"""Files worked by hand (tests/eval/metrics/golden/README.md): scores must agree to 1e-12."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from eval.inputs.annotations import read_annotation
from eval.metrics.calibration import precision_recall, reliability
from eval.metrics.conventions import adtof
from eval.metrics.f_measure import f_measure
from eval.metrics.match import match_tracks
from eval.metrics.velocity import score_with_velocity
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS

GOLDEN = Path(__file__).parent / "golden"
EXACT = 1e-12


def pair(name: str, label_map: str) -> tuple[dict[str, tuple[Hit, ...]], dict[str, tuple[Hit, ...]]]:
    files = {path.stem: path for path in (GOLDEN / name).iterdir() if path.stem in ("reference", "estimate")}
    assert len(files) == 2
    reference = read_annotation(files["reference"], LABEL_MAPS[label_map])
    estimate = read_annotation(files["estimate"], LABEL_MAPS["gm"])
    assert not reference.unmapped and not estimate.unmapped
    return {name: reference.hits}, {name: estimate.hits}


def test_plain() -> None:
    expected = json.loads((GOLDEN / "plain" / "expected.json").read_text())
    references, estimates = pair("plain", expected["reference_map"])
    unjudged = LABEL_MAPS[expected["reference_map"]].unjudged
    scores = f_measure(references, estimates, unjudged=unjudged)
    for label, counts in scores.classes.items():
        assert [counts.tp, counts.fp, counts.fn] == expected["classes"][label]
    micro = scores.micro
    for name, value in {"precision": micro.precision, "recall": micro.recall, "f": micro.f}.items():
        assert value == pytest.approx(float(Fraction(expected[name])), abs=EXACT)
    assert scores.macro_f == pytest.approx(float(Fraction(expected["macro_f"])), abs=EXACT)
    theirs = adtof(f_measure(references, estimates, unjudged=unjudged, merge=0.0))
    assert theirs.mean_f == pytest.approx(float(Fraction(expected["adtof_mean_f"])), abs=EXACT)


def test_velocity() -> None:
    references, estimates = pair("velocity", "gm")
    micro = score_with_velocity(match_tracks(references, estimates), scheme="5", window=0.05).micro
    assert (micro.tp, micro.fp, micro.fn) == (4, 2, 1)
    assert micro.f == pytest.approx(8 / 11, abs=EXACT)


def test_confidence() -> None:
    matches = match_tracks(*pair("confidence", "mdb_class"))
    curve = precision_recall(matches, 0.05)
    assert curve.precision == pytest.approx([1, 1 / 2, 2 / 3, 3 / 4], abs=EXACT)
    assert curve.recall == pytest.approx([1 / 4, 1 / 4, 2 / 4, 3 / 4], abs=EXACT)
    assert curve.average_precision == pytest.approx((1 + 2 / 3 + 3 / 4) / 4, abs=EXACT)
    assert reliability(matches).expected_error == pytest.approx(1.9 / 4, abs=EXACT)
