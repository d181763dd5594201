"""Chosen tokens to hits: time and velocity refined by expectation, and a confidence for every hit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mt3drum.decode.onset_head import suppress
from mt3drum.decode.preferences import NEVER, Preferences, preferences_of
from mt3drum.decoding import DecodeConfig
from mt3drum.model.stem import EncoderOutput
from tokenizer.codec import EOS, MAX_VELOCITY, PAD, Codec
from tokenizer.hits import Hit

WINDOW = 2
"""Tokens on either side of the chosen one over which time and velocity are averaged."""
_OFFSETS = np.arange(-WINDOW, WINDOW + 1)
TINY = 1e-12


@dataclass(frozen=True)
class Hypothesis:
    """The result of decoding one segment."""

    tokens: tuple[int, ...]
    """A legal sequence, EOS last."""
    score: float
    """Length-normalised log-probability under the product; 0 for a silent segment."""
    hits: tuple[Hit, ...]
    """Refined times in seconds from the start of the segment, in the order of the tokens."""
    steps: tuple[int, ...]
    """The unrefined time step of each hit; segment borders are decided by it."""
    cut: bool = False
    """Stopped by `max_tokens`: the rest of the segment is missing."""


@dataclass(frozen=True)
class TokenPath:
    """The chosen sequences of a batch."""

    tokens: np.ndarray
    """[s l], PAD after EOS."""
    window: np.ndarray
    """[s l 2 WINDOW + 1]: the decoder's log-probabilities of each token and its neighbours."""
    velocity: np.ndarray
    """[s l] the velocity bin the decoder predicts at each position; meaningful at velocity tokens only."""
    score: np.ndarray
    """[s]"""

    def replaced(self, segments: np.ndarray, other: TokenPath) -> TokenPath:
        """A copy with the sequences of `other` for the given segments [n]."""
        length = max(self.tokens.shape[1], other.tokens.shape[1])

        def joined(own: np.ndarray, new: np.ndarray, empty: int = 0) -> np.ndarray:
            found = np.full((len(own), length, *own.shape[2:]), empty, dtype=own.dtype)
            found[:, : own.shape[1]] = own
            found[segments] = empty
            found[segments, : new.shape[1]] = new
            return found

        score = self.score.copy()
        score[segments] = other.score
        tokens = joined(self.tokens, other.tokens, PAD)
        return TokenPath(
            tokens, joined(self.window, other.window), joined(self.velocity, other.velocity), score
        )


def expected_offset(weight: np.ndarray) -> np.ndarray:
    """weight [n 2 WINDOW + 1] >= 0 -> [n]: the weighted mean of -WINDOW..WINDOW; 0 if all weights are 0."""
    return (weight @ _OFFSETS) / np.maximum(weight.sum(1), TINY)


def calibrate(confidence: np.ndarray, config: DecodeConfig) -> np.ndarray:
    """Raw confidence -> precision of such hits, by the configuration's calibration map."""
    if not config.confidence_calibration:
        return np.clip(confidence, 0.0, 1.0)
    raw, calibrated = zip(*config.confidence_calibration, strict=True)
    return np.interp(confidence, raw, calibrated)


def _neighbours(values: np.ndarray, segment: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """values [s t ...] at steps step - WINDOW..step + WINDOW: [n 2 WINDOW + 1 ...], and which steps exist."""
    near = step[:, None] + _OFFSETS
    exists = (near >= 0) & (near < values.shape[1])
    return values[segment[:, None], near.clip(0, values.shape[1] - 1)], exists


def hypotheses(
    codec: Codec, path: TokenPath, probability: Tensor, loudness: Tensor, config: DecodeConfig
) -> list[Hypothesis]:
    """Hits of every chosen sequence.

    Time is the mean under the product of the decoder's distribution and the onset head's before suppression
    (suppression would leave a single frame). Velocity is the mean of the decoder's expectation over all bins
    and the head's velocity near the time, weighted by its probabilities. The raw confidence is the product of
    the decoder's probabilities of the time (neighbours included) and the drum, and the head's maximum near
    it, each raised to its weight.

    Args:
        probability: [s t c] of the onset head, before suppression.
        loudness: [s t c] its velocities, 0..127.
    """
    tokens, weight = path.tokens, config.onset_weight
    heard = probability.cpu().numpy()
    segment, velocity_at = np.nonzero(tokens >= codec.first_velocity)
    is_time = (tokens >= codec.first_time) & (tokens < codec.first_drum)
    time_at = np.maximum.accumulate(np.where(is_time, np.arange(tokens.shape[1]), 0), axis=1)[
        segment, velocity_at
    ]
    step = tokens[segment, time_at] - codec.first_time
    drum = tokens[segment, velocity_at - 1] - codec.first_drum
    near, exists = _neighbours(heard, segment, step)  # [n w c]
    any_near = 1.0 - np.prod(1.0 - near, axis=2)
    time_logs = np.where(exists, path.window[segment, time_at], -np.inf)
    logs = (1.0 - weight) * time_logs + weight * np.log(any_near + TINY)
    offset = expected_offset(np.exp(logs - logs.max(1, keepdims=True, initial=-1e9)))
    by_decoder = np.exp(time_logs).sum(1) * np.exp(path.window[segment, velocity_at - 1, WINDOW])
    of_drum = np.where(exists, np.take_along_axis(near, drum[:, None, None], 2)[..., 0], 0.0)
    by_head = of_drum.max(1, initial=0.0)
    confidence = calibrate(by_decoder ** (1.0 - weight) * by_head**weight, config)
    velocities, _ = _neighbours(loudness.cpu().numpy(), segment, step)
    at_drum = np.take_along_axis(velocities, drum[:, None, None], 2)[..., 0]
    struck = (of_drum * at_drum).sum(1) / np.maximum(of_drum.sum(1), TINY)
    hits = [
        Hit(codec.time_of(float(t)), int(d), _velocity(codec, float(v), float(n)), min(1.0, float(c)))
        for t, d, v, n, c in zip(
            step + offset, drum, path.velocity[segment, velocity_at], struck, confidence, strict=True
        )
    ]
    first = np.searchsorted(segment, np.arange(len(tokens) + 1))
    found = []
    for index, row in enumerate(tokens):
        own = slice(first[index], first[index + 1])
        length = int((row == EOS).argmax()) + 1
        found.append(
            Hypothesis(
                tuple(row[:length].tolist()),
                float(path.score[index]),
                tuple(hits[own]),
                tuple(step[own].tolist()),
                cut=length > config.max_tokens - 3,
            )
        )
    return found


def _velocity(codec: Codec, velocity_bin: float, struck: float) -> int:
    """The mean of the decoder's bin and the head's velocity, 1..127."""
    return min(MAX_VELOCITY, max(1, round((codec.velocity_of(velocity_bin) + struck) / 2)))


def framewise(
    codec: Codec, probability: Tensor, encoded: EncoderOutput, config: DecodeConfig, until: int
) -> list[Hypothesis]:
    """Decode the onset head alone: every peak above one half or, with preferences, those above it with their
    terms, in order of time and, at equal times, of decreasing probability.

    Args:
        probability: [s t c] of the onset head; encoded: provides its velocities.
    """
    heard = probability.cpu().numpy()
    peaks = suppress(probability, encoded.onset_logits)[:, :until].cpu().numpy()
    loudness = torch.sigmoid(encoded.velocity.float()).cpu().numpy() * MAX_VELOCITY
    preferences = preferences_of(codec, config, torch.device("cpu"))
    return [
        _framewise_segment(codec, index, heard, peaks[index], loudness[index], config, preferences)
        for index in range(len(heard))
    ]


def _framewise_segment(
    codec: Codec,
    index: int,
    heard: np.ndarray,
    peaks: np.ndarray,
    loudness: np.ndarray,
    config: DecodeConfig,
    preferences: Preferences | None,
) -> Hypothesis:
    least = 0.5 if preferences is None else 1 / (1 + math.exp(preferences.most()))
    step, drum = np.nonzero(peaks > least)
    kept = _chosen(codec, step, drum, peaks[step, drum], config, preferences)
    step, drum = step[kept], drum[kept]
    near, exists = _neighbours(heard, np.full(len(step), index), step)
    own = np.take_along_axis(near, drum[:, None, None], 2)[..., 0]
    times = step + expected_offset(own * exists)
    confidence = calibrate(peaks[step, drum], config)
    tokens: list[int] = []
    hits = []
    for at, (t, c) in enumerate(zip(step.tolist(), drum.tolist(), strict=True)):
        struck = min(MAX_VELOCITY, max(1, round(float(loudness[t, c]))))
        hits.append(Hit(codec.time_of(float(times[at])), c, struck, min(1.0, float(confidence[at]))))
        if at == 0 or t != step[at - 1]:
            tokens.append(codec.first_time + t)
        tokens += [codec.first_drum + c, codec.first_velocity + codec.velocity_bin(struck)]
    sure = np.clip(np.maximum(peaks, 1 - peaks), TINY, 1.0)
    score = float(np.log(sure).sum()) / (len(tokens) + 1) ** config.length_penalty
    return Hypothesis((*tokens, EOS), score, tuple(hits), tuple(step.tolist()))


def _chosen(
    codec: Codec,
    step: np.ndarray,
    drum: np.ndarray,
    heard: np.ndarray,
    config: DecodeConfig,
    preferences: Preferences | None,
) -> list[int]:
    """Indices, in order, of the hits allowed by the options on classes, gap and density and, if set, by the
    preferences, applied in order of time and, at equal times, of decreasing probability."""
    gap, many, written = config.gap_steps(codec), config.max_hits_per_second, config.written
    order = range(len(step)) if preferences is None else np.lexsort((-heard, step)).tolist()
    kept: list[int] = []
    last: dict[int, int] = {}
    struck = torch.full((1, 1, codec.num_drums), NEVER)
    earlier, now = struck.clone(), -1
    for at in order:
        t, c, p = int(step[at]), int(drum[at]), float(heard[at])
        crowded = many is not None and len(kept) >= many and t - step[kept[-many]] < codec.steps_per_second
        if c not in written or crowded or t - last.get(c, t - gap) < gap:
            continue
        if preferences is not None:
            if t != now:
                earlier, now = struck.clone(), t
            term = float(preferences.of_drums(struck, earlier, torch.tensor([[t]]))[0, 0, c])
            if math.log(p / max(1 - p, TINY)) + term <= 0:
                continue
            struck[0, 0, c] = t
        kept.append(at)
        last[c] = t
    return sorted(kept)
