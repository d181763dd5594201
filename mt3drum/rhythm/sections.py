"""The form of a drum part, found by what repeats: sections (A, B, ...), fills, bars that say the same again.

Bars are vectors of strokes on a fine grid. Alike bars are grouped around prototypes (leader clustering), and
the likeliest sequence of prototypes with a price for every change is found by dynamic programming, the usual
combination of repetition and homogeneity (Paulus, Müller, Klapuri: State of the Art Report: Audio-Based Music
Structure Analysis, ISMIR 2010). Only drums are heard: a verse and a chorus with one groove are one section.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from mt3drum.rhythm.quantise import Score
from tokenizer.drums import DRUMS

STEPS = 12
"""Steps of a beat in a bar's vector: thirds and quarters are exact, finer places go to the nearest."""
VOICES = ("kick", "snare", "hihat", "tom", "crash", "ride", "aux")
"""What is compared; cross-stick and rim count as snare."""
SOFT = 0.4
"""Least weight of a stroke: one half as loud as is usual on its drum counts half."""
ALIKE = 0.34
"""Distance 0..1 up to which two bars are one groove."""
CHANGE = 1.2
"""What a change of section costs, in bars that do not fit at all: one that lasts less than about three bars
must differ fully."""
MARKED = 0.5
"""Taken off where a crash opens the bar."""
MOST = 12
"""Grooves that can be told apart, at most: the most frequent ones."""
FILL = 0.5
"""Distance 0..1 of the second half of a bar from its section's groove, from which on it can be a fill."""
PHRASE = 8
"""Bars that a section of one groove has at least before a fill and a crash divide it."""


@dataclass(frozen=True)
class Section:
    """Bars of one groove."""

    label: str
    """A, B, ... by first appearance, the same wherever the groove comes again; "" where no drum plays."""
    number: int
    """1 for the first section of its label, 2 for the second, ..."""
    first: int
    """Its first bar, counted as in `Score`: 0 is the bar in which the grid begins."""
    end: int
    """The bar after its last."""

    @property
    def name(self) -> str:
        """A, B, A2, ..."""
        return self.label if self.number == 1 else f"{self.label}{self.number}"


@dataclass(frozen=True)
class Form:
    """How a drum part is built."""

    sections: tuple[Section, ...]
    """In order and without gaps, from `Score.first_bar` to `Score.bars`."""
    fills: frozenset[int]
    """Bars that end in a fill, or are one, counted as in `Score`."""


def find_form(score: Score) -> Form:
    """Sections and fills of a score; none where it has no notes."""
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
    """How many bars back each bar says the same: 1 as the bar before, 2 as the two before (both bars of such
    a pair have 2), 0 neither. A pair is repeated where its two bars differ.

    Args:
        bars: what is printed in each bar, in any comparable form; falsy for an empty bar, which is no repeat.
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
    """A, ..., Z; there are no more than `MOST`."""
    return chr(ord("A") + number)


def _vectors(score: Score) -> np.ndarray:
    """Weights of strokes [bars, voices, steps] from the first bar on, relative to their drum's usual stroke.

    A crash on the first beat of a bar counts for nothing but the bar's opening: it has a step of its own, the
    first; strokes are from the second on.
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
    """0 (the same) to 1 (nothing in common) of each bar [bars, voices, steps] from one [voices, steps]: one
    less the Dice coefficient of each voice, weighted by the root of its strokes, so that a busy timekeeper
    does not outvote kick and snare."""
    common = 2 * np.minimum(bars, prototype)[..., 1:].sum(-1)
    total = bars[..., 1:].sum(-1) + prototype[..., 1:].sum(-1)
    weight = np.sqrt(total)
    differing = (weight * (1 - common / np.maximum(total, 1e-9))).sum(-1)
    return differing / np.maximum(weight.sum(-1), 1e-9)


def _prototypes(bars: np.ndarray) -> np.ndarray:
    """Mean bars of the grooves [at most `MOST`, voices, steps], each of two bars at least where there are
    such; silence is a groove too."""
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
    """Whether each bar ends in a fill: its second half is unlike the groove and has two strokes or more of
    snare and toms that the groove has not."""
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
