"""Find the form of a drum part by repetition: sections (A, B, ...), fills and repeated bars.

Bars are vectors of strokes on a fine grid. Similar bars are grouped around prototypes (leader clustering),
and dynamic programming finds the most likely sequence of prototypes with a cost per change, the usual
combination of repetition and homogeneity (Paulus, Müller, Klapuri: State of the Art Report: Audio-Based Music
Structure Analysis, ISMIR 2010). Only drums are used: verse and chorus with the same groove are one section.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from mt3drum.rhythm.quantise import Score
from tokenizer.drums import DRUMS

STEPS = 12
"""Steps per beat of a bar's vector: exact for thirds and quarters; finer positions are rounded."""
VOICES = ("kick", "snare", "hihat", "tom", "crash", "ride", "aux")
"""Voices of a bar's vector; cross-stick and rim count as snare."""
SOFT = 0.4
"""Minimum weight of a stroke; a stroke half as loud as usual on its drum weighs one half."""
ALIKE = 0.34
"""Maximum distance 0..1 between two bars of one groove."""
CHANGE = 1.2
"""Cost of a section change, in fully mismatched bars: a section shorter than about three bars must differ
completely."""
MARKED = 0.5
"""Discount if a crash opens the bar."""
MOST = 12
"""Maximum number of distinct grooves; the most frequent ones are kept."""
FILL = 0.5
"""Minimum distance 0..1 between the second half of a bar and its section's groove for a fill."""
PHRASE = 8
"""Minimum number of bars of a section before a fill and a crash can split it."""


@dataclass(frozen=True)
class Section:
    """Consecutive bars of one groove."""

    label: str
    """A, B, ... by first appearance, shared by all sections with the groove; "" if no drum plays."""
    number: int
    """1 for the first section of its label, 2 for the second, ..."""
    first: int
    """Its first bar, counted as in `Score`: 0 is the bar in which the grid begins."""
    end: int
    """The bar after its last one."""

    @property
    def name(self) -> str:
        """A, B, A2, ..."""
        return self.label if self.number == 1 else f"{self.label}{self.number}"


@dataclass(frozen=True)
class Form:
    """The form of a drum part."""

    sections: tuple[Section, ...]
    """In order and without gaps, from `Score.first_bar` to `Score.bars`."""
    fills: frozenset[int]
    """Bars that contain a fill at the end or throughout, counted as in `Score`."""


def find_form(score: Score) -> Form:
    """Find the sections and fills of a score; none if it has no notes."""
    if not score.notes:
        return Form((), frozenset())
    bars = _vectors(score)
    prototypes = _prototypes(bars)
    opened = bars[:, VOICES.index("crash"), 0] > 0
    groove = _grooves(bars, prototypes, opened)
    fills = _fills(bars, prototypes[groove])
    starts = _starts(groove, fills, opened)
    first = score.first_bar
    labels: dict[int, str] = {}
    numbers: dict[str, int] = {}
    sections = []
    for start, end in zip(starts, [*starts[1:], len(groove)], strict=True):
        silent = not bars[start:end].any()
        label = "" if silent else labels.setdefault(int(groove[start]), _letter(len(labels)))
        numbers[label] = numbers.get(label, 0) + 1
        sections.append(Section(label, numbers[label], first + start, first + end))
    return Form(tuple(sections), frozenset(int(first + bar) for bar in np.flatnonzero(fills)))


def similes(bars: Sequence[Hashable]) -> list[int]:
    """For each bar, how many bars back it repeats: 1 the previous bar, 2 the two previous bars (both bars of
    the pair have 2), 0 none. Two-bar repeats are used only if the two bars differ.

    Args:
        bars: the printed content of each bar, comparable in any way; falsy for empty bars (no repeats).
    """
    back = [0] * len(bars)
    for bar in range(1, len(bars)):
        if bars[bar] and bars[bar] == bars[bar - 1]:
            back[bar] = 1
    bar = 2
    while bar + 1 < len(bars):
        pair = bars[bar], bars[bar + 1]
        if all(pair) and pair == (bars[bar - 2], bars[bar - 1]) and not any(back[bar : bar + 2]):
            back[bar] = back[bar + 1] = 2
            bar += 2
        else:
            bar += 1
    return back


def _letter(number: int) -> str:
    """A, ..., Z; there are at most `MOST`."""
    return chr(ord("A") + number)


def _vectors(score: Score) -> np.ndarray:
    """Stroke weights [bars, voices, steps] from the first bar on, relative to the usual stroke of each drum.

    A crash on the first beat of a bar counts only as the bar's opening and has a step of its own, the first;
    strokes start at the second step.
    """
    meter = score.grid.meter
    steps = meter.beats * STEPS
    notes = [note for note in score.notes if not note.grace]
    velocities: dict[int, list[int]] = {}
    for note in notes:
        velocities.setdefault(note.hit.drum, []).append(note.hit.velocity)
    usual = {drum: float(np.median(values)) for drum, values in velocities.items()}
    vectors = np.zeros((score.bars - score.first_bar, len(VOICES), 1 + steps), np.float32)
    for note in notes:
        family = DRUMS[note.hit.drum].family
        voice = VOICES.index("snare" if family == "rim" else family)
        step = math.floor(note.position / meter.beat_quarters * STEPS + 0.5)
        bar, step = divmod(step, steps)
        opening = family == "crash" and step == 0
        weight = float(np.clip(note.hit.velocity / usual[note.hit.drum], SOFT, 1.0))
        row = vectors[min(bar - score.first_bar, len(vectors) - 1), voice]
        row[0 if opening else 1 + step] = max(row[0 if opening else 1 + step], weight)
    return vectors


def _distances(bars: np.ndarray, prototype: np.ndarray) -> np.ndarray:
    """Distance 0 (identical) to 1 (nothing in common) of each bar [bars, voices, steps] from one [voices,
    steps]: one minus the Dice coefficient of each voice, weighted by the square root of its strokes, so that
    a busy timekeeper does not outweigh kick and snare."""
    common = 2 * np.minimum(bars, prototype)[..., 1:].sum(-1)
    total = bars[..., 1:].sum(-1) + prototype[..., 1:].sum(-1)
    weight = np.sqrt(total)
    differing = (weight * (1 - common / np.maximum(total, 1e-9))).sum(-1)
    return differing / np.maximum(weight.sum(-1), 1e-9)


def _prototypes(bars: np.ndarray) -> np.ndarray:
    """Mean bars of the grooves [at most `MOST`, voices, steps], each from at least two bars if possible;
    silence is a groove, too."""
    means: list[np.ndarray] = []
    counts: list[int] = []
    for bar in bars:
        distances = _distances(np.stack(means), bar) if means else np.ones(1)
        nearest = int(distances.argmin())
        if means and distances[nearest] <= ALIKE:
            counts[nearest] += 1
            means[nearest] = means[nearest] + (bar - means[nearest]) / counts[nearest]
        elif len(means) < 8 * MOST:
            means.append(bar.copy())
            counts.append(1)
    order = sorted(range(len(means)), key=lambda i: -counts[i])
    repeated = [i for i in order if counts[i] > 1] or order[:1]
    return np.stack([means[i] for i in sorted(repeated[:MOST])])


def _grooves(bars: np.ndarray, prototypes: np.ndarray, opened: np.ndarray) -> np.ndarray:
    """The prototype of each bar [bars]: the cheapest sequence (Viterbi)."""
    costs = np.stack([_distances(bars, prototype) for prototype in prototypes], 1)
    best = costs[0]
    came: list[np.ndarray] = []
    for bar in range(1, len(bars)):
        changed = int(best.argmin())
        change = best[changed] + CHANGE - (MARKED if opened[bar] else 0.0)
        came.append(np.where(best <= change, np.arange(len(best)), changed))
        best = np.minimum(best, change) + costs[bar]
    path = [int(best.argmin())]
    for before in reversed(came):
        path.append(int(before[path[-1]]))
    return np.array(path[::-1])


def _fills(bars: np.ndarray, grooves: np.ndarray) -> np.ndarray:
    """Whether each bar ends in a fill: its second half differs from the groove and has at least two snare or
    tom strokes that the groove lacks."""
    half = 1 + (bars.shape[-1] - 1) // 2
    fills = np.zeros(len(bars), bool)
    drums = [VOICES.index("snare"), VOICES.index("tom")]
    for number, (bar, groove) in enumerate(zip(bars, grooves, strict=True)):
        late, usual = bar.copy(), groove.copy()
        late[:, :half], usual[:, :half] = 0, 0
        more = np.maximum(late - usual, 0)[drums].sum()
        fills[number] = more >= 2 and _distances(late[None], usual)[0] >= FILL
    return fills


def _starts(groove: np.ndarray, fills: np.ndarray, opened: np.ndarray) -> list[int]:
    """First bars of the sections, 0-based."""
    starts = [0]
    for bar in range(1, len(groove)):
        phrase = fills[bar - 1] and opened[bar] and bar - starts[-1] >= PHRASE
        if groove[bar] != groove[bar - 1] or phrase:
            starts.append(bar)
    return starts
