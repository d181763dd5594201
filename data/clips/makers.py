"""Makers of the clips in shards: rendered from a palette, or cut from recordings."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from data.clips.clip import Clip, Palette, RenderConfig, render_clip, synthetic_kits
from data.clips.recorded import audio_seconds, clip_starts, cut_recording
from data.corpora.readers import SPLITS, Recording, by_performance, draw_by_performance
from data.grooves.patterns import Performance


@dataclass(frozen=True)
class RenderedShards:
    """Shards of rendered clips (a `data.shards.write.Maker`)."""

    config: RenderConfig
    palette: Palette
    seed: int
    number: int
    """Total number of clips."""
    per_shard: int = 64
    corpora: Mapping[str, Any] = field(default_factory=dict)
    """`describe` of the recordings whose performances are used, for the manifest."""

    @property
    def split(self) -> str:
        return self.config.split

    def sizes(self) -> list[int]:
        return _sizes(self.number, self.per_shard)

    def clips(self, shard: int) -> Iterator[Clip]:
        size = self.sizes()[shard]
        split = SPLITS.index(self.split)
        # The kits are drawn for a full shard, so that a longer run begins with the same shards.
        made = synthetic_kits(
            self.config, self.palette, self.per_shard, np.random.default_rng([self.seed, split, shard])
        )
        for position in range(size):
            rng = np.random.default_rng([self.seed, split, shard, position + 1])
            yield render_clip(self.config, self.palette, made, rng)

    def settings(self) -> dict[str, Any]:
        notes = self.palette.notes
        return {
            "kind": "rendered",
            "config": json.loads(json.dumps(asdict(self.config))),  # as a manifest gives it back
            "seed": self.seed,
            "per_shard": self.per_shard,
            "performances": _digest(self.palette.performances),
            "kits": [kit.name for kit in self.palette.kits],
            "notes": None if notes is None else sorted({f"{i.source}/{i.name}" for i in notes.instruments}),
            "loops": 0 if notes is None else len(notes.loops),
            "stems": [[stem.song, len(stem.audio)] for stem in self.palette.stems],
        }

    def sources(self) -> dict[str, Any]:
        notes = self.palette.notes
        return {
            "corpora": dict(self.corpora),
            "accompaniment": dict(sorted(notes.licences.items())) if notes is not None else {},
        }


@dataclass(frozen=True)
class RecordedShards:
    """Shards of clips cut from recordings (a `data.shards.write.Maker`)."""

    recordings: tuple[Recording, ...]
    split: str
    seed: int = 0
    number: int | None = None
    """Total number of clips, drawn by performance (a random excerpt of a random kit's recording); None: every
    recording completely."""
    seconds: float = 12.0
    per_shard: int = 64

    @cached_property
    def plan(self) -> list[tuple[int, float]]:
        """Recording and start of every clip."""
        index = {id(recording): i for i, recording in enumerate(self.recordings)}
        if self.number is None:
            return [
                (i, start)
                for i, rec in enumerate(self.recordings)
                for start in clip_starts(rec, self.seconds)
            ]
        rng = np.random.default_rng([self.seed, SPLITS.index(self.split)])
        groups = by_performance(self.recordings)
        plan = []
        for _ in range(self.number):
            recording = draw_by_performance(groups, rng)
            last = max(0.0, audio_seconds(recording) - self.seconds)
            plan.append((index[id(recording)], round(float(rng.uniform(0.0, last)), 3)))
        return plan

    def sizes(self) -> list[int]:
        return _sizes(len(self.plan), self.per_shard)

    def clips(self, shard: int) -> Iterator[Clip]:
        for index, start in self.plan[shard * self.per_shard : (shard + 1) * self.per_shard]:
            yield cut_recording(self.recordings[index], start, self.seconds)

    def settings(self) -> dict[str, Any]:
        return {
            "kind": "recorded",
            "seconds": self.seconds,
            "seed": self.seed if self.number is not None else None,
            "per_shard": self.per_shard,
            "recordings": _digest(self.recordings),
        }

    def sources(self) -> dict[str, Any]:
        return {"corpora": describe(self.recordings), "accompaniment": {}}


def describe(recordings: Iterable[Recording]) -> dict[str, Any]:
    """Per corpus: recordings, performances, hits, licence, and the labels that were unmapped or excluded."""
    table: dict[str, Any] = {}
    for corpus in dict.fromkeys(recording.corpus for recording in recordings):
        of_corpus = [recording for recording in recordings if recording.corpus == corpus]
        table[corpus] = {
            "licence": of_corpus[0].licence,
            "recordings": len(of_corpus),
            "performances": len({recording.performance for recording in of_corpus}),
            "hits": sum(len(recording.hits) for recording in of_corpus),
            "unmapped": dict(sum((Counter(recording.unmapped) for recording in of_corpus), Counter())),
            "excluded": dict(sum((Counter(recording.excluded) for recording in of_corpus), Counter())),
        }
    return table


def _sizes(number: int, per_shard: int) -> list[int]:
    full, rest = divmod(number, per_shard)
    return [per_shard] * full + [rest] * (rest > 0)


def _digest(played: Sequence[Performance] | Sequence[Recording]) -> str:
    """A short hash of names and hits."""
    digest = hashlib.sha256()
    for one in played:
        digest.update(one.name.encode())
        digest.update(
            np.array([(hit.time, hit.drum, hit.velocity) for hit in one.hits], np.float64).tobytes()
        )
    return digest.hexdigest()[:16]
