"""Compose the parts of a backing band as events: grooves, riffs and lines.

A part is a function (song, rng) -> events. Times are seconds from the start of the clip; notes fall on the
song's grid, on the kick drum, or deliberately off both.
"""

from collections.abc import Callable

import numpy as np

from data.band.config import BAND, PartsConfig
from data.band.events import Event
from data.band.song import Song
from data.band.steps import every, on_steps, pattern


def bass(
    song: Song,
    rng: np.random.Generator,
    config: PartsConfig = BAND.parts,
    mode: str | None = None,
) -> list[Event]:
    """Bass line. "follow": on every kick; "walking": a new scale tone per beat; others as named."""
    mode = mode or str(rng.choice(song.style.bass))
    half = max(1, song.division // 2)
    length = float(rng.choice(config.bass_lengths))
    events: list[Event] = []
    if mode == "follow":
        times = (
            list(song.kicks)
            if len(song.kicks) > 1
            else [time for time, _ in on_steps(song, every(song, song.division), rng, config.left_out)]
        )
        ends = [*times[1:], times[-1] + song.beat]
        slots = [(time, min(end - time, 2 * song.beat)) for time, end in zip(times, ends, strict=True)]
    elif mode == "walking" or mode == "two":
        slots = on_steps(song, every(song, song.division * (2 if mode == "two" else 1)), rng, config.steady)
    elif mode in ("eighths", "octaves"):
        slots = on_steps(song, every(song, half), rng, config.steady)
    elif mode == "offbeat":
        slots = on_steps(song, [step + half for step in every(song, song.division)], rng, config.steadiest)
    elif mode == "held":
        held = [0] if rng.random() < config.bass_held_whole else [0, song.steps // 2]
        slots, length = on_steps(song, held, rng, config.sure), 1.0
    elif mode == "slap":
        slots = on_steps(song, pattern(song, rng, 0.55, 0.6), rng, config.left_out)
    else:
        density = config.bass_sparse if mode == "sparse" else rng.uniform(*config.bass_density)
        slots = on_steps(song, pattern(song, rng, density, 0.4), rng, config.left_out)
    moves = rng.choice(config.bass_moves, song.steps)
    for index, (time, gap) in enumerate(slots):
        root = song.pitch(song.degree(time), 34)
        pitch = root
        if mode == "walking":
            ahead = song.pitch(song.degree(time + gap), 34)
            pitch = (
                ahead + int(rng.choice([-1, 1]))
                if rng.random() < config.walking_approach
                else song.pitch(song.degree(time) + int(rng.choice([0, 2, 4, 1])), 36)
            )
        elif mode == "two":
            pitch = root + 7 * (index % 2) - (12 if index % 2 and root > 36 else 0)
        elif mode in ("octaves", "slap"):
            pitch = root + 12 * (index % 2 if mode == "octaves" else int(rng.random() < config.slap_octave))
        elif mode in ("riff", "sparse"):
            pitch = song.pitch(song.degree(time) + int(moves[index % len(moves)]), 34)
        touch = "dead" if mode == "slap" and rng.random() < config.slap_dead else "open"
        events.append(Event(time, (pitch,), max(0.08, gap * length), rng.uniform(*config.firmest), touch))
    return events


def strum(song: Song, rng: np.random.Generator, config: PartsConfig = BAND.parts) -> list[Event]:
    """Guitar chords: one bar of down- and upstrokes, repeated."""
    power = bool(rng.random() < config.strum_power)
    sixteenth = song.division == 4 and song.beat > 0.55 and rng.random() < config.strum_sixteenths
    unit = 1 if sixteenth else max(1, song.division // 2)
    steps = [
        step for step in every(song, unit) if step % song.division == 0 or rng.random() < config.strum_upbeats
    ]
    accents = rng.uniform(*config.strum_accents, song.steps)
    dead = rng.random(song.steps) < rng.choice(config.strum_dead)
    events = []
    for time, gap in on_steps(song, steps, rng, config.left_out):
        step = round((time - song.start) / song.beat * song.division) % song.steps
        up = step // unit % 2 == 1
        grip = song.guitar_chord(time, power)
        touch = "dead" if dead[step] else "up" if up else "open"
        events.append(Event(time, grip[::-1][:4] if up else grip, max(0.1, gap), float(accents[step]), touch))
    return events


def skank(song: Song, rng: np.random.Generator, config: PartsConfig = BAND.parts) -> list[Event]:
    """Short chords on the off-beats (reggae, ska)."""
    half = max(1, song.division // 2)
    if rng.random() < config.skank_offbeats:
        steps = [step + half for step in every(song, song.division)]
    else:  # on beats two and four
        steps = [beat * song.division for beat in range(1, song.beats, 2)]
    length = rng.uniform(*config.skank_length)
    return [
        Event(time, song.chord(time, 62), length, rng.uniform(*config.firm), "up")
        for time, _ in on_steps(song, steps, rng, config.skank_left_out)
    ]


def scratch(song: Song, rng: np.random.Generator, config: PartsConfig = BAND.parts) -> list[Event]:
    """Sixteenths on a muted guitar, mostly dead strokes: the most drum-like sound of a guitar."""
    live = rng.random(song.steps) < rng.uniform(*config.scratch_live)
    plays = rng.random(song.steps) < rng.uniform(*config.scratch_played)
    accents = rng.uniform(*config.scratch_accents, song.steps)
    events = []
    for time, _ in on_steps(song, [step for step in range(song.steps) if plays[step]], rng, config.sure):
        step = round((time - song.start) / song.beat * song.division) % song.steps
        touch = "open" if live[step] else "dead"
        events.append(Event(time, song.chord(time, 62), 0.12, float(accents[step]), touch))
    return events


def chug(song: Song, rng: np.random.Generator, config: PartsConfig = BAND.parts) -> list[Event]:
    """Palm-muted power chords in eighths, gallops, sixteenths, or with the kick; accents ring."""
    mode = str(rng.choice(["eighths", "gallop", "sixteenths", "kick", "random"]))
    if mode == "kick" and len(song.kicks) > 2:
        times = [(time, 0.12) for time in song.kicks]
    elif mode == "gallop" and song.division == 4:
        times = on_steps(song, [step for step in range(song.steps) if step % 4 != 1], rng, config.steadiest)
    elif mode == "random":
        times = on_steps(song, pattern(song, rng, 0.5), rng, config.sure)
    else:
        unit = 1 if mode == "sixteenths" and song.beat > 0.4 else max(1, song.division // 2)
        times = on_steps(song, every(song, unit), rng, config.steady)
    ring = rng.uniform(*config.chug_ring)
    events = []
    for time, gap in times:
        mute = rng.random() > ring
        grip = song.guitar_chord(time, True)[: 1 if mute and rng.random() < config.chug_single else 3]
        touch, length = ("mute", 0.15) if mute else ("open", max(gap, 0.25))
        events.append(Event(time, grip, length, rng.uniform(*config.firm), touch))
    return events


def riff(song: Song, rng: np.random.Generator, config: PartsConfig = BAND.parts) -> list[Event]:
    """A one- or two-bar figure of single low notes or power chords, repeated."""
    steps = pattern(song, rng, rng.uniform(*config.riff_density), 0.4)
    moves = rng.choice(config.riff_moves, len(steps))
    chords = rng.random(len(steps)) < rng.uniform(*config.riff_chords)
    mutes = rng.random(len(steps)) < rng.uniform(*config.riff_mutes)
    keep_root = rng.random() < config.riff_pedal
    events = []
    for bar in song.bars():
        for index, step in enumerate(steps):
            time = song.time(bar * song.steps + step)
            degree = (0 if keep_root else song.degree(time)) + int(moves[index])
            low = song.pitch(degree, 45)
            grip = (low, low + 7, low + 12) if chords[index] else (low,)
            until = song.time(bar * song.steps + (steps[index + 1] if index + 1 < len(steps) else song.steps))
            touch = "mute" if mutes[index] else "open"
            events.append(Event(time, grip, max(0.1, until - time), rng.uniform(*config.firmest), touch))
    return events


def comp(song: Song, rng: np.random.Generator, config: PartsConfig = BAND.parts) -> list[Event]:
    """Keyboard chords: quarters, held, Charleston, or a random syncopated bar."""
    mode = str(rng.choice(["quarters", "held", "charleston", "random", "eighths"]))
    half = max(1, song.division // 2)
    steps = {
        "quarters": every(song, song.division),
        "held": [0],
        "charleston": [0, song.division + half],
        "eighths": every(song, half),
    }.get(mode) or pattern(song, rng, 0.3, 0.7)
    length, centre = rng.uniform(*config.comp_length), int(rng.integers(56, 72))
    return [
        Event(time, song.chord(time, centre), max(0.1, gap * length), rng.uniform(*config.velocity))
        for time, gap in on_steps(song, steps, rng, config.left_out)
    ]


def stabs(song: Song, rng: np.random.Generator, config: PartsConfig = BAND.parts) -> list[Event]:
    """Horn or synthesiser stabs: few, short, often off the beat."""
    steps = pattern(song, rng, config.stab_density, 0.7)
    length, centre = rng.uniform(*config.stab_length), int(rng.integers(60, 74))
    return [
        Event(time, song.chord(time, centre), length, rng.uniform(*config.firm))
        for time, _ in on_steps(song, steps, rng, config.stab_left_out)
    ]


def pad(song: Song, rng: np.random.Generator, config: PartsConfig = BAND.parts) -> list[Event]:
    """One long chord per bar."""
    centre = int(rng.integers(54, 72))
    return [
        Event(
            song.start + bar * song.bar,
            song.chord(song.start + (bar + 0.1) * song.bar, centre),
            song.bar,
            1.0,
        )
        for bar in song.bars()
    ]


def arpeggio(song: Song, rng: np.random.Generator, config: PartsConfig = BAND.parts) -> list[Event]:
    """Broken chords in eighths or sixteenths."""
    unit = 1 if rng.random() < config.arpeggio_sixteenths and song.beat > 0.35 else max(1, song.division // 2)
    centre, order = int(rng.integers(55, 76)), rng.permutation(8)
    length = rng.uniform(*config.arpeggio_length)
    events = []
    for index, (time, gap) in enumerate(on_steps(song, every(song, unit), rng, config.loose)):
        notes = song.chord(time, centre)
        notes = (*notes, *(pitch + 12 for pitch in notes))
        events.append(
            Event(time, (notes[order[index % 8] % len(notes)],), gap * length, rng.uniform(*config.velocity))
        )
    return events


def picking(song: Song, rng: np.random.Generator, config: PartsConfig = BAND.parts) -> list[Event]:
    """Finger-picked guitar or banjo: thumb on the beat, fingers in between."""
    events = []
    for index, (time, gap) in enumerate(
        on_steps(song, every(song, max(1, song.division // 2)), rng, config.loose)
    ):
        grip = song.guitar_chord(time, False)
        pitch = grip[0 if index % 4 == 0 else 1] if index % 2 == 0 else grip[int(rng.integers(2, len(grip)))]
        events.append(Event(time, (pitch,), 3 * gap, rng.uniform(*config.velocity)))
    return events


def lead(
    song: Song,
    rng: np.random.Generator,
    config: PartsConfig = BAND.parts,
    low: int = 60,
    high: int = 84,
    rest: float = 0.3,
) -> list[Event]:
    """A melody: short phrases through the scale, separated by rests."""
    events: list[Event] = []
    degree, centre = 0, int(rng.integers(low + 4, high - 4))
    step, last = int(rng.integers(song.steps)), len(song.bars()) * song.steps
    lengths = [1, 2, 2, 4, 4, 8] if song.division == 4 else [1, 1, 2, 3, 6]
    while step < last:
        if rng.random() < rest / 3:
            step += int(rng.integers(2, song.steps))
            continue
        length = int(rng.choice(lengths))
        time, until = song.time(step), song.time(step + length)
        degree = int(np.clip(degree + rng.choice(config.lead_moves), -7, 9))
        octave, part = divmod(degree, len(song.scale))
        pitch = song.pitch(part, centre) + 12 * octave
        pitch += 12 * (pitch < low) - 12 * (pitch > high)
        events.append(
            Event(
                time,
                (pitch,),
                max(0.06, (until - time) * rng.uniform(*config.lead_length)),
                rng.uniform(*config.velocity),
            )
        )
        step += length
    return events


PARTS: dict[str, Callable[[Song, np.random.Generator, PartsConfig], list[Event]]] = {
    "bass": bass,
    "strum": strum,
    "skank": skank,
    "scratch": scratch,
    "chug": chug,
    "riff": riff,
    "comp": comp,
    "stabs": stabs,
    "pad": pad,
    "arpeggio": arpeggio,
    "picking": picking,
    "lead": lead,
    "voice": lead,
}
