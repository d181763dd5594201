"""Choose a checkpoint's decode settings on rendered validation clips and write it with them.

python scripts/make_shards.py --output datasets/validation --data $DATA --split validation --clips 96 \\
    --band 1 --negatives 0
python scripts/tune_decoding.py --checkpoint runs/small/best.safetensors --shards datasets/validation \\
    --output mt3drum/assets/small.safetensors

The weights of several checkpoints are averaged; the record is that of the first, with those of the others.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--shards", type=Path, required=True, help="rendered validation clips")
    parser.add_argument("--output", type=Path, required=True, help="tuned checkpoint to write")
    parser.add_argument(
        "--development",
        type=Path,
        help="recordings like MDB Drums: score the tuned checkpoint, for its header",
    )
    parser.add_argument(
        "--onset",
        type=float,
        nargs=2,
        metavar=("WEIGHT", "BIAS"),
        help="use these values instead of searching",
    )
    parser.add_argument("--clips", type=int, default=96, help="maximum number of clips (default: 96)")
    args = parser.parse_args(arguments)

    from data.shards.read import read_clips
    from data.shards.write import read_manifest
    from mt3drum.model.checkpoint import load_model, save_checkpoint
    from train.config import TrainConfig
    from train.optim import mean_weights
    from train.tune import Trial, tune
    from train.validate import groups_of, validate

    def report(trial: Trial) -> None:
        scores = "  ".join(f"F{scheme} {f:.4f}" for scheme, f in trial.f.items())
        print(f"weight {trial.onset_weight:.2f}  bias {trial.onset_bias:+.1f}  {scores}", flush=True)

    try:
        (model, header), *others = [load_model(path) for path in args.checkpoint]
        model.load_state_dict(mean_weights([each.state_dict() for each in (model, *(m for m, _ in others))]))
        clips = list(read_clips(args.shards, args.clips))
        config, trials = tune(model, clips, report, args.onset, header["decoding"])
        args.output.parent.mkdir(parents=True, exist_ok=True)
        tuned = [{"weight": t.onset_weight, "bias": t.onset_bias, "f": t.f} for t in trials]
        record = {"clips": args.clips, "trials": tuned, "settings": read_manifest(args.shards)["settings"]}
        if args.onset:
            record["onset"] = dict(zip(("weight", "bias"), args.onset, strict=True))
        training = header["training"] | {"tuning": record}
        if others:
            training["averaged"] = [record["training"] for _, record in others]
        if args.development is not None:
            groups = groups_of(TrainConfig(str(args.shards), development=str(args.development)))
            training["result"] = asdict(validate(model, groups, config))
        save_checkpoint(args.output, model.config, model.state_dict(), config.to_dict(), training)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    chosen = f"weight {config.onset_weight}, bias {config.onset_bias}"
    least = config.to_dict()["minimum_confidence"]
    print(f"{args.output}: {chosen}, confidence threshold {least}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
