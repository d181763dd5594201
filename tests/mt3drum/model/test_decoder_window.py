"""The decoder over a window of positions against the same network all at once."""

from __future__ import annotations

import pytest
import torch

from mt3drum.config import PRESETS, ModelConfig
from mt3drum.model.decoder_step import CachedDecoder
from mt3drum.model.decoder_window import begin_windows, decode_window, keep_segments
from tests.mt3drum.model.test_decoder_step import TWO_LAYERS, random_model, random_states
from tokenizer.codec import BOS


@pytest.mark.parametrize(
    "config", [PRESETS["tiny"], TWO_LAYERS, PRESETS["small"]], ids=["tiny", "two", "small"]
)
@torch.inference_mode()
def test_windows_equal_the_whole(config: ModelConfig) -> None:
    """Segments stand at different positions, what was drafted wrong is overwritten, one segment leaves."""
    model, encoded, length, size = random_model(config), random_states(config, 3), 100, 8
    tokens = torch.randint(0, config.codec.size, (3, length))
    expected = model.decode(tokens, encoded)
    fed = torch.cat((torch.full((3, 1), BOS), tokens[:, :-1]), 1)
    decoder = CachedDecoder(config, model.state_dict())
    cache, first, batch = begin_windows(decoder, encoded), torch.zeros(3, dtype=torch.long), [0, 1, 2]
    for number in range(20):
        at = first[:, None] + torch.arange(size)
        window = fed[torch.tensor(batch)[:, None], at]
        right = torch.randint(1, size + 1, (len(batch),))
        drafted = torch.where(torch.arange(size) < right[:, None], window, window.flip(0, 1))
        logits = decode_window(decoder, cache, drafted, first)
        for row, segment in enumerate(batch):
            here = slice(int(first[row]), int(first[row] + right[row]))
            torch.testing.assert_close(
                logits[row, : right[row]], expected[segment, here], atol=1e-5, rtol=1e-5
            )
        first = (first + right).clamp(max=length - size)
        if number == 9:
            keep_segments(cache, torch.tensor([0, 2]), decoder)
            first, batch = first[[0, 2]], [0, 2]
    assert first.min() > 64  # the cache has grown
