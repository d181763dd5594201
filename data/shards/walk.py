"""The order of samples: epochs shuffled alike in every process, ranks taking turns.

Only tar headers are read here: a sample is known by where its members lie, so that shuffling, skipping and
resuming cost microseconds a sample and little memory.
"""

from __future__ import annotations

import itertools
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import webdataset

from data.shards.unpack import Member


class Located(NamedTuple):
    """A sample that has been found, not read."""

    epoch: int
    members: dict[str, Any]
    """`Member` by suffix, with WebDataset's `__key__` and `__url__`."""
    before: dict[str, Any] | None
    """The sample before it in the epoch, whose band may be borrowed."""


class Order(NamedTuple):
    """What decides the order of samples."""

    shards: tuple[str, ...]
    seed: int
    buffer: int
    """Samples among which the order is shuffled."""


def located(order: Order, rank: int, world: int, start: int, bad: Counter[str]) -> Iterator[Located]:
    """Samples of a rank from its `start`-th on, epoch after epoch, without end.

    With the samples of all epochs numbered end to end, a rank's are those whose number leaves `rank` when
    divided by `world`.

    Args:
        bad: counts shards that are missing or broken, once each time they are met.
    Raises:
        ValueError: an epoch holds no sample.
    """
    first_epoch, number = 0, start * world + rank
    if start:
        # Whole epochs are passed over by arithmetic: every epoch has as many samples as the first.
        length = sum(1 for _ in walk(order, 0, Counter()))
        first_epoch, number = divmod(number, max(1, length))
    for epoch in itertools.count(first_epoch):
        length, before = 0, None
        for members in walk(order, epoch, bad):
            if length == number:
                yield Located(epoch, members, before)
                number += world
            before = members
            length += 1
        if length == 0:
            raise ValueError(
                f"no sample found in {len(order.shards)} shards ({summary(bad)}): {order.shards[0]} ..."
            )
        number -= length


def walk(order: Order, epoch: int, bad: Counter[str]) -> Iterator[dict[str, Any]]:
    """The samples of one epoch in its order, as places in tar files: a WebDataset pipeline."""
    pipeline = webdataset.DataPipeline(
        webdataset.SimpleShardList(list(order.shards)),
        webdataset.detshuffle(len(order.shards), len(order.shards), seed=_seed(order.seed, epoch, "shards")),
        partial(find_members, bad=bad),
        partial(webdataset.tariterators.group_by_keys, handler=partial(_count_duplicate, bad=bad)),
        webdataset.detshuffle(order.buffer, order.buffer, seed=_seed(order.seed, epoch, "samples")),
    )
    yield from pipeline


def find_members(shards: Iterable[dict[str, str]], bad: Counter[str]) -> Iterator[dict[str, Any]]:
    """Where the members of each tar file lie; a broken or missing one ends early and is counted."""
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
    """The regular files of a tar file. Raises tarfile.ReadError where it does not end as a tar file does."""
    end = 0
    with tarfile.open(path, "r:") as tar:
        for info in tar:
            if info.offset_data < end or info.size < 0:
                raise tarfile.ReadError(f"{path}: members overlap")
            end = info.offset_data + info.size
            if info.isreg():
                yield Member(path, info.offset_data, info.size), info.name
        # tarfile takes a broken header for the end; the real end is a block of zeros.
        with open(path, "rb") as file:
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError(f"{path}: ends too early")


def _count_duplicate(error: Exception, bad: Counter[str]) -> bool:
    """For WebDataset: of a member that is there twice the first stays. (Its own warning handler sleeps.)"""
    bad["member twice"] += 1
    return True


def _seed(seed: int, epoch: int, what: str) -> int:
    """Unrelated streams for neighbouring seeds and epochs (WebDataset adds seed and epoch up)."""
    return zlib.crc32(f"{seed}:{epoch}:{what}".encode())


def summary(bad: Counter[str]) -> str:
    """Counts by reason, for messages."""
    return ", ".join(f"{count} {reason}" for reason, count in bad.most_common()) or "no errors"
