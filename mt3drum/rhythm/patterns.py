"""Stroke rates of each role of the kit on and between the beats of a bar.

Rates for 4/4 are rounded from the training split of the Groove MIDI Dataset (321 performances by human
drummers); it contains few other meters, whose rates follow common grooves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tokenizer.drums import DRUMS
from tokenizer.hits import Hit

TICKS = 12
"""Positions per beat: sixteenths and triplets."""
GHOST = 0.45
"""Snare strokes softer than this share of the louder ones are ghost notes and say little about the beat."""
ROLES = ("kick", "snare", "ghost", "time", "pedal", "tom", "crash")
_ROLE_OF_FAMILY = {
    "kick": 0,
    "snare": 1,
    "rim": 1,
    "hihat": 3,
    "tom": 5,
    "crash": 6,
    "ride": 3,
    "aux": 3,
}
_TIME = 3

Places = Mapping[int, float]
"""Position in twelfths of a beat, 1..11 -> strokes per beat."""


def roles(hits: Sequence[Hit]) -> list[int]:
    """An index into `ROLES` for every hit. Crashes that outnumber hi-hats and rides keep time."""
    snares = [hit.velocity for hit in hits if DRUMS[hit.drum].family == "snare"]
    ghost = GHOST * float(np.percentile(snares, 80)) if snares else 0.0
    crashes = sum(DRUMS[hit.drum].family == "crash" for hit in hits)
    ridden = crashes > sum(_ROLE_OF_FAMILY[DRUMS[hit.drum].family] == _TIME for hit in hits)

    def role(hit: Hit) -> int:
        drum = DRUMS[hit.drum]
        if drum.name == "hihat_pedal":
            return ROLES.index("pedal")
        if drum.family == "snare" and hit.velocity < ghost:
            return ROLES.index("ghost")
        if ridden and drum.family == "crash":
            return _TIME
        return _ROLE_OF_FAMILY[drum.family]

    return [role(hit) for hit in hits]


@dataclass(frozen=True, eq=False)
class BeatStyle:
    """One way to fill a beat."""

    share: float
    """Share of beats in this style."""
    kept: float
    """Probability that the timekeeping hand strikes on the beat."""
    between: Mapping[str, Places]
    """Role -> its strokes after the beat."""


@dataclass(frozen=True, eq=False)
class Pattern:
    """Rates of each role on each beat of a bar, and the styles of filling a beat."""

    on: Mapping[str, tuple[float, ...]]
    """Role (except `time`) -> its strokes on each beat of the bar."""
    styles: tuple[BeatStyle, ...]
    """Each beat independently follows one of these styles."""
    shortest: float
    usual: float
    longest: float
    """Maximum length of a beat in seconds."""
    sixteenths: Mapping[str, tuple[tuple[float, float, float], ...]] | None = None
    """Role -> strokes at 1/4, 1/2 and 3/4 of each beat, if they differ between beats."""

    @property
    def beats(self) -> int:
        """Beats in a bar."""
        return len(self.on["kick"])

    def rates(self, style: BeatStyle) -> np.ndarray:
        """Strokes per beat in one style, float64 [roles, beats, 12]."""
        table = np.zeros((len(ROLES), self.beats, TICKS))
        for row, name in enumerate(ROLES):
            table[row, :, 0] = style.kept if name == "time" else self.on[name]
            for tick, rate in style.between.get(name, {}).items():
                table[row, :, tick] = rate
        return table

    def mean_rates(self) -> np.ndarray:
        """Strokes per beat on average, float64 [roles, beats, 12]."""
        table = sum((style.share * self.rates(style) for style in self.styles), np.zeros(()))
        for name, rates in (self.sixteenths or {}).items():
            table[ROLES.index(name), :, 3::3] = rates
        return np.asarray(table)


_RARE = {3: 0.03, 4: 0.02, 6: 0.05, 8: 0.03, 9: 0.04}
_STRAIGHT = (
    BeatStyle(
        0.37,
        0.9,
        {  # eighths
            "kick": {3: 0.02, 6: 0.24, 9: 0.08},
            "snare": {3: 0.03, 6: 0.05, 9: 0.05},
            "ghost": {3: 0.06, 6: 0.03, 9: 0.07},
            "time": {3: 0.04, 6: 0.85, 9: 0.04},
            "pedal": {6: 0.05},
            "tom": {6: 0.03},
            "crash": {6: 0.006},
        },
    ),
    BeatStyle(
        0.25,
        0.9,
        {  # sixteenths
            "kick": {3: 0.10, 6: 0.2, 9: 0.18},
            "snare": {3: 0.06, 6: 0.05, 9: 0.07},
            "ghost": {3: 0.15, 6: 0.10, 9: 0.15},
            "time": {3: 0.65, 6: 0.80, 9: 0.65},
            "pedal": {6: 0.05},
            "tom": {6: 0.02},
            "crash": {6: 0.006},
        },
    ),
    BeatStyle(
        0.13,
        0.9,
        {  # triplets, swing, shuffle
            "kick": {4: 0.04, 8: 0.25},
            "snare": {4: 0.04, 8: 0.08},
            "ghost": {4: 0.15, 8: 0.12},
            "time": {4: 0.25, 8: 0.80},
            "pedal": {8: 0.02},
            "tom": {4: 0.03, 8: 0.03},
            "crash": {8: 0.004},
        },
    ),
    BeatStyle(
        0.2,
        0.15,
        {  # no timekeeping
            "kick": _RARE,
            "snare": _RARE,
            "ghost": _RARE,
            "time": {6: 0.05},
            "tom": {6: 0.03},
        },
    ),
    BeatStyle(
        0.05,
        0.2,
        {  # a fill
            "kick": {3: 0.05, 6: 0.1, 9: 0.05},
            "ghost": {3: 0.1, 6: 0.1, 9: 0.1},
            "time": {6: 0.1},
            "pedal": {6: 0.05},
            "snare": {2: 0.03, 3: 0.25, 4: 0.05, 6: 0.3, 8: 0.05, 9: 0.25, 10: 0.03},
            "tom": {2: 0.03, 3: 0.25, 4: 0.05, 6: 0.3, 8: 0.05, 9: 0.25, 10: 0.03},
        },
    ),
)
_TERNARY = (
    BeatStyle(
        0.45,
        0.9,
        {
            "kick": {4: 0.10, 8: 0.25},
            "snare": {4: 0.05, 8: 0.08},
            "ghost": {4: 0.1, 8: 0.12},
            "time": {2: 0.05, 4: 0.85, 6: 0.03, 8: 0.85, 10: 0.05},
            "pedal": {4: 0.05, 8: 0.03},
            "tom": {4: 0.05, 8: 0.05},
            "crash": {4: 0.004, 8: 0.004},
        },
    ),
    BeatStyle(
        0.15,
        0.9,
        {
            "kick": {2: 0.08, 4: 0.15, 6: 0.05, 8: 0.2, 10: 0.15},
            "snare": {4: 0.05, 6: 0.05, 8: 0.08, 10: 0.05},
            "ghost": {2: 0.1, 4: 0.1, 6: 0.1, 8: 0.12, 10: 0.1},
            "pedal": {4: 0.05, 8: 0.03},
            "time": {2: 0.6, 4: 0.85, 6: 0.6, 8: 0.85, 10: 0.6},
            "tom": {4: 0.03, 8: 0.03},
        },
    ),
    BeatStyle(
        0.15,
        0.5,
        {
            "kick": {2: 0.05, 4: 0.1, 6: 0.05, 8: 0.1, 10: 0.05},
            "ghost": {2: 0.1, 4: 0.1, 6: 0.1, 8: 0.1, 10: 0.1},
            "snare": {2: 0.2, 4: 0.3, 6: 0.2, 8: 0.3, 10: 0.2},
            "tom": {2: 0.2, 4: 0.3, 6: 0.2, 8: 0.3, 10: 0.2},
            "time": {2: 0.3, 4: 0.5, 6: 0.3, 8: 0.5, 10: 0.3},
        },
    ),
    BeatStyle(
        0.25,
        0.15,
        {
            "kick": {4: 0.05, 8: 0.1},
            "snare": {4: 0.05, 8: 0.1},
            "ghost": {4: 0.05, 8: 0.1},
            "time": {4: 0.05, 8: 0.1},
            "tom": {4: 0.03, 8: 0.03},
        },
    ),
)


def _pattern(
    kick: tuple[float, ...],
    snare: tuple[float, ...],
    crash: tuple[float, ...],
    styles: tuple[BeatStyle, ...] = _STRAIGHT,
    lasting: tuple[float, float, float] = (0.25, 0.52, 1.3),
) -> Pattern:
    n = len(kick)
    on = {
        "kick": kick,
        "snare": snare,
        "crash": crash,
        "ghost": (0.08,) * n,
        "pedal": (0.15,) * n,
        "tom": (0.09,) * n,
    }
    return Pattern(on, styles, *lasting)


_SLOW = (0.4, 0.75, 1.9)
_FAST = (0.12, 0.26, 0.5)
_BACKBEAT = ((0.77, 0.26, 0.47, 0.28), (0.13, 0.58, 0.17, 0.59), (0.10, 0.02, 0.02, 0.01))
_FOUR = _pattern(*_BACKBEAT)
FOUR = Pattern(
    _FOUR.on,
    _STRAIGHT,
    0.25,
    0.52,
    1.3,
    {
        "kick": ((0.04, 0.18, 0.26), (0.08, 0.23, 0.16), (0.11, 0.27, 0.17), (0.09, 0.20, 0.12)),
        "snare": ((0.08, 0.15, 0.14), (0.10, 0.17, 0.18), (0.18, 0.16, 0.18), (0.15, 0.22, 0.17)),
        "tom": ((0.03, 0.06, 0.04), (0.04, 0.07, 0.06), (0.05, 0.09, 0.06), (0.07, 0.14, 0.09)),
    },
)
"""The default bar, 4/4."""
_TERNARY_SHARE = 0.25
BEAT = _pattern(
    (0.45,),
    (0.37,),
    (0.04,),
    (*_STRAIGHT, *(replace(style, share=style.share * _TERNARY_SHARE) for style in _TERNARY)),
)
"""A generic beat of any bar, for finding beats."""
TERNARY = _pattern((0.66, 0.22), (0.06, 0.50), (0.10, 0.01), _TERNARY, _SLOW)
"""The same for beats of three eighths (6/8)."""

PATTERNS: Mapping[tuple[int, int], Pattern] = {
    (2, 4): _pattern((0.65, 0.26), (0.12, 0.55), (0.06, 0.02)),
    (3, 4): _pattern((0.70, 0.22, 0.22), (0.08, 0.30, 0.35), (0.10, 0.01, 0.01)),
    (4, 4): FOUR,
    (5, 4): _pattern(
        (0.70, 0.25, 0.30, 0.40, 0.25), (0.08, 0.30, 0.25, 0.20, 0.40), (0.10, 0.01, 0.01, 0.02, 0.01)
    ),
    (6, 4): _pattern(
        (0.70, 0.2, 0.25, 0.40, 0.2, 0.25),
        (0.08, 0.30, 0.2, 0.20, 0.3, 0.3),
        (0.10, 0.01, 0.01, 0.02, 0.01, 0.01),
    ),
    (7, 4): _pattern(
        (0.70, 0.2, 0.3, 0.2, 0.40, 0.2, 0.2),
        (0.08, 0.30, 0.2, 0.30, 0.2, 0.3, 0.3),
        (0.10, 0.01, 0.01, 0.01, 0.02, 0.01, 0.01),
    ),
    (3, 8): _pattern((0.70, 0.2, 0.2), (0.08, 0.3, 0.3), (0.10, 0.01, 0.01), _STRAIGHT, _FAST),
    (5, 8): _pattern(
        (0.70, 0.2, 0.2, 0.4, 0.2),
        (0.08, 0.2, 0.3, 0.3, 0.3),
        (0.10, 0.01, 0.01, 0.02, 0.01),
        _STRAIGHT,
        _FAST,
    ),
    (7, 8): _pattern(
        (0.70, 0.2, 0.3, 0.2, 0.40, 0.2, 0.2),
        (0.08, 0.30, 0.2, 0.30, 0.2, 0.3, 0.3),
        (0.10, 0.01, 0.01, 0.01, 0.02, 0.01, 0.01),
        _STRAIGHT,
        _FAST,
    ),
    (6, 8): TERNARY,
    (9, 8): _pattern((0.66, 0.22, 0.22), (0.06, 0.35, 0.40), (0.10, 0.01, 0.01), _TERNARY, _SLOW),
    (12, 8): _pattern(*_BACKBEAT, _TERNARY, _SLOW),
}
"""The supported meters."""
