"""How well sections are found: drum parts of known form, with hits missed and invented.

    python scripts/sections_report.py

A part is verses, choruses and bridges of one style, with fills and crashes, played by people
(`data.grooves.patterns`). Boundaries within half a bar and pairwise labels are scored by mir_eval.segment
(Nieto and Bello 2014, Levy and Sandler 2008), fills of half a bar or more by bar.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import mir_eval
import numpy as np

from data.grooves.bars import make_section, pick_featured, play_bar, play_crash, play_fill
from data.grooves.config import TAKES
from data.grooves.patterns import WEIGHTS, perform
from data.grooves.written import GROOVES
from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.quantise import quantise
from mt3drum.rhythm.sections import Form, find_form
from tokenizer.drums import NUM_CLASSES
from tokenizer.hits import Hit

FORMS = (
    (("A", 8), ("B", 8), ("A", 8), ("B", 8), ("C", 8), ("B", 8)),
    (("A", 4), ("B", 12), ("C", 8), ("B", 16), ("C", 8)),
)


@dataclass(frozen=True)
class MadePart:
    """A part and its form."""

    hits: Sequence[Hit]
    bpm: float
    sections: Sequence[tuple[int, int, str]]
    """(first bar, bar after the last, label)."""
    fills: frozenset[int]

    @property
    def bars(self) -> int:
        return self.sections[-1][1]


def make_part(number: int, wrong: float) -> MadePart:
    """Part `number`: its style, grooves and form; a share `wrong` of its hits is missed, and as many are
    invented."""
    rng = np.random.default_rng(number)
    four = np.array([groove.beats == 4 for groove in GROOVES])
    style = GROOVES[rng.choice(len(GROOVES), p=WEIGHTS * four / (WEIGHTS * four).sum())]
    bpm, featured = float(rng.uniform(*style.bpm)), pick_featured(rng, 3)
    form = FORMS[int(rng.integers(len(FORMS)))]
    labels = dict.fromkeys(label for label, _ in form)
    grooves = {label: make_section(style, featured, rng, TAKES.bars) for label in labels}
    strokes, sections, fills, bar = [], [], set(), 0
    for label, length in form:
        sections.append((bar, bar + length, label))
        if rng.random() < 0.8:
            strokes += play_crash(4.0 * bar, featured, rng, TAKES.fills)
        for inside in range(length):
            ends = inside == length - 1 or (inside % 4 == 3 and rng.random() < 0.3)
            beats = float(rng.choice((1, 2, 2, 4))) if ends and rng.random() < 0.7 else 0.0
            strokes += play_bar(grooves[label], style, 4.0 * (bar + inside), beats, rng, TAKES.bars)
            if beats:
                start = 4.0 * (bar + inside) + 4 - beats
                strokes += play_fill(start, beats, featured, rng, TAKES.fills)
            if beats >= 2:
                fills.add(bar + inside)
        bar += length
    seconds = bar * 240 / bpm
    hits = perform(strokes, bpm, 0.5, style.beats / style.steps, seconds, rng, TAKES.hands)
    kept = [hit for hit in hits if rng.random() >= wrong]
    invented = [
        Hit(float(rng.uniform(0, seconds)), int(rng.integers(NUM_CLASSES)), int(rng.integers(20, 100)))
        for _ in range(round(wrong * len(hits)))
    ]
    return MadePart(sorted([*kept, *invented]), bpm, sections, frozenset(fills))


def form_of(part: MadePart) -> Form:
    """What is found, on the part's true beats."""
    beats = tuple(60 / part.bpm * beat for beat in range(4 * part.bars + 1))
    return find_form(quantise(part.hits, Grid(beats, 0, Meter(4, 4))))


def score(part: MadePart, form: Form) -> tuple[float, float, int, int, int]:
    """F of boundaries, pairwise F of labels; fills found, invented and missed."""
    true = np.array([(start, end) for start, end, _ in part.sections], float)
    found = [section for section in form.sections if section.first < part.bars]
    spans = np.array([(section.first, min(section.end, part.bars)) for section in found], float)
    labels = [section.label or "-" for section in found]
    spans, labels = mir_eval.util.adjust_intervals(spans, labels, t_min=0, t_max=float(part.bars))
    boundaries = mir_eval.segment.detection(true, spans, window=0.5, trim=True)[2]
    names = [label for *_, label in part.sections]
    pairs = mir_eval.segment.pairwise(true, names, spans, labels, frame_size=1.0)[2]
    both = len(form.fills & part.fills)
    return boundaries, pairs, both, len(form.fills) - both, len(part.fills) - both


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", type=int, default=30)
    parser.add_argument("--wrong", type=float, default=0.1, help="share of hits missed, and invented")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the scores."""
    args = parse_args(arguments)
    rows = []
    for number in range(args.parts):
        part = make_part(number, args.wrong)
        rows.append(score(part, form_of(part)))
    boundaries, pairs, *_ = np.mean(rows, axis=0)
    _, _, both, invented, missed = np.sum(rows, axis=0)
    print(f"{args.parts} parts, {args.wrong:.0%} of the hits missed and as many invented")
    print(f"boundaries F {boundaries:.2f}, pairwise F {pairs:.2f}", end="; ")
    print(f"fills precision {both / max(1, both + invented):.2f}, recall {both / max(1, both + missed):.2f}")


if __name__ == "__main__":
    main()
