"""Whole clips of a folder of shards, in order and as they are: for validation and tests."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import webdataset

from data.shards import shard_paths
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit


class StoredClip(NamedTuple):
    """One clip of a shard."""

    key: str
    audio: np.ndarray
    """Mono float32 at 44.1 kHz, without its band."""
    band: np.ndarray | None
    """The backing band beside it, of the same length, where there is one."""
    hits: list[Hit]
    performance: str


def read_clips(folder: Path, limit: int | None = None) -> Iterator[StoredClip]:
    """The clips of all shards of a folder, the first `limit` of them.

    Raises:
        ValueError: there is no manifest, or a sample is malformed; the message names it.
    """
    # No handler: a broken shard of a validation set must stop, not shrink, the measurement.
    samples = webdataset.WebDataset(shard_paths(folder), shardshuffle=False, empty_check=False)
    for number, sample in enumerate(samples):
        if limit is not None and number >= limit:
            return
        try:
            audio = _flac(sample["flac"])
            band = _flac(sample["band.flac"]) if "band.flac" in sample else None
            record = json.loads(sample["json"])
            hits = [Hit(time, CLASS_INDEX[name], velocity) for time, name, velocity in record["hits"]]
            yield StoredClip(sample["__key__"], audio, band, hits, str(record["performance"]))
        except (KeyError, ValueError, RuntimeError) as error:
            raise ValueError(f"{folder}: sample {sample.get('__key__')} is not usable ({error!r})") from error


def _flac(content: bytes) -> np.ndarray:
    return np.asarray(soundfile.read(io.BytesIO(content), dtype="float32")[0])
