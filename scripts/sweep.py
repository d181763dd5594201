"""Search settings of training: seeded random draws, halved by the likelihood of rendered validation clips.

    python scripts/sweep.py train/configs/sweep.yaml --validation datasets/validation --output runs/sweep

The plan names the base settings, the ranges, how many draws and with how many steps: of the draws of one rung
the better half goes on to the next, trained anew with more steps. What is done is kept: the same command goes
on.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from tqdm import tqdm

from data.shards.read import read_clips
from mt3drum.files import write_whole
from train.config import from_mapping
from train.experiment import TUNING_CLIPS, fingerprint, nats, run_training, with_tuned_decoding
from train.tree import merged, nested


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep tries.

    Raises:
        ValueError: a range or a number is none.
    """

    base: dict[str, Any]
    """Settings of training, as in its YAML."""
    ranges: dict[str, Any]
    """Dotted name -> [low, high], {log: [low, high]}, or {choice: [a, b, c]}."""
    draws: int
    rungs: tuple[int, ...]
    """Steps of every rung, rising."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.draws < 1 or not self.rungs or list(self.rungs) != sorted(set(self.rungs)):
            raise ValueError(f"draws {self.draws} and rungs {self.rungs} must be positive, rungs rising")
        for name, spec in self.ranges.items():
            kind, values = _range(name, spec)
            if kind != "choice" and (len(values) != 2 or not values[0] < values[1]):
                raise ValueError(f"ranges: {name}: {spec} must be [low, high]")
            if kind == "log" and values[0] <= 0:
                raise ValueError(f"ranges: {name}: {spec} must be positive")

    def settings(self, draw: int, steps: int) -> dict[str, Any]:
        """Of one draw: the same for every rung but the steps."""
        rng = np.random.default_rng([self.seed, draw])
        drawn: dict[str, Any] = {}
        for name, spec in sorted(self.ranges.items()):
            kind, values = _range(name, spec)
            if kind == "choice":
                value = values[int(rng.integers(len(values)))]
            elif kind == "log":
                low, high = map(math.log, values)
                value = float(f"{math.exp(rng.uniform(low, high)):.4g}")
            else:
                value = float(f"{rng.uniform(*values):.4g}")
            drawn[name] = value
        return merged(merged(nested(self.base), nested(drawn)), {"steps": steps})


def _range(name: str, spec: Any) -> tuple[str, list[Any]]:
    if isinstance(spec, list):
        return "range", spec
    if isinstance(spec, Mapping) and len(spec) == 1 and next(iter(spec)) in ("log", "choice"):
        kind, values = next(iter(spec.items()))
        if isinstance(values, list) and values:
            return kind, values
    raise ValueError(
        f"ranges: {name}: {spec!r} must be [low, high], {{log: [low, high]}} or {{choice: [...]}}"
    )


def read_plan(path: Path) -> SweepPlan:
    """
    Raises:
        ValueError, OSError: the file is no plan.
    """
    try:
        values = yaml.safe_load(path.read_text())
        if not isinstance(values, dict) or set(values) - {field.name for field in fields(SweepPlan)}:
            raise ValueError(f"must hold {', '.join(field.name for field in fields(SweepPlan))}")
        plan = SweepPlan(**{**values, "rungs": tuple(values.get("rungs", ()))})
        from_mapping(plan.settings(0, plan.rungs[0]))
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from error
    return plan


def table(plan: SweepPlan, rungs: list[dict[int, dict[str, float]]]) -> str:
    """Markdown: a line a draw, the best first; its settings and what each rung gave."""
    names = sorted(plan.ranges)
    columns = [*names, *(f"{steps} steps: token, onset nats" for steps in plan.rungs[: len(rungs)])]
    lines = [f"| draw | {' | '.join(columns)} |", "|---:|" + "---:|" * len(columns)]

    def place(draw: int) -> tuple[int, float]:
        last = max(at for at, rung in enumerate(rungs) if draw in rung)
        return -last, loss(rungs[last][draw])

    for draw in sorted(rungs[0], key=place) if rungs else ():
        settings = plan.settings(draw, 1)
        values = [str(_at(settings, name)) for name in names]
        found = [rung.get(draw) for rung in rungs]
        cells = ["" if f is None else f"{f['token_nats']:.4f}, {f['onset_nats']:.3f}" for f in found]
        lines.append(f"| {draw} | {' | '.join([*values, *cells])} |")
    return "\n".join(lines)


def loss(found: Mapping[str, float]) -> float:
    """What decides: nats a token, and a hundredth of those of the onset head in a second, which are about a
    hundred times as many."""
    return found["token_nats"] + 0.01 * found["onset_nats"]


def _at(settings: Mapping[str, Any], name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = value[part]
    return value


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("plan", type=Path, help="YAML: base, ranges, draws, rungs, seed")
    parser.add_argument("--validation", type=Path, required=True, help="rendered validation shards")
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs and the table")
    parser.add_argument("--clips", type=int, default=TUNING_CLIPS, help="validation clips")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    args = parse_args(arguments)
    try:
        plan = read_plan(args.plan)
        clips = list(read_clips(args.validation, args.clips))
        args.output.mkdir(parents=True, exist_ok=True)
        record = args.output / "results.json"
        known = json.loads(record.read_text()) if record.exists() else {}
        rungs: list[dict[int, dict[str, float]]] = []
        draws = list(range(plan.draws))
        for steps in plan.rungs:
            rungs.append({})
            for draw in tqdm(draws, unit="run", desc=f"{steps} steps"):
                settings = plan.settings(draw, steps)
                key = fingerprint(settings, args.validation)
                if key not in known:
                    checkpoint = run_training(settings, args.output / f"draw-{draw}-{steps}-{key}")
                    tuned = with_tuned_decoding(checkpoint, args.validation, args.clips)
                    known[key] = nats(tuned, clips)
                    write_whole(record, json.dumps(known, indent=1))
                rungs[-1][draw] = known[key]
            draws = sorted(draws, key=lambda draw: loss(rungs[-1][draw]))[: math.ceil(len(draws) / 2)]
            write_whole(args.output / "sweep.md", table(plan, rungs) + "\n")
    except (ValueError, OSError) as error:
        print(f"sweep: {error}", file=sys.stderr)
        return 1
    print(table(plan, rungs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
