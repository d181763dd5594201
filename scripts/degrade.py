"""Write copies of recordings made worse, to measure what a bad recording costs.

    python scripts/degrade.py RECORDINGS --condition phone -o worse/phone
    python scripts/benchmark.py --corpus mdb PATH --corpus-option mix=pseudo_mix --audio worse/phone

RECORDINGS is a file or a folder; copies keep their names and folders, as 44.1 kHz mono FLAC. Labels stay
valid: no attack moves. A copy depends on its own name and --seed alone.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

CONDITIONS = {
    "phone": "in a small room (0.4 s), overdriven by 12 dB, 250 to 7,000 Hz, white noise at 20 dB",
    "hall": "a hall (2 s), its reverberation as loud as the direct sound",
    "noise": "white noise at 10 dB",
    "clip": "clipped by 18 dB",
}
LONGEST = 1800.0
"""Seconds: an effect takes a recording whole."""


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recordings", type=Path, help="file or folder")
    meanings = "; ".join(f"{name}: {what}" for name, what in CONDITIONS.items())
    parser.add_argument("--condition", choices=CONDITIONS, required=True, help=meanings)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder; created")
    parser.add_argument("--seed", type=int, default=0, help="seed of rooms and noise (default: 0)")
    args = parser.parse_args(arguments)
    if args.seed < 0:
        parser.error("--seed must not be negative")
    return args


def maker(condition: str) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """What makes a mono float32 recording [samples] at 44.1 kHz worse: a training effect at one setting."""
    from data.dsp import harsh

    config = harsh.HarshConfig(
        phone_low=(250, 250),
        phone_high=(7000, 7000),
        phone_drive=(12, 12),
        phone_snr=(20, 20),
        phone_room=(0.4, 0.4),
        phone_wet=(0.8, 0.8),
        phone_codec=0.0,
        hall_seconds=(2.0, 2.0),
        hall_wet=(1.0, 1.0),
        snr=(10, 10),
        white=1.0,
        clip=(18, 18),
    )
    effect = {"phone": harsh.phone, "hall": harsh.hall, "noise": harsh.hiss, "clip": harsh.clip}[condition]
    return lambda audio, rng: effect(audio, rng, config)


def degrade(source: Path, target: Path, condition: str, seed: int) -> None:
    """Write one copy, peak 0.9; it is there whole or not at all.

    Raises:
        ValueError: the recording cannot be read or is longer than `LONGEST`.
    """
    import numpy as np
    import soundfile

    from data.dsp.levels import full_scale
    from mt3drum.audio.recording import open_file
    from mt3drum.config import SAMPLE_RATE
    from tokenizer.whole_file import whole_file

    recording = open_file(source)
    if recording.seconds > LONGEST:
        raise ValueError(
            f"{source}: {recording.seconds / 60:.0f} minutes; cut it to {LONGEST / 60:g} at most"
        )
    rng = np.random.default_rng([seed, zlib.crc32(source.stem.encode())])
    worse = maker(condition)(np.concatenate(list(recording.blocks())), rng)
    with whole_file(target) as temporary:
        soundfile.write(temporary, full_scale(worse), SAMPLE_RATE, subtype="PCM_16", format="FLAC")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    args = parse_args(arguments)
    from tqdm import tqdm

    from mt3drum.files import AUDIO_SUFFIXES

    try:
        inside = args.recordings.is_dir()
        root = args.recordings if inside else args.recordings.parent
        found = [path for path in sorted(root.rglob("*")) if path.suffix.lower() in AUDIO_SUFFIXES]
        sources = found if inside else [args.recordings]
        if not sources:
            raise ValueError(f"{root}: no recordings in it ({', '.join(sorted(AUDIO_SUFFIXES))})")
        targets = [args.output / path.relative_to(root).with_suffix(".flac") for path in sources]
        twice = next((path for path in targets if targets.count(path) > 1), None)
        if twice is not None:
            raise ValueError(f"{root}: two recordings would both become {twice}; rename one")
        if {path.resolve() for path in sources} & {path.resolve() for path in targets}:
            raise ValueError(f"{args.output}: copies would overwrite the recordings; choose another folder")
        for source, target in zip(tqdm(sources, unit="recording"), targets, strict=True):
            degrade(source, target, args.condition, args.seed)
    except (ValueError, OSError) as error:
        print(f"degrade: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
