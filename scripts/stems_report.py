"""How well stems are separated: SI-SDR on rendered clips whose drum families were rendered one by one.

    python scripts/stems_report.py --update-docs
    python scripts/stems_report.py --kits $DATA/kits --hits transcribed

SI-SDR (Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019) of each family's stem, in dB, beside
two baselines: the recording itself, and the recording behind a gate that opens at the family's hits. Half of
the clips have a band. Kits, grooves and bands are synthesised; with --kits, kits are sampled ones.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from data.band.backing import render_backing
from data.band.synthetic import synthetic_notes
from data.grooves.patterns import generate
from data.kits.load import load_kits
from data.kits.sample import Kit
from data.kits.synth import synthesise_kit
from data.render.drums import play, tune_kit
from mt3drum.audio.drum_model import RING
from mt3drum.audio.stems import write_stems
from mt3drum.config import SAMPLE_RATE
from scripts.pages.doc_block import replace_block
from tokenizer.drums import DRUMS, FAMILIES
from tokenizer.hits import Hit

PAGE = Path(__file__).resolve().parent.parent / "docs" / "producing.md"
BLOCK = "stems"
BEFORE = 0.005
"""Seconds by which the gate opens before a hit."""
LEAST_HITS = 40
"""A clip with fewer has little to separate."""
SILENT = 1e-4
"""A family whose rendered stem is below this peak has no SI-SDR."""
NOTHING = -30.0
"""dB: what a family that was not heard counts as; nothing was separated."""


@dataclass(frozen=True)
class StemClip:
    """A rendered clip and what it is made of."""

    mix: np.ndarray
    stems: Mapping[str, np.ndarray]
    hits: Sequence[Hit]
    band: bool


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each clip")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kits", type=Path, help="folder of sampled kits")
    parser.add_argument(
        "--hits",
        choices=("played", "transcribed"),
        default="played",
        help="separate by the hits that were played, or by those that the bundled weights transcribe",
    )
    parser.add_argument("--update-docs", action="store_true", help=f"write the table to {PAGE.name}")
    return parser.parse_args(arguments)


def si_sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """In dB; both [samples]."""
    target = (reference @ estimate) / (reference @ reference) * reference
    wrong = estimate - target
    return float(10 * np.log10((target @ target + 1e-20) / (wrong @ wrong + 1e-20)))


def make_clip(number: int, seconds: float, kits: Sequence[Kit], seed: int) -> StemClip:
    """Clip `number` of a seed; every other one has a band, 3 dB below the drums."""
    rng = np.random.default_rng((seed, number))
    kits = kits or [synthesise_kit(rng)]
    performance = generate(rng, seconds)
    while len(performance.hits) < LEAST_HITS:
        performance = generate(rng, seconds)
    tuned = tune_kit(sorted({hit.drum for hit in performance.hits}), kits, rng)
    room = int(rng.integers(1 << 30))
    stems: dict[str, np.ndarray] = {}
    for family in FAMILIES:
        own = [hit for hit in performance.hits if DRUMS[hit.drum].family == family]
        if own:
            strokes = np.random.default_rng((seed, number, FAMILIES.index(family)))
            audio, _ = play(tuned, own, strokes, np.random.default_rng(room), seconds)
            if np.abs(audio).max() > SILENT:
                stems[family] = audio.astype(np.float64)
    drums = np.sum(list(stems.values()), axis=0)
    level = 0.5 / np.abs(drums).max()
    stems = {family: audio * level for family, audio in stems.items()}
    mix = drums * level
    if number % 2:
        kicks = [hit.time for hit in performance.hits if DRUMS[hit.drum].family == "kick"]
        band = render_backing(synthetic_notes(rng), (), rng, seconds, performance.bpm, kicks).astype(
            np.float64
        )
        mix = mix + band * np.sqrt(0.5 * np.mean(mix**2) / np.mean(band**2))
    return StemClip(mix * 0.9 / max(0.9, np.abs(mix).max()), stems, performance.hits, bool(number % 2))


def gated(clip: StemClip, family: str) -> np.ndarray:
    """The recording while a stroke of the family may ring."""
    gate = np.zeros(clip.mix.size)
    for hit in clip.hits:
        if DRUMS[hit.drum].family == family:
            start = max(0, round((hit.time - BEFORE) * SAMPLE_RATE))
            gate[start : round((hit.time + RING[family]) * SAMPLE_RATE)] = 1
    return clip.mix * gate


def measure(clip: StemClip, transcribed: bool) -> list[tuple[str, float, float, float]]:
    """(family, of the mix, of the gate, of the stem) in dB, for the families that were played."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.wav"
        soundfile.write(path, clip.mix, SAMPLE_RATE, "FLOAT")
        hits = clip.hits
        if transcribed:
            from mt3drum import Transcriber

            hits = Transcriber.load().transcribe_file(path).hits
        found = {
            file.stem: soundfile.read(file)[0] for file in write_stems(path, hits, Path(folder) / "stems")
        }
    rows = []
    for family, reference in clip.stems.items():
        quality = si_sdr(reference, found[family]) if family in found else NOTHING
        rows.append((family, si_sdr(reference, clip.mix), si_sdr(reference, gated(clip, family)), quality))
    return rows


def table(rows: Mapping[bool, Sequence[tuple[str, float, float, float]]], heading: str) -> str:
    """Medians over clips, of each family; `rows` by whether there was a band."""
    lines = [
        heading,
        "",
        "| | clips | mix | gate | stem | clips with band | mix | gate | stem |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for family in (*FAMILIES, "all"):
        cells = []
        for band in (False, True):
            own = [row[1:] for row in rows[band] if family in (row[0], "all")]
            medians = np.median(own, axis=0) if own else ()
            cells += [str(len(own)), *(f"{value:.1f}" for value in medians)] if own else ["0", "-", "-", "-"]
        lines.append(f"| {family} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    args = parse_args(arguments)
    kits = load_kits(args.kits) if args.kits else []
    rows: dict[bool, list[tuple[str, float, float, float]]] = {False: [], True: []}
    for number in range(args.clips):
        clip = make_clip(number, args.seconds, kits, args.seed)
        rows[clip.band] += measure(clip, args.hits == "transcribed")
    kind = "sampled" if args.kits else "synthesised"
    heading = f"Median SI-SDR in dB: {args.clips} clips of {args.seconds:g} s, {kind} kits, {args.hits} hits."
    text = table(rows, heading)
    print(text)
    if args.update_docs:
        replace_block(PAGE, BLOCK, text)


if __name__ == "__main__":
    main()
