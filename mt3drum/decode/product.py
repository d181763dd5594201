"""Scores of all next tokens: decoder and onset head as a product of experts under the grammar."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from mt3drum.decode.constraints import Narrowing
from mt3drum.decode.onset_head import OnsetTables, onset_log_probs
from mt3drum.decoding import DecodeConfig
from tokenizer.codec import EOS
from tokenizer.grammar import AFTER_DRUM

_ILLEGAL = -1e9  # finite, so that illegal neighbours cause no NaN in an expectation


class Scores(NamedTuple):
    """Scores of the next token for rows [s b]: segments and beams, or segments and positions."""

    decoder: Tensor
    """[s b v]: the decoder's log-probabilities."""
    combined: Tensor
    """[s b v]: the product; -inf where a token is not allowed. After a drum, 0 at the chosen velocity bin and
    -inf elsewhere, so velocities add no cost and no branches."""
    velocity: Tensor
    """[s b]: the velocity bin the decoder would predict here."""
    below: Tensor
    """[s b velocity]: the decoder's cumulative probability over velocity bins at this position."""


def score(
    logits: Tensor,
    narrowing: Narrowing,
    tables: OnsetTables,
    config: DecodeConfig,
    until: int,
    must_end: bool | Tensor,
) -> Scores:
    """Score the decoder's logits [s b v], modifying them in place.

    Args:
        logits: or [m s b v] of the m members of an ensemble, whose probabilities are averaged.
        narrowing: in its state before the token.
        until: times from this step on count as the end.
        must_end: rows that must end if they may; a tensor is [s b].
    """
    codec = narrowing.codec
    if until < codec.segment_steps:
        late = logits[..., codec.first_time + until : codec.first_drum].logsumexp(-1)
        logits[..., EOS] = torch.logaddexp(logits[..., EOS], late)
    legal = narrowing.legal()
    log_probs = torch.log_softmax(logits.masked_fill_(~legal, _ILLEGAL), dim=-1)
    if log_probs.dim() == 4:
        log_probs = log_probs.logsumexp(0) - math.log(len(log_probs))
    drums = slice(codec.first_drum, codec.first_velocity)
    if narrowing.labels is not None:
        log_probs[..., drums] = narrowing.labels.merged_drums(log_probs[..., drums]).clamp(min=_ILLEGAL)
    combined = log_probs.clone()
    if config.onset_weight:
        combined.lerp_(onset_log_probs(codec, tables, narrowing.state), config.onset_weight)
    if narrowing.preferences is not None:
        times, strokes = narrowing.preferences.terms(
            narrowing.struck, narrowing.earlier, tables, narrowing.state
        )
        combined[..., codec.first_time : codec.first_drum] += times
        combined[..., drums] += strokes
    combined.masked_fill_(~narrowing.narrow(legal, must_end), -math.inf)
    mass = torch.softmax(log_probs[..., codec.first_velocity :], dim=-1)
    velocity = mass @ torch.arange(codec.velocity_bins, dtype=mass.dtype, device=mass.device)
    below = mass.cumsum(-1)
    median = (below < 0.5).sum(-1, keepdim=True).clamp(max=codec.velocity_bins - 1)
    striking = (narrowing.state.phase == AFTER_DRUM).flatten().nonzero()[:, 0]
    rows = combined.flatten(0, 1).index_fill_(0, striking, -math.inf)
    rows[striking, codec.first_velocity + median.flatten()[striking]] = 0.0
    return Scores(log_probs, combined, velocity, below)
