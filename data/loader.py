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
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from data.example import Example, LoaderConfig, read_example
from data.shards.unpack import BadSample
from data.shards.walk import Located, Order, located, summary
from tokenizer.codec import PAD, Codec

log = logging.getLogger(__name__)


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
    labelled: torch.Tensor
    """bool [b]: False where the hits are unknown; tokens and targets then mean nothing."""
    keys: list[str]
    bad: dict[str, int]
    """Number of bad samples encountered while making this batch, by reason."""


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
    shards: Sequence[str] | Sequence[Sequence[str]],
    codec: Codec,
    config: LoaderConfig,
    rank: int = 0,
    world: int = 1,
    start_sample: int = 0,
    weights: Sequence[float] = (),
) -> Loader:
    """Batches of this rank, starting at its `start_sample`-th sample.

    Args:
        shards: tar files on disk (`data.shards.write.shard_paths`), in any order; or several lists of them.
        weights: of several lists, the share of samples that each gives, relative to the others.
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
    lists = [[one] if isinstance(one, str) else one for one in shards]
    if not weights:
        lists = [list(itertools.chain(*lists))]
    order = Order(tuple(tuple(sorted(one)) for one in lists), config.seed, config.buffer, tuple(weights))
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
                examples = self.examples(places, bad, number)
                examples = examples or self.substitutes((number + 1) * size, bad)
                # Good samples of the batch replace bad ones, so that every batch stays full.
                filled = list(itertools.islice(itertools.cycle(examples), size))
                yield collate(filled, dict(bad))
                bad.clear()

    def examples(self, places: Iterable[Located], bad: Counter[str], number: int) -> list[Example]:
        """The usable ones of these samples of batch `number`."""
        found = []
        for place in places:
            try:
                found.append(read_example(place, self.codec, self.config, number))
            except BadSample as error:
                bad[error.reason] += 1
                log.debug("%s in %s: %s", place.members["__key__"], place.members["__url__"], error)
        return found

    def substitutes(self, start: int, bad: Counter[str]) -> list[Example]:
        """The first usable sample of this rank from `start` on, when a whole batch was bad.

        Raises:
            ValueError: there is none in a whole epoch.
        """
        last = [-1] * len(self.order.sources)
        for place in located(self.order, self.rank, self.world, start, Counter()):
            if last[place.source] < 0:
                last[place.source] = place.epoch + 1
            if all(0 <= end < place.epoch for end in last):
                break
            found = self.examples([place], bad, start // self.config.batch_size)
            if found:
                return found
        raise ValueError(
            f"no usable sample in a whole epoch of {sum(map(len, self.order.sources))} shards "
            f"({summary(bad)}): {self.order.sources[0][0]} ..."
        )


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
        torch.tensor([example.labelled for example in examples]),
        [example.key for example in examples],
        bad,
    )


def _as_it_is(batch: Any) -> Any:
    return batch
