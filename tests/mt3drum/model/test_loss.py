"""The loss against enumeration and arithmetic by hand, and its independence of how a batch is cut."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from data.example import frame_targets
from mt3drum.model.loss import (
    LossConfig,
    class_weights,
    legal_mask,
    losses,
    onset_loss,
    token_loss,
)
from mt3drum.model.network import EncoderOutput
from tokenizer.codec import EOS, PAD, Codec
from tokenizer.drums import CLASS_INDEX, FAMILY_OF, NUM_CLASSES
from tokenizer.encode import encode
from tokenizer.hits import Hit

CODEC = Codec(segment_steps=12, velocity_bins=4)
PLAIN = LossConfig(time_sigma=0.0, family_weight=0.0)
HITS = (
    (Hit(0.01, 0, 100), Hit(0.01, 4, 30), Hit(0.05, 1, 127), Hit(0.11, 25, 1)),
    (),
    (Hit(0.0, 25, 64), Hit(0.03, 4, 90)),
)


def rows(hits: tuple[tuple[Hit, ...], ...] = HITS) -> Tensor:
    ids = [encode(CODEC, row).ids for row in hits]
    longest = max(map(len, ids))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in ids])


def random_logits(tokens: Tensor, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*tokens.shape, CODEC.size, generator=generator)


def may_follow(prefix: list[int]) -> set[int]:
    """What the grammar `(time (drum velocity)+)* EOS` allows after a legal prefix, said in words."""
    times = [t - CODEC.first_time for t in prefix if CODEC.first_time <= t < CODEC.first_drum]
    later = set(range(CODEC.first_time + (times[-1] + 1 if times else 0), CODEC.first_drum)) | {EOS}
    if not prefix:
        return later
    if prefix[-1] == EOS:
        return {PAD}
    if prefix[-1] < CODEC.first_drum:
        return set(range(CODEC.first_drum, CODEC.first_velocity))
    if prefix[-1] < CODEC.first_velocity:
        return set(range(CODEC.first_velocity, CODEC.size))
    return later | set(range(prefix[-2] + 1, CODEC.first_velocity))


def enumerate_nll(logits: Tensor, tokens: Tensor) -> dict[tuple[int, int], float]:
    """Minus log of each token's share among the legal ones, a softmax written out."""
    found = {}
    for b, row in enumerate(tokens.tolist()):
        for place, token in enumerate(row):
            if token != PAD:
                legal = may_follow(row[:place])
                total = sum(math.exp(float(logits[b, place, other])) for other in legal)
                found[b, place] = math.log(total) - float(logits[b, place, token])
    return found


def encoded_of(tokens: Tensor, seed: int = 1) -> EncoderOutput:
    generator = torch.Generator().manual_seed(seed)
    heads = torch.randn(2, len(tokens), CODEC.segment_steps, NUM_CLASSES, generator=generator)
    return EncoderOutput(torch.zeros(0), torch.zeros(0), heads[0] - 2, heads[1])


def targets_of(hits: tuple[tuple[Hit, ...], ...] = HITS) -> tuple[Tensor, Tensor]:
    pairs = [frame_targets(row, CODEC) for row in hits]
    return tuple(torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))  # type: ignore[return-value]


def test_mask_is_the_grammar() -> None:
    tokens = rows()
    legal = legal_mask(CODEC, tokens)
    for b, row in enumerate(tokens.tolist()):
        for place in range(len(row)):
            assert set(legal[b, place].nonzero()[:, 0].tolist()) == may_follow(
                [t for t in row[:place] if t != PAD]
            )


def test_masked_loss_equals_enumeration() -> None:
    tokens = rows()
    logits = random_logits(tokens)
    by_hand = enumerate_nll(logits, tokens)
    total, by_kind = token_loss(CODEC, logits, tokens, PLAIN)
    assert float(total) == pytest.approx(sum(by_hand.values()), rel=1e-5)
    kinds = [0.0, 0.0, 0.0, 0.0]
    for (b, place), nll in by_hand.items():
        token = int(tokens[b, place])
        kind = 3 if token == EOS else (token >= CODEC.first_drum) + (token >= CODEC.first_velocity)
        kinds[kind] += nll
    assert by_kind[:, 0].tolist() == pytest.approx(kinds, rel=1e-5)
    assert by_kind[:, 1].tolist() == [5, 6, 6, 3]


def test_without_the_mask_it_is_cross_entropy() -> None:
    tokens = rows()
    logits = random_logits(tokens)
    total, _ = token_loss(
        CODEC, logits, tokens, LossConfig(grammar_mask=False, time_sigma=0, family_weight=0)
    )
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), tokens.flatten(), ignore_index=PAD, reduction="sum"
    )
    torch.testing.assert_close(total, expected)


def test_what_is_illegal_has_no_gradient() -> None:
    tokens = rows()
    logits = random_logits(tokens).requires_grad_()
    token_loss(CODEC, logits, tokens, LossConfig())[0].backward()
    assert logits.grad is not None
    assert not logits.grad[~legal_mask(CODEC, tokens)].any()
    assert not logits.grad[tokens == PAD].any()


@pytest.mark.parametrize(("step", "near"), [(5, (3, 4, 5, 6, 7)), (0, (0, 1, 2)), (11, (9, 10, 11))])
def test_soft_time_is_a_gaussian_over_near_times(step: int, near: tuple[int, ...]) -> None:
    tokens = rows(((Hit(step / 100, 0, 64),),))
    logits = random_logits(tokens)
    sigma = 0.6
    soft, table = token_loss(CODEC, logits, tokens, LossConfig(time_sigma=sigma, family_weight=0.0))
    hard, hard_table = token_loss(CODEC, logits, tokens, PLAIN)
    chances = torch.log_softmax(logits[0, 0].masked_fill(~legal_mask(CODEC, tokens)[0, 0], -math.inf), 0)[
        CODEC.first_time : CODEC.first_drum
    ]
    weight = torch.tensor([math.exp(-0.5 * ((k - step) / sigma) ** 2) for k in near])
    weight = weight / weight.sum()
    expected = -(weight * chances[list(near)]).sum()
    torch.testing.assert_close(soft - hard, expected + chances[step], atol=1e-5, rtol=0)
    assert torch.equal(table, hard_table)  # the table is plain, whatever is trained


def test_soft_time_gives_nothing_to_times_that_have_passed() -> None:
    """Two hits 10 ms apart: the second time's left neighbours are illegal and get no weight."""
    tokens = rows(((Hit(0.05, 0, 64), Hit(0.06, 1, 64)),))
    logits = random_logits(tokens).requires_grad_()
    soft = token_loss(CODEC, logits, tokens, LossConfig(time_sigma=1.0, family_weight=0.0))[0]
    soft.backward()
    assert 0 < float(soft.detach()) < 100
    assert logits.grad is not None
    passed = logits.grad[0, 3, CODEC.first_time : CODEC.first_time + 6]
    assert not passed.any()


def test_family_term_by_hand() -> None:
    """One drum token: plain term plus 0.5 times minus the log of what its family gets in all."""
    tokens = rows(((Hit(0.05, CLASS_INDEX["hihat_open"], 64),),))
    logits = random_logits(tokens)
    config = LossConfig(time_sigma=0.0, family_weight=0.5)
    extra = token_loss(CODEC, logits, tokens, config)[0] - token_loss(CODEC, logits, tokens, PLAIN)[0]
    drums = [math.exp(float(v)) for v in logits[0, 1, CODEC.first_drum : CODEC.first_velocity]]
    family = FAMILY_OF[CLASS_INDEX["hihat_open"]]
    share = sum(d for d, f in zip(drums, FAMILY_OF, strict=True) if f == family) / sum(drums)
    assert float(extra) == pytest.approx(-0.5 * math.log(share), rel=1e-4)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_factor_by_hand(gamma: float) -> None:
    tokens = rows()
    logits = random_logits(tokens)
    expected = 0.0
    for (b, place), nll in enumerate_nll(logits, tokens).items():
        is_drum = CODEC.first_drum <= tokens[b, place] < CODEC.first_velocity
        expected += nll * (1 - math.exp(-nll)) ** gamma if is_drum else nll
    config = LossConfig(time_sigma=0.0, family_weight=0.0, focal_gamma=gamma)
    assert float(token_loss(CODEC, logits, tokens, config)[0]) == pytest.approx(expected, rel=1e-4)


def test_onset_loss_by_hand() -> None:
    """Two frames of one class set, the rest far from any onset: binary cross-entropy, velocity and scale."""
    config = LossConfig(family_weight=0.0, onset_positive=4.0, velocity_weight=0.5)
    onset, velocity = torch.zeros(1, 10, NUM_CLASSES), torch.zeros(1, 10, NUM_CLASSES)
    onset[0, 3, 0], onset[0, 4, 0] = 1.0, 0.5
    velocity[0, 3:5, 0] = 0.8
    logits = torch.full((1, 10, NUM_CLASSES), -30.0)
    logits[0, 3, 0], logits[0, 4, 0] = 1.0, -0.5
    heard = EncoderOutput(torch.zeros(0), torch.zeros(0), logits, torch.zeros(1, 10, NUM_CLASSES))

    def entropy(logit: float, target: float) -> float:
        p = 1 / (1 + math.exp(-logit))
        return -target * math.log(p) - (1 - target) * math.log(1 - p)

    cells = entropy(1.0, 1.0) * (1 + 4) + entropy(-0.5, 0.5) * (1 + 4 * 0.5)
    loudness = 0.5 * ((0.5 - 0.8) ** 2 * 1.0 + (0.5 - 0.8) ** 2 * 0.5)
    expected = (cells + loudness) * 20 / (10 * NUM_CLASSES)
    assert float(onset_loss(heard, onset, velocity, config)) == pytest.approx(expected, rel=1e-4)


def test_onset_family_term_forgives_the_wrong_relative() -> None:
    """An open hi-hat taken for a closed one costs less with its family heard than with nothing heard."""
    onset, velocity = torch.zeros(1, 10, NUM_CLASSES), torch.zeros(1, 10, NUM_CLASSES)
    onset[0, 3, CLASS_INDEX["hihat_open"]] = 1.0
    extra = []
    for wrong in ("hihat_closed", "kick"):
        logits = torch.full((1, 10, NUM_CLASSES), -8.0)
        logits[0, 3, CLASS_INDEX[wrong]] = 5.0
        heard = EncoderOutput(torch.zeros(0), torch.zeros(0), logits, torch.zeros_like(logits))
        with_family = onset_loss(heard, onset, velocity, LossConfig(family_weight=1.0))
        extra.append(float(with_family - onset_loss(heard, onset, velocity, LossConfig(family_weight=0.0))))
    assert 0 < extra[0] < extra[1] / 10


@pytest.mark.parametrize("positive", [0.0, 4.0])
def test_onset_family_term_by_hand(positive: float) -> None:
    """One frame of one class: the family's logit is its own where its relatives are silent, and frames with
    an onset weigh as much more as in the sum over classes."""
    onset, silence = torch.zeros(1, 10, NUM_CLASSES), torch.zeros(1, 10, NUM_CLASSES)
    onset[0, 3, CLASS_INDEX["kick"]], onset[0, 4, CLASS_INDEX["kick"]] = 1.0, 0.5
    logits = torch.full((1, 10, NUM_CLASSES), -40.0)
    logits[0, 3, CLASS_INDEX["kick"]], logits[0, 4, CLASS_INDEX["kick"]] = 1.0, -0.5
    heard = EncoderOutput(torch.zeros(0), torch.zeros(0), logits, silence)
    with_family, without = (
        float(onset_loss(heard, onset, silence, LossConfig(family_weight=weight, onset_positive=positive)))
        for weight in (0.3, 0.0)
    )
    first, second = math.log1p(math.exp(-1.0)), 0.5 * (math.log1p(math.exp(0.5)) + math.log1p(math.exp(-0.5)))
    expected = 0.3 * (first * (1 + positive) + second * (1 + 0.5 * positive)) * 20 / (10 * NUM_CLASSES)
    assert with_family - without == pytest.approx(expected, rel=1e-4)


SETTINGS: list[dict[str, Any]] = [
    {},
    {"focal_gamma": 2.0, "class_weight": 0.5},
    {"grammar_mask": False, "family_weight": 0.0, "time_sigma": 0.0},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_cut_of_a_batch_does_not_matter(settings: dict[str, Any]) -> None:
    config = LossConfig(**settings)
    tokens, (onset, velocity) = rows(), targets_of()
    logits, heard = random_logits(tokens), encoded_of(tokens)
    weights = class_weights(range(1, NUM_CLASSES + 1), config, torch.device("cpu"))
    whole = losses(CODEC, heard, logits, tokens, onset, velocity, config, weights)
    parts = []
    for part in (slice(0, 1), slice(1, 3)):
        cut = EncoderOutput(heard.memory, heard.time_keys, heard.onset_logits[part], heard.velocity[part])
        parts.append(
            losses(CODEC, cut, logits[part], tokens[part], onset[part], velocity[part], config, weights)
        )
    for name in ("tokens", "onsets", "by_kind"):
        together = sum(getattr(part, name) for part in parts)
        torch.testing.assert_close(together, getattr(whole, name), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("settings", [*SETTINGS, {"focal_gamma": 0.5, "class_weight": 1.0}])
@pytest.mark.parametrize("hits", [HITS, ((),), ((), ())], ids=["mixed", "one empty", "two empty"])
def test_everything_is_finite(settings: dict[str, Any], hits: tuple[tuple[Hit, ...], ...]) -> None:
    """Segments with nothing but EOS too; and logits so sure that probabilities round to 0 and 1."""
    config = LossConfig(**settings)
    tokens, (onset, velocity) = rows(hits), targets_of(hits)
    weights = class_weights([1] * NUM_CLASSES, config, torch.device("cpu"))
    for scale in (1.0, 1000.0):
        logits = (random_logits(tokens) * scale).requires_grad_()
        heard = encoded_of(tokens)
        head = (heard.onset_logits * scale).requires_grad_()
        heard = heard._replace(onset_logits=head, velocity=heard.velocity * scale)
        found = losses(CODEC, heard, logits, tokens, onset, velocity, config, weights)
        (found.tokens + found.onsets).backward()
        assert torch.isfinite(found.tokens) and torch.isfinite(found.onsets)
        assert torch.isfinite(found.by_kind).all()
        for leaf in (logits, head):
            assert leaf.grad is not None and torch.isfinite(leaf.grad).all()


def test_an_empty_segment_costs_its_end_alone() -> None:
    tokens = rows(((),))
    logits = random_logits(tokens)
    total, by_kind = token_loss(CODEC, logits, tokens, LossConfig())
    assert by_kind[:, 1].tolist() == [0, 0, 0, 1]
    assert float(total) == pytest.approx(enumerate_nll(logits, tokens)[0, 0], rel=1e-5)


@pytest.mark.parametrize(
    "name", ["time_sigma", "family_weight", "focal_gamma", "class_weight", "velocity_weight"]
)
def test_negative_weights_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"loss {name} -0.1 is negative"):
        LossConfig(**cast(Any, {name: -0.1}))
