"""A stand-in for ADTOF-pytorch in measurements of time: its layers with made-up weights. It writes no hits.

PyPI has no release of it, and its weights cannot be had where this benchmark was made. What its command does
is here in the same order and sizes: the recording read by librosa, a log-frequency spectrogram (window 2,048,
100 frames a second, 12 bands an octave), two blocks of two convolutions (32 and 64 channels), three
bidirectional GRUs of 60 units and five sigmoids over the whole recording (Frame_RNN of Zehren et al. 2023).
Its GRUs run here in torch's own implementation; by default ADTOF-pytorch runs them frame by frame in Python,
which takes more than twice the time of all the rest.

    python -m scripts.bench_suite.peer RECORDING
"""

from __future__ import annotations

import sys
from pathlib import Path

import librosa
import numpy as np
import torch
from torch import nn

RATE, WINDOW, HOP = 44_100, 2_048, 441
BANDS_AN_OCTAVE, LOW, HIGH = 12, 20.0, 20_000.0
CLASSES, UNITS, CHANNELS = 5, 60, (32, 64)


def filters() -> np.ndarray:
    """[bands window/2] float32: triangles over the bins nearest to the bands, each with a bin of its own."""
    octaves = np.log2(HIGH / LOW)
    wanted = LOW * 2 ** (np.arange(int(octaves * BANDS_AN_OCTAVE) + 1) / BANDS_AN_OCTAVE)
    edges = np.unique(np.round(wanted * WINDOW / RATE).astype(int)).clip(0, WINDOW // 2 - 1)
    bins = np.arange(WINDOW // 2)
    bank = [np.interp(bins, edges[i : i + 3], (0.0, 1.0, 0.0)) for i in range(len(edges) - 2)]
    return np.stack([each / max(each.sum(), 1.0) for each in bank]).astype(np.float32)


def block(inside: int, outside: int) -> nn.Sequential:
    """Two convolutions, and of three bands the highest."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(outside),
        nn.Conv2d(outside, outside, 3, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(outside),
        nn.MaxPool2d((1, 3), ceil_mode=True),
    )


@torch.inference_mode()
def activations(path: Path) -> np.ndarray:
    """[frames 5]"""
    audio, _ = librosa.load(path, sr=RATE, mono=True)
    hann = np.hanning(WINDOW).astype(np.float32)
    spectrum = np.abs(
        librosa.stft(audio, n_fft=WINDOW, hop_length=HOP, window=hann, center=True, pad_mode="constant")
    )
    bands = np.log10(1.0 + filters() @ spectrum[: WINDOW // 2])
    x = torch.from_numpy(np.ascontiguousarray(bands.T))[None, None]  # [1 1 frames bands]
    for inside, outside in zip((1, *CHANNELS), CHANNELS, strict=False):
        x = block(inside, outside).eval()(x)
    states = x.permute(0, 2, 3, 1).flatten(2)
    for _ in range(3):
        states, _ = nn.GRU(states.shape[-1], UNITS, batch_first=True, bidirectional=True)(states)
    return np.asarray(torch.sigmoid(nn.Linear(2 * UNITS, CLASSES)(states))[0])


if __name__ == "__main__":
    activations(Path(sys.argv[1]))
