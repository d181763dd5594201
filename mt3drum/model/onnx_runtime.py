"""Run the decoding network in ONNX Runtime, as a replacement for `InferenceModel` in the same decode loop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mt3drum.config import ModelConfig
from mt3drum.extras import need
from mt3drum.model.decoder_step import Cache, CachedDecoder, make_room
from mt3drum.model.decoder_window import WindowCache, decode_window, lengthen
from mt3drum.model.inference import CHUNK, InferenceModel
from mt3drum.model.onnx_graph import cross_names, decoder_graph, encoder_graph, new_names, own_names
from mt3drum.model.stem import EncoderOutput


class OnnxModel(InferenceModel):
    """The graphs of `onnx_graph`, in float32 on the CPU; torch still computes the features, and the stem
    output for kit enrolment.

    Args:
        weights: by our names (`mt3drum.model.weight_names`).

    Raises:
        MissingExtra: onnx or onnxruntime is not installed.
        ValueError: the model has no decoder.
    """

    def __init__(self, config: ModelConfig, weights: Mapping[str, Tensor]) -> None:
        need("onnx", "onnx", "onnxruntime")
        super().__init__(config, weights, torch.float32)
        self.session = session(encoder_graph(self).SerializeToString())
        self.decoder = OnnxDecoder(config, weights)

    def encode_with_bands(self, audio: Tensor) -> tuple[EncoderOutput, Tensor]:
        bands = self.features(audio)  # [b window m t]
        parts = [self._run(bands[at : at + CHUNK]) for at in range(0, len(bands), CHUNK)]
        encoded = EncoderOutput(*(torch.cat(part) for part in zip(*parts, strict=True)))
        return encoded, bands[:, 0].transpose(1, 2)

    def _run(self, bands: Tensor) -> EncoderOutput:
        names = ("onset", "velocity", "time_keys", *cross_names(self.config.decoder_layers))
        found = self.session.run(names, {"bands": bands.numpy()})
        onset, velocity, time_keys, *cross = (torch.from_numpy(x) for x in found)
        return EncoderOutput(torch.stack(cross, dim=1), time_keys, onset, velocity)


class OnnxDecoder(CachedDecoder):
    """The decoder's graph with the caches of `CachedDecoder`. The `memory` of an encoded segment already
    contains the keys and values of the cross-attention [b 2l h m k]."""

    def __init__(self, config: ModelConfig, weights: Mapping[str, Tensor]) -> None:
        super().__init__(config, weights, torch.float32)
        self.session = session(decoder_graph(self).SerializeToString())

    def cross_attention(self, memory: Tensor) -> list[tuple[Tensor, Tensor]]:
        parts = [part.flatten(0, 1) for part in memory.unbind(1)]
        return list(zip(parts[::2], parts[1::2], strict=True))

    def step(self, cache: Cache, tokens: Tensor) -> Tensor:
        segments, beams = tokens.shape
        if cache.entries == cache.visible.shape[2]:
            make_room(cache, beams, self.heads)
        end = cache.entries + beams
        alone = torch.full((beams, beams), -math.inf).fill_diagonal_(0.0)
        cache.visible[:, :, cache.entries : end] = alone
        position = torch.full((segments, beams), float(cache.position))
        mask = cache.visible[:, :, :end].expand(segments, -1, -1)
        past = [x.unflatten(0, (segments, -1))[:, :, : cache.entries] for pair in cache.own for x in pair]
        cross = [x.unflatten(0, (segments, -1)) for pair in cache.cross for x in pair]
        logits, new = self.run(tokens, position, mask, past, cross, cache.time_keys)
        for stored, entries in zip((x for pair in cache.own for x in pair), new, strict=True):
            stored[:, cache.entries : end] = entries.flatten(0, 1)
        cache.position += 1
        cache.entries = end
        return logits

    def run(
        self,
        tokens: Tensor,
        position: Tensor,
        mask: Tensor,
        own: Sequence[Tensor],
        cross: Sequence[Tensor],
        time_keys: Tensor,
    ) -> tuple[Tensor, list[Tensor]]:
        """Run the graph (`decoder_graph`) once: logits [b w v], and new entries [b h w k]."""
        layers = len(self.layers)
        tensors = dict(zip((*own_names(layers), *cross_names(layers)), (*own, *cross), strict=True))
        tensors |= {"tokens": tokens.int(), "position": position, "mask": mask, "time_keys": time_keys}
        given = {name: np.ascontiguousarray(value.numpy()) for name, value in tensors.items()}
        logits, *new = self.session.run(["logits", *new_names(layers)], given)
        return torch.from_numpy(logits), [torch.from_numpy(x) for x in new]


@decode_window.register
def _(decoder: OnnxDecoder, cache: WindowCache, tokens: Tensor, first: Tensor) -> Tensor:
    segments, size = tokens.shape
    index = torch.arange(size)
    place = first[:, None] + index  # [s w]
    lengthen(cache, int(first.max()) + size)
    past = int(first.max())
    seen = torch.arange(past) < first[:, None, None]  # [s 1 past]
    mask = torch.cat((seen.expand(-1, size, -1), (index <= index[:, None]).expand(segments, -1, -1)), dim=2)
    stored = [x for pair in cache.own for x in pair]
    cross = [x.unflatten(0, (segments, -1)) for pair in cache.cross for x in pair]
    logits, new = decoder.run(
        tokens,
        place.float(),
        torch.zeros(mask.shape).masked_fill_(~mask, -math.inf),
        [x[:, :, :past] for x in stored],
        cross,
        cache.time_keys,
    )
    row = torch.arange(segments)[:, None]
    for kept, entries in zip(stored, new, strict=True):
        kept[row, :, place] = entries.transpose(1, 2)
    return logits


def session(graph: bytes) -> Any:
    """A CPU session with as many threads as torch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
