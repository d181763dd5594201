"""Each classic accident, made on purpose, is found; a good estimate gives no finding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from eval.evaluate import Evaluation, Settings, evaluate
from eval.metrics.lint import Finding
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit

FAST = Settings(samples=20, schemes=("5",), windows=(0.05,))


def groove(seed: int, seconds: float = 90.0) -> list[Hit]:
    """A beat with human timing and some improvisation, so that no bar equals another."""
    rng = np.random.default_rng(seed)
    hits = []
    for step in range(int(seconds / 0.125)):
        time = 0.5 + step * 0.125 + float(rng.normal(0, 0.01))
        names = ["hihat_closed"] * (rng.random() < 0.6) + ["kick"] * (rng.random() < 0.25)
        names += ["snare_head"] * (rng.random() < 0.25) + ["crash1"] * (rng.random() < 0.05)
        hits += [Hit(time, CLASS_INDEX[name], int(rng.integers(30, 120))) for name in names]
    return sorted(hits)


def moved(change: Callable[[float], float]) -> dict[str, list[Hit]]:
    return {"x": [Hit(change(h.time), h.drum, h.velocity) for h in groove(1)]}


def run(estimates: dict[str, list[Hit]], seconds: float = 120.0) -> list[Finding]:
    return list(evaluate("s", {"x": groove(1)}, estimates, FAST, seconds={"x": seconds}).findings)


def kinds(findings: list[Finding]) -> set[str]:
    return {finding.kind for finding in findings}


def test_a_good_estimate_is_clean() -> None:
    rng = np.random.default_rng(0)
    assert run(moved(lambda time: time + float(rng.normal(0, 0.005)))) == []


def test_class_map_mismatch() -> None:
    hihat, ride = CLASS_INDEX["hihat_closed"], CLASS_INDEX["ride"]
    swapped = [Hit(h.time, ride if h.drum == hihat else h.drum, h.velocity) for h in groove(1)]
    findings = run({"x": swapped})
    assert kinds(findings) == {"class map"}
    assert "HH hits are estimated as CY" in findings[0].message and findings[0].severity == "error"


@pytest.mark.parametrize("offset", [0.2, -0.3, 1.304])
def test_constant_offset(offset: float) -> None:
    findings = [f for f in run(moved(lambda time: time + offset)) if f.track == "x"]
    assert kinds(findings) == {"constant offset"}
    stated = float(findings[0].message.split("off by ")[1].split(" ms")[0])
    assert stated == pytest.approx(1000 * offset, abs=6)


def test_small_offset_of_everything() -> None:
    findings = run(moved(lambda time: time + 0.012))
    assert kinds(findings) == {"constant offset"} and "12.0 ms late" in findings[0].message


@pytest.mark.parametrize("scale", [48000 / 44100, 44100 / 48000, 2.0, 0.5, 1.003, 0.97])
def test_stretched_time_axis(scale: float) -> None:
    findings = [f for f in run(moved(lambda time: time * scale), 1000.0) if f.kind == "stretched time axis"]
    assert len(findings) == 1
    stated = float(findings[0].message.split("stretched by ")[1].split(":")[0])
    assert stated == pytest.approx(scale, abs=0.0005)


def test_duplicates_missing_stray_and_past_the_end() -> None:
    doubled = [h for hit in groove(1) for h in (hit, Hit(hit.time + 0.003, hit.drum, hit.velocity))]
    assert "duplicates" in kinds(run({"x": doubled}))
    assert "past the end" in kinds(run(moved(lambda time: time), seconds=50.0))
    references = {"x": groove(1), "y": groove(2)}
    evaluation = evaluate("s", references, {"x": groove(1)}, FAST, stray=["z"])
    found = {(f.kind, f.track, f.severity) for f in evaluation.findings}
    assert found == {("missing estimate", "y", "error"), ("stray estimate", "z", "warning")}
    assert evaluation.headline.per_track["y"].recall == 0.0


def test_one_velocity_and_absent_classes_are_noted() -> None:
    findings = run({"x": [Hit(h.time, h.drum, 100) for h in groove(1)]})
    assert kinds(findings) == {"velocity"}
    fine = Settings(scheme="26", samples=20, schemes=("26",), windows=(0.05,))
    no_hihat = [h for h in groove(1) if h.drum != CLASS_INDEX["hihat_closed"]]
    evaluation: Evaluation = evaluate("s", {"x": groove(1)}, {"x": no_hihat}, fine)
    assert "hihat_closed" in next(f.message for f in evaluation.findings if f.kind == "absent classes")
