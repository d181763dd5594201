"""What rounding costs: hits of the development recordings in float32 and in bfloat16 (scripts/bench.py)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from eval.metrics.f_measure import f_measure
from mt3drum.transcriber import Transcriber
from scripts.bench_suite.parts import Row, Setting
from tokenizer.hits import Hit
from train.config import TrainConfig
from train.validate import groups_of

MIXES = ("drum_only", "pseudo_mix", "full_mix")
NEAR = 0.02  # seconds


def precision(setting: Setting) -> list[Row]:
    """Micro F (5 classes, 50 ms) of each mix in either type, and how alike the hits of both are."""
    torch.set_num_threads(1)
    if setting.development is None:
        return []
    config = TrainConfig("", development=str(setting.development), development_mixes=MIXES)
    hits: dict[str, list[Sequence[Hit]]] = {}
    rows: list[Row] = []
    for kind in ("float32", "bfloat16"):
        transcriber = setting.transcriber(precision=kind)
        hits[kind] = []
        for group in groups_of(config):
            found = {name: _hear(transcriber, source) for name, source in group.audio.items()}
            hits[kind] += found.values()
            f = f_measure(group.hits, found, scheme="5", window=0.05, unjudged=group.unjudged).micro.f
            rows.append({"name": kind, "unit": f"micro F, {group.name}", "values": [f]})
    pairs = [near for pair in zip(*hits.values(), strict=True) for near in alike(*pair)]
    total = sum(map(len, hits["float32"]))
    rows.sort(key=lambda row: row["unit"])
    more = {
        "hits of float32 that bfloat16 has too, within 20 ms": (100 * len(pairs) / total, "% of hits"),
        "how far they are apart, mean": (1000 * _mean(pairs, "time"), "ms"),
        "difference of their velocities, mean": (_mean(pairs, "velocity"), "of 127"),
        "difference of their confidences, mean": (_mean(pairs, "confidence"), "of 1"),
    }
    return rows + [{"name": n, "unit": unit, "values": [value]} for n, (value, unit) in more.items()]


def alike(one: Sequence[Hit], other: Sequence[Hit]) -> list[tuple[Hit, Hit]]:
    """Each hit of `one` with the nearest of `other` on the same drum, where there is one within `NEAR`."""
    pairs = []
    for hit in one:
        near = [h for h in other if h.drum == hit.drum and abs(h.time - hit.time) < NEAR]
        if near:
            pairs.append((hit, min(near, key=lambda h: abs(h.time - hit.time))))
    return pairs


def _hear(transcriber: Transcriber, source: Path | np.ndarray) -> tuple[Hit, ...]:
    if isinstance(source, Path):
        return transcriber.transcribe_file(source).hits
    return transcriber.transcribe_array(source).hits


def _mean(pairs: Sequence[tuple[Hit, Hit]], field: str) -> float:
    differences = [abs(getattr(a, field) - getattr(b, field)) for a, b in pairs]
    return float(np.mean(differences)) if differences else 0.0


PARTS = {"precision": precision}
