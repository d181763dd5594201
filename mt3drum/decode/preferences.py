"""Playability and drum transitions as terms of the score; off by default.

`playable`: two hands. A hand stroke (any drum except kick, hi-hat pedal and the auxiliary classes, which
belong to another player) with, or less than 20 ms after, two others costs this many nats.

`transitions`: the weight of log P(drum | a moment, the drum struck at the moment before, and the time
between) - log P(drum | a moment), from counts of the training split of the Groove MIDI Dataset (CC BY 4.0,
Gillick et al. 2019; scripts/make_transitions.py). A moment is a step of 10 ms with at least one stroke. If
the moment before has several drums, their mean is used.

A time token gets the logarithm of the mean of exp(term) over the first drum there, weighted by the onset
head; the first drum then subtracts it. The terms of a sequence thus add up to those of its strokes, and the
search does not choose a time for a stroke that the terms reject.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
import torch
from torch import Tensor

from mt3drum.decode.onset_head import OnsetTables
from mt3drum.decoding import DecodeConfig
from tokenizer.codec import Codec
from tokenizer.drums import DRUMS, NUM_CLASSES, SCHEMES
from tokenizer.grammar import AFTER_TIME, State
from tokenizer.hits import SAME_STROKE

NEVER = -1_000_000
"""Step that stands for "no stroke": long before the segment."""
HANDS = 2
LAGS = (1, 2, 4, 7, 11, 16, 23, 33, 48, 70)
"""Steps of 10 ms: the start of each bin of the time since the previous moment; the last bin is open-ended."""
SMOOTHING = 50.0
"""Pseudo-count per drum and bin, distributed as over all moments."""
_BY_HAND = np.array([drum.family not in ("kick", "aux") and drum.name != "hihat_pedal" for drum in DRUMS])
ASSET = "transitions.npz"
_TINY = 1e-38  # least mean: keeps logarithms finite


@cache
def counts() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of moments in the training data: with each drum [26]; after each drum by lag [26 lags]; and, of
    these, with each drum [26 (drum) 26 (before) lags]. The last entry of the first is the total."""
    with (resources.files("mt3drum") / "assets" / ASSET).open("rb") as file, np.load(file) as found:
        return found["moments"], found["after"], found["pairs"]


def count(tracks: list[list[tuple[int, int]]]) -> dict[str, np.ndarray]:
    """Count moments in performances, each a list of (step, drum); arrays as in the asset."""
    moments = np.zeros(NUM_CLASSES + 1, np.int32)
    after = np.zeros((NUM_CLASSES, len(LAGS)), np.int32)
    pairs = np.zeros((NUM_CLASSES, NUM_CLASSES, len(LAGS)), np.int32)
    for track in tracks:
        before: list[int] = []
        last = 0
        for step in sorted({step for step, _ in track}):
            here = sorted({drum for at, drum in track if at == step})
            moments[[*here, NUM_CLASSES]] += 1
            if before:
                lag = int(np.searchsorted(LAGS, step - last, side="right")) - 1
                after[before, lag] += 1
                pairs[np.ix_(here, before, [lag])] += 1
            before, last = here, step
    return {"moments": moments, "after": after, "pairs": pairs}


@cache
def log_ratios(scheme: str) -> np.ndarray:
    """[26 (drum) 26 (before) lags]: a label takes the place of its first class. Two classes of one label at
    one moment (rare) count twice."""
    moments, after, pairs = counts()
    of_class = np.array(SCHEMES[scheme].of_class)
    first = np.array(SCHEMES[scheme].first_class)
    to = np.zeros((NUM_CLASSES, NUM_CLASSES))
    known = np.flatnonzero(of_class >= 0)
    to[first[of_class[known]], known] = 1.0
    whole = moments[-1]
    usual = (to @ moments[:-1] + 1) / (whole + 2)
    held = np.tensordot(to, np.tensordot(to, pairs, (1, 1)), (1, 1)).astype(float)  # [drum before lags]
    share = (held + SMOOTHING * usual[:, None, None]) / ((to @ after)[None] + SMOOTHING)
    return np.log(share / usual[:, None, None])


class Preferences:
    """The terms of one configuration for rows [s b]."""

    def __init__(self, codec: Codec, config: DecodeConfig, device: torch.device) -> None:
        self.cost = config.playable
        self.reach = round(SAME_STROKE * codec.steps_per_second)
        self.by_hand = torch.from_numpy(_BY_HAND).to(device)
        ratios = np.zeros((NUM_CLASSES, NUM_CLASSES, len(LAGS)))
        if config.transitions:
            ratios = config.transitions * log_ratios(config.scheme)
        self.ratios = torch.from_numpy(ratios).float().to(device)
        self.lags = torch.tensor(LAGS, device=device)
        self.steps = torch.arange(codec.segment_steps, device=device)

    def most(self) -> float:
        """The largest possible gain of a stroke."""
        return float(self.ratios.max())

    def of_drums(self, struck: Tensor, earlier: Tensor, now: Tensor) -> Tensor:
        """[s b c]: the term of each drum if struck at `now` [s b].

        Args:
            struck: [s b c] the last step of each drum, including those struck at `now`; negative: none.
            earlier: [s b c] the same without those struck at `now`.
        """
        near = (now[..., None] - struck < self.reach) & self.by_hand
        full = near.sum(-1, keepdim=True) >= HANDS
        ratios, lag = self._after(earlier), self._bin(now - earlier.amax(-1))
        chosen = ratios.gather(-1, lag[..., None, None].expand(*ratios.shape[:-1], 1))[..., 0]
        return chosen - self.cost * (full & self.by_hand)

    def of_times(self, struck: Tensor, tables: OnsetTables) -> Tensor:
        """[s b t]: the log of the mean of exp(term) over the first drum of each time; valid for times after
        the last stroke."""
        last, lag = struck.amax(-1), self.steps - struck.amax(-1, keepdim=True)
        first = torch.exp(tables.drums - tables.something[..., None])  # [s t c]
        terms = self._after(struck)
        found = (first[:, None] @ terms.exp()).gather(-1, self._bin(lag)[..., None])[..., 0]
        hands = ((last[..., None] == struck) & self.by_hand).sum(-1, keepdim=True) >= HANDS
        next_ = terms[..., 0] - self.cost * (hands & self.by_hand)  # times within reach of the last
        at_once = (first[:, None] @ next_.exp()[..., None])[..., 0]
        return torch.where(lag < self.reach, at_once, found).clamp(min=_TINY).log()

    def terms(
        self, struck: Tensor, earlier: Tensor, tables: OnsetTables, state: State
    ) -> tuple[Tensor, Tensor]:
        """Terms of the next token: times [s b t] and drums [s b c]."""
        now, times = state.last_time, self.of_times(struck, tables)
        given = times.gather(-1, now.clamp(min=0)[..., None]) * (state.phase == AFTER_TIME)[..., None]
        return times, self.of_drums(struck, earlier, now) - given

    def _after(self, struck: Tensor) -> Tensor:
        """Terms [s b c lags] after the last moment in `struck`; 0 if there is none."""
        last = struck.amax(-1, keepdim=True)
        there = (struck == last) & (last >= 0)
        weight = there / there.sum(-1, keepdim=True).clamp(min=1)
        return torch.einsum("sbe,del->sbdl", weight, self.ratios)

    def _bin(self, lag: Tensor) -> Tensor:
        return (torch.bucketize(lag, self.lags, right=True) - 1).clamp(min=0)


def preferences_of(codec: Codec, config: DecodeConfig, device: torch.device) -> Preferences | None:
    """None if no preference is set."""
    return Preferences(codec, config, device) if config.playable or config.transitions else None
