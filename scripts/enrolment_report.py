"""What `--kit` is worth: rendered songs of kits that training never heard, before and after enrolling them.

    python scripts/enrolment_report.py --data $DATA --write docs/kit.md
    python scripts/enrolment_report.py --data $DATA --split validation --strokes 3 --weight 0.06,0.12,0.24

Every song is played on a kit of the split, tuned anew. The samples are recorded on that tuned kit, in the
same room through the same microphones, one file for each of the 26 drums, with strokes of several velocities.
Where a drum was sampled more than once, song and samples play different recordings of it, so that no stroke
of the song stands in the samples; drums sampled once share theirs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import torch

from data.clips.clip import Palette, RenderConfig, choose_performance
from data.corpora.readers import read_gmd
from data.grooves.patterns import Performance
from data.kits.load import kit_split, load_kits
from data.render.drums import INAUDIBLE_DB, PEAK, TunedKit, play, tune_kit
from data.render.strike import Voice
from eval.metrics.bootstrap import paired
from eval.metrics.f_measure import f_measure
from mt3drum.config import SAMPLE_RATE
from mt3drum.decode.enrolment import WEIGHT, enrol
from mt3drum.transcriber import Transcriber
from scripts.pages.doc_block import replace_block
from tokenizer.drums import DRUMS, FAMILIES, NUM_CLASSES
from tokenizer.hits import Hit

SECONDS = 12.0  # of a song, and of a file of samples: the renderer's rooms then are the same
VELOCITIES = (100, 60, 85, 115, 75)


@dataclass(frozen=True)
class RenderedSong:
    """A clip, and a recording of each drum of its kit with as many strokes as there are velocities."""

    name: str
    audio: np.ndarray
    hits: tuple[Hit, ...]
    samples: dict[int, np.ndarray]


def songs(data: Path, split: str, count: int, seed: int) -> Iterator[RenderedSong]:
    """Rendered as the clips of the rendered test are: drums alone, as played."""
    config = RenderConfig.plain(split, SECONDS)
    kits = load_kits(data / "kits", kit_split(data / "splits.json", split))
    recordings = read_gmd(data / "midi" / "groove", split)
    performances = tuple(
        Performance(r.name, r.split, r.corpus, r.licence, r.bpm, r.hits) for r in recordings if r.hits
    )
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        performance = choose_performance(config, Palette(performances, tuple(kits)), rng)
        tuned = tune_kit(range(NUM_CLASSES), kits, rng)
        room = int(rng.integers(2**31))
        audio, struck = play(half(tuned, 0), performance.hits, rng, np.random.default_rng(room), SECONDS)
        peak = float(np.abs(audio).max())
        hits = tuple(
            hit for hit, level in struck if hit.time >= 0 and level >= peak * 10 ** (INAUDIBLE_DB / 20)
        )
        if not hits:
            continue
        samples = {}
        for drum in tuned.voices:
            strokes = [Hit(0.25 + 2.3 * at, drum, velocity) for at, velocity in enumerate(VELOCITIES)]
            alone, _ = play(half(tuned, 1), strokes, rng, np.random.default_rng(room), SECONDS)
            samples[drum] = alone
        yield RenderedSong(f"{tuned.main.name} {number}", audio * np.float32(PEAK / peak), hits, samples)


def half(tuned: TunedKit, which: int) -> TunedKit:
    """The kit with every second recording of each drum that has more than one."""

    def of(voice: Voice) -> Voice:
        ordered = sorted(voice.samples, key=lambda s: (s.velocity_low, s.velocity_high, s.variant))
        return replace(voice, samples=tuple(ordered[which::2] if len(ordered) > 1 else ordered), made={})

    return replace(tuned, voices={drum: of(voice) for drum, voice in tuned.voices.items()})


def write_samples(song: RenderedSong, strokes: int, folder: Path) -> None:
    """One file a drum, as a player would hand them over."""
    end = round((2.3 * strokes + 0.2) * SAMPLE_RATE)
    for drum, audio in song.samples.items():
        level = max(1.0, float(np.abs(audio).max()))
        soundfile.write(folder / f"{DRUMS[drum].name}.wav", audio[:end] / level, SAMPLE_RATE, "FLOAT")


Found = dict[str, dict[str, tuple[Hit, ...]]]


def measure(
    transcriber: Transcriber, made: Iterator[RenderedSong], counts: list[int], weights: list[float]
) -> tuple[dict[str, tuple[Hit, ...]], Found]:
    """References, and the hits found by song for each row of the table."""
    references: dict[str, tuple[Hit, ...]] = {}
    found: Found = {}

    def transcribe(row: str, song: RenderedSong) -> None:
        found.setdefault(row, {})[song.name] = transcriber.transcribe_array(song.audio).hits

    for song in made:
        references[song.name] = song.hits
        transcriber.kit = None
        transcribe("no kit", song)
        for strokes in counts:
            with tempfile.TemporaryDirectory() as folder:
                write_samples(song, strokes, Path(folder))
                kit = enrol(transcriber.model, Path(folder))
            for weight in weights:
                transcriber.kit = replace(kit, weight=weight)
                label = f"{strokes} per drum" + (f", weight {weight:g}" if weight != WEIGHT else "")
                transcribe(label, song)
        print(f"{song.name}: {len(song.hits)} hits", file=sys.stderr, flush=True)
    return references, found


def table(references: dict[str, tuple[Hit, ...]], found: Found) -> list[str]:
    """F within 50 ms: micro over the 26 classes, its difference, and over the classes of each family."""
    before = f_measure(references, found["no kit"], scheme="26")
    lines = ["| samples | 26, micro F | difference (95 %) | 16 | 8 | " + " | ".join(FAMILIES) + " |"]
    lines.append("|---|---:|---|---:|---:|" + "---:|" * len(FAMILIES))
    for row, hits in found.items():
        scores = f_measure(references, hits, scheme="26")
        gain = paired(scores, before)
        change = "" if row == "no kit" else f"{gain.difference:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
        coarse = [f_measure(references, hits, scheme=scheme).micro.f for scheme in ("16", "8")]
        families = []
        for family in FAMILIES:
            members = [scores.classes[drum.name] for drum in DRUMS if drum.family == family]
            families.append(sum(members[1:], members[0]).f)
        cells = " | ".join(f"{value:.3f}" for value in (*coarse, *families))
        lines.append(f"| {row} | {scores.micro.f:.3f} | {change} | {cells} |")
    return lines


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of docs/data.md")
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--songs", type=int, default=60)
    parser.add_argument("--strokes", default="1,3,5", help="strokes per drum (default: 1,3,5)")
    parser.add_argument("--weight", default=str(WEIGHT), help="weights of the discriminant")
    parser.add_argument("--checkpoint", type=Path, help="default: the bundled one")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table between its markers")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    counts, weights = [int(n) for n in args.strokes.split(",")], [float(w) for w in args.weight.split(",")]
    if not all(1 <= count <= len(VELOCITIES) for count in counts):
        parser.error(f"--strokes {args.strokes}: 1 to {len(VELOCITIES)} are wanted")
    try:
        made = songs(args.data, args.split, args.songs, args.seed)
        references, found = measure(Transcriber.load(args.checkpoint, "cpu"), made, counts, weights)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    hits = sum(map(len, references.values()))
    heading = f"{len(references)} songs of {SECONDS:g} s on {args.split}-split kits, {hits} hits:"
    lines = [heading, "", *table(references, found)]
    print("\n".join(lines))
    if args.write:
        replace_block(args.write, "enrolment", "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
