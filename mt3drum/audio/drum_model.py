"""Spectral templates of the drums in a recording, learned from its own hits.

Non-negative matrix factor deconvolution (Smaragdis 2004) informed by the transcription, as Dittmar and Müller
("Reverse Engineering the Amen Break", IEEE/ACM TASLP 24(9), 2016) separate breakbeats: onsets are known, so
only a template per drum and a gain per hit are estimated, by multiplicative updates of the Kullback-Leibler
divergence. Everything else is background, modelled by a running median over time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tokenizer.drums import DRUMS, FAMILIES, FAMILY_OF
from tokenizer.hits import Hit

BEFORE = 2
"""Frames by which a template starts before its onset, because the window reaches ahead."""
RING = {
    "kick": 0.4,
    "snare": 0.5,
    "rim": 0.3,
    "hihat": 0.25,
    "tom": 0.7,
    "crash": 1.8,
    "ride": 1.0,
    "aux": 0.4,
}
"""Maximum duration of a stroke in seconds, by family; `OPEN_RING` for an open hi-hat."""
OPEN_RING = 0.8
BAND = {
    "kick": (0.0, 250.0),
    "snare": (120.0, 9_000.0),
    "rim": (300.0, 9_000.0),
    "hihat": (3_000.0, 22_050.0),
    "tom": (50.0, 700.0),
    "crash": (1_000.0, 22_050.0),
    "ride": (1_500.0, 22_050.0),
    "aux": (800.0, 22_050.0),
}
"""Frequency band in Hz in which the template of a family starts at full level; elsewhere it starts at
`OUT_OF_BAND`. This is only the starting point; the updates follow the recording."""
OUT_OF_BAND = 0.05
ITERATIONS, GAIN_ITERATIONS = 12, 6
"""Updates of templates and gains; updates of gains alone with known templates."""
BACKGROUND_EVERY = 4
"""Updates between two estimates of the background."""
MEDIAN_SECONDS, SMOOTH_SECONDS = 0.5, 0.046
"""Widths of the running median and of the means that it is computed from."""
POWER = 1.5
"""Exponent of the magnitudes in a mask. This, `OUT_OF_BAND`, `BACKGROUND` and `ITERATIONS` were chosen on
eight clips of `scripts/stems_report.py --seed 100`, which its reported figures do not use."""
BACKGROUND = 0.7
"""Initial background level as a share of the median, part of which may be cymbals."""
_TINY = 1e-9


@dataclass(frozen=True)
class Onset:
    """A hit in frames of a spectrogram."""

    drum: int
    start: int
    """First frame of its template; may be negative."""
    length: int
    """Frames until it is silent or choked: the next hi-hat stroke ends an open hi-hat."""
    loudness: float
    """Expected gain, from the velocity."""


@dataclass(frozen=True)
class KitTemplates:
    """Templates [frames, bins] of the drums of one recording, by class."""

    patches: Mapping[int, np.ndarray]


def onsets_of(hits: Sequence[Hit], frames_per_second: float, first: int = 0) -> list[Onset]:
    """Convert hits, in order of time, to onsets.

    Args:
        first: frame of the recording that is frame 0 here.
    """
    found = []
    next_hat = np.inf
    for hit in sorted(hits, reverse=True):
        drum = DRUMS[hit.drum]
        opened = "open" in drum.name
        ring = OPEN_RING if opened else RING[drum.family]
        if opened:
            ring = min(ring, next_hat - hit.time)
        if drum.family == "hihat":
            next_hat = hit.time
        start = round(hit.time * frames_per_second) - BEFORE
        length = max(1, round(ring * frames_per_second)) + BEFORE
        found.append(Onset(hit.drum, start - first, length, (hit.velocity / 127) ** 1.5))
    return found[::-1]


def learn(spectrogram: np.ndarray, onsets: Sequence[Onset], rate: float, hop: int) -> KitTemplates:
    """Learn templates from a magnitude spectrogram [frames, bins] and its onsets."""
    patches = _starting_patches(spectrogram, onsets, rate)
    gains = np.array([onset.loudness for onset in onsets])
    background = BACKGROUND * _background(spectrogram, rate / hop)
    for number in range(ITERATIONS):
        if number and number % BACKGROUND_EVERY == 0:
            drums = _sum(spectrogram.shape, onsets, gains, patches)
            background = _background(np.maximum(spectrogram - drums, 0), rate / hop)
        ratio = spectrogram / (_sum(spectrogram.shape, onsets, gains, patches) + background + _TINY)
        gains = _update_gains(ratio, onsets, gains, patches)
        ratio = spectrogram / (_sum(spectrogram.shape, onsets, gains, patches) + background + _TINY)
        _update_patches(ratio, onsets, gains, patches)
    return KitTemplates(patches)


def masks(
    model: KitTemplates, spectrogram: np.ndarray, onsets: Sequence[Onset], frames_per_second: float
) -> dict[str, np.ndarray]:
    """Share 0..1 of each family with onsets in every cell [frames, bins] of a magnitude spectrogram. The
    shares add up to at most 1; the remainder is background."""
    onsets = [onset for onset in onsets if onset.drum in model.patches]
    gains = np.array([onset.loudness for onset in onsets])
    drums = _sum(spectrogram.shape, onsets, gains, model.patches)
    background = _background(np.maximum(spectrogram - drums, 0), frames_per_second)
    for number in range(GAIN_ITERATIONS):
        if number == GAIN_ITERATIONS // 2:
            drums = _sum(spectrogram.shape, onsets, gains, model.patches)
            background = _background(np.maximum(spectrogram - drums, 0), frames_per_second)
        ratio = spectrogram / (_sum(spectrogram.shape, onsets, gains, model.patches) + background + _TINY)
        gains = _update_gains(ratio, onsets, gains, model.patches)
    parts = {}
    for family, name in enumerate(FAMILIES):
        chosen = [i for i, onset in enumerate(onsets) if FAMILY_OF[onset.drum] == family]
        if chosen:
            own = [onsets[i] for i in chosen]
            parts[name] = _sum(spectrogram.shape, own, gains[chosen], model.patches) ** POWER
    total = np.sum(list(parts.values()), axis=0) + background**POWER + _TINY**POWER if parts else 1.0
    return {name: (part / total).astype(np.float32) for name, part in parts.items()}


def _starting_patches(spectrogram: np.ndarray, onsets: Sequence[Onset], rate: float) -> dict[int, np.ndarray]:
    """Mean spectrogram after each drum's hits, attenuated outside its family's band, all at one level."""
    bins = spectrogram.shape[1]
    frequencies = np.arange(bins) * rate / (2 * (bins - 1))
    patches = {}
    for drum in sorted({onset.drum for onset in onsets}):
        own = [onset for onset in onsets if onset.drum == drum]
        patch = np.zeros((max(onset.length for onset in own), bins), np.float32)
        seen = np.full((len(patch), 1), _TINY, np.float32)
        for onset in own:
            into, out = _overlap(onset, len(spectrogram))
            patch[into] += spectrogram[out]
            seen[into] += onset.loudness
        low, high = BAND[DRUMS[drum].family]
        weight = np.where((frequencies >= low) & (frequencies <= high), 1.0, OUT_OF_BAND)
        decay = np.linspace(1.0, 0.05, len(patch))[:, None]
        patches[drum] = (patch / seen * weight * decay + _TINY).astype(np.float32)
    return patches


def _overlap(onset: Onset, frames: int) -> tuple[slice, slice]:
    """Overlap of template and spectrogram: rows of the template, rows of the spectrogram."""
    begin = max(0, -onset.start)
    end = max(begin, min(onset.length, frames - onset.start))
    return slice(begin, end), slice(onset.start + begin, onset.start + end)


def _sum(
    shape: tuple[int, ...], onsets: Sequence[Onset], gains: np.ndarray, patches: Mapping[int, np.ndarray]
) -> np.ndarray:
    """The modelled spectrogram of all drums."""
    total = np.zeros(shape, np.float32)
    for onset, gain in zip(onsets, gains, strict=True):
        into, out = _overlap(onset, len(total))
        part = patches[onset.drum][into]
        total[out][: len(part)] += np.float32(gain) * part
    return total


def _update_gains(
    ratio: np.ndarray, onsets: Sequence[Onset], gains: np.ndarray, patches: Mapping[int, np.ndarray]
) -> np.ndarray:
    updated = gains.copy()
    for i, onset in enumerate(onsets):
        into, out = _overlap(onset, len(ratio))
        part = patches[onset.drum][into]
        weight = float(part.sum())
        if weight > 0:
            updated[i] *= float((part * ratio[out][: len(part)]).sum()) / weight
    return updated


def _update_patches(
    ratio: np.ndarray, onsets: Sequence[Onset], gains: np.ndarray, patches: dict[int, np.ndarray]
) -> None:
    numerators = {drum: np.zeros_like(patch) for drum, patch in patches.items()}
    weights = {drum: np.full((len(patch), 1), _TINY, np.float32) for drum, patch in patches.items()}
    for onset, gain in zip(onsets, gains, strict=True):
        into, out = _overlap(onset, len(ratio))
        rows = numerators[onset.drum][into]
        rows += np.float32(gain) * ratio[out][: len(rows)]
        weights[onset.drum][into] += np.float32(gain)
    for drum, patch in patches.items():
        patch *= numerators[drum] / weights[drum]


def _background(spectrogram: np.ndarray, frames_per_second: float) -> np.ndarray:
    """Sustained sound: the running median over time of short means."""
    frames, bins = spectrogram.shape
    step = max(1, round(SMOOTH_SECONDS * frames_per_second))
    width = 2 * round(MEDIAN_SECONDS * frames_per_second / step / 2) + 1
    padded = np.pad(spectrogram, ((0, -frames % step), (0, 0)), mode="edge")
    means = padded.reshape(-1, step, bins).mean(axis=1)
    edges = np.pad(means, ((width // 2, width // 2), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(edges, width, axis=0)
    medians = np.partition(windows, width // 2, axis=-1)[..., width // 2]
    return np.repeat(medians, step, axis=0)[:frames].astype(np.float32)
