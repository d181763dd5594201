"""Shards to training batches, determined by seed, rank, number of ranks and batch number.

Every process visits the samples in the same order (`data.shards.walk`). Each of w ranks takes every w-th
sample, B of its samples form a batch, and each of n workers makes every n-th batch. Every sample is therefore
used once per epoch over all ranks, batches are always full, the number of workers does not matter, and a run
resumes by its sample count.

Shards are untrusted: nothing is written to disk, member sizes are limited, and bad samples are skipped and
counted by reason.
"""

from __future__ import annotations

import itertools
import logging
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from data.augment import SPEED_MARGIN, AugmentConfig, augment
from data.dsp.levels import mix
from data.shards.unpack import BadSample, audio_of, labels_of
from data.shards.walk import Located, Order, located, summary
from mt3drum.config import SAMPLE_RATE
from tokenizer.codec import PAD, Codec
from tokenizer.drums import NUM_CLASSES
from tokenizer.encode import encode
from tokenizer.hits import SAME_STROKE, Hit, merge_close

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoaderConfig:
    """How shards become batches.

    Raises:
        ValueError: a field is outside its range.
    """

    batch_size: int = 16
    workers: int = 0
    """Number of worker processes; 0: none."""
    seed: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """`AugmentConfig.none()` for validation. Its length must be the codec's segment."""
    swap_band: float = 0.25
    """Probability that a clip gets the band of the previous sample."""
    buffer: int = 2000
    """Samples among which the order is shuffled."""

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.workers < 0 or self.buffer < 1:
            raise ValueError(
                f"batch_size {self.batch_size} and buffer {self.buffer} must be at least 1, "
                f"workers {self.workers} at least 0"
            )
        if not 0 <= self.swap_band <= 1:
            raise ValueError(f"swap_band is {self.swap_band}, expected 0..1")


class Batch(NamedTuple):
    """One batch; b samples, n = segment seconds * 44100, l tokens, T steps of 10 ms, 26 classes."""

    audio: torch.Tensor
    """float32 [b n], mono."""
    tokens: torch.Tensor
    """int64 [b l]: no BOS, EOS, then PAD."""
    onset: torch.Tensor
    """float32 [b T 26]: 1 at the step of a hit, 0.5 at the adjacent steps."""
    velocity: torch.Tensor
    """float32 [b T 26]: velocity / 127 at the step of a hit and the adjacent steps."""
    keys: list[str]
    bad: dict[str, int]
    """Number of bad samples encountered while making this batch, by reason."""


class Example(NamedTuple):
    """One sample of a batch."""

    audio: np.ndarray
    tokens: list[int]
    onset: np.ndarray
    velocity: np.ndarray
    key: str


class Loader:
    """Endless iterator over batches; `bad` counts the bad samples so far, by reason."""

    def __init__(self, source: BatchSource) -> None:
        self.source = source
        self.bad: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Batch]:
        workers = self.source.config.workers
        batches: Iterable[Batch] = self.source
        if workers:
            batches = torch.utils.data.DataLoader(
                self.source,
                batch_size=None,
                num_workers=workers,
                prefetch_factor=2,
                collate_fn=_as_it_is,
                generator=torch.Generator(),  # leaves the global random numbers alone
            )
        for batch in batches:
            self._report(batch.bad)
            yield batch

    def _report(self, bad: dict[str, int]) -> None:
        for reason, count in bad.items():
            before = self.bad[reason]
            self.bad[reason] += count
            if before == 0 or before // 1000 != self.bad[reason] // 1000:
                log.warning("skipped %d samples so far: %s", self.bad[reason], reason)


def make_loader(
    shards: Sequence[str],
    codec: Codec,
    config: LoaderConfig,
    rank: int = 0,
    world: int = 1,
    start_sample: int = 0,
) -> Loader:
    """Batches of this rank, starting at its `start_sample`-th sample.

    Args:
        shards: tar files on disk (`data.shards.write.shard_paths`), in any order.
        start_sample: number of samples this rank has consumed before: batches * batch size.
    Raises:
        ValueError: there are no shards, or rank, start or segment length is invalid. While iterating: a whole
            epoch contains no usable sample.
    """
    if not shards:
        raise ValueError("no shards given; make some with scripts/make_shards.py")
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} is outside 0..{world - 1}")
    if start_sample < 0 or start_sample % config.batch_size:
        raise ValueError(
            f"start_sample {start_sample} is not a multiple of the batch size {config.batch_size}"
        )
    if abs(config.augment.seconds - codec.segment_seconds) > 1e-9:
        raise ValueError(
            f"augment.seconds is {config.augment.seconds}, the codec's segments are {codec.segment_seconds} s"
        )
    order = Order(tuple(sorted(shards)), config.seed, config.buffer)
    return Loader(BatchSource(order, codec, config, rank, world, start_sample // config.batch_size))


class BatchSource(torch.utils.data.IterableDataset[Batch]):
    """The batches of one rank from number `first` on; in a DataLoader worker, its share of them."""

    def __init__(
        self, order: Order, codec: Codec, config: LoaderConfig, rank: int, world: int, first: int
    ) -> None:
        super().__init__()
        self.order = order
        self.codec = codec
        self.config = config
        self.rank = rank
        self.world = world
        self.first = first

    def __iter__(self) -> Iterator[Batch]:
        info = torch.utils.data.get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        size = self.config.batch_size
        bad: Counter[str] = Counter()
        # All processes encounter the same damaged shards: one of them reports.
        walked = bad if worker == 0 and self.rank == 0 else Counter()
        stream = located(self.order, self.rank, self.world, self.first * size, walked)
        for number in itertools.count(self.first):
            places = list(itertools.islice(stream, size))
            if (number - self.first) % workers == worker:
                examples = self.examples(places, bad) or self.substitutes((number + 1) * size, bad)
                # Good samples of the batch replace bad ones, so that every batch stays full.
                filled = list(itertools.islice(itertools.cycle(examples), size))
                yield collate(filled, dict(bad))
                bad.clear()

    def examples(self, places: Iterable[Located], bad: Counter[str]) -> list[Example]:
        """The usable ones of these samples."""
        found = []
        for place in places:
            try:
                found.append(read_example(place, self.codec, self.config))
            except BadSample as error:
                bad[error.reason] += 1
                log.debug("%s in %s: %s", place.members["__key__"], place.members["__url__"], error)
        return found

    def substitutes(self, start: int, bad: Counter[str]) -> list[Example]:
        """The first usable sample of this rank from `start` on, when a whole batch was bad.

        Raises:
            ValueError: there is none in a whole epoch.
        """
        last = None
        for place in located(self.order, self.rank, self.world, start, Counter()):
            last = place.epoch + 1 if last is None else last
            if place.epoch > last:
                break
            found = self.examples([place], bad)
            if found:
                return found
        raise ValueError(
            f"no usable sample in a whole epoch of {len(self.order.shards)} shards ({summary(bad)}): "
            f"{self.order.shards[0]} ..."
        )


def read_example(place: Located, codec: Codec, config: LoaderConfig) -> Example:
    """Read, cut, mix and encode one sample; random numbers depend only on (seed, epoch, key).

    Raises:
        BadSample: the sample cannot be used.
    """
    members = place.members
    rng = np.random.default_rng([config.seed, place.epoch, zlib.crc32(members["__key__"].encode())])
    seconds = codec.segment_seconds
    labels = labels_of(members)
    # The seconds are those of the labels' clip; audio may be a few samples shorter.
    length = round(seconds * SPEED_MARGIN * SAMPLE_RATE)
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
    if place.before and rng.random() < config.augment.hit_mixing_probability:
        audio, hits = mix_hits(audio, hits, place.before, start, rng)
    audio, kept = augment(audio, band, hits, rng, config.augment)
    if not np.isfinite(audio).all():
        raise BadSample("audio not finite", members["__key__"])
    onset, velocity = frame_targets(kept, codec)
    return Example(audio, encode(codec, kept).ids, onset, velocity, members["__key__"])


def mix_hits(
    audio: np.ndarray, hits: Sequence[Hit], other: Mapping[str, Any], start: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[Hit]]:
    """Add the drums of another sample, up to 9 dB quieter; strokes of one drum within 20 ms are merged.

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
                # If two hits of a drum share a step, the larger target is used.
                onset[near, hit.drum] = max(onset[near, hit.drum], value)
                velocity[near, hit.drum] = max(velocity[near, hit.drum], hit.velocity / 127)
    return onset, velocity


def collate(examples: Sequence[Example], bad: dict[str, int]) -> Batch:
    """Stack examples; token rows are padded to the longest."""
    longest = max(len(example.tokens) for example in examples)
    tokens = np.full((len(examples), longest), PAD, np.int64)
    for row, example in zip(tokens, examples, strict=True):
        row[: len(example.tokens)] = example.tokens
    return Batch(
        torch.from_numpy(np.stack([example.audio for example in examples]).astype(np.float32, copy=False)),
        torch.from_numpy(tokens),
        torch.from_numpy(np.stack([example.onset for example in examples])),
        torch.from_numpy(np.stack([example.velocity for example in examples])),
        [example.key for example in examples],
        bad,
    )


def _as_it_is(batch: Any) -> Any:
    return batch
