"""Pairing of estimates with references by file name."""

from __future__ import annotations

from collections.abc import Iterable


def match_names(references: Iterable[str], estimates: Iterable[str]) -> dict[str, str]:
    """Pair estimates with references: by stem, or else by the part of the name that is unique to a reference.

    Among `MusicDelta_*_class`, `MusicDelta_Punk_class` is identified by `Punk`, so `Punk` and
    `MusicDelta_Punk_Drum` are its estimates. Underscores separate parts; the longest matching part counts.

    Returns:
        Reference name to estimate name; references without an estimate are absent.

    Raises:
        ValueError: several estimates fit one reference, or the reverse.
    """
    wanted, given = list(references), list(estimates)
    pairs = {name: name for name in wanted if name in set(given)}
    own = {name: parts for name, parts in _own_parts(wanted).items() if name not in pairs}
    for estimate in given:
        if estimate in pairs:
            continue
        parts = estimate.split("_")
        fitting = [name for name in own if _holds(parts, own[name]) or _holds(name.split("_"), parts)]
        longest = max((len(own[name]) for name in fitting), default=0)
        fitting = [name for name in fitting if len(own[name]) == longest]
        if len(fitting) > 1:
            raise ValueError(
                f"estimate {estimate} fits several references: {', '.join(fitting)}; name them alike"
            )
        if fitting and fitting[0] in pairs:
            both = f"{pairs[fitting[0]]}, {estimate}"
            raise ValueError(f"reference {fitting[0]} fits several estimates: {both}; name them alike")
        if fitting:
            pairs[fitting[0]] = estimate
    return pairs


def _own_parts(names: list[str]) -> dict[str, list[str]]:
    """The parts of each name without leading and trailing parts that all names share."""
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
