"""A lean decoder step: the weights of the x-transformers decoder, a preallocated cache, unmoved beams.

x-transformers rotates and concatenates every cached key again at every step. Here a key is rotated once, the
cache grows by doubling, and the keys and values of the cross-attention are computed once a segment and
shared by its beams. A beam that changes its parent moves no cache either: all beams of a segment share one
cache, and a small mask says which entries are a beam's ancestors. Equal to `DrumModel.decode` to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional
from x_transformers import Decoder
from x_transformers.x_transformers import Attention, FeedForward, LayerNorm

from mt3drum.model import DrumModel, Encoded
from tokenizer.codec import NUM_SPECIAL

_FIRST_CAPACITY = 64  # positions; doubled when full


@dataclass(frozen=True)
class _Layer:
    """Weights of one self-attention, cross-attention and feed-forward layer, fused where that saves calls."""

    self_norm: Tensor
    self_qkv: Tensor
    self_out: Tensor
    cross_norm: Tensor
    cross_q: Tensor
    cross_kv: Tensor
    cross_out: Tensor
    ff_norm: Tensor
    ff_in: tuple[Tensor, Tensor]
    ff_out: tuple[Tensor, Tensor]


@dataclass
class Cache:
    """What a batch of segments remembers between steps."""

    cross: list[tuple[Tensor, Tensor]]
    """Per layer: keys and values [(s h) m k] of the memory, keys already scaled."""
    own: list[tuple[Tensor, Tensor]]
    """Per layer: keys and values [(s h) (position beam) k] of the tokens so far."""
    visible: Tensor | None
    """[s beam (position beam)]: 0 where an entry is a beam's ancestor, -inf elsewhere; None for one beam."""
    time_keys: Tensor
    """[s t k]"""
    position: int = 0


def _gain(norm: LayerNorm) -> Tensor:
    """The factor of a layer norm; x-transformers stores it less one, so that weight decay pulls it to 1."""
    return norm.gamma + float(norm.unit_offset)


def _layers(decoder: Decoder) -> list[_Layer]:
    """The decoder's blocks, three by three (self-attention, cross-attention, feed-forward)."""
    blocks = [(_gain(norms[0]), block) for norms, block, _ in decoder.layers]
    layers = []
    for (g1, own), (g2, cross), (g3, forward) in zip(blocks[0::3], blocks[1::3], blocks[2::3], strict=True):
        assert (
            isinstance(own, Attention) and isinstance(cross, Attention) and isinstance(forward, FeedForward)
        )
        scale = 1.0 / math.sqrt(own.to_q.weight.shape[0] // own.heads)
        layers.append(
            _Layer(
                g1,
                torch.cat((own.to_q.weight * scale, own.to_k.weight, own.to_v.weight)),
                own.to_out.weight,
                g2,
                cross.to_q.weight * scale,
                torch.cat((cross.to_k.weight, cross.to_v.weight)),
                cross.to_out.weight,
                g3,
                (forward.ff[0][0].weight, forward.ff[0][0].bias),
                (forward.ff[2].weight, forward.ff[2].bias),
            )
        )
    return layers


class LeanDecoder:
    """The decoder of a `DrumModel`, one token of every row at a time. Holds the weights of that moment."""

    def __init__(self, model: DrumModel) -> None:
        config = model.config
        self.config, self.width = config, config.width
        self.heads, self.head_width = config.width // config.head_width, config.head_width
        with torch.no_grad():
            self.layers = _layers(model.decoder)
            self.final_norm = _gain(model.decoder.final_norm).detach()
            self.rate = model.decoder.rotary_pos_emb.inv_freq.detach()
            self.embedding = model.embed(torch.arange(config.codec.size, device=self.rate.device))
            # One product for the ordinary head and the query of the time pointer.
            scale = 1.0 / math.sqrt(config.head_width)
            self.head_weight = torch.cat((model.other_head.weight, model.time_query.weight * scale))
            self.head_bias = torch.cat((model.other_head.bias, model.time_query.bias * scale))
        self.others = model.other_head.out_features

    def begin(self, encoded: Encoded, beams: int = 1) -> Cache:
        """A cache for the segments of `encoded`, `beams` rows each."""
        segments = encoded.memory.shape[0]
        cross, own = [], []
        for layer in self.layers:
            both = functional.linear(encoded.memory, layer.cross_kv)
            key, value = rearrange(both, "s m (o h k) -> o (s h) m k", o=2, h=self.heads).contiguous()
            cross.append((key, value))
            shape = (segments * self.heads, _FIRST_CAPACITY * beams, self.head_width)
            own.append((both.new_empty(shape), both.new_empty(shape)))
        visible = None
        if beams > 1:
            visible = encoded.memory.new_full((segments, beams, _FIRST_CAPACITY * beams), -math.inf)
        return Cache(cross, own, visible, encoded.time_keys)

    def step(self, cache: Cache, tokens: Tensor) -> Tensor:
        """Logits [s beam v] of what follows `tokens` [s beam], given all earlier ones; advances the cache."""
        segments, beams = tokens.shape
        place = cache.position * beams
        if place == cache.own[0][0].shape[1]:
            _grow(cache)
        if cache.visible is not None:
            own = torch.full((beams, beams), -math.inf, device=tokens.device).fill_diagonal_(0.0)
            cache.visible[:, :, place : place + beams] = own
        angle = cache.position * self.rate
        turn = torch.polar(torch.ones_like(angle), angle)
        x = self.embedding[tokens.reshape(-1)]  # [(s beam) d]
        for layer, cross, stored in zip(self.layers, cache.cross, cache.own, strict=True):
            x = x + self._attend_own(
                layer,
                functional.layer_norm(x, (self.width,), layer.self_norm),
                stored,
                cache.visible,
                turn,
                place,
                beams,
            )
            normed = functional.layer_norm(x, (self.width,), layer.cross_norm)
            query = self._split(functional.linear(normed, layer.cross_q), beams)
            weight = torch.softmax(torch.bmm(query, cross[0].transpose(1, 2)), dim=-1)
            x = x + functional.linear(self._merge(torch.bmm(weight, cross[1]), segments), layer.cross_out)
            normed = functional.layer_norm(x, (self.width,), layer.ff_norm)
            hidden = functional.gelu(functional.linear(normed, *layer.ff_in))
            x = x + functional.linear(hidden, *layer.ff_out)
        cache.position += 1
        x = functional.layer_norm(x, (self.width,), self.final_norm)
        head = functional.linear(x, self.head_weight, self.head_bias).unflatten(0, (segments, beams))
        time = torch.bmm(head[..., self.others :], cache.time_keys.transpose(1, 2))
        return torch.cat((head[..., :NUM_SPECIAL], time, head[..., NUM_SPECIAL : self.others]), dim=-1)

    def _attend_own(
        self,
        layer: _Layer,
        x: Tensor,
        stored: tuple[Tensor, Tensor],
        visible: Tensor | None,
        turn: Tensor,
        place: int,
        beams: int,
    ) -> Tensor:
        qkv = functional.linear(x, layer.self_qkv)
        pairs = qkv[:, : 2 * self.width].unflatten(-1, (2 * self.heads, self.head_width))[
            ..., : 2 * len(turn)
        ]
        torch.view_as_complex(pairs.unflatten(-1, (-1, 2))).mul_(
            turn
        )  # in place, in qkv: the rotary position
        query, key, value = (self._split(part, beams) for part in qkv.split(self.width, dim=-1))
        keys, values = stored
        keys[:, place : place + beams] = key
        values[:, place : place + beams] = value
        end = place + beams
        scores = torch.bmm(query, keys[:, :end].transpose(1, 2))
        segments = x.shape[0] // beams
        if visible is not None:
            scores.unflatten(0, (segments, self.heads)).add_(visible[:, None, :, :end])
        mixed = torch.bmm(torch.softmax(scores, dim=-1), values[:, :end])
        return functional.linear(self._merge(mixed, segments), layer.self_out)

    def _split(self, x: Tensor, beams: int) -> Tensor:
        if beams == 1:
            return x.reshape(-1, 1, self.head_width)  # no copy: heads lie in order
        return rearrange(x, "(s beam) (h k) -> (s h) beam k", beam=beams, h=self.heads)

    def _merge(self, x: Tensor, segments: int) -> Tensor:
        return rearrange(x, "(s h) beam k -> (s beam) (h k)", s=segments)


def _grow(cache: Cache) -> None:
    """Double the room for tokens."""
    cache.own = [
        (torch.cat((k, torch.empty_like(k)), 1), torch.cat((v, torch.empty_like(v)), 1)) for k, v in cache.own
    ]
    if cache.visible is not None:
        cache.visible = torch.cat((cache.visible, torch.full_like(cache.visible, -math.inf)), 2)


def reorder(cache: Cache, parents: Tensor) -> None:
    """Let beam b of each segment continue its old beam `parents[s, b]`: only the mask moves."""
    if cache.visible is not None:
        index = parents[:, :, None].expand(-1, -1, cache.visible.shape[2])
        cache.visible = cache.visible.gather(1, index)


def keep(cache: Cache, segments: Tensor, heads: int) -> None:
    """Keep only the given segments (indices, rising)."""
    rows = (segments[:, None] * heads + torch.arange(heads, device=segments.device)).flatten()
    used = cache.position * (1 if cache.visible is None else cache.visible.shape[1])

    def pick(own: Tensor) -> Tensor:
        kept = own.new_empty((len(rows), *own.shape[1:]))
        kept[:, :used] = own[rows, :used]
        return kept

    cache.cross = [(key[rows], value[rows]) for key, value in cache.cross]
    cache.own = [(pick(key), pick(value)) for key, value in cache.own]
    cache.time_keys = cache.time_keys[segments]
    if cache.visible is not None:
        cache.visible = cache.visible[segments]
