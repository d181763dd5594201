"""The onset head as token log-probabilities: exact, and equal to independent coins."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mt3drum.decode import onset_head as module
from mt3drum.decode.onset_head import onset_log_probs, onset_probabilities, onset_tables, suppress
from tokenizer.codec import EOS, Codec
from tokenizer.drums import NUM_CLASSES
from tokenizer.encode import encode
from tokenizer.grammar import START, State, advance, mask_rows, mask_table
from tokenizer.hits import Hit


def start() -> State:
    return State(*(torch.full((1, 1), value) for value in (START, -1, -1)))


def chain(codec: Codec, probability: torch.Tensor, tokens: list[int], until: int) -> float:
    """Log-probability of a whole sequence; checks that what may follow every prefix sums to one."""
    tables = onset_tables(codec, probability[None], until)
    table = torch.from_numpy(mask_table(codec))
    table[:, codec.first_time + until : codec.first_drum] = False
    state, total = start(), 0.0
    for token in tokens:
        first, second = mask_rows(codec, state)
        legal = (table[first] | table[second])[0, 0]
        log_probs = onset_log_probs(codec, tables, state)[0, 0]
        if token < codec.first_velocity:
            assert float(log_probs[legal].exp().sum()) == pytest.approx(1.0, abs=1e-4)
            total += float(log_probs[token])
        else:
            assert float(log_probs[token]) == 0.0
        assert bool(legal[token])
        state = advance(codec, state, torch.tensor([[token]]))
    return total


def coins(probability: np.ndarray, struck: set[tuple[int, int]], until: int) -> float:
    """The same by the definition: one coin for every frame and class."""
    clamped = probability[:until].clip(module.FLOOR, 1 - module.FLOOR)
    return sum(
        math.log(p) if (step, drum) in struck else math.log1p(-p)
        for (step, drum), p in np.ndenumerate(clamped)
    )


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(0, 15))
def test_a_sequence_is_as_likely_as_its_coins(seed: int, until: int, hits: int) -> None:
    rng = np.random.default_rng(seed)
    codec = Codec(segment_steps=12)
    probability = rng.random((12, NUM_CLASSES)).astype(np.float32) ** rng.integers(1, 8)
    probability[rng.random(probability.shape) < 0.2] = rng.choice([0.0, 1.0])
    struck = {(int(rng.integers(until)), int(rng.integers(NUM_CLASSES))) for _ in range(hits)}
    tokens = encode(codec, [Hit(step / 100, drum, 64) for step, drum in struck]).ids
    found = chain(codec, torch.from_numpy(probability), tokens, until)
    assert found == pytest.approx(coins(probability, struck, until), rel=1e-4, abs=1e-3)


def test_all_sequences_sum_to_one_and_rank_as_coins_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLOOR", 1e-7)  # so that the 22 classes left out weigh nothing
    codec = Codec(segment_steps=2)
    probability = np.zeros((2, NUM_CLASSES), dtype=np.float32)
    live = [0, 1, 7, 25]
    probability[:, live] = np.random.default_rng(3).uniform(0.05, 0.95, (2, 4))
    cells = list(itertools.product(range(2), live))
    by_chain, by_coins = [], []
    for chosen in itertools.product([False, True], repeat=len(cells)):
        struck = {cell for cell, on in zip(cells, chosen, strict=True) if on}
        tokens = encode(codec, [Hit(step / 100, drum, 64) for step, drum in struck]).ids
        by_chain.append(chain(codec, torch.from_numpy(probability), tokens, 2))
        by_coins.append(coins(probability, struck, 2))
    assert len(by_chain) == 256
    assert sum(map(math.exp, by_chain)) == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_array_equal(np.argsort(by_chain), np.argsort(by_coins))


def test_suppression_keeps_the_highest_of_five_frames() -> None:
    probability = torch.zeros(1, 12, NUM_CLASSES)
    probability[0, :, 3] = torch.tensor([0.1, 0.4, 0.3, 0.2, 0.35, 0.2, 0.1, 0.5, 0.0, 0.0, 0.6, 0.1])
    kept = suppress(probability, probability.logit())[0, :, 3].nonzero()[:, 0].tolist()
    # Frame 4 is the highest of 2..6; frame 7, of 5..9, is three frames from frame 10.
    assert kept == [1, 4, 7, 10]


def test_saturated_neighbours_do_not_tie() -> None:
    logits = torch.full((1, 4, NUM_CLASSES), 40.0)
    logits[0, 2] = 41.0
    kept = suppress(onset_probabilities(logits, 0.0), logits)
    assert kept[0, :, 0].tolist() == [0.0, 0.0, 1.0, 0.0]


def test_the_bias_moves_logits() -> None:
    logits = torch.tensor([[[0.0, 2.0]]])
    expected = torch.sigmoid(logits - 1.0)
    torch.testing.assert_close(onset_probabilities(logits, -1.0), expected)


def test_extreme_heads_stay_finite() -> None:
    codec = Codec(segment_steps=20)
    for value in (-1e4, 0.0, 1e4):
        tables = onset_tables(codec, onset_probabilities(torch.full((1, 20, NUM_CLASSES), value), 0.0), 20)
        log_probs = onset_log_probs(codec, tables, start())
        assert torch.isfinite(log_probs).all()
        assert float(log_probs[..., EOS]) <= 0.0
