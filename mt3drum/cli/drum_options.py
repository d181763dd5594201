"""Options to select the drums to write (`--only`, `--without`) or to decode (`--vocabulary`)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from mt3drum.cli.parser import meant
from tokenizer.drums import CLASS_INDEX, DRUMS, FAMILIES, NUM_CLASSES


def names(text: str) -> list[str]:
    """Comma-separated names."""
    return [name.strip() for name in text.split(",") if name.strip()]


def add_options(parser: Any) -> None:
    """Add `--only` and `--without`."""
    for option, what in (("--only", "only these drums or families"), ("--without", "none of these")):
        parser.add_argument(
            option, type=names, default=[], metavar="D,D", help=f"write {what}; other results do not change"
        )


def drum_classes(words: Sequence[str]) -> frozenset[int]:
    """Classes for names of drums or families; a name that is both (kick, ride) means the family.

    Raises:
        ValueError: a name is neither a drum nor a family.
    """
    chosen: set[int] = set()
    for name in words:
        if name in FAMILIES:
            chosen |= {drum.index for drum in DRUMS if drum.family == name}
        elif name in CLASS_INDEX:
            chosen.add(CLASS_INDEX[name])
        else:
            raise ValueError(
                f"{name!r} is neither a drum nor a family{meant(name, (*FAMILIES, *CLASS_INDEX)) or ';'} "
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
        raise ValueError("--only and --without exclude every drum")
    return found
