"""What happens to a recording between the drum and the listener: rooms, tone, dynamics, tape, codecs, noise.

Every effect is a function (audio float32 [samples] at 44.1 kHz, rng) -> float32 of the same length. None
moves an attack: filters have zero phase and the direct sound of a room stays where it was. All are finite on
silence.
"""

from functools import lru_cache

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import lfilter

from mt3drum.config import SAMPLE_RATE

BLOCK = 64
"""Samples per block of the compressor's level meter: 1.5 ms, faster than any attack time used."""

Audio = NDArray[np.float32]
_NOISE_SECONDS = 12


def room_response(rng: np.random.Generator, seconds: float | None = None) -> Audio:
    """Impulse response without the direct sound: early reflections, then noise dying faster at high
    frequencies.

    seconds: time to fall by 60 dB; drawn from 0.1 to 1.2 s, mostly short, when not given. Unit energy.
    """
    seconds = seconds or float(np.clip(rng.lognormal(np.log(0.3), 0.6), 0.1, 1.2))
    length = int(seconds * SAMPLE_RATE)
    time = np.arange(length, dtype=np.float32) / SAMPLE_RATE
    dark, light = rng.uniform(300, 2000), rng.uniform(3000, 12_000)
    white = noise_slice(rng, length, "white")
    dull = lfilter([1.0], [1.0, -np.exp(-2 * np.pi * dark / SAMPLE_RATE)], white).astype(np.float32)
    dull *= np.float32(1 - np.exp(-2 * np.pi * dark / SAMPLE_RATE))
    tail = dull * np.exp(-6.9 * time / seconds) * 3 + white * np.exp(
        -6.9 * time / (seconds * rng.uniform(0.3, 0.8))
    )
    if light < 9000:
        coefficient = np.exp(-2 * np.pi * light / SAMPLE_RATE)
        tail = lfilter([1 - coefficient], [1.0, -coefficient], tail)
    first = int(rng.uniform(0.002, 0.02) * SAMPLE_RATE)
    tail[:first] = 0
    tail /= np.sqrt(np.sum(tail**2)) + 1e-9
    echoes = np.minimum((rng.uniform(0.001, 0.04, rng.integers(3, 12)) * SAMPLE_RATE).astype(int), length - 1)
    np.add.at(tail, echoes, rng.uniform(-0.3, 0.3, len(echoes)) / (1 + echoes / 400))
    return (tail / (np.sqrt(np.sum(tail**2)) + 1e-9)).astype(np.float32)


def room(audio: Audio, rng: np.random.Generator, wet: float | None = None) -> Audio:
    """The sound in a room; wet is the reflections' level relative to the direct sound (drawn if None)."""
    response = room_response(rng)
    wet = float(rng.uniform(0.05, 0.6)) if wet is None else wet
    size = next_fast_len(len(audio) + len(response), real=True)
    reflected = irfft(rfft(audio, size) * rfft(response, size), size)[: len(audio)]
    return (audio + np.float32(wet) * reflected).astype(np.float32)


@lru_cache(maxsize=8)
def _log_frequencies(bins: int) -> NDArray[np.float32]:
    """log2 of each bin's frequency in Hz (bin 0 counts as half of bin 1)."""
    hertz = np.arange(bins, dtype=np.float64)
    hertz[0] = 0.5
    return np.log2(hertz * (SAMPLE_RATE / 2 / max(1, bins - 1))).astype(np.float32)


def tone_curve(bins: int, rng: np.random.Generator, deviation: float = 3.5) -> Audio:
    """Gain per FFT bin: a tilt, random shelves and one to three peaks or dips, `deviation` dB each."""
    knots = np.log2([20, 60, 150, 400, 1000, 2500, 6000, 12_000, 22_050])
    centre = np.linspace(-1, 1, len(knots))
    decibels = rng.normal(0, deviation) * centre + rng.normal(0, deviation, len(knots))
    grid = np.linspace(np.log2(20), np.log2(22_050), 200)
    curve = np.interp(grid, knots, decibels)
    for _ in range(int(rng.integers(0, 4))):
        curve += rng.normal(0, 1.5 * deviation) * np.exp(
            -(((grid - rng.uniform(6, 13.5)) / rng.uniform(0.1, 0.7)) ** 2)
        )
    return np.interp(_log_frequencies(bins), grid, 10 ** (curve / 20)).astype(np.float32)


def band_curve(bins: int, low: float, high: float, order: float = 4.0) -> Audio:
    """Gain per FFT bin of a band-pass from low to high Hz falling 6 dB * order per octave outside."""
    octave = _log_frequencies(bins)
    gain = np.ones(bins, dtype=np.float32)
    if low > 25:
        gain /= np.sqrt(1 + 2.0 ** np.clip(2 * order * (np.float32(np.log2(low)) - octave), -60, 60))
    if high < 21_000:
        gain /= np.sqrt(1 + 2.0 ** np.clip(2 * order * (octave - np.float32(np.log2(high))), -60, 60))
    return gain.astype(np.float32)


def shape(audio: Audio, curve: Audio) -> Audio:
    """Apply a gain per FFT bin; `curve` has fast_bins(len(audio)) entries."""
    size = next_fast_len(len(audio), real=True)
    return irfft(rfft(audio, size) * curve, size)[: len(audio)].astype(np.float32)


def fast_bins(samples: int) -> int:
    """Number of bins of the FFT that shape() takes of `samples` samples."""
    return next_fast_len(samples, real=True) // 2 + 1


def equalise(audio: Audio, rng: np.random.Generator) -> Audio:
    """Random tone control."""
    return shape(audio, tone_curve(fast_bins(len(audio)), rng))


def band_limit(audio: Audio, rng: np.random.Generator) -> Audio:
    """The steep low-pass of a lossy codec or a low sampling rate, 6 to 16 kHz."""
    return shape(audio, band_curve(fast_bins(len(audio)), 0, rng.uniform(6000, 16_000), 40))


def telephone(audio: Audio, rng: np.random.Generator) -> Audio:
    """Telephone, AM radio or a small loudspeaker: 80..400 Hz to 3..6 kHz."""
    curve = band_curve(
        fast_bins(len(audio)), rng.uniform(80, 400), rng.uniform(3000, 6000), rng.uniform(2, 6)
    )
    return shape(audio, curve)


def compress(audio: Audio, rng: np.random.Generator) -> Audio:
    """Bus compressor: 2:1 to 8:1 above a threshold 6 to 24 dB below the peak, measured per block; it lets go
    in 15 to 400 ms.
    """
    blocks = -(-len(audio) // BLOCK)
    padded = np.zeros(blocks * BLOCK, dtype=np.float32)
    padded[: len(audio)] = audio
    level = np.abs(padded.reshape(blocks, BLOCK)).max(axis=1)
    peak = float(level.max(initial=0.0))
    if peak < 1e-6:
        return audio
    rate = SAMPLE_RATE / BLOCK
    attack = np.exp(-1 / (rate * rng.uniform(0.001, 0.03)))
    release = np.exp(-1 / (rate * 0.4 * (0.015 / 0.4) ** rng.random()))
    smooth = lfilter([1 - attack], [1, -attack], level)
    held = np.maximum(smooth, lfilter([1 - release], [1, -release], smooth))
    threshold = peak * 10 ** (-rng.uniform(6, 24) / 20)
    over = np.maximum(20 * np.log10(np.maximum(held, 1e-9) / threshold), 0)
    gain = 10 ** (-over * (1 - 1 / rng.uniform(2, 8)) / 20)
    centres = np.arange(blocks) * BLOCK
    return (audio * np.interp(np.arange(len(audio)), centres, gain)).astype(np.float32)


def limit(audio: Audio, rng: np.random.Generator) -> Audio:
    """Loudness maximiser: 3 to 12 dB of drive into a ceiling, with 1.5 ms look-ahead and 20 to 100 ms
    release.
    """
    peak = float(np.abs(audio).max(initial=0.0))
    if peak < 1e-6:
        return audio
    blocks = -(-len(audio) // BLOCK)
    padded = np.zeros(blocks * BLOCK, dtype=np.float32)
    padded[: len(audio)] = audio * (10 ** (rng.uniform(3, 12) / 20) / peak)
    level = np.abs(padded.reshape(blocks, BLOCK)).max(axis=1)
    ahead = np.maximum(level, np.maximum(np.append(level[1:], 0), np.append(0, level[:-1])))
    release = np.exp(-BLOCK / (SAMPLE_RATE * rng.uniform(0.02, 0.1)))
    held = np.maximum(ahead, lfilter([1 - release], [1, -release], ahead))
    gain = 1 / np.maximum(held, 1.0)
    centres = np.arange(blocks) * BLOCK + BLOCK // 2
    out = padded[: len(audio)] * np.interp(np.arange(len(audio)), centres, gain)
    return np.clip(out, -1, 1).astype(np.float32)


def saturate(audio: Audio, rng: np.random.Generator) -> Audio:
    """Tape, valve or transistor overload: tanh at 0 to 14 dB of drive, slightly asymmetric; peak kept."""
    peak = float(np.abs(audio).max(initial=0.0))
    if peak < 1e-6:
        return audio
    drive = 10 ** (rng.uniform(0, 14) / 20)
    bias = rng.uniform(-0.2, 0.2)
    bent = np.tanh(audio * np.float32(drive / peak) + np.float32(bias)) - np.float32(np.tanh(bias))
    return (bent * (peak / float(np.abs(bent).max()))).astype(np.float32)


def crush(audio: Audio, rng: np.random.Generator) -> Audio:
    """Early digital: 6 to 12 bits, sometimes every second or third sample held."""
    steps = np.float32(2 ** rng.uniform(5, 11))
    peak = max(float(np.abs(audio).max(initial=0.0)), 1e-6)
    out = np.round(audio * (steps / peak)) * (peak / steps)
    hold = int(rng.integers(1, 4))
    if hold > 1:
        groups = np.pad(out, (0, -len(out) % hold)).reshape(-1, hold)
        out = np.repeat(groups.mean(axis=1), hold)[: len(audio)]
    return out.astype(np.float32)


def codec(audio: Audio, rng: np.random.Generator) -> Audio:
    """A low-bitrate codec: time-frequency cells far below their neighbours in the frame vanish (spectral
    holes).
    """
    window = 1024
    cells = _cells(audio, window)
    power = np.abs(cells[:, :512]) ** 2
    around = power.reshape(len(power), 32, 16).mean(axis=2)
    threshold = np.repeat(around, 16, axis=1) * np.float32(10 ** (-rng.uniform(3, 14) / 10))
    floor = power.max() * 10 ** (-rng.uniform(45, 75) / 10)
    cells[:, :512][power < np.maximum(threshold, floor)] = 0
    cells[:, int(rng.uniform(7000, 16_000) / SAMPLE_RATE * window) :] = 0
    return _joined(cells, window, len(audio))


SEPARATION_LEAK = (12.0, 40.0)
"""dB: how far the band stays above silence where a separator takes it out."""


def separate(drums: Audio, mix: Audio, rng: np.random.Generator) -> Audio:
    """What a source separator gives for the drums of a mix: each time-frequency cell of it times the drums'
    share of the power there; the share is too sharp or too soft, wrong by some dB from cell to cell, and
    never quite nothing."""
    window = 2048
    both = _cells(mix, window)
    own = _cells(drums, window)
    power, other = np.abs(own) ** 2 + 1e-12, np.abs(both - own) ** 2 + 1e-12
    decibels = 10 * np.log10(power / other) + rng.uniform(0, 6) * rng.standard_normal(own.shape)
    share = 1 / (1 + 10 ** (-rng.uniform(0.5, 2.0) * decibels.clip(-80, 80) / 10))
    leak = 10 ** (-rng.uniform(*SEPARATION_LEAK) / 20)
    return _joined(both * (leak + (1 - leak) * share), window, len(mix))


def _cells(audio: Audio, window: int) -> NDArray[np.complex64]:
    """[frames window / 2 + 1]: sine windows that overlap by half; `_joined` gives the audio back."""
    hop = window // 2
    frames = len(audio) // hop + 2
    padded = np.zeros(frames * hop + window, dtype=np.float32)
    padded[hop : hop + len(audio)] = audio
    return rfft(np.lib.stride_tricks.sliding_window_view(padded, window)[::hop] * _sine(window), axis=1)


def _joined(cells: NDArray[np.complex64], window: int, samples: int) -> Audio:
    hop = window // 2
    pieces = irfft(cells, window, axis=1) * _sine(window)
    out = np.zeros((len(pieces) + 1, hop), dtype=np.float32)
    out[:-1] += pieces[:, :hop]
    out[1:] += pieces[:, hop:]
    return out.reshape(-1)[hop : hop + samples].astype(np.float32)


def _sine(window: int) -> Audio:
    return np.sin(np.pi * (np.arange(window) + 0.5) / window).astype(np.float32)


@lru_cache(maxsize=4)
def _noise_table(colour: str) -> Audio:
    """Twelve seconds of noise, RMS 1, the same for everybody: read from a random place."""
    samples = _NOISE_SECONDS * SAMPLE_RATE
    white = np.random.default_rng(1).standard_normal(samples).astype(np.float32)
    if colour == "white":
        return white
    spectrum = rfft(white)
    spectrum *= 1 / np.sqrt(np.maximum(np.arange(len(spectrum)), 20 * _NOISE_SECONDS)).astype(np.float32)
    pink = irfft(spectrum, samples)
    return (pink / np.sqrt(np.mean(pink**2))).astype(np.float32)


def noise_slice(rng: np.random.Generator, samples: int, colour: str) -> Audio:
    """White or pink noise, RMS 1."""
    table = _noise_table(colour)
    start = int(rng.integers(len(table)))
    return np.take(table, np.arange(start, start + samples), mode="wrap") * rng.choice([-1.0, 1.0])


def background(audio: Audio, rng: np.random.Generator) -> Audio:
    """White or pink noise, sometimes mains hum, 70 to 30 dB below the peak."""
    level = max(float(np.abs(audio).max(initial=0.0)), 1e-3) * 10 ** (rng.uniform(-70, -30) / 20)
    out = audio + np.float32(level) * noise_slice(rng, len(audio), "white" if rng.random() < 0.5 else "pink")
    if rng.random() < 0.25:
        angle = np.arange(len(audio), dtype=np.float32) * np.float32(
            2 * np.pi * rng.choice([50, 60]) / SAMPLE_RATE
        )
        out = out + np.float32(level) * (np.sin(angle) + rng.uniform(0, 1) * np.sin(3 * angle))
    return out.astype(np.float32)


def vinyl(audio: Audio, rng: np.random.Generator) -> Audio:
    """Crackle: up to 40 short ticks a second, a few of them loud, over surface hiss."""
    peak = max(float(np.abs(audio).max(initial=0.0)), 1e-3)
    out = audio + np.float32(peak * 10 ** (rng.uniform(-60, -40) / 20)) * noise_slice(rng, len(audio), "pink")
    count = rng.poisson(rng.uniform(1, 40) * len(audio) / SAMPLE_RATE)
    places = rng.integers(0, max(1, len(audio) - 64), count)
    heights = peak * 10 ** (rng.normal(-32, 7, count) / 20) * rng.choice([-1.0, 1.0], count)
    for place, height in zip(places, np.clip(heights, -0.5 * peak, 0.5 * peak), strict=True):
        width = int(rng.integers(6, 50))
        out[place : place + width] += (height * np.exp(-np.arange(width) * 5 / width))[: len(out) - place]
    return out.astype(np.float32)


def change_speed(audio: Audio, factor: float, samples: int) -> Audio:
    """Play `factor` times faster (pitch moves, too): out[i] = audio[i * factor], band-limited by soxr, zero
    beyond.
    """
    needed = int(np.ceil(samples * factor)) + 1
    played = soxr.resample(audio[:needed], SAMPLE_RATE * factor, SAMPLE_RATE)[:samples]
    out = np.zeros(samples, dtype=np.float32)
    out[: len(played)] = played
    return out
