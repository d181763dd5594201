"""Decode many recordings in one process: memory must stay constant and each result must match decoding alone.

    OMP_NUM_THREADS=1 python scripts/soak.py --data $DATA/real/mdb_drums_dev/audio --write docs/reliability.md

The recordings are generated on the fly and deleted afterwards: excerpts of the FLAC files in `--data`
(default: bursts of noise) separated by silence. Prints a table; exits with 1 if memory grows by more than
the bound or a result differs.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mt3drum.config import SAMPLE_RATE

if TYPE_CHECKING:
    from mt3drum.transcriber import Transcriber, Transcription

SOUNDING = 0.15
"""Fraction of each recording that is not silent."""
BOUND = 64.0
"""Allowed growth in MiB after the first tenth of the recordings."""
NEAR = 1e-3
"""Allowed shift of an onset in seconds when other recordings share its batch."""


class MemoryReading(NamedTuple):
    """Memory of the process after a number of recordings."""

    files: int
    hours: float
    resident: float
    """Current resident memory, MiB."""
    most: float
    """Peak resident memory, MiB."""


def parse_args(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--hours", type=float, default=10.0, help="total length of all files (default: 10)")
    parser.add_argument(
        "--alone", type=int, default=25, help="number of files decoded again on their own (default: 25)"
    )
    parser.add_argument("--data", type=Path, help="folder with FLAC recordings at 44.1 kHz")
    parser.add_argument("--checkpoint", type=Path, help="default: the bundled one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="update the table in this page")
    return parser.parse_args(arguments)


def lengths(files: int, hours: float, seed: int) -> list[float]:
    """Seconds of each recording: from a fifth of the mean to some times it, and `hours` together."""
    drawn = np.random.default_rng(seed).lognormal(0, 0.8, files).clip(0.2, 6)
    return [float(x) for x in drawn * hours * 3600 / drawn.sum()]


def sounds(data: Path | None) -> list[np.ndarray]:
    """Mono float32 recordings to cut pieces from.

    Raises:
        ValueError: the folder holds none.
    """
    if data is None:
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, 20 * SAMPLE_RATE)
        return [
            (noise * np.exp(-(np.arange(20 * SAMPLE_RATE) % (SAMPLE_RATE // 5)) / 800)).astype(np.float32)
        ]
    import soundfile

    paths = sorted(data.rglob("*.flac"))
    if not paths:
        raise ValueError(f"{data}: no FLAC file in it")
    return [soundfile.read(path, dtype="float32", always_2d=True)[0].mean(axis=1) for path in paths]


def make(path: Path, seconds: float, pieces: Sequence[np.ndarray], seed: int) -> None:
    """One recording: a function of its arguments."""
    import soundfile

    rng = np.random.default_rng(seed)
    sound = np.zeros(max(1, round(seconds * SAMPLE_RATE)), np.float32)
    left = SOUNDING * seconds
    while left > 0.5:
        piece = pieces[int(rng.integers(len(pieces)))]
        length = min(len(piece), len(sound), round(min(left, rng.uniform(4, 20)) * SAMPLE_RATE))
        start, place = rng.integers(len(piece) - length + 1), rng.integers(len(sound) - length + 1)
        sound[place : place + length] = piece[start : start + length]
        left -= length / SAMPLE_RATE
    soundfile.write(path, sound, SAMPLE_RATE, subtype="PCM_16")


def same(first: Transcription, second: Transcription) -> bool:
    """The same drums, times within `NEAR`, velocities within 1."""
    if len(first.hits) != len(second.hits):
        return False
    return all(
        a.drum == b.drum and abs(a.time - b.time) <= NEAR and abs(a.velocity - b.velocity) <= 1
        for a, b in zip(first.hits, second.hits, strict=True)
    )


def soak(
    transcriber: Transcriber, durations: Sequence[float], pieces: Sequence[np.ndarray], seed: int, alone: int
) -> tuple[list[MemoryReading], list[int], int]:
    """Decode everything; readings at every tenth, the recordings that differ from themselves alone, and hits.

    Raises:
        ValueError: a recording was refused.
    """
    from mt3drum.transcriber import Failure

    readings, kept, hits, seconds = [], {}, 0, 0.0
    wanted = set(range(0, len(durations), max(1, len(durations) // alone)) if alone else ())
    tenth = max(1, len(durations) // 10)
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:

        def paths() -> Iterator[Path]:
            for number, length in enumerate(durations):
                path = Path(scratch) / f"{number}.flac"
                make(path, length, pieces, seed + number)
                yield path

        for number, result in enumerate(transcriber.transcribe_files(paths())):
            if isinstance(result, Failure):
                raise ValueError(result.reason)
            assert result.path is not None
            result.path.unlink()
            hits += len(result.hits)
            seconds += result.seconds
            if number in wanted:
                kept[number] = result
            if (number + 1) % tenth == 0:
                most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                readings.append(MemoryReading(number + 1, seconds / 3600, resident(), most))
                print(f"{number + 1} files, {seconds / 3600:.2f} h, {resident():.0f} MiB", file=sys.stderr)
        differ = []
        for number, result in kept.items():
            path = Path(scratch) / "alone.flac"
            make(path, durations[number], pieces, seed + number)
            if not same(result, transcriber.transcribe_file(path)):
                differ.append(number)
    return readings, differ, hits


def resident() -> float:
    """Resident memory of this process, MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 if memory stayed constant and no result differed, 1 otherwise."""
    args = parse_args(arguments)
    from mt3drum.transcriber import Transcriber
    from scripts.pages.doc_block import replace_block

    try:
        if args.files < 20 or args.hours <= 0:
            raise ValueError(f"--files {args.files} must be 20 or more, --hours {args.hours} more than 0")
        pieces = sounds(args.data)
        transcriber = Transcriber.load(args.checkpoint, "cpu")
        durations = lengths(args.files, args.hours, args.seed)
        before = time.process_time()
        readings, differ, hits = soak(transcriber, durations, pieces, args.seed, args.alone)
        used = time.process_time() - before
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    grown = readings[-1].most - readings[0].most
    data = " --data $DATA/real/mdb_drums_dev/audio" if args.data else ""
    compared = len(range(0, args.files, max(1, args.files // args.alone))) if args.alone else 0
    lines = [
        f"`OMP_NUM_THREADS=1 python scripts/soak.py --files {args.files} --hours {args.hours:g}{data}`:",
        f"{args.files} recordings of {min(durations):.0f} to {max(durations):.0f} s, "
        f"{100 * SOUNDING:.0f} % of the time sounding, {hits} hits,",
        f"{used / 60:.0f} CPU-minutes in one process.",
        "",
        "| recordings | hours | MiB now | peak MiB |",
        "|--:|--:|--:|--:|",
        *(f"| {r.files} | {r.hours:.1f} | {r.resident:.0f} | {r.most:.0f} |" for r in readings),
        "",
        f"Peak memory grew by {grown:.0f} MiB after the first tenth (bound: {BOUND:.0f}). Of {compared} "
        f"recordings decoded again on their own,",
        f"{len(differ)} differ (drum class, onset by more than {1000 * NEAR:.0f} ms, "
        f"or velocity by more than 1).",
    ]
    print("\n".join(lines))
    if args.write:
        replace_block(args.write, "soak", "\n".join(lines))
    return 1 if differ or grown > BOUND else 0


if __name__ == "__main__":
    sys.exit(main())
