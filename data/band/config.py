"""Settings of a backing band: song, parts, singer, players and mix."""

from __future__ import annotations

from dataclasses import dataclass, field

Range = tuple[float, float]


@dataclass(frozen=True)
class SongConfig:
    """What the players share (`data.band.song.compose`)."""

    other_tempo: float = 0.06
    """Probability of a tempo other than that of the drums."""
    tempo: Range = (60.0, 190.0)
    """Range of that tempo in beats per minute."""
    beats: tuple[int, ...] = (4, 4, 4, 4, 4, 3, 6, 7)
    """Beats per bar, sampled uniformly."""
    swing: Range = (0.05, 0.17)
    """Delay of a swung off-beat in beats."""
    in_bars: float = 0.88
    """Probability that bars start on the beat with most kicks; other bars start at random."""
    triplets: float = 0.5
    """Share of triplet time in swung styles."""


@dataclass(frozen=True)
class ArrangeConfig:
    """Structure of a part (`data.band.events.arrange`)."""

    late: float = 0.12
    """Probability that the part enters late."""
    early: float = 0.12
    """Probability that the part ends early."""
    resting: float = 0.1
    """Probability that the part rests for some bars."""
    played: float = 0.6
    """Share of bars played by such a part."""


@dataclass(frozen=True)
class PartsConfig:
    """What the parts play (`data.band.parts`). `left_out` and its variants are shares of a bar's pattern."""

    left_out: float = 0.1
    """Share of omitted steps for most parts."""
    steady: float = 0.03
    """Share omitted by basses and palm-muted guitars, which keep time."""
    steadiest: float = 0.02
    """Share omitted by off-beat basses and gallops."""
    sure: float = 0.05
    """Share omitted by held basses, scratches and irregular palm mutes."""
    loose: float = 0.08
    """Share omitted by arpeggios and finger picking."""
    velocity: Range = (0.6, 1.0)
    """Gain of a note of keys, arpeggios, picking and melodies."""
    firm: Range = (0.7, 1.0)
    """Gain of a short chord."""
    firmest: Range = (0.75, 1.0)
    """Gain of a note of bass and riff."""
    bass_lengths: tuple[float, ...] = (0.4, 0.75, 0.95, 1.0)
    """Length of bass notes relative to the gap, sampled uniformly."""
    bass_moves: tuple[int, ...] = (0, 0, 0, 0, 4, 2, -3, 7)
    """Scale steps from the chord's root, sampled uniformly."""
    bass_density: Range = (0.25, 0.5)
    """Density of a riff."""
    bass_sparse: float = 0.2
    """Density of a sparse bass."""
    bass_held_whole: float = 0.6
    """Probability that a held note lasts a whole bar rather than half."""
    walking_approach: float = 0.3
    """Probability of a semitone approach to the next chord."""
    slap_octave: float = 0.35
    """Probability of an octave jump."""
    slap_dead: float = 0.25
    """Probability of a dead note."""
    strum_power: float = 0.3
    """Probability of power chords."""
    strum_sixteenths: float = 0.5
    """Probability of sixteenths if the tempo allows them."""
    strum_upbeats: float = 0.6
    """Probability of each stroke between beats."""
    strum_accents: Range = (0.45, 1.0)
    strum_dead: tuple[float, ...] = (0.0, 0.0, 0.2)
    """Share of dead strokes, sampled uniformly."""
    skank_offbeats: float = 0.6
    """Probability of playing all off-beats; otherwise beats two and four."""
    skank_left_out: float = 0.04
    skank_length: Range = (0.05, 0.15)
    """Note length in seconds."""
    scratch_live: Range = (0.1, 0.4)
    """Share of strokes that sound a chord."""
    scratch_played: Range = (0.5, 1.0)
    """Share of sixteenths that are played."""
    scratch_accents: Range = (0.3, 1.0)
    chug_ring: Range = (0.0, 0.4)
    """Share of chords that ring."""
    chug_single: float = 0.5
    """Share of single notes among the muted ones."""
    riff_density: Range = (0.3, 0.6)
    riff_chords: Range = (0.0, 0.8)
    """Share of power chords."""
    riff_mutes: Range = (0.0, 0.6)
    """Share of palm-muted notes."""
    riff_pedal: float = 0.5
    """Probability that a riff stays on the tonic, whatever the chord."""
    riff_moves: tuple[int, ...] = (0, 0, 0, 2, 3, 4, 6, -1)
    """Scale steps, sampled uniformly."""
    comp_length: Range = (0.2, 1.0)
    """Note length relative to the gap."""
    stab_density: float = 0.15
    stab_length: Range = (0.08, 0.35)
    """Note length in seconds."""
    stab_left_out: float = 0.3
    """Share of stabs omitted."""
    arpeggio_sixteenths: float = 0.5
    """Probability of sixteenths if the tempo allows them."""
    arpeggio_length: Range = (0.8, 3.0)
    """Note length relative to the gap: detached to ringing."""
    lead_moves: tuple[int, ...] = (-2, -1, -1, 0, 1, 1, 2, 4)
    """Scale steps from note to note, sampled uniformly."""
    lead_length: Range = (0.5, 1.0)
    """Note length relative to the gap."""


@dataclass(frozen=True)
class SingerConfig:
    """A singer or speaker (`data.band.voice`)."""

    lows: tuple[int, ...] = (43, 48, 53, 58, 62)
    """Lowest MIDI note of a voice, sampled uniformly: bass to alto."""
    spoken: float = 0.15
    """Probability of speech instead of singing."""
    rest: Range = (0.15, 0.5)
    """Share of rests in a melody."""
    second: float = 0.25
    """Probability of a second voice."""
    intervals: tuple[int, ...] = (3, 4, 5, 7, 12, -12)
    """Intervals of the second voice in semitones, sampled uniformly."""
    syllable: Range = (0.1, 0.28)
    """Length of a spoken syllable in seconds: four to seven per second with consonants."""
    pause: float = 0.08
    """Probability of a pause after a syllable."""
    pause_seconds: Range = (0.2, 1.2)
    size: Range = (0.95, 1.3)
    """Formant frequencies relative to a man's."""
    tilt: Range = (0.2, 1.0)
    """Spectral slope of the source."""
    vibrato: Range = (0.0, 0.018)
    """Depth, relative to the frequency."""
    vibrato_rate: Range = (4.5, 6.5)
    """Hz."""
    breath: Range = (0.0, 0.06)
    """Noise relative to the tone."""
    harsh: float = 0.35
    """Probability of a harsh voice."""
    harshness: Range = (1.0, 12.0)
    """Drive of its overload, from a growl to a scream."""
    consonants: Range = (0.15, 1.0)
    """Loudness of consonants."""
    consonant_level: Range = (0.15, 0.4)
    """Level of a single consonant relative to that."""
    articulation: Range = (0.3, 1.0)
    """Probability that a syllable starts with a consonant."""
    legato: float = 0.5
    """Probability that a note slides from the previous one."""
    scoop: float = 0.04
    """Standard deviation of the relative frequency from which other notes slide."""
    slide_seconds: Range = (0.02, 0.12)
    attack: Range = (0.008, 0.06)
    """Attack in seconds."""


@dataclass(frozen=True)
class PlayerConfig:
    """How notes are played (`data.band.play.perform`)."""

    strum_gap: Range = (0.003, 0.02)
    """Seconds between strings."""
    detuned: float = 0.05
    """Standard deviation of an instrument's tuning in semitones."""
    slow_pad: float = 0.6
    """Probability that a pad fades in."""
    pad_attack: Range = (0.05, 0.4)
    """Attack of a pad in seconds."""
    short: float = 0.5
    """Probability of short releases."""
    short_release: Range = (0.03, 0.12)
    """Short release in seconds."""
    long_release: Range = (0.1, 0.5)
    """Long release in seconds."""
    note_level: Range = (0.7, 1.0)
    """Level of the notes of a chord."""
    mute_ring: Range = (0.1, 0.35)
    """Decay of a palm-muted note in seconds to -60 dB."""
    mute_low_pass: Range = (500.0, 2500.0)
    """Low-pass of a palm-muted note in Hz."""
    dead_ring: Range = (0.03, 0.09)
    """Decay of a hand-muted string in seconds to -60 dB."""
    vibrato: Range = (0.0, 0.015)
    """Depth, relative to the frequency."""
    vibrato_rate: Range = (4.0, 7.0)
    """Hz."""
    scoop: Range = (-0.12, 0.02)
    """Relative frequency from which half of the players slide into a note."""
    scoop_seconds: Range = (0.02, 0.15)
    scrape_hertz: Range = (2500.0, 9000.0)
    """Centre frequency of a plectrum's scrape in Hz."""
    scrape_octaves: Range = (0.6, 1.2)
    scrape_seconds: Range = (0.008, 0.04)
    scrape_level: Range = (-26.0, -6.0)
    """Level in dB relative to the strings' peak."""
    scrape_gap: Range = (0.002, 0.012)
    """Seconds between strings."""
    scrape_gain: Range = (0.4, 1.0)
    """Gain of a single string."""


@dataclass(frozen=True)
class BandConfig:
    """Line-up, levels and mix (`data.band.play`)."""

    least: tuple[float, ...] = (0.06, 0.14, 0.3, 0.35, 0.15)
    """Probability of at least one, two, three, four or five parts."""
    doubled: float = 0.35
    """Probability that a guitar is double-tracked."""
    level: Range = (-9.0, 3.0)
    """Level of a part in dB."""
    bass_level: float = 2.0
    """Additional level of the bass in dB."""
    voice_level: float = 4.0
    """Additional level of the voice in dB, because it carries the song."""
    looped: float = 0.1
    """Probability of a recorded clip beside the parts, if the bank has one."""
    incidental: float = 0.12
    """Probability of studio and player noises."""
    incidental_level: Range = (-14.0, -2.0)
    """Their level in dB."""
    tight: float = 0.4
    """Probability of a player with tight timing."""
    tight_spread: float = 0.003
    """Standard deviation of such a player's timing in seconds."""
    spread: Range = (0.003, 0.018)
    """Standard deviation of the other players' timing."""
    driven: float = 0.12
    """Probability of overdrive on melody, bass and keys."""
    driven_most: float = 25.0
    """Their maximum gain in dB; guitars use `PedalConfig.drive`."""
    plectrum: float = 0.6
    """Probability of plectrum or nail noise on a clean guitar."""
    wah: float = 0.15
    """Probability of a wah or phaser on parts that allow one."""
    chorus: float = 0.25
    """Probability of a chorus or second take."""
    click_track: float = 0.4
    """Share of click tracks and count-ins among the incidental noises."""
    click_beeps: float = 0.6
    """Share of them that beep; the others click."""
    click_throughout: float = 0.6
    """Share of them that run throughout; the others count in two bars."""
    noises: tuple[int, int] = (2, 14)
    """Range of the number of other noises in a clip; the upper end is excluded."""
    ducked: float = 0.04
    """Probability that the kick ducks the band."""
    electronic_ducked: float = 0.35
    """Probability that the kick ducks electronic music."""
    room: float = 0.4
    """Probability of reverberation on the mix."""
    saturated: float = 0.3
    """Probability of soft overload on the mix."""
    darkened: float = 0.4
    """Probability of a low-pass: records leave the top octave to the cymbals."""
    dark: Range = (3000.0, 10_000.0)
    """Its cutoff in Hz."""
    song: SongConfig = field(default_factory=SongConfig)
    arrange: ArrangeConfig = field(default_factory=ArrangeConfig)
    parts: PartsConfig = field(default_factory=PartsConfig)
    singer: SingerConfig = field(default_factory=SingerConfig)
    player: PlayerConfig = field(default_factory=PlayerConfig)


BAND = BandConfig()
