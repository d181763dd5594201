"""Decode settings and calibration of a checkpoint, chosen on rendered validation clips (no real recording).

The settings are the onset head's weight (lambda) and bias, then the least confidence of a hit, family by
family; for the onset head alone (`frames`) the same but the weight. The figure they maximise is the mean of
the micro F over 26 classes and over 5. The calibration is isotonic regression of right against raw confidence
(Zadrozny & Elkan 2002): of hits of confidence 0.8 eight in ten are right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from scipy.optimize import isotonic_regression

from data.dsp.levels import mix
from data.shards.read import StoredClip
from eval.metrics.f_measure import f_measure
from eval.metrics.match import match_tracks
from mt3drum.decoding import TAUGHT, DecodeConfig
from mt3drum.model.network import DrumModel
from mt3drum.transcriber import Transcriber
from tokenizer.drums import DRUMS, FAMILIES
from tokenizer.hits import Hit

WEIGHTS = (0.0, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
BIASES = (-2.5, -2.0, -1.5, -1.0, -0.5, 0.0)
SCHEMES = ("26", "5")
BAND_LEVEL = 0.0  # dB: a band as loud as the drums, under every second clip
POINTS = 12  # of the calibration
TIE = 2e-4  # of the figure: bounds so close to the best are as good, and the highest is taken
Bounds = tuple[tuple[str, float], ...]  # pairs of family and least confidence
LEAST = tuple(round(0.05 * k, 2) for k in range(13))  # of the calibrated confidence


@dataclass(frozen=True)
class Trial:
    """One setting and what it scored."""

    onset_weight: float
    onset_bias: float
    f: dict[str, float]
    """Scheme -> micro F."""

    @property
    def mean_f(self) -> float:
        return float(np.mean(list(self.f.values())))


def mixed(clips: list[StoredClip]) -> dict[str, np.ndarray]:
    """Audio by key: every second clip that has a band is heard with it."""
    return {
        clip.key: mix(clip.audio, clip.band, BAND_LEVEL)
        if number % 2 and clip.band is not None
        else clip.audio
        for number, clip in enumerate(clips)
    }


def transcribe(
    model: DrumModel, config: DecodeConfig, audio: Mapping[str, np.ndarray]
) -> dict[str, tuple[Hit, ...]]:
    """Hits of every clip."""
    transcriber = Transcriber(model, config)
    return {key: transcriber.transcribe_array(samples).hits for key, samples in audio.items()}


def tune(
    model: DrumModel,
    clips: list[StoredClip],
    report: Callable[[Trial], object],
    given: tuple[float, float] | None = None,
    taught: Mapping[str, object] = MappingProxyType({}),
) -> tuple[DecodeConfig, list[Trial]]:
    """Search bias, then weight, then bias, unless both are `given` (weight, bias); returns the best
    configuration, calibrated, and all trials.

    Args:
        taught: decode settings of the checkpoint, of which `TAUGHT` are kept.
    """
    base = DecodeConfig.from_dict({name: taught[name] for name in TAUGHT if name in taught})
    audio, references = mixed(clips), {clip.key: clip.hits for clip in clips}
    trials: dict[tuple[float, float], Trial] = {}

    def trial(weight: float, bias: float) -> Trial:
        if (weight, bias) not in trials:
            found = transcribe(model, replace(base, onset_weight=weight, onset_bias=bias), audio)
            f = {scheme: f_measure(references, found, scheme=scheme).micro.f for scheme in SCHEMES}
            trials[weight, bias] = Trial(weight, bias, f)
            report(trials[weight, bias])
        return trials[weight, bias]

    if given is not None:
        best = trial(*given)
    elif model.config.decoder_layers == 0:
        best = max((trial(1.0, bias) for bias in BIASES), key=lambda t: t.mean_f)
    else:
        best = max((trial(0.5, bias) for bias in BIASES), key=lambda t: t.mean_f)
        best = max((trial(weight, best.onset_bias) for weight in WEIGHTS), key=lambda t: t.mean_f)
        best = max((trial(best.onset_weight, bias) for bias in BIASES), key=lambda t: t.mean_f)
    frames = max((trial(1.0, bias) for bias in BIASES), key=lambda t: t.mean_f)

    def calibrated(chosen: Trial) -> DecodeConfig:
        config = replace(base, onset_weight=chosen.onset_weight, onset_bias=chosen.onset_bias)
        points = calibration(references, transcribe(model, config, audio))
        config = replace(config, confidence_calibration=points)
        least = least_confidence(references, transcribe(model, config, audio))
        return replace(config, minimum_confidence=least)

    alone = calibrated(frames).to_dict()
    config = calibrated(best)
    settings = {name: alone[name] for name in ("onset_bias", "confidence_calibration", "minimum_confidence")}
    return replace(config, frames=settings), list(trials.values())


def least_confidence(references: Mapping[str, list[Hit]], found: Mapping[str, tuple[Hit, ...]]) -> Bounds:
    """Pairs of family and bound: the best bound for all, then the best of each family the clips hold."""

    def best(options: list[Bounds]) -> Bounds:
        figures = [mean_f(references, kept(found, bounds)) for bounds in options]
        return [option for option, f in zip(options, figures, strict=True) if f >= max(figures) - TIE][-1]

    played = {DRUMS[hit.drum].family for hits in references.values() for hit in hits}
    chosen = best([tuple((family, bound) for family in FAMILIES) for bound in LEAST])
    for family in (name for name in FAMILIES if name in played):
        chosen = best([tuple({**dict(chosen), family: bound}.items()) for bound in LEAST])
    return chosen


def kept(found: Mapping[str, tuple[Hit, ...]], least: float | Bounds) -> dict[str, tuple[Hit, ...]]:
    """The hits that decoding with this `minimum_confidence` leaves."""
    config = DecodeConfig(minimum_confidence=least)
    return {key: tuple(filter(config.confident, hits)) for key, hits in found.items()}


def mean_f(references: Mapping[str, list[Hit]], found: Mapping[str, tuple[Hit, ...]]) -> float:
    """Mean over the schemes of micro F at 50 ms."""
    return float(np.mean([f_measure(references, found, scheme=scheme).micro.f for scheme in SCHEMES]))


def calibration(
    references: Mapping[str, list[Hit]], found: Mapping[str, tuple[Hit, ...]]
) -> tuple[tuple[float, float], ...]:
    """Rising points (raw, share right) at quantiles of the raw confidences, from (0, 0); 26 classes, 50 ms.

    None where there are too few hits to say anything.
    """
    matches = match_tracks(references, found, scheme="26", window=0.05)
    raw = np.concatenate([match.estimates.confidence for match in matches])
    right = np.concatenate([match.hit_right for match in matches])
    if len(raw) < POINTS:
        return ()
    order = np.argsort(raw)
    groups = [group for group in np.array_split(order, POINTS) if len(group)]
    shares = isotonic_regression(
        np.array([right[group].mean() for group in groups]),
        weights=np.array([len(group) for group in groups]),
    ).x
    points = [(0.0, 0.0)]
    for group, share in zip(groups, shares, strict=True):
        at = float(raw[group].mean())
        if at > points[-1][0] + 1e-6:
            points.append((round(at, 6), round(float(np.clip(share, 0, 1)), 6)))
    return tuple(points)
