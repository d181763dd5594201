"""The grammar `(time (drum velocity)+)* EOS` as a small state machine and a table of masks.

A state is three integers: phase, last time step (-1: none) and last drum of that time (-1: none). The mask of
a state is the union of two rows of one constant boolean table, so two look-ups mask a batch of states.
All functions except `prefix_states` use only operators that numpy arrays and torch tensors share. The
training loss and the decoder therefore use one implementation, and this package does not import torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenizer.codec import EOS, PAD, Codec

Array = Any  # numpy.ndarray or torch.Tensor of integers

START, AFTER_TIME, AFTER_DRUM, AFTER_VELOCITY, ENDED = range(5)

_ROW_NOTHING, _ROW_PAD, _ROW_VELOCITY, _ROW_TIMES = range(4)


@dataclass(frozen=True)
class State:
    """A batch of grammar states; three integer arrays of one shape."""

    phase: Array
    last_time: Array
    last_drum: Array


def mask_table(codec: Codec) -> np.ndarray:
    """Boolean table [rows, vocabulary] that `mask_rows` indexes.

    Rows: no token; PAD; any velocity; then, for k = 0..T, EOS and all times from step k; then, for d = 0..26,
    all drums from d.
    """
    table = np.zeros((_ROW_TIMES + codec.segment_steps + 1 + codec.num_drums + 1, codec.size), dtype=bool)
    table[_ROW_PAD, PAD] = True
    table[_ROW_VELOCITY, codec.first_velocity :] = True
    for step in range(codec.segment_steps + 1):
        table[_ROW_TIMES + step, codec.first_time + step : codec.first_drum] = True
        table[_ROW_TIMES + step, EOS] = True
    first = _ROW_TIMES + codec.segment_steps + 1
    for drum in range(codec.num_drums + 1):
        table[first + drum, codec.first_drum + drum : codec.first_velocity] = True
    return table


def mask_rows(codec: Codec, state: State) -> tuple[Array, Array]:
    """The two rows of `mask_table` whose union is the set of tokens allowed after each state."""
    resting = (state.phase == START) | (state.phase == AFTER_VELOCITY)
    drum_next = (state.phase == AFTER_TIME) | (state.phase == AFTER_VELOCITY)
    times = resting * (_ROW_TIMES + state.last_time + 1)
    other = (state.phase == AFTER_DRUM) * _ROW_VELOCITY + (state.phase == ENDED) * _ROW_PAD
    drums = drum_next * (_ROW_TIMES + codec.segment_steps + 1 + state.last_drum + 1)
    return times + other, drums


def advance(codec: Codec, state: State, token: Array) -> State:
    """The state after one more token (assumed legal) in each row."""
    is_time = (token >= codec.first_time) & (token < codec.first_drum)
    is_drum = (token >= codec.first_drum) & (token < codec.first_velocity)
    is_velocity = token >= codec.first_velocity
    ended = (token == EOS) | (token == PAD)
    phase = is_time * AFTER_TIME + is_drum * AFTER_DRUM + is_velocity * AFTER_VELOCITY + ended * ENDED
    keep_time = (is_time * 1) == 0
    last_time = is_time * (token - codec.first_time) + keep_time * state.last_time
    last_drum = is_drum * (token - codec.first_drum) - is_time * 1 + (keep_time & ~is_drum) * state.last_drum
    return State(phase, last_time, last_drum)


def prefix_states(codec: Codec, tokens: np.ndarray) -> State:
    """States before each token of legal sequences, without a loop.

    Args:
        tokens: [batch, length], each row `... EOS PAD*`, no BOS.
    Returns:
        state of shape [batch, length]: entry l is the state after tokens[:, :l].
    """
    is_time = (tokens >= codec.first_time) & (tokens < codec.first_drum)
    is_drum = (tokens >= codec.first_drum) & (tokens < codec.first_velocity)
    # Times rise, and drums rise within a time, so one running maximum of (time, drum) remembers both.
    width = codec.num_drums + 1
    step = np.maximum.accumulate(np.where(is_time, tokens - codec.first_time, -1), axis=1)
    drum = np.where(is_drum, tokens - codec.first_drum, -1)
    code = np.maximum.accumulate((step + 1) * width + drum + 1, axis=1)
    phase = np.select(
        [is_time, is_drum, tokens >= codec.first_velocity], [AFTER_TIME, AFTER_DRUM, AFTER_VELOCITY], ENDED
    )

    def shift(values: np.ndarray, first: int) -> np.ndarray:
        return np.concatenate([np.full_like(values[:, :1], first), values[:, :-1]], axis=1)

    return State(shift(phase, START), shift(code // width - 1, -1), shift(code % width - 1, -1))


def is_legal(codec: Codec, tokens: list[int]) -> bool:
    """Whether a complete sequence (no BOS, EOS last) is in the grammar; the slow reference implementation."""
    table = mask_table(codec)
    state = State(np.array([START]), np.array([-1]), np.array([-1]))
    for token in tokens:
        first, second = mask_rows(codec, state)
        if not 0 <= token < codec.size or not (table[first[0], token] or table[second[0], token]):
            return False
        state = advance(codec, state, np.array([token]))
    return bool(state.phase[0] == ENDED)
