"""Options of every subcommand that transcribes: weights, device and kit."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path


def add_options(parser: ArgumentParser) -> None:
    """Add `--kit`, `--checkpoint` and `--device`."""
    parser.add_argument(
        "--kit",
        type=Path,
        metavar="DIR",
        help="folder with samples of the drums played, each file named after its drum (tom1_head_2.wav); "
        "helps to distinguish similar drums",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        metavar="FILE",
        help="checkpoint to use (default: the bundled one); may be repeated: checkpoints of the same classes "
        "are averaged, and one taught only some families of drums replaces the others in these",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default: auto)")
