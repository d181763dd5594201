"""Which drums to write: `--only` and `--without`; and which the decoder may hear at all: `--vocabulary`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from mt3drum.cli.parser import meant
from tokenizer.drums import CLASS_INDEX, DRUMS, FAMILIES, NUM_CLASSES


def names(text: str) -> list[str]:
    """Words between commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def add_options(parser: Any) -> None:
    """Add `--only` and `--without`."""
    for option, what in (("--only", "only these drums or families"), ("--without", "none of these")):
        parser.add_argument(
            option, type=names, default=[], metavar="D,D", help=f"write {what}; changes nothing else"
        )


def drum_classes(words: Sequence[str]) -> frozenset[int]:
    """Classes of names of drums or families; where both have the name (kick, ride), the family is meant.

    Raises:
        ValueError: a name is neither.
    """
    chosen: set[int] = set()
    for name in words:
        if name in FAMILIES:
            chosen |= {drum.index for drum in DRUMS if drum.family == name}
        elif name in CLASS_INDEX:
            chosen.add(CLASS_INDEX[name])
        else:
            raise ValueError(
                f"{name!r} is no drum and no family{meant(name, (*FAMILIES, *CLASS_INDEX)) or ';'} "
                f"families: {', '.join(FAMILIES)}; drums: {', '.join(CLASS_INDEX)}"
            )
    return frozenset(chosen)


def chosen(args: argparse.Namespace) -> frozenset[int]:
    """The drums to write.

    Raises:
        ValueError: a name is unknown, or no drum is left.
    """
    every = frozenset(range(NUM_CLASSES))
    found = (drum_classes(args.only) if args.only else every) - drum_classes(args.without)
    if not found:
        raise ValueError("--only and --without leave no drum")
    return found
