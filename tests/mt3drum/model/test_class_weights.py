"""Weights of rare classes: bounded, on what is struck alone, and taken out of what is shipped."""

from __future__ import annotations

import pytest
import torch

from mt3drum.model.loss import LossConfig, class_weights, onset_loss, token_loss, without_weights
from mt3drum.model.network import EncoderOutput
from mt3drum.model.stem import FRAMES_PER_STATE
from tests.mt3drum.model.test_loss import CODEC, PLAIN, enumerate_nll, random_logits, rows
from tokenizer.codec import NUM_SPECIAL
from tokenizer.drums import NUM_CLASSES
from tokenizer.hits import Hit


@pytest.mark.parametrize("exponent", [0.3, 1.0])
def test_class_weights_have_mean_one_over_hits(exponent: float) -> None:
    counts = [1000, 10, *[50] * 24]
    config = LossConfig(class_weight=exponent, class_weight_range=(1e-3, 1e3))
    weights = class_weights(counts, config, torch.device("cpu"))
    assert weights is not None
    mean = sum(float(w) * n for w, n in zip(weights, counts, strict=True)) / sum(counts)
    assert mean == pytest.approx(1.0, rel=1e-5)
    assert float(weights[1] / weights[0]) == pytest.approx(100**exponent, rel=1e-4)


def test_class_weights_of_absent_classes_are_finite_and_zero_is_off() -> None:
    weights = class_weights([0] * NUM_CLASSES, LossConfig(class_weight=1.0), torch.device("cpu"))
    assert weights is not None and torch.isfinite(weights).all()
    assert class_weights([1] * NUM_CLASSES, LossConfig(), torch.device("cpu")) is None


def test_class_weights_are_bounded() -> None:
    """One class has 1 hit in 100,000: without bounds its weight would be thousands."""
    counts = [90_000, 1, *[400] * 24]
    weights = class_weights(counts, LossConfig(class_weight=1.0), torch.device("cpu"))
    assert weights is not None
    mean = sum(float(w) * n for w, n in zip(weights, counts, strict=True)) / sum(counts)
    assert mean == pytest.approx(1.0, rel=1e-5)
    assert float(weights[1] / weights[0]) == pytest.approx(10 / 0.5, rel=1e-4)


def test_only_what_is_struck_is_weighted() -> None:
    """The gradient of silence is that of weight 1; that of an onset is 1 + positive x weight."""
    onset, weights = torch.zeros(1, 10, NUM_CLASSES), torch.full((NUM_CLASSES,), 7.0)
    onset[0, 3, 2] = 1.0
    config = LossConfig(family_weight=0.0, velocity_weight=0.0)

    def gradient(class_weights: torch.Tensor | None) -> torch.Tensor:
        logits = torch.zeros(1, 10, NUM_CLASSES, requires_grad=True)
        heard = EncoderOutput(torch.zeros(0), torch.zeros(0), logits, torch.zeros(1, 10, NUM_CLASSES))
        onset_loss(heard, onset, torch.zeros_like(onset), config, class_weights).backward()
        assert logits.grad is not None
        return logits.grad

    plain, weighted = gradient(None), gradient(weights)
    factor = (weighted / plain).flatten()
    assert factor[3 * NUM_CLASSES + 2] == pytest.approx((1 + 4 * 7) / (1 + 4))
    factor[3 * NUM_CLASSES + 2] = 1.0
    torch.testing.assert_close(factor, torch.ones_like(factor))


def test_what_weights_add_to_the_logits_is_given_back() -> None:
    """Biases alone, trained to the end on one class struck in a third of the frames and a token in a quarter
    of the segments: with weights and without they say the same once the weights are taken out."""
    weights = torch.ones(NUM_CLASSES)
    weights[2] = 6.0
    config = LossConfig(family_weight=0.0, velocity_weight=0.0, time_sigma=0.0)
    onset = torch.zeros(1, 12, NUM_CLASSES)
    onset[0, ::3, 2] = 1.0
    tokens = rows(tuple((Hit(0.05, 2 if at == 0 else 4, 64),) for at in range(4)))

    def trained(class_weights: torch.Tensor | None) -> dict[str, torch.Tensor]:
        head = torch.zeros(NUM_CLASSES, requires_grad=True)
        other = torch.zeros(CODEC.size - CODEC.segment_steps, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [head, other], max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
        )

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            logits = head.expand(1, 12, -1)
            heard = EncoderOutput(torch.zeros(0), torch.zeros(0), logits, torch.zeros(1, 12, NUM_CLASSES))
            time = other.new_zeros(CODEC.segment_steps)
            row = torch.cat((other[:NUM_SPECIAL], time, other[NUM_SPECIAL:]))
            total = onset_loss(heard, onset, torch.zeros_like(onset), config, class_weights)
            total = total + token_loss(CODEC, row.expand(*tokens.shape, -1), tokens, config, class_weights)[0]
            total.backward()
            return total

        optimizer.step(closure)
        bias = torch.stack((head.detach(), torch.zeros(NUM_CLASSES))).repeat(FRAMES_PER_STATE, 1)
        return {"onset_head.bias": bias.flatten(), "other_head.bias": other.detach()}

    plain, raw = trained(None), trained(weights)
    given_back = without_weights(raw, weights, config)
    drums = slice(NUM_SPECIAL, NUM_SPECIAL + NUM_CLASSES)
    onset_of_2 = [frame * 2 * NUM_CLASSES + 2 for frame in range(FRAMES_PER_STATE)]
    assert (raw["onset_head.bias"] - plain["onset_head.bias"])[onset_of_2].min() > 1
    torch.testing.assert_close(
        given_back["onset_head.bias"][onset_of_2], plain["onset_head.bias"][onset_of_2], atol=1e-2, rtol=0
    )
    share = [torch.softmax(each["other_head.bias"][drums], 0)[2] for each in (plain, raw, given_back)]
    assert share[1] > share[0] + 0.2 and share[2] == pytest.approx(float(share[0]), abs=1e-2)
    assert without_weights(raw, None, config) == raw


@pytest.mark.parametrize("bounds", [(0.0, 10.0), (2.0, 10.0), (0.5, 0.9), (1.0,)])
def test_bounds_of_class_weights_are_checked(bounds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="class_weight_range"):
        LossConfig(class_weight_range=bounds)


def test_class_weights_multiply_drum_tokens() -> None:
    tokens = rows(((Hit(0.05, 4, 64),),))
    logits = random_logits(tokens)
    weights = torch.ones(NUM_CLASSES)
    weights[4] = 3.0
    extra = token_loss(CODEC, logits, tokens, PLAIN, weights)[0] - token_loss(CODEC, logits, tokens, PLAIN)[0]
    assert float(extra) == pytest.approx(2 * enumerate_nll(logits, tokens)[0, 1], rel=1e-4)
