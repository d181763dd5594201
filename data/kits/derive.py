"""Classes that a kit was not recorded with, derived from those it was: hi-hat and cymbal edges, rims, missing
toms.

Each derivation is the same for every kit, up to small random amounts seeded by the kit's name, so that the
class can be learnt: an edge stroke (shoulder of the stick) has more low-mid energy, a harder attack and a
longer decay; a rim stroke adds a short wooden or metallic ping to the head.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from data.kits.sample import Kit, Sample, band, decay, ping, retune, to_float, to_int16
from mt3drum.config import SAMPLE_RATE
from tokenizer.drums import CLASS_INDEX

MAX_DERIVED = 12  # samples per derived class: enough layers, little memory
TOMS = ("tom1", "tom2", "tom3", "floor_tom")
TOM_PITCH = {"tom1": 1.0, "tom2": 0.84, "tom3": 0.68, "floor_tom": 0.6}
RIM_CENTRE = {"snare": 1900.0, "tom1": 1500.0, "tom2": 1300.0, "tom3": 1100.0, "floor_tom": 950.0}  # Hz


def derive_missing(kit: Kit) -> Kit:
    """``kit`` with every class added that can be made from its own samples (partial kits only get rims)."""
    rng = np.random.default_rng(zlib.crc32(kit.name.encode()))
    have = {name: list(kit.samples[drum]) for name, drum in CLASS_INDEX.items() if drum in kit.samples}
    _hats(have, rng)
    _toms(have, rng)
    _rims(have, rng)
    _cymbals(have, rng)
    samples = {drum: tuple(have[name]) for name, drum in CLASS_INDEX.items() if have.get(name)}
    return replace(kit, samples=samples)


def _main(samples: Sequence[Sample]) -> list[Sample]:
    """The main series (or the first variant), thinned to MAX_DERIVED, soft to loud."""
    variant = "" if any(s.variant == "" for s in samples) else samples[0].variant
    series = sorted((s for s in samples if s.variant == variant), key=lambda s: s.velocity_low)
    if len(series) <= MAX_DERIVED:
        return series
    picked = np.linspace(0, len(series) - 1, MAX_DERIVED).round().astype(int)
    chosen = [series[i] for i in picked]
    # thinning may have removed the range of the loudest or softest layer: extend the outer ones
    chosen[0] = replace(chosen[0], velocity_low=1)
    chosen[-1] = replace(chosen[-1], velocity_high=127)
    return chosen


def _near(samples: Sequence[Sample], wanted: Sample) -> Sample:
    """The sample whose velocity range lies closest to that of ``wanted``."""
    centre = wanted.velocity_low + wanted.velocity_high
    return min(samples, key=lambda s: abs(s.velocity_low + s.velocity_high - centre))


def _add(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sum of two sounds of different lengths."""
    longer, shorter = (first, second) if first.size >= second.size else (second, first)
    total = longer.copy()
    total[: shorter.size] += shorter
    return total


def _unit(sample: Sample) -> np.ndarray:
    """Audio from the attack on, float32, peak 1."""
    audio = to_float(sample.audio[max(0, sample.onset - 22) :])
    return audio / max(float(np.abs(audio).max()), 1e-6)


def _made(audio: np.ndarray, model: Sample, variant: str = "") -> Sample:
    """A derived sample with the velocity range of ``model``; its attack lies half a millisecond in, as in
    _unit."""
    audio = audio * np.float32(0.9 / max(float(np.abs(audio).max()), 1e-6))
    audio[-128:] *= np.linspace(1, 0, min(128, audio.size), dtype=np.float32)
    return Sample(to_int16(audio), model.velocity_low, model.velocity_high, variant, min(22, audio.size - 1))


def _hats(have: dict[str, list[Sample]], rng: np.random.Generator) -> None:
    if "hihat_closed" not in have:
        return
    closed, opened = _main(have["hihat_closed"]), _main(have.get("hihat_open", []) or have["hihat_closed"])
    loose = [
        s for s in have.get("hihat_open", []) if s.variant in ("semi", "loose", "half", "semi3")
    ] or opened
    ring, pitch, clash = rng.uniform(0.05, 0.11), rng.uniform(0.94, 0.98), rng.uniform(0.8, 1.4)
    if "hihat_closed_edge" not in have:
        have["hihat_closed_edge"] = [
            _made(_closed_edge(s, _near(loose, s), ring, pitch, clash), s) for s in closed
        ]
    if "hihat_pedal" not in have:
        short, corner = rng.uniform(0.02, 0.05), rng.uniform(5000, 9000)
        sounds = [band(retune(_unit(s), 0.93), 250, corner) for s in closed]
        have["hihat_pedal"] = [
            _made(a * decay(a.size, short), s) for a, s in zip(sounds, closed, strict=True)
        ]
    if "hihat_open" not in have:
        # closed hi-hats contain no wash: stretch them and add dense delayed copies
        have["hihat_open"] = [_made(_wash(_unit(s), rng), s) for s in closed]
        opened = have["hihat_open"]
    if "hihat_open_edge" not in have:
        have["hihat_open_edge"] = [
            _made(_open_edge(s, rng.uniform(0.93, 0.97), clash), s) for s in _main(opened)
        ]


def _closed_edge(closed: Sample, opened: Sample, ring: float, pitch: float, clash: float) -> np.ndarray:
    """Closed hats struck with the shoulder of the stick: the closed sound over a short piece of the open
    one."""
    body = retune(_unit(closed), pitch)
    body = body + clash * band(body, 350, 1800)
    wash = retune(_unit(opened), pitch)
    wash = wash[: int(8 * ring * SAMPLE_RATE)]
    return _add(body, 0.7 * wash * decay(wash.size, ring))


def _open_edge(opened: Sample, pitch: float, clash: float) -> np.ndarray:
    """Open hats struck with the shoulder: harder attack, more clash, a little lower."""
    sound = retune(_unit(opened), pitch)
    sound = sound + clash * band(sound, 350, 1800)
    return sound * (1 + 1.2 * decay(sound.size, 0.03))


def _wash(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A noisy ring of half a second with the colour of ``sound``."""
    count = int(1.5 * SAMPLE_RATE)
    noise = rng.standard_normal(count).astype(np.float32) * decay(count, rng.uniform(0.15, 0.4))
    size = sound.size + count - 1
    length = 1 << (size - 1).bit_length()
    product = np.fft.rfft(sound, length) * np.fft.rfft(noise, length)
    smeared = np.fft.irfft(product, length)[:count].astype(np.float32)
    smeared /= max(float(np.abs(smeared).max()), 1e-6)
    return _add(sound, 0.8 * smeared)


def _toms(have: dict[str, list[Sample]], rng: np.random.Generator) -> None:
    """Missing toms are neighbours retuned; the nearest in pitch is taken."""
    recorded = [tom for tom in TOMS if f"{tom}_head" in have]
    for tom in TOMS:
        if not recorded or tom in recorded:
            continue
        source = min(recorded, key=lambda other: abs(np.log(TOM_PITCH[other] / TOM_PITCH[tom])))
        ratio = TOM_PITCH[tom] / TOM_PITCH[source] * rng.uniform(0.96, 1.04)
        have[f"{tom}_head"] = [_made(retune(_unit(s), ratio), s) for s in _main(have[f"{source}_head"])]


def _rims(have: dict[str, list[Sample]], rng: np.random.Generator) -> None:
    """Rim strokes: the head under a ping taken from the kit's own rim or cross-stick, or made."""
    clicks = have.get("snare_rim") or have.get("snare_cross_stick") or []
    for drum in ("snare", *TOMS):
        if f"{drum}_rim" in have or f"{drum}_head" not in have:
            continue
        share, length = rng.uniform(0.35, 0.8), rng.uniform(0.015, 0.05)
        centre = RIM_CENTRE[drum] * rng.uniform(0.8, 1.25)
        made = ping(rng, centre, length)
        rims = []
        for sample in _main(have[f"{drum}_head"]):
            sound = made
            if clicks and rng.random() < 0.7:
                click = band(_unit(_near(clicks, sample)), 600, None)
                click = retune(click[: int(6 * length * SAMPLE_RATE)], (centre / RIM_CENTRE["snare"]) ** 0.5)
                sound = click * decay(click.size, 2 * length) / max(float(np.abs(click).max()), 1e-6)
            rims.append(
                _made(_add(share * _unit(sample), np.concatenate([np.zeros(22, np.float32), sound])), sample)
            )
        have[f"{drum}_rim"] = rims


def _cymbals(have: dict[str, list[Sample]], rng: np.random.Generator) -> None:
    """Edges of crashes (beside splash and china, as the variant "edge"), of the ride, and a second crash."""
    if "crash1" in have and "crash2" not in have:
        ratio = rng.uniform(0.84, 0.93)
        have["crash2"] = [_made(retune(_unit(s), ratio), s) for s in _main(have["crash1"])]
    for crash in ("crash1", "crash2"):
        if crash in have:
            pitch = rng.uniform(0.95, 0.99)
            edges = [_made(_crash_edge(s, pitch), s, "edge") for s in _main(have[crash])]
            have[f"{crash}_edge"] = have.get(f"{crash}_edge", []) + edges
    if "ride" in have and "crash1" in have and "ride_edge" not in have:
        pitch, share = rng.uniform(0.85, 0.95), rng.uniform(0.6, 1.0)
        have["ride_edge"] = []
        for sample in _main(have["ride"]):
            wash = retune(_unit(_near(_main(have["crash1"]), sample)), pitch)
            have["ride_edge"].append(_made(_add(_unit(sample), share * wash), sample))


def _crash_edge(crash: Sample, pitch: float) -> np.ndarray:
    """A crash struck on its edge with the shoulder: harder, lower, with more of the first roar."""
    sound = retune(_unit(crash), pitch)
    sound = sound + 0.8 * band(sound, 300, 1500)
    return sound * (1 + 0.8 * decay(sound.size, 0.08))
