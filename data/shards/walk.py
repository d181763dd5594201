"""The order of samples: every process shuffles epochs identically, and ranks take turns.

Only tar headers are read here: a sample is identified by the location of its members, so shuffling, skipping
and resuming cost microseconds per sample and little memory.
"""

from __future__ import annotations

import itertools
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import webdataset

from data.shards.unpack import Member

BLOCK = 100
"""Samples of all ranks within which weighted sources have their shares."""


class Located(NamedTuple):
    """A sample that has been located but not read."""

    epoch: int
    members: dict[str, Any]
    """`Member` by suffix, with WebDataset's `__key__` and `__url__`."""
    before: dict[str, Any] | None
    """The previous sample of the epoch, whose band may be used."""
    source: int = 0
    """Index into `Order.sources`."""


class Order(NamedTuple):
    """The parameters that determine the order of samples."""

    sources: tuple[tuple[str, ...], ...]
    """Shards; with `weights`, several lists of them."""
    seed: int
    buffer: int
    """Samples among which the order is shuffled."""
    weights: tuple[float, ...] = ()
    """The share of samples of each source."""


def located(order: Order, rank: int, world: int, start: int, bad: Counter[str]) -> Iterator[Located]:
    """The samples of a rank from its `start`-th on, over endless epochs.

    With the samples of all epochs numbered consecutively, a rank gets those whose number modulo `world` is
    `rank`.

    Of weighted sources each has epochs of its own; which one a sample comes from is decided by its number
    (`source_of`), whatever the rank.

    Args:
        bad: counts missing or damaged shards, once per encounter.
    Raises:
        ValueError: an epoch contains no sample.
    """
    if len(order.sources) == 1:
        yield from _of_one(order, 0, rank, world, start, bad)
        return
    first = start * world + rank
    begun = [taken(order, source, first) for source in range(len(order.sources))]
    streams = [_of_one(order, source, 0, 1, at, bad) for source, at in enumerate(begun)]
    for number in itertools.count(first):
        place = next(streams[source_of(order, number)])
        if (number - rank) % world == 0:
            yield place


def source_of(order: Order, number: int) -> int:
    """The source of a sample: in every block of `BLOCK` each has its share, in the block's own order."""
    block, at = divmod(number, BLOCK)
    return int(_block(order.weights, order.seed, block)[at])


def taken(order: Order, source: int, number: int) -> int:
    """How many samples of a source come before the sample `number`."""
    block, at = divmod(number, BLOCK)
    whole = int((_block(order.weights, order.seed, 0) == source).sum())
    return block * whole + int((_block(order.weights, order.seed, block)[:at] == source).sum())


@lru_cache(maxsize=8)
def _block(weights: tuple[float, ...], seed: int, block: int) -> np.ndarray:
    """[BLOCK] the source of each sample of a block: the shares of the weights, rounded so that the largest
    remainders get what is left and no source gets nothing."""
    share = np.array(weights) / sum(weights) * BLOCK
    counts = np.maximum(share.astype(int), 1)
    order = np.argsort(counts - share, kind="stable")
    for at in itertools.cycle(order.tolist()):
        if counts.sum() == BLOCK:
            break
        counts[at] += 1 if counts.sum() < BLOCK else -int(counts[at] > 1)
    sources = np.repeat(np.arange(len(weights)), counts)
    return np.random.default_rng([seed, block]).permutation(sources)


def _of_one(
    order: Order, source: int, rank: int, world: int, start: int, bad: Counter[str]
) -> Iterator[Located]:
    shards = order.sources[source]
    first_epoch, number = 0, start * world + rank
    if start:
        # Whole epochs are skipped by arithmetic: every epoch has as many samples as the first.
        length = sum(1 for _ in walk(order, 0, Counter(), source))
        first_epoch, number = divmod(number, max(1, length))
    for epoch in itertools.count(first_epoch):
        length, before = 0, None
        for members in walk(order, epoch, bad, source):
            if length == number:
                yield Located(epoch, members, before, source)
                number += world
            before = members
            length += 1
        if length == 0:
            raise ValueError(f"no sample found in {len(shards)} shards ({summary(bad)}): {shards[0]} ...")
        number -= length


def walk(order: Order, epoch: int, bad: Counter[str], source: int = 0) -> Iterator[dict[str, Any]]:
    """The samples of one epoch in order, as locations in tar files: a WebDataset pipeline."""
    shards = order.sources[source]
    pipeline = webdataset.DataPipeline(
        webdataset.SimpleShardList(list(shards)),
        webdataset.detshuffle(len(shards), len(shards), seed=_seed(order.seed, epoch, "shards")),
        partial(find_members, bad=bad),
        partial(webdataset.tariterators.group_by_keys, handler=partial(_count_duplicate, bad=bad)),
        webdataset.detshuffle(order.buffer, order.buffer, seed=_seed(order.seed, epoch, "samples")),
    )
    yield from pipeline


def find_members(shards: Iterable[dict[str, str]], bad: Counter[str]) -> Iterator[dict[str, Any]]:
    """The locations of the members of each tar file; a damaged or missing file ends early and is counted."""
    for shard in shards:
        path = shard["url"]
        try:
            for member, name in _members(path):
                yield {"fname": name, "data": member, "__url__": path}
        except FileNotFoundError:
            bad["shard missing"] += 1
        except (OSError, tarfile.TarError, ValueError, EOFError):
            bad["shard broken"] += 1
        yield {}  # a sample does not go on in the next shard


def _members(path: str) -> Iterator[tuple[Member, str]]:
    """The regular files of a tar file. Raises tarfile.ReadError if the end marker is missing."""
    end = 0
    with tarfile.open(path, "r:") as tar:
        for info in tar:
            if info.offset_data < end or info.size < 0:
                raise tarfile.ReadError(f"{path}: members overlap")
            end = info.offset_data + info.size
            if info.isreg():
                yield Member(path, info.offset_data, info.size), info.name
        # tarfile treats a damaged header as the end; the real end is a block of zeros.
        with open(path, "rb") as file:
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError(f"{path}: ends too early")


def _count_duplicate(error: Exception, bad: Counter[str]) -> bool:
    """For WebDataset: keep the first of two members of the same name. (Its own warning handler sleeps.)"""
    bad["member twice"] += 1
    return True


def _seed(seed: int, epoch: int, what: str) -> int:
    """Independent streams for neighbouring seeds and epochs (WebDataset adds seed and epoch)."""
    return zlib.crc32(f"{seed}:{epoch}:{what}".encode())


def summary(bad: Counter[str]) -> str:
    """Counts by reason, for messages."""
    return ", ".join(f"{count} {reason}" for reason, count in bad.most_common()) or "no errors"
