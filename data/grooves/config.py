"""Settings of generated takes and their variations."""

from __future__ import annotations

from dataclasses import dataclass, field

Range = tuple[float, float]


@dataclass(frozen=True)
class FillConfig:
    """Fills and crashes (`data.grooves.bars`)."""

    divisions: tuple[int, ...] = (2, 3, 4, 4, 4, 6, 8)
    """Strokes per beat, sampled uniformly: eighths to thirty-seconds."""
    rims: float = 0.25
    """Probability of a fill with rims."""
    rim: float = 0.5
    """Share of rims in such a fill."""
    snare_alone: float = 0.2
    """Probability of a fill on the snare only."""
    scattered: float = 0.35
    """Probability of drums in random order rather than around the kit."""
    growing: float = 0.5
    """Probability that it gets louder."""
    left_out: float = 0.12
    """Share of strokes omitted."""
    kicked: float = 0.12
    """Share of strokes played on the kick."""
    graced: float = 0.06
    """Share of strokes with a grace note."""
    velocities: tuple[int, ...] = (70, 95, 115)
    """Velocities of fills that do not get louder, sampled uniformly."""
    crash: Range = (85.0, 125.0)
    """Velocity of a crash."""
    crash_kicked: float = 0.8
    """Probability of a kick under a crash."""
    crash_doubled: float = 0.1
    """Probability of two crashes at once."""


@dataclass(frozen=True)
class BarConfig:
    """What is played in a section (`data.grooves.bars`)."""

    part_missing: float = 0.08
    """Probability that a part of the groove rests."""
    takes_over: float = 0.6
    """Probability that a featured class replaces a suitable part."""
    own_line: float = 0.8
    """Probability that it otherwise gets a line of its own."""
    optional: float = 0.5
    """Share of optional strokes omitted."""
    left_out: float = 0.02
    """Share of all strokes omitted."""
    tom_heads: float = 0.8
    """Share of heads among strokes on toms; the others are rims."""


@dataclass(frozen=True)
class HandsConfig:
    """How precisely a take is played (`data.grooves.patterns.generate`)."""

    tight: float = 0.85
    """Probability of a player with tight timing."""
    tight_spread: Range = (0.0, 0.012)
    """Standard deviation of such a player's timing in seconds."""
    loose_spread: Range = (0.012, 0.03)
    """Standard deviation of the other players' timing in seconds."""
    velocity_spread: Range = (2.0, 14.0)
    """Standard deviation of the velocity."""
    scale: Range = (0.92, 0.2)
    """Factor on velocities: mean and standard deviation."""
    scale_limits: Range = (0.4, 1.2)
    drift: Range = (0.0, 0.012)
    """Tempo drift in seconds."""
    grace_gap: Range = (0.022, 0.045)
    """Seconds from a grace note to its stroke."""
    grace_level: Range = (0.3, 0.6)
    """Velocity of a grace note relative to its stroke."""


@dataclass(frozen=True)
class TakeConfig:
    """A generated take (`data.grooves.patterns.generate`)."""

    kinds: tuple[float, ...] = (0.66, 0.14, 0.08, 0.04, 0.04, 0.04)
    """Probability of grooves, random rhythms, solos, percussion, swells and sparse takes."""
    tempo_spread: Range = (0.92, 1.08)
    """Tempo of a groove relative to its usual one."""
    featured: tuple[int, int] = (1, 5)
    """Number of rare classes that are featured; the upper end is excluded."""
    sections: tuple[int, ...] = (1, 2, 4, 4, 8)
    """Bars per section, sampled uniformly."""
    fill: float = 0.65
    """Probability of a fill at its end."""
    fill_beats: tuple[float, ...] = (0.5, 1, 1, 2, 2)
    """Beats of a fill, sampled uniformly, or a whole bar."""
    crash: float = 0.6
    """Probability of a crash at its beginning."""
    playable: float = 0.75
    """Probability that at most two hands play."""
    random_tempo: Range = (60.0, 200.0)
    """Beats per minute of random rhythms."""
    random_density: Range = (0.1, 0.45)
    """Share of steps on which a class is struck."""
    random_free: float = 0.3
    """Probability that they leave the grid."""
    random_wander: Range = (0.0, 0.5)
    """Deviation from the grid in steps."""
    random_loud: Range = (60.0, 105.0)
    """Mean velocity."""
    random_spread: float = 25.0
    """Standard deviation of the velocity."""
    solo_tempo: Range = (70.0, 170.0)
    solo_fill: float = 0.85
    """Probability that a phrase of a solo is a fill rather than a rest."""
    solo_crash: float = 0.4
    """Probability of a crash after it."""
    percussion_tempo: Range = (70.0, 150.0)
    slow_tempo: Range = (60.0, 120.0)
    """Beats per minute of swells and sparse takes."""
    swell_cymbals: float = 0.6
    """Share of cymbals among swelling rolls; the others are on toms and snare."""
    swell_low: Range = (12.0, 40.0)
    """Velocity at the start of a roll."""
    swell_high: Range = (70.0, 120.0)
    """Velocity at its end."""
    bars: BarConfig = field(default_factory=BarConfig)
    fills: FillConfig = field(default_factory=FillConfig)
    hands: HandsConfig = field(default_factory=HandsConfig)


@dataclass(frozen=True)
class VaryConfig:
    """Variations of a take (`data.grooves.variations.vary`)."""

    stretched: float = 0.8
    """Probability of another tempo."""
    stretch: Range = (0.75, 1.3)
    """Factor on times."""
    substituted: float = 0.45
    """Probability of substitutions."""
    swap: float = 0.3
    """Probability of each substitution in that case."""
    washed: float = 0.22
    """Probability that timekeeping moves to a crash or open hi-hat."""
    wash_anchored: float = 0.5
    """Probability that they are struck only together with kick and snare."""
    wash_louder: Range = (0.0, 45.0)
    """Added velocity."""
    doubled: float = 0.12
    """Probability of a tom with every loud snare stroke."""
    doubled_floor: float = 0.7
    """Share of floor toms among these."""
    doubled_kick: float = 0.5
    """Probability of an additional kick."""
    side_stick: float = 0.08
    """Probability of cross-stick instead of the snare."""
    no_time: float = 0.06
    """Probability of a song without hi-hat and ride."""
    thinned: float = 0.15
    """Probability that a class is omitted or thinned."""
    thinned_out: float = 0.5
    """Probability that it is omitted rather than thinned."""
    thinned_share: float = 0.5
    """Share of strokes that thinning removes."""
    scale: Range = (0.7, 1.2)
    """Factor on velocities."""
    width: Range = (0.5, 1.2)
    """Factor on the deviation of velocities from their mean."""
    accompanied: float = 0.15
    """Probability of tambourine, shaker, clap or cowbell playing along."""
    accompanied_aux1: float = 0.75
    """Share of tambourine, shaker and clap among these."""
    accompanied_loud: Range = (50.0, 110.0)
    """Velocity on the beat."""
    accompanied_off: float = 0.75
    """Velocity factor off the beat."""


TAKES = TakeConfig()
VARIATIONS = VaryConfig()
