"""The training loss: token cross-entropy under the grammar plus the onset head's loss.

Every term is a sum. The caller divides by counts over all ranks and accumulation steps, so the gradient does
not depend on how a batch is split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mt3drum.model.network import EncoderOutput
from mt3drum.model.stem import FRAMES_PER_STATE
from tokenizer import grammar
from tokenizer.codec import EOS, NUM_SPECIAL, PAD, Codec
from tokenizer.drums import FAMILIES, FAMILY_OF

_ILLEGAL = -1e4  # finite, so that a masked neighbour of a soft target costs no NaN
_SURE = 1e-6  # lower bound on the focal base: 0 to a power below 1 has no finite gradient
CELLS = 20.0
"""The onset head's loss is its mean over cells times this, the prototype's; one cell in two hundred is an
onset."""
_TIME_REACH = 2  # steps on either side of a soft time target


@dataclass(frozen=True)
class LossConfig:
    """Weights and switches of the loss.

    Raises:
        ValueError: a weight is negative.
    """

    grammar_mask: bool = True
    """Mask illegal tokens before the softmax, so that they receive no gradient."""
    time_sigma: float = 0.6
    """Width in steps of the Gaussian over neighbouring time tokens; 0: one-hot."""
    family_weight: float = 0.3
    """Weight of the cross-entropy of families (log-sum-exp over their classes), in tokens and onset head."""
    focal_gamma: float = 0.0
    """Exponent of the focal factor (1 - p)^gamma on drums and onsets (Lin et al. 2017, arXiv:1708.02002)."""
    class_weight: float = 0.0
    """Exponent of the inverse class frequency that weights drum tokens and onsets; 0: equal weights. Only
    hits are weighted, not the silence of a rare class, and checkpoints are saved without the resulting shift
    of the logits (`without_weights`)."""
    class_weight_range: tuple[float, ...] = (0.5, 10.0)
    """Minimum and maximum of these weights, before they are scaled to mean 1 over hits."""
    token_weight: float = 1.0
    """Weight of the token terms; 0 in pre-training."""
    onset_weight: float = 1.0
    onset_positive: float = 4.0
    """Extra weight of frames with an onset."""
    velocity_weight: float = 0.5
    """Weight of the onset head's squared velocity error at onsets."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "class_weight_range" and value < 0:
                raise ValueError(f"loss {name} {value} is negative")
        bounds = self.class_weight_range
        if len(bounds) != 2 or not 0 < bounds[0] <= 1 <= bounds[1]:
            raise ValueError(f"loss class_weight_range {list(bounds)} must be two numbers around 1")


class LossSums(NamedTuple):
    """Sums over a batch (tensors with gradient) and their denominators."""

    tokens: Tensor
    """Token terms, to be divided by the number of valid tokens."""
    onsets: Tensor
    """Onset-head terms, to be divided by the number of segments."""
    by_kind: Tensor
    """[4, 2] plain negative log-likelihood (nats) and count of time, drum, velocity and EOS tokens."""


def family_matrix(device: torch.device) -> Tensor:
    """[26 8] one-hot of each class's family."""
    return functional.one_hot(torch.tensor(FAMILY_OF, device=device), len(FAMILIES)).float()


def legal_mask(codec: Codec, tokens: Tensor) -> Tensor:
    """tokens [b l] (no BOS) -> [b l v]: the tokens that the grammar allows at each position."""
    state = grammar.prefix_states(codec, tokens.cpu().numpy())
    first, second = (torch.from_numpy(rows).to(tokens.device) for rows in grammar.mask_rows(codec, state))
    table = torch.from_numpy(grammar.mask_table(codec)).to(tokens.device)
    return table[first] | table[second]


def _family_nll(log_probs: Tensor, drum: Tensor) -> Tensor:
    """log_probs [n c], drum [n] -> [n]: negative log-probability of the drum's family."""
    families = family_matrix(log_probs.device)
    in_family = families[drum] @ families.T  # [n c]
    return -torch.logsumexp(log_probs.masked_fill(in_family == 0, _ILLEGAL), dim=-1)


def _soft_time_nll(codec: Codec, log_probs: Tensor, tokens: Tensor, legal: Tensor, sigma: float) -> Tensor:
    """Cross-entropy [n] of time tokens [n] against a Gaussian over the legal times within two steps."""
    offsets = torch.arange(-_TIME_REACH, _TIME_REACH + 1, device=tokens.device)
    near = tokens[:, None] + offsets
    inside = (near >= codec.first_time) & (near < codec.first_drum)
    near = near.clamp(0, codec.size - 1)
    weight = torch.exp(-0.5 * (offsets / sigma) ** 2) * inside * legal.gather(1, near)
    return -(weight * log_probs.gather(1, near)).sum(1) / weight.sum(1)


def token_loss(
    codec: Codec, logits: Tensor, tokens: Tensor, config: LossConfig, class_weights: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Sum of token losses and the table of `LossSums.by_kind`.

    Args:
        logits: [b l v]; tokens: [b l], PAD-padded; class_weights: [26], mean 1, or None.
    """
    valid = tokens != PAD
    logits, flat, legal = logits[valid], tokens[valid], legal_mask(codec, tokens)[valid]
    if config.grammar_mask:
        logits = logits.masked_fill(~legal, _ILLEGAL)
    log_probs = functional.log_softmax(logits, dim=-1)  # [n v]
    nll = -log_probs.gather(1, flat[:, None])[:, 0]
    is_time = (flat >= codec.first_time) & (flat < codec.first_drum)
    is_drum = (flat >= codec.first_drum) & (flat < codec.first_velocity)
    loss = nll
    if config.time_sigma > 0:
        soft = _soft_time_nll(codec, log_probs[is_time], flat[is_time], legal[is_time], config.time_sigma)
        loss = loss.masked_scatter(is_time, soft)
    drum = flat[is_drum] - codec.first_drum
    drum_nll = nll[is_drum]
    drum_loss = drum_nll
    if config.focal_gamma:
        drum_loss = drum_nll * (1 - torch.exp(-drum_nll)).clamp(min=_SURE) ** config.focal_gamma
    if class_weights is not None:
        drum_loss = drum_loss * class_weights[drum]
    if config.family_weight:
        family = _family_nll(log_probs[is_drum][:, codec.first_drum : codec.first_velocity], drum)
        drum_loss = drum_loss + config.family_weight * family
    loss = loss.masked_scatter(is_drum, drum_loss)
    kinds = (is_time, is_drum, flat >= codec.first_velocity, flat == EOS)
    by_kind = torch.stack([torch.stack((nll[kind].sum(), kind.sum().to(nll))) for kind in kinds])
    return loss.sum(), by_kind.detach()


def onset_loss(
    encoded: EncoderOutput,
    onset: Tensor,
    velocity: Tensor,
    config: LossConfig,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Sum over the batch of the onset head's loss, scaled to roughly the mean token loss per segment.

    Args:
        onset: [b t 26] targets 0..1 (neighbours of an onset lie between); velocity: [b t 26], velocity / 127.
    """
    logits = encoded.onset_logits.float()
    error = functional.binary_cross_entropy_with_logits(logits, onset, reduction="none")
    positive = onset if class_weights is None else onset * class_weights
    error = error * (1 + config.onset_positive * positive)
    if config.focal_gamma:
        error = error * (torch.sigmoid(logits) - onset).abs().clamp(min=_SURE) ** config.focal_gamma
    scale = CELLS / (onset.shape[1] * onset.shape[2])
    total = error.sum() * scale
    if config.family_weight:
        families = family_matrix(logits.device)
        grouped = torch.stack(
            [torch.logsumexp(logits[..., families[:, k] > 0], dim=-1) for k in range(families.shape[1])],
            dim=-1,
        )
        target = torch.stack(
            [onset[..., families[:, k] > 0].amax(-1) for k in range(families.shape[1])], dim=-1
        )
        family_error = functional.binary_cross_entropy_with_logits(grouped, target, reduction="none")
        total = (
            total + config.family_weight * (family_error * (1 + config.onset_positive * target)).sum() * scale
        )
    squared = (torch.sigmoid(encoded.velocity.float()) - velocity) ** 2 * onset
    return total + config.velocity_weight * squared.sum() * scale


def class_weights(counts: Sequence[int], config: LossConfig, device: torch.device) -> Tensor | None:
    """[26] weights proportional to (share of hits)^-exponent, with mean 1 over the hits, clipped to
    `class_weight_range` and rescaled to mean 1; None for exponent 0."""
    if config.class_weight == 0:
        return None
    share = torch.tensor(counts, dtype=torch.float32, device=device).clamp(min=1)
    share = share / share.sum()
    weight = share**-config.class_weight
    weight = (weight / (weight * share).sum()).clamp(*config.class_weight_range)
    return weight / (weight * share).sum()


def without_weights(
    weights: Mapping[str, Tensor], class_weights: Tensor | None, config: LossConfig
) -> dict[str, Tensor]:
    """A network's weights (by our names), corrected to the logits that unweighted training would give.

    Under weights w the best logit of the onset head is too high by log((1 + positive w) / (1 + positive)),
    that of a drum token by log w; this is subtracted from the biases. Decoding, thresholds and calibration
    then have the same meaning for every run.
    """
    found = dict(weights)
    if class_weights is None:
        return found
    w = class_weights.to(found["onset_head.bias"])
    head = found["onset_head.bias"].clone().unflatten(0, (FRAMES_PER_STATE, 2, -1))
    head[:, 0] -= torch.log((1 + config.onset_positive * w) / (1 + config.onset_positive))
    found["onset_head.bias"] = head.flatten()
    if "other_head.bias" in found:
        other = found["other_head.bias"].clone()
        other[NUM_SPECIAL : NUM_SPECIAL + len(w)] -= torch.log(w)
        found["other_head.bias"] = other
    return found


def losses(
    codec: Codec,
    encoded: EncoderOutput,
    logits: Tensor | None,
    tokens: Tensor,
    onset: Tensor,
    velocity: Tensor,
    config: LossConfig,
    weights: Tensor | None = None,
) -> LossSums:
    """All terms of one batch; without logits the token terms are 0."""
    if logits is None:
        token_sum = encoded.memory.new_zeros(())
        by_kind = encoded.memory.new_zeros(4, 2)
    else:
        token_sum, by_kind = token_loss(codec, logits, tokens, config, weights)
    return LossSums(token_sum, onset_loss(encoded, onset, velocity, config, weights), by_kind)
