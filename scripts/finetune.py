"""Fine-tune a checkpoint on one's own recordings: audio files with a MIDI file of the same name beside each.

    python scripts/finetune.py my-stems --replay datasets/train --validation datasets/validation \\
        --output runs/mine

Recordings are divided by name into training, validation and test. Replayed clips of the old training data
keep the network from forgetting; the stem stands still. Weight and bias of the decoding stay the
checkpoint's; bounds and calibration are chosen anew on both kinds of validation clips. The table compares
before and after on the own test recordings and on rendered clips: what was gained here, and what it cost
elsewhere.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.clips.makers import RecordedShards
from data.corpora.readers import read_folder
from data.corpora.recording import SPLITS, split_by_name
from data.shards.read import StoredClip, read_clips
from data.shards.write import make_shards
from mt3drum.decoding import DecodeConfig
from mt3drum.files import write_whole
from mt3drum.model.checkpoint import bundled, load_model, save_checkpoint
from scripts.make_shards import split_shares
from train.experiment import TUNING_CLIPS, rendered_f, run_training
from train.tune import tune

SCHEMES = ("26", "8", "5")
SHARES = (0.7, 0.15, 0.15)


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the recordings and their MIDI files")
    parser.add_argument("--output", type=Path, required=True, help="folder of shards, run, weights and table")
    parser.add_argument(
        "--replay", type=Path, required=True, help="training shards of the checkpoint, or others"
    )
    parser.add_argument("--validation", type=Path, required=True, help="rendered validation shards")
    parser.add_argument("--rendered", type=Path, help="rendered shards to measure on (default: --validation)")
    parser.add_argument("--checkpoint", type=Path, help="default: the bundled one")
    parser.add_argument(
        "--label-map", default="gm", help="MIDI notes to drums, name or JSON file (default: gm)"
    )
    parser.add_argument("--split-shares", type=split_shares, default=SHARES, metavar="T,V,E")
    parser.add_argument(
        "--replay-share", type=float, default=0.5, help="share of the samples to replay (default: 0.5)"
    )
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=16, help="segments a step (default: 16)")
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--seconds", type=float, default=12.0, help="length of a clip (default: 12)")
    parser.add_argument(
        "--clips", type=int, default=TUNING_CLIPS, help="rendered clips to tune and measure on"
    )
    return parser.parse_args(arguments)


def own_shards(args: argparse.Namespace) -> dict[str, Path]:
    """The recordings as shards, by split; only splits that have any.

    Raises:
        ValueError: they cannot be read, or training or test has none.
    """
    recordings = split_by_name(read_folder(args.root, args.label_map), args.split_shares)
    folders = {}
    for split in SPLITS:
        own = tuple(one for one in recordings if one.split == split)
        if own:
            folders[split] = args.output / f"own-{split}"
            make_shards(folders[split], RecordedShards(own, split, 0, None, args.seconds, 64))
    for split in ("train", "test"):
        if split not in folders:
            raise ValueError(
                f"{args.root}: of {len(recordings)} recordings none is for {split}; add some, or give other "
                "--split-shares"
            )
    return folders


def settings(args: argparse.Namespace, own: Path, checkpoint: Path) -> dict[str, Any]:
    """Of the training run."""
    return {
        "shards": f"{{{own},{args.replay}}}",
        "shard_weights": [1 - args.replay_share, args.replay_share],
        "initial": str(checkpoint),
        "freeze": ["stem"],
        "freeze_steps": args.steps,
        "steps": args.steps,
        "batch": args.batch,
        "learning_rate": args.learning_rate,
        "warmup_steps": min(50, args.steps // 10),
        "ema": 0.99,
        "validate_every": args.steps,
        "bfloat16": "auto",
    }


def tuned(checkpoint: Path, before: Path, clips: list[StoredClip], path: Path) -> Path:
    """The new weights with the old weight and bias, and bounds and calibration for these clips."""
    model, header = load_model(checkpoint)
    old = DecodeConfig.from_dict(load_model(before)[1]["decoding"])
    given = (old.onset_weight, old.onset_bias)
    config, _ = tune(model, clips, lambda _: None, given, header["decoding"])
    save_checkpoint(path, model.config, model.state_dict(), config.to_dict(), header["training"])
    return path


def table(rows: Sequence[tuple[str, int, dict[str, float], dict[str, float]]]) -> str:
    """Markdown: recordings, scheme by scheme, before and after."""
    lines = ["| clips | number | classes | before | after | difference |", "|---|---:|---:|---:|---:|---:|"]
    for name, count, before, after in rows:
        for scheme, f in before.items():
            change = after[scheme] - f
            lines.append(f"| {name} | {count} | {scheme} | {f:.3f} | {after[scheme]:.3f} | {change:+.3f} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    args = parse_args(arguments)
    try:
        if not 0 < args.replay_share < 1 or args.steps < 1:
            raise ValueError("--replay-share must be between 0 and 1, --steps at least 1")
        before = args.checkpoint or bundled()
        own = own_shards(args)
        checkpoint = run_training(settings(args, own["train"], before), args.output / "run")
        clips = list(read_clips(args.validation, args.clips))
        if "validation" in own:
            clips += list(read_clips(own["validation"], args.clips))
        after = tuned(checkpoint, before, clips, args.output / "finetuned.safetensors")
        rows = []
        for name, folder in (("own test", own["test"]), ("rendered", args.rendered or args.validation)):
            heard = list(read_clips(folder, args.clips))
            old, new = (rendered_f(path, heard, {}, SCHEMES) for path in (before, after))
            rows.append((name, len(heard), old, new))
        text = table(rows)
        write_whole(args.output / "finetune.md", text + "\n")
    except (ValueError, OSError) as error:
        print(f"finetune: {error}", file=sys.stderr)
        return 1
    print(f"{text}\n\n{args.output / 'finetuned.safetensors'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
