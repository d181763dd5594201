"""Enrolment of the player's own kit: samples of the drums distinguish similar drums, without training.

The samples are mixed into short practice segments at random times and levels, some simultaneously, and the
network encodes those. The stem outputs at each stroke give every enrolled drum a mean, and all of them one
covariance: a linear discriminant (Fisher 1936, with the covariance shrunk to a multiple of the identity,
Ledoit & Wolf 2004). docs/kit.md lists the alternatives tried.

A decoded hit on an enrolled drum is assigned to the enrolled drum of its family with the highest

    log p (onset head)  +  1 if it is the drum that was decoded  +  `weight` x discriminant

Times, velocities, confidences, the number of hits, and hits on drums without samples do not change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mt3drum.audio.drum_samples import PREROLL, KitError, read_samples
from mt3drum.audio.recording import TARGET_PEAK
from mt3drum.config import HOP, SAMPLE_RATE
from mt3drum.decode.hypothesis import Hypothesis
from mt3drum.decode.onset_head import FLOOR, onset_probabilities
from mt3drum.decoding import DecodeConfig
from mt3drum.model.inference import InferenceModel
from mt3drum.model.stem import FRAMES_PER_STATE
from tokenizer.drums import DRUMS, FAMILY_OF, INSTRUMENT_OF

WEIGHT = 0.12
"""Weight of the discriminant, whose scores in 768 dimensions are strongly overconfident. Chosen together with
the bonus of 1, `SHRINK` and `STATES` on kits of the validation split."""
SHRINK = 0.012
"""Share of the identity in the covariance."""
STATES = 3
"""Number of stem outputs per stroke, from its onset: 60 ms."""
PRACTICE_SEGMENTS = 24
"""About 700 strokes: 27 of each of 26 drums."""
_TOGETHER = 0.35  # probability that two drums are struck at once
_SPACING = (0.06, 0.3)  # seconds between strokes


@dataclass(frozen=True)
class EnrolledKit:
    """The discriminant of a kit, specific to one network."""

    drums: tuple[int, ...]
    """The enrolled classes, in increasing order."""
    slope: np.ndarray
    """[n d]: the discriminant of each class is slope @ features + offset."""
    offset: np.ndarray
    """[n]"""
    warnings: tuple[str, ...] = ()
    """Problems with the samples that were worked around."""
    weight: float = WEIGHT


def enrol(model: InferenceModel, folder: Path) -> EnrolledKit:
    """Learn a kit from a folder of samples named after their drums.

    Raises:
        KitError: the folder or a file cannot be used, or no family has two drums to distinguish.
    """
    strokes, warnings = read_samples(folder)
    families = [FAMILY_OF[drum] for drum in strokes]
    if len(families) == len(set(families)):
        names = ", ".join(DRUMS[drum].name for drum in sorted(strokes))
        raise KitError(
            f"{folder}: samples of {names} only; expected at least two drums of one family, "
            "such as tom1_head and tom2_head, to tell them apart"
        )
    audio, struck = practice(strokes, model.config.codec.segment_steps, np.random.default_rng(0))
    segment, step, drum = struck.T
    with torch.inference_mode():
        outputs = model.stem(torch.from_numpy(audio).to(model.device))
    slope, offset = discriminant(features(outputs, segment, step), drum)
    return EnrolledKit(tuple(np.unique(drum).tolist()), slope, offset, warnings)


def practice(
    strokes: Mapping[int, Sequence[np.ndarray]], segment_steps: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Strokes of each drum (`read_samples`) -> segments [s n] float32 in which they are played at random, and
    [k 3] segment, step and drum of each stroke."""
    segments, rows = [], []
    for segment in range(PRACTICE_SEGMENTS):
        audio = np.zeros(segment_steps * HOP, dtype=np.float32)
        level = {drum: rng.uniform(-14.0, 0.0) for drum in strokes}  # dB
        events = _events(list(strokes), segment_steps * HOP / SAMPLE_RATE, rng)
        for at, (time, drum) in enumerate(events):
            stroke = strokes[drum][int(rng.integers(len(strokes[drum])))]
            start = round(time * SAMPLE_RATE) - PREROLL
            end = min(start + len(stroke), len(audio))
            if DRUMS[drum].family == "hihat":  # the next stroke on the hats ends this one
                later = [t for t, other in events[at + 1 :] if t > time and DRUMS[other].family == "hihat"]
                end = min(end, round(later[0] * SAMPLE_RATE)) if later else end
            sound = stroke[: end - start] * np.float32(10 ** ((level[drum] + rng.uniform(-8.0, 0.0)) / 20))
            fade = min(800, len(sound))
            sound[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
            audio[start:end] += sound
            rows.append((segment, int(time * SAMPLE_RATE / HOP + 0.5), drum))
        peak = TARGET_PEAK * 10 ** (rng.uniform(-2.0, 4.0) / 20)
        segments.append(audio * np.float32(peak / np.abs(audio).max()))
    return np.stack(segments), np.array(rows)


def _events(drums: Sequence[int], seconds: float, rng: np.random.Generator) -> list[tuple[float, int]]:
    """Times and drums; never two classes of one instrument at the same time."""
    events: list[tuple[float, int]] = []
    time = 0.15
    while time < seconds - 0.2:
        drum = drums[int(rng.integers(len(drums)))]
        events.append((time, drum))
        other = drums[int(rng.integers(len(drums)))]
        if rng.random() < _TOGETHER and INSTRUMENT_OF[drum] != INSTRUMENT_OF[other]:
            events.append((time, other))
        time += rng.uniform(*_SPACING)
    return events


def features(outputs: Tensor, segment: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Stem outputs [s t d] -> [k (STATES d)] at the steps of k strokes."""
    state = step[:, None] // FRAMES_PER_STATE + np.arange(STATES)
    values = outputs[
        torch.from_numpy(segment)[:, None], torch.from_numpy(state.clip(0, outputs.shape[1] - 1))
    ]
    return values.flatten(1).double().cpu().numpy()


def discriminant(values: np.ndarray, drum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features [k d] and drums [k] -> slope [n d] and offset [n] of each drum that occurs, in increasing
    order."""
    drums, index = np.unique(drum, return_inverse=True)
    prototypes = np.stack([values[index == i].mean(0) for i in range(len(drums))])
    residual = values - prototypes[index]
    covariance = residual.T @ residual / max(1, len(values) - len(drums)) * (1.0 - SHRINK)
    covariance.flat[:: len(covariance) + 1] += SHRINK * max(float((residual**2).mean()), 1e-6)
    slope = np.linalg.solve(covariance, prototypes.T).T
    return slope, -0.5 * (slope * prototypes).sum(1)


def rescore(
    model: InferenceModel,
    audio: Tensor,
    onset_logits: Tensor,
    found: Sequence[Hypothesis],
    kit: EnrolledKit,
    config: DecodeConfig,
) -> list[Hypothesis]:
    """Reassign the hits of segments to the drums of the kit. Tokens and scores do not change.

    Args:
        audio: [s n] the segments; onset_logits: [s t c] output of the onset head.
    """
    open_ = [index for index, one in enumerate(found) if any(hit.drum in kit.drums for hit in one.hits)]
    if not open_:
        return list(found)
    rows = [
        (i, step, hit.drum)
        for i, index in enumerate(open_)
        for hit, step in zip(found[index].hits, found[index].steps, strict=True)
    ]
    segment, step, drum = np.array(rows).T
    which = torch.tensor(open_, device=audio.device)
    values = features(model.stem(audio[which]), segment, step)
    heard = onset_probabilities(onset_logits[which], config.onset_bias).cpu().numpy()
    near = (step[:, None] + np.arange(-1, 2)).clip(0, heard.shape[1] - 1)
    score = np.log(heard[segment[:, None], near].max(1) + FLOOR)
    score[np.arange(len(drum)), drum] += 1.0
    score[:, kit.drums] += kit.weight * (values @ kit.slope.T + kit.offset)
    chosen = _choose(segment, step, drum, score, kit, config)
    result, at = list(found), 0
    for index in open_:
        hits = found[index].hits
        named = zip(hits, chosen[at : at + len(hits)], strict=True)
        result[index] = replace(found[index], hits=tuple(replace(hit, drum=int(new)) for hit, new in named))
        at += len(hits)
    return result


def _choose(
    segment: np.ndarray,
    step: np.ndarray,
    drum: np.ndarray,
    score: np.ndarray,
    kit: EnrolledKit,
    config: DecodeConfig,
) -> np.ndarray:
    """[k] the drum of each hit: the best of its family whose instrument has no other hit within the exclusive
    gap; otherwise one of the two would be dropped later."""
    chosen = drum.copy()
    apart = round(config.exclusive_gap * SAMPLE_RATE / HOP) + 1
    for at in np.flatnonzero(np.isin(drum, kit.drums)).tolist():
        beside = (segment == segment[at]) & (np.abs(step - step[at]) <= apart)
        beside[at] = False
        taken = {INSTRUMENT_OF[other] for other in chosen[beside].tolist()}
        family = [other for other in kit.drums if FAMILY_OF[other] == FAMILY_OF[drum[at]]]
        options = [other for other in family if other in config.classes and INSTRUMENT_OF[other] not in taken]
        if drum[at] not in options:
            options.append(int(drum[at]))
        chosen[at] = max(options, key=lambda other: score[at, other])
    return chosen
