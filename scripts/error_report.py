"""What goes wrong on the development recordings, and why: tables and pictures for docs/errors.md.

    python scripts/error_report.py --data $DATA/real/mdb_drums_dev
    python scripts/error_report.py --data $DATA/real/mdb_drums_dev --checkpoint runs/small/best.safetensors \\
        --output report/errors

Captions are people's: docs/errors_captions.yaml, shown where recording and mix are the same and the second is
at most one away.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scripts.pages.error_hits import Take

ROOT = Path(__file__).resolve().parent.parent
CAPTIONS = ROOT / "docs" / "errors_captions.yaml"
CAPTION_SECONDS = 1.0


def read_captions(path: Path) -> list[dict[str, Any]]:
    """People's captions.

    Raises:
        ValueError: the file is not a list of recording, mix, second and text.
    """
    import yaml

    try:
        captions = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [
            {**one, "second": float(one["second"]), "text": " ".join(one["text"].split())} for one in captions
        ]
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path}: expected a list of recording, mix, second, text ({error})") from error


def caption_of(captions: Sequence[dict[str, Any]], take: Take, start: float) -> str:
    """The caption of a moment; empty where nobody wrote one."""
    fitting = [one for one in captions if (one.get("recording"), one.get("mix")) == (take.song, take.mix)]
    best = min(fitting, key=lambda one: abs(one["second"] - start), default=None)
    return best["text"] if best and abs(best["second"] - start) <= CAPTION_SECONDS else ""


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="default: the bundled one")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="MDB Drums, as $DATA/real/mdb_drums_dev"
    )
    parser.add_argument(
        "--electronic", type=Path, metavar="DIR", help="an electronic song with melodic/, mix/ and ref/"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "docs",
        metavar="DIR",
        help="folder of errors.md (default: docs)",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    args = parse_args(arguments)
    from mt3drum import Transcriber
    from scripts.pages.error_electronic import electronic_section
    from scripts.pages.error_hits import errors, listen, worst_moments
    from scripts.pages.error_page import write_page

    try:
        transcriber = Transcriber.load(args.checkpoint, device="cpu", precision="float32")
        takes = listen(transcriber, args.data)
        wrong = [each for take in takes for each in errors(take)]
        moments = worst_moments(wrong)
        captions = [caption_of(read_captions(CAPTIONS), take, start) for take, start, _ in moments]
        more = electronic_section(transcriber, args.electronic, args.output) if args.electronic else []
        write_page(args.output, takes, wrong, moments, captions, more)
    except (ValueError, OSError) as error:
        print(f"error_report: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
