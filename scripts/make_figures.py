"""Draw the README's picture: a rendered clip, what was played in it, and what the checkpoint transcribed.

    python scripts/make_figures.py --kit $DATA/kits/pearl-master-studio

The groove is written below, the band synthesised; the kit is one that nothing was trained on, or, without
--kit, synthesised too. `--wav FILE` also writes the clip, to listen to.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt3drum.files import write_whole

if TYPE_CHECKING:
    import numpy as np

    from tokenizer.hits import Hit

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "transcription.png"
MAX_BYTES = 200_000
SHADES = 14  # of the spectrogram: with all of them the file would be three times as large
BPM = 112.0
STEPS = 16  # a bar
BAND_LEVEL = -8.0  # dB, relative to the drums
# Three bars in sixteenths: X accent, x stroke, g ghost note.
GROOVE = {
    "crash1": "X...............|................|X...............",
    "hihat_closed": "..x.x.x.x.x.x.x.|x.x.x.x.x.x.....|................",
    "hihat_open": "................|............x...|................",
    "ride": "................|................|....x...x...x...",
    "ride_bell": "................|................|..x...x...x...x.",
    "snare_head": "....X..g.g..X...|....X..g.g..Xx..|....X..g.g..X.gg",
    "tom1_head": "................|..............x.|................",
    "floor_tom_head": "................|...............X|................",
    "kick": "X.....x.x.X.....|X.....x.x.......|X..x..x.x.X.....",
}
VELOCITIES = {"X": 115, "x": 88, "g": 35}


def played(groove: Mapping[str, str] = GROOVE) -> list[Hit]:
    """A groove as hits, half a second after the start."""
    from tokenizer.drums import CLASS_INDEX
    from tokenizer.hits import Hit

    step = 60.0 / BPM * 4 / STEPS
    return sorted(
        Hit(0.5 + place * step, CLASS_INDEX[name], VELOCITIES[mark])
        for name, bars in groove.items()
        for place, mark in enumerate(bars.replace("|", ""))
        if mark != "."
    )


def render(
    seed: int, folder: Path | None, groove: Mapping[str, str] = GROOVE
) -> tuple[np.ndarray, tuple[Hit, ...]]:
    """The clip, float32 [n] at 44.1 kHz, and the hits that can be heard in it.

    Args:
        folder: of a sampled kit; None: a synthesised one.
    Raises:
        ValueError: the kit cannot be read.
    """
    import numpy as np

    from data.band.play import render_band
    from data.band.synthetic import synthetic_notes
    from data.dsp.levels import mix
    from data.kits.load import load_kit
    from data.kits.synth import synthesise_kit
    from data.render.drums import render_drums

    rng = np.random.default_rng(seed)
    hits = played(groove)
    seconds = hits[-1].time + 1.0
    kit = synthesise_kit(rng) if folder is None else load_kit(folder)
    rendered = render_drums(hits, [kit], rng, seconds)
    kicks = [hit.time for hit in hits if hit.drum == 0]
    band = render_band(synthetic_notes(rng), rng, seconds, BPM, kicks)
    audio = mix(rendered.audio, band, BAND_LEVEL)
    return audio / np.float32(max(1.0, float(np.abs(audio).max()))), rendered.hits


def draw(audio: np.ndarray, truth: Sequence[Hit], estimated: Sequence[Hit], config: Any) -> bytes:
    """A PNG: the log-mel spectrogram of the short window above the hits by drum.

    Args:
        config: the model's `AudioConfig`.
    Raises:
        ValueError: the picture is larger than `MAX_BYTES`.
    """
    import matplotlib

    matplotlib.use("Agg")
    import librosa
    import matplotlib.pyplot as plt
    import torch

    from mt3drum.audio.log_mel import LogMel
    from mt3drum.config import HOP, SAMPLE_RATE
    from tokenizer.drums import DRUMS, FAMILY_OF

    with torch.no_grad():
        mel = LogMel(config)(torch.from_numpy(audio)[None])[0, 0].numpy()
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(10, 5.6), sharex=True, layout="constrained")
    librosa.display.specshow(
        mel,
        sr=SAMPLE_RATE,
        hop_length=HOP,
        x_axis="time",
        y_axis="mel",
        fmin=config.low_hz,
        fmax=config.high_hz,
        cmap=plt.get_cmap("magma", SHADES),
        vmin=-9,
        ax=top,
    )
    top.label_outer()
    top.set_ylabel("Hz (mel scale)")
    drums = sorted({hit.drum for hit in (*truth, *estimated)}, reverse=True)
    row = {drum: place for place, drum in enumerate(drums)}
    palette = plt.get_cmap("Dark2")
    bottom.scatter(
        [hit.time for hit in estimated],
        [row[hit.drum] for hit in estimated],
        s=[12 + hit.velocity for hit in estimated],
        color=[palette(FAMILY_OF[hit.drum]) for hit in estimated],
        label="transcribed (larger is louder)",
    )
    bottom.scatter(
        [hit.time for hit in truth],
        [row[hit.drum] for hit in truth],
        s=[40 + hit.velocity for hit in truth],
        facecolors="none",
        edgecolors="black",
        linewidths=0.8,
        label="played",
    )
    bottom.set_yticks(range(len(drums)), [DRUMS[drum].name for drum in drums])
    bottom.set_xlabel("seconds")
    bottom.grid(axis="y", alpha=0.3)
    bottom.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, fontsize=8, frameon=False)
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=100)
    plt.close(figure)
    if len(target.getvalue()) > MAX_BYTES:
        raise ValueError(f"the picture has {len(target.getvalue())} bytes, at most {MAX_BYTES} are allowed")
    return target.getvalue()


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, help="default: the bundled one")
    parser.add_argument("--output", type=Path, default=PICTURE, help="default: docs/images/transcription.png")
    parser.add_argument("--kit", type=Path, metavar="DIR", help="a sampled kit (default: a synthesised one)")
    parser.add_argument("--wav", type=Path, metavar="FILE", help="write the clip, too")
    parser.add_argument("--seed", type=int, default=0, help="seed of kit, room and band (default: 0)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    args = parse_args(arguments)
    import soundfile

    from mt3drum import Transcriber
    from mt3drum.config import SAMPLE_RATE

    try:
        transcriber = Transcriber.load(args.checkpoint)
        audio, truth = render(args.seed, args.kit)
        if args.wav is not None:
            soundfile.write(args.wav, audio, SAMPLE_RATE)
        estimated = transcriber.transcribe_array(audio).hits
        picture = draw(audio, truth, estimated, transcriber.model.config.audio)
        write_whole(args.output, picture)
    except (ValueError, OSError) as error:
        print(f"make_figures: {error}", file=sys.stderr)
        return 1
    print(f"wrote {args.output}: {len(truth)} hits played, {len(estimated)} transcribed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
