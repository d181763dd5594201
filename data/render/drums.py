"""Render hits with sampled kits to audio, at about 5 ms of one core per second of audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.kits.sample import Kit
from data.render.config import DRUMS_CONFIG, DrumsConfig
from data.render.room import mix_down
from data.render.strike import Voice, Wave, choose_kit, voices
from mt3drum.config import SAMPLE_RATE
from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.hits import SAME_STROKE, Hit

RING_SECONDS = 4.0  # hits this long before the clip may still sound in it
INAUDIBLE_DB = -50.0  # a hit below this, relative to the clip's peak, is not labelled
PEAK = 0.9

LOW, SNARE, METAL = 0, 1, 2
BUS_OF = tuple(
    LOW if drum.family in ("kick", "tom") else SNARE if drum.family in ("snare", "rim") else METAL
    for drum in DRUMS
)
OPEN_HATS = frozenset(CLASS_INDEX[name] for name in ("hihat_open", "hihat_open_edge"))
CLOSING_HATS = frozenset(CLASS_INDEX[name] for name in ("hihat_closed", "hihat_closed_edge", "hihat_pedal"))
CHOKED = frozenset(drum.index for drum in DRUMS if drum.family == "crash")
ATTACK = np.exp(-np.arange(882, dtype=np.float32) / 300)  # 20 ms: what a harder or softer stick changes most


@dataclass(frozen=True)
class Rendered:
    """A rendered clip: mono float32 audio at 44.1 kHz, the hits that are audible in it, the kits it was made
    of."""

    audio: np.ndarray
    hits: tuple[Hit, ...]
    kits: tuple[str, ...]


@dataclass(frozen=True)
class _Stroke:
    hit: Hit
    stop: float
    """Seconds at which the sound is cut by a hand or by closing hats; inf if it rings."""
    fade: float


def render_drums(
    hits: Sequence[Hit],
    kits: Sequence[Kit],
    rng: np.random.Generator,
    seconds: float,
    config: DrumsConfig = DRUMS_CONFIG,
) -> Rendered:
    """Renders ``hits`` (seconds from the start of the clip) into ``round(seconds * 44100)`` samples, peak
    0.9.

    Hits before 0 ring into the clip and are not labelled; hits from ``seconds`` on are ignored.
    The same generator state gives the same audio. Raises ValueError if there is no kit or the length is not
    positive.
    """
    if not kits:
        raise ValueError("render_drums: no kit given")
    if not seconds > 0:
        raise ValueError(f"render_drums: clip length {seconds} s is not positive")
    count = round(seconds * SAMPLE_RATE)
    played = _merge(hits, seconds)
    main = choose_kit(kits, rng, config.voices)
    chosen = voices(sorted({hit.drum for hit in played}), main, kits, rng, config)
    strokes = _stops([hit for hit in played if hit.drum in chosen], rng, config)
    layers = _layers(chosen, kits, main, rng, config)
    audio, levels = _perform(TunedKit(main, chosen, layers), strokes, count, rng, rng, config)
    peak = float(np.abs(audio).max()) if strokes else 0.0
    if peak <= 0:
        return Rendered(np.zeros(count, dtype=np.float32), (), (main.name,))
    audio *= np.float32(PEAK / peak)
    floor = peak * 10 ** (INAUDIBLE_DB / 20)
    kept = [s.hit for s, level in zip(strokes, levels, strict=True) if s.hit.time >= 0 and level >= floor]
    used = {main.name} | {voice.kit for voice in (*chosen.values(), *layers.values())}
    return Rendered(audio, tuple(kept), tuple(sorted(used)))


@dataclass(frozen=True)
class TunedKit:
    """The drums of one player as they stand and sound for one session."""

    main: Kit
    voices: dict[int, Voice]
    layers: dict[int, Voice]


def tune_kit(
    drums: Sequence[int], kits: Sequence[Kit], rng: np.random.Generator, config: DrumsConfig = DRUMS_CONFIG
) -> TunedKit:
    """A kit to `play` more than once."""
    main = choose_kit(kits, rng, config.voices)
    chosen = voices(drums, main, kits, rng, config)
    return TunedKit(main, chosen, _layers(chosen, kits, main, rng, config))


def play(
    tuned: TunedKit,
    hits: Sequence[Hit],
    rng: np.random.Generator,
    room: np.random.Generator,
    seconds: float,
    config: DrumsConfig = DRUMS_CONFIG,
) -> tuple[np.ndarray, list[tuple[Hit, float]]]:
    """Audio before it is levelled, and each stroke with its peak. Recordings of one length whose `room` is in
    the same state are made in one room with the same microphones."""
    strokes = _stops([hit for hit in _merge(hits, seconds) if hit.drum in tuned.voices], rng, config)
    audio, levels = _perform(tuned, strokes, round(seconds * SAMPLE_RATE), rng, room, config)
    return audio, [(stroke.hit, level) for stroke, level in zip(strokes, levels, strict=True)]


def _perform(
    tuned: TunedKit,
    strokes: list[_Stroke],
    count: int,
    rng: np.random.Generator,
    room: np.random.Generator,
    config: DrumsConfig,
) -> tuple[np.ndarray, list[float]]:
    buses = np.zeros((3, count), dtype=np.float32)
    levels = [_strike(stroke, tuned, buses, rng, config) for stroke in strokes]
    return mix_down(buses, room, tuned.main.kind == "acoustic", config.microphones), levels


def _merge(hits: Sequence[Hit], seconds: float) -> list[Hit]:
    """Hits that can sound in the clip, in order; of two closer than SAME_STROKE the first, at the louder
    velocity."""
    last: dict[int, int] = {}
    kept: list[Hit] = []
    for hit in sorted(hits):
        if not -RING_SECONDS < hit.time < seconds:
            continue
        at = last.get(hit.drum)
        if at is not None and hit.time - kept[at].time < SAME_STROKE:
            kept[at] = replace(kept[at], velocity=max(kept[at].velocity, hit.velocity))
            continue
        last[hit.drum] = len(kept)
        kept.append(hit)
    return kept


def _stops(hits: Sequence[Hit], rng: np.random.Generator, config: DrumsConfig) -> list[_Stroke]:
    """When each sound is cut: open hats by the next closed or pedal stroke, crashes now and then by the
    hand."""
    choking = rng.random() < config.choking
    closing = np.inf
    strokes = []
    for hit in reversed(hits):
        stop, fade = np.inf, 0.0
        if hit.drum in CLOSING_HATS:
            closing = hit.time
        elif hit.drum in OPEN_HATS:
            stop, fade = closing, rng.uniform(*config.hat_fade)
        elif choking and hit.drum in CHOKED and rng.random() < config.choked:
            stop, fade = hit.time + rng.uniform(*config.choke_after), rng.uniform(*config.choke_fade)
        strokes.append(_Stroke(hit, stop, fade))
    return strokes[::-1]


def _layers(
    chosen: dict[int, Voice],
    kits: Sequence[Kit],
    main: Kit,
    rng: np.random.Generator,
    config: DrumsConfig,
) -> dict[int, Voice]:
    """Drum machine under kick or snare: common on records, never a hit of its own."""
    layers: dict[int, Voice] = {}
    machines = [kit for kit in kits if kit.kind == "electronic"]
    for name in ("kick", "snare_head"):
        drum = CLASS_INDEX[name]
        if drum in chosen and machines and main.kind == "acoustic" and rng.random() < config.layered:
            machine = machines[rng.integers(len(machines))]
            if drum in machine.samples:
                layers.update(voices([drum], machine, [machine], rng, config))
    return layers


def _strike(
    stroke: _Stroke, tuned: TunedKit, buses: np.ndarray, rng: np.random.Generator, config: DrumsConfig
) -> float:
    """Adds one stroke to its bus and returns its peak amplitude."""
    hit, voice = stroke.hit, tuned.voices[stroke.hit.drum]
    level = voice.level(hit.velocity) * 10 ** (rng.normal(0.0, config.loudness) / 20)
    bus = buses[BUS_OF[hit.drum]]
    hardness = rng.normal(0.0, config.hardness)
    _add(bus, voice.wave(hit.velocity, rng, config.voices), stroke, level, hardness)
    if hit.drum in tuned.layers:
        layer = tuned.layers[hit.drum]
        wave, level_below = layer.wave(hit.velocity, rng, config.voices), layer.level(hit.velocity)
        _add(bus, wave, stroke, level_below * config.layer_level, 0.0)
    return level


def _add(bus: np.ndarray, wave: Wave, stroke: _Stroke, level: float, hardness: float) -> None:
    start = round(stroke.hit.time * SAMPLE_RATE) - wave.onset
    length = wave.audio.size
    fade = round(stroke.fade * SAMPLE_RATE)
    cut = length
    if np.isfinite(stroke.stop):
        cut = min(length, max(1, round(stroke.stop * SAMPLE_RATE) - start + fade))
    skip = max(0, -start)
    end = min(cut, bus.size - start)
    if end <= skip:
        return
    sound = wave.audio[skip:end] * np.float32(level)
    if skip == 0:
        attack = sound[wave.onset : wave.onset + ATTACK.size]
        attack *= 1 + np.float32(hardness) * ATTACK[: attack.size]
    if cut < length:
        tail = min(fade, end - skip)
        sound[sound.size - tail :] *= np.linspace(1, 0, tail, dtype=np.float32) if end == cut else 1
    bus[start + skip : start + end] += sound
