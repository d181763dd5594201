"""Which estimate belongs to which reference, by their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def match_names(references: Iterable[str], estimates: Iterable[str]) -> dict[str, str]:
    """Which estimate belongs to which reference: the same stem, or else the only one that shares its own
    part.

    `MusicDelta_Punk_class` among `MusicDelta_*_class` is told by `Punk`, so `Punk` and `MusicDelta_Punk_Drum`
    are its estimates. Parts are what stands between underscores.

    Returns:
        Reference name to estimate name; references without an estimate are absent.

    Raises:
        ValueError: several estimates fit one reference, or the reverse.
    """
    wanted, given = list(references), list(estimates)
    pairs = {name: name for name in wanted if name in set(given)}
    rest = [name for name in given if name not in pairs]
    own = _own_parts(wanted)
    for name in wanted:
        if name in pairs:
            continue
        parts = name.split("_")
        fitting = [e for e in rest if _holds(e.split("_"), own[name]) or _holds(parts, e.split("_"))]
        if len(fitting) > 1:
            raise ValueError(
                f"reference {name} fits several estimates: {', '.join(fitting)}; name them alike"
            )
        if fitting:
            pairs[name] = fitting[0]
    shared = [estimate for estimate, count in Counter(pairs.values()).items() if count > 1]
    if shared:
        names = ", ".join(name for name, estimate in pairs.items() if estimate == shared[0])
        raise ValueError(f"estimate {shared[0]} fits several references: {names}; name them alike")
    return pairs


def _own_parts(names: list[str]) -> dict[str, list[str]]:
    """Each name's parts without the leading and trailing ones that all names share."""
    split = [name.split("_") for name in names]
    if len(names) < 2:
        return dict(zip(names, split, strict=True))
    shortest = min(len(parts) for parts in split)
    head = tail = 0
    while head < shortest - 1 and len({parts[head] for parts in split}) == 1:
        head += 1
    while tail < shortest - 1 - head and len({parts[-1 - tail] for parts in split}) == 1:
        tail += 1
    return {name: parts[head : len(parts) - tail] for name, parts in zip(names, split, strict=True)}


def _holds(parts: list[str], inner: list[str]) -> bool:
    size = len(inner)
    return any(parts[i : i + size] == inner for i in range(len(parts) - size + 1))
