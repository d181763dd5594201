"""The track PART ELITE_DRUMS of a notes.mid: eight lanes, hi-hat open and closed.

It follows the Elite Drums MIDI/Engine Specification, which YARG's charting help links, as two programs read
it: YARG.Core (EliteDrumsPedalSustainTests: hi-hat notes under a held pedal note are closed, others open; a
pedal note that begins with a hi-hat note is not a stomp) and Onyx (Onyx.MIDI.Track.Drums.Elite). Each easier
difficulty is 24 notes lower (YARG.Core, Midi_EliteDrums_Preparser), without flams, second-pedal kicks and
pedal strokes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import mido

from mt3drum.formats import lanes
from mt3drum.formats.lanes import DIFFICULTIES, DOUBLE_KICK, HANDS, LANE_OF, Charted, Gem, precedence, thin
from mt3drum.formats.marks import mark, marker
from tokenizer.drums import DRUMS
from tokenizer.hits import Hit

TRACK = "PART ELITE_DRUMS"
PEDAL, SECOND_KICK, KICK, SNARE, HIHAT, LEFT_CRASH = 72, 73, 74, 75, 76, 77
TOMS = {"tom1": 78, "tom2": 79, "tom3": 80, "floor": 80}
RIDE, RIGHT_CRASH, FLAM = 81, 82, 87
_VELOCITY = {"": 96, "accent": 127, "ghost": 1}
_SHORT = 30  # ticks
_LOWER = 24  # notes between two difficulties


def note_of(drum: int) -> int:
    """The MIDI note of a class. Tambourine, cowbell and similar use the ride's lane, as in pro drums."""
    name, family = DRUMS[drum].name, DRUMS[drum].family
    if name == "hihat_pedal":
        return PEDAL
    if family == "tom":
        return TOMS[name.split("_")[0]]
    if family == "crash":
        return LEFT_CRASH if name.startswith("crash1") else RIGHT_CRASH
    of_family = {"kick": KICK, "snare": SNARE, "rim": SNARE, "hihat": HIHAT, "ride": RIDE, "aux": RIDE}
    return of_family[family]


def elite_track(
    hits: Sequence[Hit], ticks: Sequence[int], flams: Collection[Hit], charted: Charted, resolution: int
) -> list[tuple[int, int, mido.Message]]:
    """(tick, order, message) of the track, all difficulties: below Expert, strokes that pro drums keep.

    Args:
        charted: the same hits as pro drums.
        resolution: ticks a quarter.
    """
    events = elite_events(hits, ticks, flams)
    for number, difficulty in enumerate(DIFFICULTIES[1:], 1):
        kept = _kept(hits, ticks, thin(charted, difficulty, resolution))
        for tick, order, message in elite_events([hit for hit, _ in kept], [tick for _, tick in kept], ()):
            events.append((tick, order, message.copy(note=message.note - _LOWER * number)))
    return events


def _kept(hits: Sequence[Hit], ticks: Sequence[int], gems: Sequence[Gem]) -> list[tuple[Hit, int]]:
    """The strokes of an easier chart: as many hands a chord as it has gems for them, those of its lanes
    first; kicks where it has one."""
    lanes_at: dict[int, list[int]] = {}
    for gem in gems:
        lanes_at.setdefault(gem.tick, []).append(gem.lane)
    chords: dict[int, list[Hit]] = {}
    for hit, tick in zip(hits, ticks, strict=True):
        chords.setdefault(tick, []).append(hit)
    kept = []
    for tick, chord in chords.items():
        wanted = lanes_at.get(tick, [])
        hands: dict[int, Hit] = {}
        for hit in sorted(chord, key=lambda hit: (_lane(hit) not in wanted, precedence(hit))):
            note = note_of(hit.drum)
            if note == KICK and lanes.KICK in wanted:
                kept.append((hit, tick))
                wanted.remove(lanes.KICK)
            elif note not in (KICK, PEDAL) and len(hands) < sum(lane != lanes.KICK for lane in wanted):
                hands.setdefault(note, hit)
        kept += [(hit, tick) for hit in hands.values()]
    return kept


def _lane(hit: Hit) -> int | None:
    """Of pro drums."""
    where = LANE_OF[hit.drum]
    return None if where is None else where[0]


def elite_events(
    hits: Sequence[Hit], ticks: Sequence[int], flams: Collection[Hit]
) -> list[tuple[int, int, mido.Message]]:
    """(tick, order, message) for Expert."""
    limits = marker(hits)
    chords: dict[int, dict[int, Hit]] = {}
    for hit, tick in sorted(zip(hits, ticks, strict=True), key=lambda pair: (pair[1], precedence(pair[0]))):
        chord, note = chords.setdefault(tick, {}), note_of(hit.drum)
        hands = sum(other not in (KICK, PEDAL) for other in chord)
        if note not in chord and (note in (KICK, PEDAL) or hands < HANDS):
            chord[note] = hit
    events = _pedal(chords)
    following = dict(pairwise(chords))
    last_kick, second = -1.0, False
    for tick, chord in chords.items():
        end = min(tick + _SHORT, following.get(tick, tick + _SHORT))
        hands = sum(note not in (KICK, PEDAL) for note in chord)
        for note, hit in chord.items():
            if note == PEDAL:
                continue
            if note == KICK:
                second = last_kick >= 0 and hit.time - last_kick < DOUBLE_KICK and not second
                last_kick, note = hit.time, SECOND_KICK if second else KICK
            velocity = _VELOCITY["" if note in (KICK, SECOND_KICK) else mark(hit, limits)]
            events += _note(note, tick, end, velocity)
            if hit in flams and hands == 1 and note not in (KICK, SECOND_KICK):
                events += _note(FLAM, tick, end, 96)
    return events


def _pedal(chords: dict[int, dict[int, Hit]]) -> list[tuple[int, int, mido.Message]]:
    """Pedal notes: held under closed hi-hat notes, from the first one or from the foot's own stroke."""
    events: list[tuple[int, int, mido.Message]] = []
    held: int | None = None
    last = 0
    for tick, chord in chords.items():
        hat = chord.get(HIHAT)
        opened = hat is not None and "open" in DRUMS[hat.drum].name
        if held is not None and (opened or PEDAL in chord):
            events += _note(PEDAL, held, min(last + _SHORT, tick), 96)
            held = None
        if PEDAL in chord or (hat is not None and not opened):
            held, last = (tick if held is None else held), tick
    if held is not None:
        events += _note(PEDAL, held, last + _SHORT, 96)
    return events


def _note(note: int, start: int, end: int, velocity: int) -> list[tuple[int, int, mido.Message]]:
    on = mido.Message("note_on", note=note, velocity=velocity)
    return [(start, 2, on), (end, 1, mido.Message("note_off", note=note, velocity=0))]
