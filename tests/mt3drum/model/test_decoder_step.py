"""The cached decoder step against the x-transformers decoder it shares its weights with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from mt3drum.config import PRESETS, ModelConfig
from mt3drum.model.decoder_step import CachedDecoder, keep, reorder
from mt3drum.model.network import DrumModel, EncoderOutput
from tokenizer.codec import BOS

TWO_LAYERS = ModelConfig(
    width=32,
    head_width=16,
    encoder_layers=1,
    decoder_layers=2,
    feed_forward=2,
    stem_channels=4,
    audio=PRESETS["tiny"].audio,
)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def random_model(config: ModelConfig, seed: int = 0) -> DrumModel:
    """Weights away from their initial values (zeros and ones among them), so that every one matters."""
    torch.manual_seed(seed)
    model = DrumModel(config).eval()
    for weight in model.parameters():
        weight.add_(0.05 * torch.randn_like(weight))
    return model


def random_states(config: ModelConfig, segments: int) -> EncoderOutput:
    steps, drums = config.codec.segment_steps, config.codec.num_drums
    return EncoderOutput(
        torch.randn(segments, steps // 2, config.width),
        torch.randn(segments, steps, config.head_width),
        torch.randn(segments, steps, drums),
        torch.randn(segments, steps, drums),
    )


@pytest.mark.parametrize(
    "config", [PRESETS["tiny"], TWO_LAYERS, PRESETS["small"]], ids=["tiny", "two", "small"]
)
def test_cached_equals_uncached(config: ModelConfig) -> None:
    model = random_model(config)
    encoded = random_states(config, 3)
    tokens = torch.randint(0, config.codec.size, (3, 140))  # the cache grows twice
    expected = model.decode(tokens, encoded)
    decoder = CachedDecoder(model.config, model.state_dict())
    cache = decoder.begin(encoded)
    fed = torch.cat((torch.full((3, 1), BOS), tokens[:, :-1]), 1)
    logits = torch.cat([decoder.step(cache, fed[:, place, None]) for place in range(140)], 1)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


def test_beams_that_change_parents_equal_uncached() -> None:
    model, beams = random_model(TWO_LAYERS), 3
    encoded = random_states(TWO_LAYERS, 2)
    decoder = CachedDecoder(model.config, model.state_dict())
    cache = decoder.begin(encoded, beams)
    size = TWO_LAYERS.codec.size
    tokens = torch.full((2, beams), BOS)
    history = torch.empty(2, beams, 0, dtype=torch.long)
    for _ in range(70):
        logits = decoder.step(cache, tokens)
        full = torch.cat((history, torch.zeros(2, beams, 1, dtype=torch.long)), 2)
        for beam in range(beams):
            expected = model.decode(full[:, beam], encoded)[:, -1]
            torch.testing.assert_close(logits[:, beam], expected, atol=1e-5, rtol=1e-5)
        parents, tokens = torch.randint(0, beams, (2, beams)), torch.randint(0, size, (2, beams))
        reorder(cache, parents)
        index = parents[..., None].expand(-1, -1, history.shape[2])
        history = torch.cat((history.gather(1, index), tokens[..., None]), 2)


@pytest.mark.parametrize("beams", [1, 2])
def test_rows_leave_without_a_trace(beams: int) -> None:
    model = random_model(TWO_LAYERS)
    encoded = random_states(TWO_LAYERS, 4)
    left = torch.tensor([1, 3])
    tokens = torch.randint(0, TWO_LAYERS.codec.size, (12, 4, beams))
    decoder = CachedDecoder(model.config, model.state_dict())
    whole, part = decoder.begin(encoded, beams), decoder.begin(encoded, beams)
    for place in range(5):
        decoder.step(whole, tokens[place])
        decoder.step(part, tokens[place])
    keep(part, left, decoder)
    for place in range(5, 12):
        expected = decoder.step(whole, tokens[place])[left]
        torch.testing.assert_close(decoder.step(part, tokens[place][left]), expected, atol=1e-5, rtol=1e-5)
