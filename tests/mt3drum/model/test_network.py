"""The network: shapes, which frame belongs to which state, causality, sizes, and its configuration."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mt3drum.config import HOP, PRESETS, AudioConfig, ModelConfig
from mt3drum.model.network import FRAMES_PER_STATE, DrumModel, sinusoid
from tokenizer.codec import BOS, EOS, NUM_SPECIAL, PAD, Codec
from tokenizer.drums import NUM_CLASSES

CONFIG = replace(PRESETS["tiny"], codec=Codec(segment_steps=40))
CODEC = CONFIG.codec
STEPS = CODEC.segment_steps
BANDS = CONFIG.audio.mel_bands


def small_model(seed: int = 0) -> DrumModel:
    torch.manual_seed(seed)
    return DrumModel(CONFIG).eval()


MODEL = small_model()


def mel(batch: int, seed: int = 0) -> Tensor:
    return torch.randn(batch, 2, BANDS, STEPS, generator=torch.Generator().manual_seed(seed))


def tokens_of(batch: int) -> Tensor:
    row = [
        CODEC.first_time + 3,
        CODEC.first_drum,
        CODEC.first_velocity + 5,
        CODEC.first_time + 9,
        CODEC.first_drum + 4,
        CODEC.first_velocity,
        EOS,
        PAD,
    ]
    return torch.tensor([row] * batch)


def test_shapes() -> None:
    encoded, logits = MODEL(mel(3), tokens_of(3))
    assert encoded.memory.shape == (3, STEPS // FRAMES_PER_STATE, CONFIG.width)
    assert encoded.time_keys.shape == (3, STEPS, CONFIG.head_width)
    assert encoded.onset_logits.shape == encoded.velocity.shape == (3, STEPS, NUM_CLASSES)
    assert logits.shape == (3, 8, CODEC.size) and logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


def test_audio_and_features_agree() -> None:
    audio = torch.randn(2, CONFIG.segment_samples, generator=torch.Generator().manual_seed(1)) * 0.1
    direct, by_features = MODEL.encode(audio), MODEL.encode_features(MODEL.features(audio))
    for one, other in zip(direct, by_features, strict=True):
        torch.testing.assert_close(one, other)


class Given(nn.Module):
    """In the place of the stem: states that are given, whatever is heard."""

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states

    def forward(self, _: Tensor) -> Tensor:
        return self.states


def encode_states(states: Tensor) -> Any:
    """What the heads make of given encoder states [b s d], without the code of time."""
    model = small_model()
    model.stem, model.encoder = Given(states), nn.Identity()  # type: ignore[assignment]
    model.time_code.zero_()
    return model, model.encode_features(mel(len(states)))


def test_heads_answer_for_the_two_frames_of_their_state() -> None:
    state = 7
    states = torch.zeros(1, STEPS // 2, CONFIG.width)
    _, quiet = encode_states(states)
    states[0, state] = torch.randn(CONFIG.width, generator=torch.Generator().manual_seed(2))
    _, struck = encode_states(states)
    for part in ("onset_logits", "velocity", "time_keys"):
        changed = (getattr(quiet, part) != getattr(struck, part)).any(-1)[0].nonzero()[:, 0].tolist()
        assert changed == [2 * state, 2 * state + 1], part
    assert not torch.equal(struck.onset_logits[0, 2 * state], struck.onset_logits[0, 2 * state + 1])


def test_onset_head_rows_are_frame_then_kind_then_class() -> None:
    states = torch.zeros(1, STEPS // 2, CONFIG.width)
    model, _ = encode_states(states)
    with torch.no_grad():
        model.onset_head.bias.copy_(torch.arange(model.onset_head.out_features).float())
    encoded = model.encode_features(mel(1))
    for frame in (0, 1, 6, 39):
        first = frame % 2 * 2 * NUM_CLASSES
        expected = torch.arange(first, first + NUM_CLASSES).float()
        torch.testing.assert_close(encoded.onset_logits[0, frame], expected)
        torch.testing.assert_close(encoded.velocity[0, frame], expected + NUM_CLASSES)


@pytest.mark.parametrize("frame", [0, 5, 18, 39])
def test_a_frame_reaches_the_states_around_it(frame: int) -> None:
    heard = mel(1)
    changed = heard.clone()
    changed[..., frame] += 1.0
    difference = (MODEL.stem(heard) - MODEL.stem(changed)).abs().amax(-1)[0]
    touched = difference.nonzero()[:, 0].tolist()
    assert frame // 2 in touched
    assert all(abs(FRAMES_PER_STATE * state - frame) <= 2 for state in touched)


def test_time_is_pointed_at() -> None:
    tokens = tokens_of(2)[:, :-1]  # logits of padding are arbitrary
    encoded, logits = MODEL(mel(2), tokens)
    start = torch.full((2, 1), BOS)
    inputs = torch.cat((start, tokens[:, :-1]), 1)
    states = MODEL.decoder(MODEL.embed(inputs), context=encoded.memory)
    query = MODEL.time_query(states)
    for step in (0, 17, 39):
        expected = (query * encoded.time_keys[:, None, step]).sum(-1) / math.sqrt(CONFIG.head_width)
        torch.testing.assert_close(logits[..., CODEC.first_time + step], expected)
    other = MODEL.other_head(states)
    torch.testing.assert_close(logits[..., :NUM_SPECIAL], other[..., :NUM_SPECIAL])
    torch.testing.assert_close(logits[..., CODEC.first_drum :], other[..., NUM_SPECIAL:])


@pytest.mark.parametrize("place", range(8))
def test_no_token_sees_itself_or_what_follows(place: int) -> None:
    tokens = tokens_of(1)
    encoded = MODEL.encode_features(mel(1))
    before = MODEL.decode(tokens, encoded)
    changed = tokens.clone()
    changed[0, place] = CODEC.first_time + 30
    after = MODEL.decode(changed, encoded)
    torch.testing.assert_close(after[0, : place + 1], before[0, : place + 1], atol=1e-6, rtol=0)
    if place < 7:
        assert (after[0, place + 1] - before[0, place + 1]).abs().max() > 1e-4


def test_time_tokens_carry_the_code_of_their_step() -> None:
    for step in (0, 12, 39):
        token = CODEC.first_time + step
        embedded = MODEL.embed(torch.tensor([[token]]))[0, 0] - MODEL.embedding.weight[token]
        torch.testing.assert_close(embedded, MODEL.time_code[step], atol=1e-6, rtol=0)
    for token in (PAD, BOS, EOS, CODEC.first_drum, CODEC.first_velocity):
        assert torch.equal(MODEL.embed(torch.tensor([[token]]))[0, 0], MODEL.embedding.weight[token])


def test_memory_carries_the_code_of_its_time() -> None:
    states = torch.zeros(1, STEPS // 2, CONFIG.width)
    model = small_model()
    model.stem, model.encoder = Given(states), nn.Identity()  # type: ignore[assignment]
    torch.testing.assert_close(model.encode_features(mel(1)).memory[0], sinusoid(STEPS, CONFIG.width)[::2])


def test_sinusoid() -> None:
    code = sinusoid(50, 8)
    assert code.shape == (50, 8)
    assert code[3, 1].item() == pytest.approx(math.sin(3 / 10_000 ** (2 / 8)), abs=1e-6)
    assert code[3, 5].item() == pytest.approx(math.cos(3 / 10_000 ** (2 / 8)), abs=1e-6)


@pytest.mark.parametrize(
    ("preset", "least", "most"),
    [
        ("tiny", 5e3, 1e5),
        ("mini", 5e5, 2e6),
        ("small", 3e6, 8e6),
        ("base", 30e6, 40e6),
        ("large", 85e6, 115e6),
    ],
)
def test_sizes_of_the_presets(preset: str, least: float, most: float) -> None:
    with torch.device("meta"):  # no memory, no random numbers
        model = DrumModel(PRESETS[preset])
    assert least <= sum(p.numel() for p in model.parameters()) <= most


def test_small_fits_the_wheel() -> None:
    with torch.device("meta"):
        model = DrumModel(PRESETS["small"])
    assert sum(value.numel() for value in model.state_dict().values()) * 2 < 20e6  # fp16 bytes


@pytest.mark.parametrize("preset", list(PRESETS))
def test_configuration_survives_json(preset: str) -> None:
    config = PRESETS[preset]
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_segment_samples() -> None:
    assert PRESETS["small"].segment_samples == 4 * 44_100 == 400 * HOP


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 100}, "width 100 must be a multiple of head_width 64"),
        ({"width": 6, "head_width": 6}, "width 6 must be a multiple of head_width 6"),
        ({"encoder_layers": 0}, "encoder_layers 0 is "),
        ({"decoder_layers": -1}, "decoder_layers -1 is "),
        ({"feed_forward": 0}, "feed_forward 0 is "),
        ({"stem_channels": 5000}, "stem_channels 5000 is "),
        ({"dropout": 1.0}, "dropout 1.0 is outside 0..1"),
        ({"codec": Codec(steps_per_second=50)}, "the codec has 50 steps a second, the audio 100 frames"),
        ({"codec": Codec(segment_steps=401)}, "segment_steps 401 must be even"),
    ],
)
def test_impossible_models(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelConfig(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"windows": ()}, r"windows \(\) must be"),
        ({"windows": (400,)}, r"windows \(400,\) must be"),
        ({"windows": (20_000,)}, r"windows \(20000,\) must be"),
        ({"mel_bands": 100}, "mel_bands 100 must be a multiple of 8 in 16..512"),
        ({"mel_bands": 8}, "mel_bands 8 must be"),
        ({"low_hz": -1.0}, "band edges -1.0..18000.0 Hz"),
        ({"high_hz": 30_000.0}, "band edges 30.0..30000.0 Hz are outside 0..22050"),
        ({"floor": 0.0}, "floor 0.0 is outside 0..1"),
    ],
)
def test_impossible_audio(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AudioConfig(**change)


@pytest.mark.parametrize("name", ["audio", "codec"])
def test_a_missing_part_is_named(name: str) -> None:
    values = ModelConfig().to_dict()
    del values[name]
    with pytest.raises(ValueError, match=f"not a model configuration: '{name}'"):
        ModelConfig.from_dict(values)


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(ValueError, match="not a model configuration: .*'heads'"):
        ModelConfig.from_dict({**ModelConfig().to_dict(), "heads": 3})


def test_groups_of_similar_length_change_neither_logits_nor_gradients() -> None:
    """Nine segments of 1 to 7 tokens: more than two groups, in another order than by length."""
    model, tokens = small_model(1), tokens_of(9)
    for row, count in enumerate((7, 1, 4, 7, 1, 4, 4, 1, 7)):
        tokens[row, count - 1] = EOS
        tokens[row, count:] = PAD
    valid = tokens != PAD
    weight = torch.randn(int(valid.sum()), CODEC.size, generator=torch.Generator().manual_seed(2))
    found = []
    for decode in (model._decode_by_length, model.decode):
        model.zero_grad()
        logits = decode(tokens, model.encode_features(mel(9)))[valid]
        (logits * weight).sum().backward()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        found.append((logits.detach(), gradient))
    (logits, gradient), (expected, of_all) = found
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)
    assert (gradient - of_all).norm() <= 1e-5 * of_all.norm()
