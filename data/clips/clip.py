"""Clips, the samples of a shard: rendered from performances and kits or cut from recordings.

All random numbers come from the given generator, so a clip is determined by its seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from data.band.backing import RECORDED, BackingConfig, render_backing
from data.band.notes import NoteBank
from data.band.stems import BackingStem
from data.grooves.club import ClubConfig, program
from data.grooves.config import TakeConfig, VaryConfig
from data.grooves.patterns import Performance, generate, vary
from data.kits.machines import machine_kit, punch
from data.kits.sample import Kit
from data.kits.synth import synthesise_kit
from data.render.config import DrumsConfig
from data.render.drums import render_drums
from mt3drum.config import SAMPLE_RATE
from tokenizer.drums import DRUMS
from tokenizer.hits import Hit, within

RING_SECONDS = 4.0
"""Hits up to this many seconds before a clip are rendered but not labelled: their cymbals ring into it."""
STRETCH_MARGIN = 1.35
"""`vary` plays up to 1 / 0.75 times as fast, so the excerpt of a performance is longer by this factor."""
SYNTHESISED = "synthesised"
"""Name of every synthesised kit in labels and manifest."""


@dataclass(frozen=True)
class Clip:
    """One sample of a shard: mono float32 audio [seconds * 44100] and its labels."""

    audio: np.ndarray
    band: np.ndarray | None
    """Accompaniment of the same length, mixed in by the loader."""
    hits: tuple[Hit, ...]
    """Times in seconds from the start of the clip."""
    corpus: str
    performance: str
    kits: dict[str, str]
    """Kit names and their licences."""
    licence: str
    split: str
    seconds: float
    bpm: float
    unmapped: dict[str, int]
    style: str = ""
    labelled: bool = True
    """False: recorded music whose hits are not known."""

    def metadata(self) -> dict[str, Any]:
        """The JSON member of the sample."""
        return {
            "hits": [[round(hit.time, 6), DRUMS[hit.drum].name, hit.velocity] for hit in self.hits],
            "corpus": self.corpus,
            "performance": self.performance,
            "kits": sorted(self.kits),
            "licence": self.licence,
            "split": self.split,
            "seconds": self.seconds,
            "bpm": round(self.bpm, 3),
            "unmapped": self.unmapped,
            **({"style": self.style} if self.style else {}),
            **({} if self.labelled else {"labelled": False}),
        }


@dataclass(frozen=True)
class RenderConfig:
    """How clips are rendered.

    Raises:
        ValueError: a field is outside its range.
    """

    split: str = "train"
    seconds: float = 12.0
    patterns: float = 0.38
    """Probability of a generated pattern instead of a performance."""
    electronic: float = 0.15
    """Probability of programmed drums on a drum machine."""
    synthetic: float = 0.1
    """Probability of a synthesised kit instead of a sampled one."""
    band: float = 0.75
    """Probability of a backing band beside the drums."""
    negatives: float = 0.2
    """Probability of a clip with a band and no drums; 5 % was too little."""
    vary: float = 0.8
    """Probability of varying a performance (tempo, substitutions, dynamics)."""
    backing: BackingConfig = field(default_factory=BackingConfig)
    """How the backing is chosen and rendered."""
    drums: DrumsConfig = field(default_factory=DrumsConfig)
    """How kits are played and mixed."""
    takes: TakeConfig = field(default_factory=TakeConfig)
    """How patterns are made up."""
    variations: VaryConfig = field(default_factory=VaryConfig)
    """How performances are varied."""
    club: ClubConfig = field(default_factory=ClubConfig)
    """How programmed drums are written."""
    acoustic_machines: float = 0.12
    """Probability that programmed drums are sampled acoustic ones, as breakbeats are."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if (
                item.name in ("patterns", "electronic", "synthetic", "band", "negatives", "vary")
                and not 0 <= value <= 1
            ):
                raise ValueError(f"{item.name} is {value}, expected 0..1")
        if not 1 <= self.seconds <= 60:
            raise ValueError(f"seconds is {self.seconds}, expected 1..60")
        if self.negatives and not self.band:
            raise ValueError("negatives need a band: set band above 0 or negatives to 0")

    @classmethod
    def plain(cls, split: str, seconds: float = 12.0) -> RenderConfig:
        """For validation and test: unmodified performances on sampled kits, nothing generated. The bands of a
        test set, if any, use only recorded notes."""
        return cls(
            split,
            seconds,
            patterns=0.0,
            electronic=0.0,
            synthetic=0.0,
            band=0.0,
            negatives=0.0,
            vary=0.0,
            backing=RECORDED if split == "test" else BackingConfig(),
        )


@dataclass(frozen=True)
class Palette:
    """The material that clips are rendered from."""

    performances: tuple[Performance, ...] = ()
    """None: every clip is a generated pattern."""
    kits: tuple[Kit, ...] = ()
    """None: every clip is played on a synthesised kit."""
    notes: NoteBank | None = None
    """None: no bands."""
    stems: tuple[BackingStem, ...] = ()
    """Recorded electronic stems without drums, for some of the backings."""


def synthetic_kits(config: RenderConfig, palette: Palette, clips: int, rng: np.random.Generator) -> list[Kit]:
    """New synthesised kits for a number of clips: about one for every eight clips that use one, and likewise
    drum machines for the electronic ones. Empty if `synthetic` is 0 and there are sampled kits."""
    share = config.synthetic if palette.kits else 1.0
    if not share:
        return []
    made = [synthesise_kit(rng) for _ in range(int(np.ceil(clips * share / 8)))]
    return made + [machine_kit(rng) for _ in range(int(np.ceil(clips * config.electronic / 8)))]


def render_clip(
    config: RenderConfig, palette: Palette, made: Sequence[Kit], rng: np.random.Generator
) -> Clip:
    """One clip: a performance or pattern, a kit, the room around it and a band.

    Args:
        made: synthesised kits from `synthetic_kits`. The renderer chooses one of the kits as the main one
            (acoustic ones more often) and borrows missing classes from the others.
    """
    drumless = palette.notes is not None and rng.random() < config.negatives
    performance = choose_performance(config, palette, rng)
    audio = np.zeros(round(config.seconds * SAMPLE_RATE), np.float32)
    hits: tuple[Hit, ...] = ()
    used: dict[str, str] = {}
    if not drumless:
        kits = choose_kits(config, palette, made, performance, rng)
        rendered = render_drums(performance.hits, kits, rng, config.seconds, config.drums)
        audio, hits = rendered.audio, tuple(rendered.hits)
        shown = {kit.name: (kit.name, kit.licence) for kit in palette.kits}
        shown |= {kit.name: (SYNTHESISED, kit.licence) for kit in made}
        used = dict(shown[name] for name in rendered.kits)
    band = None
    if palette.notes is not None and (drumless or rng.random() < config.band):
        kicks = [hit.time for hit in performance.hits if DRUMS[hit.drum].family == "kick"]
        band = render_backing(
            palette.notes,
            palette.stems,
            rng,
            config.seconds,
            performance.bpm,
            kicks,
            drumless,
            config.backing,
            performance.electronic,
        )
    return Clip(
        audio,
        band,
        hits,
        corpus="no drums" if drumless else performance.corpus,
        performance="no drums" if drumless else performance.name,
        kits=used,
        licence=performance.licence,
        split=config.split,
        seconds=config.seconds,
        bpm=performance.bpm,
        unmapped={},
        style="" if drumless else performance.style,
    )


def choose_kits(
    config: RenderConfig,
    palette: Palette,
    made: Sequence[Kit],
    performance: Performance,
    rng: np.random.Generator,
) -> Sequence[Kit]:
    """The kits for a performance; programmed ones use drum machines with layered and overdriven kicks."""
    kits: Sequence[Kit] = palette.kits
    if not palette.kits or (made and rng.random() < config.synthetic):
        kits = made
    if not performance.electronic:
        return kits
    if rng.random() >= config.acoustic_machines:
        machines = [kit for kit in (*palette.kits, *made) if kit.kind == "electronic"]
        kits = machines or kits
    return punch(kits, rng)


def choose_performance(config: RenderConfig, palette: Palette, rng: np.random.Generator) -> Performance:
    """The performance of a clip; hit times in seconds from its start, some before it."""
    if rng.random() < config.electronic:
        return program(rng, config.seconds, config.club)
    if not palette.performances or rng.random() < config.patterns:
        return generate(rng, config.seconds, config.takes)
    varied = rng.random() < config.vary
    length = config.seconds * (STRETCH_MARGIN if varied else 1.0)
    lasting = np.array([performance.hits[-1].time for performance in palette.performances])
    weights = np.minimum(lasting, 60.0) + 2.0
    weights /= weights.sum()
    first = palette.performances[rng.choice(len(weights), p=weights)]
    start = float(rng.uniform(-0.3, max(0.0, first.hits[-1].time - config.seconds)))
    hits = [
        replace(hit, time=hit.time - start)
        for hit in within(first.hits, start - RING_SECONDS, start + length)
    ]
    # Most performances of the Groove dataset are fills of a few seconds: append others to fill the clip.
    while (end := max((hit.time for hit in hits), default=0.0)) < length - 1.0:
        after = palette.performances[rng.choice(len(weights), p=weights)]
        begin = end + float(rng.uniform(0.15, 0.8)) - after.hits[0].time
        hits += [replace(hit, time=begin + hit.time) for hit in after.hits if begin + hit.time < length]
    performance = replace(first, hits=tuple(sorted(hits)))
    if varied:
        performance = vary(performance, rng, config.variations)
    return replace(performance, hits=tuple(within(performance.hits, -RING_SECONDS, config.seconds)))
