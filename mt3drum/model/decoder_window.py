"""Run the decoder over a window of positions at once, with a causal mask; equal to single steps of
`CachedDecoder.step` up to rounding.

A step multiplies every weight by one vector per segment; a window makes it a matrix product, which is many
times faster per position on a CPU. Shapes depend only on the batch, the window and a few cache sizes, never
on the length of a sequence, because oneDNN takes two milliseconds to compile a program for each new shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import singledispatch

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from mt3drum.model.decoder_step import CachedDecoder, Layer, apply_rotary, rotation
from mt3drum.model.stem import EncoderOutput
from tokenizer.codec import NUM_SPECIAL

_ROOM = 64  # positions added when the cache grows


@dataclass
class WindowCache:
    """The state of a batch of segments between windows."""

    cross: list[tuple[Tensor, Tensor]]
    """Per layer: keys and values [(s h) m k] of the memory, keys already scaled."""
    own: list[tuple[Tensor, Tensor]]
    """Per layer: keys and values [s h position k] of the tokens so far, with free space."""
    time_keys: Tensor
    """[s t k]"""


@singledispatch
def begin_windows(decoder: CachedDecoder, encoded: EncoderOutput) -> WindowCache:
    """A cache for the segments of `encoded`."""
    cross = decoder.cross_attention(encoded.memory)
    empty = cross[0][0].new_empty(len(encoded.memory), decoder.heads, 0, decoder.head_width)
    return WindowCache(cross, [(empty, empty) for _ in cross], encoded.time_keys)


@singledispatch
def keep_segments(cache: WindowCache, segments: Tensor, decoder: CachedDecoder) -> None:
    """Keep only the given segments (increasing indices)."""
    heads = decoder.heads
    rows = (segments[:, None] * heads + torch.arange(heads, device=segments.device)).flatten()
    cache.cross = [(key[rows], value[rows]) for key, value in cache.cross]
    cache.own = [(key[segments], value[segments]) for key, value in cache.own]
    cache.time_keys = cache.time_keys[segments]


@singledispatch
def decode_window(decoder: CachedDecoder, cache: WindowCache, tokens: Tensor, first: Tensor) -> Tensor:
    """Logits [s w v] of the token after each of `tokens` [s w], which start at positions `first` [s].

    The cache holds the tokens before; entries at the positions of `tokens` are overwritten. Other decoders
    implement this themselves (`onnx_runtime`).
    """
    segments, size = tokens.shape
    device = tokens.device
    place = first[:, None] + torch.arange(size, device=device)  # [s w]
    lengthen(cache, int(first.max()) + size)
    room = cache.own[0][0].shape[2]
    future = torch.arange(room, device=device) > place[..., None]
    mask = torch.zeros(future.shape, dtype=decoder.dtype, device=device).masked_fill_(future, -math.inf)
    row = torch.arange(segments * decoder.heads, device=device).view(segments, -1, 1)
    entry = (row * room + place[:, None]).flatten()  # [(s h w)]: index in the cache
    turn = rotation(place.flatten()[:, None, None] * decoder.rate)  # [row 1 pair]
    x = decoder.embedding[tokens.flatten()]
    width = (decoder.width,)
    for layer, (cross_keys, cross_values), own in zip(decoder.layers, cache.cross, cache.own, strict=True):
        normed = functional.layer_norm(x, width, layer.self_norm).to(decoder.dtype)
        x += _attend_own(decoder, layer, normed, own, entry, turn, mask)
        assert layer.cross_norm is not None and layer.cross_q is not None and layer.cross_out is not None
        normed = functional.layer_norm(x, width, layer.cross_norm).to(decoder.dtype)
        query = functional.linear(normed, layer.cross_q).view(segments, size, decoder.heads, -1)
        query = query.transpose(1, 2).flatten(0, 1)  # [(s h) w k]
        weight = torch.softmax(torch.bmm(query, cross_keys.transpose(1, 2)), dim=-1)
        mixed = torch.bmm(weight, cross_values)
        x += functional.linear(_merge(mixed, segments, decoder.width), layer.cross_out)
        normed = functional.layer_norm(x, width, layer.ff_norm).to(decoder.dtype)
        hidden = functional.gelu(functional.linear(normed, *layer.ff_in))
        x += functional.linear(hidden, *layer.ff_out)
    x = functional.layer_norm(x, width, decoder.final_norm)
    head = functional.linear(x, decoder.head_weight, decoder.head_bias).unflatten(0, (segments, size))
    time = torch.bmm(head[..., decoder.others :], cache.time_keys.transpose(1, 2))
    return torch.cat((head[..., :NUM_SPECIAL], time, head[..., NUM_SPECIAL : decoder.others]), dim=-1)


def _attend_own(
    decoder: CachedDecoder,
    layer: Layer,
    x: Tensor,
    own: tuple[Tensor, Tensor],
    entry: Tensor,
    turn: Tensor,
    mask: Tensor,
) -> Tensor:
    segments, heads = len(mask), decoder.heads
    qkv = functional.linear(x, layer.self_qkv).unflatten(-1, (3 * heads, -1))  # [row (o h) k]
    apply_rotary(qkv[:, : 2 * heads], turn)
    query, key, value = rearrange(qkv, "(s w) (o h) k -> o s h w k", s=segments, o=3)
    keys, values = own
    keys.view(-1, keys.shape[-1]).index_copy_(0, entry, key.reshape(-1, keys.shape[-1]))
    values.view(-1, keys.shape[-1]).index_copy_(0, entry, value.reshape(-1, keys.shape[-1]))
    scores = torch.bmm(query.flatten(0, 1), keys.flatten(0, 1).transpose(1, 2))
    scores.unflatten(0, (segments, heads)).add_(mask[:, None])
    mixed = torch.bmm(torch.softmax(scores, dim=-1), values.flatten(0, 1))
    return functional.linear(_merge(mixed, segments, decoder.width), layer.self_out)


def _merge(mixed: Tensor, segments: int, width: int) -> Tensor:
    """[(s h) w k] -> [(s w) (h k)]"""
    return mixed.unflatten(0, (segments, -1)).transpose(1, 2).reshape(-1, width)


def lengthen(cache: WindowCache, positions: int) -> None:
    """Extend with zeros, because masked entries are multiplied by 0."""
    room = cache.own[0][0].shape[2]
    if room < positions:
        more = (0, 0, 0, -(-positions // _ROOM) * _ROOM - room)
        cache.own = [(functional.pad(key, more), functional.pad(value, more)) for key, value in cache.own]
