"""Reader of the tables in which grooves are written down.

    rock: 4 beats, 90-165 bpm, swing 0.5-0.5, weight 1
      K     X.......X....... X.....x.X.......
            X..x..x.X..x....
      S     ....X.......X...

A line of roles holds its alternatives; it goes on in lines that begin further to the right.
"""

from __future__ import annotations

import re
from typing import NamedTuple

HEAD = re.compile(r"([^:]+): (\S+) beats, (\S+)-(\S+) bpm, swing (\S+)-(\S+), weight (\S+)")


class WrittenGroove(NamedTuple):
    """One entry of a table."""

    name: str
    beats: float
    bpm: tuple[float, float]
    swing: tuple[float, float]
    weight: float
    parts: tuple[tuple[str, tuple[str, ...]], ...]
    """(role, alternatives); a role may come more than once."""


def read_table(text: str) -> list[WrittenGroove]:
    """The grooves of a table.

    Raises:
        ValueError: a line is malformed; the message holds it.
    """
    grooves: list[WrittenGroove] = []
    for line in text.strip().splitlines():
        if not line.startswith(" "):
            head = HEAD.fullmatch(line)
            if head is None:
                raise ValueError(f"not the head of a groove: {line!r}")
            beats, slow, fast, least, most, weight = (float(value) for value in head.groups()[1:])
            grooves.append(WrittenGroove(head[1], beats, (slow, fast), (least, most), weight, ()))
            continue
        words = tuple(line.split())
        parts = grooves[-1].parts
        if line.startswith("   "):
            role, begun = parts[-1]
            parts = (*parts[:-1], (role, begun + words))
        else:
            parts = (*parts, (words[0], words[1:]))
        grooves[-1] = grooves[-1]._replace(parts=parts)
    return grooves
