"""Decoding written from the definitions, one token and one rule at a time: the oracle that
`test_beam_search.py` compares the search with."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from mt3drum.config import PRESETS
from mt3drum.decode.onset_head import FLOOR
from mt3drum.decode.preferences import LAGS, log_ratios
from mt3drum.decoding import DecodeConfig
from mt3drum.model.network import DrumModel, EncoderOutput
from tokenizer.codec import EOS, Codec
from tokenizer.drums import DRUMS, NUM_CLASSES, SCHEMES
from tokenizer.encode import decode

CONFIG = replace(PRESETS["tiny"], codec=Codec(segment_steps=40))
CODEC = CONFIG.codec
BY_HAND = np.array([drum.family not in ("kick", "aux") and drum.name != "hihat_pedal" for drum in DRUMS])


def head_probabilities(encoded: EncoderOutput, config: DecodeConfig) -> tuple[np.ndarray, np.ndarray]:
    """[t c] before suppression, and after it with the classes left out at nothing, clamped."""
    logits = encoded.onset_logits[0]
    raw = torch.sigmoid(logits + config.onset_bias).numpy()
    if config.scheme != "26":
        none = np.ones_like(raw, dtype=np.float64)
        for drum in range(NUM_CLASSES):
            if drum in config.classes and stands_for(config)[drum] is not None:
                none[:, stands_for(config)[drum]] *= 1 - raw[:, drum].astype(np.float64)
        raw = 1 - none
        logits = torch.from_numpy(np.log(raw.clip(1e-30)) - np.log(none.clip(1e-30)))
    peaks = np.zeros_like(raw, dtype=np.float64)
    for step, drum in np.ndindex(*raw.shape):
        highest = logits[max(0, step - 2) : step + 3, drum].max()
        if logits[step, drum] >= highest and drum in config.written:
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
    here = [at for at in range(NUM_CLASSES) if stands_for(config)[at] == drum] if drum >= 0 else [-1]
    drums = list(range(CODEC.first_drum + max(here) + 1, CODEC.first_velocity))
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
            new in config.written
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


def stands_for(config: DecodeConfig) -> list[int | None]:
    """The first class of each class's label; None: it has none."""
    scheme = SCHEMES[config.scheme]
    return [None if at < 0 else scheme.of_class.index(at) for at in scheme.of_class]


def terms(struck: list[tuple[int, int]], step: int, config: DecodeConfig) -> np.ndarray:
    """[c] what `playable` and `transitions` add to a stroke of each drum after those struck (step, drum)."""
    total = np.zeros(NUM_CLASSES)
    if sum(BY_HAND[other] and step - at in (0, 1) for at, other in struck) >= 2:
        total -= config.playable * BY_HAND
    before = [at for at, _ in struck if at < step]
    if config.transitions and before:
        lag = max(index for index, least in enumerate(LAGS) if least <= step - max(before))
        last = [other for at, other in struck if at == max(before)]
        total += config.transitions * log_ratios(config.scheme)[:, last, lag].mean(1)
    return total


def mean_term(struck: list[tuple[int, int]], peaks: np.ndarray, step: int, config: DecodeConfig) -> float:
    """The mean of exp(term) over the drum that comes first at a time, as a logarithm."""
    first = peaks[step] * np.concatenate(([1.0], np.cumprod(1 - peaks[step])[:-1]))
    return math.log(float(first @ np.exp(terms(struck, step, config))) / first.sum())


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
    labels = stands_for(config)
    hits = decode(CODEC, [t for t in tokens if t != EOS]).hits
    struck = [(CODEC.step_of(hit.time), hit.drum) for hit in hits]
    scores = {}
    for token in kept:
        members = [token]
        if CODEC.first_drum <= token < CODEC.first_velocity:
            new = token - CODEC.first_drum
            members = [CODEC.first_drum + other for other in config.classes if labels[other] == new]
        by_decoder = torch.logsumexp(log_probs[members], 0)
        scores[token] = (1 - config.onset_weight) * float(by_decoder)
        if CODEC.first_time <= token < CODEC.first_drum:
            scores[token] += mean_term(struck, peaks, token - CODEC.first_time, config)
        elif CODEC.first_drum <= token < CODEC.first_velocity:
            scores[token] += terms(struck, time, config)[token - CODEC.first_drum]
            scores[token] -= mean_term(struck, peaks, time, config) if fresh else 0.0
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
