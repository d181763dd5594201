"""How well beats, downbeats, tempo and meter are found: mir_eval's measures on annotated beats.

    python scripts/beat_report.py --data $DATA --reports report --page docs/beats.md

MDB Drums: hits are the annotated ones, those of ADTOF, or those in `--reports` (see docs/reproduce.md);
beside them librosa's beat tracker on the audio. Groove: performances to a click, whose MIDI files start on a
downbeat.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import mir_eval
import numpy as np
import soundfile

from eval.inputs.annotations import read_annotation
from mt3drum.rhythm.estimate import estimate
from mt3drum.rhythm.grid import Grid
from scripts.pages.doc_block import replace_block
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi import read_midi

TEMPO_WINDOW = 0.04
"""A tempo is right within this share of the truth (Gouyon et al. 2006, accuracy 1)."""
HEAD = (
    "| hits | recordings | beats F | downbeats F | CMLt | AMLt | tempo right | meter right |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|\n"
)


@dataclass(frozen=True)
class Track:
    """A recording's hits and its true beats."""

    name: str
    hits: tuple[Hit, ...]
    seconds: float
    beats: np.ndarray
    downbeats: np.ndarray
    meter: str


def mdb(root: Path, estimate_folder: Path | None) -> Iterator[Track]:
    """The tracks of MDB Drums that are there."""
    for path in sorted((root / "annotations" / "beats").glob("*.beats")):
        name = path.stem.removesuffix("_MIX")
        short = name.removeprefix("MusicDelta_")
        if estimate_folder is None:
            subclass = root / "annotations" / "subclass" / f"{name}_subclass.txt"
            hits = read_annotation(subclass, LABEL_MAPS["mdb_subclass"]).hits
        else:
            stems = {short, name, f"{name}_Drum"}
            found = sorted(path for path in estimate_folder.iterdir() if path.stem in stems)
            if not found:
                raise ValueError(f"{estimate_folder}: no estimate for {name}")
            hits = read_annotation(found[0], LABEL_MAPS["gm"]).hits
        rows = np.loadtxt(path)
        beats, places = rows[:, 0], rows[:, 1]
        seconds = soundfile.info(root / "audio" / "drum_only" / f"{name}_Drum.flac").duration
        yield Track(short, hits, seconds, beats, beats[places == 1], f"{int(places.max())}/4")


def groove(root: Path, splits: set[str], seconds: float) -> Iterator[Track]:
    """The first `seconds` of the grooves (not the fills) of the Groove MIDI Dataset that last 8 s."""
    with (root / "info.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["split"] not in splits or row["beat_type"] != "beat" or float(row["duration"]) < 8:
            continue
        score = read_midi(root / row["midi_filename"], LABEL_MAPS["gmd"])
        hits = tuple(hit for hit in score.hits if hit.time < seconds)
        numerator, denominator = map(int, row["time_signature"].split("-"))
        quarter = 60 / score.tempos[0][1]
        beat = quarter * (1.5 if denominator == 8 and numerator % 3 == 0 else 4 / denominator)
        end = hits[-1].time
        beats = np.arange(0, end + beat, beat)
        bar = quarter * 4 * numerator / denominator
        name = f"{row['style']} {row['id']}"
        yield Track(name, hits, end, beats, np.arange(0, end + beat, bar), f"{numerator}/{denominator}")


def librosa_beats(audio: Path) -> np.ndarray:
    """What librosa's beat tracker finds in a recording, for comparison."""
    import librosa

    samples, rate = librosa.load(audio, sr=22050)
    return np.asarray(librosa.beat.beat_track(y=samples, sr=rate, units="time")[1])


def measure(track: Track, beats: np.ndarray, downbeats: np.ndarray) -> list[float]:
    """F of the beats, F of the downbeats (70 ms), CMLt and AMLt (mir_eval, without its trimming of 5 s)."""
    inside = track.hits[0].time - 0.1  # nobody can know of beats before the first stroke
    truth, beats = track.beats[track.beats >= inside], beats[beats >= inside]
    _, cmlt, _, amlt = mir_eval.beat.continuity(truth, beats)
    bars = mir_eval.beat.f_measure(track.downbeats[track.downbeats >= inside], downbeats[downbeats >= inside])
    return [mir_eval.beat.f_measure(truth, beats), bars, cmlt, amlt]


def values_of(track: Track) -> tuple[list[float], str]:
    """The measures, tempo right, meter right; and a word on what was found. Nothing found: all zero."""
    grid: Grid | None = estimate(track.hits, track.seconds)
    if grid is None:
        return [0.0] * 6, "no steady grid"
    truth = 60 / float(np.median(np.diff(track.beats)))
    tempo = float(abs(grid.bpm / truth - 1) <= TEMPO_WINDOW)
    found = measure(track, np.array(grid.beats), np.array(grid.downbeats))
    text = f"{grid.bpm:.1f} bpm ({truth:.1f}), {grid.meter} ({track.meter}), steady {grid.steadiness:.2f}"
    return [*found, tempo, float(str(grid.meter) == track.meter)], text


def report(name: str, tracks: Iterable[Track], verbose: bool) -> str:
    """The row of a set of recordings; prints one line a recording.

    Raises:
        ValueError: there is none.
    """
    rows = []
    for track in tracks:
        values, text = values_of(track)
        rows.append(values)
        if verbose:
            print(f"{track.name}: {' '.join(f'{value:.3f}' for value in values)}; {text}", flush=True)
    return row(name, rows)


def librosa_report(root: Path, mix: str, verbose: bool) -> str:
    """The same of librosa on a mix of MDB Drums; it knows no downbeats and no meter."""
    rows = []
    for track in mdb(root, None):
        (audio,) = (root / "audio" / mix).glob(f"MusicDelta_{track.name}_*.flac")
        beats = librosa_beats(audio)
        values = measure(track, beats, np.array([]))
        truth = 60 / float(np.median(np.diff(track.beats)))
        tempo = float(abs(60 / float(np.median(np.diff(beats))) / truth - 1) <= TEMPO_WINDOW)
        rows.append([values[0], np.nan, values[2], values[3], tempo, np.nan])
        if verbose:
            print(f"{track.name}: librosa {' '.join(f'{value:.3f}' for value in rows[-1])}", flush=True)
    return row(f"MDB Drums, librosa's beat tracker on the audio, {mix.replace('_', ' ')}", rows)


def row(name: str, values: Sequence[Sequence[float]]) -> str:
    """A row of the table: means.

    Raises:
        ValueError: there is nothing to take a mean of.
    """
    if not values:
        raise ValueError(f"{name}: nothing to measure")
    cells = ["-" if np.isnan(mean) else f"{mean:.3f}" for mean in np.mean(np.array(values), 0)]
    return f"| {name} | {len(values)} | {' | '.join(cells)} |\n"


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with real/mdb_drums_dev, midi/groove"
    )
    parser.add_argument("--reports", type=Path, help="folder with drum_only and pseudo_mix of the benchmark")
    parser.add_argument(
        "--split", default="test,validation", help="splits of the Groove dataset (default: test,validation)"
    )
    parser.add_argument("--seconds", type=float, default=45.0, help="length of each groove (default: 45)")
    parser.add_argument("--page", type=Path, metavar="FILE", help="fill the table in this page")
    parser.add_argument("--quiet", action="store_true", help="only the table")
    return parser.parse_args(arguments)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    args = parse_args(argv)
    root, verbose = args.data / "real" / "mdb_drums_dev", not args.quiet
    table = HEAD
    try:
        table += report("MDB Drums (development), annotated hits", mdb(root, None), verbose)
        for mix in ("drum_only", "pseudo_mix"):
            name = mix.replace("_", " ")
            if args.reports is not None:
                heard = mdb(root, args.reports / mix / "estimates" / "mt3drum")
                table += report(f"MDB Drums, hits of the bundled model, {name}", heard, verbose)
            table += report(
                f"MDB Drums, hits of ADTOF, {name}", mdb(root, root / "estimates" / "adtof" / mix), verbose
            )
            table += librosa_report(root, mix, verbose)
        grooves = groove(args.data / "midi" / "groove", set(args.split.split(",")), args.seconds)
        name = (
            f"Groove MIDI Dataset, {args.split.replace(',', ' and ')}, {args.seconds:.0f} s each, as played"
        )
        table += report(name, grooves, verbose)
        print(table, end="")
        if args.page is not None:
            replace_block(args.page, "beats", table)
    except (ValueError, OSError) as error:
        print(f"beat_report: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
