"""Write the clips of a folder of shards as audio and MIDI files, for listening or for scoring any system.

A clip with a band becomes `<key>_band.flac` with both mixed; select these in the benchmark with
`--tracks '*_band'`. Styles of performances, if known, go to `<output>-styles.json`, for its `--groups`.

python scripts/export_shards.py --shards datasets/test --output datasets/test-files
python scripts/benchmark.py --corpus folder datasets/test-files --corpus-option label_map=td17
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tokenizer.whole_file import whole_file


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shards", type=Path, required=True, help="folder with a manifest.json")
    parser.add_argument("--output", type=Path, required=True, help="folder; created")
    parser.add_argument("--limit", type=int, default=None, help="maximum number of clips")
    level = "of the bands in the mix relative to the drums, while each sounds (default: 0)"
    parser.add_argument("--band-level", type=float, default=0.0, metavar="DB", help=level)
    parser.add_argument(
        "--note-sequences", action="store_true", help="also write the hits as NoteSequences, clips.tfrecord"
    )
    args = parser.parse_args(arguments)

    import soundfile
    from tqdm import tqdm

    from data.corpora.note_sequences import write_note_sequences
    from data.dsp.levels import full_scale, mix
    from data.shards.read import read_clips
    from data.shards.write import read_manifest
    from mt3drum.config import SAMPLE_RATE
    from mt3drum.files import write_whole
    from tokenizer.midi import to_note_sequence, write_midi

    try:
        total = read_manifest(args.shards)["clips"]
        args.output.mkdir(parents=True, exist_ok=True)
        clips, sequences = read_clips(args.shards, args.limit), []
        styles: dict[str, str] = {}
        for clip in tqdm(clips, total=min(total, args.limit or total), unit="clip"):
            name, audio = clip.key, clip.audio
            if clip.band is not None:
                name, audio = f"{name}_band", full_scale(mix(audio, clip.band, args.band_level))
            with whole_file(args.output / f"{name}.flac") as temporary:
                soundfile.write(temporary, audio, SAMPLE_RATE, subtype="PCM_16", format="FLAC")
            write_midi(clip.hits, args.output / f"{name}.mid", notes="td17")
            if clip.style:
                styles[name] = clip.style
            if args.note_sequences:
                sequences.append(to_note_sequence(clip.hits, notes="td17"))
                sequences[-1].filename = f"{name}.flac"
        if styles:
            write_whole(
                args.output.with_name(f"{args.output.name}-styles.json"), json.dumps(styles, indent=0)
            )
        if sequences:
            write_note_sequences(args.output / "clips.tfrecord", sequences)
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
