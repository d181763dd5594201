"""Beam search from encoder states to token ids, under the grammar, with the decoder and the onset head.

The score of a sequence is (1 - lambda) x log-probability of the decoder + lambda x log-probability of the
onset head (`onset_head`), over time, drum and end tokens. Velocity tokens score 0: after each drum the search
takes the bin at the decoder's median, so beams differ in strokes only and no hit is dropped to save the cost
of its velocity (the mode, often the last bin, biased later velocities: docs/archive/). The probability of
times from step `until` on is added to the end token, because the next segment decodes those steps better.
Beam 1 is greedy and uses draft and verification (`speculative`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mt3drum.decode.constraints import Narrowing
from mt3drum.decode.hypothesis import WINDOW, Hypothesis, TokenPath, framewise, hypotheses
from mt3drum.decode.labels import labels_of
from mt3drum.decode.onset_head import onset_probabilities, onset_tables, suppress
from mt3drum.decode.product import score
from mt3drum.decode.speculative import greedy
from mt3drum.decoding import TO_FINISH, DecodeConfig
from mt3drum.model.decoder_step import CachedDecoder, keep, reorder
from mt3drum.model.inference import InferenceModel
from mt3drum.model.stem import EncoderOutput
from tokenizer.codec import BOS, EOS, MAX_VELOCITY, PAD

_COMPACT = 0.75  # rows leave the batch when at most this share is left


@torch.inference_mode()
def generate(
    model: InferenceModel, encoded: EncoderOutput, config: DecodeConfig, until: int | None = None
) -> list[Hypothesis]:
    """Return the best sequence of each segment.

    Args:
        encoded: segments in evaluation mode; results do not depend on batching.
        until: do not decode steps from here on (default: no limit).

    Raises:
        ValueError: the model has no decoder, and the configuration does not allow the onset head alone.
    """
    codec = model.config.codec
    until = codec.segment_steps if until is None else until
    if labels := labels_of(config, encoded.onset_logits.device):
        encoded = labels.merged_head(encoded, config.onset_bias)
    probability = onset_probabilities(encoded.onset_logits, config.onset_bias)
    heard = (probability.amax((1, 2)) >= config.silence_gate).nonzero()[:, 0]
    found = [Hypothesis((EOS,), 0.0, (), ())] * len(probability)
    if len(heard):
        if len(heard) < len(probability):
            encoded, probability = EncoderOutput(*(part[heard] for part in encoded)), probability[heard]
        if config.onset_weight == 1.0:
            results = framewise(codec, probability, encoded, config, until)
        else:
            if model.decoder is None:
                raise ValueError(
                    f"onset_weight {config.onset_weight}: the model has no decoder; it must be 1"
                )
            search = _greedy if config.beam == 1 else _search
            path = search(model.decoder, encoded, probability, config, until)
            loudness = torch.sigmoid(encoded.velocity.float()) * MAX_VELOCITY
            results = hypotheses(codec, path, probability, loudness, config)
        for segment, result in zip(heard.tolist(), results, strict=True):
            found[segment] = result
    return found


class _Step(NamedTuple):
    """Tokens appended in one step to the segments still active."""

    active: Tensor
    """[s] indices into the batch."""
    tokens: Tensor
    """[s beam]"""
    parents: Tensor
    """[s beam]"""
    window: Tensor
    """[s beam 2 WINDOW + 1]: the decoder's log-probabilities of the token and its neighbours."""
    velocity: Tensor
    """[s beam] the velocity bin the decoder would predict at this position."""


@dataclass
class _Finished:
    """The best finished sequence of every segment so far."""

    score: Tensor
    """[s] length-normalised; -inf: none finished yet."""
    step: Tensor
    """[s] the position of its EOS."""
    beam: Tensor
    """[s] the beam it ended from."""
    count: Tensor
    """[s] the number of finished sequences."""
    done: Tensor
    """[s] the search is over."""


def _greedy(
    decoder: CachedDecoder, encoded: EncoderOutput, probability: Tensor, config: DecodeConfig, until: int
) -> TokenPath:
    """One beam by draft and verification; step by step where rounding may change the result."""
    codec = decoder.config.codec
    narrowing = Narrowing(codec, probability, config, until)
    audible = suppress(probability, encoded.onset_logits) * narrowing.classes
    tables = onset_tables(codec, audible, until)
    settled = greedy(decoder, encoded, narrowing, tables, audible, config, until)
    path = settled.path(config.length_penalty)
    back = np.flatnonzero(settled.given_back)
    if not len(back):
        return path
    rows = torch.from_numpy(back).to(probability.device)
    again = EncoderOutput(*(part[rows] for part in encoded))
    return path.replaced(back, _search(decoder, again, probability[rows], config, until))


def _search(
    decoder: CachedDecoder, encoded: EncoderOutput, probability: Tensor, config: DecodeConfig, until: int
) -> TokenPath:
    codec, beams, device = decoder.config.codec, config.beam, probability.device
    segments = len(probability)
    narrowing = Narrowing(codec, probability, config, until)
    audible = suppress(probability, encoded.onset_logits) * narrowing.classes
    onsets = onset_tables(codec, audible, until)
    cache = decoder.begin(encoded, beams)
    active = torch.arange(segments, device=device)
    scores = torch.full((segments, beams), -math.inf, device=device)
    scores[:, 0] = 0.0
    zero = torch.zeros(segments, dtype=torch.long, device=device)
    best = _Finished(scores.new_full((segments,), -math.inf), zero, zero.clone(), zero.clone(), zero > 0)
    tokens = torch.full((segments, beams), BOS, device=device)
    steps: list[_Step] = []
    for position in range(config.max_tokens):
        must_end = position >= config.max_tokens - TO_FINISH
        found = score(decoder.step(cache, tokens), narrowing, onsets, config, until, must_end)
        top, parents, picks = _candidates(scores, found.combined)
        done = _finish(best, active, top, parents, picks, position, config)
        order = torch.argsort((picks == EOS).to(torch.uint8), dim=1, stable=True)[:, :beams]
        scores, parents, tokens = (x.gather(1, order) for x in (top, parents, picks))
        window = _window(found.decoder, parents, tokens)
        steps.append(_Step(active, tokens, parents, window, found.velocity.gather(1, parents)))
        going = (~done).nonzero()[:, 0]
        if not len(going):
            break
        moved = parents if beams > 1 else None
        narrowing.advance(moved, tokens)
        if moved is not None:
            reorder(cache, moved)
        if len(going) <= _COMPACT * len(done):
            keep(cache, going, decoder)
            narrowing.keep(going)
            onsets = onsets.select(going)
            active, scores, tokens = active[going], scores[going], tokens[going]
    return _backtrack(steps, best, segments)


def _candidates(scores: Tensor, combined: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Best continuations of each segment, best first: scores, parent beams and tokens, each [s k].

    k is 1 for one beam, else 2 x beams: at most `beams` candidates are ends, so at least `beams` continue.
    """
    beams, size = combined.shape[1:]
    if beams == 1:
        value, token = combined[:, 0].max(-1, keepdim=True)
        return scores + value, torch.zeros_like(token), token
    top, index = (scores[..., None] + combined).flatten(1).topk(2 * beams, dim=1)
    return top, index // size, index % size


def _finish(
    best: _Finished,
    active: Tensor,
    top: Tensor,
    parents: Tensor,
    picks: Tensor,
    position: int,
    config: DecodeConfig,
) -> Tensor:
    """Record the ends among the first `beam` candidates; return [s]: whether the segment is done."""
    length = (position + 1) ** config.length_penalty
    first = slice(0, config.beam)
    ends = (picks[:, first] == EOS) & torch.isfinite(top[:, first])
    open_ = ~best.done[active]
    ended = torch.where(ends, top[:, first] / length, -math.inf)
    score, rank = ended.max(1)
    better = open_ & (score > best.score[active])
    rows = active[better]
    best.score[rows] = score[better]
    best.step[rows] = position
    best.beam[rows] = parents.gather(1, rank[:, None])[:, 0][better]
    best.count[active] += ends.sum(1)
    going = torch.where(picks == EOS, -math.inf, top).amax(1) / length
    best.done[active] |= (best.count[active] >= config.beam) | (best.score[active] >= going)
    return best.done[active]


def _window(log_probs: Tensor, parents: Tensor, tokens: Tensor) -> Tensor:
    """The decoder's log-probabilities of chosen tokens and their neighbours: [s beam 2 WINDOW + 1]."""
    size = log_probs.shape[2]
    offsets = torch.arange(-WINDOW, WINDOW + 1, device=tokens.device)
    near = (tokens[..., None] + offsets).clamp(0, size - 1) + parents[..., None] * size
    return log_probs.flatten(1).gather(1, near.flatten(1)).unflatten(1, near.shape[1:])


def _backtrack(steps: list[_Step], best: _Finished, segments: int) -> TokenPath:
    """Trace the best sequence of every segment back to its start."""
    end, beam, length = best.step.cpu().numpy(), best.beam.cpu().numpy(), len(steps)
    tokens = np.full((segments, length), PAD, dtype=np.int64)
    window = np.zeros((segments, length, 2 * WINDOW + 1), dtype=np.float32)
    velocity = np.zeros((segments, length), dtype=np.float32)
    tokens[np.arange(segments), end] = EOS
    for position in range(length - 1, -1, -1):
        step = steps[position]
        active = step.active.cpu().numpy()
        on = end[active] > position  # which active segments have a token at this position
        rows, at = active[on], beam[active[on]]
        tokens[rows, position] = step.tokens.cpu().numpy()[on, at]
        window[rows, position] = step.window.cpu().numpy()[on, at]
        velocity[rows, position] = step.velocity.cpu().numpy()[on, at]
        beam[rows] = step.parents.cpu().numpy()[on, at]
    return TokenPath(tokens, window, velocity, best.score.cpu().numpy())
