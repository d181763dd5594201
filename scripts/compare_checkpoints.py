"""Compare checkpoints on the development recordings: means over segment margins, invented hits, velocities.

    python scripts/compare_checkpoints.py --data $DATA bundled runs/small/best.safetensors
    python scripts/compare_checkpoints.py --data $DATA 0.1.0=old.safetensors bundled --docs docs/reproduce.md

Where segments are cut moves the score of a checkpoint by as much as neighbouring checkpoints differ, so the
figures of MDB Drums are means over `--margins` (seconds). Everything is decoded in float32, with the settings
in each header.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mt3drum import Transcriber

MARGINS = (0.25, 0.5, 0.75)
WINDOW = 0.05
"""Seconds."""
MIXES = {"drum_only": "drums only", "pseudo_mix": "pseudo mixes", "full_mix": "full mix (one song)"}
BLOCK = "checkpoints"
Loader = Callable[[float], "Transcriber"]
"""Margin in seconds -> the checkpoint with it."""


def real_figures(load: Loader, mdb: Path, margins: Sequence[float]) -> Iterator[tuple[str, float]]:
    """Micro F-measure of each mix, and the rank correlation of velocities: means over margins."""
    import numpy as np

    from data.corpora.readers import read_mdb
    from eval.metrics.f_measure import f_measure
    from eval.metrics.match import match_tracks
    from eval.metrics.velocity import rank_agreement
    from tokenizer.maps import LABEL_MAPS

    unjudged = LABEL_MAPS["mdb_class"].unjudged
    transcribers = [load(margin) for margin in margins]
    for mix, title in MIXES.items():
        recordings = {one.name: one for one in read_mdb(mdb, mix=mix) if one.audio is not None}
        played = {name: one.hits for name, one in recordings.items()}
        heard = [
            {name: each.transcribe_file(one.audio).hits for name, one in recordings.items() if one.audio}
            for each in transcribers
        ]
        scores = [f_measure(played, hits, scheme="5", window=WINDOW, unjudged=unjudged) for hits in heard]
        yield f"{title}: micro F", float(np.mean([score.micro.f for score in scores]))
        if mix == "full_mix":
            yield from ((f"... margin {m:g} s", one.micro.f) for m, one in zip(margins, scores, strict=True))
        else:
            second = {one.name: one.hits for one in read_mdb(mdb, mix=mix, annotation="midi")}
            ranks = [rank_agreement(match_tracks(second, hits, window=WINDOW)) for hits in heard]
            agreement = float(np.mean([each.correlation for each in ranks if each]))
            yield f"{title}: rank correlation of velocities", agreement


def electronic_figures(load: Loader, folder: Path, margin: float) -> Iterator[tuple[str, float]]:
    """The electronic song: hits a minute invented on its melodic stems; F-measure of kick and hi-hat."""
    from eval.inputs.annotations import read_annotation
    from eval.metrics.f_measure import f_measure
    from tokenizer.drums import DRUMS, SCHEMES
    from tokenizer.maps import LABEL_MAPS

    transcriber, label_of = load(margin), SCHEMES["5"].of_class
    judged = [SCHEMES["5"].labels.index(label) for label in ("KD", "HH")]
    unjudged = frozenset(drum.name for drum in DRUMS if label_of[drum.index] not in judged)
    (stems,), (mix,), (reference,) = (_files(folder / name) for name in ("melodic", "mix", "ref"))
    invented = transcriber.transcribe_file(stems)
    yield "electronic song, melodic stems: invented hits a minute", 60 * len(invented.hits) / invented.seconds
    played = {"song": read_annotation(reference, LABEL_MAPS["mdb_class"]).hits}
    hits = {"song": transcriber.transcribe_file(mix).hits}
    scores = f_measure(played, hits, scheme="5", window=WINDOW, unjudged=unjudged)
    yield "electronic song: F of kick", scores.classes["KD"].f
    yield "electronic song: F of hi-hat", scores.classes["HH"].f
    yield "electronic song: micro F", scores.micro.f


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def table(figures: Mapping[str, Mapping[str, float]]) -> str:
    """Checkpoint -> figure -> value, as Markdown."""
    names = list(figures)
    lines = ["| figure | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for title in figures[names[0]]:
        digits = 1 if "a minute" in title else 3
        lines.append(
            f"| {title} | " + " | ".join(f"{figures[name][title]:.{digits}f}" for name in names) + " |"
        )
    return "\n".join(lines)


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoints", nargs="+", metavar="[NAME=]FILE", help="`bundled` is the bundled one")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with real/mdb_drums_dev and electronic/development"
    )
    parser.add_argument("--margins", type=float, nargs="+", default=MARGINS, help="default: 0.25 0.5 0.75")
    parser.add_argument(
        "--docs", type=Path, metavar="PAGE", help=f"write the table between its `{BLOCK}` marks"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    args = parse_args(arguments)
    from mt3drum import Transcriber
    from scripts.pages.doc_block import replace_block

    figures: dict[str, dict[str, float]] = {}
    try:
        for item in args.checkpoints:
            name, _, file = item.rpartition("=")
            checkpoint = None if file == "bundled" else Path(file)

            def load(margin: float, checkpoint: Path | None = checkpoint) -> Transcriber:
                return Transcriber.load(checkpoint, device="cpu", precision="float32", margin=margin)

            own = dict(real_figures(load, args.data / "real" / "mdb_drums_dev", args.margins))
            own |= electronic_figures(load, args.data / "electronic" / "development", 0.5)
            figures[name or file] = own
            print(table({name or file: own}), flush=True)
        if args.docs:
            margins = ", ".join(f"{margin:g}" for margin in args.margins)
            text = f"Float32, 50 ms, 5 classes; figures of MDB Drums are means over margins of {margins} s."
            replace_block(args.docs, BLOCK, f"{text}\n\n{table(figures)}")
    except (ValueError, OSError) as error:
        print(f"compare_checkpoints: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
