"""Programmed drums of electronic music, 90 to 200 beats per minute: exact timing, sections, builds and drops.

Written in the notation of `written` with sixteen steps per bar of 4/4; `r` is a roll of two to six strokes
within one step, as on trap hi-hats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data.grooves.bars import VELOCITY
from data.grooves.performance import Performance
from data.grooves.table import read_table
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit

STEPS = 16
"""Steps per bar."""


@dataclass(frozen=True)
class ClubConfig:
    """Distribution of programmed drums."""

    jitter: float = 0.0008
    """Standard deviation of the timing in seconds: a sequencer's, not a drummer's."""
    left_out: float = 0.18
    """Probability that a part other than the kick rests for a section."""
    breakdown: float = 0.15
    """Probability of a section without kick."""
    build: float = 0.3
    """Probability that a section ends in a roll that builds up to the next."""
    crash: float = 0.5
    """Probability of a cymbal at the start of a section."""
    fill: float = 0.2
    """Probability that the last beat of a section is broken up."""
    flat: float = 0.5
    """Probability that all strokes of a part are equally loud, as on machines without accents."""
    spread: float = 4.0
    """Standard deviation of the other velocities."""
    sections: tuple[int, ...] = (1, 2, 4, 4, 8)
    """Bars per section, sampled uniformly."""
    missing: float = 0.45
    """Probability that a clip lacks a part that is not in KEPT."""
    loud: tuple[float, float] = (0.7, 1.05)
    """Velocity of a part other than the kick relative to its marks."""
    builds: tuple[int, ...] = (8, 16, 32)
    """Steps of a build, sampled uniformly."""
    broken: float = 0.4
    """Share of strokes omitted in a broken-up beat."""
    broken_struck: float = 0.6
    """Share of its steps that are played instead."""
    broken_loud: tuple[float, float] = (70.0, 115.0)
    """Velocity of those strokes."""
    crash_loud: tuple[float, float] = (80.0, 120.0)
    """Velocity of the cymbal."""
    rolls: tuple[int, ...] = (2, 2, 3, 4, 6)
    """Strokes per roll, sampled uniformly."""


@dataclass(frozen=True)
class ClubStyle:
    """The parts of a bar: role -> alternatives, one of which is drawn per clip."""

    name: str
    bpm: tuple[float, float]
    parts: Mapping[str, tuple[str, ...]]
    swing: tuple[float, float] = (0.5, 0.5)
    """Share of a pair of steps taken by the first one."""
    weight: float = 1.0
    """Probability weight of the style."""


ROLES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "kick": (("kick",),),
    "back": (("snare_head",), ("aux1",), ("snare_head", "aux1")),
    "clap": (("aux1",),),
    "ghost": (("snare_head",), ("snare_cross_stick",), ("snare_rim",)),
    "hat": (("hihat_closed",), ("hihat_closed",), ("hihat_closed_edge",), ("aux1",)),
    "open": (("hihat_open",), ("hihat_open",), ("hihat_open_edge",)),
    "ride": (("ride",), ("ride",), ("crash1",), ("ride_bell",)),
    "perc": (
        ("snare_cross_stick",),
        ("aux2",),
        ("tom1_head",),
        ("tom2_head",),
        ("tom3_head",),
        ("ride_bell",),
    ),
    "tom": (("floor_tom_head",), ("tom3_head",), ("tom2_head",)),
}
"""Role -> classes it may be played on; several classes are layered, such as claps over snares."""

TABLE = """
house: 4 beats, 115-132 bpm, swing 0.5-0.6, weight 2
  kick  X...X...X...X... X...X...X...X... X...X...X...X..o X...X...X..xX...
  back  ....X.......X... ....X.......X..g
  open  ..X...X...X...X. ..x...x...x...x.
  hat   x.o.x.o.x.o.x.o. xoxoxoxoxoxoxoxo ..x...x...x...x. x.xxx.xxx.xxx.xx
  perc  ...x..x....x..x. ..x..x....x..x.. ......x.......x.
  ride  x.x.x.x.x.x.x.x.
techno: 4 beats, 122-150 bpm, swing 0.5-0.5, weight 2
  kick  X...X...X...X... X...X...X...X... X...X...X...X... X...X...X...X.x.
  clap  ....X.......X... ............X...
  open  ..X...X...X...X.
  hat   xxxxxxxxxxxxxxxx xoxoxoxoxoxoxoxo ..x...x...x...x.
  perc  x..x..x..x..x..x ...x...x.x.....x ..x.x..x..x.x...
  ride  ..x...x...x...x. x.x.x.x.x.x.x.x.
  tom   ...o..o....o..oo ..o..o..o..o..o.
trap: 4 beats, 120-170 bpm, swing 0.5-0.5, weight 2
  kick  X.....X...X..... X..X......X..X.. X.........X..... X......X..X.....
  back  ........X....... ........X......g
  hat   x.x.x.x.x.x.x.r. x.x.r.x.x.x.xrx. xxx.xxx.xxxrxxx. x.x.x.r.x.x.r.rr rrx.x.x.xxr.x.x.
  open  ..............x. ......x.........
  perc  ...x..x.....x... ..........x..x..
drum and bass: 4 beats, 165-180 bpm, swing 0.5-0.5, weight 1.5
  kick  X.........X..... X..x......X..... X.x.......Xx....
  back  ....X.......X... ....X..g.g..X...
  ghost ......g..g.....g .......o.o.....o
  hat   x.x.x.x.x.x.x.x. xoxoxoxoxoxoxoxo x.xxx.x.x.xxx.x.
  ride  x.x.x.x.x.x.x.x.
  open  ..x.......x..... ..............x.
garage: 4 beats, 126-140 bpm, swing 0.54-0.66, weight 1
  kick  X.........X..... X.....x...X..x.. X..X......X.....
  back  ....X.......X...
  hat   ..x...x.x.x...x. x.x.x.xxx.x.x.xx ..xx..x...xx..x.
  open  ..X...X...X...X.
  ghost .......g.g.....g ......g...g..g..
  perc  ...x.....x....x. .x....x..x......
hardstyle: 4 beats, 145-200 bpm, swing 0.5-0.5, weight 1.2
  kick  X...X...X...X... X...X...X...X... X.X.X.X.X.X.X.X. X...X...X...X.x.
  clap  ....X.......X... X...X...X...X...
  open  ..X...X...X...X.
  hat   ..x...x...x...x. xxxxxxxxxxxxxxxx
  ride  ..x...x...x...x. x.x.x.x.x.x.x.x.
  back  ....X.......X...
electro: 4 beats, 108-135 bpm, swing 0.5-0.5, weight 1
  kick  X.....X...X..... X..X..X...X..X.. X.....X....x.x..
  back  ....X.......X...
  hat   xxxxxxxxxxxxxxxx x.x.x.x.x.x.x.x. xoxoxoxoxoxoxoxo
  open  ..............X.
  perc  x.....x...x..... ..x..x..x..x..x.
  tom   ..........o.oo..
breaks: 4 beats, 90-145 bpm, swing 0.5-0.6, weight 1
  kick  X.........X..... X.x.......X..x.. X.....x...X.....
  back  ....X.......X... ....X..g.g..X..x
  ghost .......g.g.....g ..g..g....g..g..
  hat   x.x.x.x.x.x.x.x. xoxoxoxoxoxoxoxo
  open  ..............x. ......x.........
"""

STYLES: tuple[ClubStyle, ...] = tuple(
    ClubStyle(one.name, one.bpm, dict(one.parts), one.swing, one.weight) for one in read_table(TABLE)
)
_SHARES = np.array([style.weight for style in STYLES]) / sum(style.weight for style in STYLES)
KEPT = ("kick", "back", "clap", "hat")
"""Parts that every clip has if its style contains them; of the others some are drawn."""

Stroke = tuple[float, str, float]  # step of the clip, class, velocity


def program(rng: np.random.Generator, seconds: float, config: ClubConfig | None = None) -> Performance:
    """Programmed drums of `seconds`; bars begin anywhere. The same generator state gives the same take.

    Raises:
        ValueError: the length is not positive.
    """
    if not seconds > 0:
        raise ValueError(f"program: length {seconds} s is not positive")
    config = config or ClubConfig()
    style = STYLES[int(rng.choice(len(STYLES), p=_SHARES))]
    bpm = float(rng.uniform(*style.bpm))
    lines = _lines(style, rng, config)
    step = 15.0 / bpm
    strokes: list[Stroke] = []
    first, place = -float(rng.uniform(0, STEPS)), 0
    while first + place < seconds / step:
        bars = int(rng.choice(config.sections))
        strokes += _section(lines, bars, first + place, rng, config)
        place += bars * STEPS
    hits = _in_time(strokes, first, step, float(rng.uniform(*style.swing)), seconds, rng, config)
    name = f"{style.name.replace(' ', '-')}-{int(rng.integers(1 << 48)):012x}"
    return Performance(name, "train", "generated", "CC0-1.0", bpm, hits, electronic=True)


@dataclass(frozen=True)
class _Line:
    role: str
    drums: tuple[str, ...]
    steps: str
    loud: float
    """Velocity relative to that of the mark."""
    flat: bool


def _lines(style: ClubStyle, rng: np.random.Generator, config: ClubConfig) -> list[_Line]:
    """The parts of a clip, each with its drum and pattern."""
    found = []
    for role, alternatives in style.parts.items():
        if role not in KEPT and rng.random() < config.missing:
            continue
        drums = ROLES[role][int(rng.integers(len(ROLES[role])))]
        steps = alternatives[int(rng.integers(len(alternatives)))]
        loud = 1.0 if role == "kick" else float(rng.uniform(*config.loud))
        found.append(_Line(role, drums, steps, loud, bool(rng.random() < config.flat)))
    return found


def _section(
    lines: list[_Line], bars: int, start: float, rng: np.random.Generator, config: ClubConfig
) -> list[Stroke]:
    """A few bars with one set of parts, optionally with a cymbal at the start and a build at the end."""
    silent = {line.role for line in lines if line.role != "kick" and rng.random() < config.left_out}
    if rng.random() < config.breakdown:
        silent.add("kick")
    length = bars * STEPS
    build = min(length, int(rng.choice(config.builds))) if rng.random() < config.build else 0
    broken = 4 if rng.random() < config.fill else 0
    strokes: list[Stroke] = []
    for line in lines:
        if line.role in silent:
            continue
        for place in range(length):
            mark = line.steps[place % STEPS]
            if mark == "." or (build and line.role == "kick" and place >= length - min(build, 8)):
                continue
            if broken and place >= length - broken and rng.random() < config.broken:
                continue
            strokes += _mark(start + place, mark, line, rng, config)
    if broken:
        drum = str(rng.choice(("snare_head", "kick", "tom1_head", "floor_tom_head", "aux1")))
        strokes += [
            (start + length - broken + place, drum, float(rng.uniform(*config.broken_loud)))
            for place in range(broken)
            if rng.random() < config.broken_struck
        ]
    if build:
        strokes += _build(start + length - build, build, rng)
    if rng.random() < config.crash:
        strokes.append(
            (
                start,
                str(rng.choice(("crash1", "crash2", "crash1_edge"))),
                float(rng.uniform(*config.crash_loud)),
            )
        )
    return strokes


def _mark(place: float, mark: str, line: _Line, rng: np.random.Generator, config: ClubConfig) -> list[Stroke]:
    loud = VELOCITY["x" if mark == "r" else mark] * line.loud
    if line.flat:
        loud = 100.0 * line.loud
    else:
        loud += float(rng.normal(0, config.spread))
    if mark != "r":
        return [(place, drum, loud) for drum in line.drums]
    count = int(rng.choice(config.rolls))
    slope = float(rng.choice((-0.5, 0.0, 0.5)))
    return [
        (place + number / count, drum, loud * (1 + slope * (number / count - 0.5)))
        for number in range(count)
        for drum in line.drums
    ]


def _build(start: float, steps: int, rng: np.random.Generator) -> list[Stroke]:
    """Quarters that become eighths, sixteenths and thirty-seconds with rising velocity."""
    drum = str(rng.choice(("snare_head", "snare_head", "aux1", "tom1_head", "kick")))
    place, strokes = 0.0, []
    while place < steps:
        way = place / steps
        strokes.append((start + place, drum, 60 + 60 * way))
        place += 4.0 if way < 0.25 else 2.0 if way < 0.5 else 1.0 if way < 0.8 else 0.5
    return strokes


def _in_time(
    strokes: list[Stroke],
    first: float,
    step: float,
    swing: float,
    seconds: float,
    rng: np.random.Generator,
    config: ClubConfig,
) -> tuple[Hit, ...]:
    """Convert steps to seconds, with swing in pairs counted from the first bar line."""
    hits = []
    for place, drum, loud in strokes:
        pair, within = divmod(place - first, 2.0)
        part = within / 2
        warped = part * 2 * swing if part < 0.5 else swing + (part - 0.5) * 2 * (1 - swing)
        time = (first + 2 * pair + 2 * warped) * step + float(rng.normal(0, config.jitter))
        if 0 <= time < seconds:
            hits.append(Hit(time, CLASS_INDEX[drum], int(np.clip(round(loud), 8, 127))))
    return tuple(sorted(hits))
