"""Ranges of effects and pedals: the signal path between the drum and the listener.

Ranges are sampled uniformly unless stated otherwise. The parameters of a single synthesised sound
(`data.dsp.tones`) are in the function that makes it.
"""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class EffectsConfig:
    """Settings of `data.dsp.effects`."""

    room_median: float = 0.3
    """Median reverberation time in seconds, log-normal: mostly booths and living rooms."""
    room_spread: float = 0.6
    """Standard deviation of its logarithm."""
    room_limits: Range = (0.1, 1.2)
    """Limits of the reverberation time in seconds."""
    room_dark: Range = (300.0, 2000.0)
    """Frequency in Hz above which late reverberation is damped: walls and air absorb highs."""
    room_light: Range = (3000.0, 12_000.0)
    """Frequency in Hz above which all reverberation is damped; above 9 kHz there is no damping."""
    room_highs: Range = (0.3, 0.8)
    """Reverberation time of high frequencies relative to the rest."""
    room_gap: Range = (0.002, 0.02)
    """Seconds from the direct sound to the late reverberation."""
    room_echoes: tuple[int, int] = (3, 12)
    """Number of early reflections; the upper end is excluded."""
    room_echo_delay: Range = (0.001, 0.04)
    """Delay of an early reflection in seconds."""
    room_echo_level: float = 0.3
    """Amplitude of an early reflection, either sign, before it falls with its delay."""
    room_wet: Range = (0.05, 0.6)
    """Reflections relative to the direct sound."""
    tone_deviation: float = 3.5
    """Standard deviation of the tone control in dB: usual corrections at a mixing desk."""
    tone_peaks: int = 4
    """Upper limit (excluded) for the number of peaks or dips."""
    tone_width: Range = (0.1, 0.7)
    """Width of a peak in octaves."""
    low_pass: Range = (6000.0, 16_000.0)
    """Cutoff in Hz of a lossy codec or a low sampling rate."""
    telephone_low: Range = (80.0, 400.0)
    """Lower cutoff of a small loudspeaker in Hz."""
    telephone_high: Range = (3000.0, 6000.0)
    """Upper cutoff in Hz."""
    telephone_order: Range = (2.0, 6.0)
    """Order of both filters, 6 dB per octave each."""
    compress_threshold: Range = (6.0, 24.0)
    """Threshold in dB below the peak."""
    compress_ratio: Range = (2.0, 8.0)
    """Compression ratio: bus compressor to limiter."""
    compress_attack: Range = (0.001, 0.03)
    """Attack in seconds."""
    compress_release: Range = (0.015, 0.4)
    """Release in seconds, sampled logarithmically: pumping to levelling."""
    limit_drive: Range = (3.0, 12.0)
    """Gain in dB into the ceiling of a loudness maximiser."""
    limit_release: Range = (0.02, 0.1)
    """Release in seconds."""
    saturate_drive: Range = (0.0, 14.0)
    """Gain in dB into tanh: from tape to an overdriven valve."""
    saturate_bias: float = 0.2
    """Maximum asymmetry in either direction, which adds even harmonics."""
    crush_steps: Range = (5.0, 11.0)
    """log2 of the steps on either side of zero: 6 to 12 bits."""
    crush_hold: tuple[int, int] = (1, 4)
    """Samples held; the upper end is excluded."""
    codec_holes: Range = (3.0, 14.0)
    """dB below its neighbours at which a time-frequency cell is removed."""
    codec_floor: Range = (45.0, 75.0)
    """dB below the loudest cell at which every cell is removed."""
    codec_high: Range = (7000.0, 16_000.0)
    """Cutoff of the codec in Hz."""
    separation_error: Range = (0.0, 6.0)
    """Standard deviation in dB of a separator's error per time-frequency cell."""
    separation_sharpness: Range = (0.5, 2.0)
    """Exponent of the power ratio of drums and band; 1 is a Wiener mask."""
    separation_leak: Range = (12.0, 40.0)
    """Attenuation in dB of what is not drums."""
    noise_level: Range = (-70.0, -30.0)
    """Background noise in dB relative to the peak: converter to cheap preamplifier."""
    noise_white: float = 0.5
    """Probability of white rather than pink noise."""
    hum: float = 0.25
    """Probability of additional mains hum."""
    vinyl_surface: Range = (-60.0, -40.0)
    """Surface noise in dB relative to the peak."""
    vinyl_ticks: Range = (1.0, 40.0)
    """Ticks per second: a clean to a worn record."""
    vinyl_tick_level: Range = (-32.0, 7.0)
    """Level of a tick in dB relative to the peak: mean and standard deviation."""


@dataclass(frozen=True)
class PedalConfig:
    """Settings of `data.dsp.pedals`."""

    drive: float = 45.0
    """Maximum gain of a guitar amplifier in dB over the mean level."""
    tight: Range = (60.0, 400.0)
    """Frequency in Hz below which bass is cut before the overdrive."""
    cabinet_low: Range = (60.0, 120.0)
    """Lower cutoff of the loudspeaker in Hz."""
    cabinet_high: Range = (3000.0, 7500.0)
    """Upper cutoff of the loudspeaker in Hz."""
    cabinet_order: tuple[int, int] = (1, 4)
    """Order of its filter; the upper end is excluded."""
    bias: float = 0.5
    """Maximum asymmetry of the overdrive in either direction."""
    toned: float = 0.5
    """Probability of a tone control after the amplifier."""
    tone_deviation: float = 3.0
    """Standard deviation of that control in dB."""
    wah_bottom: Range = (300.0, 700.0)
    """Centre of the lowest of three bands in Hz."""
    wah_rate: Range = (0.1, 3.0)
    """Sweeps per second: a slow phaser to a foot in time."""
    wah_dry: Range = (0.0, 0.4)
    """Share of the dry signal."""
    double_delay: Range = (0.005, 0.03)
    """Delay of the second take in seconds."""
    double_level: Range = (0.3, 0.9)
    """Its level relative to the first."""


EFFECTS = EffectsConfig()
PEDALS = PedalConfig()
