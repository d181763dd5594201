"""Velocity, timing, recall, confusion, calibration, conventions, bootstrap, against hand-worked results."""

from __future__ import annotations

import mir_eval
import numpy as np
import pytest

from eval.metrics.bootstrap import draws, intervals, paired, statistics
from eval.metrics.calibration import class_curves, has_confidence, precision_recall, reliability
from eval.metrics.confusion import confusion
from eval.metrics.conventions import adtof
from eval.metrics.f_measure import FMeasures, count_matches, f_measure
from eval.metrics.match import TrackMatch, match_tracks
from eval.metrics.recall import false_alarms, recall_by_company, recall_by_gap, recall_by_loudness
from eval.metrics.timing import best_offset, seams, timing
from eval.metrics.velocity import rank_agreement, score_with_velocity, velocity_agreement, with_levels_known
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit

LABELS = ("KD", "SD", "TT", "HH", "CY")


def hit(time: float, name: str = "kick", velocity: int = 100, confidence: float = 1.0) -> Hit:
    return Hit(time, CLASS_INDEX[name], velocity, confidence)


def match(reference: list[Hit], estimate: list[Hit], scheme: str = "5") -> list[TrackMatch]:
    return match_tracks({"x": reference}, {"x": estimate}, scheme=scheme)


def spaced(seed: int, count: int = 200) -> tuple[list[Hit], list[Hit]]:
    """Hits 150 ms apart, so that the matching is unique, and a flawed estimate of them."""
    rng = np.random.default_rng(seed)
    reference = [
        Hit(0.15 * (i + 1), int(d), int(v))
        for i, (d, v) in enumerate(zip(rng.integers(0, 26, count), rng.integers(1, 128, count), strict=True))
    ]
    estimate = []
    for h in reference:
        if rng.random() < 0.8:
            drum = h.drum if rng.random() < 0.9 else int(rng.integers(26))
            velocity = int(np.clip(0.6 * h.velocity + 20 + rng.normal(0, 8), 1, 127))
            estimate.append(Hit(h.time + float(rng.normal(0, 0.015)), drum, velocity))
    return reference, sorted(estimate)


@pytest.mark.parametrize("seed", range(5))
def test_velocity_rule_equals_mir_eval(seed: int) -> None:
    reference, estimate = spaced(seed)
    ours = score_with_velocity(match(reference, estimate, "26"), scheme="26", window=0.05).micro

    def arrays(hits: list[Hit]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        times = np.array([h.time for h in hits])
        pitches = 440 * 2 ** (np.array([h.drum for h in hits]) / 12)
        return np.stack([times, times + 0.01], 1), pitches, np.array([h.velocity for h in hits])

    precision, recall, f, _ = mir_eval.transcription_velocity.precision_recall_f1_overlap(
        *arrays(reference), *arrays(estimate), onset_tolerance=0.05, offset_ratio=None
    )
    assert 0.2 < f < 0.95
    assert (ours.precision, ours.recall, ours.f) == pytest.approx((precision, recall, f), abs=1e-12)


def strokes(name: str, velocities: list[int], start: float = 0.0) -> list[Hit]:
    """One a second."""
    return [hit(start + second, name, velocity) for second, velocity in enumerate(velocities)]


def test_rank_agreement_by_hand() -> None:
    """Kick: ranks 1 2 3 4 5 against 2 1 3 4 5, so 1 - 6 * 2 / (5 * 24) = 0.9. Snare, with a
    tie: played ranks 1 2.5 2.5 4 5 6 against 6 5 4 3 2 1, covariance -17 over roots of 17 and 17.5."""
    played = strokes("kick", [10, 20, 30, 40, 50]) + strokes("snare_head", [1, 9, 9, 70, 80, 90], 0.5)
    heard = strokes("kick", [61, 60, 62, 63, 127]) + strokes("snare_head", [9, 8, 7, 6, 5, 4], 0.5)
    snare = -17 / np.sqrt(17 * 17.5)
    found = rank_agreement(match(played, heard))
    assert found is not None and found.pairs == 11
    assert found.correlation == pytest.approx((5 * 0.9 + 6 * snare) / 11)
    quieter = [hit(h.time, "kick", h.velocity - 59) for h in heard[:5]] + heard[5:]  # one drum's level
    assert rank_agreement(match(played, quieter)) == found


def test_rank_agreement_of_constant_and_of_few() -> None:
    played = strokes("kick", [10, 20, 30, 40, 50]) + strokes("snare_head", [100] * 6, 0.5)
    constant = rank_agreement(
        match(played, strokes("kick", [64] * 5) + strokes("snare_head", [1, 2, 3, 4, 5, 6], 0.5))
    )
    assert constant is not None and (constant.correlation, constant.pairs) == (0.0, 5)
    assert rank_agreement(match(played[:4], played[:4])) is None  # fewer than five
    two = match_tracks(
        {"a": played, "b": played}, {"a": played, "b": strokes("kick", [5, 4, 3, 2, 1])}, scheme="5"
    )
    both = rank_agreement(two)
    assert both is not None and both.correlation == pytest.approx(0.0) and both.pairs == 10  # 1 in a, -1 in b


def test_velocity_agreement() -> None:
    reference = [hit(t, velocity=v) for t, v in ((0, 20), (1, 60), (2, 100))]
    agreement = velocity_agreement(
        match(reference, [hit(h.time, velocity=h.velocity // 2 + 30) for h in reference])
    )
    assert agreement is not None and agreement.correlation == pytest.approx(1)
    assert agreement.bias == pytest.approx((20 + 0 - 20) / 3)
    assert agreement.mean_absolute_error == pytest.approx(40 / 3)
    constant = velocity_agreement(match(reference, [hit(h.time) for h in reference]))
    assert constant is not None and constant.correlation is None
    assert velocity_agreement(match(reference, [])) is None


def test_levels_known_forgives_an_offset_per_drum_and_track_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    reference = [
        Hit(t + 0.2 * drum, drum, int(rng.integers(20, 110))) for t in range(30) for drum in (0, 1, 4)
    ]
    offset = {0: -15, 1: 12, 4: 0}
    mixed = [Hit(h.time, h.drum, h.velocity + offset[h.drum]) for h in reference]
    shuffled = [
        Hit(h.time, h.drum, int(v)) for h, v in zip(mixed, rng.integers(20, 110, len(mixed)), strict=True)
    ]

    def f(matches: list[TrackMatch]) -> float:
        return score_with_velocity(matches, scheme="26", window=0.05).micro.f

    plain, known = f(match(reference, mixed, "26")), f(with_levels_known(match(reference, mixed, "26")))
    assert plain < 0.9 and known == pytest.approx(1)
    assert f(with_levels_known(match(reference, shuffled, "26"))) < 0.5
    assert f(with_levels_known(match(reference, [], "26"))) == 0
    (extra,) = with_levels_known(match(reference, [*mixed, Hit(50.0, 0, 77)], "26"))
    assert extra.estimates.velocity[-1] == pytest.approx(77 + 15)  # unmatched, and moved with the others


def test_timing_is_signed_and_the_best_offset_undoes_it() -> None:
    reference = [hit(float(t)) for t in range(40)]
    matches = match(reference, [hit(t + 1 - 0.03) for t in range(39)])
    found = timing(matches)
    assert found is not None and found.median == pytest.approx(-0.03)
    best = best_offset(matches, 0.02)
    assert best.offset == pytest.approx(0.03, abs=0.0011)
    assert (best.f_unshifted, best.f) == (0.0, pytest.approx(2 * 39 / 79))
    assert timing(match(reference, [])) is None


def test_seams() -> None:
    reference = [hit(t) for t in (1.0, 3.05, 4.5, 6.0, 7.0)]
    found = seams(match(reference, [hit(t) for t in (1.0, 4.5, 6.0, 7.0, 2.91, 5.0)]), period=3.0)
    assert (found.near_hits, found.near_errors, found.far_hits, found.far_errors) == (2, 2, 3, 1)
    with pytest.raises(ValueError, match="seam period 0.1"):
        seams(match(reference, []), period=0.1)


def test_recall_groups() -> None:
    reference = [hit(0.0, velocity=10), hit(0.04), hit(1.0), hit(1.01, "snare_head"), hit(2.0, "crash1", 50)]
    matches = match(reference, [hit(0.0), hit(1.01, "snare_head"), hit(2.0, "crash1")])
    gaps = {b.name: (b.hits, b.found) for b in recall_by_gap(matches) if b.hits}
    assert gaps == {"30 to 50 ms": (2, 1), "400 ms and above": (3, 2)}
    loudness = {b.name: (b.hits, b.found) for b in recall_by_loudness(matches) if b.hits}
    assert loudness == {
        "1 to 20 velocity": (1, 1),
        "40 to 60 velocity": (1, 1),
        "100 velocity and above": (3, 1),
    }
    company = {b.name: (b.hits, b.found) for b in recall_by_company(matches) if b.hits}
    assert company == {"1 at once": (3, 2), "2 at once": (2, 1)}


def test_false_alarms_on_drumless_audio() -> None:
    matches = match_tracks(
        {"silence": [], "song": [hit(0.0)], "unknown": []},
        {"silence": [hit(1.0), hit(2.0, "ride")], "song": []},
    )
    found = false_alarms(matches, {"silence": 30.0, "song": 60.0})
    assert found is not None and (found.tracks, found.per_minute) == (1, 4.0)
    assert found.by_label == {0: 1, 4: 1}
    assert false_alarms(matches, {"song": 60.0}) is None


def test_confusion_keeps_true_positives_and_pairs_the_rest_in_time() -> None:
    reference = [hit(0.0), hit(1.0, "snare_head"), hit(2.0, "hihat_open"), hit(3.0, "crash1")]
    estimate = [hit(0.0), hit(0.0, "snare_head"), hit(1.01, "tom1_head"), hit(2.0, "ride"), hit(9.0)]
    matrix = confusion(match(reference, estimate), 5, 0.05)
    expected = np.zeros((6, 6), dtype=int)
    for row, column in ((0, 0), (5, 1), (1, 2), (3, 4), (5, 0), (4, 5)):
        expected[row, column] += 1
    assert np.array_equal(matrix, expected)
    reference, estimate = spaced(7)
    matches = match(reference, estimate)
    diagonal = np.diag(confusion(matches, 5, 0.05))[:5]
    counts = count_matches(matches, scheme="5", window=0.05).classes
    assert diagonal.tolist() == [counts[label].tp for label in LABELS]


def test_calibration() -> None:
    rng = np.random.default_rng(0)
    reference, estimate = [], []
    for i in range(2000):
        confidence = float(rng.uniform(0, 1))
        estimate.append(hit(float(i), confidence=confidence))
        if rng.random() < confidence:
            reference.append(hit(float(i)))
    matches = match(reference, estimate)
    assert has_confidence(matches)
    assert reliability(matches).expected_error < 0.04
    curve = precision_recall(matches, 0.05)
    assert curve.recall[-1] == 1.0 and curve.precision[0] > 0.9 and 0.7 < curve.average_precision < 0.9
    assert not has_confidence(match(reference, [hit(0.0), hit(1.0)]))


def test_curves_of_classes() -> None:
    """Kicks whose confidence says which are right; snares all right; hats played and not heard: no curve."""
    reference = [hit(float(i)) for i in range(0, 20, 2)] + [hit(i + 0.5, "snare_head") for i in range(5)]
    estimate = [hit(float(i), confidence=0.9 if i % 2 == 0 else 0.1) for i in range(20)]
    estimate += [hit(i + 0.5, "snare_head", confidence=0.5) for i in range(5)]
    matches = match([*reference, hit(30.0, "hihat_closed")], estimate)
    curves = class_curves(matches, LABELS, 0.05)
    assert set(curves) == {"KD", "SD"}
    assert curves["KD"].precision.tolist() == [1.0, 0.5] and curves["KD"].recall.tolist() == [1.0, 1.0]
    assert curves["KD"].average_precision == 1.0 and curves["SD"].average_precision == 1.0


def test_calibration_by_hand() -> None:
    """Three strokes, two of them found; one more found that is none."""
    sure = [hit(0.0, confidence=0.9), hit(5.0, confidence=0.6), hit(1.0, confidence=0.3)]
    matches = match([hit(0.0), hit(1.0), hit(2.0)], sure)
    curve = precision_recall(matches, 0.05)
    assert curve.precision.tolist() == pytest.approx([1.0, 1 / 2, 2 / 3])
    assert curve.recall.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert curve.average_precision == pytest.approx(1 / 3 + 2 / 9)
    found = reliability(matches)
    assert found.count.tolist() == [0, 0, 0, 1, 0, 0, 1, 0, 0, 1]
    assert found.brier == pytest.approx((0.1**2 + 0.6**2 + 0.7**2) / 3)
    assert found.expected_error == pytest.approx((0.1 + 0.6 + 0.7) / 3)
    nothing = reliability(match([hit(0.0)], []))
    assert (nothing.brier, nothing.expected_error) == (0.0, 0.0)
    assert has_confidence(match([], sure[:2])) and not has_confidence(match([], sure[:1]))


def test_a_track_without_hits_has_no_part_in_the_mean_over_tracks() -> None:
    counts = np.array([[[8, 2, 2], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]], [[1, 0, 2], [2, 1, 1]]])
    found = statistics(counts, np.array([[1, 1, 1], [2, 1, 1], [0, 2, 0]]))
    assert found["track"].tolist() == pytest.approx([(0.8 + 0.6) / 2, (0.8 * 2 + 0.6) / 3, 0.0])
    assert found["micro"].tolist() == pytest.approx([22 / 30, 38 / 50, 0.0])
    assert found["precision"].tolist() == pytest.approx([11 / 14, 19 / 24, 0.0])
    assert found["recall"].tolist() == pytest.approx([11 / 16, 19 / 26, 0.0])
    assert found["macro"].tolist() == pytest.approx([(18 / 24 + 4 / 6) / 2, (34 / 44 + 4 / 6) / 2, 0.0])


def test_adtof_counts_silent_classes_as_perfect() -> None:
    figures = adtof(f_measure({"x": [hit(0.0), hit(1.0)]}, {"x": [hit(0.0)]}, merge=0.0))
    assert figures.sum_f == pytest.approx(2 / 3, abs=1e-12)
    assert figures.mean_f == pytest.approx((2 / 3 + 4) / 5, abs=1e-12)


def tracks(shares: list[float]) -> FMeasures:
    """One track per share: 20 kicks played, that share found."""
    references = {str(i): [hit(float(t)) for t in range(20)] for i in range(len(shares))}
    estimates = {str(i): [hit(float(t)) for t in range(round(20 * share))] for i, share in enumerate(shares)}
    return f_measure(references, estimates)


def test_bootstrap_is_seeded_and_brackets_the_value() -> None:
    scores = tracks([0.5, 0.7, 0.9, 1.0, 0.6, 0.8])
    first = intervals(scores, seed=3)
    assert first == intervals(scores, seed=3) != intervals(scores, seed=4)
    assert first["micro"].low < first["micro"].value < first["micro"].high
    assert first["micro"].value == pytest.approx(scores.micro.f)
    assert first["KD"] == first["micro"]
    assert first["track"].value == pytest.approx(scores.track_f)
    assert intervals(tracks([0.5])) == {}


def test_paired_bootstrap_tells_apart_only_what_differs() -> None:
    better, worse = tracks([0.9, 0.8, 1.0, 0.9, 0.8, 1.0]), tracks([0.8, 0.7, 0.9, 0.8, 0.7, 0.9])
    found = paired(better, worse)
    assert found.told_apart and found.difference > 0 and found.share_better == 1.0
    noise = paired(better, tracks([1.0, 0.9, 0.8, 1.0, 0.9, 0.8]))
    assert not noise.told_apart
    same = paired(better, better)
    assert (same.difference, same.share_better, same.told_apart) == (0.0, 0.5, False)
    with pytest.raises(ValueError, match="same tracks"):
        paired(better, tracks([0.9]))


def percentiles(figure: np.ndarray, level: float) -> list[float]:
    return np.percentile(figure, [50 - 50 * level, 50 + 50 * level]).tolist()


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_both_tails_of_an_interval_hold_the_same_share(level: float) -> None:
    """A level of 95 % leaves 2.5 % on either side."""
    scores = tracks([0.5, 0.7, 0.9, 1.0, 0.6, 0.8])
    found = intervals(scores, seed=3, level=level)
    drawn = statistics(scores.array(), draws(6, 2000, 3))
    for name in ("micro", "precision", "recall", "macro", "track"):
        assert [found[name].low, found[name].high] == pytest.approx(percentiles(drawn[name], level))
    other = tracks([0.9, 0.8, 0.7, 0.9, 0.8, 0.7])
    difference = drawn["micro"] - statistics(other.array(), draws(6, 2000, 3))["micro"]
    pair = paired(scores, other, seed=3, level=level)
    assert [pair.low, pair.high] == pytest.approx(percentiles(difference, level))
