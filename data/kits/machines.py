"""Drum machines: synthesised kits in the style of the 808, the 909 and hard dance, and the usual processing
of kicks and snares: layers, overdrive, clipping.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import square

from data.kits.derive import derive_missing
from data.kits.sample import Kit, Sample, band, decay, find_onset, to_float, to_int16
from mt3drum.config import SAMPLE_RATE
from tokenizer.drums import CLASS_INDEX

LAYERS = ((1, 50), (51, 100), (101, 127))
"""Velocity layers: machines change loudness and a little tone."""
HAT_SQUARES = (205.3, 304.4, 369.6, 522.7, 540.0, 800.0)
"""Hz of the six square oscillators of the 808's cymbals (Werner, Abel and Smith, DAFx 2014)."""


@dataclass(frozen=True)
class KickConfig:
    """A machine's kick; (low, high), sampled logarithmically."""

    end: tuple[float, float] = (38.0, 65.0)
    """Final frequency in Hz."""
    start: tuple[float, float] = (2.5, 9.0)
    """Initial frequency relative to the final one."""
    sweep: tuple[float, float] = (0.008, 0.06)
    """Duration of the pitch sweep in seconds."""
    ring: tuple[float, float] = (0.06, 0.45)
    """Seconds to 1/e: a tight house kick to an 808 boom."""
    hard_ring: tuple[float, float] = (0.15, 0.35)
    """Seconds to 1/e for hardstyle and gabber, whose overdriven tail is a note."""
    drive: tuple[float, float] = (1.0, 4.0)
    """Gain into tanh."""
    hard_drive: tuple[float, float] = (6.0, 60.0)
    """Gain into tanh for hardstyle and gabber."""
    hard: float = 0.3
    """Probability of a hard kick."""


@dataclass(frozen=True)
class PunchConfig:
    """Processing of the drums of a clip."""

    layered: float = 0.35
    """Probability of a synthesised kick under the sampled one."""
    driven: float = 0.5
    """Probability of overdrive on the kick."""
    drive: tuple[float, float] = (1.5, 20.0)
    """Gain of that overdrive, sampled logarithmically."""
    snare_driven: float = 0.2
    """Probability of overdrive on snare and clap."""
    pool: int = 5
    """Number of kits processed, from which a clip's drums are chosen; the others are unchanged."""


def machine_kit(rng: np.random.Generator) -> Kit:
    """A random drum machine with all 26 classes. The same generator state gives the same kit."""
    name = f"machine-{int(rng.integers(1 << 48)):012x}"
    tom, metal = rng.uniform(80, 170), rng.uniform(0.8, 1.4)
    short, long_ = _log((0.015, 0.06), rng), _log((0.12, 0.5), rng)
    sounds = {
        "kick": machine_kick(rng),
        "snare_head": _snare(rng),
        "snare_cross_stick": _blip(rng, rng.uniform(900, 1900), 0.012, 0.3),
        "hihat_closed": _hat(rng, metal, short),
        "hihat_open": _hat(rng, metal, long_),
        "tom1_head": _tom(rng, tom),
        "tom2_head": _tom(rng, tom * 0.8),
        "tom3_head": _tom(rng, tom * 0.66),
        "floor_tom_head": _tom(rng, tom * 0.55),
        "crash1": _hat(rng, 0.8 * metal, rng.uniform(0.5, 1.2)),
        "ride": _hat(rng, 1.1 * metal, rng.uniform(0.4, 0.9)),
        "ride_bell": _blip(rng, rng.uniform(500, 1000), rng.uniform(0.1, 0.4), 0.0),
        "aux1": _clap(rng),
        "aux2": _cowbell(rng),
    }
    samples = {CLASS_INDEX[drum]: _layers(sound) for drum, sound in sounds.items()}
    return derive_missing(Kit(name, "CC0-1.0", "electronic", name, "natural", samples, None))


def machine_kick(rng: np.random.Generator, config: KickConfig | None = None) -> np.ndarray:
    """A sine falling to its pitch, clicked and overdriven: float32, peak 1."""
    config = config or KickConfig()
    hard = rng.random() < config.hard
    ring = _log(config.hard_ring if hard else config.ring, rng)
    time = np.arange(int(5 * ring * SAMPLE_RATE)) / SAMPLE_RATE
    end, start, sweep = _log(config.end, rng), _log(config.start, rng), _log(config.sweep, rng)
    angle = 2 * np.pi * end * (time + (start - 1) * sweep * (1 - np.exp(-time / sweep)))
    drive = _log(config.hard_drive if hard else config.drive, rng)
    sound = np.tanh(drive * np.sin(angle) * np.exp(-time / ring)).astype(np.float32)
    if hard:  # shape the tail again after the overdrive
        sound = band(sound, rng.uniform(30, 60), rng.uniform(2500, 12_000)) * decay(len(sound), 1.5 * ring)
    click = band(rng.standard_normal(700, dtype=np.float32), rng.uniform(800, 4000), None) * decay(700, 0.002)
    sound[: len(click)] += (
        np.float32(rng.uniform(0, 0.6)) * click[: len(sound)] / max(1e-6, np.abs(click).max())
    )
    return _unit(sound)


def punch(kits: Sequence[Kit], rng: np.random.Generator, config: PunchConfig | None = None) -> list[Kit]:
    """A few of the kits, their kicks layered and overdriven, their snares and claps at times.

    Layers are made, not sampled: nobody else is to be credited.
    """
    config = config or PunchConfig()
    chosen = [kits[i] for i in rng.choice(len(kits), min(len(kits), config.pool), replace=False)]
    layer = machine_kick(rng) * np.float32(rng.uniform(0.3, 1.0)) if rng.random() < config.layered else None
    drives = {"kick": _log(config.drive, rng) if rng.random() < config.driven else 1.0}
    for name in ("snare_head", "aux1"):
        drives[name] = _log((1.5, 8.0), rng) if rng.random() < config.snare_driven else 1.0
    found = []
    for kit in chosen:
        samples = dict(kit.samples)
        for name, drive in drives.items():
            under = layer if name == "kick" else None
            if CLASS_INDEX[name] in samples and (drive > 1 or under is not None):
                samples[CLASS_INDEX[name]] = tuple(
                    _driven(sample, drive, under) for sample in samples[CLASS_INDEX[name]]
                )
        found.append(replace(kit, samples=samples))
    return found


def _driven(sample: Sample, drive: float, layer: np.ndarray | None) -> Sample:
    """A stroke over a layer, into tanh; its peak and its attack stay where they were."""
    audio = to_float(sample.audio)
    peak = max(1e-6, float(np.abs(audio).max()))
    if layer is not None:
        under = np.zeros(max(len(audio), sample.onset + len(layer)), dtype=np.float32)
        under[: len(audio)] = audio
        under[sample.onset : sample.onset + len(layer)] += peak * layer
        audio = under
    if drive > 1:
        audio = np.tanh(audio * np.float32(drive / max(1e-6, float(np.abs(audio).max()))))
    audio = audio * np.float32(peak / max(1e-6, float(np.abs(audio).max())))
    return replace(sample, audio=to_int16(audio))


def _layers(sound: np.ndarray) -> tuple[Sample, ...]:
    made = []
    for low, high in LAYERS:
        audio = sound * np.float32(0.9 * high / 127)
        audio[-128:] *= np.linspace(1, 0, min(128, len(audio)), dtype=np.float32)
        made.append(Sample(to_int16(audio), low, high, "", find_onset(audio)))
    return tuple(made)


def _snare(rng: np.random.Generator) -> np.ndarray:
    ring, body = _log((0.04, 0.2), rng), _log((0.03, 0.12), rng)
    count = int(6 * max(ring, body) * SAMPLE_RATE)
    time = np.arange(count) / SAMPLE_RATE
    pitch = rng.uniform(150, 280)
    fall = time + 0.5 * 0.01 * (1 - np.exp(-time / 0.01))
    shell = np.sin(2 * np.pi * pitch * fall) + 0.6 * np.sin(2 * np.pi * 1.75 * pitch * fall)
    wires = band(
        rng.standard_normal(count, dtype=np.float32), rng.uniform(500, 2500), rng.uniform(7000, 16_000)
    )
    sound = shell * np.exp(-time / body) * rng.uniform(0.3, 1.0) + _unit(wires) * decay(count, ring) * 1.2
    return _unit(sound)


def _hat(rng: np.random.Generator, metal: float, ring: float) -> np.ndarray:
    """Six squares, or noise, above a high corner."""
    count = int(min(5 * ring, 2.5) * SAMPLE_RATE)
    time = np.arange(count) / SAMPLE_RATE
    share = rng.uniform(0, 1)
    tones = sum(square(2 * np.pi * hertz * metal * time + rng.uniform(0, 6)) for hertz in HAT_SQUARES)
    noise = rng.standard_normal(count, dtype=np.float32)
    sound = band(share * np.asarray(tones) / 3 + (1 - share) * noise, rng.uniform(5000, 8000), None)
    return _unit(sound * decay(count, ring))


def _tom(rng: np.random.Generator, pitch: float) -> np.ndarray:
    ring = rng.uniform(0.08, 0.3)
    time = np.arange(int(5 * ring * SAMPLE_RATE)) / SAMPLE_RATE
    fall = time + rng.uniform(0.2, 1.0) * 0.03 * (1 - np.exp(-time / 0.03))
    return _unit(np.sin(2 * np.pi * pitch * fall) * np.exp(-time / ring))


def _blip(rng: np.random.Generator, pitch: float, ring: float, noise: float) -> np.ndarray:
    """Rim shot or bell: two partials that die away."""
    count = max(900, int(6 * ring * SAMPLE_RATE))
    time = np.arange(count) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * pitch * time) + 0.7 * np.sin(2 * np.pi * pitch * rng.uniform(1.3, 2.3) * time)
    tone += noise * rng.standard_normal(count) * np.exp(-time / 0.004)
    return _unit(tone * np.exp(-time / ring))


def _clap(rng: np.random.Generator) -> np.ndarray:
    """Three short bursts and a tail."""
    ring, gap = _log((0.04, 0.2), rng), int(rng.uniform(0.007, 0.013) * SAMPLE_RATE)
    count = int(5 * ring * SAMPLE_RATE) + 3 * gap
    noise = band(
        rng.standard_normal(count, dtype=np.float32), rng.uniform(600, 1200), rng.uniform(2500, 9000)
    )
    shape = np.zeros(count, dtype=np.float32)
    for number in range(3):
        tail = decay(count - number * gap, ring if number == 2 else 0.004)
        shape[number * gap :] = np.maximum(shape[number * gap :] * 0.3, tail)
    return _unit(noise * shape)


def _cowbell(rng: np.random.Generator) -> np.ndarray:
    """Two squares through a band, as in the 808."""
    ring = _log((0.05, 0.25), rng)
    time = np.arange(int(5 * ring * SAMPLE_RATE)) / SAMPLE_RATE
    shift = rng.uniform(0.85, 1.2)
    tone = square(2 * np.pi * 540 * shift * time) + square(2 * np.pi * 800 * shift * time)
    return _unit(band(np.asarray(tone, dtype=np.float32), 500, 4000) * decay(len(time), ring))


def _unit(sound: np.ndarray) -> np.ndarray:
    return np.asarray(sound / max(1e-6, float(np.abs(sound).max())), dtype=np.float32)


def _log(limits: tuple[float, float], rng: np.random.Generator) -> float:
    return float(limits[0] * (limits[1] / limits[0]) ** rng.random())
