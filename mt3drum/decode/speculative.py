"""Greedy decoding by draft and verification: the same tokens as step-by-step search, in fewer passes.

The onset head drafts a segment (`draft`); the decoder reads a window of the draft at once and predicts the
next token at every position. Up to the first mismatch the draft is the greedy sequence, and the decoder's
token at the mismatch belongs to it too (speculative decoding, Leviathan et al. 2023, arXiv:2211.17192). Its
later predictions correct the draft (Jacobi decoding, Santilli et al. 2023, arXiv:2305.10427); velocity bins,
which the head seldom guesses, converge this way.

A pass and a step round differently. Where rounding could change a choice in float32, the segment is returned
for step-by-step search. In bfloat16 neither is more exact, and the pass decides.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mt3drum.decode.constraints import Narrowing
from mt3drum.decode.draft import Draft
from mt3drum.decode.hypothesis import WINDOW, TokenPath
from mt3drum.decode.onset_head import OnsetTables
from mt3drum.decode.product import Scores, score
from mt3drum.decoding import TO_FINISH, DecodeConfig
from mt3drum.model.decoder_step import CachedDecoder
from mt3drum.model.decoder_window import begin_windows, decode_window, keep_segments
from mt3drum.model.stem import EncoderOutput
from tokenizer.codec import BOS, EOS, MAX_VELOCITY, PAD
from tokenizer.grammar import AFTER_DRUM

ROWS, LEAST, MOST = 256, 8, 32
"""Positions per pass: in total, and per segment at least and at most. A wide window needs fewer passes; a
narrow one wastes less work."""
BATCHES = (4, 8, 16)
"""Batch sizes to shrink to as segments end: few, because every new shape is compiled (`decoder_window`)."""
MOST_PASSES = 64
"""Segments not finished by then are decoded step by step."""
CLOSE = 5e-6
"""Bound on the rounding error of a log-probability, relative to the highest logit (observed: 1.4e-6)."""


class Settled:
    """The settled tokens of a batch."""

    def __init__(self, segments: int) -> None:
        self.tokens = np.full((segments, 0), PAD)
        """[s l] PAD from `length` on."""
        self.window = np.zeros((segments, 0, 2 * WINDOW + 1), dtype=np.float32)
        self.velocity = np.zeros((segments, 0), dtype=np.float32)
        self.score = np.zeros(segments)
        """[s] sum of the token scores."""
        self.length = np.zeros(segments, dtype=np.int64)
        self.passes = np.zeros(segments, dtype=np.int64)
        self.done = np.zeros(segments, dtype=bool)
        self.given_back = np.zeros(segments, dtype=bool)
        """[s] to be decoded step by step; their other values are undefined."""

    def make_room(self, length: int) -> None:
        """Allocate space for sequences of this length plus a few tokens."""
        more = length - self.tokens.shape[1]
        if more > 0:
            more += MOST
            self.tokens = np.pad(self.tokens, ((0, 0), (0, more)), constant_values=PAD)
            self.window = np.pad(self.window, ((0, 0), (0, more), (0, 0)))
            self.velocity = np.pad(self.velocity, ((0, 0), (0, more)))

    def path(self, length_penalty: float) -> TokenPath:
        """The result in the form that the search returns."""
        normalised = self.score / np.maximum(self.length, 1) ** length_penalty
        return TokenPath(self.tokens, self.window, self.velocity, normalised)


def greedy(
    decoder: CachedDecoder,
    encoded: EncoderOutput,
    narrowing: Narrowing,
    tables: OnsetTables,
    peaks: Tensor,
    config: DecodeConfig,
    until: int,
) -> Settled:
    """The greedy sequence of every segment.

    Args:
        narrowing, tables: of the segments, in their initial state.
        peaks: [s t c] the onset head's probabilities after suppression, 0 for excluded classes.
        until: do not decode steps from here on.
    """
    device = peaks.device
    drafts = _drafts(decoder, encoded, peaks, until)
    settled, cache = Settled(len(drafts)), begin_windows(decoder, encoded)
    batch = np.arange(len(drafts))  # the segments in the cache
    while not settled.done.all():
        size = min(MOST, max(LEAST, ROWS // len(batch)))
        first = settled.length[batch]
        settled.make_room(int(first.max()) + size)
        place = first[:, None] + np.arange(size)
        drafted = np.full(place.shape, PAD)
        for row in np.flatnonzero(~settled.done[batch]):
            new = drafts[batch[row]].propose(size)
            drafted[row, : len(new)] = new
        tokens = settled.tokens[batch]
        np.put_along_axis(tokens, place, drafted, 1)
        fed = np.where(place, np.take_along_axis(tokens, (place - 1).clip(0), 1), BOS)
        logits = decode_window(decoder, cache, _to(fed, device), _to(first, device))
        rounding = _rounding(logits) if decoder.dtype == torch.float32 else None
        before = narrowing.before(tokens, first, size)
        late = place >= config.max_tokens - TO_FINISH
        must_end = _to(late, device) if late.any() else False
        scores = score(logits, before, tables, config, until, must_end)
        _take(settled, drafts, batch, drafted, scores, before, rounding)
        kept = _smaller(~settled.done[batch])
        if len(kept) < len(batch):
            rows = _to(kept, device)
            keep_segments(cache, rows, decoder)
            tables, batch = tables.select(rows), batch[kept]
    return settled


def _rounding(logits: Tensor) -> Tensor:
    """Bound [s w] on the error of log-probabilities, from logits [s w v], or [m s w v] of an ensemble."""
    highest = logits.abs().amax(-1).clamp(1)
    return CLOSE * (highest.amax(0) if highest.dim() == 3 else highest)


def _to(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(values).to(device)


def _drafts(decoder: CachedDecoder, encoded: EncoderOutput, peaks: Tensor, until: int) -> list[Draft]:
    codec = decoder.config.codec
    loudness = (torch.sigmoid(encoded.velocity.float()) * MAX_VELOCITY).clamp(1, MAX_VELOCITY)
    bins = (loudness * (codec.velocity_bins / (MAX_VELOCITY + 1))).long().cpu().numpy()
    return [Draft(codec, *each, until) for each in zip(peaks.cpu().numpy(), bins, strict=True)]


def _smaller(going: np.ndarray) -> np.ndarray:
    """Indices of the rows to keep, including all that are `going`."""
    count = int(going.sum())
    size = next((size for size in BATCHES if size >= count), len(going))
    order = np.argsort(~going, kind="stable")
    return np.sort(order[:size])


def _take(
    settled: Settled,
    drafts: list[Draft],
    batch: np.ndarray,
    drafted: np.ndarray,
    scores: Scores,
    before: Narrowing,
    rounding: Tensor | None,
) -> None:
    """Settle the decoder's choices up to the first mismatch with the draft, and use the rest to correct the
    drafts."""
    value, answer = scores.combined.max(-1)
    offsets = torch.arange(-WINDOW, WINDOW + 1, device=answer.device)
    near = (answer[..., None] + offsets).clamp(0, scores.decoder.shape[2] - 1)
    window = scores.decoder.gather(2, near).cpu().numpy()
    answers, values, velocity = (x.cpu().numpy() for x in (answer, value, scores.velocity))
    length = (drafted != PAD).sum(1)
    index = np.arange(drafted.shape[1])
    last = (answers != drafted) | (index >= length[:, None] - 1)
    count = np.where(length, last.argmax(1) + 1, 0)
    own = index < count[:, None]
    if rounding is not None:
        close = _unsure(scores, value, before, rounding).cpu().numpy()
        unsure = np.asarray((close & own).any(1))
        settled.given_back[batch[unsure]] = True
        own &= ~unsure[:, None]
    rows, at = np.nonzero(own)
    segment, place = batch[rows], settled.length[batch][rows] + at
    settled.tokens[segment, place] = answers[rows, at]
    settled.window[segment, place] = window[rows, at]
    settled.velocity[segment, place] = velocity[rows, at]
    np.add.at(settled.score, segment, values[rows, at])
    settled.length[batch] += own.sum(1)
    settled.passes[batch[length > 0]] += 1
    settled.done[batch[((answers == EOS) & own).any(1)]] = True
    settled.given_back |= ~settled.done & (settled.passes >= MOST_PASSES)
    settled.done |= settled.given_back
    for row in np.flatnonzero(~settled.done[batch]):
        drafts[batch[row]].take(answers[row, : length[row]].tolist(), int(count[row]))


def _unsure(scores: Scores, value: Tensor, before: Narrowing, rounding: Tensor) -> Tensor:
    """[s w]: whether rounding may change the choice of token, or of the velocity bin at the median."""
    rivals = (scores.combined > (value - 2 * rounding)[..., None]).sum(-1) > 1
    halves = ((scores.below - 0.5).abs() < rounding[..., None]).any(-1)
    return torch.where(before.state.phase == AFTER_DRUM, halves, rivals)
