"""Damage: to bytes, and to documents of lists, mappings and plain values."""

from __future__ import annotations

import copy
import random
from typing import Any

_NUMBERS = (
    b"0",
    b"-1",
    b"1e999",
    b"9" * 25,
    b"9" * 5000,
    b"NaN",
    b"-Infinity",
    b"1e-999",
    b"0x1F",
    b"1_0",
    b"2026-99-99",
)
_TEXTS = (
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\r",
    b"\n",
    b'"',
    b",",
    b";",
    b"\t",
    b"#",
    b"&a *a",
    b"[",
    b"{",
    b"!!python/name:os.system",
)
_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    1.5,
    127,
    128,
    2**31,
    2**63,
    -(2**63),
    10**400,
    1e308,
    -1e308,
    5e-324,
    float("nan"),
    float("inf"),
    "",
    "kick",
    "\x00",
    "\n",
    "\ud800",
    "../../etc/passwd",
    "/dev/zero",
    "x" * 300,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"file": "a.flac"},
    ["kick"] * 3,
    4096,
    64,
    3,
    "1",
    "nan",
)


def damage(content: bytes, rng: random.Random) -> bytes:
    """A few random changes to bytes; never longer than a few times the original."""
    data = bytearray(content)
    if rng.random() < 0.005:
        return rng.choice((b"[", b'{"a":', b"- ", b"((")) * 100_000
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        place = rng.randrange(len(data) + 1)
        match rng.randrange(8):
            case 0:
                if data:
                    data[place % len(data)] ^= 1 << rng.randrange(8)
            case 1:
                if data:
                    data[place % len(data)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            case 2:
                del data[place:]
            case 3:
                del data[place : place + rng.randrange(1, 20)]
            case 4:
                data[place:place] = rng.choice(_NUMBERS + _TEXTS)
            case 5:
                start = rng.randrange(len(data) + 1)
                data[place:place] = data[start : start + rng.randrange(1, 200)]
            case 6:
                data[place : place + 4] = rng.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4)))
            case 7:
                data[place:place] = rng.randbytes(rng.randrange(1, 8))
    return bytes(data)


def damage_document(document: Any, rng: random.Random) -> Any:
    """A copy with a few values replaced, removed, doubled or wrapped."""
    damaged = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not isinstance(damaged, dict | list) or not damaged or rng.random() < 0.02:
            return copy.deepcopy(rng.choice(_VALUES))
        inner, key = _place(damaged, rng)
        match rng.randrange(6):
            case 0:
                del inner[key]
            case 1:
                inner[key] = [inner[key]]
            case 2 if isinstance(inner, list):
                inner.insert(key, copy.deepcopy(inner[key]))
            case 3 if isinstance(inner, dict):
                inner[rng.choice(("x", "", "time", "hits", "\n"))] = inner.pop(key)
            case _:
                inner[key] = copy.deepcopy(rng.choice(_VALUES))
    return damaged


def _place(document: Any, rng: random.Random) -> tuple[Any, Any]:
    """A random entry, at a random depth, as its container and key."""
    while True:
        key = rng.choice(list(document)) if isinstance(document, dict) else rng.randrange(len(document))
        inner = document[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.2:
            return document, key
        document = inner
