"""Render the drumless set: music and noises without drums, of every kind that was taken for drums.

    python scripts/make_drumless.py --data $DATA -o datasets/drumless
    python scripts/benchmark.py --drumless datasets/drumless --scheme 8 --output report/drumless

Two recordings of 15 s a kind, `<kind>_<number>.flac`; what they are made of is in `manifest.json`.
Instruments are those that training never plays; with --no-data everything is synthesised.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder; created")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, metavar="DIR", help="folder with accompaniment/")
    source.add_argument("--no-data", action="store_true", help="synthesised sounds only")
    parser.add_argument("--per-kind", type=int, default=2, help="recordings of each kind (default: 2)")
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each (default: 15)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    if args.per_kind < 1 or not 1 <= args.seconds <= 60 or args.seed < 0:
        parser.error("--per-kind must be at least 1, --seconds 1 to 60, --seed not negative")
    return args


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    args = parse_args(arguments)
    import soundfile
    from tqdm import tqdm

    from data.band.drumless import KINDS, render_drumless
    from data.band.notes import NoteBank, load_notes
    from data.dsp.tones import SAMPLE_RATE
    from mt3drum.files import write_whole
    from tokenizer.whole_file import whole_file

    try:
        bank = NoteBank((), {})
        if not args.no_data:
            bank = load_notes(args.data / "accompaniment", loops=False, held_out=True)
        args.output.mkdir(parents=True, exist_ok=True)
        names = [(kind, number) for kind in KINDS for number in range(1, args.per_kind + 1)]
        for kind, number in tqdm(names, unit="recording"):
            audio = render_drumless(kind, number, args.seed, bank, args.seconds)
            with whole_file(args.output / f"{kind}_{number}.flac") as temporary:
                soundfile.write(temporary, audio, SAMPLE_RATE, subtype="PCM_16", format="FLAC")
        about = {
            "seed": args.seed,
            "seconds": args.seconds,
            "kinds": list(KINDS),
            "accompaniment": bank.licences,
        }
        write_whole(args.output / "manifest.json", json.dumps(about, indent=1) + "\n")
    except (ValueError, OSError) as error:
        print(f"make_drumless: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
