"""Sampled drum kits: folders of one-shots (a ``kit.json`` beside FLAC files) as int16 arrays by drum class.

A ``kit.json`` is untrusted input: every field is checked, sizes are bounded, and whatever is wrong is one
``ValueError`` line that names the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from data.kits.derive import derive_missing
from data.kits.sample import Kit, Sample, find_onset, to_int16
from mt3drum.config import SAMPLE_RATE
from tokenizer.drums import CLASS_INDEX

__all__ = ["Kit", "Sample", "kit_split", "load_kit", "load_kits", "recorded_files"]

MAX_MANIFEST_BYTES = 8 << 20
MAX_SAMPLES_PER_KIT = 4096
MAX_FILE_SECONDS = 30.0
KEPT_SECONDS = 5.0  # longer cymbal tails are inaudible under the next bar and only cost mixing time
MAX_KITS = 1000
KEPT_PREROLL = 44  # samples kept before the attack: 1 ms, so that a trimmed file does not click

# Articulations whose name is not a class name: (class, prefix of the variant). The splash and china stand
# where General MIDI puts them (55 and 52); chokes are made by the renderer, "other" means the source was
# unsure.
ALIASES: Mapping[str, tuple[str, str] | None] = {
    "splash": ("crash1_edge", "splash"),
    "china": ("crash2_edge", "china"),
    "cowbell": ("aux2", "cowbell"),
    "tambourine": ("aux1", "tambourine"),
    "shaker": ("aux1", "shaker"),
    "clap": ("aux1", "clap"),
    "crash1_choke": None,
    "crash2_choke": None,
    "other": None,
}
# Sounds that swell before the perceived beat, as (share, window) for `find_onset`: a shaker for tens of
# milliseconds, a closing hi-hat, jingles and brushes for 10 to 30 (measured on these kits; others: 0 to 7).
SLOW: Mapping[str, tuple[float, float]] = {
    "shaker": (0.5, 0.2),
    "hihat_pedal": (0.3, 0.08),
    "tambourine": (0.3, 0.08),
}
BRUSHED = (0.3, 0.08)
# A stroke on the hi-hat's edge with the shank is the edge articulation, whatever the source's name.
EDGE_VARIANTS: Mapping[tuple[str, str], str] = {("hihat_closed", "shank"): "hihat_closed_edge"}


def kit_split(splits_json: Path, split: str) -> list[str]:
    """Folder names of the kits of ``split`` ("train", "validation" or "test") in ``splits.json``."""
    try:
        table = json.loads(splits_json.read_text(encoding="utf-8"))["kits"][split]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{splits_json}: no list of kits for split {split!r} ({error})") from error
    if not isinstance(table, list) or not all(isinstance(name, str) for name in table):
        raise ValueError(f"{splits_json}: kits of split {split!r} must be a list of folder names")
    return list(table)


def load_kits(root: Path, names: Sequence[str] | None = None) -> list[Kit]:
    """All kits below ``root`` (or only the folders ``names``), with the classes that can be derived filled
    in.

    Raises ValueError naming the file when a kit is missing or malformed.
    """
    if names is None:
        names = sorted(path.parent.name for path in root.glob("*/kit.json"))
    if not names:
        raise ValueError(f"{root}: no kit found (expected folders with a kit.json)")
    if len(names) > MAX_KITS:
        raise ValueError(f"{root}: {len(names)} kits, at most {MAX_KITS} are loaded at once")
    return [load_kit(root / name) for name in names]


def recorded_files(folder: Path) -> list[tuple[Path, int]]:
    """The files of a kit folder with the class that its ``kit.json`` gives them; files without a class are
    left out.

    Raises ValueError naming the file when the kit is malformed.
    """
    manifest = folder / "kit.json"
    entries, _ = _read_manifest(manifest)
    found = []
    for number, entry in enumerate(entries):
        target = _target(entry, manifest, number)
        if target is not None:
            found.append((folder / entry["file"], CLASS_INDEX[target[0]]))
    return found


def load_kit(folder: Path) -> Kit:
    """One kit folder. ``Kit.name`` is the folder's name, the one used by ``splits.json``."""
    manifest = folder / "kit.json"
    entries, about = _read_manifest(manifest)
    samples: dict[int, list[Sample]] = {}
    for number, entry in enumerate(entries):
        target = _target(entry, manifest, number)
        if target is None:
            continue
        sample = _read_sample(folder, entry, manifest, number)
        if sample is not None:
            name, variant = target
            samples.setdefault(CLASS_INDEX[name], []).append(replace(sample, variant=variant))
    if not samples:
        raise ValueError(f"{manifest}: no usable sample")
    kit = Kit(
        name=folder.name,
        licence=str(about.get("licence", "")),
        kind=str(about.get("kind", "acoustic")),
        family=str(about.get("family", folder.name)),
        levels=str(about.get("levels", "single-layer")),
        samples={drum: tuple(found) for drum, found in sorted(samples.items())},
        partial=None if about.get("partial") is None else str(about["partial"]),
    )
    return derive_missing(kit)


def _read_manifest(path: Path) -> tuple[list[Any], dict[str, Any]]:
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ValueError(f"larger than {MAX_MANIFEST_BYTES} bytes")
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: cannot read the kit ({error})") from error
    entries = about.get("samples") if isinstance(about, dict) else None
    if not isinstance(entries, list):
        raise ValueError(f'{path}: expected an object with a list "samples"')
    if len(entries) > MAX_SAMPLES_PER_KIT:
        raise ValueError(f"{path}: {len(entries)} samples, at most {MAX_SAMPLES_PER_KIT} are allowed")
    return entries, about


def _target(entry: Any, manifest: Path, number: int) -> tuple[str, str] | None:
    """(class name, variant) of a sample, or None if it is knowingly left out."""
    where = f"{manifest}: sample {number}"
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        raise ValueError(f'{where}: expected an object with "file" and "articulation"')
    articulation = entry.get("articulation")
    variant = str(entry.get("variant") or "")
    if not isinstance(articulation, str):
        raise ValueError(f"{where}: articulation {articulation!r:.100} is not a text")
    if articulation in ALIASES:
        alias = ALIASES[articulation]
        return None if alias is None else (alias[0], f"{alias[1]}:{variant}")
    if articulation not in CLASS_INDEX:
        raise ValueError(f"{where}: unknown articulation {articulation!r:.100}")
    return EDGE_VARIANTS.get((articulation, variant), articulation), variant


def _read_sample(folder: Path, entry: dict[str, Any], manifest: Path, number: int) -> Sample | None:
    """The sample of one entry, its attack located; None if it is silent."""
    where = f"{manifest}: sample {number}"
    low, high = (
        _velocity(entry.get("velocity_low"), 1, where),
        _velocity(entry.get("velocity_high"), 127, where),
    )
    if low > high:
        raise ValueError(f"{where}: velocity range {low}..{high} is empty")
    try:
        path = (folder / entry["file"]).resolve()
        inside = path.is_relative_to(folder.resolve()) and (path.is_file() or not path.exists())
    except (OSError, ValueError):  # no file can have such a name
        inside = False
    if not inside:
        raise ValueError(f"{where}: {entry['file']!r:.100} lies outside the kit's folder or is no file")
    audio = _read_audio(path)
    if audio.size < 64 or float(np.abs(audio).max()) < 1e-4:
        return None
    slow = BRUSHED if "brush" in str(entry.get("variant")) else SLOW.get(entry["articulation"])
    onset = find_onset(audio) if slow is None else find_onset(audio, *slow)
    start = max(0, onset - KEPT_PREROLL) if slow is None else 0
    audio = audio[start : start + int(KEPT_SECONDS * SAMPLE_RATE)].copy()
    audio[-256:] *= np.linspace(1, 0, min(256, audio.size), dtype=np.float32)
    return Sample(to_int16(audio), low, high, "", onset - start)


def _velocity(value: Any, default: int, where: str) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 127:
        raise ValueError(f"{where}: velocity {value!r:.100} is not an integer in 0..127")
    return value


def _read_audio(path: Path) -> np.ndarray:
    """Mono float32 at 44.1 kHz."""
    try:
        with soundfile.SoundFile(str(path)) as file:
            if file.frames > MAX_FILE_SECONDS * file.samplerate or file.channels > 8:
                raise ValueError(f"longer than {MAX_FILE_SECONDS:g} s or more than 8 channels")
            if not 8000 <= file.samplerate <= 192000:
                raise ValueError(f"sample rate {file.samplerate} Hz")
            audio = file.read(dtype="float32", always_2d=True).mean(axis=1)
            rate = file.samplerate
    except (OSError, ValueError, soundfile.SoundFileError) as error:
        # One line, whatever the kit calls its files.
        where, reason = (" ".join(str(text).split()) for text in (path, error))
        raise ValueError(f"{where}: cannot read the sample ({reason})") from error
    if not np.isfinite(audio).all():
        raise ValueError(f"{path}: samples that are not finite numbers")
    if rate != SAMPLE_RATE:
        audio = soxr.resample(audio, rate, SAMPLE_RATE)
    return np.asarray(audio, dtype=np.float32)
