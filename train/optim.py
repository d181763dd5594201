"""Learning-rate schedule, averaged weights, and blanking of the features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from train.config import TrainConfig

_MAX_BAND = 0.12  # of the mel bands (about the prototype's 15 of 128)
FROZEN = "frozen"
"""Of a group of parameters: whether `freeze` names its part."""
_MAX_STRETCH = 16  # frames: 160 ms; longer would hide hits that no context can give back


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then a cosine to `final_learning_rate` at the last step."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    floor = config.final_learning_rate
    return config.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def parameter_groups(model: nn.Module, freeze: Sequence[str]) -> list[dict[str, Any]]:
    """For the optimizer: the parameters, and apart from them those of the frozen parts. Groups stay what they
    are for a whole run, whatever learns: states and ZeRO's partitions are laid out by them.

    Raises:
        ValueError: a part is none of the network's.
    """
    groups: dict[bool, list[nn.Parameter]] = {False: [], True: []}
    parts = dict.fromkeys(name.split(".")[0] for name, _ in model.named_parameters())
    if unknown := [part for part in freeze if part not in parts]:
        raise ValueError(f"freeze: no part {unknown[0]!r}; there are {', '.join(parts)}")
    for name, parameter in model.named_parameters():
        groups[name.split(".")[0] in freeze].append(parameter)
    if not groups[False]:
        raise ValueError("freeze leaves nothing to learn")
    return [{"params": group, FROZEN: frozen} for frozen, group in groups.items() if group]


def set_rates(model: nn.Module, groups: Sequence[dict[str, Any]], config: TrainConfig, step: int) -> float:
    """Set the learning rates of a step and let frozen parts stand still, their running statistics too.

    Returns:
        the rate of what learns.
    """
    rate, frozen = learning_rate(config, step), step < config.freeze_steps
    for group in groups:
        group["lr"] = 0.0 if frozen and group[FROZEN] else rate
    for part in config.freeze:
        for module in getattr(model, part).modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.train(not frozen)
    return rate


class Average:
    """Exponential moving average of a model's weights and running statistics (Polyak & Juditsky 1992)."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {
            name: value.detach().clone().float() if value.is_floating_point() else value.clone()
            for name, value in model.state_dict().items()
        }

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model; the decay grows from 0.1 so that the random start is soon forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            average = self.weights[name]
            if value.is_floating_point():
                average.lerp_(value.detach().float(), 1 - decay)
            else:
                average.copy_(value)


def mean_weights(weights: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Mean of the weights of several checkpoints of one network whose runs parted late (Wortsman et al. 2022,
    arXiv:2203.05482); counts are those of the first.

    Raises:
        ValueError: they are not of one network.
    """
    first = weights[0]
    for other in weights[1:]:
        if {name: value.shape for name, value in other.items()} != {n: v.shape for n, v in first.items()}:
            raise ValueError("weights of different networks have no mean")
    return {
        name: torch.stack([each[name].float() for each in weights]).mean(0)
        if value.is_floating_point()
        else value.clone()
        for name, value in first.items()
    }


def blank(mel: Tensor, chance: float, seed: tuple[int, ...]) -> Tensor:
    """SpecAugment (Park et al. 2019, arXiv:1904.08779) on mel [b w m t], in place: one band, one stretch.

    Args:
        seed: integers (not negative) that make the draw a pure function of run, step and rank.
    """
    batch, _, bands, frames = mel.shape
    draw = np.random.default_rng(seed).random((batch, 6)).tolist()
    for item, (first, second, width, low, length, start) in zip(mel, draw, strict=True):
        fill = item.mean()
        if first < chance:
            size = 1 + int(width * _MAX_BAND * bands)
            begin = int(low * (bands - size))
            item[:, begin : begin + size] = fill
        if second < chance * 0.5:
            size = 1 + int(length * _MAX_STRETCH)
            begin = int(start * (frames - size))
            item[:, :, begin : begin + size] = fill
    return mel
