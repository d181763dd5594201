"""What the browser needs to read beats and write scores: constants and
tables of the modules that own them.

Every upper-case constant of a module goes along under its own name, so that a changed or added one reaches
the browser without an edit here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from mt3drum.files import SUFFIX
from mt3drum.formats import chart, elite, engrave, lanes, marks, musicxml, notation, roll_lanes, staff, tab
from mt3drum.rhythm import (
    bar_pointer,
    estimate,
    figures,
    grid,
    meter,
    patterns,
    quantise,
    sections,
    tempo_map,
)
from mt3drum.rhythm.grooves import grooves
from mt3drum.web import notation as engraver
from mt3drum.web.page import LABELS
from tokenizer import midi_tracks
from tokenizer.drums import DRUMS

_MODULES = (
    bar_pointer,
    chart,
    elite,
    estimate,
    figures,
    grid,
    lanes,
    marks,
    meter,
    midi_tracks,
    musicxml,
    notation,
    patterns,
    quantise,
    roll_lanes,
    sections,
    tab,
    tempo_map,
)
FORMATS = ("musicxml", "tab", "chart", "jams")
"""Formats that the browser writes, beside those that every review page does."""


def score_rules() -> dict[str, Any]:
    """Plain JSON values: `constants` of each module, and tables."""
    return {
        "constants": {module.__name__.rpartition(".")[2]: _constants(module) for module in _MODULES},
        "drums": [_drum(index) for index in range(len(DRUMS))],
        "beat": _styles(patterns.BEAT),
        "meters": {
            _text(name): {"shortest": pattern.shortest, "longest": pattern.longest}
            for name, pattern in patterns.PATTERNS.items()
        },
        "grooves": {_text(name): _grooves(*name) for name in patterns.PATTERNS},
        "formats": {name: {"suffix": SUFFIX[name], "label": LABELS[name]} for name in FORMATS},
        "engraving": {
            "bars": engraver.OPTIONS,
            "mostBars": engraver.MAX_BARS,
            "systems": engrave.SYSTEMS,
            "heads": engrave.HEADS,
        },
    }


def _constants(module: ModuleType) -> dict[str, Any]:
    found = {}
    for name, value in vars(module).items():
        if name.strip("_").isupper():
            try:
                found[name.strip("_")] = _plain(value)
            except TypeError:
                continue  # a table of objects: what the browser needs of it is given apart
    return found


def _plain(value: Any) -> Any:
    """Numbers, texts, and tuples, sets and mappings of them.

    Raises:
        TypeError: it is something else.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(_plain(item) for item in value)
    if isinstance(value, Mapping):
        return {_text(key): _plain(item) for key, item in value.items()}
    raise TypeError(f"{value!r:.40} is not a plain value")


def _text(key: Any) -> str:
    """Of a mapping; 6/8 of a meter."""
    return f"{key[0]}/{key[1]}" if isinstance(key, tuple) else str(key)


def _styles(pattern: patterns.Pattern) -> dict[str, Any]:
    """Of a pattern of one beat: `shares` of its styles, and `rates` [styles, roles, ticks]."""
    return {
        "shares": [style.share for style in pattern.styles],
        "rates": [pattern.rates(style)[:, 0].tolist() for style in pattern.styles],
    }


def _grooves(numerator: int, denominator: int) -> list[dict[str, Any]]:
    """`rates` [beats, roles, ticks]."""
    return [
        {
            "share": groove.share,
            "usual": groove.usual,
            "spread": groove.spread,
            "rates": groove.rates.round(6).tolist(),
        }
        for groove in grooves(numerator, denominator)
    ]


def _drum(index: int) -> dict[str, Any]:
    drum, sign, lane = DRUMS[index], staff.SIGNS[index], lanes.LANE_OF[index]
    return {
        "name": drum.name,
        "family": drum.family,
        "note": drum.gm_note,
        "step": sign.step,
        "octave": sign.octave,
        "head": sign.head,
        "title": sign.title,
        "line": sign.line,
        "strokes": sign.strokes,
        "lane": lane and {"lane": lane[0], "cymbal": lane[1]},
        "elite": elite.note_of(index),
    }
