"""A folder that holds all a bare machine needs to render and train: code, data made small, wheels."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from data.band.held_out import loop_is_held_out
from data.band.notes import EXCLUDED, EXCLUDED_LOOPS, LOOP_FOLDERS, NOTE_FOLDERS, read_rows, used
from data.corpora.readers import read_gmd
from data.kits.load import kit_split

ROOT = Path(__file__).resolve().parents[2]
CODE = ("tokenizer", "mt3drum", "data", "eval", "train", "scripts", "pyproject.toml", "LICENSE")
WHEELS = (
    "braceexpand", "deepspeed", "einops", "hjson", "mido", "pretty_midi", "soundfile", "soxr", "webdataset",
    "x_transformers", "tensorboard", "PyYAML", "safetensors", "scipy", "tqdm",
)  # fmt: skip
"""What training imports beside torch and numpy; a machine that has one of them needs no wheel of it."""
SPLITS = ("train", "validation")
QUALITY = 0.5
"""Compression level of the Vorbis files, 0 (best) to 1: about a tenth of the FLAC."""


def pack(output: Path, data: Path | None, wheels: Path | None, limit: int) -> int:
    """Fill `output` (created) with code/, data/ and wheels/.

    Args:
        data: the project's data; None: none, everything is then synthesised.
        wheels: a folder of wheels to take along.
        limit: most bytes in all.

    Returns:
        the bytes of it.

    Raises:
        ValueError: a source is missing or of another form, the output is not empty, or too large.
        OSError: a file cannot be read or written.
    """
    if output.exists() and any(output.iterdir()):
        raise ValueError(f"{output} is not empty; choose another folder or delete it")
    _code(output / "code")
    if data is not None:
        for source in _needed(data):
            _copy(source, output / "data" / source.relative_to(data))
    if wheels is not None:
        found = sorted(wheels.glob("*.whl"))
        if not found:
            raise ValueError(f"{wheels}: no wheels; `pip download --no-deps` of {', '.join(WHEELS)}")
        for wheel in found:
            _copy(wheel, output / "wheels" / wheel.name)
    sizes = {
        part.name: sum(p.stat().st_size for p in part.rglob("*") if p.is_file()) for part in output.iterdir()
    }
    if sum(sizes.values()) > limit:
        shown = ", ".join(f"{name} {size / 2**20:.1f} MiB" for name, size in sorted(sizes.items()))
        raise ValueError(f"{output}: {shown}; more than {limit / 2**20:.1f} MiB. Leave out wheels or kits")
    return sum(sizes.values())


def _code(target: Path) -> None:
    """The committed code, without weights."""
    command = ["git", "archive", "--format=tar", "HEAD", *CODE, ":(exclude)mt3drum/assets/small.safetensors"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if found.returncode:
        raise ValueError(f"{ROOT}: git archive failed ({found.stderr.decode(errors='replace').strip()})")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as tar:
        tar.extractall(target, filter="data")


def _needed(data: Path) -> Iterator[Path]:
    """Files that training and validation shards are rendered from."""
    yield data / "splits.json"
    for split in SPLITS:
        for kit in kit_split(data / "splits.json", split):
            yield from sorted(path for path in (data / "kits" / kit).iterdir() if path.is_file())
    groove = data / "midi" / "groove"
    yield groove / "info.csv"
    for split in SPLITS:
        for recording in read_gmd(groove, split):
            yield (groove / recording.name).with_suffix(".mid")
    for folder in NOTE_FOLDERS:
        place = data / "accompaniment" / folder
        if place.is_dir():
            yield from (place / "SOURCE.txt", place / "notes.json")
            rows = [
                row for row in read_rows(place / "notes.json") if used(folder, row["instrument"], EXCLUDED)
            ]
            yield from (place / name for name in dict.fromkeys(row["file"] for row in rows))
    for folder in LOOP_FOLDERS:
        place = data / "accompaniment" / folder
        if place.is_dir():
            yield place / "SOURCE.txt"
            for path in sorted(place.glob("*.flac")):
                left_out = any(part in path.name.lower() for part in EXCLUDED_LOOPS)
                if not left_out and not loop_is_held_out(folder, path.stem):
                    yield path
    if (data / "electronic" / "train").is_dir():
        yield data / "electronic" / "SOURCE.txt"
        yield from sorted(path for path in (data / "electronic" / "train").iterdir() if path.is_file())


def _copy(source: Path, target: Path) -> None:
    """A copy; of FLAC as Ogg Vorbis under the same name, which libsndfile tells by content."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix != ".flac":
        shutil.copyfile(source, target)
        return
    try:
        audio, rate = soundfile.read(str(source), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise ValueError(f"{source}: cannot be read ({error})") from None
    mono = audio.mean(axis=1)
    peak = float(np.abs(mono).max(initial=0.0))
    # Vorbis overshoots: kits and notes are scaled to their peak when they are read, so 1 dB less is no loss.
    mono = mono * np.float32(min(1.0, 0.89 / max(peak, 1e-6)))
    with soundfile.SoundFile(
        str(target), "w", rate, 1, format="OGG", subtype="VORBIS", compression_level=QUALITY
    ) as file:
        for start in range(0, len(mono), rate):  # libsndfile overflows its stack on long blocks
            file.write(mono[start : start + rate])
