"""Audio to two log-mel spectrograms, in torch, in batch, on the device."""

from __future__ import annotations

import math

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mt3drum.config import HOP, SAMPLE_RATE, AudioConfig

LONG_WINDOW = 8 * HOP  # samples: 80 ms
_GROUP = (
    32  # bands multiplied at once: a band is a few dozen of a window's 2,049 bins, its neighbours' overlap
)


def mel_filters(window: int, config: AudioConfig) -> np.ndarray:
    """[mel window/2+1]: triangular filters on Slaney's mel scale (Auditory Toolbox, 1998), peak 1.

    Equal to `librosa.filters.mel(..., norm=None)`, whose import (numba, scipy.signal) takes a second.
    """
    step, corner = 200 / 3, 1000.0  # Hz a mel below the corner; above it 27 mels are a factor of 6.4
    log_step = math.log(6.4) / 27.0

    def to_mel(hertz: float) -> float:
        return hertz / step if hertz < corner else corner / step + math.log(hertz / corner) / log_step

    mels = np.linspace(to_mel(config.low_hz), to_mel(config.high_hz), config.mel_bands + 2)
    above = corner * np.exp(log_step * (mels - corner / step))
    edges = np.where(mels < corner / step, step * mels, above)
    ramps = edges[:, None] - np.fft.rfftfreq(window, 1 / SAMPLE_RATE)
    width = np.diff(edges)[:, None]
    rising, falling = -ramps[:-2] / width[:-1], ramps[2:] / width[1:]
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


class LogMel(nn.Module):
    """Log of the mean amplitude in mel bands, one channel per window length.

    Filters: Slaney's mel scale, each normalised to sum 1 so that both windows have one unit.
    """

    def __init__(self, config: AudioConfig) -> None:
        super().__init__()
        self.config = config
        # A window of 93 ms says nothing new after 10 ms: every second frame of it is held, at half the cost.
        self.strides = {window: 2 if window >= LONG_WINDOW else 1 for window in config.windows}
        self.spans: dict[int, list[tuple[int, int]]] = {}
        for window in config.windows:
            bank = mel_filters(window, config)
            # Narrow low bands may hold no bin of a short window: they stay empty (log of the floor).
            bank = bank / bank.sum(axis=1, keepdims=True).clip(min=1.0)
            self.spans[window] = [_span(bank[at : at + _GROUP]) for at in range(0, len(bank), _GROUP)]
            self.register_buffer(f"bank_{window}", torch.from_numpy(bank), persistent=False)
            self.register_buffer(
                f"window_{window}", torch.hann_window(window) * (2.0 / window), persistent=False
            )

    def forward(self, audio: Tensor) -> Tensor:
        """audio [b n], n a multiple of the hop -> [b window mel n/hop]; frame k centred on sample k hop."""
        # One at a time on a processor: the spectrum stays in its cache.
        parts = audio.split(1 if audio.device.type == "cpu" else max(1, len(audio)))
        channels = [
            torch.cat([self.channel(part, window) for part in parts]) for window in self.config.windows
        ]
        return rearrange(channels, "window b t mel -> b window mel t")

    def channel(self, audio: Tensor, length: int) -> Tensor:
        """audio [b n] -> [b n/hop mel]: the spectrogram of one window, `length` samples long."""
        frames, stride = audio.shape[-1] // HOP, self.strides[length]
        window, bank = getattr(self, f"window_{length}"), getattr(self, f"bank_{length}")
        edges = functional.pad(audio, (length // 2, length // 2))
        framed = edges.unfold(-1, length, HOP * stride)[:, : -(-frames // stride)]  # [b t sample]
        spectrum = torch.fft.rfft(framed * window)[..., : max(high for _, high in self.spans[length])]
        amplitude = _magnitude(spectrum)
        bands = torch.cat(
            [
                functional.linear(amplitude[..., low:high], bank[at : at + _GROUP, low:high])
                for at, (low, high) in zip(range(0, len(bank), _GROUP), self.spans[length], strict=True)
            ],
            dim=-1,
        )
        return torch.log(bands + self.config.floor).repeat_interleave(stride, dim=1)[:, :frames]


def _magnitude(spectrum: Tensor) -> Tensor:
    """|spectrum|, on a processor by numpy: a quarter of the time of torch's."""
    if spectrum.device.type == "cpu" and not spectrum.requires_grad:
        return torch.from_numpy(np.abs(spectrum.numpy()))
    real, imaginary = torch.view_as_real(spectrum).unbind(-1)
    return (real * real + imaginary * imaginary).sqrt()


def _span(filters: np.ndarray) -> tuple[int, int]:
    """The bins that any of the filters [n bins] hears: first, and one past the last."""
    heard = np.flatnonzero(filters.any(axis=0))
    return (int(heard[0]), int(heard[-1]) + 1) if len(heard) else (0, 1)
