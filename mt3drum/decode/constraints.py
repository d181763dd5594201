"""Legal next tokens: the grammar as look-up tables on the device, and the options that narrow it."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor

from mt3drum.decode.labels import labels_of
from mt3drum.decode.preferences import NEVER, preferences_of
from mt3drum.decoding import DecodeConfig
from tokenizer.codec import EOS, Codec
from tokenizer.drums import NUM_CLASSES
from tokenizer.grammar import (
    AFTER_TIME,
    AFTER_VELOCITY,
    START,
    State,
    advance,
    mask_rows,
    mask_table,
    prefix_states,
)


class Narrowing:
    """Masks for a batch of rows [s beam], and the state of each row that they depend on."""

    def __init__(self, codec: Codec, probability: Tensor, config: DecodeConfig, until: int) -> None:
        """
        Args:
            probability: [s t c] of the onset head.
            until: times from this step on are illegal.
        """
        device, segments, beams, classes = probability.device, len(probability), config.beam, config.written
        self.codec, self.gap, self.per_second = codec, config.gap_steps(codec), config.max_hits_per_second
        table = mask_table(codec)
        table[:, codec.first_time + until : codec.first_drum] = False
        self.table = torch.from_numpy(table).to(device)
        self.steps = torch.arange(codec.segment_steps, device=device)
        self.only_end = torch.arange(codec.size, device=device) == EOS
        self.classes = torch.from_numpy(np.isin(np.arange(NUM_CLASSES), list(classes))).to(device)
        self.offered = torch.ones(codec.size, dtype=torch.bool, device=device)
        self.offered[codec.first_drum : codec.first_velocity] = self.classes
        self.labels = labels_of(config, device)
        self.preferences = preferences_of(codec, config, device)
        self.tracks = bool(self.gap) or self.preferences is not None
        self.state = State(*(torch.full((segments, beams), v, device=device) for v in (START, -1, -1)))
        self.struck = torch.full((segments, beams, NUM_CLASSES), NEVER, device=device)
        self.earlier = self.struck.clone()
        """[s beam c]: `struck` before the last time token."""
        self.recent = torch.full((segments, beams, self.per_second or 1), NEVER, device=device)

    def legal(self) -> Tensor:
        """[s beam v]: tokens the grammar allows next; a label allows all its classes."""
        state = self.state if self.labels is None else self.labels.after(self.state)
        times, drums = mask_rows(self.codec, state)
        return self.table[times] | self.table[drums]

    def narrow(self, legal: Tensor, must_end: bool | Tensor) -> Tensor:
        """[s beam v]: the legal tokens that the options allow. Never empty: EOS always stays, and a time is
        allowed only if a drum can follow it.

        Args:
            must_end: rows that must end if they may; a tensor is [s beam].
        """
        codec, state = self.codec, self.state
        offered = legal & self.offered
        times = offered[..., codec.first_time : codec.first_drum]
        drums = offered[..., codec.first_drum : codec.first_velocity]
        if self.gap:
            ready = self.struck + self.gap
            drums &= ready <= state.last_time[..., None]
            earliest = ready.masked_fill(~self.classes, -NEVER).amin(-1)
            times &= self.steps >= earliest[..., None]
        if self.per_second is not None:
            free = self.recent[..., 0] + codec.steps_per_second
            times &= self.steps >= free[..., None]
            drums &= ((state.phase == AFTER_TIME) | (free <= state.last_time))[..., None]
        if must_end is not False:
            resting = ((state.phase == START) | (state.phase == AFTER_VELOCITY)) & must_end
            offered &= ~resting[..., None] | self.only_end
        return offered

    def advance(self, parents: Tensor | None, tokens: Tensor) -> None:
        """Extend beam `parents` [s beam] (None: the same beam) of each segment by `tokens`."""
        state, codec = self.state, self.codec
        if parents is not None:
            state = State(
                *(field.gather(1, parents) for field in (state.phase, state.last_time, state.last_drum))
            )
        self.state = advance(codec, state, tokens)
        if not self.tracks and self.per_second is None:
            return
        if parents is not None:
            self.struck = _gather_rows(self.struck, parents)
            self.earlier = _gather_rows(self.earlier, parents)
            self.recent = _gather_rows(self.recent, parents)
        is_time = (tokens >= codec.first_time) & (tokens < codec.first_drum)
        self.earlier = torch.where(is_time[..., None], self.struck, self.earlier)
        is_drum = (tokens >= codec.first_drum) & (tokens < codec.first_velocity)
        drum = (tokens - codec.first_drum).clamp(0, NUM_CLASSES - 1)[..., None]
        now = torch.where(is_drum[..., None], state.last_time[..., None], self.struck.gather(2, drum))
        self.struck.scatter_(2, drum, now)
        shifted = torch.cat((self.recent[..., 1:], state.last_time[..., None]), dim=-1)
        self.recent = torch.where(is_drum[..., None], shifted, self.recent)

    def before(self, tokens: np.ndarray, first: np.ndarray, size: int) -> Narrowing:
        """Masks before each token at `size` positions: rows [s w].

        Args:
            tokens: [s l] legal sequences, PAD after EOS; l >= first + size.
            first: [s] the first position.
        """
        codec, device = self.codec, self.table.device
        rows, window = np.arange(len(tokens))[:, None], first[:, None] + np.arange(size)
        state = prefix_states(codec, tokens)

        def at_window(values: np.ndarray) -> Tensor:
            return torch.from_numpy(values[rows, window]).to(device)

        found = copy.copy(self)
        found.state = State(*map(at_window, (state.phase, state.last_time, state.last_drum)))
        is_drum = (tokens >= codec.first_drum) & (tokens < codec.first_velocity)
        row, at = np.nonzero(is_drum)
        time = state.last_time[row, at]
        if self.tracks:
            struck = np.full((*tokens.shape, NUM_CLASSES), NEVER)
            inside = at + 1 < tokens.shape[1]
            drum = tokens[row, at] - codec.first_drum
            struck[row[inside], at[inside] + 1, drum[inside]] = time[inside]
            struck = np.maximum.accumulate(struck, axis=1)
            found.struck = at_window(struck)
            is_time = (tokens >= codec.first_time) & (tokens < codec.first_drum)
            since = np.where(
                is_time, np.arange(tokens.shape[1]), 0
            )  # at the previous time; NEVER if there is none
            since = np.maximum.accumulate(np.pad(since, ((0, 0), (1, 0)))[:, :-1], axis=1)
            found.earlier = at_window(np.take_along_axis(struck, since[..., None], axis=1))
        if self.per_second is not None:
            count = is_drum.cumsum(1)
            times = np.full((len(tokens), self.per_second + count.max(initial=0) + 1), NEVER)
            times[row, self.per_second + count[row, at] - 1] = time
            found.recent = at_window(times[rows, count - is_drum])[..., None]
        return found

    def keep(self, segments: Tensor) -> None:
        """Keep only the given segments."""
        self.state = State(
            *(f[segments] for f in (self.state.phase, self.state.last_time, self.state.last_drum))
        )
        self.struck, self.earlier = self.struck[segments], self.earlier[segments]
        self.recent = self.recent[segments]


def _gather_rows(values: Tensor, parents: Tensor) -> Tensor:
    """values [s beam n] at beams parents [s beam]."""
    return values.gather(1, parents[..., None].expand(-1, -1, values.shape[2]))
