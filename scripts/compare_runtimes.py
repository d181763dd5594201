"""Compare the hits of ONNX Runtime with those of torch in float32, recording by recording.

    python scripts/compare_runtimes.py $DATA/real $DATA/electronic/development --clips 6

Recordings are files or folders; --clips adds rendered clips, with bands, made without data; --docs PAGE
writes the result there. Exit code 1: some recording has other hits, times off by more than 1 ms or velocities
off by more than 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from tqdm import tqdm

from data.band.play import make_bank
from data.clips.clip import Palette, RenderConfig, render_clip, synthetic_kits
from mt3drum.audio.recording import AudioError
from mt3drum.cli.parser import CommandParser
from mt3drum.files import AUDIO_SUFFIXES
from mt3drum.transcriber import Transcriber, Transcription
from scripts.pages.doc_block import replace_block
from tokenizer.hits import Hit

BLOCK = "runtimes"
RUNTIMES: tuple[Literal["torch", "onnx"], ...] = ("torch", "onnx")
SECONDS, VELOCITY = 0.001, 1
"""Hits that differ by more are not the same."""


@dataclass(frozen=True)
class Compared:
    """One recording by both."""

    name: str
    seconds: float
    hits: tuple[tuple[Hit, ...], tuple[Hit, ...]]

    @property
    def drums(self) -> bool:
        """Whether both found the same drums in the same order."""
        ours, theirs = ([hit.drum for hit in each] for each in self.hits)
        return ours == theirs

    def farthest(self, field: str) -> float:
        """The greatest difference of a field, where `drums` is true."""
        pairs = zip(*self.hits, strict=True)
        return max((abs(getattr(a, field) - getattr(b, field)) for a, b in pairs), default=0.0)

    @property
    def same(self) -> bool:
        return self.drums and self.farthest("time") <= SECONDS and self.farthest("velocity") <= VELOCITY


def files(paths: Sequence[Path]) -> list[Path]:
    """Recordings named, and those in folders.

    Raises:
        ValueError: a path is not there.
    """
    found = []
    for path in paths:
        if not path.exists():
            raise ValueError(f"{path}: no such file or folder")
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        found += [file for file in inside if file.suffix.lower() in AUDIO_SUFFIXES or file == path]
    return [file for file in found if file.is_file()]


def clips(count: int) -> Iterator[np.ndarray]:
    """Mono float32 [samples] at 44.1 kHz: generated patterns on synthesised kits and machines, with bands."""
    rng = np.random.default_rng(0)
    config, palette = RenderConfig(negatives=0.0), Palette(notes=make_bank(None, rng, False))
    made = synthetic_kits(config, palette, count, rng)
    for _ in range(count):
        clip = render_clip(config, palette, made, rng)
        yield clip.audio if clip.band is None else clip.audio + clip.band


def compare(recordings: Sequence[Path], count: int) -> tuple[list[Compared], dict[str, float]]:
    """Every recording by both; and processor seconds of each."""
    torch.set_num_threads(1)
    both = [Transcriber.load(device="cpu", precision="float32", runtime=runtime) for runtime in RUNTIMES]
    spent = {str(runtime): 0.0 for runtime in RUNTIMES}
    found = []
    sounds: list[Path | np.ndarray] = [*recordings, *clips(count)]
    for number, sound in enumerate(tqdm(sounds, unit="recording")):
        results: list[Transcription] = []
        for runtime, transcriber in zip(RUNTIMES, both, strict=True):
            began = time.process_time()
            if isinstance(sound, Path):
                results.append(transcriber.transcribe_file(sound))
            else:
                results.append(transcriber.transcribe_array(sound))
            spent[runtime] += time.process_time() - began
        name = sound.stem if isinstance(sound, Path) else f"clip {number - len(recordings) + 1}"
        found.append(Compared(name, results[0].seconds, (results[0].hits, results[1].hits)))
    return found, spent


def summary(found: Sequence[Compared], spent: dict[str, float]) -> str:
    """Markdown: one paragraph, and a line for each recording that differs."""
    alike = [each for each in found if each.drums]
    count = sum(len(each.hits[0]) for each in found)
    minutes = sum(each.seconds for each in found) / 60
    farthest = {
        field: max((each.farthest(field) for each in alike), default=0.0)
        for field in ("time", "velocity", "confidence")
    }
    rates = " and ".join(f"{spent[runtime] / minutes:.2f} s ({runtime})" for runtime in RUNTIMES)
    same = sum(each.same for each in found)
    lines = [
        f"{same} of {len(found)} recordings have the same hits ({count:,} hits in {minutes:.0f} minutes). "
        f"Largest differences: {1e6 * farthest['time']:.0f} µs, velocity {farthest['velocity']:.0f}, "
        f"confidence {farthest['confidence']:.6f}. Processor time for a minute of music, on one thread: "
        f"{rates}."
    ]
    for each in found:
        if not each.same:
            lines.append(
                f"- {each.name}: {len(each.hits[0])} hits by torch, {len(each.hits[1])} by ONNX Runtime"
            )
    return "\n".join(lines)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = CommandParser(description="Compare the hits of ONNX Runtime with those of torch.")
    parser.add_argument("recordings", nargs="*", type=Path, metavar="FILE_OR_DIR", help="recordings")
    parser.add_argument("--clips", type=int, default=0, metavar="N", help="rendered clips beside them")
    parser.add_argument("--docs", type=Path, metavar="PAGE", help="write the result there")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    args = parse(arguments)
    try:
        found, spent = compare(files(args.recordings), args.clips)
    except (ValueError, OSError, ImportError, AudioError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not found:
        print("error: no recordings: name files or folders, or use --clips", file=sys.stderr)
        return 1
    text = summary(found, spent)
    print(text)
    if args.docs is not None:
        replace_block(args.docs, BLOCK, text)
    return 0 if all(each.same for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
