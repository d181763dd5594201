"""Rendering draws the same random numbers as before: labels, parts and loudness over time of fixed seeds.

The expected values are in `golden/clips.json`. Audio is compared by the RMS of 32 blocks, within 0.1 %, so
that another CPU's rounding passes and a changed random stream does not. After an intended change of the
sound, write them anew with `python -m tests.data.test_golden_clips`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.augment import AugmentConfig, augment
from data.band import parts, play, voice
from data.band.events import Event
from data.band.song import Song, compose
from data.band.synthetic import synthetic_notes
from data.clips.clip import Palette, RenderConfig, render_clip
from data.dsp import effects, harsh, pedals, tones
from data.grooves.club import program
from data.grooves.patterns import generate, vary
from data.kits.machines import machine_kit
from data.kits.synth import synthesise_kit
from data.render.drums import render_drums
from tokenizer.hits import Hit

GOLDEN = Path(__file__).parent / "golden" / "clips.json"
BLOCKS = 32
LABEL_SEEDS = 40
"""Takes whose labels are hashed."""
CLIPS = 6
SECONDS = 1.5


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def loudness(audio: np.ndarray) -> list[float]:
    """RMS of each of BLOCKS blocks; the length comes first."""
    blocks = np.array_split(np.asarray(audio, np.float64), BLOCKS)
    return [len(audio), *(round(float(np.sqrt(np.mean(block**2))), 7) for block in blocks)]


def label_hash(takes: Iterable[Iterable[Hit]]) -> str:
    digest = hashlib.sha256()
    for hits in takes:
        digest.update(repr([(round(hit.time, 6), hit.drum, hit.velocity) for hit in hits]).encode())
    return digest.hexdigest()


def event_hash(events: Iterable[Event]) -> str:
    rows = [(round(e.time, 6), e.pitches, round(e.seconds, 6), round(e.velocity, 6), e.touch) for e in events]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def songs() -> list[Song]:
    kicks = [0.1 + 0.5 * beat for beat in range(12)]
    return [compose(rng(3, seed), 6.0, 120.0, kicks if seed % 3 else ()) for seed in range(24)]


def labels() -> dict[str, Any]:
    takes = [generate(rng(1, seed), 6.0) for seed in range(LABEL_SEEDS)]
    groups: dict[str, Any] = {part: parts.PARTS[part] for part in parts.PARTS} | {"melody": voice.melody}
    return {
        "generate": label_hash(take.hits for take in takes),
        "vary": label_hash(vary(take, rng(2, seed)).hits for seed, take in enumerate(takes)),
        "program": label_hash(program(rng(1, seed), 6.0).hits for seed in range(LABEL_SEEDS)),
        "songs": hashlib.sha256(
            repr(
                [(s.style.name, s.root, s.chords, round(s.beat, 6), round(s.start, 6)) for s in songs()]
            ).encode()
        ).hexdigest(),
        "line-ups": [play.line_up(song, rng(4, seed)) for seed, song in enumerate(songs())],
        "parts": {
            name: event_hash(e for seed, song in enumerate(songs()) for e in part(song, rng(5, seed)))
            for name, part in groups.items()
        },
    }


def effect_loudness() -> dict[str, list[float]]:
    """Every effect on a decaying burst of noise."""
    source = tones.noise_burst(rng(6), 2000.0, 2.0, 0.3)
    source = np.pad(source, (2000, 30_000)).astype(np.float32)
    chain: dict[str, Any] = {
        name: getattr(effects, name)
        for name in (
            "room",
            "compress",
            "limit",
            "saturate",
            "crush",
            "codec",
            "background",
            "vinyl",
        )
    } | {name: getattr(pedals, name) for name in ("amplifier", "wah", "double")}
    curves: dict[str, Any] = {
        "equalise": effects.tone_curve,
        "band_limit": effects.low_pass_curve,
        "telephone": effects.telephone_curve,
    }
    made = {name: loudness(effect(source, rng(7, 1))) for name, effect in chain.items()}
    bins = effects.fast_bins(len(source))
    made |= {name: loudness(effects.shape(source, curve(bins, rng(7, 1)))) for name, curve in curves.items()}
    made |= {
        name: loudness(effect(source, rng(8), harsh.HarshConfig())) for name, effect in harsh.KINDS.items()
    }
    return made | {f"noise {kind}": loudness(tones.noise(kind, rng(9))) for kind in tones.NOISE_KINDS}


def clip_loudness() -> list[dict[str, Any]]:
    """Rendered and augmented clips, and the strokes of a kit in a room."""
    kits = [synthesise_kit(rng(10)), machine_kit(rng(11))]
    bank = synthetic_notes(rng(12), per_kind=1, noises=1)
    taken = generate(rng(13), 4.0)
    palette = Palette((taken,), tuple(kits), bank)
    base = RenderConfig(seconds=SECONDS, band=1.0, negatives=0.2, patterns=0.5, electronic=0.3)
    busy: dict[str, Any] = {
        item.name: 0.5
        for item in fields(AugmentConfig)
        # Not of separators, which are newer than the golden values and draw only where they are asked for.
        if item.name.endswith("_probability") and item.name != "separation_probability"
    }
    mixing = replace(AugmentConfig(**busy), seconds=1.0)
    made = []
    for seed in range(CLIPS):
        clip = render_clip(base, palette, kits, rng(14, seed))
        band = play.render_band(bank, rng(15, seed), SECONDS, 110.0, [0.1, 0.6, 1.1])
        drums = render_drums(taken.hits, kits[:1], rng(16, seed), SECONDS)
        mixed, kept = augment(clip.audio, clip.band, clip.hits, rng(17, seed), mixing)
        made.append(
            {
                "labels": [label_hash([clip.hits]), label_hash([drums.hits]), label_hash([kept])],
                "drums": loudness(clip.audio),
                "backing": loudness(clip.band if clip.band is not None else np.zeros(BLOCKS)),
                "band": loudness(band),
                "acoustic": loudness(drums.audio),
                "mixed": loudness(mixed),
            }
        )
    return made


def test_labels_are_the_same() -> None:
    assert labels() == json.loads(GOLDEN.read_text())["labels"]


def test_effects_sound_the_same() -> None:
    expected = json.loads(GOLDEN.read_text())["effects"]
    made = effect_loudness()
    assert made.keys() == expected.keys()
    for name, values in made.items():
        assert values == pytest.approx(expected[name], rel=1e-3, abs=1e-6), name


def test_clips_sound_the_same() -> None:
    expected = json.loads(GOLDEN.read_text())["clips"]
    made = clip_loudness()
    assert len(made) == len(expected) == CLIPS
    for number, (clip, wanted) in enumerate(zip(made, expected, strict=True)):
        assert clip.pop("labels") == wanted.pop("labels"), number
        assert clip.keys() == wanted.keys()
        for name, values in clip.items():
            assert values == pytest.approx(wanted[name], rel=1e-3, abs=1e-6), f"clip {number}: {name}"


if __name__ == "__main__":
    values = {"labels": labels(), "effects": effect_loudness(), "clips": clip_loudness()}
    GOLDEN.write_text(json.dumps(values) + "\n")
