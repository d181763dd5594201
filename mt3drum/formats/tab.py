"""Drum tab: text with one line per drum and one character per step. A key follows the tab."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mt3drum.formats.marks import GHOSTED, mark, marker
from mt3drum.formats.staff import SIGNS
from mt3drum.rhythm.quantise import Note, Score

WIDTH = 84
"""Characters per line, if the bars fit."""
MOST_STEPS = 24
"""Maximum characters per beat, even if quintuplets and triplets meet in one bar."""
ROLL = "z"
# From top to bottom: cymbals, hands, feet.
_ORDER = (
    "E2",
    "C2",
    "E1",
    "C1",
    "RE",
    "RB",
    "RD",
    "HE",
    "HH",
    "A1",
    "A2",
    "R1",
    "T1",
    "R2",
    "T2",
    "R3",
    "T3",
    "CS",
    "RS",
    "SD",
    "RF",
    "FT",
    "BD",
    "HP",
)
_KINDS = ("", "accent", "ghost")


def to_tab(score: Score, title: str) -> str:
    """Write the score as text.

    A bar has as many characters as its finest stroke needs, at least four per quarter note; the counts above
    it (1, 2, ...) mark the beats. Silence before the first bar with a stroke is omitted.
    """
    limits = marker(note.hit for note in score.notes)
    per_bar: list[list[Note]] = [[] for _ in range(score.first_bar, score.bars)]
    for note in score.notes:
        number = math.floor(note.position / score.grid.meter.bar_quarters)
        per_bar[number - score.first_bar].append(note)
    blocks = [_bar(notes, number, score, limits) for number, notes in enumerate(per_bar, score.first_bar)]
    text = [_heading(score, title), ""]
    at = 0
    while at < len(blocks):
        row = [blocks[at]]
        while at + len(row) < len(blocks) and _width(row) + _width([blocks[at + len(row)]]) < WIDTH:
            row.append(blocks[at + len(row)])
        at += len(row)
        text += [*_row(row), ""]
    used = {note.hit.drum for note in score.notes}
    rolls = [f"{ROLL} roll"] if any(note.roll for note in score.notes) else []
    return "\n".join([*text, *_legend(used), *rolls]) + "\n"


def _heading(score: Score, title: str) -> str:
    swing = f", {score.swing_unit}ths swing {score.swing:.0%}" if score.swing_unit else ""
    name = "".join(c if c.isprintable() else "?" for c in title)
    return f"{name}: {score.grid.meter}, {score.grid.bpm:.0f} beats a minute{swing}"


Block = dict[str, str]
"""Line name ("" for the counts) to the characters of one bar."""


def _bar(notes: Sequence[Note], number: int, score: Score, limits: dict[int, tuple[float, float]]) -> Block:
    meter = score.grid.meter
    start = number * meter.bar_quarters
    division = 6 if meter.compound else max(1, int(4 * meter.beat_quarters))
    for note in notes:
        division = math.lcm(division, ((note.position - start) / meter.beat_quarters).denominator)
    division = min(division, MOST_STEPS)
    steps = division * meter.beats
    counts = [" "] * steps
    for beat in range(meter.beats):
        counts[beat * division] = str(beat + 1)
    block: dict[str, list[str]] = {}
    flams = {(note.position, note.hit.drum) for note in notes if note.grace}
    for note in notes:
        if note.grace:
            continue
        sign = SIGNS[note.hit.drum]
        kind = _KINDS.index(mark(note.hit, limits)) + 3 * ((note.position, note.hit.drum) in flams)
        step = min(round((note.position - start) / meter.beat_quarters * division), steps - 1)
        line = block.setdefault(sign.line, ["-"] * steps)
        if line[step] != "-":  # a closed and an open stroke of one hi-hat at once: the open one is louder
            line[step] = min(line[step], sign.strokes[kind], key=lambda c: "oOucCb".find(c) < 0)
            continue
        line[step] = sign.strokes[kind]
        if note.roll and note.until is not None:
            end = math.ceil((note.until - start) / meter.beat_quarters * division)
            line[step : max(step + 1, min(end, steps))] = ROLL * (max(step + 1, min(end, steps)) - step)
    return {"": "".join(counts), **{name: "".join(line) for name, line in block.items()}}


def _width(row: Sequence[Block]) -> int:
    return 3 + sum(len(block[""]) + 1 for block in row)


def _row(row: Sequence[Block]) -> list[str]:
    lines = ["   " + " ".join(block[""] for block in row).rstrip()]
    names = [name for name in _ORDER if any(name in block for block in row)] or ["BD"]
    for name in names:
        cells = [block.get(name, "-" * len(block[""])) for block in row]
        lines.append(f"{name}|" + "|".join(cells) + "|")
    return lines


def _legend(drums: set[int]) -> list[str]:
    lines = []
    for drum in sorted(drums, key=lambda d: _ORDER.index(SIGNS[d].line)):
        plain, accent, ghost = (SIGNS[drum].strokes[i] for i in range(3))
        soft = f", {ghost} ghost" if drum in GHOSTED else ""
        lines.append(f"{SIGNS[drum].line} {plain} {SIGNS[drum].title} ({accent} accent{soft})")
    return [*lines, "Flams: f F d, on cymbals h H n, on an open hi-hat c C b (plain, accent, ghost)"]
