"""Backing bands: drumless music in the tempo of the drums, written by `parts`, played with `notes`.

With generated bands under the drums, F on full mixes rose from 0.55 to 0.75 in the prototype (docs/data.md).
What is played here is meant to be hard: guitars scratched and palm-muted, basses on the kick, sung consonants
on the snare's beat. Nothing in it is a drum.
"""

from collections.abc import Sequence

import numpy as np
from scipy.signal import lfilter

from data.band import parts, voice
from data.band.ducking import duck
from data.band.events import Event, arrange, humanise
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
LOOP_PROBABILITY = 0.1
PLECTRUM_PROBABILITY = 0.6
OVERSAMPLED = 8
"""Of a note read along a contour (vibrato, slides): linear interpolation then leaves images 58 dB down."""
INCIDENTALS = ("squeak", "cough", "scratch", "pick", "breath", "click")


def render_band(
    bank: NoteBank, rng: np.random.Generator, seconds: float, bpm: float, kicks: Sequence[float]
) -> Audio:
    """One clip of music without drums: float32 [seconds * 44100], peak 0.9.

    kicks: times in seconds of the kick drum, which the bass and some guitars may follow and which fix the bar
    lines. Raises ValueError for an empty bank or a tempo or length of 0 or less.
    """
    if not bank.instruments:
        raise ValueError("the note bank is empty; use load_notes or synthetic_notes")
    if seconds <= 0 or bpm <= 0:
        raise ValueError(f"seconds {seconds} and bpm {bpm} must be more than 0")
    samples = round(seconds * SAMPLE_RATE)
    song = compose(rng, seconds, bpm, kicks)
    mix = np.zeros(samples, dtype=np.float32)
    for part in line_up(song, rng):
        level = rng.uniform(-9, 3) + {"bass": 2.0, "voice": 4.0}.get(part, 0.0)
        add_track(mix, play_part(bank, song, part, rng), level)
    if not mix.any():
        add_track(mix, play_part(bank, song, "pad", rng, arranged=False), 0.0)
    if bank.loops and rng.random() < LOOP_PROBABILITY:
        add_track(mix, _loop(bank, samples, rng), rng.uniform(-9, 3))
    if rng.random() < 0.12:
        add_track(mix, incidental(bank, song, rng), rng.uniform(-14, -2))
    return master(mix, song, rng)


def line_up(song: Song, rng: np.random.Generator) -> list[str]:
    """Parts that play: drawn by the style, at least one to five of them; guitars are often recorded twice."""
    if song.style.name == "alone":
        return [str(rng.choice(list(song.style.parts)))]
    names = list(song.style.parts)
    chances = np.array(list(song.style.parts.values()))
    drawn = np.flatnonzero(rng.random(len(names)) < chances)
    least = min(len(names), int(rng.choice([1, 2, 3, 4, 5], p=[0.06, 0.14, 0.3, 0.35, 0.15])))
    if len(drawn) < least:
        drawn = rng.choice(len(names), least, replace=False, p=chances / chances.sum())
    chosen = [names[index] for index in drawn]
    return chosen + [part for part in chosen if part in GUITAR_PARTS and rng.random() < 0.35]


def play_part(
    bank: NoteBank, song: Song, part: str, rng: np.random.Generator, arranged: bool = True
) -> Audio:
    """Compose and perform one part with an instrument that suits it; arranged: it may rest for some bars."""
    samples = round(song.seconds * SAMPLE_RATE)
    if part == "voice":
        return voice.sing(voice.melody(song, rng), bank, samples, rng)
    spread = 0.003 if rng.random() < 0.4 else rng.uniform(0.003, 0.018)
    events = humanise(parts.PARTS[part](song, rng), rng, spread)
    if arranged:
        events = arrange(events, song, rng)
    roles = ROLES_OF_PART[part]
    found = bank.with_role(roles[int(rng.integers(len(roles)))])
    instrument = found[int(rng.integers(len(found)))]
    guitar = part in GUITAR_PARTS
    driven = guitar and part not in ("skank", "picking") and rng.random() < song.style.drive
    driven = driven or (part in ("lead", "bass", "comp") and rng.random() < 0.12)
    track = perform(instrument, events, samples, rng, strum=guitar, sing=part in ("lead", "stabs"))
    if driven:
        return pedals.amplifier(track, rng, 45.0 if guitar else 25.0)
    if guitar and rng.random() < PLECTRUM_PROBABILITY:
        track = _plectrum(track, events, rng)
    if part in ("lead", "comp", "strum", "scratch", "arpeggio") and rng.random() < 0.15:
        return pedals.wah(track, rng)
    return pedals.double(track, rng) if rng.random() < 0.25 else track


def perform(
    instrument: Instrument,
    events: Sequence[Event],
    samples: int,
    rng: np.random.Generator,
    strum: bool = False,
    sing: bool = False,
) -> Audio:
    """Play events on an instrument: transposed by soxr, chords made once and reused.

    strum: a chord's notes come one after another; sing: vibrato and slides into the note.
    """
    track = np.zeros(samples, dtype=np.float32)
    made: dict[tuple[tuple[int, ...], int, str], Audio] = {}
    gap = rng.uniform(0.003, 0.02) if strum else rng.choice([0.0, 0.0, 0.004])
    bend = rng.normal(0, 0.05)
    slide = _glide(rng) if sing and instrument.role not in ("keys", "organ") else None
    attack = rng.uniform(0.05, 0.4) if instrument.role == "pad" and rng.random() < 0.6 else 0.0
    release = rng.uniform(0.03, 0.12) if rng.random() < 0.5 else rng.uniform(0.1, 0.5)
    for event in events:
        start = round(event.time * SAMPLE_RATE)
        units = max(1, round(event.seconds * 20))  # lengths in steps of 50 ms, so that chords can be reused
        if start >= samples or start + (units / 20 + release) * SAMPLE_RATE <= 0:
            continue
        key = (event.pitches, units, event.touch)
        if key not in made:
            made[key] = _chord(instrument, event, (units / 20, release), gap, bend, attack, slide, rng)
        sound = made[key][max(0, -start) : samples - start]
        first = max(0, start)
        track[first : first + len(sound)] += np.float32(event.velocity) * sound
    return track


def _plectrum(track: Audio, events: Sequence[Event], rng: np.random.Generator) -> Audio:
    """The scrape of pick or nails over the strings of an acoustic guitar or banjo, up to 10 kHz and more:
    of all a band plays, most like a hi-hat. Sampled notes hold little of it."""
    scrapes = [
        tones.noise_burst(rng, rng.uniform(2500, 9000), rng.uniform(0.6, 1.2), rng.uniform(0.008, 0.04))
        for _ in range(4)
    ]
    level = np.abs(track).max(initial=0.0) * 10 ** (rng.uniform(-26, -6) / 20)
    gap = rng.uniform(0.002, 0.012)  # from string to string
    out = track.copy()
    for event in events:
        for string in range(min(len(event.pitches), 6)):
            start = round((event.time + string * gap + rng.normal(0, 0.001)) * SAMPLE_RATE)
            part = scrapes[rng.integers(len(scrapes))][max(0, -start) : max(0, len(out) - start)]
            first = max(0, start)
            gain = level * event.velocity * rng.uniform(0.4, 1.0)
            out[first : first + len(part)] += np.float32(gain) * part
    return out


def _glide(rng: np.random.Generator) -> Audio:
    """Four seconds of playing rate along a note: scoop or bend at its start, vibrato growing after it."""
    time = np.arange(4 * SAMPLE_RATE, dtype=np.float32) / SAMPLE_RATE
    depth, speed = rng.uniform(0, 0.015), rng.uniform(4, 7)
    scoop = rng.choice([0.0, rng.uniform(-0.12, 0.02)]) * np.exp(-time / rng.uniform(0.02, 0.15))
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
) -> Audio:
    gap *= 0.6 if event.touch == "up" else 1.0
    delay, release = int(gap * SAMPLE_RATE), int(seconds[1] * SAMPLE_RATE)
    length = int(seconds[0] * SAMPLE_RATE) + delay * len(event.pitches) + release
    out = np.zeros(length, dtype=np.float32)
    for index, pitch in enumerate(event.pitches):
        tone = _tone(instrument, pitch + bend, length - index * delay, release, rng, glide)
        out[index * delay : index * delay + len(tone)] += tone * np.float32(rng.uniform(0.7, 1))
    if event.touch == "mute":
        out *= np.exp(
            np.arange(length, dtype=np.float32) * np.float32(-6.9 / (rng.uniform(0.1, 0.35) * SAMPLE_RATE))
        )
        keep = np.exp(-2 * np.pi * rng.uniform(500, 2500) / SAMPLE_RATE)
        out = lfilter([1 - keep], [1, -keep], out).astype(np.float32) * np.float32(2)
    elif event.touch == "dead":
        out *= np.exp(
            np.arange(length, dtype=np.float32) * np.float32(-6.9 / (rng.uniform(0.03, 0.09) * SAMPLE_RATE))
        )
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
    """One note of at most `length` samples, the last `release` fading; in octaves the instrument reaches."""
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
    """The note at `rate` times a contour of rates: the constant part by soxr, then OVERSAMPLED, so that
    linear interpolation along the contour loses less than 0.1 dB at 12 kHz."""
    position = np.cumsum(glide[:length], dtype=np.float64)
    needed = int(np.ceil(position[-1] * rate)) + 2 if len(position) else 0
    fine = retune(retune(to_float(note.audio[:needed]), rate), 1 / OVERSAMPLED)
    position *= OVERSAMPLED
    position = position[: int(np.searchsorted(position, len(fine) - 2))]
    index = position.astype(np.int64)
    part = (position - index).astype(np.float32)
    return fine[index] + part * (fine[index + 1] - fine[index])


def incidental(bank: NoteBank, song: Song, rng: np.random.Generator) -> Audio:
    """Noises of musicians and studios: a click track or count-in, squeaks, coughs, record scratches."""
    samples = round(song.seconds * SAMPLE_RATE)
    track = np.zeros(samples, dtype=np.float32)
    if rng.random() < 0.4:
        sound = bank.noise("beep" if rng.random() < 0.6 else "click", rng)
        last = song.seconds if rng.random() < 0.6 else song.start + 2 * song.bar
        times = [song.start + index * song.beat for index in range(int((last - song.start) / song.beat))]
        plan = [(time, sound) for time in times]
    else:
        kinds = rng.choice(
            ["squeak", "cough", "scratch", "pick", "breath", "click"], int(rng.integers(2, 14))
        )
        plan = [(float(rng.uniform(0, song.seconds)), bank.noise(str(kind), rng)) for kind in kinds]
    for time, sound in plan:
        start = round(time * SAMPLE_RATE)
        if 0 <= start < samples:
            part = sound[: samples - start]
            track[start : start + len(part)] += np.float32(rng.uniform(0.4, 1)) * part
    return track


def _loop(bank: NoteBank, samples: int, rng: np.random.Generator) -> Audio:
    """A stretch of a random clip, repeated where it is too short."""
    clip = bank.loops[int(rng.integers(len(bank.loops)))]
    start = int(rng.integers(len(clip)))
    return np.take(clip, np.arange(start, start + samples), mode="wrap") * np.float32(1 / 32_000)


def master(mix: Audio, song: Song, rng: np.random.Generator) -> Audio:
    """A room, ducking under the kick (electronic), soft overload, tone; then peak 0.9."""
    if song.kicks and rng.random() < (0.35 if song.style.name == "electronic" else 0.04):
        mix = mix * duck(len(mix), song.kicks, rng)
    if rng.random() < 0.4:
        mix = effects.room(mix, rng)
    if rng.random() < 0.3:
        mix = effects.saturate(mix, rng)
    if rng.random() < 0.4:  # records leave the top octave to the cymbals
        keep = np.exp(-2 * np.pi * rng.uniform(3000, 10_000) / SAMPLE_RATE)
        mix = lfilter([1 - keep], [1, -keep], mix)
    return full_scale(np.asarray(mix, dtype=np.float32))
