"""Effects on a recording: rooms, tone, dynamics, tape, codecs, noise.

Every effect is a function (audio float32 [samples] at 44.1 kHz, rng) -> float32 of the same length. None
moves an attack: filters have zero phase, and the direct sound stays in place. Output is finite, also for
silence.
"""

from functools import lru_cache

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import lfilter

from data.dsp.config import EFFECTS, EffectsConfig
from mt3drum.config import SAMPLE_RATE

BLOCK = 64
"""Samples per block of the compressor's level meter: 1.5 ms, faster than any attack time used."""

Audio = NDArray[np.float32]
_NOISE_SECONDS = 12


def room_response(
    rng: np.random.Generator, seconds: float | None = None, config: EffectsConfig = EFFECTS
) -> Audio:
    """Impulse response without the direct sound: early reflections, then noise dying faster at high
    frequencies.

    seconds: time to fall by 60 dB; drawn from 0.1 to 1.2 s, mostly short, when not given. Unit energy.
    """
    drawn = np.log(config.room_median), config.room_spread
    seconds = seconds or float(np.clip(rng.lognormal(*drawn), *config.room_limits))
    length = int(seconds * SAMPLE_RATE)
    time = np.arange(length, dtype=np.float32) / SAMPLE_RATE
    dark, light = rng.uniform(*config.room_dark), rng.uniform(*config.room_light)
    white = noise_slice(rng, length, "white")
    dull = lfilter([1.0], [1.0, -np.exp(-2 * np.pi * dark / SAMPLE_RATE)], white).astype(np.float32)
    dull *= np.float32(1 - np.exp(-2 * np.pi * dark / SAMPLE_RATE))
    tail = dull * np.exp(-6.9 * time / seconds) * 3 + white * np.exp(
        -6.9 * time / (seconds * rng.uniform(*config.room_highs))
    )
    if light < 9000:
        coefficient = np.exp(-2 * np.pi * light / SAMPLE_RATE)
        tail = lfilter([1 - coefficient], [1.0, -coefficient], tail)
    first = int(rng.uniform(*config.room_gap) * SAMPLE_RATE)
    tail[:first] = 0
    tail /= np.sqrt(np.sum(tail**2)) + 1e-9
    delays = rng.uniform(*config.room_echo_delay, rng.integers(*config.room_echoes))
    echoes = np.minimum((delays * SAMPLE_RATE).astype(int), length - 1)
    level = config.room_echo_level
    np.add.at(tail, echoes, rng.uniform(-level, level, len(echoes)) / (1 + echoes / 400))
    return (tail / (np.sqrt(np.sum(tail**2)) + 1e-9)).astype(np.float32)


def room(audio: Audio, rng: np.random.Generator, config: EffectsConfig = EFFECTS) -> Audio:
    """Add reverberation."""
    response = room_response(rng, config=config)
    wet = float(rng.uniform(*config.room_wet))
    size = next_fast_len(len(audio) + len(response), real=True)
    reflected = irfft(rfft(audio, size) * rfft(response, size), size)[: len(audio)]
    return (audio + np.float32(wet) * reflected).astype(np.float32)


@lru_cache(maxsize=8)
def _log_frequencies(bins: int) -> NDArray[np.float32]:
    """log2 of each bin's frequency in Hz (bin 0 counts as half of bin 1)."""
    hertz = np.arange(bins, dtype=np.float64)
    hertz[0] = 0.5
    return np.log2(hertz * (SAMPLE_RATE / 2 / max(1, bins - 1))).astype(np.float32)


def tone_curve(
    bins: int, rng: np.random.Generator, deviation: float | None = None, config: EffectsConfig = EFFECTS
) -> Audio:
    """Gain per FFT bin: a tilt, random shelves and up to three peaks or dips, `deviation` dB each (of the
    configuration where not given)."""
    deviation = config.tone_deviation if deviation is None else deviation
    knots = np.log2([20, 60, 150, 400, 1000, 2500, 6000, 12_000, 22_050])
    centre = np.linspace(-1, 1, len(knots))
    decibels = rng.normal(0, deviation) * centre + rng.normal(0, deviation, len(knots))
    grid = np.linspace(np.log2(20), np.log2(22_050), 200)
    curve = np.interp(grid, knots, decibels)
    for _ in range(int(rng.integers(0, config.tone_peaks))):
        curve += rng.normal(0, 1.5 * deviation) * np.exp(
            -(((grid - rng.uniform(6, 13.5)) / rng.uniform(*config.tone_width)) ** 2)
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
    """Number of FFT bins that shape() uses for `samples` samples."""
    return next_fast_len(samples, real=True) // 2 + 1


def low_pass_curve(bins: int, rng: np.random.Generator, config: EffectsConfig = EFFECTS) -> Audio:
    """Gain per FFT bin: the steep low-pass of a lossy codec or a low sampling rate."""
    return band_curve(bins, 0, rng.uniform(*config.low_pass), 40)


def telephone_curve(bins: int, rng: np.random.Generator, config: EffectsConfig = EFFECTS) -> Audio:
    """Gain per FFT bin of a telephone, AM radio or small loudspeaker."""
    low, high = rng.uniform(*config.telephone_low), rng.uniform(*config.telephone_high)
    return band_curve(bins, low, high, rng.uniform(*config.telephone_order))


def compress(audio: Audio, rng: np.random.Generator, config: EffectsConfig = EFFECTS) -> Audio:
    """Bus compressor: 2:1 to 8:1 above a threshold 6 to 24 dB below the peak, measured per block; release 15
    to 400 ms."""
    blocks = -(-len(audio) // BLOCK)
    padded = np.zeros(blocks * BLOCK, dtype=np.float32)
    padded[: len(audio)] = audio
    level = np.abs(padded.reshape(blocks, BLOCK)).max(axis=1)
    peak = float(level.max(initial=0.0))
    if peak < 1e-6:
        return audio
    rate = SAMPLE_RATE / BLOCK
    attack = np.exp(-1 / (rate * rng.uniform(*config.compress_attack)))
    fast, slow = config.compress_release
    release = np.exp(-1 / (rate * slow * (fast / slow) ** rng.random()))
    smooth = lfilter([1 - attack], [1, -attack], level)
    held = np.maximum(smooth, lfilter([1 - release], [1, -release], smooth))
    threshold = peak * 10 ** (-rng.uniform(*config.compress_threshold) / 20)
    over = np.maximum(20 * np.log10(np.maximum(held, 1e-9) / threshold), 0)
    gain = 10 ** (-over * (1 - 1 / rng.uniform(*config.compress_ratio)) / 20)
    centres = np.arange(blocks) * BLOCK
    return (audio * np.interp(np.arange(len(audio)), centres, gain)).astype(np.float32)


def limit(audio: Audio, rng: np.random.Generator, config: EffectsConfig = EFFECTS) -> Audio:
    """Loudness maximiser: 3 to 12 dB of drive into a ceiling, with 1.5 ms look-ahead and 20 to 100 ms
    release.
    """
    peak = float(np.abs(audio).max(initial=0.0))
    if peak < 1e-6:
        return audio
    blocks = -(-len(audio) // BLOCK)
    padded = np.zeros(blocks * BLOCK, dtype=np.float32)
    padded[: len(audio)] = audio * (10 ** (rng.uniform(*config.limit_drive) / 20) / peak)
    level = np.abs(padded.reshape(blocks, BLOCK)).max(axis=1)
    ahead = np.maximum(level, np.maximum(np.append(level[1:], 0), np.append(0, level[:-1])))
    release = np.exp(-BLOCK / (SAMPLE_RATE * rng.uniform(*config.limit_release)))
    held = np.maximum(ahead, lfilter([1 - release], [1, -release], ahead))
    gain = 1 / np.maximum(held, 1.0)
    centres = np.arange(blocks) * BLOCK + BLOCK // 2
    out = padded[: len(audio)] * np.interp(np.arange(len(audio)), centres, gain)
    return np.clip(out, -1, 1).astype(np.float32)


def saturate(audio: Audio, rng: np.random.Generator, config: EffectsConfig = EFFECTS) -> Audio:
    """Tape, valve or transistor overload: tanh at 0 to 14 dB of drive, slightly asymmetric; peak kept."""
    peak = float(np.abs(audio).max(initial=0.0))
    if peak < 1e-6:
        return audio
    drive = 10 ** (rng.uniform(*config.saturate_drive) / 20)
    bias = rng.uniform(-config.saturate_bias, config.saturate_bias)
    bent = np.tanh(audio * np.float32(drive / peak) + np.float32(bias)) - np.float32(np.tanh(bias))
    return (bent * (peak / float(np.abs(bent).max()))).astype(np.float32)


def crush(audio: Audio, rng: np.random.Generator, config: EffectsConfig = EFFECTS) -> Audio:
    """Early digital: 6 to 12 bits, sometimes every second or third sample held."""
    steps = np.float32(2 ** rng.uniform(*config.crush_steps))
    peak = max(float(np.abs(audio).max(initial=0.0)), 1e-6)
    out = np.round(audio * (steps / peak)) * (peak / steps)
    hold = int(rng.integers(*config.crush_hold))
    if hold > 1:
        groups = np.pad(out, (0, -len(out) % hold)).reshape(-1, hold)
        out = np.repeat(groups.mean(axis=1), hold)[: len(audio)]
    return out.astype(np.float32)


def codec(audio: Audio, rng: np.random.Generator, config: EffectsConfig = EFFECTS) -> Audio:
    """A low-bitrate codec: time-frequency cells far below their neighbours in the frame vanish (spectral
    holes).
    """
    window = 1024
    cells = cells_of(audio, window)
    power = np.abs(cells[:, :512]) ** 2
    around = power.reshape(len(power), 32, 16).mean(axis=2)
    threshold = np.repeat(around, 16, axis=1) * np.float32(10 ** (-rng.uniform(*config.codec_holes) / 10))
    floor = power.max() * 10 ** (-rng.uniform(*config.codec_floor) / 10)
    cells[:, :512][power < np.maximum(threshold, floor)] = 0
    cells[:, int(rng.uniform(*config.codec_high) / SAMPLE_RATE * window) :] = 0
    return joined(cells, window, len(audio))


def cells_of(audio: Audio, window: int) -> NDArray[np.complex64]:
    """STFT cells [frames window / 2 + 1]: sine windows that overlap by half; `joined` inverts it."""
    hop = window // 2
    frames = len(audio) // hop + 2
    padded = np.zeros(frames * hop + window, dtype=np.float32)
    padded[hop : hop + len(audio)] = audio
    return rfft(np.lib.stride_tricks.sliding_window_view(padded, window)[::hop] * _sine(window), axis=1)


def joined(cells: NDArray[np.complex64], window: int, samples: int) -> Audio:
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
    """Twelve seconds of fixed noise with RMS 1, read from a random position."""
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


def background(audio: Audio, rng: np.random.Generator, config: EffectsConfig = EFFECTS) -> Audio:
    """White or pink noise, sometimes mains hum, 70 to 30 dB below the peak."""
    decibels = rng.uniform(*config.noise_level)
    level = max(float(np.abs(audio).max(initial=0.0)), 1e-3) * 10 ** (decibels / 20)
    colour = "white" if rng.random() < config.noise_white else "pink"
    out = audio + np.float32(level) * noise_slice(rng, len(audio), colour)
    if rng.random() < config.hum:
        angle = np.arange(len(audio), dtype=np.float32) * np.float32(
            2 * np.pi * rng.choice([50, 60]) / SAMPLE_RATE
        )
        out = out + np.float32(level) * (np.sin(angle) + rng.uniform(0, 1) * np.sin(3 * angle))
    return out.astype(np.float32)


def vinyl(audio: Audio, rng: np.random.Generator, config: EffectsConfig = EFFECTS) -> Audio:
    """Crackle: up to 40 short ticks per second, a few of them loud, over surface noise."""
    peak = max(float(np.abs(audio).max(initial=0.0)), 1e-3)
    surface = np.float32(peak * 10 ** (rng.uniform(*config.vinyl_surface) / 20))
    out = audio + surface * noise_slice(rng, len(audio), "pink")
    count = rng.poisson(rng.uniform(*config.vinyl_ticks) * len(audio) / SAMPLE_RATE)
    places = rng.integers(0, max(1, len(audio) - 64), count)
    heights = peak * 10 ** (rng.normal(*config.vinyl_tick_level, count) / 20) * rng.choice([-1.0, 1.0], count)
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
