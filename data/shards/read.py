"""Whole clips of a folder of shards, in order and as they are: for validation and tests.

Unlike the loader, which skips and counts, this stops at the first damage: a validation set must not shrink.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import webdataset

from data.shards.unpack import BadSample, ClipLabels, audio_of, labels_of
from data.shards.walk import find_members, summary
from data.shards.write import shard_paths
from mt3drum.config import SAMPLE_RATE
from tokenizer.hits import Hit

MAX_SECONDS = 3600.0
"""A clip is read whole, so its labels may not claim more."""


class StoredClip(NamedTuple):
    """One clip of a shard."""

    key: str
    audio: np.ndarray
    """Mono float32 at 44.1 kHz, without its band."""
    band: np.ndarray | None
    """The backing band beside it, of the same length, where there is one."""
    hits: list[Hit]
    performance: str
    style: str = ""


def read_clips(folder: Path, limit: int | None = None) -> Iterator[StoredClip]:
    """The clips of all shards of a folder, the first `limit` of them; on any rank, all of them.

    Raises:
        ValueError: there is no manifest, a shard is missing or broken, or a sample cannot be used.
    """
    bad: Counter[str] = Counter()
    shards = ({"url": path} for path in shard_paths(folder))
    # Not webdataset.WebDataset: that refuses to run on one of several ranks, and opens `pipe:` names.
    samples = webdataset.tariterators.group_by_keys(find_members(shards, bad))
    for members in islice(samples, limit):
        if bad:
            break
        try:
            labels = labels_of(members)
            if not labels.labelled:
                raise BadSample("unlabelled", "only training can use it")
            if labels.seconds > MAX_SECONDS:
                raise BadSample("clip too long", f"{labels.seconds} s")
            length = round(labels.seconds * SAMPLE_RATE)
            audio = audio_of(members, "flac", 0, length)
            band = audio_of(members, "band.flac", 0, length) if "band.flac" in members else None
        except BadSample as error:
            raise ValueError(f"{members['__url__']}: sample {members['__key__']}: {error}") from None
        yield StoredClip(
            members["__key__"],
            audio,
            band,
            list(labels.hits),
            str(labels.meta.get("performance", "")),
            str(labels.meta.get("style", "")),
        )
    if bad:
        raise ValueError(f"{folder}: {summary(bad)}; make the shards again")


def read_labels(paths: Sequence[str]) -> Iterator[ClipLabels]:
    """The labels of every sample of some shards; no audio is read.

    Raises:
        ValueError: a shard is missing or broken, or a sample has no usable labels.
    """
    bad: Counter[str] = Counter()
    for members in webdataset.tariterators.group_by_keys(
        find_members(({"url": path} for path in paths), bad)
    ):
        try:
            yield labels_of(members)
        except BadSample as error:
            raise ValueError(f"{members['__url__']}: sample {members['__key__']}: {error}") from None
    if bad:
        raise ValueError(f"{paths[0]} ...: {summary(bad)}; make the shards again")
