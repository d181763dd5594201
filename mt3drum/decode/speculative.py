"""Greedy decoding by draft and verification: the tokens of the search step by step, in a few passes.

The onset head drafts a segment (`draft`); the decoder reads a window of the draft at once and says after
every token what it would have written next. Up to the first place where that is another token than drafted
the draft is the greedy sequence, and what it says there belongs to it, too (speculative decoding, Leviathan
et al. 2023, arXiv:2211.17192). What it says further on mends the draft (Jacobi decoding, Santilli et al.
2023, arXiv:2305.10427): bins of velocity, which the head seldom guesses, settle that way.

A pass and a step round differently. Where rounding may decide a choice in float32, the segment is given back,
to be searched step by step. In bfloat16 neither is more exact than the other, and the pass decides.
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
"""Positions a pass reads: of all segments together, and of each at least and at most. A wide window needs
fewer passes, a narrow one reads less in vain."""
BATCHES = (4, 8, 16)
"""As segments end, the batch shrinks to these sizes: few, since every shape costs (`decoder_window`)."""
MOST_PASSES = 64
"""A segment that is not settled by then is given back."""
CLOSE = 5e-6
"""Times the highest logit: by how much rounding may move a log-probability (seen: 1.4e-6)."""


class Settled:
    """The sequences of a batch as far as they are known."""

    def __init__(self, segments: int) -> None:
        self.tokens = np.full((segments, 0), PAD)
        """[s l] PAD from `length` on."""
        self.window = np.zeros((segments, 0, 2 * WINDOW + 1), dtype=np.float32)
        self.velocity = np.zeros((segments, 0), dtype=np.float32)
        self.score = np.zeros(segments)
        """[s] sum over the tokens."""
        self.length = np.zeros(segments, dtype=np.int64)
        self.passes = np.zeros(segments, dtype=np.int64)
        self.done = np.zeros(segments, dtype=bool)
        self.given_back = np.zeros(segments, dtype=bool)
        """[s] to be searched step by step; what is known of it has no meaning."""

    def make_room(self, length: int) -> None:
        """Room for sequences of this length, and a few tokens more."""
        more = length - self.tokens.shape[1]
        if more > 0:
            more += MOST
            self.tokens = np.pad(self.tokens, ((0, 0), (0, more)), constant_values=PAD)
            self.window = np.pad(self.window, ((0, 0), (0, more), (0, 0)))
            self.velocity = np.pad(self.velocity, ((0, 0), (0, more)))

    def path(self, length_penalty: float) -> TokenPath:
        """As of a search."""
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
        narrowing, tables: of the segments, at their beginning.
        peaks: [s t c] the onset head's probabilities after suppression, of the classes that may be written.
        until: steps from here on are not decoded.
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
        rounding = CLOSE * logits.abs().amax(-1).clamp(1) if decoder.dtype == torch.float32 else None
        before = narrowing.before(tokens, first, size)
        must_end = _to(place >= config.max_tokens - TO_FINISH, device)
        scores = score(logits, before, tables, config, until, must_end)
        _take(settled, drafts, batch, drafted, scores, before, rounding)
        kept = _smaller(~settled.done[batch])
        if len(kept) < len(batch):
            rows = _to(kept, device)
            keep_segments(cache, rows, decoder.heads)
            tables, batch = tables.select(rows), batch[kept]
    return settled


def _to(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(values).to(device)


def _drafts(decoder: CachedDecoder, encoded: EncoderOutput, peaks: Tensor, until: int) -> list[Draft]:
    codec = decoder.config.codec
    loudness = (torch.sigmoid(encoded.velocity.float()) * MAX_VELOCITY).clamp(1, MAX_VELOCITY)
    bins = (loudness * (codec.velocity_bins / (MAX_VELOCITY + 1))).long().cpu().numpy()
    return [Draft(codec, *each, until) for each in zip(peaks.cpu().numpy(), bins, strict=True)]


def _smaller(going: np.ndarray) -> np.ndarray:
    """Indices of the rows to keep, those that are `going` among them."""
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
    """Settle what the decoder would have written, up to the first token that was drafted wrong, and mend the
    drafts by the rest."""
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
    """[s w]: rounding may decide here: between two tokens, or between two bins of velocity at the median."""
    rivals = (scores.combined > (value - 2 * rounding)[..., None]).sum(-1) > 1
    halves = ((scores.below - 0.5).abs() < rounding[..., None]).any(-1)
    return torch.where(before.state.phase == AFTER_DRUM, halves, rivals)
