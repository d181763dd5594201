"""Shards: tar files of clips in WebDataset's layout, written in parallel, with a manifest of their contents.

A sample is `<key>.flac` (mono 16-bit 44.1 kHz: the drums, or the whole recording), sometimes
`<key>.band.flac` (accompaniment for mixing), and `<key>.json` (hits and their source). A shard depends only
on the maker's settings and its own number, so an interrupted run can resume and a repeated run gives the same
bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import tarfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile

from data.clips.clip import Clip
from data.statistics import rare
from mt3drum.config import SAMPLE_RATE
from mt3drum.files import write_whole
from tokenizer.drums import DRUMS
from tokenizer.whole_file import whole_file

FORMAT = 1
"""Format version of manifest and samples; incremented when old readers would misread new files."""
MANIFEST = "manifest.json"


class Maker(Protocol):
    """Makes the clips of every shard; implemented in `data.clips.makers`."""

    @property
    def split(self) -> str:
        """train, validation or test; part of the file names."""

    def sizes(self) -> list[int]:
        """Number of clips in each shard."""

    def clips(self, shard: int) -> Iterator[Clip]:
        """The clips of one shard; every call returns the same clips."""

    def settings(self) -> dict[str, Any]:
        """All settings that determine the clips, as JSON values; compared before a run is resumed."""

    def sources(self) -> dict[str, Any]:
        """For the manifest: corpora read, their unmapped and excluded labels, accompaniment, licences."""


def make_shards(
    output: Path, maker: Maker, workers: int = 1, progress: Callable[[int], object] | None = None
) -> dict[str, Any]:
    """Write the missing shards, then the manifest.

    Args:
        output: folder; created.
        workers: processes; 1 works in this one.
        progress: called with a number of clips whenever a shard is finished or already complete.
    Returns:
        the manifest.
    Raises:
        ValueError: the folder contains shards made with other settings, or a source cannot be read.
    """
    output.mkdir(parents=True, exist_ok=True)
    settings_hash = _hash(maker.settings())
    _check_settings(output, settings_hash)
    records: dict[int, dict[str, Any]] = {}
    missing: list[int] = []
    for shard, size in enumerate(maker.sizes()):
        record = _complete(output, maker.split, shard, size, settings_hash)
        if record is None:
            missing.append(shard)
        else:
            records[shard] = record
            if progress is not None:
                progress(size)
    for record in _run(output, maker, settings_hash, missing, workers):
        records[record["shard"]] = record
        if progress is not None:
            progress(record["clips"])
    manifest = _manifest(maker, settings_hash, [records[shard] for shard in sorted(records)])
    write_whole(output / MANIFEST, json.dumps(manifest, indent=1).encode())
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder of shards.

    Raises:
        ValueError: the manifest is missing, malformed or has another format.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise ValueError(f"format {manifest['format']!r:.100}, expected {FORMAT}")
        files = [shard["file"] for shard in manifest["shards"]]
        if not files or any("/" in file for file in files):
            raise ValueError(f"shards {files!r:.100}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{path}: no usable manifest ({error}); make shards with scripts/make_shards.py"
        ) from None
    return dict(manifest)


def shard_paths(folder: Path) -> list[str]:
    """Paths of the shards a folder's manifest lists."""
    return [str(folder / shard["file"]) for shard in read_manifest(folder)["shards"]]


def write_shard(path: Path, clips: Iterator[Clip]) -> dict[str, Any]:
    """Write one tar file, under a temporary name until it is complete; returns its statistics."""
    seconds, names = 0.0, 0
    hits: Counter[str] = Counter()
    corpora: dict[str, dict[str, Any]] = {}
    kits: dict[str, dict[str, Any]] = {}
    performances: set[str] = set()
    with whole_file(path) as temporary:
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
            for clip in clips:
                add_clip(tar, f"{path.stem}-{names:04d}", clip)
                names += 1
                seconds += clip.seconds
                hits.update(DRUMS[hit.drum].name for hit in clip.hits)
                performances.add(f"{clip.corpus}/{clip.performance}")
                _count(corpora, clip.corpus, clip.licence)
                for kit, licence in clip.kits.items():
                    _count(kits, kit, licence)
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
        size = temporary.stat().st_size
    return {
        "file": path.name,
        "clips": names,
        "seconds": round(seconds, 3),
        "bytes": size,
        "sha256": digest,
        "hits": dict(hits),
        "corpora": corpora,
        "kits": kits,
        "performances": sorted(performances),
    }


def add_clip(tar: tarfile.TarFile, key: str, clip: Clip) -> None:
    """Add the members of one sample. Owner and time are fixed, so the bytes depend only on the clip."""
    members = {"flac": encode_flac(clip.audio)}
    if clip.band is not None:
        members["band.flac"] = encode_flac(clip.band)
    members["json"] = json.dumps(clip.metadata(), sort_keys=True).encode()
    for suffix, content in members.items():
        member = tarfile.TarInfo(f"{key}.{suffix}")
        member.size = len(content)
        member.mtime = 0
        tar.addfile(member, io.BytesIO(content))


def encode_flac(audio: np.ndarray) -> bytes:
    """Mono float [n] as 16-bit FLAC, scaled down to full scale if louder.

    Raises:
        ValueError: a sample is not a finite number.
    """
    if not np.isfinite(audio).all():
        raise ValueError("a clip holds samples that are not finite numbers")
    peak = float(np.abs(audio).max(initial=0.0))
    pcm = np.round(audio * (32767.0 / max(1.0, peak))).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, SAMPLE_RATE, format="FLAC", subtype="PCM_16", compression_level=0.2)
    return buffer.getvalue()


_maker: Maker  # of this worker process: passed once, not with every shard


def _start_worker(maker: Maker) -> None:
    global _maker
    _maker = maker
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all processes: exit without a traceback


def _end_with_parent() -> None:
    """Exit when the parent is gone: a killed parent cannot stop its workers, which would wait forever."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _work(job: tuple[Path, str, int]) -> dict[str, Any]:
    output, settings_hash, shard = job
    return _make_one(output, _maker, settings_hash, shard)


def _make_one(output: Path, maker: Maker, settings_hash: str, shard: int) -> dict[str, Any]:
    path = output / _shard_name(maker.split, shard)
    record = {"shard": shard, "settings": settings_hash, **write_shard(path, maker.clips(shard))}
    write_whole(path.with_suffix(".json"), json.dumps(record).encode())
    return record


def _run(
    output: Path, maker: Maker, settings_hash: str, shards: list[int], workers: int
) -> Iterator[dict[str, Any]]:
    workers = min(workers, len(shards))
    if workers <= 1:
        for shard in shards:
            yield _make_one(output, maker, settings_hash, shard)
        return
    jobs = [(output, settings_hash, shard) for shard in shards]
    # Not "fork": a progress bar has a thread and a lock, which a fork would inherit.
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start_worker, initargs=(maker,)
    )
    try:
        for done in as_completed([pool.submit(_work, job) for job in jobs]):
            yield done.result()
    except BrokenProcessPool:
        raise ValueError(
            f"{output}: a worker was killed (out of memory?); rerun the command to resume, perhaps "
            "with fewer workers"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _complete(output: Path, split: str, shard: int, clips: int, settings_hash: str) -> dict[str, Any] | None:
    """The record of a shard that exists, is complete and was made with these settings."""
    path = output / _shard_name(split, shard)
    record = _read_record(path.with_suffix(".json"))
    if record is None or record.get("settings") != settings_hash or record.get("clips") != clips:
        return None
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != record.get("sha256"):
        return None
    return record


def _check_settings(output: Path, settings_hash: str) -> None:
    for path in sorted(output.glob("*-[0-9][0-9][0-9][0-9][0-9][0-9].json")):
        record = _read_record(path)
        if record is not None and record.get("settings") != settings_hash:
            raise ValueError(
                f"{output} contains shards made with other settings or sources ({path.name}); "
                "choose another output folder or delete it"
            )


def _read_record(path: Path) -> dict[str, Any] | None:
    """A shard's record; None if it is missing or unreadable, so that the shard is made again."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _manifest(maker: Maker, settings_hash: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    hits: Counter[str] = Counter()
    merged: dict[str, dict[str, dict[str, Any]]] = {"corpora": {}, "kits": {}}
    for record in records:
        hits.update(record["hits"])
        for kind, counts in merged.items():
            for name, entry in record[kind].items():
                _count(counts, name, entry["licence"], entry["clips"])
    return {
        "format": FORMAT,
        "commit": _commit(),
        "split": maker.split,
        "settings": maker.settings(),
        "settings_hash": settings_hash,
        "clips": sum(record["clips"] for record in records),
        "seconds": round(sum(record["seconds"] for record in records), 3),
        "hits": {drum.name: hits[drum.name] for drum in DRUMS},
        "rare": rare(hits),
        "performances": len({name for record in records for name in record["performances"]}),
        **{kind: dict(sorted(counts.items())) for kind, counts in merged.items()},
        "sources": maker.sources(),
        "shards": [{key: record[key] for key in ("file", "clips", "bytes", "sha256")} for record in records],
    }


def _count(table: dict[str, dict[str, Any]], name: str, licence: str, clips: int = 1) -> None:
    table.setdefault(name, {"licence": licence, "clips": 0})["clips"] += clips


def _commit() -> str | None:
    """The git commit of this code, if available."""
    try:
        here = Path(__file__).resolve().parent
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def _hash(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _shard_name(split: str, shard: int) -> str:
    return f"{split}-{shard:06d}.tar"
