"""Weights from another checkpoint: all of them, or some parts; and from fewer labels to more."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from mt3drum.config import ModelConfig
from mt3drum.decoding import DECODED_SCHEMES
from mt3drum.model.checkpoint import load_model
from mt3drum.model.network import DrumModel
from mt3drum.model.stem import FRAMES_PER_STATE
from tokenizer.codec import NUM_SPECIAL
from tokenizer.drums import SCHEMES
from train.config import TrainConfig, model_config
from train.tree import flat

NOISE = 0.05
"""Of the standard deviation of a row, added where several classes begin as one label: alike, they would stay
alike."""
log = logging.getLogger("train")


def model_of(config: TrainConfig) -> DrumModel:
    """The network of the settings with the weights that `initial` and `initial_parts` name.

    Raises:
        ValueError: `initial` cannot be loaded or does not fit; the message says what.
    """
    first, header = load_model(Path(config.initial))
    weights = first.state_dict()
    taught = header["decoding"].get("scheme", "26")
    if DECODED_SCHEMES.index(config.scheme) < DECODED_SCHEMES.index(taught):
        weights = spread(weights, first.config, taught)
    if config.initial_parts:
        model = DrumModel(model_config(config, None if config.preset else first.config))
        take_parts(model, weights, config.initial, config.initial_parts)
        return model
    wanted = model_config(config, None if config.preset else first.config)
    has, wants = flat(first.config.to_dict()), flat(wanted.to_dict())
    other = [f"{name} {has[name]} -> {value}" for name, value in wants.items() if value != has[name]]
    if any(not each.startswith("dropout ") for each in other):
        raise ValueError(
            f"{config.initial}: another network than `preset` and `model` ask for ({'; '.join(other)}); "
            "leave them out, or `initial`, or name `initial_parts` that fit"
        )
    model = DrumModel(wanted)
    model.load_state_dict(weights)
    return model


def take_parts(model: DrumModel, weights: dict[str, Tensor], where: str, parts: Sequence[str]) -> None:
    """Copy the weights whose names begin with one of the parts; what is left is named in the log.

    Raises:
        ValueError: a part is in neither network, or has other weights or shapes in the two.
    """
    own = model.state_dict()
    names = {part: {name for name in (*own, *weights) if name.split(".")[0] == part} for part in parts}
    known = dict.fromkeys(name.split(".")[0] for name in own)
    for part, members in names.items():
        if not members:
            raise ValueError(f"initial_parts: no part {part!r}; there are {', '.join(known)}")
        for name in sorted(members):
            one, other = (each[name].shape if name in each else None for each in (weights, own))
            if one != other:
                raise ValueError(
                    f"{where}: {name} is {'missing' if one is None else list(one)}, the network of the run "
                    f"wants {'none' if other is None else list(other)}: {part} cannot be taken"
                )
    taken = {name: weights[name] for members in names.values() for name in members}
    model.load_state_dict({**own, **taken})
    left = [part for part in known if part not in parts]
    log.info("from %s: %s; new: %s", where, ", ".join(parts), ", ".join(left) or "nothing")


def spread(weights: dict[str, Tensor], config: ModelConfig, scheme: str) -> dict[str, Tensor]:
    """Weights taught with the labels of `scheme`, for all classes: each class begins as its label does, with
    a little noise and its part of the label's probability."""
    labels = SCHEMES[scheme]
    members = [label for label in labels.of_class if label >= 0]
    found = {name: value.clone() for name, value in weights.items()}
    heads = {
        "onset_head.weight",
        "onset_head.bias",
        "other_head.weight",
        "other_head.bias",
        "embedding.weight",
    }
    for name in heads & set(found):
        value = found[name]
        if name.startswith("onset_head"):
            rows = value.unflatten(0, (FRAMES_PER_STATE, 2, -1)).movedim(2, 0)
        else:
            first = config.codec.first_drum if name.startswith("embedding") else NUM_SPECIAL
            rows = value[first : first + len(labels.of_class)]
        old = rows.clone()
        for drum, label in enumerate(labels.of_class):
            if label < 0:
                continue
            row = old[labels.first_class[label]]
            if name.endswith("bias"):
                row = row.clone()
                # Of the onset head the logit of an onset, not its velocity.
                part = row[:, 0] if name.startswith("onset_head") else row
                part -= math.log(members.count(label))
            elif members.count(label) > 1:
                row = row + NOISE * row.std() * torch.randn_like(row)
            rows[drum] = row
    return found
