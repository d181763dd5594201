"""Draft and verification against the search step by step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mt3drum.decode.beam_search import _greedy, _search
from mt3drum.decode.constraints import Narrowing
from mt3drum.decode.draft import Draft
from mt3drum.decode.onset_head import onset_probabilities, onset_tables, suppress
from mt3drum.decode.speculative import Settled, greedy
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import bundled, load_inference_model
from mt3drum.model.inference import InferenceModel
from mt3drum.model.stem import EncoderOutput
from tests.mt3drum.decode.test_beam_search import INFERENCE, configs, random_model, random_states
from tests.slow_search import CODEC, CONFIG
from tokenizer.codec import EOS
from tokenizer.drums import CLASS_INDEX
from tokenizer.grammar import is_legal


def settle(model: InferenceModel, encoded: EncoderOutput, config: DecodeConfig, until: int) -> Settled:
    """As `_greedy` does, to look at what lies between."""
    probability = onset_probabilities(encoded.onset_logits, config.onset_bias)
    narrowing = Narrowing(model.config.codec, probability, config, until)
    peaks = suppress(probability, encoded.onset_logits) * narrowing.classes
    tables = onset_tables(model.config.codec, peaks, until)
    assert model.decoder is not None
    with torch.inference_mode():
        return greedy(model.decoder, encoded, narrowing, tables, peaks, config, until)


def assert_same(model: InferenceModel, encoded: EncoderOutput, config: DecodeConfig, until: int) -> None:
    probability = onset_probabilities(encoded.onset_logits, config.onset_bias)
    assert model.decoder is not None
    with torch.inference_mode():
        fast = _greedy(model.decoder, encoded, probability, config, until)
        slow = _search(model.decoder, encoded, probability, config, until)
    length = slow.tokens.shape[1]
    assert (fast.tokens[:, :length] == slow.tokens).all() and not fast.tokens[:, length:].any()
    np.testing.assert_allclose(fast.score, slow.score, rtol=1e-4, atol=1e-4)
    struck = slow.tokens >= CODEC.first_velocity
    chosen = (slow.tokens >= CODEC.first_time) & ~struck
    np.testing.assert_allclose(fast.velocity[:, :length][struck], slow.velocity[struck], atol=2e-3)
    here = fast.window[:, :length, 2][chosen]
    np.testing.assert_allclose(here, slow.window[:, :, 2][chosen], atol=2e-3)


@settings(max_examples=40)
@given(
    configs,
    st.sampled_from(sorted(INFERENCE)),
    st.integers(0, 99),
    st.sampled_from([0.0, 3.0, 30.0]),
    st.sampled_from([-6.0, -3.0, 0.0]),
    st.sampled_from([1, 2, 25, 40]),
    st.integers(1, 5),
)
def test_random_weights_and_states(
    config: DecodeConfig,
    key: tuple[int, float],
    seed: int,
    head: float,
    shift: float,
    until: int,
    segments: int,
) -> None:
    weight = min(config.onset_weight, 0.99)
    config = replace(config, beam=1, onset_weight=weight, max_tokens=min(config.max_tokens, 60))
    assert_same(INFERENCE[key], random_states(seed, segments, head, shift), config, until)


@pytest.mark.parametrize("seed", range(4))
def test_random_weights_and_audio(seed: int) -> None:
    model = INFERENCE[sorted(INFERENCE)[seed]]
    rng = torch.Generator().manual_seed(seed)
    audio = torch.randn(3, CONFIG.segment_samples, generator=rng) * 10.0 ** -torch.arange(3)[:, None]
    with torch.inference_mode():
        encoded = model.encode(audio)
    assert_same(model, encoded, DecodeConfig(onset_weight=0.4, onset_bias=2.0), CODEC.segment_steps)


def test_the_bundled_weights_settle_several_tokens_a_pass() -> None:
    """Three strokes a second: hats, a kick or a snare under every other one."""
    model, header = load_inference_model(bundled(), dtype=torch.float32)
    rng = np.random.default_rng(0)
    audio = np.zeros((2, model.config.segment_samples), dtype=np.float32)
    ring = np.exp(-np.arange(8000) / 1500)
    for number, at in enumerate(range(4000, audio.shape[1] - 8000, 11_000)):
        audio[:, at : at + 8000] += 0.2 * rng.normal(size=(2, 8000)) * ring
        audio[:, at : at + 8000] += (number % 2) * np.sin(np.arange(8000) / 100) * ring
    with torch.inference_mode():
        encoded = model.encode(torch.from_numpy(audio))
    config = DecodeConfig.from_dict(header["decoding"])
    settled = settle(model, encoded, config, 350)
    assert settled.length.min() > 20 and not settled.given_back.any()
    assert 2.5 * settled.passes.sum() < settled.length.sum()
    assert_same(model, encoded, config, 350)


def test_what_rounding_may_decide_is_given_back() -> None:
    """Every logit equal: whatever is chosen is a tie."""
    weights = random_model(0).state_dict()
    for name in ("other_head.weight", "other_head.bias", "time_query.weight", "time_query.bias"):
        weights[name] = torch.zeros_like(weights[name])
    model, config = InferenceModel(CONFIG, weights), DecodeConfig(onset_weight=0.0, max_tokens=20)
    encoded = random_states(0, 3)
    assert settle(model, encoded, config, 40).given_back.all()
    assert_same(model, encoded, config, 40)


def test_passes_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    model, config = INFERENCE[0, 0.1], DecodeConfig(onset_weight=0.7, onset_bias=2.0, max_tokens=60)
    encoded = random_states(1, 2)
    assert settle(model, encoded, config, 40).passes.min() > 1
    monkeypatch.setattr("mt3drum.decode.speculative.MOST_PASSES", 1)
    assert settle(model, encoded, config, 40).given_back.all()
    assert_same(model, encoded, config, 40)


KICK, SNARE, RIM = (CLASS_INDEX[name] for name in ("kick", "snare_head", "snare_rim"))


def token(step: int | None = None, drum: int | None = None, velocity: int | None = None) -> int:
    if step is not None:
        return CODEC.first_time + step
    return CODEC.first_drum + drum if drum is not None else CODEC.first_velocity + (velocity or 0)


def draft(**peaks: float) -> Draft:
    """From `kick_5=0.9` and the like; the head's velocity is 7 everywhere."""
    table = np.zeros((CODEC.segment_steps, CODEC.num_drums), dtype=np.float32)
    for name, value in peaks.items():
        drum, step = name.rsplit("_", 1)
        table[int(step), CLASS_INDEX[drum]] = value
    return Draft(CODEC, table, np.full(table.shape, 7), 40)


def test_a_draft_is_what_the_head_hears() -> None:
    found = draft(kick_5=0.9, snare_head_5=0.8, snare_rim_5=0.5, snare_head_9=0.1)
    hits = [token(step=5), token(drum=KICK), token(velocity=7), token(drum=SNARE), token(velocity=7), EOS]
    assert found.propose(99) == hits and found.propose(3) == hits[:3]
    assert is_legal(CODEC, hits)


def test_a_draft_goes_on_from_what_is_settled() -> None:
    found = draft(kick_5=0.9, snare_head_9=0.9)
    answers = found.propose(3)
    answers[2] = token(velocity=3)
    found.take(answers, 3)
    assert found.propose(9) == [token(step=9), token(drum=SNARE), token(velocity=7), EOS]


@pytest.mark.parametrize(
    ("wrong", "answer", "then"),
    [
        (0, token(step=6), [token(drum=KICK), token(velocity=7), token(step=9)]),  # the same stroke, later
        (0, token(step=9), [token(drum=SNARE), token(velocity=7), EOS]),  # a stroke left out
        (0, token(step=2), [token(drum=0), token(velocity=7), token(step=5)]),  # one more
        (1, token(drum=SNARE), [token(velocity=7), token(step=9), token(drum=SNARE)]),
        (3, token(drum=RIM), [token(velocity=7), token(step=9), token(drum=SNARE)]),
        (3, token(step=10), [token(drum=SNARE), token(velocity=7), EOS]),
    ],
)
def test_a_draft_is_mended(wrong: int, answer: int, then: list[int]) -> None:
    found = draft(kick_5=0.9, snare_head_9=0.9)
    answers = list(found.propose(99))
    answers[wrong] = answer
    found.take(answers, wrong + 1)
    assert found.propose(3) == then


def test_a_time_that_no_drum_may_follow_is_not_mended() -> None:
    found = draft(kick_5=0.9, snare_head_9=0.9)
    answers = list(found.propose(99))
    answers[0], answers[1] = EOS, 0  # nothing is offered after the time
    found.take(answers, 1)


def test_a_draft_learns_from_what_is_not_settled_yet() -> None:
    found = draft(kick_5=0.9, snare_head_9=0.9)
    answers = list(found.propose(99))
    answers[2], answers[5] = token(velocity=1), token(velocity=2)
    found.take(answers, 3)
    assert found.propose(3) == [token(step=9), token(drum=SNARE), token(velocity=2)]
