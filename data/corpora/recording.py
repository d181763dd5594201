"""Annotated recordings, as returned by every corpus reader, and how they are sampled."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mt3drum.files import AUDIO_SUFFIXES
from tokenizer.hits import Hit

SPLITS = ("train", "validation", "test")
_TAKE = re.compile(r"[\s_.-]*(take|tk)?[\s_.-]*\(?\d{1,3}\)?$", re.IGNORECASE)
_SUFFIXES = sorted(
    AUDIO_SUFFIXES, key=lambda suffix: (suffix not in (".wav", ".flac"), suffix)
)  # lossless first


@dataclass(frozen=True)
class Recording:
    """One annotated recording, or one performance without audio."""

    name: str
    audio: Path | None
    hits: tuple[Hit, ...]
    """In order of time, in seconds from the start of the recording."""
    split: str
    corpus: str
    performance: str
    """Name of the performance; recordings of one performance on several kits share it."""
    kit: str
    licence: str
    unmapped: dict[str, int] = field(default_factory=dict)
    """Hits whose label is in no map, by label."""
    excluded: dict[str, int] = field(default_factory=dict)
    """Hits excluded on purpose, by label."""
    bpm: float = 0.0
    """Tempo; 0: unknown."""
    style: str = ""
    """Genre, as the corpus names it."""
    labelled: bool = True
    """False: nobody wrote down the hits."""


def by_performance(recordings: Iterable[Recording]) -> dict[str, list[Recording]]:
    """Recordings grouped by performance, both in order of first appearance."""
    groups: dict[str, list[Recording]] = {}
    for recording in recordings:
        groups.setdefault(recording.performance, []).append(recording)
    return groups


def draw_by_performance(groups: Mapping[str, Sequence[Recording]], rng: np.random.Generator) -> Recording:
    """Draw one recording: a performance with equal probability, then one of its kits.

    E-GMD contains 1,059 performances on 43 kits each; another performance is worth more than another kit.
    """
    names = list(groups)
    chosen = groups[names[int(rng.integers(len(names)))]]
    return chosen[int(rng.integers(len(chosen)))]


def split_by_name(recordings: Iterable[Recording], shares: Sequence[float]) -> list[Recording]:
    """With splits of their own: a hash of what was played, its take number left out, decides, so that takes
    of one song are never in two splits and more recordings move none.

    Args:
        shares: of train, validation and test; their sum is 1.
    """
    bounds = np.cumsum(shares)
    found = []
    for recording in recordings:
        song = _TAKE.sub("", recording.performance)
        place = int(hashlib.sha256(song.encode()).hexdigest()[:12], 16) / 16**12
        split = SPLITS[min(int(np.searchsorted(bounds, place, side="right")), len(SPLITS) - 1)]
        found.append(replace(recording, split=split))
    return found


def audio_beside(folder: Path, stem: str) -> Path | None:
    """The audio file with this stem in a folder, if there is one."""
    return next((path for suffix in _SUFFIXES if (path := folder / f"{stem}{suffix}").is_file()), None)


def counted(counts: Mapping[str, int] | Mapping[int, int]) -> dict[str, int]:
    """Counts by label as text, for JSON."""
    return {str(label): count for label, count in sorted(counts.items(), key=lambda item: str(item[0]))}


def at_least_one(recordings: list[Recording], root: Path, wanted: str) -> list[Recording]:
    """Return the recordings, or raise an error that says what was searched for if there are none."""
    if not recordings:
        raise ValueError(f"{root}: found no {wanted}")
    return recordings
