"""What the players of a backing band share: style, tempo, bar lines, key, chords."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data.band.config import BAND, SongConfig

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "harmonic": (0, 2, 3, 5, 7, 8, 11),
}
PROGRESSIONS = (
    (0, 4, 5, 3),
    (0, 5, 3, 4),
    (0, 3, 4, 3),
    (0, 0, 3, 4),
    (1, 4, 0, 0),
    (0, 6, 5, 4),
    (0, 3, 0, 4),
    (0, 0, 0, 0),
    (5, 3, 0, 4),
    (0, 2, 3, 3),
    (0, 3, 6, 2),
    (0, 0, 5, 6),
)
"""Scale degrees of four bars, common in rock, pop, jazz (two-five-one) and funk (one chord)."""


@dataclass(frozen=True)
class Style:
    """Typical choices of a style of music."""

    name: str
    parts: Mapping[str, float]
    """Part -> probability that it plays."""
    swing: float = 0.1
    """Probability of swung or triplet time."""
    sevenths: float = 0.1
    """Probability of four-note chords."""
    drive: float = 0.3
    """Probability of an overdriven guitar."""
    bass: tuple[str, ...] = ("follow", "eighths", "riff", "held")
    weight: float = 1.0
    """Probability weight of the style."""


STYLES: tuple[Style, ...] = (
    Style(
        "rock",
        {"bass": 0.9, "riff": 0.6, "strum": 0.6, "lead": 0.3, "voice": 0.6, "comp": 0.2, "pad": 0.15},
        swing=0.08,
        drive=0.75,
        weight=2.0,
    ),
    Style(
        "punk",
        {"bass": 0.9, "chug": 0.9, "strum": 0.5, "voice": 0.6, "lead": 0.2},
        swing=0.0,
        drive=0.95,
        bass=("eighths", "follow"),
        weight=1.2,
    ),
    Style(
        "metal",
        {"bass": 0.8, "chug": 0.9, "riff": 0.8, "lead": 0.4, "voice": 0.3, "pad": 0.1},
        swing=0.05,
        drive=1.0,
        bass=("follow", "eighths", "riff"),
        weight=1.2,
    ),
    Style(
        "pop",
        {"bass": 0.85, "comp": 0.6, "strum": 0.4, "pad": 0.4, "voice": 0.8, "arpeggio": 0.4, "stabs": 0.15},
        sevenths=0.3,
        drive=0.2,
        bass=("follow", "eighths", "octaves", "held"),
        weight=1.5,
    ),
    Style(
        "funk",
        {"bass": 0.95, "scratch": 0.7, "stabs": 0.6, "comp": 0.5, "voice": 0.4, "riff": 0.3},
        swing=0.15,
        sevenths=0.7,
        drive=0.1,
        bass=("riff", "follow", "octaves", "slap"),
    ),
    Style(
        "jazz",
        {"bass": 0.9, "comp": 0.8, "lead": 0.8, "stabs": 0.2, "voice": 0.15},
        swing=0.8,
        sevenths=0.9,
        drive=0.02,
        bass=("walking", "walking", "held"),
    ),
    Style(
        "country",
        {"bass": 0.85, "strum": 0.8, "picking": 0.7, "voice": 0.7, "lead": 0.4, "comp": 0.2},
        swing=0.25,
        drive=0.1,
        bass=("two", "follow", "walking"),
        weight=1.2,
    ),
    Style(
        "reggae",
        {"bass": 0.95, "skank": 0.95, "comp": 0.3, "voice": 0.6, "stabs": 0.3, "scratch": 0.2},
        swing=0.35,
        sevenths=0.3,
        drive=0.05,
        bass=("riff", "sparse"),
    ),
    Style(
        "electronic",
        {"bass": 0.8, "arpeggio": 0.6, "pad": 0.6, "stabs": 0.5, "lead": 0.4, "voice": 0.25},
        swing=0.05,
        sevenths=0.4,
        drive=0.1,
        bass=("offbeat", "eighths", "octaves", "riff", "held"),
    ),
    Style(
        "ballad",
        {"bass": 0.7, "arpeggio": 0.6, "comp": 0.5, "pad": 0.6, "voice": 0.8, "picking": 0.3},
        swing=0.15,
        sevenths=0.4,
        drive=0.05,
        bass=("held", "two", "follow"),
    ),
    Style(
        "blues",
        {"bass": 0.9, "strum": 0.4, "comp": 0.5, "lead": 0.7, "voice": 0.4, "riff": 0.4},
        swing=0.7,
        sevenths=0.6,
        drive=0.4,
        bass=("walking", "eighths", "follow"),
    ),
    Style(
        "alone",
        {"strum": 1, "picking": 1, "comp": 1, "bass": 1, "voice": 1, "chug": 1, "scratch": 1},
        swing=0.2,
        sevenths=0.3,
        drive=0.3,
        weight=0.5,
    ),
)
_SHARES = np.array([style.weight for style in STYLES]) / sum(style.weight for style in STYLES)


@dataclass(frozen=True)
class Song:
    """What the players of one clip share."""

    seconds: float
    beat: float
    """Seconds per quarter note."""
    start: float
    """Time of a bar line, at most 0."""
    beats: int
    """Beats per bar."""
    division: int
    """Grid steps per beat: 4, or 3 in triplet time."""
    swing: float
    """0..0.17: delay of the off-beat eighth in beats."""
    root: int
    """Pitch class of the key."""
    scale: tuple[int, ...]
    chords: tuple[int, ...]
    """Scale degree of each bar, cyclic."""
    sevenths: bool
    style: Style
    kicks: tuple[float, ...] = ()

    @property
    def bar(self) -> float:
        return self.beats * self.beat

    @property
    def steps(self) -> int:
        """Grid steps per bar."""
        return self.beats * self.division

    def time(self, step: int) -> float:
        """Time in seconds of a grid step counted from the bar line at `start`, with swing."""
        whole, part = divmod(step, self.division)
        position = part / self.division
        if self.division == 4:
            middle = 0.5 + self.swing
            position = (
                position * 2 * middle if position < 0.5 else middle + (position - 0.5) * 2 * (1 - middle)
            )
        return self.start + (whole + position) * self.beat

    def bars(self) -> range:
        """Indices of the bars that overlap the clip."""
        return range(int(np.ceil((self.seconds - self.start) / self.bar)))

    def degree(self, time: float) -> int:
        """Scale degree of the chord at a time."""
        return self.chords[int((time - self.start) // self.bar) % len(self.chords)]

    def pitch(self, degree: int, centre: int) -> int:
        """Pitch of a scale degree in the octave around `centre` (degrees beyond the octave are higher)."""
        base = self.root + self.scale[degree % len(self.scale)]
        return base + 12 * round((centre - base) / 12)

    def chord(self, time: float, centre: int) -> tuple[int, ...]:
        """Chord tones around `centre`, in rising order."""
        degree = self.degree(time)
        tones = (0, 2, 4, 6) if self.sevenths else (0, 2, 4)
        return tuple(sorted(self.pitch(degree + tone, centre) for tone in tones))

    def guitar_chord(self, time: float, power: bool) -> tuple[int, ...]:
        """A guitar voicing: root, fifth, octave; plus third and fifth above unless a power chord."""
        low = self.pitch(self.degree(time), 45)
        if power:
            return (low, low + 7, low + 12)
        degree = self.degree(time)
        third, fifth = self.pitch(degree + 2, low + 15), self.pitch(degree + 4, low + 19)
        seventh = (self.pitch(degree + 6, low + 22),) if self.sevenths else ()
        return (low, low + 7, low + 12, third, fifth, *seventh)


def compose(
    rng: np.random.Generator,
    seconds: float,
    bpm: float,
    kicks: Sequence[float],
    config: SongConfig = BAND.song,
) -> Song:
    """Draw a song for these drums; bars start on the beat with most kicks, occasionally anywhere."""
    style = STYLES[int(rng.choice(len(STYLES), p=_SHARES))]
    if rng.random() < config.other_tempo:
        bpm = float(rng.uniform(*config.tempo))
    while bpm > 200:
        bpm /= 2
    beat = 60.0 / max(bpm, 35.0)
    beats = int(rng.choice(config.beats))
    triplets = rng.random() < style.swing
    swing = float(rng.uniform(*config.swing)) if rng.random() < style.swing else 0.0
    fitting = rng.random() < config.in_bars
    phase = bar_phase(kicks, beat, beats, rng) if fitting else float(rng.uniform(0, beat * beats))
    return Song(
        seconds=seconds,
        beat=beat,
        start=phase - beat * beats,
        beats=beats,
        division=3 if triplets and rng.random() < config.triplets else 4,
        swing=swing,
        root=int(rng.integers(12)),
        scale=SCALES[str(rng.choice(list(SCALES)))],
        chords=PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))],
        sevenths=bool(rng.random() < style.sevenths),
        style=style,
        kicks=tuple(float(time) for time in kicks if 0 <= time < seconds),
    )


def bar_phase(kicks: Sequence[float], beat: float, beats: int, rng: np.random.Generator) -> float:
    """Time in [0, bar) of a bar line: the beat grid that best fits the kicks (circular mean), at its busiest
    beat."""
    if len(kicks) < 2:
        return float(rng.uniform(0, beat * beats))
    times = np.asarray(kicks, dtype=np.float64)
    phase = float(np.angle(np.exp(2j * np.pi * times / beat).sum()) / (2 * np.pi) * beat) % beat
    number = np.round((times - phase) / beat)
    on_beat = np.abs(times - phase - number * beat) < 0.15 * beat
    votes = np.bincount(number[on_beat].astype(int) % beats, minlength=beats) + rng.uniform(0, 0.5, beats)
    return phase + beat * int(np.argmax(votes))
