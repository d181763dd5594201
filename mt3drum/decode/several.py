"""Several checkpoints in one transcription: ensembles and specialists.

Checkpoints taught the same classes are averaged (`mt3drum.model.ensemble`). One taught only some families of
drums (setting `classes` of training) is a specialist: its hits replace those of the others in its families. A
time token is joint over all drums, so distributions of different class sets cannot be multiplied; whole hits
are joined instead, before the rules on merging and exclusive classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt3drum.decode.hypothesis import Hypothesis
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import CheckpointError, load_inference_model
from mt3drum.model.ensemble import Ensemble
from mt3drum.model.inference import InferenceModel
from tokenizer.drums import DRUMS, FAMILIES, NUM_CLASSES

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Specialist:
    """A model for some families of drums."""

    model: InferenceModel
    config: DecodeConfig
    families: frozenset[str]


def load_networks(
    paths: Sequence[Path],
    device: str,
    dtype: torch.dtype | None,
    runtime: str,
    options: Mapping[str, Any],
) -> tuple[InferenceModel, DecodeConfig, tuple[Specialist, ...]]:
    """The model, its decode settings and the specialists beside it. Several checkpoints of the same classes
    are an ensemble with the settings of the first, or of the first that has a decoder.

    Raises:
        CheckpointError: a checkpoint cannot be used, or not beside the others.
        ValueError: an option is not valid.
    """
    if len(paths) > 1 and runtime == "onnx":
        raise ValueError("runtime onnx takes one checkpoint")
    groups: dict[frozenset[int], list[tuple[Path, InferenceModel, DecodeConfig]]] = {}
    for path in paths:
        model, header = load_inference_model(path, device, dtype, runtime)
        try:
            taught = DecodeConfig.from_dict(header["decoding"])
        except ValueError as error:
            raise CheckpointError(f"{path}: damaged header ({error})") from error
        own = options if model.decoder is not None else {"decoder": "frames", **options}
        groups.setdefault(taught.classes, []).append((path, model, taught.with_options(own)))
    first, *others = sorted(groups.items(), key=lambda group: -len(group[0]))  # stable: the first given leads
    model, config = _joined(first[1])
    covered = frozenset() if len(first[0]) == NUM_CLASSES else _families(first[1][0][0], first[0])
    specialists = []
    for classes, members in others:
        path = members[0][0]
        families = _families(path, classes)
        special, own_config = _joined(members)
        if special.config.codec != model.config.codec or own_config.scheme != config.scheme:
            raise CheckpointError(f"{path}: has another vocabulary or scheme than {first[1][0][0]}")
        if twice := sorted(families & covered):
            raise CheckpointError(f"{path}: {twice[0]} belongs to two specialists")
        covered |= families
        specialists.append(Specialist(special, own_config, families))
        least = {family: own_config.least(_drums(family)[0]) for family in families}
        config = config.with_options({"minimum_confidence": least})
    return model, config, tuple(specialists)


def _joined(
    members: Sequence[tuple[Path, InferenceModel, DecodeConfig]],
) -> tuple[InferenceModel, DecodeConfig]:
    members = sorted(members, key=lambda member: member[1].decoder is None)  # settings of one with a decoder
    (path, model, config), *others = members
    if not others:
        return model, config
    try:
        joined = Ensemble([m for _, m, _ in members], [c.onset_bias for *_, c in members])
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    if any(other.scheme != config.scheme for *_, other in others):
        raise CheckpointError(f"{path}: the checkpoints tell different schemes apart; give --scheme")
    return joined, config


def _drums(family: str) -> list[int]:
    return [drum.index for drum in DRUMS if drum.family == family]


def _families(path: Path, classes: frozenset[int]) -> frozenset[str]:
    """The families of a specialist.

    Raises:
        CheckpointError: it was taught only a part of a family.
    """
    found = frozenset(DRUMS[drum].family for drum in classes)
    if part := [family for family in FAMILIES if family in found and not set(_drums(family)) <= classes]:
        raise CheckpointError(
            f"{path}: was taught a part of the family {part[0]}; a specialist knows whole families"
        )
    return found


def combined(general: Hypothesis, special: Hypothesis, families: frozenset[str]) -> Hypothesis:
    """The hits of `special` in these families and those of `general` in the others, in order of time; tokens
    and score stay those of `general`."""
    pairs = [
        (step, hit)
        for hypothesis, inside in ((general, False), (special, True))
        for step, hit in zip(hypothesis.steps, hypothesis.hits, strict=True)
        if (DRUMS[hit.drum].family in families) == inside
    ]
    pairs.sort(key=lambda pair: (pair[0], pair[1].drum))
    return replace(
        general,
        hits=tuple(hit for _, hit in pairs),
        steps=tuple(step for step, _ in pairs),
        cut=general.cut or special.cut,
    )
