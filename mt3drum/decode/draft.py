"""A guess at the decoder's tokens for a segment: drafted by the onset head, corrected by the decoder.

The draft may be wrong: only tokens that the decoder confirms are used (`speculative`).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence

import numpy as np

from tokenizer.codec import EOS, Codec
from tokenizer.drums import INSTRUMENT_OF

LIKELY = 0.4
"""Draft peaks of the onset head with at least this probability."""
NEAR = 2
"""Strokes of one drum within this many steps count as the same stroke."""


class Draft:
    """The drafted strokes of one segment, and how many tokens are settled."""

    def __init__(self, codec: Codec, peaks: np.ndarray, bins: np.ndarray, until: int) -> None:
        """
        Args:
            peaks: [t c] onset-head probabilities after suppression, 0 for excluded classes.
            bins: [t c] velocity bins of the onset head.
            until: do not draft steps from here on.
        """
        self.first_time, self.first_drum = codec.first_time, codec.first_drum
        self.first_velocity = codec.first_velocity
        self.peaks, self.bins = peaks, bins
        # One articulation per instrument at a time, as in the training targets.
        best: dict[tuple[int, str], int] = {}
        for step, drum in np.argwhere(peaks[:until] >= LIKELY).tolist():
            rival = best.setdefault((step, INSTRUMENT_OF[drum]), drum)
            if peaks[step, drum] > peaks[step, rival]:
                best[step, INSTRUMENT_OF[drum]] = drum
        self.strokes = sorted((step, drum) for (step, _), drum in best.items())
        """(step, drum), in increasing order."""
        self.chosen: dict[tuple[int, int], int] = {}
        """Velocity bins that the decoder chose for strokes."""
        self.at = (-1, -1)
        """The last settled step and drum; drum -1: only the step is settled."""
        self.last = EOS
        """The last settled token; EOS: none."""
        self.tokens: list[int] = []
        """The last proposal."""
        self.before: list[tuple[int, int]] = []
        """For each proposed token, the last step and drum before it."""

    def propose(self, most: int) -> list[int]:
        """The next tokens of the draft, at most `most`."""
        tokens, before, at = [], [], self.at
        if self.first_drum <= self.last < self.first_velocity:
            tokens.append(self._velocity(at))
            before.append(at)
        next_ = bisect_right(self.strokes, at)
        if self.first_time <= self.last < self.first_drum and self._step(next_) != at[0]:
            self.strokes.insert(next_, (at[0], self._likeliest(at[0])))
        while len(tokens) < most and next_ < len(self.strokes):
            stroke = self.strokes[next_]
            next_ += 1
            if stroke[0] != at[0]:
                tokens.append(self.first_time + stroke[0])
                before.append(at)
                at = (stroke[0], -1)
            tokens += (self.first_drum + stroke[1], self._velocity(stroke))
            before += (at, stroke)
            at = stroke
        if len(tokens) < most:
            tokens.append(EOS)
            before.append(at)
        self.tokens, self.before = tokens[:most], before
        return self.tokens

    def take(self, answers: Sequence[int], count: int) -> None:
        """Settle the first `count` answers to the proposal; correct the rest of the draft by all of them.

        Args:
            answers: the decoder's choice at the position of each proposed token.
        """
        for token, answer, before in zip(self.tokens, answers, self.before, strict=False):
            if answer >= self.first_velocity:
                self.chosen[before] = answer - self.first_velocity
            elif answer != token and answer >= EOS:  # below EOS: no drum may follow this time
                self._mend(before, answer)
        token, at = answers[count - 1], self.before[count - 1]
        if self.first_time <= token < self.first_drum:
            at = (token - self.first_time, -1)
        elif self.first_drum <= token < self.first_velocity:
            at = (at[0], token - self.first_drum)
        self.last, self.at = token, at

    def _mend(self, at: tuple[int, int], answer: int) -> None:
        """Correct the draft after `at`, where the decoder chose another time, drum or end."""
        strokes, here = self.strokes, bisect_right(self.strokes, at)
        if answer == EOS:
            del strokes[here:]
            return
        if answer >= self.first_drum:
            stroke = (at[0], answer - self.first_drum)
            del strokes[here : bisect_right(strokes, (stroke[0], stroke[1] - 1))]
            if here == len(strokes) or strokes[here] != stroke:
                way = INSTRUMENT_OF[stroke[1]]
                strokes[:] = [
                    s for s in strokes if s[0] != stroke[0] or INSTRUMENT_OF[s[1]] != way or s <= at
                ]
                insort(strokes, stroke)
            return
        step = answer - self.first_time
        skipped = strokes[here : bisect_right(strokes, (step, -1))]
        del strokes[here : here + len(skipped)]
        if self._step(here) == step:
            return
        late = here
        while late < len(strokes) and strokes[late][0] <= step + NEAR:
            late += 1
        moved = [s for s in (*skipped, *strokes[here:late]) if abs(s[0] - step) <= NEAR]
        drums = sorted({drum for _, drum in moved}) or [self._likeliest(step)]
        for old, drum in moved:
            if (old, drum) in self.chosen:
                self.chosen[step, drum] = self.chosen[old, drum]
        strokes[here:late] = [(step, drum) for drum in drums]

    def _step(self, index: int) -> int:
        """The step of a stroke; -1 if there is none."""
        return self.strokes[index][0] if index < len(self.strokes) else -1

    def _velocity(self, stroke: tuple[int, int]) -> int:
        known = self.chosen.get(stroke)
        return self.first_velocity + (int(self.bins[stroke]) if known is None else known)

    def _likeliest(self, step: int) -> int:
        """The most likely drum at a step where the head has no peak."""
        return int(self.peaks[max(0, step - NEAR) : step + NEAR + 1].max(0).argmax())
