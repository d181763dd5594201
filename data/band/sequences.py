"""Electronic music without drums: sequences, basses, pads, stabs, risers and chopped voices on a grid.

In such music, notes with the envelope of a drum are taken for strokes. Therefore they are drawn with the
attacks (0.5 to 20 ms) and decays (30 to 800 ms) of drums, on the grids of drum patterns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from data.band import patch_ranges
from data.band.ducking import duck, pump
from data.band.events import Event
from data.band.patch_ranges import PatchRanges
from data.band.patches import draw_patch, play
from data.band.song import Song
from data.dsp import effects, pedals
from data.dsp.levels import add_track
from data.dsp.tones import Audio
from mt3drum.config import SAMPLE_RATE

Range = tuple[float, float]


@dataclass(frozen=True)
class SequenceConfig:
    """Distribution of an electronic band."""

    parts: dict[str, float] = field(
        default_factory=lambda: {
            "arpeggio": 4.0,
            "bass": 4.0,
            "pad": 1.5,
            "stabs": 1.5,
            "chops": 1.2,
            "lead": 1.0,
            "riser": 0.8,
            "zaps": 3.5,
        }
    )
    """Part -> weight: arpeggios, basses and falling plucks were most often taken for drums."""
    count: tuple[float, ...] = (0.4, 0.35, 0.25)
    """Probability of one, two and three parts at once."""
    level: Range = (-9.0, 3.0)
    """Level of a part in dB, as in the other bands."""
    steps: dict[float, float] = field(
        default_factory=lambda: {1.0: 0.5, 0.5: 2.0, 1 / 3: 0.8, 0.25: 3.0, 1 / 6: 0.6, 0.125: 0.6}
    )
    """Beats per step, quarters to thirty-seconds and triplets -> weight: sixteenths are the most common."""
    fastest: float = 0.045
    """Minimum seconds per step; a shorter step is doubled."""
    gap: Range = (0.0, 0.5)
    """Share of rests in a pattern."""
    gate: Range = (0.15, 1.3)
    """Length of a note in steps, sampled logarithmically: staccato to overlapping."""
    vary: float = 0.06
    """Probability that a step is omitted or added: a machine's pattern, edited by hand."""
    delay: float = 0.4
    """Probability of a tempo-synced delay."""
    delay_beats: tuple[float, ...] = (0.25, 1 / 3, 0.5, 0.75, 1.0)
    """Delay times in beats; 0.75 is the dotted eighth."""
    feedback: Range = (0.2, 0.75)
    """Gain from echo to echo."""
    room: float = 0.3
    """Probability of reverberation on a part; most electronic parts are dry."""
    gated: float = 0.12
    """Probability of a tempo-synced gate on a held part."""
    glitched: float = 0.1
    """Probability of stutters, reversed slices and bit crushing."""
    pumped: float = 0.6
    """Probability that a pad is side-chained to the beat, with or without kicks."""
    filtered: float = 0.15
    """Probability of a slow filter over a whole part, as before a drop."""
    layered: float = 0.6
    """Probability that zaps double a pluck."""


PART_PATCHES: dict[str, tuple[PatchRanges, ...]] = {
    "arpeggio": (patch_ranges.PLUCK,),
    "bass": (
        patch_ranges.BASS,
        patch_ranges.BASS,
        patch_ranges.REESE,
        patch_ranges.SUB,
        patch_ranges.SWEPT_SUB,
        patch_ranges.SWEPT_SUB,
        patch_ranges.ACID,
    ),
    "pad": (patch_ranges.PAD,),
    "stabs": (patch_ranges.STAB, patch_ranges.STAB, patch_ranges.PLUCK),
    "chops": (patch_ranges.CHOP,),
    "lead": (patch_ranges.LEAD, patch_ranges.CHOP),
    "zaps": (patch_ranges.ZAP,),
}
CENTRES: dict[str, Range] = {
    "arpeggio": (45, 86),
    "bass": (28, 42),
    "pad": (48, 68),
    "stabs": (50, 72),
    "chops": (52, 76),
    "lead": (58, 84),
    "zaps": (30, 72),
}
"""Range of MIDI notes for the centre of a part."""


def render_sequences(song: Song, rng: np.random.Generator, config: SequenceConfig) -> Audio:
    """Render one to three parts: float32 [song.seconds * 44100], not levelled."""
    samples = round(song.seconds * SAMPLE_RATE)
    mix = np.zeros(samples, dtype=np.float32)
    names, weights = list(config.parts), np.array(list(config.parts.values()))
    count = 1 + int(rng.choice(len(config.count), p=config.count))
    for index in rng.choice(len(names), count, replace=False, p=weights / weights.sum()):
        track = render_part(names[index], song, rng, config)
        add_track(mix, track, rng.uniform(*config.level))
    return mix


def render_part(
    part: str,
    song: Song,
    rng: np.random.Generator,
    config: SequenceConfig,
    choices: tuple[PatchRanges, ...] | None = None,
) -> Audio:
    """Render one part with its effects; `choices` replaces its usual patches."""
    samples = round(song.seconds * SAMPLE_RATE)
    if part == "riser":
        return _treat(risers(song, rng), part, song, rng, config)
    choices = choices or PART_PATCHES[part]
    ranges = choices[int(rng.integers(len(choices)))]
    patch = draw_patch(ranges, rng)
    write = WRITERS.get(part, sequence)
    if ranges in (patch_ranges.REESE, patch_ranges.SUB, patch_ranges.SWEPT_SUB):
        write = held_bass
    centre = int(rng.uniform(*CENTRES[part]))
    events = write(song, rng, config, centre)
    track = play(patch, events, samples, rng)
    if part == "zaps" and rng.random() < config.layered:
        above = [replace(event, pitches=tuple(pitch + 12 for pitch in event.pitches)) for event in events]
        both = np.zeros_like(track)
        add_track(both, track, 0.0)
        add_track(both, play(draw_patch(patch_ranges.PLUCK, rng), above, samples, rng), rng.uniform(-6, 6))
        track = both
    return _treat(track, part, song, rng, config)


Writer = Callable[[Song, np.random.Generator, SequenceConfig, int], list[Event]]


def sequence(song: Song, rng: np.random.Generator, config: SequenceConfig, centre: int) -> list[Event]:
    """A repeated pattern of steps: one to eight scale degrees, rests, accents, lengths."""
    step = draw_step(song, rng, config)
    length = int(rng.choice((3, 4, 5, 6, 7, 8, 8, 16, 16, 32)))
    degrees = rng.integers(-3, 8, size=int(rng.integers(1, 9)))
    order = rng.integers(len(degrees), size=length)
    if rng.random() < 0.5:  # up, or up and down, like an arpeggiator
        ramp = np.sort(degrees)
        run = np.concatenate([ramp, ramp[-2:0:-1]]) if rng.random() < 0.5 else ramp
        degrees, order = run, np.arange(length) % len(run)
    rests = rng.random(length) < rng.uniform(*config.gap)
    rests[0] = False  # a pattern of rests alone would be silent
    accents = rng.uniform(rng.uniform(0.2, 1.0), 1.0, length)
    gates = _log_range(config.gate, rng) * np.where(rng.random(length) < 0.15, 2.0, 1.0)
    follow = rng.random() < 0.6
    events = []
    first = song.start - song.bar  # notes that began before the clip still sound in it
    for number in range(int(np.ceil((song.seconds - first) / step))):
        place = number % length
        if rests[place] ^ (rng.random() < config.vary):
            continue
        time = first + number * step
        degree = int(degrees[order[place]]) + (song.degree(max(time, song.start)) if follow else 0)
        velocity = float(accents[place])
        events.append(Event(time, (pitch_of(song, degree, centre),), step * float(gates[place]), velocity))
    return events


def held_bass(song: Song, rng: np.random.Generator, config: SequenceConfig, centre: int) -> list[Event]:
    """Long low notes, one to four per bar; half of the time off the first step of the grid."""
    lengths = rng.choice((1.0, 1.5, 2.0, 3.0, 4.0), 4)
    time, index, events = song.start - song.bar, 0, []
    if rng.random() < 0.5:
        time += song.beat * float(rng.choice((0.5, 0.75, 1.0)))
    while time < song.seconds:
        length = float(lengths[index % 4]) * song.beat
        if rng.random() > config.vary:
            pitch = pitch_of(song, song.degree(max(time, song.start)), centre)
            events.append(Event(time, (pitch,), length * rng.uniform(0.6, 1.0), rng.uniform(0.7, 1.0)))
        time, index = time + length, index + 1
    return events


def chords(song: Song, rng: np.random.Generator, config: SequenceConfig, centre: int) -> list[Event]:
    """Held chords, one per bar or half bar."""
    length = song.bar / (2 if rng.random() < 0.3 else 1)
    times = np.arange(song.start, song.seconds, length)
    hold = rng.uniform(0.7, 1.05)
    return [Event(float(time), song.chord(float(time) + 0.01, centre), length * hold, 1.0) for time in times]


def stabs(song: Song, rng: np.random.Generator, config: SequenceConfig, centre: int) -> list[Event]:
    """A sequence of short chords: of the scale, or one chord transposed along it as by a sampler."""
    shape = (0, *np.cumsum(rng.integers(3, 5, size=int(rng.integers(2, 4)))).tolist())
    parallel = rng.random() < 0.5
    found = []
    for event in sequence(song, rng, config, centre):
        low = event.pitches[0]
        pitches = tuple(low + part for part in shape) if parallel else song.chord(event.time, centre)
        found.append(Event(event.time, pitches, event.seconds, event.velocity))
    return found


WRITERS: dict[str, Writer] = {"pad": chords, "stabs": stabs}


def draw_step(song: Song, rng: np.random.Generator, config: SequenceConfig) -> float:
    """Seconds per step of a pattern."""
    units, weights = list(config.steps), np.array(list(config.steps.values()))
    step = units[int(rng.choice(len(units), p=weights / weights.sum()))] * song.beat
    while step < config.fastest:
        step *= 2
    return step


def pitch_of(song: Song, degree: int, centre: int) -> int:
    """A degree of the scale, counted from the root around `centre`; any octave."""
    octave, part = divmod(degree, len(song.scale))
    return song.pitch(0, centre) + song.scale[part] + 12 * octave


def risers(song: Song, rng: np.random.Generator) -> Audio:
    """Swells of noise or tone over one to eight beats, rising or falling, without an attack."""
    samples = round(song.seconds * SAMPLE_RATE)
    track = np.zeros(samples, dtype=np.float32)
    time = song.start + song.beat * float(rng.integers(0, 8))
    while time < song.seconds:
        seconds = song.beat * float(rng.choice((1, 2, 4, 4, 8)))
        sound = _swell(min(seconds, 6.0), rng)
        start = round(time * SAMPLE_RATE)
        part = sound[max(0, -start) : max(0, samples - start)]
        track[max(0, start) : max(0, start) + len(part)] += part
        time += seconds + song.beat * float(rng.choice((0, 1, 2, 4)))
    return track


SWELL_EDGE = 0.06
"""Minimum attack of a swell in seconds; a sharper one would be a cymbal."""


def _swell(seconds: float, rng: np.random.Generator) -> Audio:
    samples = max(2048, round(seconds * SAMPLE_RATE))
    time = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    way = time / time[-1]
    if rng.random() < 0.5:
        way = way[::-1].copy()
    low, high = rng.uniform(100, 600), rng.uniform(1500, 12_000)
    contour = low * (high / low) ** way
    if rng.random() < 0.5:  # tone: a siren, a laser, a pitch riser
        angle = np.cumsum(contour / rng.choice((1, 2, 4)), dtype=np.float64) / SAMPLE_RATE
        wobble = rng.uniform(0, 0.5) * np.sin(2 * np.pi * rng.uniform(2, 9) * time)
        sound = np.tanh(rng.uniform(1, 6) * np.sin(2 * np.pi * angle + wobble)).astype(np.float32)
    else:  # noise: bands crossfaded as the filter moves
        noise = rng.standard_normal(samples, dtype=np.float32)
        centres = np.geomspace(low, high, 5)
        place = np.log(contour / low) / np.log(high / low) * 4
        sound = np.zeros(samples, dtype=np.float32)
        for number, centre in enumerate(centres):
            edges = [centre * 0.7, min(centre * 1.4, 20_000)]
            band = sosfilt(butter(1, edges, "band", fs=SAMPLE_RATE, output="sos"), noise)
            sound += (band * np.maximum(0, 1 - np.abs(place - number))).astype(np.float32)
    swelling = way ** rng.uniform(0.5, 3.0)
    edge = np.minimum(1, np.minimum(time, time[-1] - time) / max(SWELL_EDGE, 0.05 * seconds))
    return (sound / max(1e-6, float(np.abs(sound).max())) * swelling * edge).astype(np.float32)


def _treat(track: Audio, part: str, song: Song, rng: np.random.Generator, config: SequenceConfig) -> Audio:
    """Apply gate, glitches, chorus, delay, filter, reverberation and side-chain."""
    if part in ("pad", "lead", "riser") and rng.random() < config.gated:
        track = gate(track, song, rng, config)
    if rng.random() < config.glitched:
        track = glitch(track, song, rng)
    if rng.random() < 0.15:
        track = pedals.double(track, rng)
    if part != "bass" and rng.random() < config.delay:
        beats = float(rng.choice(config.delay_beats))
        track = echo(track, beats * song.beat, rng.uniform(*config.feedback), rng.uniform(0.2, 0.8))
    if rng.random() < config.filtered:
        track = pedals.wah(track, rng)
    if part != "bass" and rng.random() < config.room:
        track = effects.room(track, rng)
    if rng.random() < config.pumped * (1.0 if part == "pad" else 0.25):
        track = track * duck(len(track), pump(song, rng), rng)
    return track


def echo(track: Audio, seconds: float, feedback: float, level: float) -> Audio:
    """A delay with echoes `seconds` apart that grow duller; the dry sound stays."""
    step = max(1, round(seconds * SAMPLE_RATE))
    out, tap = track.copy(), track
    for number in range(1, 1 + min(6, (len(track) - 1) // step)):
        tap = lfilter([0.6], [1, -0.4], tap).astype(np.float32)
        out[number * step :] += np.float32(level * feedback ** (number - 1)) * tap[: -number * step]
    return out


def gate(track: Audio, song: Song, rng: np.random.Generator, config: SequenceConfig) -> Audio:
    """A trance gate: the track chopped in steps of the grid, with edges of 2 to 10 ms."""
    step = draw_step(song, rng, config)
    pattern = rng.random(int(rng.choice((4, 8, 16)))) < rng.uniform(0.4, 0.8)
    pattern[0] = True
    time = np.arange(len(track)) / SAMPLE_RATE - song.start
    number = np.floor(time / step).astype(np.int64)
    open_ = pattern[number % len(pattern)] & ((time / step) % 1 < rng.uniform(0.4, 1.0))
    width = max(2, round(rng.uniform(0.002, 0.01) * SAMPLE_RATE))
    edges = np.cumsum(np.pad(open_.astype(np.float64), (width, 0)))
    return (track * ((edges[width:] - edges[:-width]) / width)).astype(np.float32)


def glitch(track: Audio, song: Song, rng: np.random.Generator) -> Audio:
    """Slices of the grid repeated faster and faster, reversed, or bit-crushed."""
    out = track.copy()
    slice_ = max(512, round(song.beat * SAMPLE_RATE * float(rng.choice((0.25, 0.5, 1.0)))))
    for first in range(0, len(track) - slice_, slice_):
        if rng.random() > 0.3:
            continue
        part = track[first : first + slice_]
        kind = rng.integers(3)
        if kind == 0:
            grain = max(256, slice_ // int(rng.choice((2, 3, 4, 8, 16))))
            piece = part[:grain] * _edges(grain)
            part = np.tile(piece, -(-slice_ // grain))[:slice_]
        elif kind == 1:
            part = part[::-1]
        else:
            part = effects.crush(part, rng)
        out[first : first + slice_] = part * _edges(slice_)
    return out


def _edges(samples: int) -> Audio:
    """A gain curve that fades in and out over 2 ms."""
    place = np.arange(samples, dtype=np.float32)
    return np.minimum(1, np.minimum(place + 1, samples - place) / 88).astype(np.float32)


def _log_range(limits: Range, rng: np.random.Generator) -> float:
    return float(limits[0] * (limits[1] / limits[0]) ** rng.random())
