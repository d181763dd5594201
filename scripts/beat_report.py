"""How well beats, downbeats and meters are found: mir_eval's measures on annotated beats.

    python scripts/beat_report.py --mdb ../shared/data/real/mdb_drums_dev
    python scripts/beat_report.py --groove ../shared/data/midi/groove --split test,validation

MDB Drums: hits are the annotated ones, or those of `--estimate FOLDER` (MIDI files named like the tracks).
Groove: performances to a click, whose MIDI files start on a downbeat.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mir_eval
import numpy as np
import soundfile

from eval.annotations import read_annotation
from mt3drum.grid import Grid
from mt3drum.meter import estimate
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi import read_midi


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
                raise SystemExit(f"{estimate_folder}: no estimate for {name}")
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


def report(tracks: Iterator[Track], verbose: bool) -> None:
    """Print a row per track and their mean."""
    print(
        "track | beats F | downbeats F | CMLt | AMLt | bpm | meter | steadiness\n"
        "---|---|---|---|---|---|---|---"
    )
    rows = []
    for track in tracks:
        grid: Grid | None = estimate(track.hits, track.seconds)
        if grid is None:
            rows.append([0.0] * 4 + [0.0])
            print(f"{track.name} | no steady grid", flush=True)
            continue
        values = measure(track, np.array(grid.beats), np.array(grid.downbeats))
        rows.append([*values, float(str(grid.meter) == track.meter)])
        if verbose:
            cells = " | ".join(f"{value:.3f}" for value in values)
            print(
                f"{track.name} | {cells} | {grid.bpm:.1f} | {grid.meter} | {grid.steadiness:.2f}", flush=True
            )
    if not rows:
        raise SystemExit("nothing to measure there")
    mean = " | ".join(f"{value:.3f}" for value in np.mean(rows, 0))
    print(f"mean of {len(rows)} | {mean} (meter right)")


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mdb", type=Path, help="folder of MDB Drums")
    parser.add_argument("--estimate", type=Path, help="folder of MIDI files to take the hits from")
    parser.add_argument(
        "--librosa", metavar="MIX", help="librosa on the recordings of drum_only or pseudo_mix"
    )
    parser.add_argument("--groove", type=Path, help="folder of the Groove MIDI Dataset")
    parser.add_argument("--split", default="test,validation")
    parser.add_argument("--seconds", type=float, default=45.0, help="of each groove (default: 45)")
    parser.add_argument("--quiet", action="store_true", help="only the mean")
    args = parser.parse_args(argv)
    if args.mdb is not None and args.librosa:
        for track in mdb(args.mdb, None):
            (audio,) = (args.mdb / "audio" / args.librosa).glob(f"MusicDelta_{track.name}_*.flac")
            values = measure(track, librosa_beats(audio), np.array([]))
            print(
                f"{track.name} | librosa | {values[0]:.3f} | - | {values[2]:.3f} | {values[3]:.3f}",
                flush=True,
            )
    elif args.mdb is not None:
        report(mdb(args.mdb, args.estimate), not args.quiet)
    if args.groove is not None:
        report(groove(args.groove, set(args.split.split(",")), args.seconds), not args.quiet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
