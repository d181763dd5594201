"""The onset head as a language model: a log-probability for every legal token.

With p_c(t) the head's probabilities after non-maximum suppression, and frames and classes independent, each
frame and class of a segment is one coin toss. The chain rule in the order of the grammar then gives every
token its probability: the next time t after s is "nothing" over s+1..t-1 and "something" at t; the next drum
d after e within a time is "not" over the classes between and p_d (divided by "something" for the first one);
the end is "not" over the remaining classes and "nothing" over the remaining frames. Cumulative sums make each
a look-up.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tokenizer.codec import EOS, Codec
from tokenizer.grammar import AFTER_TIME, State

FLOOR = 1e-4
"""Probabilities are clamped to FLOOR..1-FLOOR: logarithms stay finite, and the head can be outvoted."""
SUPPRESS = 2
"""Half-width in frames of the window in which only the maximum of a class is kept."""


@dataclass(frozen=True)
class OnsetTables:
    """Look-up tables of a batch of segments; all values are log-probabilities."""

    ends: Tensor
    """[s v]: at times t, nothing before t and something at t; at EOS, nothing in the segment; 0 elsewhere."""
    nothing: Tensor
    """[s t+1]: nothing in the frames before t."""
    something: Tensor
    """[s t]: at least one class at t."""
    drums: Tensor
    """[s t c]: not the classes before c, and c."""
    skipped: Tensor
    """[s t c+1]: not the classes before c."""

    def select(self, segments: Tensor) -> OnsetTables:
        """The tables of the given segments."""
        return OnsetTables(*(getattr(self, name)[segments] for name in self.__dataclass_fields__))


def onset_probabilities(onset_logits: Tensor, bias: float) -> Tensor:
    """Head logits [s t c] -> probabilities; `bias` undoes the inflation by the loss's positive weight."""
    return torch.sigmoid(onset_logits.float() + bias)


def suppress(probability: Tensor, onset_logits: Tensor) -> Tensor:
    """Set everything but the maximum of each class within `SUPPRESS` frames to zero; all [s t c].

    Compares logits, because saturated sigmoids would tie.
    """
    highest = functional.max_pool1d(onset_logits.transpose(1, 2), 2 * SUPPRESS + 1, 1, SUPPRESS).transpose(
        1, 2
    )
    return torch.where(onset_logits >= highest, probability, torch.zeros_like(probability))


def onset_tables(codec: Codec, probability: Tensor, until: int) -> OnsetTables:
    """Tables from suppressed probabilities [s t c] in float32; the segment ends before step `until`."""
    p = probability.clamp(FLOOR, 1 - FLOOR)
    not_p = torch.log1p(-p)
    not_p[:, until:] = 0.0
    none = not_p.sum(-1)
    something = torch.log((-torch.expm1(none)).clamp(min=FLOOR))  # the floor is for frames from `until` on
    nothing = functional.pad(none.cumsum(1), (1, 0))
    skipped = functional.pad(not_p.cumsum(-1), (1, 0))
    ends = p.new_zeros(p.shape[0], codec.size)
    ends[:, codec.first_time : codec.first_drum] = nothing[:, :-1] + something
    ends[:, EOS] = nothing[:, -1]
    return OnsetTables(ends, nothing, something, skipped[..., :-1] + torch.log(p), skipped)


def onset_log_probs(codec: Codec, tables: OnsetTables, state: State) -> Tensor:
    """Log-probabilities [s b v] of the next token in each state [s b]; undefined where it is illegal.

    Velocity tokens get 0: the head's velocities are not part of the chain.
    """
    segments = torch.arange(state.phase.shape[0], device=state.phase.device)[:, None]
    started = state.last_time >= 0
    at = state.last_time.clamp(min=0)
    after = state.last_drum + 1
    struck = tables.skipped[segments, at, after]
    # The remaining classes of the last time are "not"; frames are then counted from the next one.
    rest = (tables.skipped[segments, at, -1] - struck) * started - tables.nothing.gather(
        1, state.last_time + 1
    )
    log_probs = tables.ends[:, None] + rest[..., None]
    first = tables.something.gather(1, at) * (state.phase == AFTER_TIME)
    log_probs[..., codec.first_drum : codec.first_velocity] = (
        tables.drums[segments, at] - (struck + first)[..., None]
    )
    log_probs[..., codec.first_velocity :] = 0.0
    return log_probs
