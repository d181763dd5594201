"""Turn one sample of a shard into a training example; random, but determined by seed, epoch and key."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from data.augment import AugmentConfig, augment
from data.dsp.levels import mix
from data.shards.unpack import BadSample, audio_of, labels_of
from data.shards.walk import Located
from mt3drum.config import SAMPLE_RATE
from tokenizer.codec import Codec
from tokenizer.drums import NUM_CLASSES, SCHEMES
from tokenizer.encode import encode
from tokenizer.hits import SAME_STROKE, Hit, merge_close


@dataclass(frozen=True)
class LoaderConfig:
    """How shards become batches.

    Raises:
        ValueError: a field is outside its range.
    """

    batch_size: int = 16
    workers: int = 0
    """Number of worker processes; 0 reads in this process."""
    seed: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """`AugmentConfig.none()` for validation. Its length must be the codec's segment."""
    swap_band: float = 0.25
    """Probability that a clip is mixed with the band of the previous sample."""
    buffer: int = 2000
    """Samples among which the order is shuffled."""
    classes: frozenset[int] = frozenset(range(NUM_CLASSES))
    """The classes that are labelled; other drums stay audible without labels."""
    scheme: str = "26"
    """Labels to distinguish; each hit gets the first class of its label."""

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.workers < 0 or self.buffer < 1:
            raise ValueError(
                f"batch_size {self.batch_size} and buffer {self.buffer} must be at least 1, "
                f"workers {self.workers} at least 0"
            )
        if not 0 <= self.swap_band <= 1:
            raise ValueError(f"swap_band is {self.swap_band}, expected 0..1")

    def labelled(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits that are labelled, by their labels; two of one label within 20 ms are merged."""
        scheme = SCHEMES[self.scheme]
        first = scheme.first_class
        kept = [
            Hit(hit.time, first[scheme.of_class[hit.drum]], hit.velocity)
            for hit in hits
            if hit.drum in self.classes and scheme.of_class[hit.drum] >= 0
        ]
        return kept if self.scheme == "26" else merge_close(kept, SAME_STROKE)


class Example(NamedTuple):
    """One sample of a batch."""

    audio: np.ndarray
    tokens: list[int]
    onset: np.ndarray
    velocity: np.ndarray
    labelled: bool
    key: str


def read_example(place: Located, codec: Codec, config: LoaderConfig, number: int = 0) -> Example:
    """Read, cut, mix and encode one sample; random, but a function of (seed, epoch, key, number) alone.

    Args:
        number: of its batch, for what grows in the course of training.

    Raises:
        BadSample: it cannot be used.
    """
    members = place.members
    rng = np.random.default_rng([config.seed, place.epoch, zlib.crc32(members["__key__"].encode())])
    seconds, changes = codec.segment_seconds, config.augment.at(number)
    labels = labels_of(members)
    # The seconds are those of the labels' clip; audio may be a few samples shorter.
    length = round(seconds * changes.speed_margin * SAMPLE_RATE)
    clip = round(labels.seconds * SAMPLE_RATE)
    start = int(rng.integers(max(0, clip - round(seconds * SAMPLE_RATE)) + 1))
    audio = audio_of(members, "flac", start, length)
    band = None
    borrowed = rng.random() < config.swap_band
    if "band.flac" in members:
        lender = place.before if borrowed and place.before and "band.flac" in place.before else members
        band = audio_of(lender, "band.flac", start, length)
    offset = start / SAMPLE_RATE
    hits = [Hit(hit.time - offset, hit.drum, hit.velocity) for hit in labels.hits if hit.time >= offset]
    known = labels.labelled
    if place.before and rng.random() < changes.hit_mixing_probability:
        audio, hits = mix_hits(audio, hits, place.before, start, rng)
        known = known and labels_of(place.before).labelled
    audio, kept = augment(audio, band, hits, rng, changes)
    if not np.isfinite(audio).all():
        raise BadSample("audio not finite", members["__key__"])
    labelled = config.labelled(kept)
    onset, velocity = frame_targets(labelled, codec)
    return Example(audio, encode(codec, labelled).ids, onset, velocity, known, members["__key__"])


def mix_hits(
    audio: np.ndarray, hits: Sequence[Hit], other: Mapping[str, Any], start: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[Hit]]:
    """The drums of another sample under these, 9 dB quieter to equally loud; strokes of one drum within 20 ms
    are one.

    Raises:
        BadSample: the other sample cannot be used.
    """
    offset = start / SAMPLE_RATE
    theirs = [
        Hit(hit.time - offset, hit.drum, hit.velocity) for hit in labels_of(other).hits if hit.time >= offset
    ]
    added = mix(audio, audio_of(other, "flac", start, len(audio)), float(rng.uniform(-9.0, 0.0)))
    return added, merge_close([*hits, *theirs], SAME_STROKE)


def frame_targets(hits: Iterable[Hit], codec: Codec) -> tuple[np.ndarray, np.ndarray]:
    """Onset and velocity targets [T 26] of the hits of a segment; see `Batch`."""
    onset = np.zeros((codec.segment_steps, NUM_CLASSES), np.float32)
    velocity = np.zeros_like(onset)
    for hit in hits:
        step = codec.step_of(hit.time)
        for near, value in ((step - 1, 0.5), (step, 1.0), (step + 1, 0.5)):
            if 0 <= step < codec.segment_steps and 0 <= near < codec.segment_steps:
                # Where two hits of a drum share a step, the stronger claim wins.
                onset[near, hit.drum] = max(onset[near, hit.drum], value)
                velocity[near, hit.drum] = max(velocity[near, hit.drum], hit.velocity / 127)
    return onset, velocity
