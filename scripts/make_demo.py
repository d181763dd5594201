"""Render the ten-second clip that comes with the package (mt3drum/assets/demo.ogg).

    python scripts/make_demo.py --data $DATA

A human performance (Groove MIDI Dataset, test split) on a kit that training never heard (Pearl Master
Studio), with a band of recorded notes under free licences; mt3drum/assets/DEMO.md has the credits.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from tokenizer.hits import Hit

ASSET = Path(__file__).resolve().parents[1] / "mt3drum" / "assets" / "demo.ogg"
MAX_BYTES = 400_000
PERFORMANCE = "drummer1/eval_session/2_funk-groove2_105_beat_4-4"
KIT = "pearl-master-studio"
NOTES = ("discord-gm-notes", "guitars-notes")
"""Accompaniment under CC0 and CC BY."""
BARS = 4
BAND_LEVEL = -6.0  # dB, relative to the drums
LEAD_IN, RING = 0.5, 0.9  # seconds before the first bar and after the last


def performance(groove: Path, first_bar: int) -> tuple[list[Hit], float]:
    """Hits of `BARS` bars, the first at `LEAD_IN` seconds, and the tempo in beats per minute.

    Raises:
        ValueError: the dataset does not hold the performance.
    """
    from dataclasses import replace

    from data.corpora.readers import read_gmd

    taken = next((one for one in read_gmd(groove, "test") if one.name == PERFORMANCE), None)
    if taken is None:
        raise ValueError(f"{groove}: no performance {PERFORMANCE}")
    bar = 4 * 60.0 / taken.bpm
    start, end = first_bar * bar - 0.05, (first_bar + BARS) * bar - 0.05  # strokes may be early
    hits = [replace(h, time=h.time - start - 0.05 + LEAD_IN) for h in taken.hits if start <= h.time < end]
    return hits, taken.bpm


def render(data: Path, first_bar: int, seed: int) -> tuple[np.ndarray, list[Hit]]:
    """The clip, float32 [n] at 44.1 kHz, and what is played in it.

    Raises:
        ValueError, OSError: the data cannot be read.
    """
    from dataclasses import replace

    import numpy as np

    from data.band.notes import load_notes
    from data.band.play import render_band
    from data.dsp.levels import mix
    from data.kits.load import load_kit
    from data.render.drums import render_drums

    rng = np.random.default_rng(seed)
    hits, bpm = performance(data / "midi" / "groove", first_bar)
    seconds = LEAD_IN + BARS * 4 * 60.0 / bpm + RING
    rendered = render_drums(hits, [load_kit(data / "kits" / KIT)], rng, seconds)
    bank = load_notes(data / "accompaniment", loops=False)
    free = tuple(one for one in bank.instruments if one.source in NOTES)
    bank = replace(bank, instruments=free, noises={})
    band = render_band(bank, rng, seconds, bpm, [hit.time for hit in hits if hit.drum == 0])
    audio = mix(rendered.audio, band, BAND_LEVEL)
    audio *= np.float32(0.8) / np.abs(audio).max()
    fade = np.linspace(1.0, 0.0, 22_050, dtype=np.float32)
    audio[-len(fade) :] *= fade
    return audio, list(rendered.hits)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with kits, midi and accompaniment")
    parser.add_argument("--output", type=Path, default=ASSET, help="default: mt3drum/assets/demo.ogg")
    parser.add_argument("--first-bar", type=int, default=8, help="first bar of the performance (default: 8)")
    parser.add_argument("--seed", type=int, default=1, help="seed of room, band and mix (default: 1)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    args = parse_args(argv)
    import soundfile

    from mt3drum.config import SAMPLE_RATE
    from mt3drum.files import write_whole

    try:
        audio, hits = render(args.data, args.first_bar, args.seed)
    except (ValueError, OSError) as error:
        print(f"make_demo: {error}", file=sys.stderr)
        return 1
    file = io.BytesIO()
    soundfile.write(file, audio, SAMPLE_RATE, format="OGG", subtype="VORBIS", compression_level=0.4)
    if len(file.getvalue()) > MAX_BYTES:
        print(f"make_demo: {len(file.getvalue())} bytes, more than {MAX_BYTES}", file=sys.stderr)
        return 1
    write_whole(args.output, file.getvalue())
    print(f"{args.output}: {len(audio) / SAMPLE_RATE:.1f} s, {len(hits)} hits, {len(file.getvalue())} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
