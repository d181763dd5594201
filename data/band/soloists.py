"""One or two soloists: bowed, blown and plucked, synthesised or from recorded single notes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from data.band import parts
from data.band.events import Event
from data.band.notes import NoteBank
from data.band.patch_ranges import PatchRanges
from data.band.patches import draw_patch, play
from data.band.play import perform
from data.band.sequences import SequenceConfig, sequence
from data.band.song import Song
from data.dsp import effects, tones
from data.dsp.levels import add_track
from data.dsp.tones import Audio
from mt3drum.config import SAMPLE_RATE

BOWED = PatchRanges(
    {"saw": 1},
    attack=(0.004, 0.15),
    decay=(0.08, 2.0),
    sustain=(0.0, 1.0),
    release=(0.02, 0.2),
    bright=(2500, 9000),
    dark=(900, 4000),
    resonance=(0.0, 1.0),
    voices=(1, 1, 2, 3),
    detune=(3, 12),
    driven=0.1,
    drive=(1.0, 3.0),
    bent=0.3,
    bend=(-2.0, 1.0),
    bend_seconds=(0.02, 0.1),
    vibrato=(0.0, 0.6),
    click=0.0,
    floor=36,
)
"""From spiccato (4 ms, no sustain) to a slow bow, with occasional slides into the note."""
WOODWIND = PatchRanges(
    {"square": 2, "sine": 1, "organ": 1},
    attack=(0.008, 0.08),
    decay=(0.3, 2.0),
    sustain=(0.5, 1.0),
    release=(0.02, 0.1),
    bright=(1200, 6000),
    dark=(800, 3000),
    resonance=(0.0, 0.5),
    voices=(1,),
    drive=(1.0, 2.0),
    driven=0.0,
    bent=0.2,
    bend=(-1.0, 1.0),
    vibrato=(0.0, 0.4),
    click=0.0,
    floor=50,
)
BRASS = PatchRanges(
    {"saw": 1},
    attack=(0.01, 0.08),
    decay=(0.2, 2.0),
    sustain=(0.4, 1.0),
    release=(0.02, 0.1),
    bright=(1500, 8000),
    dark=(700, 3000),
    resonance=(0.0, 0.8),
    voices=(1, 2, 3),
    detune=(3, 12),
    drive=(1.0, 4.0),
    driven=0.3,
    bent=0.3,
    bend=(-2.0, 0.0),
    vibrato=(0.0, 0.3),
    click=0.0,
    floor=40,
)


@dataclass(frozen=True)
class SoloConfig:
    """Distribution of a soloist."""

    recorded: float = 0.4
    """Probability of recorded notes if the bank has them; otherwise synthesised."""
    plucked: float = 0.35
    """Share of plucked strings among the synthesised ones."""
    duet: float = 0.25
    """Probability of a second player."""
    rubato: tuple[float, float] = (0.0, 0.12)
    """Seconds by which free playing deviates from the grid."""
    breath: tuple[float, float] = (0.002, 0.12)
    """Bow or breath noise relative to the tone, sampled logarithmically."""
    body: float = 4.0
    """Level of the body resonances in dB."""
    room: float = 0.6
    """Probability of reverberation: soloists are recorded from a distance."""


_RECORDED_ROLES = ("guitar", "pluck", "lead", "brass", "pad", "muted", "keys", "bass")


def render_soloists(bank: NoteBank, song: Song, rng: np.random.Generator, config: SoloConfig) -> Audio:
    """Render one or two players: float32 [song.seconds * 44100], not levelled."""
    mix = np.zeros(round(song.seconds * SAMPLE_RATE), dtype=np.float32)
    for _ in range(2 if rng.random() < config.duet else 1):
        add_track(mix, _player(bank, song, rng, config), rng.uniform(-6, 0))
    return effects.room(mix, rng) if rng.random() < config.room else mix


def _player(bank: NoteBank, song: Song, rng: np.random.Generator, config: SoloConfig) -> Audio:
    samples = round(song.seconds * SAMPLE_RATE)
    events = free(melody(song, rng), rng, config)
    if bank.instruments and rng.random() < config.recorded:
        role = str(rng.choice(_RECORDED_ROLES))
        found = bank.with_role(role)
        instrument = found[int(rng.integers(len(found)))]
        return perform(instrument, events, samples, rng, strum=role == "guitar", sing=rng.random() < 0.3)
    if rng.random() < config.plucked:
        return plucked(events, samples, rng, config)
    return bowed_or_blown((BOWED, BOWED, WOODWIND, BRASS)[int(rng.integers(4))], events, samples, rng, config)


def bowed_or_blown(
    ranges: PatchRanges, events: list[Event], samples: int, rng: np.random.Generator, config: SoloConfig
) -> Audio:
    """Render a synthesised bowed or blown instrument: float32 [samples]."""
    track = _breathe(play(draw_patch(ranges, rng), events, samples, rng), rng, config)
    curve = effects.tone_curve(effects.fast_bins(samples), rng, config.body)
    return effects.shape(track, curve)


def melody(song: Song, rng: np.random.Generator) -> list[Event]:
    """A melody, a broken chord, finger picking, strummed chords, or a fast figure (csárdás, tremolo)."""
    kind = rng.choice(5, p=(0.35, 0.15, 0.15, 0.1, 0.25))
    if kind == 0:
        low = int(rng.integers(43, 68))
        return parts.lead(song, rng, low=low, high=low + 24, rest=rng.uniform(0.05, 0.5))
    if kind == 1:
        return parts.arpeggio(song, rng)
    if kind == 2:
        return parts.picking(song, rng)
    if kind == 3:
        return parts.strum(song, rng)
    return sequence(song, rng, SequenceConfig(), int(rng.integers(48, 80)))


def free(events: list[Event], rng: np.random.Generator, config: SoloConfig) -> list[Event]:
    """Add rubato and small timing errors."""
    depth, slow, phase = rng.uniform(*config.rubato), rng.uniform(2.0, 8.0), rng.uniform(0, 2 * np.pi)
    spread = rng.uniform(0.002, 0.02)
    moved = []
    for event in events:
        time = event.time + depth * np.sin(2 * np.pi * event.time / slow + phase) + rng.normal(0, spread)
        moved.append(Event(float(time), event.pitches, event.seconds, event.velocity, event.touch))
    return moved


def plucked(events: list[Event], samples: int, rng: np.random.Generator, config: SoloConfig) -> Audio:
    """Karplus-Strong strings: guitar, harp, pizzicato, short ones like a kalimba."""
    track = np.zeros(samples, dtype=np.float32)
    ring = float(np.exp(rng.uniform(np.log(0.15), np.log(4.0))))
    bright, gap = rng.uniform(0.1, 0.95), rng.uniform(0.0, 0.02)
    scrape = tones.noise("pick", rng) * np.float32(rng.uniform(0, 0.4))
    strings: dict[int, Audio] = {}
    for event in events:
        for number, pitch in enumerate(event.pitches):
            if pitch not in strings:
                hertz = 440.0 * 2 ** ((pitch - 69) / 12)
                string, _ = tones.pluck(hertz, min(3.0, 1.5 * ring), rng, ring, bright)
                string[: len(scrape)] += scrape[: len(string)]
                string[-500:] *= np.linspace(1, 0, min(500, len(string)), dtype=np.float32)
                strings[pitch] = string
            start = round((event.time + number * gap) * SAMPLE_RATE)
            part = strings[pitch][max(0, -start) : max(0, samples - start)]
            first = max(0, start)
            track[first : first + len(part)] += np.float32(event.velocity) * part
    curve = effects.tone_curve(effects.fast_bins(samples), rng, config.body)
    return effects.shape(track, curve)


def _breathe(track: Audio, rng: np.random.Generator, config: SoloConfig) -> Audio:
    """Add bow or breath noise that follows the level of the tone."""
    low, high = config.breath
    level = low * (high / low) ** rng.random()
    loudness = lfilter([0.002], [1, -0.998], np.abs(track)).astype(np.float32)  # 11 ms
    edges = [rng.uniform(300, 1500), rng.uniform(3000, 10_000)]
    noise = rng.standard_normal(len(track), dtype=np.float32)
    noise = sosfilt(butter(1, edges, "band", fs=SAMPLE_RATE, output="sos"), noise)
    return (track + np.float32(4 * level) * noise * loudness).astype(np.float32)
