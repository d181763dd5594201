"""Gems of pro drums on five lanes: red, yellow cymbal, blue, orange cymbal, green.

The conversion is the one that TheNathannator/GuitarGame_ChartFormats suggests (.chart, Drums: "4-lane Pro to
5-lane"). Roll lanes and flams are features of four lanes; their strokes stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mt3drum.formats.lanes import BLUE, GREEN, KICK, RED, YELLOW, Gem

ORANGE_5, GREEN_5 = 4, 5
"""Lanes; red, yellow and blue have the numbers of four lanes."""
_LANE = {
    (KICK, False): KICK,
    (RED, False): RED,
    (YELLOW, True): YELLOW,
    (YELLOW, False): BLUE,
    (BLUE, True): ORANGE_5,
    (BLUE, False): BLUE,
    (GREEN, True): ORANGE_5,
    (GREEN, False): GREEN_5,
}
_OTHER = {(YELLOW, False): RED, (BLUE, True): YELLOW}
"""Lanes of gems whose own is taken by another of the chord: two toms on blue, two cymbals on orange."""


def five_lane(gems: Iterable[Gem]) -> list[Gem]:
    """The same gems on five lanes, in order; one for two on the same lane."""
    chords: dict[int, list[Gem]] = {}
    for gem in gems:
        chords.setdefault(gem.tick, []).append(gem)
    placed: list[Gem] = []
    for chord in chords.values():
        lanes = [_LANE[gem.lane, gem.cymbal] for gem in chord]
        taken: dict[int, Gem] = {}
        for gem, lane in zip(chord, lanes, strict=True):
            if lanes.count(lane) > 1:
                lane = _OTHER.get((gem.lane, gem.cymbal), lane)
            taken.setdefault(lane, replace(gem, lane=lane, cymbal=False, flam=False))
        placed += taken.values()
    return sorted(placed)
