"""Audio to two log-mel spectrograms, batched, in torch."""

from __future__ import annotations

from importlib import resources

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mt3drum.config import HOP, SAMPLE_RATE, AudioConfig
from mt3drum.extras import need

LONG_WINDOW = 8 * HOP  # samples: 80 ms
_GROUP = 32  # bands per product: they cover a few dozen of a window's 2,049 bins, mostly overlapping


def mel_filters(window: int, config: AudioConfig) -> np.ndarray:
    """[mel window/2+1] float32: triangular filters on Slaney's mel scale (Auditory Toolbox, 1998), peak 1.

    The package contains the banks of the presets and the review page (`assets/mel_banks.npz`, written by
    scripts/make_mel_banks.py), so that transcription needs no librosa; librosa computes any other.

    Raises:
        MissingExtra: the bank is not in the asset and librosa is not installed.
    """
    name = bank_name(window, config)
    with (resources.files("mt3drum") / "assets" / "mel_banks.npz").open("rb") as file, np.load(file) as banks:
        if name in banks:
            return banks[name]
    return librosa_filters(window, config)


def librosa_filters(window: int, config: AudioConfig) -> np.ndarray:
    """The filters, computed by librosa.

    Raises:
        MissingExtra: librosa is not installed.
    """
    need("train", "librosa")
    import librosa

    return librosa.filters.mel(
        sr=SAMPLE_RATE,
        n_fft=window,
        n_mels=config.mel_bands,
        fmin=config.low_hz,
        fmax=config.high_hz,
        norm=None,
    )


def bank_name(window: int, config: AudioConfig) -> str:
    """Name of a bank in the asset: window in samples, bands, lowest and highest frequency in Hz."""
    return f"{window}_{config.mel_bands}_{config.low_hz:g}_{config.high_hz:g}"


class LogMel(nn.Module):
    """Log of the mean amplitude in mel bands, one channel per window length.

    The filters use Slaney's mel scale; each is normalised to sum 1, so both windows have the same unit.
    """

    def __init__(self, config: AudioConfig) -> None:
        super().__init__()
        self.config = config
        # A window of 93 ms changes little within 10 ms: computing every second frame halves the cost.
        self.strides = {window: 2 if window >= LONG_WINDOW else 1 for window in config.windows}
        self.spans: dict[int, list[tuple[int, int]]] = {}
        for window in config.windows:
            bank = mel_filters(window, config)
            # A narrow low band may contain no bin of a short window: it stays empty (log of the floor).
            bank = bank / bank.sum(axis=1, keepdims=True).clip(min=1.0)
            self.spans[window] = [_span(bank[at : at + _GROUP]) for at in range(0, len(bank), _GROUP)]
            self.register_buffer(f"bank_{window}", torch.from_numpy(bank), persistent=False)
            self.register_buffer(
                f"window_{window}", torch.hann_window(window) * (2.0 / window), persistent=False
            )

    def forward(self, audio: Tensor) -> Tensor:
        """audio [b n], n a multiple of the hop -> [b window mel n/hop]; frame k centred on sample k hop."""
        # One item at a time on a CPU: its spectrum stays in the cache.
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
    """|spectrum|; on a CPU by numpy, four times as fast as torch."""
    if spectrum.device.type == "cpu" and not spectrum.requires_grad:
        return torch.from_numpy(np.abs(spectrum.numpy()))
    real, imaginary = torch.view_as_real(spectrum).unbind(-1)
    return (real * real + imaginary * imaginary).sqrt()


def _span(filters: np.ndarray) -> tuple[int, int]:
    """Range of bins that the filters [n bins] cover: first, and one past the last."""
    covered = np.flatnonzero(filters.any(axis=0))
    return (int(covered[0]), int(covered[-1]) + 1) if len(covered) else (0, 1)
