"""Fetch songs under free licences from Debian's packages: guitar tracks as stems, whole songs to label.

    python scripts/fetch_songs.py -o songs
    python scripts/make_shards.py --output datasets/train --clips 20000 --stems songs/fretsonfire-guitars

Needs `apt-get` and `dpkg-deb`. Every folder written has a SOURCE.txt with packages, authors and licences.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from mt3drum.files import write_whole

GUITARS = "fretsonfire-guitars"
"""Folder of the guitar tracks: real distorted guitars, which hold no drums."""
SONGS = "fretsonfire-songs"
"""Folder of the whole songs: drums in metal bands, without labels."""


@dataclass(frozen=True)
class Package:
    """A Debian package of songs for Frets on Fire: folders with guitar.ogg and song.ogg (the others)."""

    name: str
    licence: str
    """As its debian/copyright says."""


PACKAGES = (
    Package("fretsonfire-songs-muldjord", "CC BY-SA 3.0, El Senator (Muldjord)"),
    Package("fretsonfire-songs-sectoid", "MIT-like, Carlos Viola Iborra (Sectoid)"),
)


def unpack(package: str, folder: Path) -> Path:
    """Download a package and unpack it below `folder`.

    Raises:
        ValueError: `apt-get` or `dpkg-deb` is missing or fails.
    """
    for command in (["apt-get", "download", package], ["dpkg-deb", "-x", f"{package}_*.deb", package]):
        files = [str(path.name) for path in folder.glob(f"{package}_*.deb")]
        arguments = [part for word in command for part in (files if "*" in word else [word])]
        try:
            done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=300)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ValueError(f"{command[0]}: {error}; this command needs a Debian system") from None
        if done.returncode:
            raise ValueError(f"{' '.join(arguments)}: {done.stderr.strip().splitlines()[-1]}")
    return folder / package


def songs_of(folder: Path) -> list[Path]:
    """Folders below `folder` with both a guitar.ogg and a song.ogg, sorted."""
    return sorted(path.parent for path in folder.rglob("guitar.ogg") if (path.parent / "song.ogg").is_file())


def write_song(folder: Path, output: Path) -> None:
    """GUITARS/NAME_guitar.ogg and SONGS/NAME.flac (guitar and the others) below `output`, mono.

    Raises:
        ValueError: a track cannot be read, or the two do not fit together.
    """
    name = folder.name.lower().replace(" ", "-").replace("_", "-")
    tracks = {}
    for track in ("guitar", "song"):
        try:
            audio, rate = soundfile.read(str(folder / f"{track}.ogg"), dtype="float32", always_2d=True)
        except (OSError, soundfile.SoundFileError) as error:
            raise ValueError(f"{folder / track}.ogg: cannot be read ({error})") from None
        tracks[track] = (audio.mean(axis=1), rate)
    (guitar, rate), (others, other_rate) = tracks["guitar"], tracks["song"]
    if rate != other_rate or abs(len(guitar) - len(others)) > rate:
        raise ValueError(f"{folder}: guitar.ogg and song.ogg differ in rate or length")
    length = min(len(guitar), len(others))
    mix = guitar[:length] + others[:length]
    mix *= 0.9 / max(0.9, float(np.abs(mix).max()))
    soundfile.write(output / GUITARS / f"{name}_guitar.flac", guitar, rate)
    soundfile.write(output / SONGS / f"{name}.flac", mix, rate)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the songs; created")
    args = parser.parse_args(arguments)
    source = "\n".join(
        [
            f"repo: Debian packages {', '.join(package.name for package in PACKAGES)}",
            f"licence: {'; '.join(package.licence for package in PACKAGES)}",
            "holds: {what}\n",
        ]
    )
    try:
        for name in (GUITARS, SONGS):
            (args.output / name).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as place:
            for package in tqdm(PACKAGES, unit="package"):
                for folder in songs_of(unpack(package.name, Path(place))):
                    write_song(folder, args.output)
        for name, what in ((GUITARS, "guitar tracks without drums"), (SONGS, "whole songs")):
            write_whole(args.output / name / "SOURCE.txt", source.format(what=what))
    except (ValueError, OSError) as error:
        print(f"fetch_songs: {error}", file=sys.stderr)
        return 1
    print(f"songs and guitar tracks in {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
