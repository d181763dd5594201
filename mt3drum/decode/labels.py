"""Coarser labels: probabilities of onset head and decoder for the labels of a scheme.

A label stands for any of its classes. The head treats classes as independent, so the label's probability is
1 - product over its classes of (1 - p); the decoder's next token is one class, so the label's probability is
their sum. Each label is written as its first class; its classes are neighbours
(`mt3drum.decoding.DECODED_SCHEMES`), so labels keep the order of the drums.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mt3drum.decoding import DecodeConfig
from mt3drum.model.stem import EncoderOutput
from tokenizer.drums import NUM_CLASSES, SCHEMES
from tokenizer.grammar import State

_TINY = 1e-30  # least probability: keeps logarithms finite


class LabelSums:
    """The labels of `config.scheme`, built from the classes that are enabled."""

    def __init__(self, config: DecodeConfig, device: torch.device) -> None:
        scheme = SCHEMES[config.scheme]
        member = torch.zeros(NUM_CLASSES, NUM_CLASSES)
        last = list(range(NUM_CLASSES))
        for drum, label in enumerate(scheme.of_class):
            if label >= 0:
                last[scheme.first_class[label]] = drum
                if drum in config.classes:
                    member[drum, scheme.first_class[label]] = 1.0
        self.member = member.to(device)
        """[c c]: 1 where the row's class belongs to the label whose first class is the column."""
        self.last = torch.tensor(last, device=device)
        """[c]: the last class of the label that starts with each class."""

    def merged_head(self, encoded: EncoderOutput, bias: float) -> EncoderOutput:
        """The head's logits and velocities [s t c] of labels, in the columns of their first classes; the
        velocity of a label is the mean over its classes, weighted by their probabilities.

        Args:
            bias: `onset_bias`; each returned value plus the bias is the label's logit.
        """
        logits = encoded.onset_logits.float() + bias
        none = (functional.softplus(logits) @ self.member).clamp(min=_TINY)  # -log of "none of its classes"
        label = none + torch.log(-torch.expm1(-none))
        p = torch.sigmoid(logits)
        loudness = (p * torch.sigmoid(encoded.velocity.float())) @ self.member
        velocity = torch.logit(loudness / (p @ self.member).clamp(min=_TINY), eps=1e-6)
        return encoded._replace(onset_logits=label - bias, velocity=velocity)

    def merged_drums(self, log_probs: Tensor) -> Tensor:
        """The decoder's log-probabilities [... c] of classes -> of labels; -inf elsewhere."""
        return torch.logsumexp(log_probs[..., :, None] + self.member.log(), dim=-2)

    def after(self, state: State) -> State:
        """The state after all classes of the last drum's label."""
        drum = torch.where(state.last_drum < 0, state.last_drum, self.last[state.last_drum.clamp(min=0)])
        return State(state.phase, state.last_time, drum)


def labels_of(config: DecodeConfig, device: torch.device) -> LabelSums | None:
    """None if every class is its own label."""
    return None if config.scheme == "26" else LabelSums(config, device)
