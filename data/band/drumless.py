"""Recordings without drums, by kind, to count false alarms; each kind was once taken for drums.

They are synthesised with the renderers of the training clips, from seeds that no shard uses, and played on
recorded notes that training never uses (`data.band.held_out`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from data.band import patch_ranges, soloists
from data.band.ambience import AmbienceConfig, background
from data.band.notes import NoteBank
from data.band.patch_ranges import PatchRanges
from data.band.play import perform
from data.band.sequences import SequenceConfig, chords, render_part
from data.band.soloists import BOWED, BRASS, WOODWIND, SoloConfig
from data.band.song import Song, compose
from data.dsp import effects
from data.dsp.levels import full_scale
from data.dsp.tones import SAMPLE_RATE, Audio

STREAM = 3
"""Second part of every seed; in shards it is the index of the split, 0 to 2."""
TEMPO = (60.0, 200.0)
"""Tempo range in beats per minute, sampled logarithmically."""
CUT = (0.15, 0.8)
"""Seconds after the first sound at which a recording that begins mid-note starts."""
NOISE_BURST = replace(patch_ranges.PLUCK, shapes={"noise": 1})

Maker = Callable[[NoteBank, Song, np.random.Generator], Audio]


def _sequence(part: str, *choices: PatchRanges) -> Maker:
    def make(bank: NoteBank, song: Song, rng: np.random.Generator) -> Audio:
        return render_part(part, song, rng, SequenceConfig(), choices or None)

    return make


def _solo(ranges: PatchRanges | None, *recorded: str) -> Maker:
    """One player; half of them on recorded notes, if the bank has one of these instruments."""

    def make(bank: NoteBank, song: Song, rng: np.random.Generator) -> Audio:
        config, samples = SoloConfig(), round(song.seconds * SAMPLE_RATE)
        events = soloists.free(soloists.melody(song, rng), rng, config)
        found = [item for item in bank.instruments if item.name in recorded]
        if rng.random() < 0.5 and found:
            track = perform(found[int(rng.integers(len(found)))], events, samples, rng)
        elif ranges is None:
            track = soloists.plucked(events, samples, rng, config)
        else:
            track = soloists.bowed_or_blown(ranges, events, samples, rng, config)
        return effects.room(track, rng) if rng.random() < config.room else track

    return make


def _background(kind: str) -> Maker:
    def make(bank: NoteBank, song: Song, rng: np.random.Generator) -> Audio:
        return background(kind, bank, round(song.seconds * SAMPLE_RATE), rng, AmbienceConfig())

    return make


def _mid_note(bank: NoteBank, song: Song, rng: np.random.Generator) -> Audio:
    """Held chords, with the first one already sounding at the start."""
    samples = round(song.seconds * SAMPLE_RATE)
    held = [item for item in bank.instruments if item.role in ("organ", "pad", "keys")]
    if held:
        events = chords(song, rng, SequenceConfig(), int(rng.integers(48, 68)))
        track = perform(held[int(rng.integers(len(held)))], events, samples, rng)
    else:
        track = render_part("pad", song, rng, SequenceConfig())
    sounding = np.flatnonzero(np.abs(track) > 0.1 * np.abs(track).max(initial=0.0))
    first = int(sounding[0]) if len(sounding) else 0
    return track[min(first + round(rng.uniform(*CUT) * SAMPLE_RATE), samples) :]


KINDS: Mapping[str, Maker] = {
    "arpeggio": _sequence("arpeggio"),
    "pad": _sequence("pad"),
    "stabs": _sequence("stabs"),
    "reese": _sequence("bass", patch_ranges.REESE),
    "sub808": _sequence("bass", patch_ranges.SUB),
    "bass": _sequence("bass", patch_ranges.BASS, patch_ranges.ACID),
    "riser": _sequence("riser"),
    "noise_bursts": _sequence("arpeggio", NOISE_BURST),
    "chops": _sequence("chops"),
    "lead": _sequence("lead", patch_ranges.LEAD),
    "mid_note": _mid_note,
    "strings": _solo(BOWED, "cello", "string_ensemble_1_marcato"),
    "plucked": _solo(None, "dulcimer", "pizzicato_strings"),
    "guitar": _solo(None, "jazz_guitar", "guitar_green_ord", "guitar_green_stac"),
    "woodwind": _solo(WOODWIND, "clarinet", "oboe", "flute"),
    "brass": _solo(BRASS, "trombone", "tenor_sax"),
    "purr": _background("purr"),
    "wind": _background("wind"),
    "rain": _background("rain"),
    "traffic": _background("traffic"),
    "applause": _background("applause"),
    "steps": _background("steps"),
    "typing": _background("typing"),
    "speech": _background("babble"),
    "hum": _background("hum"),
    "engine": _background("engine"),
    "swept808": _sequence("bass", patch_ranges.SWEPT_SUB),
    "zaps": _sequence("zaps"),
}
"""Name -> function that renders it."""
LONGER = 3.0
"""Additional seconds rendered, since the start may be cut off."""


def render_drumless(kind: str, number: int, seed: int, bank: NoteBank, seconds: float) -> Audio:
    """Render one recording of a kind, deterministically: float32 [seconds * 44100], peak 0.9.

    Args:
        number: index of the recording within its kind.

    Raises:
        KeyError: the kind is unknown.
    """
    rng = np.random.default_rng([seed, STREAM, list(KINDS).index(kind), number])
    low, high = TEMPO
    bpm = float(low * (high / low) ** rng.random())
    track = KINDS[kind](bank, compose(rng, seconds + LONGER, bpm, ()), rng)
    return full_scale(np.asarray(track[: round(seconds * SAMPLE_RATE)], dtype=np.float32))
