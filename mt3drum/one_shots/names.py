"""Name the drum of a sample by the onset head at its attack.

The family is that of the most probable class. Within the family, classes are weighted by how many sample
libraries contain them: the head was trained on performances, where the edge of a hi-hat is struck as often as
its bow, but few libraries label an edge (docs/label.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
import torch

from mt3drum.audio.drum_samples import PREROLL, cut_strokes
from mt3drum.audio.recording import TARGET_PEAK
from mt3drum.config import HOP
from mt3drum.decode.onset_head import onset_probabilities
from mt3drum.model.inference import InferenceModel
from tokenizer.drums import CLASS_INDEX, FAMILIES, FAMILY_OF, NUM_CLASSES, SCHEMES

COUNTS = "one_shot_counts.json"
"""How many training kits have samples of each class (scripts/label_report.py --write-counts)."""
PRIOR_WEIGHT = 0.5
"""Exponent of the counts; chosen on validation kits."""
MOST_STROKES = 4
"""Strokes of a file that are listened to."""
LEVELS = ("26", "8", "5")
_SHARE = 0.25  # of the segment lies before the attack
_FRAMES = (-4, 8)  # in which the head's maximum is taken, relative to the attack


class Name(NamedTuple):
    """What a sample is called."""

    drum: int
    """Index into `tokenizer.drums.DRUMS`."""
    confidence: dict[str, float]
    """By level: 26, 8 and 5 labels; without 5 where these have no label for it."""

    def label(self, level: str) -> str:
        """Its label among `level` labels; "" where there is none."""
        scheme = SCHEMES[level]
        return scheme.name_of(self.drum) if scheme.of_class[self.drum] >= 0 else ""


@cache
def prior() -> np.ndarray:
    """[26]: factor of each class within its family."""
    counts = json.loads((resources.files("mt3drum") / "assets" / COUNTS).read_text(encoding="utf-8"))
    values = np.zeros(NUM_CLASSES)
    for name, count in counts["kits_with"].items():
        values[CLASS_INDEX[name]] = count
    return np.asarray(((values + 1) / (counts["kits"] + 1)) ** PRIOR_WEIGHT)


def name_samples(model: InferenceModel, bias: float, samples: Sequence[np.ndarray]) -> list[Name]:
    """Names of non-silent mono recordings at 44.1 kHz, one batch.

    Args:
        bias: of the onset head (`DecodeConfig.onset_bias`).
    """
    length = model.config.codec.segment_steps
    step = int(_SHARE * length)
    segments, owner = [], []
    for index, sample in enumerate(samples):
        for stroke in cut_strokes(sample)[:MOST_STROKES]:
            segment = np.zeros(length * HOP, np.float32)
            start = step * HOP - PREROLL
            segment[start : start + len(stroke)] = TARGET_PEAK * stroke[: len(segment) - start]
            segments.append(segment)
            owner.append(index)
    with torch.inference_mode():
        logits = model.encode(torch.from_numpy(np.stack(segments)).to(model.device)).onset_logits
        highest = logits[:, step + _FRAMES[0] : step + _FRAMES[1]].amax(1)
        heard = onset_probabilities(highest, bias).cpu().numpy().astype(np.float64)
    of = np.array(owner)
    return [name_of(heard[of == index].mean(0)) for index in range(len(samples))]


def name_of(heard: np.ndarray) -> Name:
    """From the head's probabilities [26]."""
    family = np.array(FAMILY_OF)
    shares = heard / max(float(heard.sum()), 1e-12)
    weighted = np.zeros(NUM_CLASSES)
    for one in range(len(FAMILIES)):
        own = family == one
        likely = (heard * prior())[own]
        weighted[own] = shares[own].sum() * likely / max(float(likely.sum()), 1e-12)
    of_best = np.where(family == family[int(heard.argmax())], weighted, -1.0)
    drum = int(of_best.argmax())
    confidence = {}
    for level in LEVELS:
        labels = np.array(SCHEMES[level].of_class)
        if labels[drum] >= 0:
            confidence[level] = round(float(weighted[labels == labels[drum]].sum()), 4)
    return Name(drum, confidence)
