"""A singer: vowels from pulses through formants, vibrato and slides, and drum-like consonants.

Snares and hi-hats are mostly noise with an attack, and so are s, t, k and ch. A model trained without voices
detects drums in them. Therefore every sung line here starts syllables with them, often on the beat.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.band import parts
from data.band.config import BAND, BandConfig, SingerConfig
from data.band.events import Event, arrange
from data.band.notes import NoteBank
from data.band.song import Song
from data.dsp import tones
from data.dsp.tones import Audio
from mt3drum.config import SAMPLE_RATE

CONSONANTS = ("s", "sh", "f", "t", "k", "p", "ch")


def melody(song: Song, rng: np.random.Generator, config: BandConfig = BAND) -> list[Event]:
    """Compose a vocal part: a line, a line with a second voice, or speech."""
    singer = config.singer
    low = int(rng.choice(singer.lows))
    if rng.random() < singer.spoken:
        return speech(song.seconds, rng, low, singer)
    line = parts.lead(song, rng, config.parts, low, low + 15, rng.uniform(*singer.rest))
    line = arrange(line, song, rng, config.arrange)
    if rng.random() < singer.second:
        above = int(rng.choice(singer.intervals))
        line += [
            replace(
                event,
                time=event.time + rng.normal(0, 0.02),
                pitches=(event.pitches[0] + above,),
                velocity=0.6,
            )
            for event in line
        ]
    return line


def speech(
    seconds: float, rng: np.random.Generator, low: int, config: SingerConfig = BAND.singer
) -> list[Event]:
    """Speech from the MIDI note `low` upwards: phrases with falling pitch, and pauses for breath."""
    events: list[Event] = []
    time, drift = float(rng.uniform(0, 1)), 8.0
    while time < seconds:
        length = float(rng.uniform(*config.syllable))
        events.append(
            Event(time, (low + round(drift + rng.normal(0, 1.5)),), length * 0.8, rng.uniform(0.5, 1))
        )
        drift -= 0.7
        time += length
        if drift < 0 or rng.random() < config.pause:
            time, drift = time + float(rng.uniform(*config.pause_seconds)), 8.0
    return events


@dataclass(frozen=True)
class Singer:
    """The parameters of one voice."""

    size: float
    """Formant frequencies relative to a man's."""
    tilt: float
    """Spectral slope of the source."""
    vibrato: float
    """Depth, relative to the frequency."""
    rate: float
    """Vibrato rate in Hz."""
    breath: float
    """Noise relative to the tone."""
    harshness: float
    """Drive of the overload; 0: none."""
    consonants: float
    """Loudness of consonants."""
    articulation: float
    """Probability that a syllable starts with a consonant."""

    @classmethod
    def draw(cls, rng: np.random.Generator, config: SingerConfig) -> "Singer":
        """Draw a random singer, from a clear voice to a scream."""
        harsh = rng.random() < config.harsh
        return cls(
            harshness=rng.uniform(*config.harshness) if harsh else 0.0,
            size=rng.uniform(*config.size),
            tilt=rng.uniform(*config.tilt),
            vibrato=rng.uniform(*config.vibrato),
            rate=rng.uniform(*config.vibrato_rate),
            breath=rng.uniform(*config.breath),
            consonants=rng.uniform(*config.consonants),
            articulation=rng.uniform(*config.articulation),
        )


def sing(
    events: Sequence[Event],
    bank: NoteBank,
    samples: int,
    rng: np.random.Generator,
    config: SingerConfig = BAND.singer,
) -> Audio:
    """Sing a melody, one syllable per event: float32 [samples]; consonants are noises of the bank."""
    track = np.zeros(samples, dtype=np.float32)
    singer = Singer.draw(rng, config)
    previous = 0.0
    for event in events:
        start = round(event.time * SAMPLE_RATE)
        if not event.pitches or start < 0 or start >= samples:
            continue
        frequency = 440.0 * 2 ** ((event.pitches[0] - 69) / 12)
        sliding = previous and rng.random() < config.legato
        slide = (previous if sliding else frequency * (1 + rng.normal(0, config.scoop))) / frequency - 1
        syllable = _syllable(singer, frequency, slide, event.seconds, samples - start, rng, config)
        track[start : start + len(syllable)] += np.float32(event.velocity * 0.5) * syllable
        previous = frequency
        if rng.random() < singer.articulation:
            sound = bank.noise(str(rng.choice(CONSONANTS)), rng)
            early = start - int(rng.uniform(0, 0.9) * len(sound))
            sound = sound[max(0, -early) : samples - early]
            early = max(0, early)
            track[early : early + len(sound)] += (
                np.float32(singer.consonants * rng.uniform(*config.consonant_level)) * sound
            )
    return track


def _syllable(
    singer: Singer,
    frequency: float,
    slide: float,
    seconds: float,
    most: int,
    rng: np.random.Generator,
    config: SingerConfig,
) -> Audio:
    """A vowel gliding into another (diphthong); the pitch slides in from (1 + slide) * frequency."""
    count = min(most, int((seconds + 0.05) * SAMPLE_RATE))
    time = np.arange(count, dtype=np.float32) / SAMPLE_RATE
    wobble = singer.vibrato * np.minimum(1, time / 0.3) * np.sin(2 * np.pi * singer.rate * time)
    contour = frequency * (1 + wobble + slide * np.exp(-time / rng.uniform(*config.slide_seconds)))
    first, second = (str(name) for name in rng.choice(list(tones.FORMANTS), 2))
    one = tones.cycle(tones.vowel_amplitudes(frequency, first, singer.size, singer.tilt))
    two = tones.cycle(tones.vowel_amplitudes(frequency, second, singer.size, singer.tilt))
    place = (np.cumsum(contour, dtype=np.float64) * (tones.TABLE_SIZE / SAMPLE_RATE)).astype(np.int64)
    place &= tones.TABLE_SIZE - 1
    blend = np.clip(np.linspace(-1, 2, count, dtype=np.float32), 0, 1)
    out = one[place] * (1 - blend) + two[place] * blend
    if singer.breath:
        out += np.float32(singer.breath) * rng.standard_normal(count, dtype=np.float32)
    if singer.harshness:
        out = np.tanh(out * np.float32(singer.harshness))
    rise = rng.uniform(*config.attack)
    return (out * np.minimum(1, time / rise) * np.clip((seconds + 0.05 - time) / 0.05, 0, 1)).astype(
        np.float32
    )
