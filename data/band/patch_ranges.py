"""The sounds of a synthesiser: ranges from which `data.band.patches` draws a patch, by its role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

Range = tuple[float, float]


@dataclass(frozen=True)
class PatchRanges:
    """Distribution of a patch: (low, high), sampled logarithmically unless stated otherwise."""

    shapes: Mapping[str, float]
    """Oscillator -> weight."""
    attack: Range = (0.0005, 0.02)
    """Seconds; the attacks that the model took for strokes."""
    decay: Range = (0.03, 0.8)
    """Seconds to decay by 60 dB towards the sustain level; drums decay as fast."""
    sustain: Range = (0.0, 0.0)
    """Level held after the decay, sampled uniformly; 0 for plucks."""
    release: Range = (0.005, 0.06)
    """Seconds of the fade at the end of a note."""
    bright: Range = (1500.0, 14_000.0)
    """Low-pass cutoff at the attack in Hz: dull to open."""
    dark: Range = (150.0, 4000.0)
    """Low-pass cutoff after the sweep in Hz; at most the bright one."""
    sweep: Range = (0.02, 0.8)
    """Seconds in which the filter closes: the "wow" of an envelope."""
    resonance: Range = (0.0, 6.0)
    """Gain of the harmonics at the cutoff, sampled uniformly; 6 is near self-oscillation."""
    voices: Sequence[int] = (1, 1, 2, 3)
    """Choices for the number of detuned copies."""
    detune: Range = (3.0, 25.0)
    """Cents between the outermost copies."""
    drive: Range = (1.0, 12.0)
    """Gain into tanh, for the overdriven sine and, with probability `driven`, any other oscillator."""
    driven: float = 0.2
    """Probability of overdrive after the filter."""
    bent: float = 0.15
    """Probability of a fast pitch sweep at the attack."""
    bend: Range = (-12.0, 12.0)
    """Semitones of that sweep, sampled uniformly; more than an octave would be an electronic tom."""
    bend_seconds: Range = (0.005, 0.06)
    """Seconds of that sweep."""
    click: float = 0.15
    """Probability of a key click at the attack."""
    click_level: Range = (0.05, 0.6)
    """Peak of the click relative to the note: a pick or key, not a stick."""
    vibrato: Range = (0.0, 0.0)
    """Depth in semitones, sampled uniformly."""
    floor: int = 28
    """Lowest MIDI note."""
    tuned: bool = False
    """Whether low round notes may decay like a kick, because they play a melody."""


PLUCK = PatchRanges({"saw": 3, "square": 3, "sine": 2, "fm": 2, "noise": 0.7, "formant": 0.5})
STAB = PatchRanges(
    {"saw": 4, "square": 2, "fm": 1.5, "organ": 1.5}, decay=(0.08, 1.0), voices=(1, 2, 3, 5), floor=40
)
PAD = PatchRanges(
    {"saw": 4, "square": 1.5, "organ": 1, "formant": 1.5},
    attack=(0.02, 0.6),
    decay=(0.5, 3.0),
    sustain=(0.5, 1.0),
    release=(0.05, 0.4),
    sweep=(0.2, 3.0),
    voices=(2, 3, 5, 7),
    detune=(8, 40),
    bent=0.0,
    click=0.0,
    floor=40,
)
REESE = PatchRanges(
    {"saw": 4, "square": 1},
    attack=(0.002, 0.03),
    decay=(0.5, 2.0),
    sustain=(0.6, 1.0),
    bright=(300, 3000),
    dark=(100, 800),
    voices=(2, 2, 3),
    detune=(15, 60),
    driven=0.5,
    bent=0.05,
)
SUB = PatchRanges(
    {"sine": 1},
    attack=(0.001, 0.012),
    decay=(0.5, 3.0),
    sustain=(0.2, 0.8),
    release=(0.03, 0.15),
    drive=(1.0, 6.0),
    voices=(1,),
    bent=0.0,
    click=0.6,
    click_level=(0.05, 0.3),
)
"""The "808" bass: long, without a sweep (which would make it a kick), often with a click at its attack."""
SWEPT_SUB = replace(
    SUB,
    decay=(0.6, 3.0),
    sustain=(0.3, 0.9),
    bent=1.0,
    bend=(10.0, 36.0),
    bend_seconds=(0.012, 0.06),
    click=0.3,
)
"""The same with the pitch sweep of a kick, but longer than a kick."""
ZAP = PatchRanges(
    {"sine": 3, "fm": 2, "square": 2, "saw": 1},
    attack=(0.0005, 0.006),
    decay=(0.08, 0.5),
    bright=(1500.0, 14_000.0),
    bent=1.0,
    bend=(12.0, 40.0),
    bend_seconds=(0.008, 0.08),
    click=0.3,
    voices=(1,),
    tuned=True,
)
"""Plucks whose pitch falls by one to three octaves: sequenced blips, lasers and thumps."""
BASS = PatchRanges(
    {"saw": 4, "square": 3, "sine": 1, "fm": 2},
    decay=(0.06, 0.6),
    sustain=(0.0, 0.5),
    bright=(300, 5000),
    dark=(80, 1200),
    driven=0.35,
)
ACID = PatchRanges(
    {"saw": 3, "square": 2},
    decay=(0.1, 0.5),
    sustain=(0.0, 0.4),
    bright=(700, 5000),
    dark=(120, 600),
    sweep=(0.05, 0.4),
    resonance=(4.0, 14.0),
    voices=(1,),
    driven=0.6,
    bent=0.0,
    floor=33,
)
CHOP = PatchRanges(
    {"formant": 1},
    attack=(0.003, 0.04),
    decay=(0.1, 1.2),
    sustain=(0.0, 0.9),
    release=(0.005, 0.03),
    bent=0.4,
    bend=(-7.0, 7.0),
    bend_seconds=(0.02, 0.15),
    vibrato=(0.0, 0.3),
    click=0.0,
    floor=45,
)
LEAD = PatchRanges(
    {"saw": 3, "square": 2, "fm": 1, "sine": 1},
    decay=(0.3, 2.0),
    sustain=(0.3, 0.9),
    vibrato=(0.0, 0.4),
    floor=50,
)
