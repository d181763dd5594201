"""Parts shared by training and inference networks: stems, positional code, encoder output.

This module does not import x-transformers: that takes a second, and decoding does not need it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from mt3drum.config import PATCH_BANDS, ModelConfig
from mt3drum.model.encoder import attend, feed_forward

FRAMES_PER_STATE = 2  # an encoder state is 20 ms and covers two frames of 10 ms
_PATCH_HEADS = 4


class EncoderOutput(NamedTuple):
    """The encoder's output for a batch of segments."""

    memory: Tensor
    """[b s d]: states with positional code, for the decoder's cross-attention."""
    time_keys: Tensor
    """[b t k]: one key per frame, for the time pointer."""
    onset_logits: Tensor
    """[b t c]: onset logit of each drum class in each frame."""
    velocity: Tensor
    """[b t c]: its velocity / 127, before the sigmoid."""


def sinusoid(length: int, width: int) -> Tensor:
    """[length width]: the sinusoidal code of Vaswani et al. 2017 (arXiv:1706.03762), sines then cosines."""
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angle = torch.arange(length)[:, None] * rate
    return torch.cat((angle.sin(), angle.cos()), dim=1)


def normalised(norm: nn.BatchNorm1d, mel: Tensor) -> Tensor:
    """mel [b w m t] with every band of every window normalised."""
    flat = norm(rearrange(mel, "b w m t -> b (w m) t"))
    return rearrange(flat, "b (w m) t -> b w m t", w=mel.shape[1])


def convolutions(windows: int, channels: int) -> nn.Sequential:
    """[b windows m t] -> [b 2 channels m/8 t/2]"""
    return nn.Sequential(
        nn.Conv2d(windows, channels, (7, 3), stride=(4, 1), padding=(3, 1), bias=False),
        nn.BatchNorm2d(channels),
        nn.GELU(),
        nn.Conv2d(channels, 2 * channels, 3, stride=(2, FRAMES_PER_STATE), padding=1, bias=False),
        nn.BatchNorm2d(2 * channels),
        nn.GELU(),
    )


def convolved(stack: nn.Module, gate: nn.Module | None, project: nn.Module, image: Tensor) -> Tensor:
    """image [b w m t] -> [b t/2 d], channels-last: 2.4 times as fast as the default layout on CPU at these
    sizes."""
    image = stack(image.contiguous(memory_format=torch.channels_last))
    if gate is not None:
        image = gate(image)
    if image.requires_grad:  # else the gradient comes in the memory order of `project`, which is slow
        image.register_hook(lambda gradient: gradient.contiguous(memory_format=torch.channels_last))
    states: Tensor = project(rearrange(image, "b c m t -> b t (m c)"))
    return states


class Stem(nn.Module):
    """[b w mel t] -> [b t/2 d]: frequency down by 8, time by 2."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        windows, mel, channels = len(config.audio.windows), config.audio.mel_bands, config.stem_channels
        self.normalise = nn.BatchNorm1d(windows * mel)
        self.convolutions = convolutions(windows, channels)
        self.gate = FrequencyGate(mel // 8) if config.frequency_gate else None
        self.project = nn.Linear(2 * channels * mel // 8, config.width)

    def forward(self, mel: Tensor) -> Tensor:
        return self.states(normalised(self.normalise, mel))

    def states(self, image: Tensor) -> Tensor:
        """Normalised bands [b w m t] -> [b t/2 d]"""
        return convolved(self.convolutions, self.gate, self.project, image)


class FrequencyGate(nn.Module):
    """Weights the bands of [b c m t] by what the whole segment holds (squeeze and excitation, Hu et al. 2018,
    arXiv:1709.01507, over bands). Twice a sigmoid: about 1 before training."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(bands, 2 * bands), nn.GELU(), nn.Linear(2 * bands, bands), nn.Sigmoid()
        )

    def forward(self, image: Tensor) -> Tensor:
        weight = 2.0 * self.layers(image.mean((1, 3)))
        return image * weight[:, None, :, None]


class FusedStem(nn.Module):
    """One stem a window; a softmax over windows weights their states."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        windows, mel, channels = len(config.audio.windows), config.audio.mel_bands, config.stem_channels
        self.normalise = nn.BatchNorm1d(windows * mel)
        self.convolutions = nn.ModuleList(convolutions(1, channels) for _ in range(windows))
        self.gate = FrequencyGate(mel // 8) if config.frequency_gate else None
        self.project = nn.ModuleList(nn.Linear(2 * channels * mel // 8, config.width) for _ in range(windows))
        self.weigh = nn.Linear(config.width, 1)

    def forward(self, mel: Tensor) -> Tensor:
        return self.states(normalised(self.normalise, mel))

    def states(self, image: Tensor) -> Tensor:
        """Normalised bands [b w m t] -> [b t/2 d]"""
        parts = zip(self.convolutions, self.project, image.split(1, dim=1), strict=True)
        each = torch.stack([convolved(stack, self.gate, project, part) for stack, project, part in parts])
        return (torch.softmax(self.weigh(each), dim=0) * each).sum(0)


class PatchStem(nn.Module):
    """Patches of 16 bands and one state (2 frames, all windows); those of a state attend to each other.

    After the audio spectrogram transformer (Gong et al. 2021, arXiv:2104.01778), whose patches of 16 x 16
    frames would blur onsets over 160 ms. Attention over time is the encoder's.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        windows, mel, width = len(config.audio.windows), config.audio.mel_bands, 4 * config.stem_channels
        self.normalise = nn.BatchNorm1d(windows * mel)
        self.embed = nn.Linear(windows * PATCH_BANDS * FRAMES_PER_STATE, width)
        self.band = nn.Parameter(0.02 * torch.randn(mel // PATCH_BANDS, width))
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.feed_forward = feed_forward(width, 2)
        self.project = nn.Linear(mel // PATCH_BANDS * width, config.width)

    def forward(self, mel: Tensor) -> Tensor:
        return self.states(normalised(self.normalise, mel))

    def states(self, image: Tensor) -> Tensor:
        """Normalised bands [b w m t] -> [b t/2 d]"""
        patches = rearrange(image, "b w (p m) (s f) -> (b s) p (w m f)", m=PATCH_BANDS, f=FRAMES_PER_STATE)
        x = self.embed(patches) + self.band
        x = x + self.out(attend(self.qkv(self.norm(x)), _PATCH_HEADS))
        x = x + self.feed_forward(x)
        states: Tensor = self.project(rearrange(x, "(b s) p d -> b s (p d)", b=len(image)))
        return states


AnyStem = Stem | FusedStem | PatchStem


def stem_of(config: ModelConfig) -> AnyStem:
    """The stem of `config.stem`."""
    if config.stem == "conv":
        return Stem(config)
    return FusedStem(config) if config.stem == "fused" else PatchStem(config)
