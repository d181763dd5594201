"""Bad recordings: phones across the room, halls, bootlegs, noise, clipping, low sampling rates.

As in `data.dsp.effects`, every function is (audio float32 [samples] at 44.1 kHz, rng) -> float32 of the same
length, finite on silence, and moves no attack. Levels are relative to those of the recording.
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
    """Distribution of bad recordings; ranges are sampled uniformly unless stated otherwise."""

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
    """Lower cutoff of a phone's microphone in Hz."""
    phone_high: Range = (4500.0, 9000.0)
    """Upper cutoff of a phone's microphone or codec in Hz."""
    phone_drive: Range = (3.0, 18.0)
    """Overload in dB: loud drums in a small room."""
    phone_snr: Range = (12.0, 40.0)
    """Signal-to-noise ratio in dB."""
    phone_room: Range = (0.2, 0.7)
    """Reverberation time of the room in seconds."""
    phone_wet: Range = (0.3, 1.2)
    """Reverberation relative to the direct sound."""
    phone_codec: float = 0.4
    """Probability of the phone's codec."""
    hall_seconds: Range = (0.8, 3.0)
    """Reverberation time in seconds, from a concrete rehearsal room to a church."""
    hall_wet: Range = (0.4, 2.0)
    """Reverberation relative to the direct sound; above 1 the microphone is beyond the critical distance."""
    snr: Range = (4.0, 25.0)
    """Ratio of the recording to white or pink noise in dB."""
    white: float = 0.6
    """Probability of white rather than pink noise."""
    clip: Range = (6.0, 20.0)
    """dB by which the peaks are cut."""
    squash: Range = (10.0, 24.0)
    """Gain into a limiter in dB."""
    rates: tuple[float, ...] = (8000.0, 11_025.0, 11_025.0, 16_000.0)
    """Sampling rates in Hz of old phones, games and voice messages."""
    tape_high: Range = (5000.0, 11_000.0)
    """Upper cutoff of a worn cassette in Hz."""
    band_order: Range = (2.0, 6.0)
    """Order of the cutoffs of a phone or cassette, 6 dB per octave each."""
    crushed: float = 0.3
    """Probability of a low bit depth at a low sampling rate."""
    tape_snr: Range = (20.0, 45.0)
    """Ratio of the recording to the hiss of a cassette in dB."""
    tape_waver: Range = (0.0, 0.3)
    """Relative fluctuation of a cassette's level."""
    upload_limited: float = 0.7
    """Probability of a loudness maximiser before an upload."""
    upload_passes: tuple[int, int] = (1, 3)
    """Number of times an upload is coded; the upper end is excluded."""
    crowd: Range = (3.0, 20.0)
    """Ratio of the music to the crowd of a bootleg in dB."""
    crowd_low: Range = (200.0, 500.0)
    """Lower cutoff of the crowd in Hz."""
    crowd_high: Range = (1500.0, 5000.0)
    """Upper cutoff of the crowd in Hz."""
    crowd_swell: Range = (0.3, 1.0)
    """Relative level of the crowd over time."""
    boom: float = 5.0
    """Standard deviation in dB of a hall's tone at the microphone of a bootleg."""
    bootleg_drive: Range = (0.0, 12.0)
    """Overload of that microphone in dB."""


def worsen(audio: Audio, rng: np.random.Generator, config: HarshConfig | None = None) -> Audio:
    """Apply one kind of bad recording, drawn by weight."""
    config = config or HarshConfig()
    names, weights = list(config.kinds), np.array(list(config.kinds.values()))
    kind = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    return np.asarray(KINDS[kind](audio, rng, config), dtype=np.float32)


def phone(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """A phone across a small room: reflections, overload, a narrow band, noise, sometimes its codec."""
    audio = _reverberate(audio, rng, rng.uniform(*config.phone_room), rng.uniform(*config.phone_wet))
    audio = overdrive(audio, rng.uniform(*config.phone_drive))
    low, high = rng.uniform(*config.phone_low), rng.uniform(*config.phone_high)
    audio = _band(audio, low, high, rng.uniform(*config.band_order))
    audio = add_noise(audio, rng, rng.uniform(*config.phone_snr), config.white)
    return effects.codec(audio, rng) if rng.random() < config.phone_codec else audio


def hall(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """A hall or church with a distant microphone."""
    return _reverberate(audio, rng, rng.uniform(*config.hall_seconds), rng.uniform(*config.hall_wet))


def hiss(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """Add white or pink noise."""
    return add_noise(audio, rng, rng.uniform(*config.snr), config.white)


def clip(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """Clip the peaks, as with too much input gain; the peak level is kept."""
    peak = float(np.abs(audio).max(initial=0.0))
    gain = np.float32(10 ** (rng.uniform(*config.clip) / 20))
    return np.clip(audio * gain, -peak, peak)


def squash(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """Loudness war: compress, then drive a limiter hard."""
    audio = effects.compress(audio, rng)
    return effects.limit(overdrive(audio, rng.uniform(*config.squash) / 2), rng)


def low_rate(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """Resample to 8 to 16 kHz, sometimes at a low bit depth."""
    rate = float(rng.choice(config.rates))
    small = soxr.resample(audio, SAMPLE_RATE, rate)
    if rng.random() < config.crushed:
        small = effects.crush(np.asarray(small, dtype=np.float32), rng)
    large = soxr.resample(small, rate, SAMPLE_RATE)[: len(audio)]
    return np.pad(large, (0, len(audio) - len(large)))


def cassette(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """A cassette: saturation, lost highs, hiss, fluctuating level."""
    audio = effects.saturate(audio, rng)
    audio = _band(audio, 40.0, rng.uniform(*config.tape_high), rng.uniform(*config.band_order))
    audio = add_noise(audio, rng, rng.uniform(*config.tape_snr), config.white)
    knots = 1 - rng.uniform(*config.tape_waver) * rng.random(2 + len(audio) // 8000)
    waver = np.interp(np.linspace(0, len(knots) - 1, len(audio)), np.arange(len(knots)), knots)
    return audio * waver.astype(np.float32)


def upload(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """A re-uploaded video: limited, coded at a low bit rate, coded again."""
    audio = effects.limit(audio, rng) if rng.random() < config.upload_limited else audio
    for _ in range(int(rng.integers(*config.upload_passes))):
        audio = effects.codec(audio, rng)
    return audio


def bootleg(audio: Audio, rng: np.random.Generator, config: HarshConfig) -> Audio:
    """A concert recorded in the audience: hall, boom, a crowd, an overloaded microphone."""
    audio = hall(audio, rng, config)
    audio = effects.shape(audio, effects.tone_curve(effects.fast_bins(len(audio)), rng, config.boom))
    white = _unit_noise(rng, len(audio))
    noise = _band(white, rng.uniform(*config.crowd_low), rng.uniform(*config.crowd_high), 2.0)
    swell = np.interp(np.linspace(0, 4, len(audio)), np.arange(5), rng.uniform(*config.crowd_swell, 5))
    level = _rms(audio) * 10 ** (-rng.uniform(*config.crowd) / 20)
    noise = noise * np.float32(level / max(1e-9, _rms(noise)))
    return overdrive(audio + noise * swell.astype(np.float32), rng.uniform(*config.bootleg_drive))


def overdrive(audio: Audio, decibels: float) -> Audio:
    """Apply tanh with this gain above the peak; the peak level is kept."""
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
    """Add reverberation; the direct sound stays in place."""
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
