"""Options of every subcommand that transcribes: which weights, where, and whose drums."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path


def add_options(parser: ArgumentParser) -> None:
    """Add `--kit`, `--checkpoint` and `--device`."""
    parser.add_argument(
        "--kit",
        type=Path,
        metavar="DIR",
        help="folder of samples of the drums that play, each file named after its drum (tom1_head_2.wav): "
        "tells similar drums apart",
    )
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="use this checkpoint (default: the bundled one)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default: auto)")
