"""Write mt3drum/assets/transitions.npz: what human drummers strike after what, for `--transitions`.

python scripts/make_transitions.py --data $DATA

Counts of the training split of the Groove MIDI Dataset (CC BY 4.0, Gillick et al. 2019).
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.corpora.readers import read_gmd
from mt3drum.decode import preferences
from mt3drum.files import write_whole
from tokenizer.codec import Codec

FOLDER = Path(__file__).resolve().parents[1] / "mt3drum" / "assets"
LICENCE = "Groove MIDI Dataset, training split; CC BY 4.0; Gillick et al. 2019, arXiv:1905.06118"


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with midi/groove/")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    args = parse_args(argv)
    try:
        recordings = read_gmd(args.data / "midi" / "groove", "train")
    except (ValueError, OSError) as error:
        print(f"make_transitions: {error}", file=sys.stderr)
        return 1
    codec = Codec()
    counts = preferences.count([[(codec.step_of(hit.time), hit.drum) for hit in r.hits] for r in recordings])
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, licence=np.array(LICENCE), **counts)
    write_whole(FOLDER / preferences.ASSET, file.getvalue())
    print(
        f"{FOLDER / preferences.ASSET}: {counts['moments'][-1]:,} moments of {len(recordings)} performances"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
