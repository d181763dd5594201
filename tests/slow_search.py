"""Decoding written from the definitions, one token and one rule at a time: the oracle that
`test_beam_search.py` compares the search with."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from mt3drum.config import PRESETS
from mt3drum.decode.onset_head import FLOOR
from mt3drum.decoding import DecodeConfig
from mt3drum.model.network import DrumModel, EncoderOutput
from tokenizer.codec import EOS, Codec
from tokenizer.drums import NUM_CLASSES
from tokenizer.encode import decode

CONFIG = replace(PRESETS["tiny"], codec=Codec(segment_steps=40))
CODEC = CONFIG.codec


def head_probabilities(encoded: EncoderOutput, config: DecodeConfig) -> tuple[np.ndarray, np.ndarray]:
    """[t c] before suppression, and after it with the classes left out at nothing, clamped."""
    logits = encoded.onset_logits[0]
    raw = torch.sigmoid(logits + config.onset_bias).numpy()
    peaks = np.zeros_like(raw, dtype=np.float64)
    for step, drum in np.ndindex(*raw.shape):
        highest = logits[max(0, step - 2) : step + 3, drum].max()
        if logits[step, drum] >= highest and drum in config.classes:
            peaks[step, drum] = raw[step, drum]
    return raw, peaks.clip(FLOOR, 1 - FLOOR)


def head_log_prob(peaks: np.ndarray, token: int, time: int, drum: int, fresh: bool, until: int) -> float:
    """Of the next token after `drum` (-1: none) at `time` (-1: none); fresh: a time waits for its drum."""
    nothing = np.log1p(-peaks).sum(axis=1)
    stop = np.log1p(-peaks[time, drum + 1 :]).sum() if time >= 0 else 0.0
    if token == EOS:
        return stop + nothing[time + 1 : until].sum()
    if token < CODEC.first_drum:
        step = token - CODEC.first_time
        return stop + nothing[time + 1 : step].sum() + math.log1p(-math.exp(nothing[step]))
    new = token - CODEC.first_drum
    chosen = np.log1p(-peaks[time, drum + 1 : new]).sum() + math.log(peaks[time, new])
    return chosen - (math.log1p(-math.exp(nothing[time])) if fresh else 0.0)


def offered(
    tokens: list[int], config: DecodeConfig, time: int, drum: int, until: int
) -> tuple[list[int], list[int]]:
    """Legal tokens after a prefix, and those of them the options leave."""
    kind = "start" if not tokens else _kind(tokens[-1])
    times = list(range(CODEC.first_time + time + 1, CODEC.first_time + until))
    drums = list(range(CODEC.first_drum + drum + 1, CODEC.first_velocity))
    if kind == "drum":
        velocities = list(range(CODEC.first_velocity, CODEC.size))
        return velocities, velocities
    legal = drums if kind == "time" else [EOS, *times] + (drums if kind == "velocity" else [])
    struck = [
        (hit.drum, CODEC.step_of(hit.time)) for hit in decode(CODEC, [t for t in tokens if t != EOS]).hits
    ]

    def allows(step: int, new: int) -> bool:
        gap = config.gap_steps(CODEC)
        recent = sum(step - at < CODEC.steps_per_second for _, at in struck)
        return (
            new in config.classes
            and all(step - at >= gap for other, at in struck if other == new)
            and (config.max_hits_per_second is None or recent < config.max_hits_per_second)
        )

    def good(token: int) -> bool:
        if token == EOS:
            return True
        if token >= CODEC.first_drum:
            return allows(time, token - CODEC.first_drum)
        step = token - CODEC.first_time
        return any(allows(step, new) for new in range(NUM_CLASSES))

    kept = [token for token in legal if good(token)]
    must_end = len(tokens) >= config.max_tokens - 4 and kind in ("start", "velocity")
    return legal, [EOS] if must_end else kept


def _kind(token: int) -> str:
    if token < CODEC.first_drum:
        return "time"
    return "drum" if token < CODEC.first_velocity else "velocity"


@torch.inference_mode()
def next_scores(
    model: DrumModel, encoded: EncoderOutput, config: DecodeConfig, until: int, tokens: list[int]
) -> dict[int, float]:
    """Score of every token that is offered after a prefix."""
    _, peaks = head_probabilities(encoded, config)
    times = [token for token in tokens if CODEC.first_time <= token < CODEC.first_drum]
    time = times[-1] - CODEC.first_time if times else -1
    since = tokens[tokens.index(times[-1]) :] if times else []
    drum = max((token - CODEC.first_drum for token in since if _kind(token) == "drum"), default=-1)
    logits = model.decode(torch.tensor([[*tokens, EOS]]), encoded)[0, -1].double()
    late = logits[CODEC.first_time + until : CODEC.first_drum]
    logits[EOS] = torch.logsumexp(torch.cat((logits[EOS, None], late)), 0)
    legal, kept = offered(tokens, config, time, drum, until)
    log_probs = logits - torch.logsumexp(logits[legal], 0)
    fresh = bool(tokens) and _kind(tokens[-1]) == "time"
    scores = {}
    for token in kept:
        scores[token] = (1 - config.onset_weight) * float(log_probs[token])
        if token < CODEC.first_velocity:
            head = head_log_prob(peaks, token, time, drum, fresh, until)
            scores[token] += config.onset_weight * head
        else:
            scores[token] = float(log_probs[token])
    return scores


def slow_greedy(model: DrumModel, encoded: EncoderOutput, config: DecodeConfig, until: int) -> list[int]:
    if head_probabilities(encoded, config)[0].max() < config.silence_gate:
        return [EOS]
    tokens: list[int] = []
    while not tokens or tokens[-1] != EOS:
        scores = next_scores(model, encoded, config, until, tokens)
        tokens.append(chosen(scores))
    return tokens


def chosen(scores: dict[int, float]) -> int:
    """The best token; of velocities the bin at the decoder's median."""
    if min(scores) < CODEC.first_velocity:
        return max(scores, key=scores.__getitem__)
    mass = 0.0
    for token in sorted(scores):  # log-probabilities of all bins
        mass += math.exp(scores[token])
        if mass >= 0.5:
            break
    return token


def every_sequence(
    model: DrumModel,
    encoded: EncoderOutput,
    config: DecodeConfig,
    until: int,
    tokens: list[int],
    score: float,
) -> list[tuple[float, list[int]]]:
    """All sequences (the velocity at the median each, at no cost) with their scores, length penalty 0."""
    if tokens and tokens[-1] == EOS:
        return [(score, tokens)]
    scores = next_scores(model, encoded, config, until, tokens)
    if min(scores) >= CODEC.first_velocity:
        scores = {chosen(scores): 0.0}
    ended = []
    for token, cost in scores.items():
        ended += every_sequence(model, encoded, config, until, [*tokens, token], score + cost)
    return ended
