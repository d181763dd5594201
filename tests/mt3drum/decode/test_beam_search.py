"""Beam search under the grammar against a slow greedy search written from the definitions."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mt3drum.config import PRESETS, ModelConfig
from mt3drum.decode.beam_search import generate
from mt3drum.decode.hypothesis import Hypothesis, expected_offset
from mt3drum.decoding import DecodeConfig
from mt3drum.model.inference import InferenceModel
from mt3drum.model.network import DrumModel, EncoderOutput
from tests.slow_search import CODEC, CONFIG, every_sequence, slow_greedy
from tokenizer.codec import EOS, Codec
from tokenizer.drums import NUM_CLASSES
from tokenizer.encode import decode
from tokenizer.grammar import is_legal


def random_model(seed: int, scale: float = 0.3) -> DrumModel:
    torch.manual_seed(seed)
    model = DrumModel(CONFIG).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(scale * torch.randn_like(weight))
    return model


MODELS = {(seed, scale): random_model(seed, scale) for seed in (0, 1) for scale in (0.1, 0.6)}
INFERENCE = {key: InferenceModel(CONFIG, model.state_dict()) for key, model in MODELS.items()}


def random_states(seed: int, segments: int, head: float = 3.0, shift: float = -4.0) -> EncoderOutput:
    """States that differ between segments, and an onset head of any temper."""
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=rng)

    steps = CODEC.segment_steps
    return EncoderOutput(
        normal(segments, steps // 2, CONFIG.width),
        normal(segments, steps, CONFIG.head_width),
        head * normal(segments, steps, NUM_CLASSES) + shift,
        normal(segments, steps, NUM_CLASSES),
    )


def one(encoded: EncoderOutput, index: int) -> EncoderOutput:
    return EncoderOutput(*(part[index : index + 1] for part in encoded))


CONFIGS = [
    DecodeConfig(onset_weight=0.0),
    DecodeConfig(onset_weight=0.5, onset_bias=0.0),
    DecodeConfig(onset_weight=0.9, onset_bias=1.0),
    DecodeConfig(onset_weight=0.4, classes=frozenset({0, 4, 21})),
    DecodeConfig(onset_weight=0.3, minimum_gap=0.06),
    DecodeConfig(onset_weight=0.3, max_hits_per_second=5),
    DecodeConfig(onset_weight=0.3, max_tokens=17, minimum_gap=0.03, max_hits_per_second=9),
    DecodeConfig(onset_weight=0.0, minimum_gap=0.4, classes=frozenset({3}), onset_bias=3.0),
    DecodeConfig(onset_weight=0.5, scheme="8"),
    DecodeConfig(onset_weight=0.0, scheme="5"),
    DecodeConfig(onset_weight=0.6, scheme="16", classes=frozenset({5, 6, 7, 12, 24}), onset_bias=2.0),
    DecodeConfig(onset_weight=0.5, playable=5.0, onset_bias=3.0),
    DecodeConfig(onset_weight=0.4, transitions=1.5, playable=2.0, scheme="8", max_tokens=20),
]


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
@pytest.mark.parametrize("until", [40, 30])
def test_beam_one_equals_slow_greedy(config: DecodeConfig, until: int) -> None:
    config = replace(config, max_tokens=min(config.max_tokens, 36))
    lengths = set()
    for key in ((0, 0.1), (1, 0.6)):
        model, encoded = MODELS[key], random_states(key[0], 3)
        found = generate(INFERENCE[key], encoded, config, until)
        for index, hypothesis in enumerate(found):
            assert list(hypothesis.tokens) == slow_greedy(model, one(encoded, index), config, until)
        lengths |= {len(hypothesis.tokens) for hypothesis in found}
    assert len(lengths) > 1 or until == 40  # segments end at different steps, so rows leave the batch


configs = st.builds(
    DecodeConfig,
    beam=st.integers(1, 5),
    onset_weight=st.sampled_from([0.0, 0.2, 0.7, 0.99, 1.0]),
    onset_bias=st.sampled_from([-2.0, 0.0, 5.0]),
    length_penalty=st.sampled_from([0.0, 0.6, 1.0, 2.0]),
    classes=st.just(frozenset(range(NUM_CLASSES)))
    | st.frozensets(st.integers(0, NUM_CLASSES - 1), min_size=1),
    minimum_gap=st.sampled_from([0.0, 0.0, 0.02, 0.1, 1.0]),
    scheme=st.sampled_from(["26", "26", "16", "8"]),
    playable=st.sampled_from([0.0, 0.0, 5.0, 100.0]),
    transitions=st.sampled_from([0.0, 0.0, 1.0, 10.0]),
    max_hits_per_second=st.sampled_from([None, None, 1, 7]),
    silence_gate=st.sampled_from([0.0, 0.0, 0.3]),
    max_tokens=st.sampled_from([4, 5, 60, 120]),
)


@settings(max_examples=100)
@given(
    configs,
    st.sampled_from(sorted(MODELS)),
    st.integers(0, 99),
    st.sampled_from([0.0, 1.0, 3.0, 30.0, 1e5]),
    st.sampled_from([-20.0, -3.0, 0.0, 3.0]),
    st.sampled_from([1, 2, 25, 40, 40]),
)
def test_nothing_breaks_the_grammar_or_the_options(
    config: DecodeConfig, key: tuple[int, float], seed: int, head: float, shift: float, until: int
) -> None:
    encoded = random_states(seed, 3, head, shift)
    for hypothesis in generate(INFERENCE[key], encoded, config, until):
        check(hypothesis, config, until)


def check(hypothesis: Hypothesis, config: DecodeConfig, until: int) -> None:
    tokens = list(hypothesis.tokens)
    assert is_legal(CODEC, tokens) and math.isfinite(hypothesis.score)
    if config.onset_weight < 1.0:
        assert len(tokens) <= config.max_tokens
    plain = decode(CODEC, tokens).hits
    assert [hit.drum for hit in hypothesis.hits] == [hit.drum for hit in plain]
    assert list(hypothesis.steps) == [CODEC.step_of(hit.time) for hit in plain]
    last: dict[int, int] = {}
    for place, (hit, step) in enumerate(zip(hypothesis.hits, hypothesis.steps, strict=True)):
        assert abs(hit.time * CODEC.steps_per_second - step) <= 2.0 + 1e-6
        assert 1 <= hit.velocity <= 127
        assert step < until and hit.drum in config.written
        assert step - last.get(hit.drum, -1000) >= config.gap_steps(CODEC)
        last[hit.drum] = step
        many = config.max_hits_per_second
        if many is not None and place >= many:
            assert step - hypothesis.steps[place - many] >= CODEC.steps_per_second


@pytest.mark.parametrize("beam", [1, 3])
def test_batch_equals_single(beam: int) -> None:
    config = DecodeConfig(beam=beam, onset_weight=0.3, max_tokens=80)
    for (seed, _), model in INFERENCE.items():
        encoded = random_states(seed + 10, 9)
        together = generate(model, encoded, config)
        for index, hypothesis in enumerate(together):
            (alone,) = generate(model, one(encoded, index), config)
            assert alone.tokens == hypothesis.tokens and alone.steps == hypothesis.steps
            for a, b in zip(alone.hits, hypothesis.hits, strict=True):
                assert a.velocity == b.velocity
                assert (a.time, a.confidence) == pytest.approx((b.time, b.confidence), abs=1e-4)


def test_velocity_is_the_mean_of_decoder_and_head() -> None:
    model = MODELS[0, 0.1]
    encoded = random_states(3, 1)
    (found,) = generate(INFERENCE[0, 0.1], encoded, DecodeConfig(onset_weight=0.3, max_tokens=80))
    with torch.no_grad():
        logits = model.decode(torch.tensor([found.tokens]), encoded)[0]
    at = [place for place, token in enumerate(found.tokens) if token >= CODEC.first_velocity]
    mass = torch.softmax(logits[at, CODEC.first_velocity :], dim=-1)
    mean = mass @ torch.arange(CODEC.velocity_bins, dtype=mass.dtype)
    median = (mass.cumsum(1) < 0.5).sum(1)
    assert at and [found.tokens[place] - CODEC.first_velocity for place in at] == median.tolist()
    heard = torch.sigmoid(encoded.onset_logits[0].double() - 1.0)
    loudness = torch.sigmoid(encoded.velocity[0].double()) * 127
    for hit, step, place in zip(found.hits, found.steps, mean, strict=True):
        near = slice(max(0, step - 2), step + 3)
        weight = heard[near, hit.drum] / heard[near, hit.drum].sum()
        by_head = float((weight * loudness[near, hit.drum]).sum())
        by_decoder = CODEC.velocity_of(float(place))
        assert hit.velocity == pytest.approx((by_decoder + by_head) / 2, abs=1.01)


def test_a_wide_beam_finds_what_scores_best() -> None:
    """Against a list of all sequences of two steps and two drums."""
    config = DecodeConfig(beam=40, onset_weight=0.6, length_penalty=0.0, classes=frozenset({0, 1}))
    model, found = MODELS[0, 0.1], set()
    for seed in range(4):
        encoded = random_states(seed, 1, 9.0, 4.0)
        sequences = every_sequence(model, encoded, config, 2, [], 0.0)
        assert len(sequences) == 16
        best_score, best = max(sequences)
        (wide,) = generate(INFERENCE[0, 0.1], encoded, config, until=2)
        assert list(wide.tokens) == best and wide.score == pytest.approx(best_score, abs=1e-4)
        found.add(tuple(best))
    assert len(found) > 1


def test_only_the_head() -> None:
    """Weight 1: every peak over one half, with the head's velocity; the decoder is not asked."""
    encoded = random_states(0, 1, 0.0, -9.0)
    logits, velocity = encoded.onset_logits.clone(), encoded.velocity.clone()
    logits[0, 10, 4], logits[0, 11, 4], logits[0, 20, 0], logits[0, 39, 2] = 3.0, 1.0, 2.0, 0.2
    velocity[0, 10, 4] = 0.0
    encoded = encoded._replace(onset_logits=logits, velocity=velocity)
    (found,) = generate(INFERENCE[0, 0.1], encoded, DecodeConfig(onset_weight=1.0, onset_bias=0.0))
    assert [(step, hit.drum) for step, hit in zip(found.steps, found.hits, strict=True)] == [
        (10, 4),
        (20, 0),
        (39, 2),
    ]
    assert found.hits[0].velocity == 64
    assert found.hits[0].confidence == pytest.approx(1 / (1 + math.exp(-3.0)), abs=1e-5)
    assert 0.100 < found.hits[0].time < 0.105  # drawn towards the neighbour
    (biased,) = generate(INFERENCE[0, 0.1], encoded, DecodeConfig(onset_weight=1.0, onset_bias=-1.0))
    assert biased.steps == (10, 20)


def test_silence_skips_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = random_states(0, 2, 0.0, -9.0)
    monkeypatch.setattr("mt3drum.decode.beam_search._search", None)
    assert [h.tokens for h in generate(INFERENCE[0, 0.1], encoded, DecodeConfig())] == [(EOS,)] * 2


def test_a_planted_head_leads_the_decoder() -> None:
    encoded = random_states(0, 1, 0.0, -12.0)
    logits = encoded.onset_logits.clone()
    logits[0, 10, [4, 0]], logits[0, 25, 21] = 12.0, 12.0
    config = DecodeConfig(onset_weight=0.95, onset_bias=0.0)
    (found,) = generate(INFERENCE[0, 0.1], encoded._replace(onset_logits=logits), config)
    assert list(zip(found.steps, [hit.drum for hit in found.hits], strict=True)) == [
        (10, 0),
        (10, 4),
        (25, 21),
    ]


def test_confidence_is_mapped() -> None:
    encoded = random_states(5, 1)
    config = DecodeConfig(onset_weight=0.5, onset_bias=2.0, max_tokens=30)
    (raw,) = generate(INFERENCE[0, 0.1], encoded, config)
    points = ((0.0, 0.5), (1.0, 0.9))
    (mapped,) = generate(INFERENCE[0, 0.1], encoded, replace(config, confidence_calibration=points))
    assert raw.hits and [h.confidence for h in mapped.hits] == pytest.approx(
        [0.5 + 0.4 * h.confidence for h in raw.hits], abs=1e-6
    )


def test_the_token_limit_is_reported() -> None:
    encoded = random_states(1, 1, 0.0, 9.0)
    config = DecodeConfig(onset_weight=0.99, max_tokens=10)
    (found,) = generate(INFERENCE[0, 0.1], encoded, config)
    assert found.cut and len(found.hits) >= 2
    (short,) = generate(INFERENCE[0, 0.1], random_states(1, 1, 0.0, -9.0), replace(config, silence_gate=0.0))
    assert not short.cut


def test_expected_offset() -> None:
    weight = np.array([[0, 0, 1, 0, 0], [0, 0.25, 0.5, 0.25, 0], [0, 0, 0.5, 0.5, 0], [0, 0, 0, 0, 0.0]])
    np.testing.assert_allclose(expected_offset(weight), [0, 0, 0.5, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("beam", 0),
        ("onset_weight", 1.5),
        ("onset_bias", 99),
        ("classes", frozenset()),
        ("margin", -1),
        ("classes", frozenset({26})),
        ("minimum_gap", 2),
        ("max_hits_per_second", 0),
        ("max_tokens", 3),
        ("confidence_calibration", ((0.5, 0.5), (0.2, 0.6))),
        ("silence_gate", math.nan),
        ("minimum_confidence", 1.5),
        ("minimum_confidence", (("kick", -0.1),)),
        ("minimum_confidence", (("cowbell", 0.1),)),
    ],
)
def test_options_are_checked(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        DecodeConfig(**{field: value})  # type: ignore[arg-type]


def test_options_survive_a_header() -> None:
    config = DecodeConfig(beam=3, classes=frozenset({1, 2}), confidence_calibration=((0.0, 0.1), (1.0, 0.9)))
    assert DecodeConfig.from_dict(config.to_dict()) == config
    config = DecodeConfig(minimum_confidence=(("kick", 0.3), ("tom", 0.2)))
    assert DecodeConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(ValueError, match="unknown decoding settings: beams"):
        DecodeConfig.from_dict({"beams": 2})
    with pytest.raises(ValueError, match="not decoding settings"):
        DecodeConfig.from_dict({"beam": "two"})


def test_headers_of_earlier_checkpoints_are_read() -> None:
    config = DecodeConfig.from_dict({"prior_weight": 0.2, "prior_bias": -3.0})
    assert config == DecodeConfig(onset_weight=0.2, onset_bias=-3.0)
    with pytest.raises(ValueError, match="prior_bias is now called onset_bias"):
        DecodeConfig.from_dict({"prior_bias": 0.0, "onset_bias": 1.0})


def test_other_sizes_decode() -> None:
    config = ModelConfig(
        width=32,
        head_width=16,
        encoder_layers=1,
        decoder_layers=2,
        feed_forward=2,
        stem_channels=4,
        audio=PRESETS["tiny"].audio,
        codec=Codec(segment_steps=20, velocity_bins=8),
    )
    torch.manual_seed(0)
    model = InferenceModel(config, DrumModel(config).state_dict())
    with torch.inference_mode():
        encoded = model.encode(torch.randn(2, config.segment_samples))
    found = generate(model, encoded, DecodeConfig(silence_gate=0.0, max_tokens=40, beam=2))
    assert all(is_legal(config.codec, list(hypothesis.tokens)) for hypothesis in found)
