"""The network for inference: the same weights, without the second that importing x-transformers takes.

Equal to `DrumModel` up to rounding in float32. In bfloat16 the matrix products of stem, encoder and decoder
are rounded to 8 bits; features, residual sums, norms and heads stay in float32.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TypeVar

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mt3drum.audio.log_mel import LogMel
from mt3drum.config import ModelConfig
from mt3drum.model.decoder_step import CachedDecoder, apply_rotary, gain, layers, rotation
from mt3drum.model.encoder import encoder_of, one_way
from mt3drum.model.stem import FRAMES_PER_STATE, AnyStem, EncoderOutput, sinusoid, stem_of

# Read at the first product. oneDNN compiles a program per shape and caches 1024, and recordings of
# all lengths have many shapes (docs/reliability.md).
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")

CHUNK = 4
"""Segments encoded at once on a CPU, so that intermediate results fit its cache."""
Part = TypeVar("Part", bound=nn.Module)
_EPSILON = 1e-5  # of the batch norms, torch's default


def fastest_dtype(device: str) -> torch.dtype:
    """bfloat16 on a CPU that supports it (AVX512-BF16, AMX), twice as fast there; else float32."""
    probe = getattr(torch.cpu, "get_capabilities", dict)  # newer than the oldest supported torch
    known: dict[str, object] = probe() if device == "cpu" else {}
    return torch.bfloat16 if known.get("avx512_bf16") or known.get("amx_bf16") else torch.float32


class InferenceModel:
    """Encoder, onset head and decoder (None if the configuration gives it no layers) for inference.

    Args:
        weights: by our names (`mt3drum.model.weight_names`); batch norms as in evaluation.
        dtype: type of the matrix products, float32 or bfloat16.
    """

    def __init__(
        self, config: ModelConfig, weights: Mapping[str, Tensor], dtype: torch.dtype = torch.float32
    ) -> None:
        self.config, self.dtype = config, dtype
        self.device = weights["onset_head.weight"].device
        self.features = LogMel(config.audio).to(self.device)
        with torch.no_grad():
            self.decoder = CachedDecoder(config, weights, dtype) if config.decoder_layers else None
            stem = {name: value.float() for name, value in weights.items() if name[:5] == "stem."}
            self._take_level(stem)
            self.other_stem: AnyStem | None = None
            self.other_encoder: nn.Module | None = None
            if config.stem == "conv" and not config.frequency_gate:
                self._take_stem(stem)
            else:
                self.other_stem = _with_weights(stem_of(config), "stem", weights)
            if config.encoder == "transformer":
                self.layers = layers(weights, "encoder", config.head_width, dtype)
                self.final_norm = gain(weights, "encoder.norm")
                self.rate = weights["encoder.rotary_frequency"].float()
            else:
                self.other_encoder = _with_weights(encoder_of(config), "encoder", weights)
            names = ("onset_head", "time_key") if config.decoder_layers else ("onset_head",)
            self.heads = {n: (weights[f"{n}.weight"].float(), weights[f"{n}.bias"].float()) for n in names}
            self.code = sinusoid(config.codec.segment_steps, config.width)[::FRAMES_PER_STATE].to(self.device)

    def _take_level(self, weights: dict[str, Tensor]) -> None:
        """Fold the first batch norm into scale and offset of the bands."""
        windows = len(self.config.audio.windows)
        self.level = tuple(
            rearrange(x, "(w m) -> m w", w=windows) for x in _affine(weights, "stem.normalise")
        )

    def _take_stem(self, weights: dict[str, Tensor]) -> None:
        """Fold the other batch norms into the convolutions. Transpose kernels to (time, band), so that
        [b w t m] becomes states without a copy."""
        self.kernels = []
        for number in (1, 2):
            factor, bias = _affine(weights, f"stem.norm_{number}")
            folded = (weights[f"stem.convolution_{number}.weight"] * factor[:, None, None, None]).transpose(
                2, 3
            )
            folded = folded.to(self.dtype).contiguous(memory_format=torch.channels_last)
            self.kernels.append((folded, bias.to(self.dtype)))
        self.project = (
            weights["stem.project.weight"].to(self.dtype),
            weights["stem.project.bias"].to(self.dtype),
        )

    def encode(self, audio: Tensor) -> EncoderOutput:
        """audio [b n], one segment each -> states and onset head."""
        return self.encode_with_bands(audio)[0]

    def encode_with_bands(self, audio: Tensor) -> tuple[EncoderOutput, Tensor]:
        """`encode`, and [b t m], the log amplitude in the mel bands of the first window."""
        size = CHUNK if audio.device.type == "cpu" else len(audio)
        factor, offset = (x[:, 0] for x in self.level)
        bands = audio.new_empty(len(audio), self.config.codec.segment_steps, self.config.audio.mel_bands)
        parts = []
        for at in range(0, len(audio), size):
            picture = self._picture(audio[at : at + size])
            torch.sub(picture[..., 0], offset, out=bands[at : at + size]).div_(factor)
            parts.append(self._encode(picture))
        return EncoderOutput(*(torch.cat(part) for part in zip(*parts, strict=True))), bands

    def stem(self, audio: Tensor) -> Tensor:
        """audio [b n] -> stem output [b t/2 d] in float32: local features, without the encoder."""
        size = CHUNK if audio.device.type == "cpu" else len(audio)
        parts = [self._stem(self._picture(audio[at : at + size])) for at in range(0, len(audio), size)]
        return torch.cat(parts).float()

    def _encode(self, picture: Tensor) -> EncoderOutput:
        states = self._encoder(self._stem(picture))
        memory = states + self.code
        keys = memory.new_empty(*memory.shape[:2], 0)
        if self.decoder is not None:
            keys = functional.linear(memory, *self.heads["time_key"])
        head = functional.linear(states, *self.heads["onset_head"])
        onset, velocity = rearrange(head, "b s (f o c) -> o b (s f) c", f=FRAMES_PER_STATE, o=2)
        if self.config.head == "instrument":
            onset = one_way(onset)
        return EncoderOutput(
            memory, rearrange(keys, "b s (f k) -> b (s f) k", f=FRAMES_PER_STATE), onset, velocity
        )

    def _products(self) -> torch.autocast:
        """Matrix products of the variants in the type of this model."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16)

    def _picture(self, audio: Tensor) -> Tensor:
        """audio [b n] -> normalised bands [b t m w], one segment at a time on a CPU."""
        audio_config = self.config.audio
        shape = (
            len(audio),
            self.config.codec.segment_steps,
            audio_config.mel_bands,
            len(audio_config.windows),
        )
        picture = audio.new_empty(shape)
        size = 1 if audio.device.type == "cpu" else len(audio)
        for at in range(0, len(audio), size):
            for index, window in enumerate(audio_config.windows):
                factor, offset = (x[:, index] for x in self.level)
                bands = self.features.channel(audio[at : at + size], window)
                picture[at : at + size, ..., index] = bands * factor + offset
        return picture

    def _stem(self, picture: Tensor) -> Tensor:
        """[b t m w] -> [b t/2 d]"""
        if self.other_stem is not None:
            with self._products():
                return self.other_stem.states(picture.permute(0, 3, 2, 1))
        x = picture.to(self.dtype).movedim(-1, 1)  # channels last in memory
        (first, one), (second, two) = self.kernels
        x = functional.gelu(functional.conv2d(x, first, one, stride=(1, 4), padding=(1, 3)))
        x = functional.gelu(functional.conv2d(x, second, two, stride=(FRAMES_PER_STATE, 2), padding=1))
        return functional.linear(rearrange(x, "b c t m -> b t (m c)"), *self.project)

    def _encoder(self, x: Tensor) -> Tensor:
        """x [b s d] -> [b s d] in float32"""
        if self.other_encoder is not None:
            with self._products():
                return self.other_encoder(x.float()).float()
        x = x.float()
        width, head_width = self.config.width, self.config.head_width
        turn = rotation(torch.arange(x.shape[1], device=x.device)[:, None, None] * self.rate)  # [s 1 pair]
        for layer in self.layers:
            normed = functional.layer_norm(x, (width,), layer.self_norm).to(self.dtype)
            qkv = functional.linear(normed, layer.self_qkv)
            apply_rotary(qkv[..., : 2 * width].unflatten(-1, (-1, head_width)), turn)
            # Two plain products: in bfloat16 on a CPU twice as fast as scaled_dot_product_attention.
            query, key, value = rearrange(qkv, "b s (o h k) -> o (b h) s k", o=3, k=head_width).contiguous()
            mixed = torch.bmm(torch.softmax(torch.bmm(query, key.transpose(1, 2)), dim=-1), value)
            x += functional.linear(rearrange(mixed, "(b h) s k -> b s (h k)", b=len(x)), layer.self_out)
            normed = functional.layer_norm(x, (width,), layer.ff_norm).to(self.dtype)
            x += functional.linear(functional.gelu(functional.linear(normed, *layer.ff_in)), *layer.ff_out)
        return functional.layer_norm(x, (width,), self.final_norm)


def _affine(weights: Mapping[str, Tensor], norm: str) -> tuple[Tensor, Tensor]:
    """Factor and offset of a batch norm in evaluation."""
    factor = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + _EPSILON).sqrt()
    return factor, weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * factor


def _with_weights(module: Part, part: str, weights: Mapping[str, Tensor]) -> Part:
    """A variant with its weights, in evaluation mode and in float32."""
    own = {
        name.removeprefix(f"{part}."): value for name, value in weights.items() if name.startswith(f"{part}.")
    }
    module.to(weights["onset_head.weight"].device).load_state_dict(own)
    return module.eval().requires_grad_(False)
