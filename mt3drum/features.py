"""Audio to two log-mel spectrograms, in torch, in batch, on the device."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mt3drum.config import HOP, SAMPLE_RATE, AudioConfig

LONG_WINDOW = 8 * HOP  # samples: 80 ms


class LogMel(nn.Module):
    """Log of the mean amplitude in mel bands, one channel per window length.

    Filters: librosa's Slaney mel scale, each normalised to sum 1 so that both windows have one unit.
    """

    def __init__(self, config: AudioConfig) -> None:
        super().__init__()
        from librosa.filters import mel  # a second to import: only when a model is built

        self.config = config
        # A window of 93 ms says nothing new after 10 ms: every second frame of it is held, at half the cost.
        self.strides = {window: 2 if window >= LONG_WINDOW else 1 for window in config.windows}
        for window in config.windows:
            bank = mel(sr=SAMPLE_RATE, n_fft=window, n_mels=config.mel_bands, fmin=config.low_hz,
                       fmax=config.high_hz, norm=None)  # fmt: skip
            # Narrow low bands may hold no bin of a short window: they stay empty (log of the floor).
            bank = bank / bank.sum(axis=1, keepdims=True).clip(min=1.0)
            self.register_buffer(f"bank_{window}", torch.from_numpy(bank), persistent=False)
            self.register_buffer(f"window_{window}", torch.hann_window(window), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """audio [b n], n a multiple of the hop -> [b window mel n/hop]; frame k centred on sample k hop."""
        frames = audio.shape[-1] // HOP
        channels = []
        for length in self.config.windows:
            window = getattr(self, f"window_{length}")
            stride = self.strides[length]
            spectrum = torch.stft(
                audio, length, HOP * stride, window=window, pad_mode="constant", return_complex=True
            )[..., : -(-frames // stride)]
            # sqrt(re^2 + im^2) is several times faster than abs() of a complex tensor on CPU.
            real, imaginary = torch.view_as_real(rearrange(spectrum, "b bin t -> b t bin")).unbind(-1)
            amplitude = (real * real + imaginary * imaginary).sqrt() * (2.0 / length)
            bands = functional.linear(amplitude, getattr(self, f"bank_{length}"))
            channel = torch.log(bands + self.config.floor).repeat_interleave(stride, dim=1)
            channels.append(channel[:, :frames])
        return rearrange(channels, "window b t mel -> b window mel t")
