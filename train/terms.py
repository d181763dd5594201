"""Settings of the terms that may be added to the loss (`train.objective`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TeacherConfig:
    """Distillation (Hinton et al. 2015, arXiv:1503.02531): the distributions of a finished network as soft
    targets.

    Raises:
        ValueError: a value is out of range.
    """

    checkpoint: str = ""
    """The teacher, a checkpoint with the same vocabulary; empty: none."""
    weight: float = 1.0
    """Weight of the divergence from the teacher, in tokens and onset head."""
    temperature: float = 1.0
    """Divides the logits of both before they are compared."""

    def __post_init__(self) -> None:
        if self.weight < 0 or self.temperature <= 0:
            raise ValueError(
                f"weight {self.weight} is negative or temperature {self.temperature} not positive"
            )


@dataclass(frozen=True)
class ConsistencyConfig:
    """Consistency (Tarvainen & Valpola 2017, arXiv:1703.01780): the network hears every segment through the
    effects of `augment` once more, and its onset head learns what the averaged weights say of it without
    them.

    Raises:
        ValueError: a value is out of range.
    """

    weight: float = 0.0
    """0: off."""
    shift_seconds: float = 0.5
    """The averaged weights hear each segment twice, the second time cut so much earlier or later; only where
    both times lie on the same side of one half is there a target."""

    def __post_init__(self) -> None:
        if self.weight < 0 or not 0.02 <= self.shift_seconds <= 10:
            raise ValueError(
                f"weight {self.weight} is negative or shift_seconds {self.shift_seconds} outside 0.02..10"
            )


@dataclass(frozen=True)
class MaskedConfig:
    """Pre-training: rectangles of the spectrograms are hidden, and a linear layer on the encoder's states,
    which no checkpoint keeps, restores them.

    Raises:
        ValueError: a value is out of range.
    """

    weight: float = 0.0
    """0: off."""
    share: float = 0.3
    """About this share of every segment is hidden, at most."""

    def __post_init__(self) -> None:
        if self.weight < 0 or not 0 < self.share < 1:
            raise ValueError(f"weight {self.weight} is negative or share {self.share} outside 0..1")
