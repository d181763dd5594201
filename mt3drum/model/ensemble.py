"""Several networks as one: the probabilities of onsets and tokens are averaged.

The mean of weights (`train.optim.mean_weights`) costs nothing in decoding, but only joins networks whose runs
parted late. An ensemble joins networks of any size and parts with one vocabulary, at the cost of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mt3drum.model.decoder_step import Cache, CachedDecoder, keep, reorder
from mt3drum.model.decoder_window import WindowCache, begin_windows, decode_window, keep_segments
from mt3drum.model.inference import InferenceModel
from mt3drum.model.stem import EncoderOutput


class Ensemble(InferenceModel):
    """Networks of one vocabulary in place of one network.

    Args:
        members: at least one; those without a decoder contribute their onset heads only.
        biases: `onset_bias` of each; the average has that of the first.

    Raises:
        ValueError: two members have different vocabularies or segments.
    """

    def __init__(self, members: Sequence[InferenceModel], biases: Sequence[float]) -> None:
        first = members[0]
        for other in members[1:]:
            if other.config.codec != first.config.codec:
                raise ValueError(
                    "networks with different vocabularies or segments cannot be averaged: "
                    f"{first.config.codec} and {other.config.codec}"
                )
        self.members, self.biases = tuple(members), torch.tensor(biases, device=first.device)
        self.config, self.dtype, self.device = first.config, first.dtype, first.device
        decoders = [member.decoder for member in members if member.decoder is not None]
        self.decoder = EnsembleDecoder(decoders) if decoders else None

    def encode_with_bands(self, audio: Tensor) -> tuple[EncoderOutput, Tensor]:
        each, bands = zip(*(member.encode_with_bands(audio) for member in self.members), strict=True)
        head = torch.stack([one.onset_logits + bias for one, bias in zip(each, self.biases, strict=True)])
        loudness = torch.stack([torch.sigmoid(one.velocity) for one in each]).mean(0)
        read = [one for one, member in zip(each, self.members, strict=True) if member.decoder is not None]
        encoded = EncoderOutput(
            torch.cat([one.memory for one in read or each], dim=-1),
            torch.cat([one.time_keys for one in read or each], dim=-1),
            mean_logits(head) - self.biases[0],
            torch.logit(loudness, eps=1e-6),
        )
        return encoded, bands[0]

    def stem(self, audio: Tensor) -> Tensor:
        """The stem of the first member (for `--kit`)."""
        return self.members[0].stem(audio)


def mean_logits(logits: Tensor) -> Tensor:
    """Logits of members [m ...] -> logits of the mean probability [...], exact where sigmoids saturate."""
    return functional.logsigmoid(logits).logsumexp(0) - functional.logsigmoid(-logits).logsumexp(0)


@dataclass
class Caches(Cache):
    """The caches of all members; nothing else of `Cache` is used."""

    members: Sequence[Cache] = ()


@dataclass
class WindowCaches(WindowCache):
    """The caches of all members; nothing else of `WindowCache` is used."""

    members: Sequence[WindowCache] = ()


class EnsembleDecoder(CachedDecoder):
    """Decoders side by side; logits are [m s b v], averaged after the grammar's mask (`decode.product`): what
    members give to illegal tokens was never trained and must not weigh in."""

    def __init__(self, members: Sequence[CachedDecoder]) -> None:
        self.members = tuple(members)
        self.config, self.dtype, self.heads = members[0].config, members[0].dtype, members[0].heads

    def begin(self, encoded: EncoderOutput, beams: int = 1) -> Caches:
        parts = zip(self.members, self.parts(encoded), strict=True)
        own = [member.begin(part, beams) for member, part in parts]
        return Caches([], [], own[0].visible, own[0].time_keys, members=own)

    def step(self, cache: Cache, tokens: Tensor) -> Tensor:
        assert isinstance(cache, Caches)
        each = zip(self.members, cache.members, strict=True)
        return torch.stack([member.step(own, tokens) for member, own in each])

    def parts(self, encoded: EncoderOutput) -> list[EncoderOutput]:
        """What each member's encoder gave."""
        memory = encoded.memory.split([member.width for member in self.members], dim=-1)
        keys = encoded.time_keys.split([member.head_width for member in self.members], dim=-1)
        return [encoded._replace(memory=m, time_keys=k) for m, k in zip(memory, keys, strict=True)]


@reorder.register
def _(cache: Caches, parents: Tensor) -> None:
    for own in cache.members:
        reorder(own, parents)


@keep.register
def _(cache: Caches, segments: Tensor, decoder: EnsembleDecoder) -> None:
    for own, member in zip(cache.members, decoder.members, strict=True):
        keep(own, segments, member)


@keep_segments.register
def _(cache: WindowCaches, segments: Tensor, decoder: EnsembleDecoder) -> None:
    for own, member in zip(cache.members, decoder.members, strict=True):
        keep_segments(own, segments, member)


@begin_windows.register
def _(decoder: EnsembleDecoder, encoded: EncoderOutput) -> WindowCaches:
    parts = zip(decoder.members, decoder.parts(encoded), strict=True)
    return WindowCaches([], [], encoded.time_keys, [begin_windows(member, part) for member, part in parts])


@decode_window.register
def _(decoder: EnsembleDecoder, cache: WindowCaches, tokens: Tensor, first: Tensor) -> Tensor:
    each = zip(decoder.members, cache.members, strict=True)
    return torch.stack([decode_window(member, own, tokens, first) for member, own in each])
