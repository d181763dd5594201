"""A folder that holds all a bare machine needs to render and train: code, data made small, wheels."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from data.band.held_out import loop_is_held_out
from data.band.notes import LOOP_FOLDERS, NOTE_FOLDERS, NOTE_SECONDS, read_rows, used
from data.band.roles import EXCLUDED, EXCLUDED_LOOPS
from data.corpora.readers import read_gmd
from data.kits.load import KEPT_SECONDS, kit_split
from mt3drum.files import write_whole

ROOT = Path(__file__).resolve().parents[2]
CODE = ("tokenizer", "mt3drum", "data", "eval", "train", "scripts", "pyproject.toml", "LICENSE")
WHEELS = (
    "braceexpand",
    "deepspeed",
    "einops",
    "hjson",
    "mido",
    "pretty_midi",
    "soundfile",
    "soxr",
    "webdataset",
    "x_transformers",
    "tensorboard",
    "PyYAML",
    "safetensors",
    "scipy",
    "tqdm",
)
"""What training imports beside torch and numpy; a machine that has one of them needs no wheel of it."""
SPLITS = ("train", "validation")
QUALITY = 0.8
"""Compression level of the Vorbis files, 0 (best) to 1: about a third of the FLAC."""
LEAD_IN = 0.3
"""Seconds kept beyond what is used of a sample, for what is trimmed before its attack."""


def pack(
    output: Path, data: Path | None, wheels: Path | None, limit: int, without: Sequence[str] = ()
) -> int:
    """Fill `output` (created) with code/, data/ and wheels/.

    Args:
        data: the project's data; None: none, everything is then synthesised.
        wheels: a folder of wheels to take along.
        limit: most bytes in all.
        without: kits to leave out.

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
        kits = {split: kit_split(data / "splits.json", split) for split in SPLITS}
        unknown = sorted(set(without) - {name for names in kits.values() for name in names})
        if unknown:
            raise ValueError(f"--without {', '.join(unknown)}: no such kit of training or validation")
        kits = {split: [name for name in names if name not in without] for split, names in kits.items()}
        for source in _needed(data, [name for names in kits.values() for name in names]):
            _copy(source, output / "data" / source.relative_to(data))
        write_whole(output / "data" / "splits.json", json.dumps({"kits": kits}, indent=1) + "\n")
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
        raise ValueError(
            f"{output}: {shown}; more than {limit / 2**20:.1f} MiB. Leave out kits with --without, or wheels"
        )
    return sum(sizes.values())


def _code(target: Path) -> None:
    """The committed code, without weights."""
    command = ["git", "archive", "--format=tar", "HEAD", *CODE, ":(exclude)mt3drum/assets/small.safetensors"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if found.returncode:
        raise ValueError(f"{ROOT}: git archive failed ({found.stderr.decode(errors='replace').strip()})")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as tar:
        for member in tar:
            if (content := tar.extractfile(member)) is not None:
                write_whole(target / member.name, content.read())


def _needed(data: Path, kits: Sequence[str]) -> Iterator[Path]:
    """Files that training and validation shards are rendered from, but for splits.json."""
    for kit in kits:
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
    """A copy; of FLAC as Ogg Vorbis under the same name, which libsndfile tells by content, and of one-shots
    and notes no more than is played of them."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix != ".flac":
        shutil.copyfile(source, target)
        return
    try:
        audio, rate = soundfile.read(str(source), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise ValueError(f"{source}: cannot be read ({error})") from None
    longest = {"kits": KEPT_SECONDS, **dict.fromkeys(NOTE_FOLDERS, NOTE_SECONDS)}
    kept = next((longest[part] for part in reversed(source.parts) if part in longest), None)
    mono = audio.mean(axis=1)[: None if kept is None else round((kept + LEAD_IN) * rate)]
    peak = float(np.abs(mono).max(initial=0.0))
    # Vorbis overshoots: kits and notes are scaled to their peak when they are read, so 1 dB less is no loss.
    mono = mono * np.float32(min(1.0, 0.89 / max(peak, 1e-6)))
    with soundfile.SoundFile(
        str(target), "w", rate, 1, format="OGG", subtype="VORBIS", compression_level=QUALITY
    ) as file:
        for start in range(0, len(mono), rate):  # libsndfile overflows its stack on long blocks
            file.write(mono[start : start + rate])
