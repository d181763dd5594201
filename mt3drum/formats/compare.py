"""Two scores of one recording, matched label by label by the rule of docs/scoring.md.

`eval` computes the same counts with intervals and many more figures; it is not part of the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizer.drums import SCHEMES
from tokenizer.hits import SAME_STROKE, Hit

WINDOW = 0.05
"""Maximum seconds between two onsets that match."""


def compare(
    reference: Sequence[Hit], estimate: Sequence[Hit], scheme: str = "5"
) -> dict[str, dict[str, Any]]:
    """By label that occurs, and for `all` of them: `matched`, `missed` (in the reference alone), `extra` (in
    the estimate alone) and `f`, 2 matched / (2 matched + missed + extra).

    Raises:
        ValueError: the scheme is unknown.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme {scheme!r:.40} is not one of {', '.join(SCHEMES)}")
    wanted, given = _onsets(reference, scheme), _onsets(estimate, scheme)
    found = {}
    for label, times, others in zip(SCHEMES[scheme].labels, wanted, given, strict=True):
        if times or others:
            matched = _matched(times, others)
            found[label] = (matched, len(times) - matched, len(others) - matched)
    total = tuple(sum(counts[i] for counts in found.values()) for i in range(3))
    return {label: _figures(*counts) for label, counts in {**found, "all": total}.items()}


def _figures(matched: int, missed: int, extra: int) -> dict[str, Any]:
    f = 2 * matched / (2 * matched + missed + extra) if matched else 0.0
    return {"matched": matched, "missed": missed, "extra": extra, "f": round(f, 4)}


def _onsets(hits: Sequence[Hit], scheme: str) -> list[list[float]]:
    """Rising seconds for each label: different drums of one label within 20 ms of the first are one onset."""
    onsets: list[list[float]] = [[] for _ in SCHEMES[scheme].labels]
    drums: list[set[int]] = [set() for _ in onsets]
    for hit in sorted(hits):
        label = SCHEMES[scheme].of_class[hit.drum]
        if label < 0:
            continue
        own = onsets[label]
        if own and hit.drum not in drums[label] and hit.time - own[-1] <= SAME_STROKE + 1e-9:
            drums[label].add(hit.drum)
            continue
        own.append(hit.time)
        drums[label] = {hit.drum}
    return onsets


def _matched(reference: Sequence[float], estimate: Sequence[float]) -> int:
    """Size of a maximum matching: in order, the first two within reach (exact for equal windows)."""
    i = j = count = 0
    while i < len(reference) and j < len(estimate):
        if estimate[j] < reference[i] - WINDOW:
            j += 1
        elif estimate[j] > reference[i] + WINDOW:
            i += 1
        else:
            i, j, count = i + 1, j + 1, count + 1
    return count
