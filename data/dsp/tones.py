"""Synthesised notes and noises for backing bands without recordings.

Every function returns float32 at 44.1 kHz, peak 1. Pitched ones take a frequency in hertz. The noises are
sounds that a transcriber must not take for drums: consonants, pick clicks, coughs, string squeaks.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from mt3drum.config import SAMPLE_RATE

TABLE_SIZE = 4096
"""Points of one cycle of a wavetable; read without interpolation this is noise below -70 dB."""

FORMANTS: dict[str, tuple[tuple[float, float], ...]] = {
    "a": ((730, 1.0), (1090, 0.5), (2440, 0.16), (3400, 0.08)),
    "e": ((530, 1.0), (1840, 0.35), (2480, 0.2), (3500, 0.08)),
    "i": ((280, 1.0), (2250, 0.25), (2900, 0.2), (3600, 0.1)),
    "o": ((570, 1.0), (840, 0.6), (2410, 0.08), (3300, 0.05)),
    "u": ((310, 1.0), (870, 0.3), (2240, 0.05), (3200, 0.03)),
}
"""Centre (Hz) and level of four formants of five vowels, after Peterson and Barney (1952), male voices."""

NOISE_KINDS = (
    "s",
    "sh",
    "f",
    "t",
    "k",
    "p",
    "ch",
    "breath",
    "cough",
    "click",
    "beep",
    "scratch",
    "squeak",
    "pick",
)

Audio = NDArray[np.float32]


def normalise(audio: NDArray[np.floating]) -> Audio:
    """Scale to peak 1 (silence stays silence)."""
    peak = float(np.abs(audio).max(initial=0.0))
    return (audio / peak if peak > 1e-9 else audio).astype(np.float32)


def cycle(amplitudes: NDArray[np.floating], rng: np.random.Generator | None = None) -> Audio:
    """One cycle with the given amplitudes of harmonics 1, 2, ...; phases zero (a pulse) unless rng is
    given.
    """
    spectrum = np.zeros(TABLE_SIZE // 2 + 1, dtype=np.complex64)
    count = min(len(amplitudes), TABLE_SIZE // 2)
    phases = rng.uniform(0, 2 * np.pi, count) if rng is not None else np.full(count, -np.pi / 2)
    spectrum[1 : count + 1] = amplitudes[:count] * np.exp(1j * phases)
    return normalise(irfft(spectrum, TABLE_SIZE))


def read_cycle(
    table: Audio, frequency: NDArray[np.floating] | float, samples: int, start: float = 0.0
) -> Audio:
    """Play a cycle at a constant frequency or along a contour of `samples` frequencies."""
    if np.ndim(frequency) == 0:
        phase = np.arange(samples, dtype=np.float64) * (float(frequency) / SAMPLE_RATE) + start
    else:
        phase = np.cumsum(np.asarray(frequency, dtype=np.float64)) / SAMPLE_RATE + start
    return table[(phase * TABLE_SIZE).astype(np.int64) & (TABLE_SIZE - 1)]


def harmonics(
    frequency: float, slope: float, odd_only: bool = False, ceiling: float = 16_000.0
) -> NDArray[np.floating]:
    """Amplitudes k**-slope of the harmonics below `ceiling` Hz (slope 1: saw; odd only: square)."""
    k = np.arange(1, max(2, int(ceiling / frequency)) + 1)
    amplitudes = k ** -float(slope)
    if odd_only:
        amplitudes[1::2] = 0
    return amplitudes


def vowel_amplitudes(
    frequency: float, vowel: str, size: float = 1.0, tilt: float = 1.0
) -> NDArray[np.floating]:
    """Harmonic amplitudes of a sung vowel; size > 1 is a shorter throat (formants up), tilt the source's
    slope.
    """
    hertz = np.arange(1, max(2, int(14_000 / frequency)) + 1) * frequency
    envelope = np.where(hertz < 5000, 0.03, 0.015)  # level between and above the formants
    for centre, level in FORMANTS[vowel]:
        width = 60 + 0.06 * centre * size
        envelope += level / (1 + ((hertz - centre * size) / width) ** 2)
    return envelope * (hertz / frequency) ** -float(tilt)


def decay(samples: int, seconds: float) -> Audio:
    """Exponential envelope that falls by 60 dB in `seconds`."""
    return np.exp(np.arange(samples, dtype=np.float32) * np.float32(-6.9 / (seconds * SAMPLE_RATE)))


def pluck(
    frequency: float, seconds: float, rng: np.random.Generator, ring: float = 2.0, brightness: float = 0.5
) -> tuple[Audio, float]:
    """Karplus-Strong string; returns (audio, its exact frequency in Hz: the delay line is a whole number
    long).

    ring: seconds to fall by 60 dB; brightness 0..1: how slowly the high partials die, how hard the pick is.
    Karplus and Strong (1983); pick position as a comb on the excitation.
    """
    blend = 0.5 - 0.42 * brightness
    period = max(8, round(SAMPLE_RATE / frequency - blend))
    exact = SAMPLE_RATE / (period + blend)
    samples = int(seconds * SAMPLE_RATE)
    burst = rng.standard_normal(period).astype(np.float32)
    for _ in range(int((1 - brightness) * 3)):
        burst = 0.5 * (burst + np.roll(burst, 1))
    burst -= np.roll(burst, max(1, int(period * rng.uniform(0.08, 0.4))))
    loss = np.float32(10 ** (-3 / (ring * exact)))
    keep, take = np.float32(1 - blend) * loss, np.float32(blend) * loss
    rows = samples // period + 2
    string = np.empty((rows, period), dtype=np.float32)
    string[0] = burst
    carry = np.float32(0)
    for row in range(1, rows):
        last, now = string[row - 1], string[row]
        np.multiply(last, keep, out=now)
        now[1:] += take * last[:-1]
        now[0] += take * carry
        carry = last[-1]
    return normalise(string.reshape(-1)[:samples]), exact


def subtractive(frequency: float, seconds: float, rng: np.random.Generator, kind: str) -> Audio:
    """Analogue-synthesiser tone: a bright cycle falling into a dull one (a filter sweep), detuned twice for
    pads.

    kind: "saw", "square", "pad", "brass" or "organ".
    """
    samples = int(seconds * SAMPLE_RATE)
    time = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    if kind == "organ":
        drawbars = np.zeros(16)
        drawbars[[0, 1, 2, 3, 5, 7, 15]] = rng.uniform(0, 1, 7)
        drawbars[0] += 0.5
        vibrato = frequency * (1 + rng.uniform(0, 0.006) * np.sin(2 * np.pi * rng.uniform(5, 7) * time))
        key_click = noise_burst(rng, 4000, 1.5, 0.012)
        tone = read_cycle(cycle(drawbars, rng), vibrato, samples)
        tone[: len(key_click)] += key_click[:samples] * rng.uniform(0, 0.4)
        return normalise(tone * np.minimum(1, time / 0.004))
    odd = kind == "square"
    dull = cycle(harmonics(frequency, rng.uniform(1.6, 2.5), odd))
    bright = cycle(harmonics(frequency, rng.uniform(0.8, 1.2), odd, rng.uniform(3000, 14_000)))
    if kind == "pad":
        voices = [frequency * (1 + cents / 1200) for cents in rng.normal(0, 8, 3)]
        tone = np.sum([read_cycle(dull, f, samples, rng.random()) for f in voices], axis=0)
        return normalise(tone * np.minimum(1, time / rng.uniform(0.05, 0.5)))
    if kind == "brass":
        swell = np.minimum(1, time / rng.uniform(0.02, 0.08)).astype(np.float32)
        vibrato = frequency * (1 + 0.004 * np.sin(2 * np.pi * 5.2 * time) * np.minimum(1, time))
        return normalise(
            swell * (read_cycle(dull, vibrato, samples) + 0.8 * swell * read_cycle(bright, vibrato, samples))
        )
    sweep = decay(samples, rng.uniform(0.1, 3.0))
    tone = sweep * read_cycle(bright, frequency, samples) + (1 - sweep) * read_cycle(dull, frequency, samples)
    return normalise(tone * np.minimum(1, time / 0.002))


def frequency_modulation(
    frequency: float, seconds: float, rng: np.random.Generator, ratio: float, index: float
) -> Audio:
    """Two-operator FM (Chowning 1973): electric pianos, basses, metallic plucks. ratio: modulator /
    carrier.
    """
    samples = int(seconds * SAMPLE_RATE)
    angle = np.arange(samples, dtype=np.float64) * (2 * np.pi * frequency / SAMPLE_RATE)
    depth = index * decay(samples, rng.uniform(0.15, 1.5))
    return normalise(np.sin(angle + depth * np.sin(angle * ratio)) * decay(samples, rng.uniform(0.8, 5.0)))


def choir(frequency: float, seconds: float, rng: np.random.Generator, vowel: str, size: float) -> Audio:
    """A held vowel sung by one to three voices with vibrato."""
    samples = int(seconds * SAMPLE_RATE)
    time = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    table = cycle(vowel_amplitudes(frequency, vowel, size, rng.uniform(0.6, 1.1)))
    tone = np.zeros(samples, dtype=np.float32)
    for _ in range(int(rng.integers(1, 4))):
        wobble = rng.uniform(0.003, 0.012) * np.sin(2 * np.pi * (rng.uniform(4.5, 6.5) * time + rng.random()))
        tone += read_cycle(table, frequency * (1 + wobble + rng.normal(0, 0.003)), samples, rng.random())
    return normalise(tone * np.minimum(1, time / rng.uniform(0.03, 0.2)))


def noise_burst(
    rng: np.random.Generator, centre: float, octaves: float, seconds: float, attack: float = 0.001
) -> Audio:
    """Noise around `centre` Hz, `octaves` wide (one sigma), rising in `attack` and falling within
    `seconds`.
    """
    samples = max(64, int((seconds + attack) * SAMPLE_RATE))
    spectrum = rfft(rng.standard_normal(samples).astype(np.float32))
    hertz = np.maximum(np.arange(len(spectrum)) * (SAMPLE_RATE / samples), 1.0)
    spectrum *= np.exp(-0.5 * (np.log2(hertz / centre) / octaves) ** 2).astype(np.float32)
    time = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    shape = np.minimum(1, time / attack) * np.minimum(1, np.exp(-5 * (time - attack) / seconds)).astype(
        np.float32
    )
    return normalise(irfft(spectrum, samples) * shape)


def noise(kind: str, rng: np.random.Generator) -> Audio:
    """One unpitched non-drum sound; kind is one of NOISE_KINDS."""
    u = rng.uniform
    match kind:
        case "s":
            return noise_burst(rng, u(5500, 9000), 0.35, u(0.08, 0.25), u(0.01, 0.05))
        case "sh":
            return noise_burst(rng, u(2500, 4000), 0.5, u(0.08, 0.25), u(0.01, 0.05))
        case "f":
            return noise_burst(rng, u(4000, 8000), 1.2, u(0.06, 0.15), u(0.01, 0.03))
        case "t":
            return noise_burst(rng, u(3500, 7000), 0.6, u(0.02, 0.07), 0.001)
        case "k":
            return noise_burst(rng, u(1300, 3000), 0.5, u(0.02, 0.06), 0.001)
        case "p":
            pop = noise_burst(rng, u(80, 180), 0.6, u(0.03, 0.08), 0.002)
            pop[:400] += 0.3 * noise_burst(rng, u(800, 2000), 0.8, 0.02)[:400]
            return normalise(pop)
        case "ch":
            return noise_burst(rng, u(2800, 4500), 0.5, u(0.06, 0.15), 0.002)
        case "breath":
            return noise_burst(rng, u(1500, 4000), 1.2, u(0.2, 0.5), u(0.1, 0.4))
        case "cough":
            return noise_burst(rng, u(500, 1500), 1.0, u(0.1, 0.3), u(0.003, 0.02))
        case "click":
            return noise_burst(rng, u(1500, 9000), 0.7, u(0.003, 0.012), 0.0003)
        case "beep":
            samples = int(u(0.015, 0.06) * SAMPLE_RATE)
            tone = np.sin(2 * np.pi * u(700, 3000) / SAMPLE_RATE * np.arange(samples, dtype=np.float32))
            return normalise(tone * decay(samples, samples / SAMPLE_RATE))
        case "scratch":
            length = u(0.06, 0.2)
            return noise_burst(rng, u(600, 3000), 0.4, length, length * u(0.2, 0.9))
        case "squeak":
            samples = int(u(0.05, 0.2) * SAMPLE_RATE)
            glide = np.geomspace(u(900, 2500), u(900, 4000), samples)
            tone = read_cycle(cycle(harmonics(1500, 1.0)), glide, samples) + 0.7 * rng.standard_normal(
                samples
            )
            return normalise(tone * np.hanning(samples))
        case "pick":
            return noise_burst(rng, u(1500, 5000), 0.8, u(0.004, 0.02), 0.0005)
    raise ValueError(f"unknown kind of noise {kind!r}; known: {', '.join(NOISE_KINDS)}")
