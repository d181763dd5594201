"""Non-musical backgrounds: weather, traffic, machines, animals, crowds, footsteps, typing, speech.

Dense textures are noise and Poisson trains of short grains, convolved with a few kernels, so that ten seconds
cost tens of milliseconds. No sound is a single loud stroke: claps come by the hundred, footsteps and keys are
mixed with room noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, sosfilt

from data.band import voice
from data.band.notes import NoteBank
from data.dsp import effects, tones
from data.dsp.levels import add_track
from data.dsp.tones import Audio
from mt3drum.config import SAMPLE_RATE

Range = tuple[float, float]


@dataclass(frozen=True)
class AmbienceConfig:
    """Distributions of a background; ranges are sampled logarithmically."""

    kinds: dict[str, float] = field(
        default_factory=lambda: {
            "purr": 1.5,
            "wind": 1.0,
            "rain": 1.0,
            "traffic": 1.0,
            "applause": 1.2,
            "steps": 1.0,
            "typing": 1.0,
            "babble": 1.5,
            "hum": 0.7,
            "engine": 1.2,
        }
    )
    """Kind -> weight; purring and speech were most often taken for drums."""
    count: tuple[float, ...] = (0.7, 0.3)
    """Probability of one and of two kinds at once."""
    purr_rate: Range = (20.0, 32.0)
    """Pulses per second of a purring cat (25 to 30 in the literature)."""
    claps: Range = (80.0, 800.0)
    """Claps per second of an audience; below about fifty, single claps stand out."""
    drops: Range = (150.0, 2500.0)
    """Raindrops per second."""
    steps: Range = (1.3, 2.6)
    """Footsteps per second, from strolling to running."""
    keys: Range = (3.0, 10.0)
    """Keystrokes per second."""
    firing: Range = (15.0, 110.0)
    """Ignitions per second of an engine."""
    bed: Range = (0.1, 0.6)
    """RMS of the room noise relative to footsteps or keys."""
    room: float = 0.4
    """Probability of reverberation."""


def render_ambience(
    bank: NoteBank, seconds: float, rng: np.random.Generator, config: AmbienceConfig
) -> Audio:
    """Render one or two backgrounds: float32 [seconds * 44100], not levelled."""
    samples = round(seconds * SAMPLE_RATE)
    mix = np.zeros(samples, dtype=np.float32)
    names, weights = list(config.kinds), np.array(list(config.kinds.values()))
    count = 1 + int(rng.choice(len(config.count), p=config.count))
    for index in rng.choice(len(names), count, replace=False, p=weights / weights.sum()):
        add_track(mix, background(names[index], bank, samples, rng, config), rng.uniform(-8, 0))
    return effects.room(mix, rng) if rng.random() < config.room else mix


def background(
    kind: str, bank: NoteBank, samples: int, rng: np.random.Generator, config: AmbienceConfig
) -> Audio:
    """Render one background: float32 [samples].

    Raises:
        KeyError: the kind is unknown.
    """
    if kind == "babble":
        return _babble(bank, samples, rng)
    return MAKERS[kind](samples, rng, config)


def _draw(limits: Range, rng: np.random.Generator) -> float:
    return float(limits[0] * (limits[1] / limits[0]) ** rng.random())


def _noise(samples: int, low: float, high: float, rng: np.random.Generator, order: int = 1) -> Audio:
    """Band-limited noise of RMS 1."""
    white = rng.standard_normal(samples, dtype=np.float32)
    sos = butter(order, [low, min(high, 20_000.0)], "band", fs=SAMPLE_RATE, output="sos")
    found = sosfilt(sos, white)
    return (found / max(1e-6, float(found.std()))).astype(np.float32)


def _drift(samples: int, seconds: float, rng: np.random.Generator) -> Audio:
    """A smooth random curve 0..1 that changes about every `seconds`."""
    knots = rng.random(max(4, int(samples / SAMPLE_RATE / seconds) + 4))
    place = np.linspace(0, len(knots) - 2, samples)
    index = place.astype(np.int64)
    part = (1 - np.cos(np.pi * (place - index))) / 2
    return (knots[index] * (1 - part) + knots[index + 1] * part).astype(np.float32)


def _grains(
    samples: int, rate: float | NDArray[np.floating], kernel: Audio, rng: np.random.Generator
) -> Audio:
    """A Poisson train of one grain with random gain and sign; `rate` per second, or a curve of rates."""
    chance = np.asarray(rate, dtype=np.float32) / SAMPLE_RATE
    struck = rng.random(samples, dtype=np.float32) < chance
    train = np.zeros(samples, dtype=np.float32)
    count = int(struck.sum())
    train[struck] = rng.lognormal(0, 0.6, count) * rng.choice((-1.0, 1.0), count)
    size = next_fast_len(samples + len(kernel), real=True)
    return irfft(rfft(train, size) * rfft(kernel, size), size)[:samples].astype(np.float32)


def _rain(samples: int, rng: np.random.Generator, config: AmbienceConfig) -> Audio:
    out = _noise(samples, rng.uniform(200, 2000), rng.uniform(6000, 16_000), rng)
    out *= np.float32(rng.uniform(0.1, 1.0)) * (0.6 + 0.4 * _drift(samples, 2.0, rng))
    for _ in range(3):  # near drops, on leaves, tin or windows
        drop = tones.noise_burst(rng, rng.uniform(1500, 9000), 0.7, rng.uniform(0.004, 0.02))
        grains = _grains(samples, _draw(config.drops, rng) / 3, drop, rng)
        out += grains * np.float32(rng.uniform(0.2, 1.0) / max(1e-6, float(grains.std())))
    return out


def _wind(samples: int, rng: np.random.Generator, config: AmbienceConfig) -> Audio:
    out = np.zeros(samples, dtype=np.float32)
    way = _drift(samples, rng.uniform(0.5, 3.0), rng)
    centres = np.geomspace(rng.uniform(80, 250), rng.uniform(600, 2500), 5)
    for number, centre in enumerate(centres):
        out += _noise(samples, centre * 0.75, centre * 1.33, rng) * np.maximum(
            0, 1 - np.abs(4 * way - number)
        )
    return out * (0.15 + way) + np.float32(0.2) * _noise(samples, 30, 300, rng)


def _traffic(samples: int, rng: np.random.Generator, config: AmbienceConfig) -> Audio:
    out = _noise(samples, 25, rng.uniform(120, 500), rng)
    for _ in range(int(rng.integers(1, 5))):  # passing cars
        time = np.arange(samples, dtype=np.float32) / SAMPLE_RATE - rng.uniform(0, samples / SAMPLE_RATE)
        passing = 1 / (1 + (time / rng.uniform(0.4, 2.5)) ** 2)
        out += np.float32(rng.uniform(0.5, 2.5)) * passing * _noise(samples, 80, rng.uniform(800, 4000), rng)
    return out


def _applause(samples: int, rng: np.random.Generator, config: AmbienceConfig) -> Audio:
    rate = _draw(config.claps, rng) * (0.5 + 0.8 * _drift(samples, 3.0, rng))
    out = np.zeros(samples, dtype=np.float32)
    for _ in range(5):  # five pairs of hands represent all
        clap = tones.noise_burst(rng, rng.uniform(700, 2800), rng.uniform(0.4, 0.9), rng.uniform(0.006, 0.03))
        out += _grains(samples, rate / 5, clap, rng)
    out /= max(1e-6, float(out.std()))
    if rng.random() < 0.5:  # cheering
        out += np.float32(rng.uniform(0.2, 1.0)) * _noise(samples, 400, 3000, rng) * _drift(samples, 1.5, rng)
    return out


def _pulses(contour: Audio, kernel: Audio, wobble: float, rng: np.random.Generator) -> Audio:
    """A train of one kernel along a contour of rates (Hz), with slightly varying gain."""
    samples = len(contour)
    turns = np.cumsum(contour, dtype=np.float64) / SAMPLE_RATE
    places = np.flatnonzero(np.diff(np.floor(turns)) > 0)
    train = np.zeros(samples, dtype=np.float32)
    train[places] = 1 + wobble * rng.standard_normal(len(places))
    size = next_fast_len(samples + len(kernel), real=True)
    return irfft(rfft(train, size) * rfft(kernel, size), size)[:samples].astype(np.float32)


def _purr(samples: int, rng: np.random.Generator, config: AmbienceConfig) -> Audio:
    """A cat: dull pulses, louder when breathing in, about one breath per second."""
    turns = rng.uniform(0.35, 0.9) * np.arange(samples) / SAMPLE_RATE
    breath = np.sin(2 * np.pi * turns).astype(np.float32)
    rate = _draw(config.purr_rate, rng) * (1 + 0.08 * breath + 0.05 * _drift(samples, 0.3, rng))
    kernel = tones.noise_burst(rng, rng.uniform(80, 500), rng.uniform(0.6, 1.2), rng.uniform(0.01, 0.03))
    pulses = _pulses(rate.astype(np.float32), kernel, 0.3, rng)
    pulses *= 0.35 + 0.65 * np.clip(0.5 + breath, 0, 1).astype(np.float32)
    hiss = _noise(samples, 200, rng.uniform(1500, 6000), rng) * np.float32(rng.uniform(0.02, 0.2))
    pulses /= np.float32(max(1e-6, float(pulses.std())))
    return (pulses + hiss * (0.5 + 0.5 * np.abs(breath))).astype(np.float32)


def _engine(samples: int, rng: np.random.Generator, config: AmbienceConfig) -> Audio:
    rate = _draw(config.firing, rng) * (0.6 + 0.8 * _drift(samples, rng.uniform(0.8, 4.0), rng))
    kernel = tones.noise_burst(rng, rng.uniform(60, 400), rng.uniform(0.5, 1.3), rng.uniform(0.006, 0.03))
    pulses = _pulses(rate, kernel, rng.uniform(0.02, 0.25), rng)
    pulses = np.tanh(pulses * np.float32(rng.uniform(0.5, 3) / max(1e-6, float(pulses.std()))))
    return pulses + np.float32(rng.uniform(0.05, 0.5)) * _noise(samples, 60, rng.uniform(500, 5000), rng)


def _hum(samples: int, rng: np.random.Generator, config: AmbienceConfig) -> Audio:
    time = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    base = float(rng.choice((50.0, 60.0, 100.0, 120.0))) * rng.uniform(0.995, 1.005)
    out = np.zeros(samples, dtype=np.float32)
    for number in range(1, 12):
        level = rng.uniform(0, 1) / number ** rng.uniform(0.3, 1.5)
        out += np.float32(level) * np.sin(2 * np.pi * number * base * time + rng.uniform(0, 6.28))
    return out + np.float32(rng.uniform(0.01, 0.5)) * _noise(samples, 40, rng.uniform(500, 8000), rng)


def _steps(samples: int, rng: np.random.Generator, config: AmbienceConfig) -> Audio:
    """Footsteps: heel and sole on gravel, wood or stone, with room noise."""
    rate, hard = _draw(config.steps, rng), rng.uniform(0, 1)
    out = np.zeros(samples, dtype=np.float32)
    for time in _walk(samples, rate, 0.05, rng):
        heel = tones.noise_burst(rng, rng.uniform(90, 500), 0.8, rng.uniform(0.02, 0.06), 0.004)
        sole = tones.noise_burst(rng, rng.uniform(800, 5000), 0.9, rng.uniform(0.03, 0.12), 0.012)
        _put(out, heel, time, hard * rng.uniform(0.5, 1))
        _put(out, sole, time + rng.uniform(0.03, 0.09), (1 - 0.7 * hard) * rng.uniform(0.4, 1))
    return _in_a_bed(out, rng, config)


def _typing(samples: int, rng: np.random.Generator, config: AmbienceConfig) -> Audio:
    """Keys pressed and released, with office noise."""
    rate = _draw(config.keys, rng)
    out = np.zeros(samples, dtype=np.float32)
    sounds = [
        tones.noise_burst(rng, rng.uniform(600, 5000), rng.uniform(0.4, 1.0), rng.uniform(0.005, 0.02))
        for _ in range(8)
    ]
    for time in _walk(samples, rate, 0.4, rng):
        if rng.random() < 0.15:  # a pause to think
            continue
        _put(out, sounds[int(rng.integers(8))], time, rng.uniform(0.4, 1))
        _put(out, sounds[int(rng.integers(8))], time + rng.uniform(0.04, 0.12), rng.uniform(0.1, 0.5))
    return _in_a_bed(out, rng, config)


def _walk(samples: int, rate: float, spread: float, rng: np.random.Generator) -> list[float]:
    """Times at about `rate` per second; each gap varies by the share `spread`."""
    count = int(samples / SAMPLE_RATE * rate) + 2
    gaps = np.maximum(0.3, 1 + spread * rng.standard_normal(count)) / rate
    return (np.cumsum(gaps) - gaps[0] * rng.random()).tolist()


def _put(out: Audio, sound: Audio, time: float, level: float) -> None:
    start = round(time * SAMPLE_RATE)
    part = sound[: max(0, len(out) - start)]
    out[start : start + len(part)] += np.float32(level) * part


def _in_a_bed(out: Audio, rng: np.random.Generator, config: AmbienceConfig) -> Audio:
    """Add room noise."""
    level = _draw(config.bed, rng) * float(out.std())
    return out + np.float32(level) * _noise(len(out), 40, rng.uniform(600, 8000), rng)


def _babble(bank: NoteBank, samples: int, rng: np.random.Generator) -> Audio:
    """One to five people talking: syllables of two vowels with consonants, four to seven per second."""
    out = np.zeros(samples, dtype=np.float32)
    for _ in range(int(rng.choice((1, 1, 2, 3, 5)))):
        events = voice.speech(samples / SAMPLE_RATE, rng, int(rng.integers(40, 60)))
        add_track(out, voice.sing(events, bank, samples, rng), rng.uniform(-9, 0))
    return out


Maker = Callable[[int, np.random.Generator, AmbienceConfig], Audio]
MAKERS: dict[str, Maker] = {
    "purr": _purr,
    "wind": _wind,
    "rain": _rain,
    "traffic": _traffic,
    "applause": _applause,
    "steps": _steps,
    "typing": _typing,
    "hum": _hum,
    "engine": _engine,
}
"""All kinds except babble, which needs the consonants of a note bank."""
