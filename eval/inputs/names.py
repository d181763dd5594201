"""Which estimate belongs to which reference, by their names."""

from __future__ import annotations

from collections.abc import Iterable


def match_names(references: Iterable[str], estimates: Iterable[str]) -> dict[str, str]:
    """Which estimate belongs to which reference: the same stem, or else the reference whose own part it
    holds.

    `MusicDelta_Punk_class` among `MusicDelta_*_class` is told by `Punk`, so `Punk` and `MusicDelta_Punk_Drum`
    are its estimates. Parts are what stands between underscores; of several that fit, the longest counts.

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
