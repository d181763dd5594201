"""How sampled kits become a recorded drum kit: how each drum is set up, struck and picked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Range = tuple[float, float]
Normal = tuple[float, float]
"""Mean and standard deviation."""


LEVEL_DB: Mapping[str, float] = {
    "kick": 0.0,
    "snare_head": -2.0,
    "snare_cross_stick": -6.0,
    "snare_rim": -1.0,
    "hihat_closed": -11.0,
    "hihat_closed_edge": -8.0,
    "hihat_open": -7.5,
    "hihat_open_edge": -5.0,
    "hihat_pedal": -14.0,
    "tom1_head": -1.0,
    "tom1_rim": 0.0,
    "tom2_head": -1.0,
    "tom2_rim": 0.0,
    "tom3_head": -1.0,
    "tom3_rim": 0.0,
    "floor_tom_head": -1.0,
    "floor_tom_rim": 0.0,
    "crash1": -5.0,
    "crash1_edge": -3.5,
    "crash2": -5.0,
    "crash2_edge": -3.5,
    "ride": -12.0,
    "ride_edge": -6.0,
    "ride_bell": -8.0,
    "aux1": -10.0,
    "aux2": -8.0,
}
"""Peak level of a full stroke in a usual mix, dB relative to the kick: the medians over strokes that nothing
else covers in the six development recordings, rounded; every clip moves each instrument by several dB."""
TUNING_SD = (0.10, 0.10, 0.05, 0.12, 0.07, 0.07, 0.06, 0.06, 0.08)
"""Octaves of tuning (standard deviation) by instrument, in the order of `data.render.strike.GROUPS`."""
LEVEL_SD = (3.0, 2.5, 5.0, 3.5, 4.5, 4.5, 4.5, 5.0, 4.5)
"""dB of level (standard deviation) by instrument."""


@dataclass(frozen=True)
class VoiceConfig:
    """How the drums of one clip are chosen and set up (`data.render.strike`)."""

    electronic_weight: float = 0.6
    """Weight of drum machines in the choice of the main kit."""
    layered_weight: float = 4.0
    """Weight of acoustic kits with velocity layers: the most common on records and the hardest to imitate."""
    single_weight: float = 1.5
    """Weight of acoustic kits without velocity layers."""
    own: float = 0.8
    """Probability that an instrument comes from the main kit: studios mix and match."""
    same_kind: float = 0.8
    """Probability that a missing class is borrowed from a kit of the same kind."""
    exponent: Normal = (1.35, 0.15)
    """Maps velocity to loudness, one curve per clip: otherwise a hard stroke on a quiet channel could not be
    told from a soft one on a loud channel."""
    exponent_limits: Range = (1.0, 1.8)
    exponent_spread: Range = (0.95, 1.05)
    """Deviation of one instrument's curve."""
    even: float = 0.5
    """Probability of an even mix."""
    even_spread: float = 0.4
    """Spread of levels in an even mix, relative to the usual spread."""
    usual_level: float = 0.9
    """Probability that an instrument of an uneven mix lies near its usual level."""
    any_level: Range = (-12.0, 9.0)
    """Deviation of the other instruments, in dB."""
    drum_level: float = 1.0
    """dB (standard deviation) by which classes of one instrument differ."""
    tuned: float = 0.6
    """Probability that an instrument is tuned."""
    tuning_limit: float = 0.35
    """Maximum tuning, in octaves."""
    openings: float = 0.5
    """Probability that open hats are played through all recorded openings."""
    main_series: float = 0.5
    """Probability of the main series where a class has variants."""
    brushes: float = 0.025
    """Probability of brushes on an acoustic snare."""
    equalised: float = 0.6
    """Probability of an equaliser on a channel."""
    equaliser_hertz: Range = (60.0, 10_000.0)
    """Centre frequency in Hz, drawn logarithmically."""
    equaliser_gain: Normal = (0.0, 4.5)
    """dB."""
    equaliser_limits: Range = (-10.0, 9.0)
    """Maximum gain, in dB."""
    equaliser_q: Range = (0.5, 1.5)
    dark: float = 0.6
    """Probability that a crash is dark: those on the development recordings are 5 dB darker (10 to 18 kHz
    against 2 to 5) than those of the kits, as microphones, tape and mixing take the top off."""
    dark_hertz: Range = (9000.0, 15_000.0)
    """Centre of that cut."""
    dark_cut: Range = (3.0, 11.0)
    """dB."""
    dark_q: Range = (0.4, 0.8)
    swelling: float = 0.35
    """Probability that a crash or open hat swells: one that still rings from the last stroke, or is struck
    softly, takes its time to speak, while a sampled one is struck from rest."""
    swell_depth: Range = (3.0, 14.0)
    """dB by which it starts below its ring."""
    swell_seconds: Range = (0.008, 0.05)
    layer_noise: float = 4.0
    """Velocity (standard deviation) by which a stroke's layer is chosen."""


@dataclass(frozen=True)
class DampingConfig:
    """How long a piece rings: probability of damping, and its decay time in seconds."""

    hat_open_free: float = 0.45
    """Probability that open hats ring as sampled; the others are open more or less."""
    hat_open_ring: Range = (0.12, 0.6)
    hat_closed: float = 0.35
    hat_closed_ring: Range = (0.025, 0.09)
    kick: float = 0.3
    kick_ring: Range = (0.06, 0.25)
    cross_stick: float = 0.5
    """Wood without wires; half of the sampled ones rattle on."""
    cross_stick_ring: Range = (0.02, 0.1)
    drum: float = 0.3
    """Snare and toms: tape and gates."""
    drum_ring: Range = (0.08, 0.35)
    cymbal: float = 0.2
    """Gated cymbals are rare."""
    cymbal_ring: Range = (0.3, 1.2)


@dataclass(frozen=True)
class MicrophoneConfig:
    """From close microphones to one track (`data.render.room`)."""

    wires: float = 0.45
    """Probability that the snare's wires answer kick and toms."""
    wires_level: Range = (-40.0, -22.0)
    """dB of the wires relative to the drums that shake them."""
    wires_ring: Range = (0.02, 0.08)
    """Seconds."""
    wires_slope: Range = (0.3, 0.9)
    """Coefficient of their high-pass: 1 to 9 kHz."""
    overheads: float = 0.85
    """Probability of overheads on an acoustic kit."""
    machine_overheads: float = 0.25
    """Probability of overheads on a drum machine; most are left dry."""
    cymbals: Range = (0.3, 1.0)
    """Level of hats and cymbals in the overheads."""
    low_delay: Range = (0.003, 0.006)
    """Seconds from kick and toms to microphones a metre above the kit."""
    low_level: Range = (0.3, 0.9)
    snare_delay: Range = (0.0015, 0.004)
    """Seconds from the snare."""
    snare_level: Range = (0.4, 1.0)
    high_pass: Range = (30.0, 250.0)
    """Hz."""
    low_pass: Range = (5000.0, 18_000.0)
    """Hz."""
    level: Range = (-18.0, 1.0)
    """dB of the overheads relative to the close microphones."""
    delay: Range = (0.0, 0.002)
    """Delay of the overheads, in seconds."""
    room: float = 0.5
    """Probability of a reverberant room; the others get reflections alone."""
    room_level: Range = (-26.0, -6.0)
    """dB."""
    room_delay: Range = (0.0, 0.015)
    """Seconds."""
    reflections: tuple[int, int] = (3, 8)
    """Minimum number, and an upper bound that is not reached."""
    reflection_seconds: Range = (0.006, 0.05)
    """Time over which the first reflections are spread."""
    reflection_wet: Range = (0.2, 0.8)
    """Their level relative to the overheads."""
    reflection_gain: Range = (0.4, 1.0)
    """Of one reflection."""


@dataclass(frozen=True)
class DrumsConfig:
    """How a clip's drums are played and mixed (`data.render.drums`)."""

    choking: float = 0.3
    """Probability that a clip has crashes choked by hand."""
    choked: float = 0.25
    """Probability of choking each crash of such a clip."""
    choke_after: Range = (0.08, 0.6)
    """Seconds from the stroke until the hand chokes it."""
    choke_fade: Range = (0.03, 0.12)
    """Seconds until it is silent."""
    hat_fade: Range = (0.010, 0.040)
    """Seconds until closing hats are silent."""
    layered: float = 0.08
    """Probability of a drum machine under an acoustic kick or snare, common on records."""
    layer_level: float = 0.6
    """Its level."""
    loudness: float = 0.6
    """dB (standard deviation) by which equal strokes differ."""
    hardness: float = 0.15
    """Share (standard deviation) by which the first 20 ms of a stroke are harder or softer."""
    voices: VoiceConfig = field(default_factory=VoiceConfig)
    damping: DampingConfig = field(default_factory=DampingConfig)
    microphones: MicrophoneConfig = field(default_factory=MicrophoneConfig)


DRUMS_CONFIG = DrumsConfig()
