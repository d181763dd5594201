"""Encoder variants, and what they share with the patch stem and the onset head.

Each variant is written once: training and decoding run the same module. The usual encoder is that of
x-transformers in training and `mt3drum.model.inference` in decoding.
"""

from __future__ import annotations

import math

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mt3drum.config import ModelConfig
from tokenizer.drums import INSTRUMENT_OF

KERNEL = 31
"""States that a conformer's convolution sees: 620 ms."""
_NOT = -1e4  # finite, so that a class alone in its instrument has a gradient


def attend(qkv: Tensor, heads: int, angle: Tensor | None = None) -> Tensor:
    """Self-attention over s: [b s 3d] -> [b s d].

    Args:
        angle: [s p], rotates the first p pairs of each query and key (rotary position, Su et al. 2021,
            arXiv:2104.09864).
    """
    query, key, value = rearrange(qkv, "b s (o h k) -> o b h s k", o=3, h=heads)
    if angle is not None:
        query, key = rotated(query, angle), rotated(key, angle)
    weight = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]), dim=-1)
    return rearrange(weight @ value, "b h s k -> b s (h k)")


def rotated(heads: Tensor, angle: Tensor) -> Tensor:
    """heads [... s k] with adjacent pairs rotated by angle [s p]; values from 2p on stay."""
    pairs = heads[..., : 2 * angle.shape[-1]].unflatten(-1, (-1, 2))
    first, second = pairs.unbind(-1)
    cosine, sine = angle.cos().to(heads.dtype), angle.sin().to(heads.dtype)
    turned = torch.stack((first * cosine - second * sine, first * sine + second * cosine), dim=-1)
    return torch.cat((turned.flatten(-2), heads[..., 2 * angle.shape[-1] :]), dim=-1)


def feed_forward(width: int, factor: int, dropout: float = 0.0) -> nn.Sequential:
    """Norm, two linear layers and GELU between them."""
    inner = width * factor
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, inner),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(inner, width),
    )


class ConformerLayer(nn.Module):
    """Self-attention, depthwise convolution over time, feed-forward layer; each added to its input.

    After Gulati et al. 2020 (arXiv:2005.08100), without the first of their two feed-forward layers and with a
    layer norm for the batch norm, so that a segment does not depend on its batch.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = width // config.head_width
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, width, bias=False)
        self.convolution_norm = nn.LayerNorm(width)
        self.convolution_in = nn.Linear(width, 2 * width)
        self.convolution = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width, bias=False)
        self.convolved_norm = nn.LayerNorm(width)
        self.convolution_out = nn.Linear(width, width)
        self.feed_forward = feed_forward(width, config.feed_forward, config.dropout)

    def forward(self, x: Tensor, angle: Tensor) -> Tensor:
        """x [b s d], angle [s p] -> [b s d]"""
        x = x + self.attention_out(attend(self.qkv(self.attention_norm(x)), self.heads, angle))
        gated = functional.glu(self.convolution_in(self.convolution_norm(x)), dim=-1)
        near = self.convolution(gated.transpose(1, 2)).transpose(1, 2)
        x = x + self.convolution_out(functional.silu(self.convolved_norm(near)))
        found: Tensor = x + self.feed_forward(x)
        return found


class Conformer(nn.Module):
    """[b s d] -> [b s d]: `encoder_layers` conformer layers with rotary positions."""

    rate: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        pairs = config.head_width // 4
        self.register_buffer("rate", 10_000.0 ** (-torch.arange(pairs) / pairs), persistent=False)
        self.layers = nn.ModuleList(ConformerLayer(config) for _ in range(config.encoder_layers))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x: Tensor) -> Tensor:
        angle = torch.arange(x.shape[1], device=x.device)[:, None] * self.rate
        for layer in self.layers:
            x = layer(x, angle)
        found: Tensor = self.norm(x)
        return found


class Recurrent(nn.Module):
    """[b s d] -> [b s d]: `encoder_layers` bidirectional GRU layers, as in convolutional recurrent drum
    transcribers (Vogl et al. 2017)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        layers = config.encoder_layers
        dropout = config.dropout if layers > 1 else 0.0  # it lies between layers
        width = config.width
        self.gru = nn.GRU(width, width // 2, layers, batch_first=True, bidirectional=True, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # torch has no recurrent layers in bfloat16
            found: Tensor = self.gru(x.float())[0]
        return found


def encoder_of(config: ModelConfig) -> nn.Module:
    """The encoder of `config.encoder`, if it is another than the usual one."""
    return {"conformer": Conformer, "gru": Recurrent}[config.encoder](config)


def one_way(logits: Tensor) -> Tensor:
    """Outputs a [... c] of the head `instrument` -> logits of the classes.

    Each instrument has a softmax over its ways of being struck and "not struck", whose output is 0:
    p_c = exp(a_c) / (1 + sum of exp(a) over the instrument's classes). The probabilities of an instrument's
    classes add up to at most 1, while independent classes may both be likely.
    """
    a = logits.float()
    others = torch.logsumexp(a[..., None, :] + _outside(a.device), dim=-1)
    return a - functional.softplus(others)


def _outside(device: torch.device) -> Tensor:
    """[c c]: 0 at the other classes of the row's instrument, else `_NOT`."""
    same = torch.tensor([[one == other for other in INSTRUMENT_OF] for one in INSTRUMENT_OF], device=device)
    same.fill_diagonal_(False)
    return torch.where(same, 0.0, _NOT)
