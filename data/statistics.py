"""Statistics of a set of hits: shares of the classes, rare classes and merge candidates, velocities,
intervals and simultaneous strokes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tokenizer.drums import DRUMS, INSTRUMENT_OF, NUM_CLASSES
from tokenizer.hits import SAME_STROKE, Hit

RARE_SHARE = 0.001
"""A class with a smaller share of the hits is rare; a manifest lists it."""
SCARCE_SHARE = 0.01
"""A class with a smaller share is a candidate to be merged."""
QUANTILES = (0.05, 0.5, 0.95)


def rare(counts: Mapping[str, int], share: float = RARE_SHARE) -> list[str]:
    """Classes with less than this share of the hits; all of them where there are no hits."""
    total = sum(counts.values())
    return [drum.name for drum in DRUMS if counts.get(drum.name, 0) < share * total or not total]


def merges(counts: Mapping[str, int], share: float = SCARCE_SHARE) -> dict[str, str]:
    """Which class each class below the share would join: the commonest of its instrument, or else of its
    family. A class that has no relative stays. It is a proposal; what is told apart is decided in
    `tokenizer.drums`."""
    scarce = {name for name in rare(counts, share) if counts.get(name, 0)}
    found = {}
    for drum in DRUMS:
        if drum.name not in scarce:
            continue
        for same in (INSTRUMENT_OF, tuple(other.family for other in DRUMS)):
            relatives = [
                other
                for other in DRUMS
                if other is not drum and same[other.index] == same[drum.index] and counts.get(other.name, 0)
            ]
            best = max(relatives, key=lambda other: counts[other.name], default=None)
            if best is not None and counts[best.name] > counts[drum.name]:
                found[drum.name] = best.name
                break
    return found


@dataclass
class Statistics:
    """Statistics of a set of recordings or clips."""

    tracks: int = 0
    seconds: float = 0.0
    hits: dict[str, int] = field(default_factory=lambda: {drum.name: 0 for drum in DRUMS})
    velocities: dict[str, list[int]] = field(default_factory=dict)
    """Class -> quantiles (`QUANTILES`) of the velocity."""
    gaps: dict[str, list[float]] = field(default_factory=dict)
    """Class -> quantiles of the seconds between consecutive strokes."""
    together: dict[str, dict[str, int]] = field(default_factory=dict)
    """Class -> number of strokes of other classes less than 20 ms away."""
    unmapped: dict[str, int] = field(default_factory=dict)
    """Labels that are in no map."""
    groups: dict[str, dict[str, int]] = field(default_factory=dict)
    """corpora, kits, styles ... -> tracks of each."""

    @property
    def total(self) -> int:
        return sum(self.hits.values())

    def share(self, name: str) -> float:
        """Of a class among all hits."""
        return self.hits[name] / max(1, self.total)

    def to_json(self) -> dict[str, Any]:
        """Plain values, with what is rare and what would be merged."""
        shares = {name: round(self.share(name), 6) for name in self.hits}
        return {
            **asdict(self),
            "shares": shares,
            "rare": rare(self.hits),
            "scarce": rare(self.hits, SCARCE_SHARE),
            "merges": merges(self.hits),
        }


@dataclass(frozen=True)
class CountedTrack:
    """What is counted of one recording or clip."""

    hits: Sequence[Hit]
    seconds: float
    unmapped: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, Iterable[str]] = field(default_factory=dict)
    """corpora, kits, styles ... -> the names that it belongs to."""


def statistics(tracks: Iterable[CountedTrack]) -> Statistics:
    """Count everything."""
    found = Statistics()
    velocities: list[list[int]] = [[] for _ in DRUMS]
    gaps: list[list[np.ndarray]] = [[] for _ in DRUMS]
    together = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)
    unmapped: Counter[str] = Counter()
    groups: dict[str, Counter[str]] = {}
    for track in tracks:
        found.tracks += 1
        found.seconds += track.seconds
        unmapped.update(track.unmapped)
        for kind, names in track.groups.items():
            groups.setdefault(kind, Counter()).update(names)
        times = np.array([hit.time for hit in sorted(track.hits)])
        drums = np.array([hit.drum for hit in sorted(track.hits)], np.int64)
        for hit in track.hits:
            velocities[hit.drum].append(hit.velocity)
        for drum in np.unique(drums):
            gaps[drum].append(np.diff(times[drums == drum]))
        for step in range(1, len(times)):
            near = times[step:] - times[:-step] < SAME_STROKE
            if not near.any():
                break
            np.add.at(together, (drums[:-step][near], drums[step:][near]), 1)
    both = together + together.T
    for drum in DRUMS:
        struck = velocities[drum.index]
        found.hits[drum.name] = len(struck)
        if struck:
            found.velocities[drum.name] = [round(v) for v in np.quantile(struck, QUANTILES).tolist()]
        if any(map(len, gaps[drum.index])):
            apart = np.concatenate(gaps[drum.index])
            found.gaps[drum.name] = [round(v, 4) for v in np.quantile(apart, QUANTILES).tolist()]
        beside = {o.name: int(both[drum.index, o.index]) for o in DRUMS if o is not drum}
        found.together[drum.name] = {name: count for name, count in beside.items() if count}
    found.unmapped = dict(unmapped)
    found.groups = {kind: dict(names.most_common()) for kind, names in groups.items()}
    return found


def table(found: Statistics) -> str:
    """A table in text: a line a class, the commonest first, and what is rare."""
    lines = [
        f"{found.tracks} tracks, {found.seconds / 3600:.2f} h, {found.total} hits",
        "",
        f"{'class':20} {'hits':>9} {'share':>8}  {'velocity 5/50/95 %':>18}  {'s to the next':>20}  with",
    ]
    for name, count in sorted(found.hits.items(), key=lambda item: -item[1]):
        loud = "/".join(map(str, found.velocities.get(name, ())))
        apart = "/".join(f"{gap:.2f}" for gap in found.gaps.get(name, ()))
        beside = sorted(found.together.get(name, {}).items(), key=lambda item: -item[1])[:2]
        company = ", ".join(f"{other} {100 * n / count:.0f} %" for other, n in beside)
        lines.append(
            f"{name:20} {count:9} {100 * found.share(name):7.3f}%  {loud:>18}  {apart:>20}  {company}"
        )
    absent = [name for name, count in found.hits.items() if not count]
    proposed = ", ".join(f"{name} -> {other}" for name, other in merges(found.hits).items())
    lines += [
        "",
        f"never struck: {', '.join(absent) or 'none'}",
        f"rare, below {100 * RARE_SHARE:g} %: {', '.join(rare(found.hits)) or 'none'}",
        f"below {100 * SCARCE_SHARE:g} % and could be merged: {proposed or 'none'}",
    ]
    if found.unmapped:
        named = ", ".join(f"{label} {count}" for label, count in found.unmapped.items())
        lines.append(f"labels in no map: {named}")
    for kind, names in found.groups.items():
        lines.append(f"{kind}: {', '.join(f'{name} {count}' for name, count in list(names.items())[:20])}")
    return "\n".join(lines)
