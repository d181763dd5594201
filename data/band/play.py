"""Backing bands: drumless music in the tempo of the drums, composed by `parts`, played with `notes`.

Generated bands under the drums raised F on full mixes from 0.55 to 0.75 in the prototype (docs/data.md). They
are meant to be hard: scratched and palm-muted guitars, basses on the kick, sung consonants on the backbeat.
They contain no drums.
"""

from collections.abc import Sequence

import numpy as np
from scipy.signal import lfilter

from data.band import parts, voice
from data.band.config import BAND, BandConfig, PlayerConfig
from data.band.ducking import duck
from data.band.events import Event, arrange, humanise
from data.band.incidental import incidental, loop
from data.band.notes import Instrument, NoteBank, NoteSample, load_loops, load_notes
from data.band.song import Song, compose
from data.band.synthetic import make_bank, synthetic_notes
from data.dsp import effects, pedals, tones
from data.dsp.levels import add_track, full_scale
from data.dsp.tones import Audio
from data.kits.sample import retune, to_float
from mt3drum.config import SAMPLE_RATE

__all__ = ["NoteBank", "load_loops", "load_notes", "make_bank", "render_band", "synthetic_notes"]

ROLES_OF_PART: dict[str, tuple[str, ...]] = {
    "bass": ("bass",),
    "strum": ("guitar",),
    "skank": ("guitar", "organ", "keys"),
    "scratch": ("guitar", "muted"),
    "chug": ("guitar", "guitar", "muted"),
    "riff": ("guitar",),
    "comp": ("keys", "organ", "keys"),
    "stabs": ("brass", "keys", "lead"),
    "pad": ("pad", "voice", "organ"),
    "arpeggio": ("pluck", "keys", "guitar", "lead"),
    "picking": ("guitar", "pluck"),
    "lead": ("lead", "brass", "guitar", "keys", "voice"),
    "voice": ("voice",),
}
GUITAR_PARTS = ("strum", "riff", "chug", "scratch", "skank", "picking")
OVERSAMPLED = 8
"""Oversampling of a note with vibrato or slides: linear interpolation then leaves images 58 dB down."""


def render_band(
    bank: NoteBank,
    rng: np.random.Generator,
    seconds: float,
    bpm: float,
    kicks: Sequence[float],
    config: BandConfig = BAND,
) -> Audio:
    """Render one clip of music without drums: float32 [seconds * 44100], peak 0.9.

    Args:
        kicks: onset times of the kick in seconds; the bass and some guitars may follow them, and they
            determine the bar lines.

    Raises:
        ValueError: the bank is empty, or tempo or length is not positive.
    """
    if not bank.instruments:
        raise ValueError("the note bank is empty; use load_notes or synthetic_notes")
    if seconds <= 0 or bpm <= 0:
        raise ValueError(f"seconds {seconds} and bpm {bpm} must be more than 0")
    samples = round(seconds * SAMPLE_RATE)
    song = compose(rng, seconds, bpm, kicks, config.song)
    mix = np.zeros(samples, dtype=np.float32)
    louder = {"bass": config.bass_level, "voice": config.voice_level}
    for part in line_up(song, rng, config):
        level = rng.uniform(*config.level) + louder.get(part, 0.0)
        add_track(mix, play_part(bank, song, part, rng, config), level)
    if not mix.any():
        add_track(mix, play_part(bank, song, "pad", rng, config, arranged=False), 0.0)
    if bank.loops and rng.random() < config.looped:
        add_track(mix, loop(bank, samples, rng), rng.uniform(*config.level))
    if rng.random() < config.incidental:
        add_track(mix, incidental(bank, song, rng, config), rng.uniform(*config.incidental_level))
    return master(mix, song, rng, config)


def line_up(song: Song, rng: np.random.Generator, config: BandConfig = BAND) -> list[str]:
    """Draw the parts that play from the style, one to five of them; guitars are often double-tracked."""
    if song.style.name == "alone":
        return [str(rng.choice(list(song.style.parts)))]
    names = list(song.style.parts)
    chances = np.array(list(song.style.parts.values()))
    drawn = np.flatnonzero(rng.random(len(names)) < chances)
    least = min(len(names), 1 + int(rng.choice(len(config.least), p=config.least)))
    if len(drawn) < least:
        drawn = rng.choice(len(names), least, replace=False, p=chances / chances.sum())
    chosen = [names[index] for index in drawn]
    return chosen + [part for part in chosen if part in GUITAR_PARTS and rng.random() < config.doubled]


def play_part(
    bank: NoteBank,
    song: Song,
    part: str,
    rng: np.random.Generator,
    config: BandConfig = BAND,
    arranged: bool = True,
) -> Audio:
    """Compose and perform one part on a suitable instrument; arranged: it may rest for some bars."""
    samples = round(song.seconds * SAMPLE_RATE)
    if part == "voice":
        return voice.sing(voice.melody(song, rng, config), bank, samples, rng, config.singer)
    spread = config.tight_spread if rng.random() < config.tight else rng.uniform(*config.spread)
    events = humanise(parts.PARTS[part](song, rng, config.parts), rng, spread)
    if arranged:
        events = arrange(events, song, rng, config.arrange)
    roles = ROLES_OF_PART[part]
    candidates = bank.with_role(roles[int(rng.integers(len(roles)))])
    instrument = candidates[int(rng.integers(len(candidates)))]
    guitar = part in GUITAR_PARTS
    driven = guitar and part not in ("skank", "picking") and rng.random() < song.style.drive
    driven = driven or (part in ("lead", "bass", "comp") and rng.random() < config.driven)
    sing = part in ("lead", "stabs")
    track = perform(instrument, events, samples, rng, strum=guitar, sing=sing, config=config.player)
    if driven:
        return pedals.amplifier(track, rng, None if guitar else config.driven_most)
    if guitar and rng.random() < config.plectrum:
        track = _plectrum(track, events, rng, config.player)
    if part in ("lead", "comp", "strum", "scratch", "arpeggio") and rng.random() < config.wah:
        return pedals.wah(track, rng)
    return pedals.double(track, rng) if rng.random() < config.chorus else track


def perform(
    instrument: Instrument,
    events: Sequence[Event],
    samples: int,
    rng: np.random.Generator,
    strum: bool = False,
    sing: bool = False,
    config: PlayerConfig = BAND.player,
) -> Audio:
    """Play events on an instrument: transposed by soxr; each chord is rendered once and reused.

    Args:
        strum: play the notes of a chord one after another.
        sing: add vibrato and slide into the note.
    """
    track = np.zeros(samples, dtype=np.float32)
    made: dict[tuple[tuple[int, ...], int, str], Audio] = {}
    gap = rng.uniform(*config.strum_gap) if strum else rng.choice([0.0, 0.0, 0.004])
    bend = rng.normal(0, config.detuned)
    slide = _glide(rng, config) if sing and instrument.role not in ("keys", "organ") else None
    slow = instrument.role == "pad" and rng.random() < config.slow_pad
    attack = rng.uniform(*config.pad_attack) if slow else 0.0
    short = rng.random() < config.short
    release = rng.uniform(*(config.short_release if short else config.long_release))
    for event in events:
        start = round(event.time * SAMPLE_RATE)
        units = max(1, round(event.seconds * 20))  # lengths in steps of 50 ms, so that chords can be reused
        if start >= samples or start + (units / 20 + release) * SAMPLE_RATE <= 0:
            continue
        key = (event.pitches, units, event.touch)
        if key not in made:
            made[key] = _chord(
                instrument, event, (units / 20, release), gap, bend, attack, slide, rng, config
            )
        sound = made[key][max(0, -start) : samples - start]
        first = max(0, start)
        track[first : first + len(sound)] += np.float32(event.velocity) * sound
    return track


def _plectrum(track: Audio, events: Sequence[Event], rng: np.random.Generator, config: PlayerConfig) -> Audio:
    """Noise of pick or nails on the strings of an acoustic guitar or banjo, up to 10 kHz and more: the most
    hi-hat-like sound of a band. Sampled notes contain little of it."""
    scrapes = [
        tones.noise_burst(
            rng,
            rng.uniform(*config.scrape_hertz),
            rng.uniform(*config.scrape_octaves),
            rng.uniform(*config.scrape_seconds),
        )
        for _ in range(4)
    ]
    level = np.abs(track).max(initial=0.0) * 10 ** (rng.uniform(*config.scrape_level) / 20)
    gap = rng.uniform(*config.scrape_gap)
    out = track.copy()
    for event in events:
        for string in range(min(len(event.pitches), 6)):
            start = round((event.time + string * gap + rng.normal(0, 0.001)) * SAMPLE_RATE)
            part = scrapes[rng.integers(len(scrapes))][max(0, -start) : max(0, len(out) - start)]
            first = max(0, start)
            gain = level * event.velocity * rng.uniform(*config.scrape_gain)
            out[first : first + len(part)] += np.float32(gain) * part
    return out


def _glide(rng: np.random.Generator, config: PlayerConfig) -> Audio:
    """Four seconds of playback rate along a note: scoop or bend at its start, then growing vibrato."""
    time = np.arange(4 * SAMPLE_RATE, dtype=np.float32) / SAMPLE_RATE
    depth, speed = rng.uniform(*config.vibrato), rng.uniform(*config.vibrato_rate)
    scoop = rng.choice([0.0, rng.uniform(*config.scoop)])
    scoop = scoop * np.exp(-time / rng.uniform(*config.scoop_seconds))
    return (1 + scoop + depth * np.minimum(1, time / 0.4) * np.sin(2 * np.pi * speed * time)).astype(
        np.float32
    )


def _chord(
    instrument: Instrument,
    event: Event,
    seconds: tuple[float, float],
    gap: float,
    bend: float,
    attack: float,
    glide: Audio | None,
    rng: np.random.Generator,
    config: PlayerConfig,
) -> Audio:
    gap *= 0.6 if event.touch == "up" else 1.0
    delay, release = int(gap * SAMPLE_RATE), int(seconds[1] * SAMPLE_RATE)
    length = int(seconds[0] * SAMPLE_RATE) + delay * len(event.pitches) + release
    out = np.zeros(length, dtype=np.float32)
    for index, pitch in enumerate(event.pitches):
        tone = _tone(instrument, pitch + bend, length - index * delay, release, rng, glide)
        out[index * delay : index * delay + len(tone)] += tone * np.float32(rng.uniform(*config.note_level))
    if event.touch == "mute":
        out *= tones.decay(length, rng.uniform(*config.mute_ring))
        keep = np.exp(-2 * np.pi * rng.uniform(*config.mute_low_pass) / SAMPLE_RATE)
        out = lfilter([1 - keep], [1, -keep], out).astype(np.float32) * np.float32(2)
    elif event.touch == "dead":
        out *= tones.decay(length, rng.uniform(*config.dead_ring))
    if attack:
        out *= np.minimum(1, np.arange(length, dtype=np.float32) / np.float32(attack * SAMPLE_RATE))
    return out


def _tone(
    instrument: Instrument,
    pitch: float,
    length: int,
    release: int,
    rng: np.random.Generator,
    glide: Audio | None = None,
) -> Audio:
    """A note of at most `length` samples that fades over `release`, in octaves within the range."""
    while pitch < instrument.low:
        pitch += 12
    while pitch > instrument.high and pitch - 12 >= instrument.low:
        pitch -= 12
    note = instrument.nearest(pitch, rng)
    rate = 2 ** ((pitch - note.pitch) / 12)
    if glide is None:
        needed = int(np.ceil(length * rate)) + 1
        tone = retune(to_float(note.audio[:needed]), rate)[:length]
    else:
        tone = _glide_along(note, rate, length, glide)
    count = len(tone)
    fade = min(count, release)
    tone[count - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return tone


def _glide_along(note: NoteSample, rate: float, length: int, glide: Audio) -> Audio:
    """Play the note at `rate` times a contour of rates: the constant part by soxr at OVERSAMPLED times the
    rate, so that linear interpolation along the contour loses less than 0.1 dB at 12 kHz."""
    position = np.cumsum(glide[:length], dtype=np.float64)
    needed = int(np.ceil(position[-1] * rate)) + 2 if len(position) else 0
    fine = retune(retune(to_float(note.audio[:needed]), rate), 1 / OVERSAMPLED)
    position *= OVERSAMPLED
    position = position[: int(np.searchsorted(position, len(fine) - 2))]
    index = position.astype(np.int64)
    part = (position - index).astype(np.float32)
    return fine[index] + part * (fine[index + 1] - fine[index])


def master(mix: Audio, song: Song, rng: np.random.Generator, config: BandConfig) -> Audio:
    """Apply reverberation, ducking under the kick (electronic), soft overload and tone; peak 0.9."""
    ducked = config.electronic_ducked if song.style.name == "electronic" else config.ducked
    if song.kicks and rng.random() < ducked:
        mix = mix * duck(len(mix), song.kicks, rng)
    if rng.random() < config.room:
        mix = effects.room(mix, rng)
    if rng.random() < config.saturated:
        mix = effects.saturate(mix, rng)
    if rng.random() < config.darkened:
        keep = np.exp(-2 * np.pi * rng.uniform(*config.dark) / SAMPLE_RATE)
        mix = lfilter([1 - keep], [1, -keep], mix)
    return full_scale(np.asarray(mix, dtype=np.float32))
