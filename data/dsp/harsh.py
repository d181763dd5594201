"""Recordings worse than any record: telephones across the room, halls, bootlegs, noise, clipping, low rates.

As in `data.dsp.effects`, every function is (audio float32 [samples] at 44.1 kHz, rng) -> float32 of the same
length, finite on silence, and moves no attack. Levels are relative to the recording's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import soxr
from scipy.fft import irfft, next_fast_len, rfft

from data.dsp import effects
from data.dsp.config import Range
from data.dsp.effects import Audio
from mt3drum.config import SAMPLE_RATE


@dataclass(frozen=True)
class HarshConfig:
    """How badly a recording is made; ranges are drawn evenly unless said otherwise."""

    kinds: dict[str, float] = field(
        default_factory=lambda: {
            "phone": 2.0,
            "hall": 2.0,
            "hiss": 1.5,
            "clip": 1.5,
            "squash": 1.0,
            "low_rate": 1.0,
            "cassette": 1.0,
            "upload": 1.5,
            "bootleg": 1.0,
        }
    )
    """Kind -> weight."""
    phone_low: Range = (150.0, 350.0)
    """Hz under which a telephone's microphone hears little."""
    phone_high: Range = (4500.0, 9000.0)
    """Hz above which it hears nothing, or its codec keeps nothing."""
    phone_drive: Range = (3.0, 18.0)
    """dB of overload: loud drums in a small room."""
    phone_snr: Range = (12.0, 40.0)
    """dB of the recording over the noise."""
    phone_room: Range = (0.2, 0.7)
    """Reverberation time of the room, seconds."""
    phone_wet: Range = (0.3, 1.2)
    """Its reverberation relative to the direct sound."""
    phone_codec: float = 0.4
    """Probability of the telephone's codec."""
    hall_seconds: Range = (0.8, 3.0)
    """Reverberation time, from a rehearsal room of concrete to a church."""
    hall_wet: Range = (0.4, 2.0)
    """Reverberation relative to the direct sound: above 1 the microphone is beyond the critical distance."""
    snr: Range = (4.0, 25.0)
    """dB of the recording over white or pink noise."""
    white: float = 0.6
    """Probability that noise is white, not pink."""
    clip: Range = (6.0, 20.0)
    """dB by which the peaks are cut."""
    squash: Range = (10.0, 24.0)
    """dB of gain into a limiter."""
    rates: tuple[float, ...] = (8000.0, 11_025.0, 11_025.0, 16_000.0)
    """Sampling rates of old telephones, games and voice messages, Hz."""
    tape_high: Range = (5000.0, 11_000.0)
    """Hz that a worn cassette still reproduces."""
    band_order: Range = (2.0, 6.0)
    """Steepness of the limits of a telephone or cassette, 6 dB per octave each."""
    crushed: float = 0.3
    """Probability of few bits at a low sampling rate."""
    tape_snr: Range = (20.0, 45.0)
    """dB of the recording over the hiss of a cassette."""
    tape_waver: Range = (0.0, 0.3)
    """Share by which the level of a cassette wavers."""
    upload_limited: float = 0.7
    """Probability of a loudness maximiser before an upload."""
    upload_passes: tuple[int, int] = (1, 3)
    """Times an upload is coded: at least, fewer than."""
    crowd: Range = (3.0, 20.0)
    """dB of the music over the crowd of a bootleg."""
    crowd_low: Range = (200.0, 500.0)
    """Hz above which a crowd is loud."""
    crowd_high: Range = (1500.0, 5000.0)
    """Hz up to which it is."""
    crowd_swell: Range = (0.3, 1.0)
    """Its level over time, relative."""
    boom: float = 5.0
    """dB (standard deviation) of a hall's tone at the microphone of a bootleg."""
    bootleg_drive: Range = (0.0, 12.0)
    """dB of overload of that microphone."""


def worsen(audio: Audio, rng: np.random.Generator, config: HarshConfig | None = None) -> Audio:
    """One kind of bad recording, drawn by weight."""
    config = config or HarshConfig()
    names, weights = list(config.kinds), np.array(list(config.kinds.values()))
    kind = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    return np.asarray(KINDS[kind](audio, rng, config), dtype=np.float32)


def phone(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """A telephone across a small room: reflections, overload, a narrow band, noise, at times its codec."""
    audio = _reverberate(audio, rng, rng.uniform(*config.phone_room), rng.uniform(*config.phone_wet))
    audio = overdrive(audio, rng.uniform(*config.phone_drive))
    low, high = rng.uniform(*config.phone_low), rng.uniform(*config.phone_high)
    audio = _band(audio, low, high, rng.uniform(*config.band_order))
    audio = add_noise(audio, rng, rng.uniform(*config.phone_snr), config.white)
    return effects.codec(audio, rng) if rng.random() < config.phone_codec else audio


def hall(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """A hall or church, the microphone far away."""
    return _reverberate(audio, rng, rng.uniform(*config.hall_seconds), rng.uniform(*config.hall_wet))


def hiss(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """White or pink noise."""
    return add_noise(audio, rng, rng.uniform(*config.snr), config.white)


def clip(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """Peaks cut off at an input that was set too high; the peak stays."""
    peak = float(np.abs(audio).max(initial=0.0))
    gain = np.float32(10 ** (rng.uniform(*config.clip) / 20))
    return np.clip(audio * gain, -peak, peak)


def squash(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """Loudness war: compressed, then far into the limiter."""
    audio = effects.compress(audio, rng)
    return effects.limit(overdrive(audio, rng.uniform(*config.squash) / 2), rng)


def low_rate(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """Sampled at 8 to 16 kHz, at times in few bits."""
    rate = float(rng.choice(config.rates))
    small = soxr.resample(audio, SAMPLE_RATE, rate)
    if rng.random() < config.crushed:
        small = effects.crush(np.asarray(small, dtype=np.float32), rng)
    large = soxr.resample(small, rate, SAMPLE_RATE)[: len(audio)]
    return np.pad(large, (0, len(audio) - len(large)))


def cassette(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """Tape: saturation, lost highs, hiss, a level that wavers."""
    audio = effects.saturate(audio, rng)
    audio = _band(audio, 40.0, rng.uniform(*config.tape_high), rng.uniform(*config.band_order))
    audio = add_noise(audio, rng, rng.uniform(*config.tape_snr), config.white)
    knots = 1 - rng.uniform(*config.tape_waver) * rng.random(2 + len(audio) // 8000)
    waver = np.interp(np.linspace(0, len(knots) - 1, len(audio)), np.arange(len(knots)), knots)
    return audio * waver.astype(np.float32)


def upload(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """A video that went round: limited, coded at a low rate, coded again."""
    audio = effects.limit(audio, rng) if rng.random() < config.upload_limited else audio
    for _ in range(int(rng.integers(*config.upload_passes))):
        audio = effects.codec(audio, rng)
    return audio


def bootleg(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """A concert from the audience: hall, boom, a crowd, an overloaded microphone."""
    audio = hall(audio, rng, config)
    audio = effects.shape(audio, effects.tone_curve(effects.fast_bins(len(audio)), rng, config.boom))
    white = _unit_noise(rng, len(audio))
    noise = _band(white, rng.uniform(*config.crowd_low), rng.uniform(*config.crowd_high), 2.0)
    swell = np.interp(np.linspace(0, 4, len(audio)), np.arange(5), rng.uniform(*config.crowd_swell, 5))
    level = _rms(audio) * 10 ** (-rng.uniform(*config.crowd) / 20)
    noise = noise * np.float32(level / max(1e-9, _rms(noise)))
    return overdrive(audio + noise * swell.astype(np.float32), rng.uniform(*config.bootleg_drive))


def overdrive(audio: Audio, decibels: float) -> Audio:
    """tanh at so much gain over the peak; the peak stays."""
    peak = float(np.abs(audio).max(initial=0.0))
    if peak < 1e-6:
        return audio
    gain = 10 ** (decibels / 20)
    return (np.tanh(audio * np.float32(gain / peak)) * np.float32(peak / np.tanh(gain))).astype(np.float32)


def add_noise(audio: Audio, rng: np.random.Generator, snr: float, white: float) -> Audio:
    """Add white (with probability `white`) or pink noise, `snr` dB below the recording (RMS to RMS)."""
    colour = "white" if rng.random() < white else "pink"
    noise = effects.noise_slice(rng, len(audio), colour)
    return (audio + np.float32(_rms(audio) * 10 ** (-snr / 20)) * noise).astype(np.float32)


def _unit_noise(rng: np.random.Generator, samples: int) -> Audio:
    return np.asarray(effects.noise_slice(rng, samples, "white"), dtype=np.float32)


def _rms(audio: Audio) -> float:
    return float(np.sqrt(np.mean(audio.astype(np.float64) ** 2))) if len(audio) else 0.0


def _band(audio: Audio, low: float, high: float, order: float) -> Audio:
    return effects.shape(audio, effects.band_curve(effects.fast_bins(len(audio)), low, high, order))


def _reverberate(audio: Audio, rng: np.random.Generator, seconds: float, wet: float) -> Audio:
    """The direct sound stays where it was."""
    response = effects.room_response(rng, seconds)
    size = next_fast_len(len(audio) + len(response), real=True)
    reflected = irfft(rfft(audio, size) * rfft(response, size), size)[: len(audio)]
    return (audio + np.float32(wet) * reflected).astype(np.float32)


KINDS: dict[str, Callable[[Audio, np.random.Generator, HarshConfig], Audio]] = {
    "phone": phone,
    "hall": hall,
    "hiss": hiss,
    "clip": clip,
    "squash": squash,
    "low_rate": low_rate,
    "cassette": cassette,
    "upload": upload,
    "bootleg": bootleg,
}
