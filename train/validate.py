"""F-measure of a model on whole recordings: what chooses the checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.corpora.readers import read_mdb
from data.shards.read import read_clips
from eval.metrics.f_measure import f_measure
from mt3drum.decoding import DecodeConfig
from mt3drum.transcriber import Transcriber, Transcription
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS
from train.config import TrainConfig

if TYPE_CHECKING:
    from mt3drum.model.network import DrumModel

MAX_CLIPS = 48  # of a rendered validation set: ten minutes


@dataclass(frozen=True)
class Group:
    """Recordings that are scored together."""

    name: str
    audio: dict[str, np.ndarray | Path]
    """Name -> mono float32 at 44.1 kHz, or a file."""
    hits: dict[str, list[Hit]]
    unjudged: frozenset[str]


def groups_of(config: TrainConfig) -> list[Group]:
    """The recordings that `config` names: development mixes, else rendered validation clips, else none."""
    groups = []
    if config.development:
        unjudged = LABEL_MAPS["mdb_class"].unjudged
        for mix in config.development_mixes:
            recordings = read_mdb(Path(config.development), annotation="class", mix=mix)
            files: dict[str, np.ndarray | Path] = {r.name: r.audio for r in recordings if r.audio is not None}
            groups.append(Group(mix, files, {r.name: list(r.hits) for r in recordings}, unjudged))
    elif config.validation:
        clips = list(read_clips(Path(config.validation), MAX_CLIPS))
        audio: dict[str, np.ndarray | Path] = {c.key: c.audio for c in clips}
        groups.append(Group("rendered", audio, {c.key: c.hits for c in clips}, frozenset()))
    return groups


@dataclass(frozen=True)
class Validation:
    """Scores of one validation."""

    f_measure: float
    """Mean over the groups of micro F, five classes, 50 ms: the figure that chooses the checkpoint."""
    by_group: dict[str, float]
    by_class: dict[str, float]
    """`group/class` -> F."""


class StopValidation(Exception):
    """The validation was asked to stop before its end."""


def _hear(transcriber: Transcriber, source: np.ndarray | Path) -> Transcription:
    if isinstance(source, Path):
        return transcriber.transcribe_file(source)
    return transcriber.transcribe_array(source)


def validate(
    model: DrumModel,
    groups: Sequence[Group],
    decoding: DecodeConfig,
    stop: Callable[[], bool] = lambda: False,
) -> Validation:
    """Transcribe and score every group.

    Raises:
        StopValidation: `stop`, asked before each recording, says so.
    """
    transcriber = Transcriber(model, decoding)
    by_group, by_class = {}, {}
    for group in groups:
        estimates: dict[str, Sequence[Hit]] = {}
        for name, source in group.audio.items():
            if stop():
                raise StopValidation
            estimates[name] = _hear(transcriber, source).hits
        scores = f_measure(group.hits, estimates, scheme="5", window=0.05, unjudged=group.unjudged)
        by_group[group.name] = scores.micro.f
        for label, counts in scores.classes.items():
            by_class[f"{group.name}/{label}"] = counts.f
    return Validation(float(np.mean(list(by_group.values()))), by_group, by_class)
