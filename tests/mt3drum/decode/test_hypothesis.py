"""Time, velocity and confidence of hits, worked out from what decoder and onset head say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mt3drum.decode.hypothesis import WINDOW, Hypothesis, TokenPath, framewise, hypotheses
from mt3drum.decoding import DecodeConfig
from mt3drum.model.stem import EncoderOutput
from tokenizer.codec import EOS, PAD, Codec
from tokenizer.drums import NUM_CLASSES

CODEC = Codec(segment_steps=40)
STEP, DRUM = 10, 4
BY_DECODER = np.array([0.0625, 0.125, 0.5, 0.125, 0.0625])  # of the steps around the chosen one
BY_HEAD = np.array([0.0, 0.0, 0.25, 0.5, 0.0])
P_DRUM = 0.64


def one_hit(config: DecodeConfig, step: int = STEP) -> Hypothesis:
    """One stroke at `step`: probabilities of decoder and head as above, the head's velocity 100, the
    decoder's 41."""
    tokens = np.array([[CODEC.first_time + step, CODEC.first_drum + DRUM, CODEC.first_velocity + 10, EOS]])
    window = np.full((1, 4, 2 * WINDOW + 1), -math.inf)
    window[0, 0] = np.log(BY_DECODER)
    window[0, 1, WINDOW] = math.log(P_DRUM)
    heard, loudness = torch.zeros(1, 40, NUM_CLASSES), torch.zeros(1, 40, NUM_CLASSES)
    for place, probability in zip(range(step - WINDOW, step + WINDOW + 1), BY_HEAD, strict=True):
        if 0 <= place < 40:
            heard[0, place, DRUM], loudness[0, place, DRUM] = probability, 100.0
    velocity = np.full((1, 4), 10.0)
    path = TokenPath(tokens, window, velocity, np.array([-1.5]))
    (found,) = hypotheses(CODEC, path, heard, loudness, config)
    return found


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 0.75])
def test_time_and_confidence_are_of_both(weight: float) -> None:
    """The decoder is symmetric about the step, the head says half a step later; the decoder's confidence is
    0.875 * 0.64, the head's 0.5."""
    (hit,) = one_hit(DecodeConfig(onset_weight=weight)).hits
    both = BY_DECODER ** (1 - weight) * np.maximum(BY_HEAD, 1e-12) ** weight
    offset = float((both * np.arange(-2, 3)).sum() / both.sum())
    assert hit.time == pytest.approx((STEP + offset) / 100, abs=1e-6)
    assert hit.confidence == pytest.approx((0.875 * P_DRUM) ** (1 - weight) * 0.5**weight, abs=1e-6)
    assert hit.drum == DRUM
    assert hit.velocity == round((CODEC.velocity_of(10.0) + 100) / 2)


def test_a_head_elsewhere_in_the_window_moves_the_hit() -> None:
    alone, both = (one_hit(DecodeConfig(onset_weight=weight)).hits[0].time for weight in (0.0, 0.5))
    assert alone == pytest.approx(0.10, abs=1e-6)
    assert 0.102 < both < 0.108


def test_what_lies_outside_the_segment_does_not_count() -> None:
    """Of a stroke on the first step neither the decoder's nor the head's earlier places exist."""
    (hit,) = one_hit(DecodeConfig(onset_weight=0.0), step=0).hits
    kept = BY_DECODER[2:]
    assert hit.time == pytest.approx(float((kept * np.arange(3)).sum() / kept.sum()) / 100, abs=1e-6)
    assert hit.confidence == pytest.approx(float(kept.sum()) * P_DRUM, abs=1e-6)


def test_a_stroke_on_the_last_step() -> None:
    """Later places exist for neither; what stands for them does not count."""
    (hit,) = one_hit(DecodeConfig(onset_weight=0.0), step=39).hits
    kept = BY_DECODER[:3]
    assert hit.time == pytest.approx(
        (39 + float((kept * np.arange(-2, 1)).sum() / kept.sum())) / 100, abs=1e-6
    )
    by_head = one_hit(DecodeConfig(onset_weight=0.9), step=39).hits[0]
    assert by_head.confidence == pytest.approx((float(kept.sum()) * P_DRUM) ** 0.1 * 0.25**0.9, abs=1e-6)


def test_sequences_are_replaced_whatever_their_length() -> None:
    """Shorter ones are filled with PAD, longer ones make room; the others stay."""
    long = TokenPath(
        np.array([[5, 6, 7, EOS], [8, 9, 10, EOS]]), np.ones((2, 4, 5)), np.ones((2, 4)), np.ones(2)
    )
    short = TokenPath(np.array([[EOS]]), np.full((1, 1, 5), 2.0), np.full((1, 1), 2.0), np.array([2.0]))
    found = long.replaced(np.array([1]), short)
    assert found.tokens.tolist() == [[5, 6, 7, EOS], [EOS, PAD, PAD, PAD]]
    assert found.velocity.tolist() == [[1, 1, 1, 1], [2, 0, 0, 0]]
    assert found.window[..., 0].tolist() == found.velocity.tolist()
    assert (found.score.tolist(), long.score.tolist()) == ([1.0, 2.0], [1.0, 1.0])
    back = found.replaced(np.array([0, 1]), long)
    assert back.tokens.tolist() == long.tokens.tolist()
    longer = TokenPath(short.tokens, short.window, short.velocity, short.score).replaced(
        np.array([0]), TokenPath(long.tokens[:1], long.window[:1], long.velocity[:1], long.score[:1])
    )
    assert longer.tokens.tolist() == [[5, 6, 7, EOS]]


def test_what_a_hypothesis_says_of_itself() -> None:
    found = one_hit(DecodeConfig())
    assert found.tokens[-1] == EOS and len(found.tokens) == 4
    assert (found.score, found.steps, found.cut) == (-1.5, (STEP,), False)
    assert one_hit(DecodeConfig(max_tokens=6)).cut  # no room for another stroke


def test_the_head_alone_keeps_the_options() -> None:
    """Peaks above one half, at most so many a second, so far apart, of the chosen classes."""
    logits = torch.full((1, 400, NUM_CLASSES), -9.0)
    for step, drum in ((5, 0), (15, 0), (40, 0), (60, 1), (80, 2)):
        logits[0, step, drum] = 4.0
    nothing = torch.zeros(1, 1, 1)
    encoded = EncoderOutput(nothing, nothing, logits, torch.zeros_like(logits))

    def steps(**options: object) -> list[tuple[int, int]]:
        config = DecodeConfig(onset_weight=1.0, onset_bias=0.0, **options)  # type: ignore[arg-type]
        (found,) = framewise(Codec(), torch.sigmoid(logits), encoded, config, 400)
        return list(zip(found.steps, (hit.drum for hit in found.hits), strict=True))

    assert steps() == [(5, 0), (15, 0), (40, 0), (60, 1), (80, 2)]
    assert steps(minimum_gap=0.1) == steps()
    assert steps(minimum_gap=0.11) == [(5, 0), (40, 0), (60, 1), (80, 2)]
    assert steps(classes=frozenset({0, 2})) == [(5, 0), (15, 0), (40, 0), (80, 2)]
    assert steps(max_hits_per_second=2) == [(5, 0), (15, 0)]


def test_the_head_alone_writes_a_legal_sequence() -> None:
    """Two strokes at once share a time token; a segment without strokes is its end alone."""
    logits = torch.full((2, 40, NUM_CLASSES), -9.0)
    for step, drum in ((5, 1), (5, 3), (20, 0)):
        logits[0, step, drum] = 4.0
    nothing = torch.zeros(1, 1, 1)
    encoded = EncoderOutput(nothing, nothing, logits, torch.zeros_like(logits))
    config = DecodeConfig(onset_weight=1.0, onset_bias=0.0)
    struck, silent = framewise(CODEC, torch.sigmoid(logits), encoded, config, 40)
    loud = CODEC.first_velocity + CODEC.velocity_bin(64)
    assert struck.tokens == (
        *(CODEC.first_time + 5, CODEC.first_drum + 1, loud, CODEC.first_drum + 3, loud),
        *(CODEC.first_time + 20, CODEC.first_drum, loud, EOS),
    )
    assert struck.steps == (5, 5, 20) and [hit.velocity for hit in struck.hits] == [64] * 3
    assert (silent.tokens, silent.hits, silent.steps) == ((EOS,), (), ())


def test_each_segment_has_its_own_strokes() -> None:
    """Sequences of several lengths in one batch; what the decoder finds in one is not another's."""

    def row(*strokes: tuple[int, int]) -> list[int]:
        tokens = [
            t
            for at, drum in strokes
            for t in (CODEC.first_time + at, CODEC.first_drum + drum, CODEC.first_velocity)
        ]
        return [*tokens, EOS, *[PAD] * (6 - len(tokens))]

    tokens = np.array([row((3, 0)), row(), row((7, 2), (9, 1))])
    window = np.full((3, 7, 2 * WINDOW + 1), -math.inf)
    window[..., WINDOW] = 0.0
    path = TokenPath(tokens, window, np.zeros((3, 7)), np.array([-1.0, -2.0, -3.0]))
    zeros = torch.zeros(3, 40, NUM_CLASSES)
    found = hypotheses(CODEC, path, zeros, zeros, DecodeConfig(onset_weight=0.0))
    assert [[(hit.drum, step) for hit, step in zip(h.hits, h.steps, strict=True)] for h in found] == [
        [(0, 3)],
        [],
        [(2, 7), (1, 9)],
    ]
    assert [len(h.tokens) for h in found] == [4, 1, 7]
    assert [h.score for h in found] == [-1.0, -2.0, -3.0]
