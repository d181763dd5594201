"""Calibration and the least confidence, on hits made up so that the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mt3drum.decode.hypothesis import calibrate
from mt3drum.decoding import DecodeConfig
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from train.optim import mean_weights
from train.tune import calibration, kept, least_confidence, mean_f


def hits_right_as_often_as_the_square_of_their_confidence() -> tuple[
    dict[str, list[Hit]], dict[str, tuple[Hit, ...]]
]:
    rng = np.random.default_rng(0)
    played, found = [], []
    for number in range(4000):
        confidence = float(rng.uniform(0.1, 1.0))
        found.append(Hit(0.3 * number, 0, 90, confidence))
        if rng.random() < confidence**2:
            played.append(Hit(0.3 * number, 0, 90))
    return {"a": played}, {"a": tuple(found)}


def test_calibration_finds_the_share_that_is_right() -> None:
    points = calibration(*hits_right_as_often_as_the_square_of_their_confidence())
    config = DecodeConfig(confidence_calibration=points)
    raw = np.array([0.3, 0.5, 0.7, 0.9])
    assert calibrate(raw, config) == pytest.approx(raw**2, abs=0.06)


def test_calibrated_confidence_goes_down_to_nothing() -> None:
    points = calibration(*hits_right_as_often_as_the_square_of_their_confidence())
    assert points[0] == (0.0, 0.0)
    low = calibrate(np.array([0.0, 0.02, 0.05]), DecodeConfig(confidence_calibration=points))
    assert low[0] == 0.0 and np.all(np.diff(low) > 0)


def test_too_few_hits_say_nothing() -> None:
    assert calibration({"a": [Hit(0.0, 0, 90)]}, {"a": (Hit(0.0, 0, 90, 0.5),)}) == ()


def test_leaving_out_doubtful_hits_helps_where_they_are_wrong() -> None:
    played, found = hits_right_as_often_as_the_square_of_their_confidence()
    assert mean_f(played, kept(found, 0.5)) > mean_f(played, found) + 0.05


def test_every_family_gets_the_bound_that_its_hits_ask_for() -> None:
    """Of kicks the doubtful are wrong, of snares none; toms nobody played."""
    played, found = hits_right_as_often_as_the_square_of_their_confidence()
    snare, tom = CLASS_INDEX["snare_head"], CLASS_INDEX["tom1_head"]
    snares = [Hit(0.3 * number + 0.15, snare, 90, 0.05 + 0.9 * (number % 2)) for number in range(400)]
    toms = [Hit(0.3 * number + 0.22, tom, 90, 0.04) for number in range(10)]
    played = {"a": sorted(played["a"] + snares)}
    found = {"a": tuple(sorted([*found["a"], *snares, *toms]))}
    least = least_confidence(played, found)
    bounds = dict(least)
    assert 0.4 <= bounds["kick"] <= 0.6 and bounds["snare"] == 0.05  # the highest that leaves none out
    assert mean_f(played, kept(found, least)) > mean_f(played, found) + 0.03
    assert bounds["tom"] == bounds["aux"]  # the one for all: nothing is known of them


def test_the_mean_of_weights_is_between_them_and_counts_are_the_first_ones() -> None:
    first = {"w": torch.tensor([1.0, 4.0], dtype=torch.float16), "n": torch.tensor(7)}
    second = {"w": torch.tensor([2.0, 8.0], dtype=torch.float16), "n": torch.tensor(9)}
    mean = mean_weights([first, second])
    assert mean["w"].tolist() == [1.5, 6.0] and mean["n"].item() == 7
    with pytest.raises(ValueError, match="different networks"):
        mean_weights([first, {"w": torch.zeros(3), "n": torch.tensor(1)}])
