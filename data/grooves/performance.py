"""A performance: hits and their origin."""

from __future__ import annotations

from dataclasses import dataclass

from tokenizer.hits import Hit


@dataclass(frozen=True)
class Performance:
    """Hits of one take, seconds from its start, in order. ``split`` is train, validation or test; ``corpus``
    and ``licence`` travel into every clip made from it; ``bpm`` is the nominal tempo."""

    name: str
    split: str
    corpus: str
    licence: str
    bpm: float
    hits: tuple[Hit, ...]
    electronic: bool = False
    """Programmed: played on drum machines with electronic music, which it ducks."""
    style: str = ""
    """Genre, if the corpus names one."""
