"""Hits to token ids and back. Encoding counts merged and dropped hits; decoding accepts any sequence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tokenizer.codec import BOS, EOS, PAD, Codec
from tokenizer.hits import Hit


@dataclass(frozen=True)
class Encoded:
    """Token ids of a segment, with counts of merged and dropped hits."""

    ids: list[int]
    """`(time (drum velocity)+)* EOS`, no BOS."""
    merged: int
    """Number of hits merged into a louder hit of the same drum in the same 10 ms step."""
    dropped: int
    """Number of hits outside the segment."""


@dataclass(frozen=True)
class Decoded:
    """Hits of a token sequence, with counts of invalid and incomplete events."""

    hits: list[Hit]
    """Times in seconds from the start of the segment, in the order of the tokens."""
    invalid: int
    """Number of tokens that the grammar does not allow at their position, or ids outside the vocabulary."""
    dropped: int
    """Number of drums without a velocity and times without a drum."""


def encode(codec: Codec, hits: Iterable[Hit]) -> Encoded:
    """Token ids of the hits of one segment; hit times in seconds from its start.

    A hit belongs to the segment if its nearest step is one of 0..T-1, so contiguous segments contain every
    hit exactly once.
    """
    loudest: dict[tuple[int, int], int] = {}
    merged = dropped = 0
    for hit in hits:
        step = codec.step_of(hit.time)
        if not 0 <= step < codec.segment_steps:
            dropped += 1
            continue
        key = (step, hit.drum)
        merged += key in loudest
        loudest[key] = max(loudest.get(key, 0), hit.velocity)
    ids: list[int] = []
    last = -1
    for (step, drum), velocity in sorted(loudest.items()):
        if step != last:
            ids.append(codec.first_time + step)
            last = step
        ids += [codec.first_drum + drum, codec.first_velocity + codec.velocity_bin(velocity)]
    return Encoded([*ids, EOS], merged, dropped)


def decode(codec: Codec, ids: Sequence[int]) -> Decoded:
    """Hits of any sequence of integers up to EOS; illegal tokens are skipped and counted."""
    hits: list[Hit] = []
    invalid = dropped = 0
    step = drum = last_drum = -1  # drum: waiting for its velocity; last_drum: last one struck at this step
    for token in ids:
        if token == EOS:
            break
        if token in (PAD, BOS) or not 0 <= token < codec.size:
            invalid += 1
        elif token < codec.first_drum:
            new_step = token - codec.first_time
            if new_step <= step or drum >= 0:
                invalid += 1
            else:
                dropped += step >= 0 and last_drum < 0
                step, last_drum = new_step, -1
        elif token < codec.first_velocity:
            new_drum = token - codec.first_drum
            if step < 0 or drum >= 0 or new_drum <= last_drum:
                invalid += 1
            else:
                drum = new_drum
        elif drum < 0:
            invalid += 1
        else:
            velocity = codec.velocity_of(token - codec.first_velocity)
            hits.append(Hit(codec.time_of(step), drum, velocity))
            last_drum, drum = drum, -1
    dropped += (drum >= 0) or (step >= 0 and last_drum < 0)
    return Decoded(hits, invalid, dropped)
