"""Ranges of effects and pedals: what recordings go through between the drum and the listener.

Ranges are drawn evenly unless said otherwise. What one synthesised sound consists of (`data.dsp.tones`) stays
in the function that makes it.
"""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class EffectsConfig:
    """Of `data.dsp.effects`."""

    room_median: float = 0.3
    """Reverberation time in seconds, log-normal: mostly booths and living rooms."""
    room_spread: float = 0.6
    """Standard deviation of its logarithm."""
    room_limits: Range = (0.1, 1.2)
    """Seconds it is clipped to."""
    room_dark: Range = (300.0, 2000.0)
    """Hz above which the late reverberation is damped: walls and air absorb highs."""
    room_light: Range = (3000.0, 12_000.0)
    """Hz above which all of it is damped; over 9 kHz it is left alone."""
    room_highs: Range = (0.3, 0.8)
    """Reverberation time of the highs relative to the rest."""
    room_gap: Range = (0.002, 0.02)
    """Seconds from the direct sound to the late reverberation."""
    room_echoes: tuple[int, int] = (3, 12)
    """Early reflections: at least, fewer than."""
    room_echo_delay: Range = (0.001, 0.04)
    """Seconds until an early reflection."""
    room_echo_level: float = 0.3
    """Amplitude of an early reflection, either sign, before it falls with its delay."""
    room_wet: Range = (0.05, 0.6)
    """Reflections relative to the direct sound."""
    tone_deviation: float = 3.5
    """dB of the tone control (standard deviation): a desk's usual corrections."""
    tone_peaks: int = 4
    """Fewer than this many peaks or dips."""
    tone_width: Range = (0.1, 0.7)
    """Octaves of a peak."""
    low_pass: Range = (6000.0, 16_000.0)
    """Hz at which a lossy codec or a low sampling rate ends."""
    telephone_low: Range = (80.0, 400.0)
    """Hz at which a small loudspeaker begins."""
    telephone_high: Range = (3000.0, 6000.0)
    """Hz at which it ends."""
    telephone_order: Range = (2.0, 6.0)
    """Steepness of both ends, 6 dB per octave each."""
    compress_threshold: Range = (6.0, 24.0)
    """dB below the peak."""
    compress_ratio: Range = (2.0, 8.0)
    """Bus compressor to limiter."""
    compress_attack: Range = (0.001, 0.03)
    """Seconds."""
    compress_release: Range = (0.015, 0.4)
    """Seconds, drawn logarithmically: pumping to levelling."""
    limit_drive: Range = (3.0, 12.0)
    """dB into the ceiling of a loudness maximiser."""
    limit_release: Range = (0.02, 0.1)
    """Seconds."""
    saturate_drive: Range = (0.0, 14.0)
    """dB into tanh: tape to a valve driven hard."""
    saturate_bias: float = 0.2
    """Largest asymmetry, either way: even harmonics."""
    crush_steps: Range = (5.0, 11.0)
    """log2 of the steps on either side of zero: 6 to 12 bits."""
    crush_hold: tuple[int, int] = (1, 4)
    """Samples held: at least, fewer than."""
    codec_holes: Range = (3.0, 14.0)
    """dB below its neighbours at which a cell vanishes."""
    codec_floor: Range = (45.0, 75.0)
    """dB below the loudest cell at which all vanish."""
    codec_high: Range = (7000.0, 16_000.0)
    """Hz at which the codec ends."""
    separation_error: Range = (0.0, 6.0)
    """dB (standard deviation) by which a separator misjudges a time-frequency cell."""
    separation_sharpness: Range = (0.5, 2.0)
    """Exponent of the power ratio of drums and band: 1 is a Wiener mask."""
    separation_leak: Range = (12.0, 40.0)
    """dB by which a separator lowers what is not drums."""
    noise_level: Range = (-70.0, -30.0)
    """dB of background noise relative to the peak: converter to cheap preamplifier."""
    noise_white: float = 0.5
    """Probability that it is white, not pink."""
    hum: float = 0.25
    """Probability of mains hum under it."""
    vinyl_surface: Range = (-60.0, -40.0)
    """dB of surface noise relative to the peak."""
    vinyl_ticks: Range = (1.0, 40.0)
    """Ticks a second: a clean to a worn record."""
    vinyl_tick_level: Range = (-32.0, 7.0)
    """dB of a tick relative to the peak: mean and standard deviation."""


@dataclass(frozen=True)
class PedalConfig:
    """Of `data.dsp.pedals`."""

    drive: float = 45.0
    """Most gain of a guitar amplifier in dB over the mean level."""
    tight: Range = (60.0, 400.0)
    """Hz below which bass is cut before the overdrive."""
    cabinet_low: Range = (60.0, 120.0)
    """Hz at which the loudspeaker begins."""
    cabinet_high: Range = (3000.0, 7500.0)
    """Hz at which it ends."""
    cabinet_order: tuple[int, int] = (1, 4)
    """Order of its filter: at least, less than."""
    bias: float = 0.5
    """Largest asymmetry of the overdrive, either way."""
    toned: float = 0.5
    """Probability of a tone control behind the amplifier."""
    tone_deviation: float = 3.0
    """dB of that control (standard deviation)."""
    wah_bottom: Range = (300.0, 700.0)
    """Hz of the lowest of three bands."""
    wah_rate: Range = (0.1, 3.0)
    """Sweeps a second: a slow phaser to a foot in time."""
    wah_dry: Range = (0.0, 0.4)
    """Share of the sound that goes past the pedal."""
    double_delay: Range = (0.005, 0.03)
    """Seconds by which the second take is late."""
    double_level: Range = (0.3, 0.9)
    """Its level relative to the first."""


EFFECTS = EffectsConfig()
PEDALS = PedalConfig()
