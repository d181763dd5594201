"""What training minimises: named terms, each a sum over a micro-batch with its weight and denominator.

The terms `tokens` and `onsets` are the transcription loss (`mt3drum.model.loss`), of labelled segments only.
The others are added by settings (`train.terms`) and may learn from unlabelled segments. The loop, states and
logs know only names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from data.augment import colour
from data.loader import Batch
from mt3drum.config import HOP
from mt3drum.model.loss import CELLS, legal_mask, losses
from mt3drum.model.network import DrumModel
from mt3drum.model.stem import FRAMES_PER_STATE, EncoderOutput
from tokenizer.codec import PAD, Codec
from train.config import TrainConfig
from train.optim import blank

if TYPE_CHECKING:
    from train.run import Run

COUNTS = ("tokens", "labelled", "segments")
"""Denominators: valid tokens of labelled segments, labelled segments, all segments."""
_ILLEGAL = -1e4
_HIDDEN_FRAMES = (24, 48)
"""Frames of a hidden rectangle, at least and fewer than: what 93 ms windows see of it does not fill it."""
_HIDDEN_BANDS = 16
_STRONG, _SHIFT, _HIDE = 1, 2, 3  # streams of random numbers of one step


class Term(NamedTuple):
    """One term of a micro-batch."""

    total: Tensor
    """A sum, with gradient."""
    per: str
    """The denominator, one of COUNTS."""
    weight: float


def names(config: TrainConfig) -> list[str]:
    """The terms of a run, in order."""
    found = ["tokens", "onsets"]
    if config.teacher.checkpoint:
        found += ["teacher_tokens", "teacher_onsets"]
    if config.consistency.weight:
        found.append("consistency")
    if config.masked.weight:
        found.append("masked")
    return found


def counts(batches: Sequence[Batch]) -> list[float]:
    """The denominators of this rank's micro-batches, in the order of COUNTS."""
    tokens = sum(int((b.tokens != PAD).sum(1)[b.labelled].sum()) for b in batches)
    return [
        float(tokens),
        float(sum(int(b.labelled.sum()) for b in batches)),
        float(sum(len(b.audio) for b in batches)),
    ]


def terms(run: Run, batch: Batch, micro: int) -> tuple[dict[str, Term], Tensor]:
    """The terms of one micro-batch, by the names of `names`, and the table `LossSums.by_kind`.

    Random numbers are a function of seed, step, micro-batch and rank.
    """
    config, place = run.config, (run.config.seed, run.progress.step, micro, run.rank)
    clean = batch.audio.to(run.device)
    target: Tensor | None = None
    with torch.no_grad():
        heard = strong(batch.audio, run, place).to(run.device) if config.consistency.weight else clean
        mel = run.features(heard)
        blank(mel, config.spec_augment, place)
        if config.masked.weight:
            target, hidden = hide(mel, config.masked.share, (*place, _HIDE))
    tokens = batch.tokens.to(run.device)
    encoded, logits = run.engine(mel, tokens)
    rows = batch.labelled.to(run.device)
    onset, velocity = (x.to(run.device)[rows] for x in (batch.onset, batch.velocity))
    codec, seen = run.model.config.codec, EncoderOutput(*(part[rows] for part in encoded))
    read = None if logits is None else logits[rows]
    sums = losses(codec, seen, read, tokens[rows], onset, velocity, config.loss, run.class_weights)
    weight = config.loss.onset_weight
    found = {
        "tokens": Term(sums.tokens, "tokens", config.loss.token_weight),
        "onsets": Term(sums.onsets, "labelled", weight),
    }
    if run.teacher is not None:
        with torch.no_grad():
            theirs, said = run.teacher(run.teacher.features(clean), tokens)
        t = config.teacher.temperature
        taught = tokens.new_zeros((), dtype=torch.float32)
        if read is not None and said is not None:
            taught = token_divergence(codec, said[rows], read, tokens[rows], t)
        heads = onset_divergence(theirs.onset_logits, encoded.onset_logits, t)
        found["teacher_tokens"] = Term(taught, "tokens", config.teacher.weight)
        found["teacher_onsets"] = Term(heads, "segments", config.teacher.weight * weight)
    if config.consistency.weight:
        steps = round(config.consistency.shift_seconds * codec.steps_per_second)
        wanted, sure = agreed(run, clean, steps, (*place, _SHIFT))
        loss = functional.binary_cross_entropy_with_logits(
            encoded.onset_logits.float(), wanted, sure, reduction="sum"
        )
        found["consistency"] = Term(loss * cells(wanted), "segments", config.consistency.weight)
    if target is not None:
        restored = restore(run.model, encoded, mel.shape)
        loss = (restored - target)[hidden].abs().mean() * len(mel)
        found["masked"] = Term(loss, "segments", config.masked.weight)
    return found, sums.by_kind


def cells(onset: Tensor) -> float:
    """Factor of a sum over the cells [b t c] of the onset head, as in `onset_loss`."""
    return CELLS / (onset.shape[1] * onset.shape[2])


def token_divergence(
    codec: Codec, teacher: Tensor, student: Tensor, tokens: Tensor, temperature: float
) -> Tensor:
    """Sum over the valid tokens [b l] of KL(teacher, student), logits [b l v], under the grammar."""
    valid = tokens != PAD
    legal = legal_mask(codec, tokens)[valid]
    p, q = (
        torch.log_softmax((x[valid].float() / temperature).masked_fill(~legal, _ILLEGAL), dim=-1)
        for x in (teacher, student)
    )
    return (p.exp() * (p - q)).sum() * temperature**2


def onset_divergence(teacher: Tensor, student: Tensor, temperature: float) -> Tensor:
    """Sum over cells of KL(teacher, student), logits [b t c], scaled as the onset head's loss."""
    p, q = teacher.float() / temperature, student.float() / temperature
    share = torch.sigmoid(p)
    yes = functional.logsigmoid(p) - functional.logsigmoid(q)
    no = functional.logsigmoid(-p) - functional.logsigmoid(-q)
    return (share * yes + (1 - share) * no).sum() * cells(student) * temperature**2


def strong(audio: Tensor, run: Run, place: tuple[int, ...]) -> Tensor:
    """audio [b n] through the effects on whole recordings; none moves an attack."""
    made = []
    for number, one in enumerate(audio.numpy()):
        rng = np.random.default_rng((*place, _STRONG, number))
        made.append(torch.from_numpy(np.asarray(colour(one, rng, run.config.augment), np.float32)))
    return torch.stack(made)


@torch.no_grad()
def agreed(run: Run, audio: Tensor, steps: int, place: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Onset probabilities [b t c] of the averaged weights, and 1 where they count: where the segment as it is
    and the segment cut `steps` earlier or later lie on the same side of one half.

    Args:
        audio: [b n]; place: of the random numbers.
    """
    model = DrumModel(run.model.config).to(run.device).eval()
    model.load_state_dict(run.network_weights)
    late = bool(np.random.default_rng(place).integers(2))
    moved = torch.zeros_like(audio)
    here, there = (
        (slice(steps, None), slice(None, -steps)) if late else (slice(None, -steps), slice(steps, None))
    )
    samples = steps * HOP
    if late:
        moved[:, :-samples] = audio[:, samples:]
    else:
        moved[:, samples:] = audio[:, :-samples]
    whole, part = (torch.sigmoid(model.encode(x).onset_logits.float()) for x in (audio, moved))
    wanted, sure = whole.clone(), torch.zeros_like(whole)
    wanted[:, here] = (whole[:, here] + part[:, there]) / 2
    sure[:, here] = ((whole[:, here] > 0.5) == (part[:, there] > 0.5)).float()
    return wanted, sure


def hide(mel: Tensor, share: float, place: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Hide rectangles of mel [b w m t], in place, all windows alike, under the mean of their bands.

    Returns:
        the normalised spectrograms [b w m t], and which of their cells are hidden.
    """
    mean, deviation = mel.mean((0, 3), keepdim=True), mel.std((0, 3), keepdim=True).clamp(min=1e-3)
    target = (mel - mean) / deviation
    batch, _, bands, frames = mel.shape
    high = min(_HIDDEN_BANDS, bands)
    number = max(1, round(share * bands * frames / (high * sum(_HIDDEN_FRAMES) / 2)))
    rng = np.random.default_rng(place)
    hidden = torch.zeros(batch, 1, bands, frames, dtype=torch.bool, device=mel.device)
    for item in hidden:
        for _ in range(number):
            length = min(frames, int(rng.integers(*_HIDDEN_FRAMES)))
            low, start = int(rng.integers(bands - high + 1)), int(rng.integers(frames - length + 1))
            item[0, low : low + high, start : start + length] = True
    hidden = hidden.expand_as(mel)
    mel.copy_(torch.where(hidden, mean.expand_as(mel), mel))
    return target, hidden


def restore(model: DrumModel, encoded: EncoderOutput, shape: torch.Size) -> Tensor:
    """The spectrograms [b w m t] that the states let on."""
    flat: Tensor = model.reconstruction(encoded.memory.float())
    return rearrange(flat, "b s (w m f) -> b w m (s f)", w=shape[1], f=FRAMES_PER_STATE)
