"""Composer of the backing band: grooves, riffs and lines as plain events, no audio.

A part is a function (song, rng) -> events. Times are seconds from the start of the clip; a part's notes fall
on the song's grid, on the kick drum, or deliberately beside both.
"""

from collections.abc import Callable, Sequence

import numpy as np

from data.band.events import Event
from data.band.song import Song


def pattern(song: Song, rng: np.random.Generator, density: float, offbeat: float = 0.5) -> list[int]:
    """Random steps of one bar; `offbeat` near 1 avoids the beats, near 0 the places between them."""
    strong = np.arange(song.steps) % song.division == 0
    half = np.arange(song.steps) % song.division == song.division // 2
    weight = np.where(strong, 1 - offbeat, np.where(half, 0.5, 0.3 + 0.4 * offbeat)) * 2 * density
    chosen = np.flatnonzero(rng.random(song.steps) < weight)
    return [int(step) for step in chosen] or [int(rng.integers(song.steps))]


def on_steps(
    song: Song, steps: Sequence[int], rng: np.random.Generator, vary: float = 0.1
) -> list[tuple[float, float]]:
    """(time, seconds until the next) for a bar's pattern played through the clip, now and then leaving one
    out.
    """
    times = [
        song.time(bar * song.steps + step) for bar in song.bars() for step in steps if rng.random() >= vary
    ]
    if not times:
        return []
    ends = [*times[1:], times[-1] + song.beat]
    return [(time, end - time) for time, end in zip(times, ends, strict=True)]


def every(song: Song, unit: int) -> list[int]:
    """Steps of one bar, `unit` grid steps apart."""
    return list(range(0, song.steps, max(1, unit)))


def bass(song: Song, rng: np.random.Generator, mode: str | None = None) -> list[Event]:
    """Bass line. "follow": on every kick; "walking": a new scale tone per beat; the others by their names."""
    mode = mode or str(rng.choice(song.style.bass))
    half = max(1, song.division // 2)
    length = float(rng.choice([0.4, 0.75, 0.95, 1.0]))
    events: list[Event] = []
    if mode == "follow":
        times = (
            list(song.kicks)
            if len(song.kicks) > 1
            else [time for time, _ in on_steps(song, every(song, song.division), rng)]
        )
        ends = [*times[1:], times[-1] + song.beat]
        slots = [(time, min(end - time, 2 * song.beat)) for time, end in zip(times, ends, strict=True)]
    elif mode == "walking" or mode == "two":
        slots = on_steps(song, every(song, song.division * (2 if mode == "two" else 1)), rng, 0.03)
    elif mode in ("eighths", "octaves"):
        slots = on_steps(song, every(song, half), rng, 0.03)
    elif mode == "offbeat":
        slots = on_steps(song, [step + half for step in every(song, song.division)], rng, 0.02)
    elif mode == "held":
        slots, length = on_steps(song, [0] if rng.random() < 0.6 else [0, song.steps // 2], rng, 0.05), 1.0
    elif mode == "slap":
        slots = on_steps(song, pattern(song, rng, 0.55, 0.6), rng)
    else:
        slots = on_steps(
            song, pattern(song, rng, 0.2 if mode == "sparse" else rng.uniform(0.25, 0.5), 0.4), rng
        )
    moves = rng.choice([0, 0, 0, 0, 4, 2, -3, 7], song.steps)
    for index, (time, gap) in enumerate(slots):
        root = song.pitch(song.degree(time), 34)
        pitch = root
        if mode == "walking":
            ahead = song.pitch(song.degree(time + gap), 34)
            pitch = (
                ahead + int(rng.choice([-1, 1]))
                if rng.random() < 0.3
                else song.pitch(song.degree(time) + int(rng.choice([0, 2, 4, 1])), 36)
            )
        elif mode == "two":
            pitch = root + 7 * (index % 2) - (12 if index % 2 and root > 36 else 0)
        elif mode in ("octaves", "slap"):
            pitch = root + 12 * (index % 2 if mode == "octaves" else int(rng.random() < 0.35))
        elif mode in ("riff", "sparse"):
            pitch = song.pitch(song.degree(time) + int(moves[index % len(moves)]), 34)
        dead = mode == "slap" and rng.random() < 0.25
        events.append(
            Event(time, (pitch,), max(0.08, gap * length), rng.uniform(0.75, 1), "dead" if dead else "open")
        )
    return events


def strum(song: Song, rng: np.random.Generator) -> list[Event]:
    """Guitar chords: a bar of down and up strokes repeated."""
    power = bool(rng.random() < 0.3)
    sixteenth = song.division == 4 and song.beat > 0.55 and rng.random() < 0.5
    unit = 1 if sixteenth else max(1, song.division // 2)
    steps = [step for step in every(song, unit) if step % song.division == 0 or rng.random() < 0.6]
    accents = rng.uniform(0.45, 1, song.steps)
    dead = rng.random(song.steps) < rng.choice([0, 0, 0.2])
    events = []
    for time, gap in on_steps(song, steps, rng):
        step = round((time - song.start) / song.beat * song.division) % song.steps
        up = step // unit % 2 == 1
        grip = song.guitar_chord(time, power)
        touch = "dead" if dead[step] else "up" if up else "open"
        events.append(Event(time, grip[::-1][:4] if up else grip, max(0.1, gap), float(accents[step]), touch))
    return events


def skank(song: Song, rng: np.random.Generator) -> list[Event]:
    """Short chords on the off-beats (reggae, ska)."""
    half = max(1, song.division // 2)
    if rng.random() < 0.6:
        steps = [step + half for step in every(song, song.division)]
    else:  # on two and four
        steps = [beat * song.division for beat in range(1, song.beats, 2)]
    length = rng.uniform(0.05, 0.15)
    return [
        Event(time, song.chord(time, 62), length, rng.uniform(0.7, 1), "up")
        for time, _ in on_steps(song, steps, rng, 0.04)
    ]


def scratch(song: Song, rng: np.random.Generator) -> list[Event]:
    """Sixteenths on a muted guitar, most of them dead: the sound most like a drum that a guitar makes."""
    live = rng.random(song.steps) < rng.uniform(0.1, 0.4)
    plays = rng.random(song.steps) < rng.uniform(0.5, 1)
    accents = rng.uniform(0.3, 1, song.steps)
    events = []
    for time, _ in on_steps(song, [step for step in range(song.steps) if plays[step]], rng, 0.05):
        step = round((time - song.start) / song.beat * song.division) % song.steps
        touch = "open" if live[step] else "dead"
        events.append(Event(time, song.chord(time, 62), 0.12, float(accents[step]), touch))
    return events


def chug(song: Song, rng: np.random.Generator) -> list[Event]:
    """Palm-muted power chords in eighths, gallops, sixteenths, or with the kick; accents ring open."""
    mode = str(rng.choice(["eighths", "gallop", "sixteenths", "kick", "random"]))
    if mode == "kick" and len(song.kicks) > 2:
        times = [(time, 0.12) for time in song.kicks]
    elif mode == "gallop" and song.division == 4:
        times = on_steps(song, [step for step in range(song.steps) if step % 4 != 1], rng, 0.02)
    elif mode == "random":
        times = on_steps(song, pattern(song, rng, 0.5), rng, 0.05)
    else:
        unit = 1 if mode == "sixteenths" and song.beat > 0.4 else max(1, song.division // 2)
        times = on_steps(song, every(song, unit), rng, 0.03)
    ring = rng.uniform(0, 0.4)
    events = []
    for time, gap in times:
        mute = rng.random() > ring
        grip = song.guitar_chord(time, True)[: 1 if mute and rng.random() < 0.5 else 3]
        events.append(
            Event(
                time, grip, 0.15 if mute else max(gap, 0.25), rng.uniform(0.7, 1), "mute" if mute else "open"
            )
        )
    return events


def riff(song: Song, rng: np.random.Generator) -> list[Event]:
    """A one- or two-bar figure of single low notes or power chords, repeated."""
    steps = pattern(song, rng, rng.uniform(0.3, 0.6), 0.4)
    moves = rng.choice([0, 0, 0, 2, 3, 4, 6, -1], len(steps))
    chords = rng.random(len(steps)) < rng.uniform(0, 0.8)
    mutes = rng.random(len(steps)) < rng.uniform(0, 0.6)
    keep_root = rng.random() < 0.5
    events = []
    for bar in song.bars():
        for index, step in enumerate(steps):
            time = song.time(bar * song.steps + step)
            degree = (0 if keep_root else song.degree(time)) + int(moves[index])
            low = song.pitch(degree, 45)
            grip = (low, low + 7, low + 12) if chords[index] else (low,)
            until = song.time(bar * song.steps + (steps[index + 1] if index + 1 < len(steps) else song.steps))
            touch = "mute" if mutes[index] else "open"
            events.append(Event(time, grip, max(0.1, until - time), rng.uniform(0.75, 1), touch))
    return events


def comp(song: Song, rng: np.random.Generator) -> list[Event]:
    """Keyboard chords: quarters, held, Charleston, or a random syncopated bar."""
    mode = str(rng.choice(["quarters", "held", "charleston", "random", "eighths"]))
    half = max(1, song.division // 2)
    steps = {
        "quarters": every(song, song.division),
        "held": [0],
        "charleston": [0, song.division + half],
        "eighths": every(song, half),
    }.get(mode) or pattern(song, rng, 0.3, 0.7)
    length, centre = rng.uniform(0.2, 1.0), int(rng.integers(56, 72))
    return [
        Event(time, song.chord(time, centre), max(0.1, gap * length), rng.uniform(0.6, 1))
        for time, gap in on_steps(song, steps, rng)
    ]


def stabs(song: Song, rng: np.random.Generator) -> list[Event]:
    """Horn or synthesiser hits, few and short, often off the beat."""
    steps = pattern(song, rng, 0.15, 0.7)
    length, centre = rng.uniform(0.08, 0.35), int(rng.integers(60, 74))
    return [
        Event(time, song.chord(time, centre), length, rng.uniform(0.7, 1))
        for time, _ in on_steps(song, steps, rng, 0.3)
    ]


def pad(song: Song, rng: np.random.Generator) -> list[Event]:
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


def arpeggio(song: Song, rng: np.random.Generator) -> list[Event]:
    """Broken chords in eighths or sixteenths."""
    unit = 1 if rng.random() < 0.5 and song.beat > 0.35 else max(1, song.division // 2)
    centre, order = int(rng.integers(55, 76)), rng.permutation(8)
    length = rng.uniform(0.8, 3.0)
    events = []
    for index, (time, gap) in enumerate(on_steps(song, every(song, unit), rng, 0.08)):
        notes = song.chord(time, centre)
        notes = (*notes, *(pitch + 12 for pitch in notes))
        events.append(Event(time, (notes[order[index % 8] % len(notes)],), gap * length, rng.uniform(0.6, 1)))
    return events


def picking(song: Song, rng: np.random.Generator) -> list[Event]:
    """Finger-picked guitar or banjo: thumb on the beat, fingers between."""
    events = []
    for index, (time, gap) in enumerate(on_steps(song, every(song, max(1, song.division // 2)), rng, 0.08)):
        grip = song.guitar_chord(time, False)
        pitch = grip[0 if index % 4 == 0 else 1] if index % 2 == 0 else grip[int(rng.integers(2, len(grip)))]
        events.append(Event(time, (pitch,), 3 * gap, rng.uniform(0.6, 1)))
    return events


def lead(
    song: Song, rng: np.random.Generator, low: int = 60, high: int = 84, rest: float = 0.3
) -> list[Event]:
    """A melody: short phrases that wander through the scale, with rests between."""
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
        degree = int(np.clip(degree + rng.choice([-2, -1, -1, 0, 1, 1, 2, 4]), -7, 9))
        octave, part = divmod(degree, len(song.scale))
        pitch = song.pitch(part, centre) + 12 * octave
        pitch += 12 * (pitch < low) - 12 * (pitch > high)
        events.append(
            Event(time, (pitch,), max(0.06, (until - time) * rng.uniform(0.5, 1)), rng.uniform(0.6, 1))
        )
        step += length
    return events


PARTS: dict[str, Callable[[Song, np.random.Generator], list[Event]]] = {
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
