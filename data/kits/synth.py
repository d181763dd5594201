"""Synthesised kits: modal drums, noise and metal, for training and tests without samples and as further drum
machines.

Drums are decaying sines with falling pitch at the partials of a circular membrane (1, 1.59, 2.14, 2.30:
Fletcher and Rossing, The Physics of Musical Instruments, 18.2); cymbals are dense inharmonic partials under
noise whose high bands decay first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from data.kits.derive import derive_missing
from data.kits.sample import Kit, Sample, band, decay, find_onset, ping, to_int16
from mt3drum.config import SAMPLE_RATE
from tokenizer.drums import CLASS_INDEX

LAYERS = ((1, 45), (46, 90), (91, 127))
MEMBRANE = (1.0, 1.59, 2.14, 2.30)

Sound = Callable[[float], np.ndarray]  # hardness 0..1 -> float32 [n]


def synthesise_kit(rng: np.random.Generator) -> Kit:
    """A random kit with all 26 classes in three velocity layers. The same generator state gives the same
    kit."""
    name = f"synth-{int(rng.integers(1 << 48)):012x}"
    samples = {
        CLASS_INDEX[drum]: tuple(_layer(sound, low, high) for low, high in LAYERS)
        for drum, sound in _sounds(rng).items()
    }
    machine = rng.random() < 0.5
    kind = "electronic" if machine else "acoustic"
    return derive_missing(Kit(name, "CC0-1.0", kind, name, "natural", samples, None))


def _layer(sound: Sound, low: int, high: int) -> Sample:
    audio = sound(((low + high) / 2) / 127)
    audio = audio * np.float32(0.9 * (high / 127) / np.abs(audio).max())
    audio[-128:] *= np.linspace(1, 0, min(128, audio.size), dtype=np.float32)
    return Sample(to_int16(audio), low, high, "", find_onset(audio))


def _sounds(rng: np.random.Generator) -> Mapping[str, Sound]:
    tom = rng.uniform(110.0, 180.0)
    ring = rng.uniform(0.12, 0.4)
    metal = rng.uniform(0.85, 1.2)
    hat_bite, hat_ring = rng.uniform(0.02, 0.06), rng.uniform(0.15, 0.5)
    aux = (_tambourine, _shaker, _clap)[rng.integers(3)]
    return {
        "kick": _membrane(
            rng, rng.uniform(45, 75), rng.uniform(0.08, 0.35), rng.uniform(2.0, 5.0), 0.02, 0.1
        ),
        "snare_head": _snare(rng),
        "snare_cross_stick": _cross_stick(rng),
        "hihat_closed": _metal(rng, 5500 * metal, hat_bite, 0.3),
        "hihat_open": _metal(rng, 5000 * metal, hat_ring, 0.35),
        "hihat_pedal": _dull(
            _metal(rng, 3200 * metal, 0.7 * hat_bite, 0.2, stick=0.1), rng.uniform(4500, 7000)
        ),
        "tom1_head": _membrane(rng, tom, ring, 0.4, 0.05, 0.05),
        "tom2_head": _membrane(rng, tom * rng.uniform(0.78, 0.86), 1.15 * ring, 0.4, 0.05, 0.05),
        "floor_tom_head": _membrane(rng, tom * rng.uniform(0.5, 0.6), 1.4 * ring, 0.4, 0.05, 0.05),
        "crash1": _metal(rng, 2200 * metal, rng.uniform(0.6, 1.3), 0.4),
        "ride": _metal(rng, 3000 * metal, rng.uniform(0.6, 1.2), 0.2, stick=1.5),
        "ride_bell": _bell(rng, rng.uniform(700, 1100) * metal, rng.uniform(0.3, 0.8)),
        "aux1": aux(rng),
        "aux2": _bell(rng, rng.uniform(480, 640), rng.uniform(0.04, 0.12)),
    }


def _time(seconds: float) -> np.ndarray:
    return np.arange(int(seconds * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE


def _noise(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.standard_normal(count, dtype=np.float32)


def _membrane(
    rng: np.random.Generator, pitch: float, ring: float, bend: float, bend_seconds: float, click: float
) -> Sound:
    """A drum: membrane partials, pitch falling by ``bend`` times itself, a click of the beater or stick."""
    weights = rng.uniform(0.1, 0.5, len(MEMBRANE)) * (1.0, 0.8, 0.6, 0.5)
    weights[0] = 1.0
    bend_seconds *= rng.uniform(0.5, 1.5)
    beater = band(_noise(rng, 1200), 1500, None) * decay(1200, 0.003)

    def sound(hardness: float) -> np.ndarray:
        time = _time(7 * ring)
        audio = np.zeros_like(time)
        sweep = time + bend * (0.5 + hardness) * bend_seconds * (1 - np.exp(-time / bend_seconds))
        for ratio, weight in zip(MEMBRANE, weights, strict=True):
            audio += weight * np.sin(2 * np.pi * pitch * ratio * sweep) * np.exp(-time * ratio / ring)
        audio[: beater.size] += (0.5 + 2 * hardness) * click * beater[: audio.size]
        return audio

    return sound


def _snare(rng: np.random.Generator) -> Sound:
    shell = _membrane(rng, rng.uniform(150, 260), rng.uniform(0.04, 0.12), 0.3, 0.02, 0.3)
    ring = rng.uniform(0.06, 0.2)
    wires = band(_noise(rng, int(7 * ring * SAMPLE_RATE)), rng.uniform(900, 2500), rng.uniform(7000, 15000))
    wires *= decay(wires.size, ring) * np.float32(rng.uniform(0.8, 2.5))

    def sound(hardness: float) -> np.ndarray:
        body = shell(hardness)
        audio = np.zeros(max(body.size, wires.size), dtype=np.float32)
        audio[: body.size] += body
        audio[: wires.size] += (0.5 + 0.5 * hardness) * wires
        return audio

    return sound


def _cross_stick(rng: np.random.Generator) -> Sound:
    wood = ping(rng, rng.uniform(500, 1000), rng.uniform(0.01, 0.03), 6)
    click = band(_noise(rng, wood.size), 2500, None) * decay(wood.size, 0.003)
    return lambda hardness: wood + (0.2 + 0.5 * hardness) * click


def _metal(rng: np.random.Generator, low: float, ring: float, share: float, stick: float = 0.5) -> Sound:
    """Hats and cymbals: noise in four bands above ``low`` Hz, the highest dying first, over inharmonic
    partials."""
    count = int(min(5 * ring, 3.0) * SAMPLE_RATE)
    time = np.arange(count, dtype=np.float32) / SAMPLE_RATE
    wash = np.zeros(count, dtype=np.float32)
    corners = np.geomspace(low * 0.4, 17000, 5)
    for i, tilt in enumerate((0.35, 0.7, 1.0, 0.8)):
        noise = band(_noise(rng, count), corners[i], corners[i + 1]) * decay(count, ring / (1 + 0.5 * i))
        wash += np.float32(tilt * rng.uniform(0.3, 1.0)) * noise
    for frequency in rng.uniform(low * 0.5, 11000, 16):
        partial = np.sin(2 * np.pi * frequency * time) * decay(count, ring * rng.uniform(0.3, 1.0))
        wash += np.float32(share * 0.15) * partial
    wash *= 1 - decay(count, 0.0006)
    tick = band(_noise(rng, 900), 3000, None) * decay(900, 0.003)

    def sound(hardness: float) -> np.ndarray:
        audio = wash.copy()
        audio[: tick.size] += np.float32(stick * (0.3 + hardness)) * tick[: audio.size]
        return audio if hardness > 0.8 else band(audio, None, 6000 + 14000 * hardness)

    return sound


def _dull(sound: Sound, corner: float) -> Sound:
    """``sound`` without its highs: no stick touches a hi-hat closed by the foot."""
    return lambda hardness: band(sound(hardness), None, corner)


def _bell(rng: np.random.Generator, pitch: float, ring: float) -> Sound:
    """Ride bell or cowbell: a few strong partials."""
    tone = ping(rng, pitch, ring, 4)
    tick = band(_noise(rng, 700), 2000, None) * decay(700, 0.003)

    def sound(hardness: float) -> np.ndarray:
        audio = tone.copy()
        audio[: tick.size] += np.float32(0.2 + 0.4 * hardness) * tick[: audio.size]
        return audio

    return sound


def _tambourine(rng: np.random.Generator) -> Sound:
    jingles = _metal(rng, 7000, rng.uniform(0.04, 0.1), 0.8)
    second = int(rng.uniform(0.01, 0.03) * SAMPLE_RATE)

    def sound(hardness: float) -> np.ndarray:
        audio = jingles(hardness)
        audio[second:] += 0.5 * audio[: audio.size - second].copy()
        return audio

    return sound


def _shaker(rng: np.random.Generator) -> Sound:
    rise, fall = rng.uniform(0.003, 0.010), rng.uniform(0.02, 0.06)
    grains = band(_noise(rng, int(6 * fall * SAMPLE_RATE)), rng.uniform(3000, 6000), None)
    shape = (1 - decay(grains.size, rise)) * decay(grains.size, fall)
    return lambda hardness: (grains * shape).astype(np.float32)


def _clap(rng: np.random.Generator) -> Sound:
    ring = rng.uniform(0.04, 0.12)
    noise = band(_noise(rng, int(6 * ring * SAMPLE_RATE) + 2000), 700, 6000)
    shape = np.zeros(noise.size, dtype=np.float32)
    gap = int(rng.uniform(0.006, 0.012) * SAMPLE_RATE)
    for i in range(3):
        shape[i * gap :] += decay(noise.size - i * gap, ring if i == 2 else 0.004)
    return lambda hardness: noise * shape


def brush_strokes(rng: np.random.Generator) -> tuple[Sample, ...]:
    """A snare played with brushes: soft-edged noise of wires on a coated head, three layers."""
    ring = rng.uniform(0.03, 0.09)
    noise = band(_noise(rng, int(8 * ring * SAMPLE_RATE)), rng.uniform(500, 1500), rng.uniform(6000, 12000))
    shape = (1 - decay(noise.size, rng.uniform(0.001, 0.004))) * decay(noise.size, ring)
    shell = _membrane(rng, rng.uniform(150, 230), 0.05, 0.2, 0.02, 0.0)

    def sound(hardness: float) -> np.ndarray:
        body = shell(hardness)
        audio = (noise * shape).astype(np.float32)
        size = min(audio.size, body.size)
        audio[:size] += np.float32(0.1 + 0.4 * hardness) * body[:size]
        return audio

    return tuple(_layer(sound, low, high) for low, high in LAYERS)
