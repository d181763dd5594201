"""One cached decoder step, with a preallocated cache and no copying when beams are reordered.

x-transformers rotates and concatenates all cached keys again at every step. Here each key is rotated once,
the cache is preallocated, and the keys and values of the cross-attention are computed once per segment and
shared by its beams. Reordering beams copies nothing: all beams of a segment share one cache, and a small mask
marks each beam's ancestors; entries without descendants are dropped when space runs out. Equal to
`DrumModel.decode` up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import singledispatch

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from mt3drum.config import ModelConfig
from mt3drum.model.stem import EncoderOutput, sinusoid
from tokenizer.codec import NUM_SPECIAL

_ROOM = 16  # positions: free space allocated at a time


@dataclass(frozen=True)
class Layer:
    """Weights of self-attention, cross-attention (decoder only) and feed-forward layer, fused where that
    saves calls. Norms are float32; the rest has the type of the matrix products."""

    self_norm: Tensor
    self_qkv: Tensor
    self_out: Tensor
    ff_norm: Tensor
    ff_in: tuple[Tensor, Tensor]
    ff_out: tuple[Tensor, Tensor]
    cross_norm: Tensor | None = None
    cross_q: Tensor | None = None
    cross_kv: Tensor | None = None
    cross_out: Tensor | None = None


@dataclass
class Cache:
    """The state of a batch of segments between steps."""

    cross: list[tuple[Tensor, Tensor]]
    """Per layer: keys and values [(s h) m k] of the memory, keys already scaled."""
    own: list[tuple[Tensor, Tensor]]
    """Per layer: keys and values [(s h) entry k] of the tokens so far, those of all beams."""
    visible: Tensor
    """[s beam entry]: 0 for a beam's ancestors, -inf elsewhere; for a single beam s is 1, because all
    segments share one mask."""
    time_keys: Tensor
    """[s t k]"""
    position: int = 0
    entries: int = 0
    """Number of entries of `own` in use."""


def gain(weights: Mapping[str, Tensor], name: str) -> Tensor:
    """The scale of a layer norm."""
    return weights[f"{name}.gain_less_one"].float() + 1.0


def layers(weights: Mapping[str, Tensor], stack: str, head_width: int, dtype: torch.dtype) -> list[Layer]:
    """The layers of `encoder` or `decoder`.

    Args:
        weights: by our names (`mt3drum.model.weight_names`).
        dtype: type of the matrix products.
    """
    count = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith(f"{stack}.layers."))
    found = []
    for number in range(count):
        own, cross, forward = (
            f"{stack}.layers.{number}.{kind}" for kind in ("attention", "cross_attention", "feed_forward")
        )

        def product(*names: str, scale: float = 1.0) -> Tensor:
            """Concatenate matrices; `scale` applies to the first, the queries."""
            parts = [weights[name].float() for name in names]
            return torch.cat((parts[0] * scale, *parts[1:])).to(dtype)

        scale = 1.0 / math.sqrt(head_width)
        layer = Layer(
            gain(weights, f"{own}.norm"),
            product(*(f"{own}.{x}.weight" for x in ("query", "key", "value")), scale=scale),
            product(f"{own}.out.weight"),
            gain(weights, f"{forward}.norm"),
            (product(f"{forward}.in.weight"), product(f"{forward}.in.bias")),
            (product(f"{forward}.out.weight"), product(f"{forward}.out.bias")),
        )
        if f"{cross}.query.weight" in weights:
            layer = replace(
                layer,
                cross_norm=gain(weights, f"{cross}.norm"),
                cross_q=product(f"{cross}.query.weight", scale=scale),
                cross_kv=product(f"{cross}.key.weight", f"{cross}.value.weight"),
                cross_out=product(f"{cross}.out.weight"),
            )
        found.append(layer)
    return found


def rotation(angle: Tensor) -> Tensor:
    """Complex numbers that rotate by `angle`."""
    return torch.polar(torch.ones_like(angle), angle)


def apply_rotary(heads: Tensor, turn: Tensor) -> None:
    """Apply rotary position in place: heads [... k], adjacent pairs multiplied by turn [... pair], of
    `rotation`.

    Only the first 2 x pair values of a head are rotated.
    """
    turned = heads[..., : 2 * turn.shape[-1]]
    exact = turned.float()  # shares memory if it is already float32
    pairs = torch.view_as_complex(exact.unflatten(-1, (-1, 2)))
    pairs.mul_(turn)
    if exact.dtype != heads.dtype:
        turned.copy_(exact)


class CachedDecoder:
    """The decoder, one token per row and step.

    Args:
        weights: by our names (`mt3drum.model.weight_names`).
        dtype: of the matrix products; norms, sums, logits and softmaxes of the output stay in float32.
    """

    def __init__(
        self, config: ModelConfig, weights: Mapping[str, Tensor], dtype: torch.dtype = torch.float32
    ) -> None:
        self.config, self.width, self.dtype = config, config.width, dtype
        self.heads, self.head_width = config.width // config.head_width, config.head_width
        with torch.no_grad():
            self.layers = layers(weights, "decoder", config.head_width, dtype)
            self.final_norm = gain(weights, "decoder.norm")
            self.rate = weights["decoder.rotary_frequency"].float()
            codec = config.codec
            self.embedding = weights["embedding.weight"].float().clone()
            code = sinusoid(codec.segment_steps, config.width).to(self.embedding.device)
            self.embedding[codec.first_time : codec.first_drum] += code
            # One product for the token head and the query of the time pointer.
            scale = 1.0 / math.sqrt(config.head_width)
            heads = ("other_head", 1.0), ("time_query", scale)
            self.head_weight = torch.cat([weights[f"{name}.weight"].float() * by for name, by in heads])
            self.head_bias = torch.cat([weights[f"{name}.bias"].float() * by for name, by in heads])
        self.others = len(weights["other_head.bias"])

    def begin(self, encoded: EncoderOutput, beams: int = 1) -> Cache:
        """A cache for the segments of `encoded`, `beams` rows each."""
        segments, cross = len(encoded.memory), self.cross_attention(encoded.memory)
        empty = cross[0][0].new_empty(segments * self.heads, 0, self.head_width)
        visible = empty.new_empty(1 if beams == 1 else segments, beams, 0)
        return Cache(cross, [(empty, empty) for _ in cross], visible, encoded.time_keys)

    def cross_attention(self, memory: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Per layer: keys and values [(s h) m k] of the memory [s m d]."""
        memory, found = memory.to(self.dtype), []
        for layer in self.layers:
            assert layer.cross_kv is not None
            both = functional.linear(memory, layer.cross_kv)
            key, value = rearrange(both, "s m (o h k) -> o (s h) m k", o=2, h=self.heads).contiguous()
            found.append((key, value))
        return found

    def step(self, cache: Cache, tokens: Tensor) -> Tensor:
        """Logits [s beam v] of what follows `tokens` [s beam], given all earlier ones; advances the cache."""
        segments, beams = tokens.shape
        if cache.entries == cache.visible.shape[2]:
            make_room(cache, beams, self.heads)
        own = torch.full((beams, beams), -math.inf, device=tokens.device).fill_diagonal_(0.0)
        cache.visible[:, :, cache.entries : cache.entries + beams] = own
        turn = rotation(cache.position * self.rate)
        x = self.embedding[tokens.reshape(-1)]  # [(s beam) d]
        for layer, cross, stored in zip(self.layers, cache.cross, cache.own, strict=True):
            x += self._attend_own(layer, self._norm(x, layer.self_norm), stored, cache, turn, beams)
            assert layer.cross_norm is not None and layer.cross_q is not None and layer.cross_out is not None
            query = self._split(functional.linear(self._norm(x, layer.cross_norm), layer.cross_q), beams)
            weight = torch.softmax(torch.bmm(query, cross[0].transpose(1, 2)), dim=-1)
            x += functional.linear(self._merge(torch.bmm(weight, cross[1]), segments), layer.cross_out)
            hidden = functional.gelu(functional.linear(self._norm(x, layer.ff_norm), *layer.ff_in))
            x += functional.linear(hidden, *layer.ff_out)
        cache.position += 1
        cache.entries += beams
        x = functional.layer_norm(x, (self.width,), self.final_norm)
        head = functional.linear(x, self.head_weight, self.head_bias).unflatten(0, (segments, beams))
        time = torch.bmm(head[..., self.others :], cache.time_keys.transpose(1, 2))
        return torch.cat((head[..., :NUM_SPECIAL], time, head[..., NUM_SPECIAL : self.others]), dim=-1)

    def _norm(self, x: Tensor, gain: Tensor) -> Tensor:
        return functional.layer_norm(x, (self.width,), gain).to(self.dtype)

    def _attend_own(
        self,
        layer: Layer,
        x: Tensor,
        stored: tuple[Tensor, Tensor],
        cache: Cache,
        turn: Tensor,
        beams: int,
    ) -> Tensor:
        qkv = functional.linear(x, layer.self_qkv)
        apply_rotary(qkv[:, : 2 * self.width].unflatten(-1, (-1, self.head_width)), turn)
        query, key, value = (self._split(part, beams) for part in qkv.split(self.width, dim=-1))
        keys, values = stored
        end = cache.entries + beams
        keys[:, cache.entries : end] = key
        values[:, cache.entries : end] = value
        # Over all entries, used or not: slicing would make bfloat16 products copy first.
        scores = torch.bmm(query, keys.transpose(1, 2))
        segments = x.shape[0] // beams
        scores.unflatten(0, (segments, self.heads)).add_(cache.visible[:, None])
        mixed = torch.bmm(torch.softmax(scores, dim=-1), values)
        return functional.linear(self._merge(mixed, segments), layer.self_out)

    def _split(self, x: Tensor, beams: int) -> Tensor:
        """[(s beam) (h k)] -> [(s h) beam k]; einops would cost more than the operation."""
        if beams == 1:
            return x.reshape(-1, 1, self.head_width)  # no copy: heads are contiguous
        return x.reshape(-1, beams, self.heads, self.head_width).transpose(1, 2).flatten(0, 1)

    def _merge(self, x: Tensor, segments: int) -> Tensor:
        """The inverse of `_split`."""
        if x.shape[1] == 1:
            return x.reshape(segments, self.width)
        return x.unflatten(0, (segments, self.heads)).transpose(1, 2).reshape(-1, self.width)


def make_room(cache: Cache, beams: int, heads: int) -> None:
    """Drop the entries that are no beam's ancestor, and allocate space for new tokens.

    Beams share most of their past, so little more than one entry per position remains.
    """
    if beams > 1 and cache.entries:
        alive = (cache.visible == 0).any(1)  # [s entry]
        cache.entries = int(alive.sum(1).amax())
        order = torch.argsort((~alive).to(torch.uint8), dim=1, stable=True)[:, : cache.entries]  # old to new
        cache.visible = cache.visible.gather(2, order[:, None].expand(-1, beams, -1))
        row = torch.arange(len(order) * heads, device=order.device)[:, None]
        flat = (row * alive.shape[1] + order.repeat_interleave(heads, 0)).flatten()
        cache.own = [(_pick(key, flat, row), _pick(value, flat, row)) for key, value in cache.own]
    room = max(_ROOM * beams, cache.entries // 4)
    room += -room % beams
    cache.visible = functional.pad(cache.visible, (0, room), value=-math.inf)
    cache.own = [(_longer(key, room), _longer(value, room)) for key, value in cache.own]


def _pick(own: Tensor, flat: Tensor, row: Tensor) -> Tensor:
    """Select entries `flat` of own [n entry k], indexed over the first two dimensions flattened."""
    return own.flatten(0, 1).index_select(0, flat).unflatten(0, (len(row), -1))


def _longer(own: Tensor, room: int) -> Tensor:
    """own [n entry k] with `room` more entries, set to zero because masked entries are multiplied by 0."""
    return functional.pad(own, (0, 0, 0, room))


@singledispatch
def reorder(cache: Cache, parents: Tensor) -> None:
    """Let beam b of each segment continue its old beam `parents[s, b]`; only the mask is reordered."""
    if parents.shape[1] > 1:
        cache.visible = cache.visible.gather(1, parents[:, :, None].expand(-1, -1, cache.visible.shape[2]))


@singledispatch
def keep(cache: Cache, segments: Tensor, decoder: CachedDecoder) -> None:
    """Keep only the given segments (increasing indices)."""
    heads = decoder.heads
    rows = (segments[:, None] * heads + torch.arange(heads, device=segments.device)).flatten()
    cache.cross = [(key[rows], value[rows]) for key, value in cache.cross]
    cache.own = [(key[rows], value[rows]) for key, value in cache.own]
    cache.time_keys = cache.time_keys[segments]
    if cache.visible.shape[1] > 1:
        cache.visible = cache.visible[segments]
