"""Our names of the network's weights, and their names in the training network.

Checkpoints, averages and the decoding network use ours: they describe each weight, and do not depend on the
library that implements the layers in training (as in torchtitan's state-dict adapters). The others are
attribute paths of x-transformers 2.31 and `mt3drum.model.stem`, and the names in files of format "mt3drum-1".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeVar

import torch
from torch import nn

from mt3drum.config import ModelConfig
from mt3drum.model.encoder import encoder_of
from mt3drum.model.stem import FRAMES_PER_STATE, stem_of

Value = TypeVar("Value")


class Weight(NamedTuple):
    """One weight of the network."""

    name: str
    network_name: str
    """Its name in the modules of `mt3drum.model.network.DrumModel`."""
    shape: tuple[int, ...]


def weights_of(config: ModelConfig) -> Iterator[Weight]:
    """Describe every weight without allocating it."""
    width, codec = config.width, config.codec
    if config.stem == "conv" and not config.frequency_gate:
        yield from _stem(config)
    else:
        yield from _module("stem", stem_of, config)
    if config.encoder == "transformer":
        yield from _stack("encoder", config.encoder_layers, ("attention", "feed_forward"), config)
    else:
        yield from _module("encoder", encoder_of, config)
    yield from _linear("onset_head", FRAMES_PER_STATE * 2 * codec.num_drums, width)
    if not config.decoder_layers:
        return
    yield Weight("embedding.weight", "embedding.weight", (codec.size, width))
    decoder = ("attention", "cross_attention", "feed_forward")
    yield from _stack("decoder", config.decoder_layers, decoder, config)
    yield from _linear("other_head", codec.size - codec.segment_steps, width)
    yield from _linear("time_query", config.head_width, width)
    yield from _linear("time_key", FRAMES_PER_STATE * config.head_width, width)


def to_own(weights: Mapping[str, Value], config: ModelConfig) -> dict[str, Value]:
    """Rename weights from the training network's names to ours. Unknown names stay, to be rejected by later
    checks."""
    own = {weight.network_name: weight.name for weight in weights_of(config)}
    return {own.get(name, name): value for name, value in weights.items()}


def to_network(weights: Mapping[str, Value], config: ModelConfig) -> dict[str, Value]:
    """The inverse of `to_own`."""
    theirs = {weight.name: weight.network_name for weight in weights_of(config)}
    return {theirs.get(name, name): value for name, value in weights.items()}


def _module(part: str, make: Callable[[ModelConfig], nn.Module], config: ModelConfig) -> Iterator[Weight]:
    """The weights of a variant, which have the names of its module in training and in files."""
    with torch.device("meta"):
        module = make(config)
    for name, value in module.state_dict().items():
        yield Weight(f"{part}.{name}", f"{part}.{name}", tuple(value.shape))


def _stem(config: ModelConfig) -> Iterator[Weight]:
    windows, bands, channels = len(config.audio.windows), config.audio.mel_bands, config.stem_channels
    yield from _batch_norm("stem.normalise", "stem.normalise", windows * bands)
    for number, (at, shape) in enumerate(
        ((0, (channels, windows, 7, 3)), (3, (2 * channels, channels, 3, 3))), 1
    ):
        yield Weight(f"stem.convolution_{number}.weight", f"stem.convolutions.{at}.weight", shape)
        yield from _batch_norm(f"stem.norm_{number}", f"stem.convolutions.{at + 1}", shape[0])
    yield from _linear("stem.project", config.width, 2 * channels * bands // 8)


def _stack(stack: str, depth: int, kinds: tuple[str, ...], config: ModelConfig) -> Iterator[Weight]:
    """Layer norms store their gain minus one (`gain_less_one`), as x-transformers trains them so that weight
    decay pulls the gain to 1; 16 bits would round the sum."""
    width, inner = config.width, config.width * config.feed_forward
    yield Weight(f"{stack}.norm.gain_less_one", f"{stack}.final_norm.gamma", (width,))
    rate = f"{stack}.rotary_frequency", f"{stack}.rotary_pos_emb.inv_freq"
    yield Weight(*rate, (config.head_width // 4,))
    for at, kind in enumerate(kinds * depth):
        own, theirs = f"{stack}.layers.{at // len(kinds)}.{kind}", f"{stack}.layers.{at}"
        yield Weight(f"{own}.norm.gain_less_one", f"{theirs}.0.0.gamma", (width,))
        if kind == "feed_forward":
            yield from _linear(f"{own}.in", inner, width, f"{theirs}.1.ff.0.0")
            yield from _linear(f"{own}.out", width, inner, f"{theirs}.1.ff.2")
        else:
            for part, short in (("query", "q"), ("key", "k"), ("value", "v"), ("out", "out")):
                yield Weight(f"{own}.{part}.weight", f"{theirs}.1.to_{short}.weight", (width, width))


def _linear(own: str, out: int, into: int, theirs: str = "") -> Iterator[Weight]:
    yield Weight(f"{own}.weight", f"{theirs or own}.weight", (out, into))
    yield Weight(f"{own}.bias", f"{theirs or own}.bias", (out,))


def _batch_norm(own: str, theirs: str, size: int) -> Iterator[Weight]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield Weight(f"{own}.{part}", f"{theirs}.{part}", (size,))
    yield Weight(f"{own}.num_batches_tracked", f"{theirs}.num_batches_tracked", ())
