"""How a backing band is drawn: the song, what its parts play, the singer, the players and the mix."""

from __future__ import annotations

from dataclasses import dataclass, field

Range = tuple[float, float]


@dataclass(frozen=True)
class SongConfig:
    """What the players agree on (`data.band.song.compose`)."""

    other_tempo: float = 0.06
    """Probability of a tempo that is not that of the drums."""
    tempo: Range = (60.0, 190.0)
    """Beats a minute of such a song."""
    beats: tuple[int, ...] = (4, 4, 4, 4, 4, 3, 6, 7)
    """Beats of a bar, evenly drawn."""
    swing: Range = (0.05, 0.17)
    """Beats by which a swung off-beat is late."""
    in_bars: float = 0.88
    """Probability that bars begin on the kick's favourite beat; the others begin anywhere."""
    triplets: float = 0.5
    """Share of triplet time where the style swings."""


@dataclass(frozen=True)
class ArrangeConfig:
    """Structure of a part (`data.band.events.arrange`)."""

    late: float = 0.12
    """Probability that it enters late."""
    early: float = 0.12
    """Probability that it leaves early."""
    resting: float = 0.1
    """Probability that it rests for some bars."""
    played: float = 0.6
    """Share of the bars that such a part plays."""


@dataclass(frozen=True)
class PartsConfig:
    """What the parts play (`data.band.parts`). Steps left out are a share of a bar's pattern."""

    left_out: float = 0.1
    """Usual share of steps left out."""
    steady: float = 0.03
    """Share that basses and palm-muted guitars leave out: they hold the time."""
    steadiest: float = 0.02
    """Share that off-beat basses and gallops leave out."""
    sure: float = 0.05
    """Share that held basses, scratches and irregular palm mutes leave out."""
    loose: float = 0.08
    """Share that arpeggios and finger picking leave out."""
    velocity: Range = (0.6, 1.0)
    """Gain of a note of keys, arpeggios, picking and melodies."""
    firm: Range = (0.7, 1.0)
    """Gain of a short chord."""
    firmest: Range = (0.75, 1.0)
    """Gain of a note of bass and riff."""
    bass_lengths: tuple[float, ...] = (0.4, 0.75, 0.95, 1.0)
    """Length of bass notes relative to the gap, evenly drawn."""
    bass_moves: tuple[int, ...] = (0, 0, 0, 0, 4, 2, -3, 7)
    """Scale steps from the chord's root, evenly drawn."""
    bass_density: Range = (0.25, 0.5)
    """Of a riff."""
    bass_sparse: float = 0.2
    """Of a sparse bass."""
    bass_held_whole: float = 0.6
    """Probability that a held note lasts a bar, not half a bar."""
    walking_approach: float = 0.3
    """Probability of a semitone into the next chord."""
    slap_octave: float = 0.35
    """Probability of the octave."""
    slap_dead: float = 0.25
    """Probability of a dead note."""
    strum_power: float = 0.3
    """Probability of power chords."""
    strum_sixteenths: float = 0.5
    """Probability of sixteenths where the tempo allows them."""
    strum_upbeats: float = 0.6
    """Probability of each stroke between the beats."""
    strum_accents: Range = (0.45, 1.0)
    strum_dead: tuple[float, ...] = (0.0, 0.0, 0.2)
    """Share of dead strokes, evenly drawn."""
    skank_offbeats: float = 0.6
    """Probability of every off-beat; the others play on two and four."""
    skank_left_out: float = 0.04
    skank_length: Range = (0.05, 0.15)
    """Seconds."""
    scratch_live: Range = (0.1, 0.4)
    """Share of strokes that sound a chord."""
    scratch_played: Range = (0.5, 1.0)
    """Share of sixteenths that are played."""
    scratch_accents: Range = (0.3, 1.0)
    chug_ring: Range = (0.0, 0.4)
    """Share of chords that ring."""
    chug_single: float = 0.5
    """Share of single notes among the muted."""
    riff_density: Range = (0.3, 0.6)
    riff_chords: Range = (0.0, 0.8)
    """Share of power chords."""
    riff_mutes: Range = (0.0, 0.6)
    """Share of palm-muted notes."""
    riff_pedal: float = 0.5
    """Probability that a riff stays on the key, whatever the chord."""
    riff_moves: tuple[int, ...] = (0, 0, 0, 2, 3, 4, 6, -1)
    """Scale steps, evenly drawn."""
    comp_length: Range = (0.2, 1.0)
    """Relative to the gap."""
    stab_density: float = 0.15
    stab_length: Range = (0.08, 0.35)
    """Seconds."""
    stab_left_out: float = 0.3
    """Share of stabs left out."""
    arpeggio_sixteenths: float = 0.5
    """Probability of sixteenths where the tempo allows them."""
    arpeggio_length: Range = (0.8, 3.0)
    """Relative to the gap: detached to ringing on."""
    lead_moves: tuple[int, ...] = (-2, -1, -1, 0, 1, 1, 2, 4)
    """Scale steps from note to note, evenly drawn."""
    lead_length: Range = (0.5, 1.0)
    """Relative to the gap."""


@dataclass(frozen=True)
class SingerConfig:
    """A singer or speaker (`data.band.voice`)."""

    lows: tuple[int, ...] = (43, 48, 53, 58, 62)
    """Lowest MIDI note of a voice, evenly drawn: bass to alto."""
    spoken: float = 0.15
    """Probability of speech instead of song."""
    rest: Range = (0.15, 0.5)
    """How much a melody rests."""
    second: float = 0.25
    """Probability of a second voice."""
    intervals: tuple[int, ...] = (3, 4, 5, 7, 12, -12)
    """Semitones of it, evenly drawn."""
    syllable: Range = (0.1, 0.28)
    """Seconds of a spoken syllable: four to seven a second with consonants."""
    pause: float = 0.08
    """Probability of a pause after a syllable."""
    pause_seconds: Range = (0.2, 1.2)
    size: Range = (0.95, 1.3)
    """Formants relative to a man's."""
    tilt: Range = (0.2, 1.0)
    """Slope of the source's harmonics."""
    vibrato: Range = (0.0, 0.018)
    """Depth, relative to the frequency."""
    vibrato_rate: Range = (4.5, 6.5)
    """Hz."""
    breath: Range = (0.0, 0.06)
    """Noise relative to the tone."""
    harsh: float = 0.35
    """Probability of a harsh voice."""
    harshness: Range = (1.0, 12.0)
    """Drive of its overload: a growl to a scream."""
    consonants: Range = (0.15, 1.0)
    """Loudness of consonants."""
    consonant_level: Range = (0.15, 0.4)
    """Of one of them, relative to it."""
    articulation: Range = (0.3, 1.0)
    """Probability that a syllable starts with one."""
    legato: float = 0.5
    """Probability that a note slides from the one before."""
    scoop: float = 0.04
    """Relative frequency (standard deviation) from which the other notes slide."""
    slide_seconds: Range = (0.02, 0.12)
    attack: Range = (0.008, 0.06)
    """Seconds."""


@dataclass(frozen=True)
class PlayerConfig:
    """How notes are played (`data.band.play.perform`)."""

    strum_gap: Range = (0.003, 0.02)
    """Seconds from string to string."""
    detuned: float = 0.05
    """Semitones (standard deviation) by which an instrument is off."""
    slow_pad: float = 0.6
    """Probability that a pad fades in."""
    pad_attack: Range = (0.05, 0.4)
    """Seconds."""
    short: float = 0.5
    """Probability of short releases."""
    short_release: Range = (0.03, 0.12)
    """Seconds."""
    long_release: Range = (0.1, 0.5)
    """Seconds."""
    note_level: Range = (0.7, 1.0)
    """Of a chord's notes."""
    mute_ring: Range = (0.1, 0.35)
    """Seconds to -60 dB of a palm-muted note."""
    mute_low_pass: Range = (500.0, 2500.0)
    """Hz."""
    dead_ring: Range = (0.03, 0.09)
    """Seconds to -60 dB of a string muted by hand."""
    vibrato: Range = (0.0, 0.015)
    """Depth, relative to the frequency."""
    vibrato_rate: Range = (4.0, 7.0)
    """Hz."""
    scoop: Range = (-0.12, 0.02)
    """Relative frequency from which half of the players slide into a note."""
    scoop_seconds: Range = (0.02, 0.15)
    scrape_hertz: Range = (2500.0, 9000.0)
    """Centre of the scrape of a plectrum."""
    scrape_octaves: Range = (0.6, 1.2)
    scrape_seconds: Range = (0.008, 0.04)
    scrape_level: Range = (-26.0, -6.0)
    """dB relative to the strings' peak."""
    scrape_gap: Range = (0.002, 0.012)
    """Seconds from string to string."""
    scrape_gain: Range = (0.4, 1.0)
    """Of one string."""


@dataclass(frozen=True)
class BandConfig:
    """Who plays, how loud, and how it is mixed (`data.band.play`)."""

    least: tuple[float, ...] = (0.06, 0.14, 0.3, 0.35, 0.15)
    """Probability of at least one, two, three, four or five parts."""
    doubled: float = 0.35
    """Probability that a guitar is recorded twice."""
    level: Range = (-9.0, 3.0)
    """dB of a part."""
    bass_level: float = 2.0
    """dB more for the bass."""
    voice_level: float = 4.0
    """dB more for the voice: it carries the song."""
    looped: float = 0.1
    """Probability of a recorded clip beside the parts, where the bank has one."""
    incidental: float = 0.12
    """Probability of noises of musicians and studios."""
    incidental_level: Range = (-14.0, -2.0)
    """dB of them."""
    tight: float = 0.4
    """Probability of a player who is tight."""
    tight_spread: float = 0.003
    """Seconds (standard deviation) of such a player's timing."""
    spread: Range = (0.003, 0.018)
    """The same of the others."""
    driven: float = 0.12
    """Probability of overdrive on melody, bass and keys."""
    driven_most: float = 25.0
    """dB of gain at most there; guitars take `PedalConfig.drive`."""
    plectrum: float = 0.6
    """Probability of the scrape of pick or nails on a clean guitar."""
    wah: float = 0.15
    """Probability of a wah or phaser on the parts that take one."""
    chorus: float = 0.25
    """Probability of a chorus or second take."""
    click_track: float = 0.4
    """Share of click tracks and count-ins among the incidental noises."""
    click_beeps: float = 0.6
    """Share of them that beep; the others click."""
    click_throughout: float = 0.6
    """Share of them that last; the others count in two bars."""
    noises: tuple[int, int] = (2, 14)
    """Other noises of a clip: at least, fewer than."""
    ducked: float = 0.04
    """Probability that the kick ducks the band."""
    electronic_ducked: float = 0.35
    """The same in electronic music."""
    room: float = 0.4
    """Probability of a room around all."""
    saturated: float = 0.3
    """Probability of soft overload."""
    darkened: float = 0.4
    """Probability of a low-pass: records leave the top octave to the cymbals."""
    dark: Range = (3000.0, 10_000.0)
    """Hz of it."""
    song: SongConfig = field(default_factory=SongConfig)
    arrange: ArrangeConfig = field(default_factory=ArrangeConfig)
    parts: PartsConfig = field(default_factory=PartsConfig)
    singer: SingerConfig = field(default_factory=SingerConfig)
    player: PlayerConfig = field(default_factory=PlayerConfig)


BAND = BandConfig()
