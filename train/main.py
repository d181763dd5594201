"""Train: `deepspeed train/main.py --config FILE --output DIR`, or `python train/main.py ...` on one rank."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

LOST_RANK = (
    "another rank has ended (killed, or out of memory); rerun the command to resume from the last saved state"
)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="train/main.py", description=__doc__)
    parser.add_argument(
        "--config",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="YAML file with TrainConfig fields; may be repeated, later files take precedence",
    )
    parser.add_argument("--output", type=Path, help="folder of the run; an existing run is resumed")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="override a setting, such as loss.focal_gamma=2",
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print every setting with its description and exit"
    )
    parser.add_argument("--deepspeed_config", type=Path, help="JSON for DeepSpeed: ZeRO stage, bf16")
    parser.add_argument("--local_rank", type=int, default=None, help="given by the launcher")
    parser.add_argument(
        "--accept-changes",
        action="store_true",
        help="resume the run in the folder with other settings or data",
    )
    parser.add_argument(
        "--quick-test", action="store_true", help="run the whole pipeline with a tiny model, about a minute"
    )
    parser.add_argument(
        "--example",
        type=Path,
        metavar="DIR",
        help="only write one training segment as audio, picture and MIDI",
    )
    return parser.parse_args(arguments)


def engine_settings(config: Any, path: Path | None) -> dict[str, Any]:
    """DeepSpeed's settings: those of a JSON file, overridden by ours.

    Raises:
        ValueError: the file is unreadable, or sets what states and checkpoints cannot represent.
    """
    settings: dict[str, Any] = {"zero_optimization": {"stage": 0}}
    if path is not None:
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(settings, dict):
                raise ValueError("it holds no object")
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: not a readable JSON file ({error})") from error
    for section in ("bf16", "fp16"):
        if settings.pop(section, {}).get("enabled"):
            raise ValueError(
                f"{path}: {section} would keep the weights in half precision, too coarse for averages; "
                "set bfloat16: true in the configuration of the run instead"
            )
    if settings.get("zero_optimization", {}).get("stage", 0) > 2:
        raise ValueError(
            f"{path}: ZeRO stage 3 partitions the weights, which checkpoints need complete; use 0, 1 or 2"
        )
    if config.bfloat16:
        # The engine's own autocast: on CUDA it switches off any other. No "safe" modules: their
        # gradients would travel in bf16.
        autocast = {"enabled": True, "dtype": "bfloat16", "lower_precision_safe_modules": []}
        settings.setdefault("torch_autocast", autocast)
    settings |= {
        "train_micro_batch_size_per_gpu": config.batch,
        "gradient_accumulation_steps": config.accumulation,
        "gradient_clipping": config.clip,
        "steps_per_print": 1_000_000_000,
    }
    settings.pop("train_batch_size", None)
    return settings


def make_engine(config: Any, deepspeed_config: Path | None) -> Any:
    """A DeepSpeed engine around the model and AdamW.

    Raises:
        ValueError: the DeepSpeed JSON is unreadable, or the ranks cannot meet.
    """
    from train.config import detect_machine

    machine = detect_machine() if config.machine == "auto" else config.machine
    os.environ.setdefault("DS_ACCELERATOR", machine)
    import deepspeed
    import torch

    from mt3drum import memory
    from train.launch import free_port
    from train.optim import parameter_groups
    from train.run import build_model

    memory.keep()
    if machine != "cuda":
        # Compiling this op takes minutes, and a process killed meanwhile leaves a lock that hangs every later
        # start (docs/training.md). gloo does the same work.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    settings = engine_settings(config, deepspeed_config)
    model = build_model(config)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config.freeze),
        lr=config.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=config.weight_decay,
    )
    try:
        deepspeed.init_distributed("nccl" if machine == "cuda" else "gloo")
    except torch.distributed.DistNetworkError as error:
        address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"the ranks cannot meet at {address} ({reason}); choose another port: "
            f"deepspeed --master_port {free_port()} ..."
        ) from error
    return deepspeed.initialize(model=model, optimizer=optimizer, config=settings)[0]


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0; 1 with one line on standard error, of all ranks together; 130 after Ctrl-C."""
    args = parse(arguments)
    from train.launch import set_up_ranks, watch_launcher

    rank, world = set_up_ranks()
    watch_launcher()
    logging.basicConfig(
        level=logging.INFO if rank == 0 else logging.WARNING, format="%(asctime)s %(message)s"
    )
    try:
        return command(args, rank, world)
    except (ValueError, OSError) as error:
        if os.environ["LOCAL_RANK"] == "0":  # what is wrong with the command is so on every rank
            print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if rank == 0:
            print("interrupted; rerun the command to resume from the last saved state", file=sys.stderr)
        return 130


def command(args: argparse.Namespace, rank: int, world: int) -> int:
    """Run the task given on the command line.

    Raises:
        ValueError: an argument or a setting is wrong.
        OSError: a file cannot be read or written.
    """
    from train.config import load_config

    if args.quick_test:
        if world > 1:
            raise ValueError("--quick-test runs on one rank: python train/main.py --quick-test")
        from train.quick import quick_test

        return quick_test(args.output)
    if not args.config:
        raise ValueError("--config is needed (or --quick-test)")
    config = load_config(args.config, overrides(args.set))
    if args.print_config:
        from train.explain import explained

        print(explained(config), end="")
        return 0
    if args.example is not None:
        from train.quick import write_one_example

        write_one_example(config, args.example)
        return 0
    if args.output is None:
        raise ValueError("--output is needed: the folder of the run")
    return run(config, args.output, args.deepspeed_config, rank, world, args.accept_changes)


def overrides(items: list[str]) -> dict[str, Any]:
    """`NAME=VALUE` texts as nested settings; names may be dotted, values are YAML.

    Raises:
        ValueError: one is not of that form.
    """
    import yaml

    from train.tree import merged, nested

    found: dict[str, Any] = {}
    for item in items:
        name, separator, value = item.partition("=")
        try:
            if not separator:
                raise ValueError("no =")
            found = merged(found, nested({name: yaml.safe_load(value)}))
        except (ValueError, yaml.YAMLError) as error:
            raise ValueError(f"--set {item}: must be NAME=VALUE ({str(error).splitlines()[0]})") from error
    return found


def run(
    config: Any,
    output: Path,
    deepspeed_config: Path | None = None,
    rank: int = 0,
    world: int = 1,
    accept_changes: bool = False,
) -> int:
    """Train one rank to the end; prints the first error of all ranks.

    Raises:
        ValueError: the folder belongs to another run.
        OSError: the folder cannot be created.
    """
    from train.folder import claim, report
    from train.launch import is_lost_rank
    from train.loop import train
    from train.run import OtherRankError, TrainingError

    with claim(output, rank):
        try:
            train(config, make_engine(config, deepspeed_config), output, rank, world, accept_changes)
        except OtherRankError:
            return 1
        except (TrainingError, ValueError, OSError) as error:
            if report(output, str(error)):
                print(f"error: {error}", file=sys.stderr)
            return 1
        except Exception as error:
            lost = world > 1 and is_lost_rank(error)
            line = LOST_RANK if lost else repr(error)
            if report(output, line):
                if not lost:
                    raise
                print(f"error: {line}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
