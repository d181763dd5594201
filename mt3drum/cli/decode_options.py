"""Options that override a checkpoint's decode settings."""

from __future__ import annotations

import argparse
from typing import Any

from mt3drum.cli import drum_options
from mt3drum.decoding import DECODED_SCHEMES, DECODERS, PLAYABLE, DecodeConfig


def _confidence(text: str) -> float | dict[str, float]:
    """Parse a threshold, or thresholds by family."""
    try:
        if "=" not in text:
            return float(text)
        pairs = [item.split("=") for item in drum_options.names(text)]
        return {family.strip(): float(bound) for family, bound in pairs}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number, or family=number,...") from None


def add_decoding(parser: argparse.ArgumentParser) -> None:
    """Add the options that override a checkpoint's decode settings."""
    add = parser.add_argument
    add(
        "--vocabulary",
        type=drum_options.names,
        default=[],
        metavar="D,D",
        help="drums or families that the recording contains, if it contains no others: every sound is "
        "attributed to one of them (use --only to choose which drums are written)",
    )
    add(
        "--decoder",
        choices=DECODERS,
        help="product: decoder and onset head combined; frames: the onset head alone, faster "
        "(default: product, if the checkpoint has a decoder)",
    )
    add("--beam", type=int, metavar="N", help="beam size; 1 is greedy search (default: from the checkpoint)")
    add(
        "--onset-weight",
        type=float,
        metavar="X",
        help="weight of the onset head, 0..1 (default: from the checkpoint)",
    )
    add(
        "--onset-bias",
        type=float,
        metavar="X",
        help="added to the onset head's logits (default: from the checkpoint)",
    )
    add(
        "--minimum-confidence",
        type=_confidence,
        metavar="X",
        help="drop hits below this confidence, 0..1: one threshold, or thresholds by family, as in "
        "tom=0.4,ride=0.2 (default: from the checkpoint)",
    )
    add(
        "--scheme",
        choices=DECODED_SCHEMES,
        help="number of drums to distinguish: 26; 16: each drum once; 8: families; 5: KD SD TT HH CY",
    )
    add("--playable", action="store_const", const=PLAYABLE, help="avoid hits that need a third hand")
    add(
        "--transitions",
        type=float,
        metavar="X",
        help="weight of human drummers' transitions between drums (default: 0, off)",
    )
    add("--minimum-gap", type=float, metavar="S", help="minimum seconds between two hits on one drum")
    add("--max-hits-per-second", type=int, metavar="N", help="maximum number of hits in any one second")


def decode_options(args: argparse.Namespace) -> dict[str, Any]:
    """The decode settings given on the command line.

    Raises:
        ValueError: a value is out of range, a name unknown, or no class left.
    """
    names = (
        *("decoder", "beam", "onset_weight", "onset_bias", "minimum_confidence", "scheme", "playable"),
        *("transitions", "minimum_gap", "max_hits_per_second"),
    )
    options = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.vocabulary:
        options["classes"] = drum_options.drum_classes(args.vocabulary)
    if args.kit is not None and options.get("scheme", "26") != "26":
        raise ValueError("--kit distinguishes drums that --scheme merges; give only one of them")
    DecodeConfig().with_options(options)  # checks the ranges before heavy imports
    return options
