"""F-measures of hand-worked lists, agreement with mir_eval called directly, and the reduction to schemes."""

from __future__ import annotations

import time
from unittest import mock

import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.evaluate import Settings, evaluate
from eval.metrics.f_measure import Counts, f_measure
from eval.metrics.match import count_matches, get_scheme, match_times, match_tracks, reduce_hits
from tokenizer.drums import CLASS_INDEX, NUM_CLASSES
from tokenizer.hits import Hit


def hit(time: float, name: str, velocity: int = 100) -> Hit:
    return Hit(time, CLASS_INDEX[name], velocity)


def test_hand_worked_scores() -> None:
    references = {
        "a": [hit(0.0, "kick"), hit(0.5, "snare_head"), hit(1.0, "kick"), hit(1.5, "snare_rim")],
        "b": [hit(0.25, "crash1")],
    }
    estimates = {"a": [hit(0.01, "kick"), hit(0.56, "snare_head"), hit(1.45, "snare_head"), hit(2.0, "ride")]}
    scores = f_measure(references, estimates)
    assert scores.classes["KD"] == Counts(1, 0, 1)
    assert scores.classes["SD"] == Counts(1, 1, 1)
    assert scores.classes["CY"] == Counts(0, 1, 1)
    assert scores.micro == Counts(2, 2, 3)
    assert scores.micro.precision == pytest.approx(1 / 2, abs=1e-12)
    assert scores.micro.recall == pytest.approx(2 / 5, abs=1e-12)
    assert scores.micro.f == pytest.approx(4 / 9, abs=1e-12)
    assert scores.macro_f == pytest.approx((2 / 3 + 1 / 2 + 0) / 3, abs=1e-12)
    assert scores.track_f == pytest.approx((4 / 8 + 0) / 2, abs=1e-12)


def test_counts_as_a_document() -> None:
    assert Counts(3, 1, 2).to_dict() == pytest.approx(
        {"tp": 3, "fp": 1, "fn": 2, "precision": 3 / 4, "recall": 3 / 5, "f": 6 / 9}
    )
    assert Counts().to_dict() == {"tp": 0, "fp": 0, "fn": 0, "precision": 0, "recall": 0, "f": 0}


def test_the_window_is_50_ms_unless_said_otherwise() -> None:
    references = {"a": [hit(1.0, "kick")]}
    for late, found in ((0.049, 1), (0.051, 0)):
        estimates = {"a": [hit(1.0 + late, "kick")]}
        assert f_measure(references, estimates).micro.tp == found
        assert len(match_tracks(references, estimates)[0].pairs) == found
        assert evaluate("x", references, estimates, Settings(samples=1)).headline.micro.tp == found


def test_walks_the_references() -> None:
    references = {"a": [hit(0.0, "kick")], "b": [hit(0.0, "kick")]}
    scores = f_measure(references, {"a": [hit(0.0, "kick")], "stranger": [hit(0.0, "kick")] * 3})
    assert scores.micro == Counts(1, 0, 1)
    assert set(scores.tracks) == {"a", "b"}


def test_unjudged_classes_are_left_out_on_both_sides() -> None:
    references = {"a": [hit(0.0, "kick"), hit(1.0, "aux1")]}
    estimates = {"a": [hit(0.0, "kick"), hit(2.0, "aux1"), hit(3.0, "snare_cross_stick")]}
    scores = f_measure(references, estimates, scheme="26", unjudged=frozenset({"aux1", "snare_cross_stick"}))
    assert scores.micro == Counts(1, 0, 0)


def test_different_classes_struck_together_merge_but_duplicates_do_not() -> None:
    together = [hit(1.0, "crash1", 60), hit(1.02, "ride", 90), hit(1.03, "crash2")]
    events = reduce_hits(together, get_scheme("5"))
    assert events.time.tolist() == [1.0, 1.03]
    assert events.velocity.tolist() == [90, 100]
    assert len(reduce_hits(together, get_scheme("26"))) == 3
    assert len(reduce_hits([hit(1.0, "kick"), hit(1.001, "kick")], get_scheme("5"))) == 2
    assert len(reduce_hits(together[:2], get_scheme("5"), merge=0.0)) == 2


def test_empty_sides() -> None:
    assert f_measure({"a": []}, {}).micro.empty
    assert f_measure({"a": []}, {"a": [hit(0, "kick")]}).track_f == 0.0
    assert f_measure({"a": [], "b": [hit(0, "kick")]}, {"b": [hit(0, "kick")]}).track_f == 1.0


def test_errors() -> None:
    with pytest.raises(ValueError, match="no reference tracks"):
        f_measure({}, {})
    with pytest.raises(ValueError, match="unknown scheme '7'"):
        f_measure({"a": []}, {}, scheme="7")
    with pytest.raises(ValueError, match="window 0"):
        f_measure({"a": []}, {}, window=0)
    with pytest.raises(ValueError, match="unknown classes"):
        f_measure({"a": []}, {}, unjudged=frozenset({"gong"}))


times = st.lists(st.integers(0, 400).map(lambda step: step / 128), max_size=40).map(sorted)


@settings(deadline=None)
@given(times, times)
def test_counts_agree_with_mir_eval_and_pairs_are_legal(
    references: list[float], estimates: list[float]
) -> None:
    reference, estimate = np.array(references), np.array(estimates)
    window = 6 / 128
    pairs = match_times(reference, estimate, window)
    if len(reference) and len(estimate):
        assert len(pairs) == len(mir_eval.util.match_events(reference, estimate, window))
    assert len(pairs) == count_matches(reference, estimate, window)
    assert np.all(np.abs(reference[pairs[:, 0]] - estimate[pairs[:, 1]]) <= window)
    assert np.all(np.diff(pairs, axis=0) > 0)


@settings(deadline=None)
@given(times, times, st.sampled_from([0, 1, 5, 20]))
def test_dense_groups_are_matched_as_mir_eval_matches(
    references: list[float], estimates: list[float], most: int
) -> None:
    """Groups above the bound are as many pairs; where there are none, the pairs are mir_eval's own."""
    reference, estimate, window = np.array(references), np.array(estimates), 6 / 128
    exact = match_times(reference, estimate, window)
    with mock.patch("eval.metrics.match.MOST_PAIRS", most):
        pairs = match_times(reference, estimate, window)
    assert len(pairs) == len(exact)
    assert np.all(np.abs(reference[pairs[:, 0]] - estimate[pairs[:, 1]]) <= window)
    assert np.all(np.diff(pairs, axis=0) > 0)


def test_a_sparse_group_beside_a_dense_one_keeps_mir_eval_s_pairs() -> None:
    reference = np.concatenate([np.linspace(0, 0.04, 300), [9.0, 9.03, 9.06, 20.0]])
    estimate = np.concatenate([np.linspace(0, 0.04, 310), [9.02, 9.05, 20.04, 20.05]])
    pairs = match_times(reference, estimate, 0.05)
    alone = mir_eval.util.match_events(reference[300:], estimate[310:], 0.05)
    assert len(pairs) == 300 + len(alone)
    assert {(r - 300, e - 310) for r, e in pairs.tolist() if r >= 300} == {
        pair for pair in zip(sorted(r for r, _ in alone), sorted(e for _, e in alone), strict=True)
    }


@pytest.mark.timeout(60)
def test_thousands_of_hits_in_one_window_cost_little() -> None:
    """mir_eval alone took 89 s for the first and minutes for the second."""
    rng = np.random.default_rng(0)
    crowd = np.sort(rng.uniform(1.0, 1.05, (2, 4000)))
    assert len(match_times(crowd[0], crowd[1], 0.05)) == 4000
    many = np.sort(rng.uniform(0.0, 120.0, 1_000_000))
    few = np.sort(rng.uniform(0.0, 120.0, 1000))
    start = time.process_time()
    assert len(match_times(few, many, 0.05)) == 1000
    assert time.process_time() - start < 10.0


def test_per_label_scores_equal_mir_eval_onset_f_measure() -> None:
    rng = np.random.default_rng(3)
    reference = [
        Hit(float(t), int(d), 64)
        for t, d in zip(rng.uniform(0, 20, 400), rng.integers(0, NUM_CLASSES, 400), strict=True)
    ]
    estimate = [
        Hit(abs(h.time + float(rng.normal(0, 0.04))), h.drum, 64) for h in reference if rng.random() < 0.8
    ]
    scores = f_measure({"x": reference}, {"x": estimate}, scheme="26")
    for i, counts in enumerate(scores.tracks["x"]):
        f, p, r = mir_eval.onset.f_measure(
            np.array(sorted(h.time for h in reference if h.drum == i)),
            np.array(sorted(h.time for h in estimate if h.drum == i)),
            window=0.05,
        )
        assert (counts.f, counts.precision, counts.recall) == pytest.approx((f, p, r), abs=1e-12)
