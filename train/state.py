"""The state of a run on disk: enough to go on exactly, in safetensors and JSON, complete or absent.

A state is a folder `state-<step>` with the model, the averaged weights and one file of optimizer tensors a
rank (one in all for ZeRO 0, whose ranks are equal). It is written under a temporary name and renamed; the one
before is removed afterwards, so that a full disk or a killed process always leaves a loadable one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mt3drum.files import write_whole
from mt3drum.model.network import DrumModel
from mt3drum.model.weight_names import to_own

PROGRESS = "progress.json"  # written last: a folder without it is no state


def newest_state(output: Path) -> Path | None:
    """The newest complete state of a run, or None."""
    steps = {
        int(path.name.removeprefix("state-")): path
        for path in output.glob("state-*")
        if path.name.removeprefix("state-").isdecimal() and (path / PROGRESS).exists()
    }
    return steps[max(steps)] if steps else None


def save_state(
    output: Path, engine: Any, average: dict[str, Tensor], progress: dict[str, Any], rank: int, world: int
) -> None:
    """Write the state of this step; every rank calls it, between steps.

    Raises:
        OSError: on all ranks, if one of them could not write (disk full, read-only); the state before stays.
    """
    final = output / f"state-{progress['step']}"
    temporary = final.with_name(final.name + ".tmp")
    stage = engine.zero_optimization_stage()

    def write_weights() -> None:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        _write(engine.module.state_dict(), temporary / "model.safetensors")
        _write(average, temporary / "average.safetensors")

    def write_optimizer() -> None:
        tensors = {}
        for name, parameter, state in _optimizer_slots(engine):
            tensors[f"{name}.parameter"] = parameter
            tensors |= {f"{name}.{key}": torch.as_tensor(value) for key, value in state.items()}
        _write(tensors, temporary / f"optimizer-{rank}.safetensors")

    def publish() -> None:
        record = progress | {"world": world, "zero_stage": stage}
        (temporary / PROGRESS).write_text(json.dumps(record), encoding="utf-8")
        os.replace(temporary, final)

    for work in (write_weights, write_optimizer, publish):
        problem = None
        try:
            if rank == 0 or (work is write_optimizer and stage > 0):
                work()
        except OSError as error:
            problem = error
        # Ranks part only together: one that failed alone would leave the others waiting for ever.
        if any_rank(problem is not None, world, engine.device):
            if rank == 0:
                shutil.rmtree(temporary, ignore_errors=True)
            raise problem or OSError(f"{temporary}: another rank could not write its part")
    if rank == 0:
        for old in output.glob("state-*"):
            if old != final:
                shutil.rmtree(old, ignore_errors=True)


def load_state(path: Path, engine: Any, average: dict[str, Tensor], rank: int, world: int) -> dict[str, Any]:
    """Put a saved state back; returns the `progress` it was saved with.

    Raises:
        ValueError: another number of ranks, ZeRO stage or model saved it; or it is damaged.
    """
    stage = engine.zero_optimization_stage()
    try:
        progress: dict[str, Any] = json.loads((path / PROGRESS).read_text(encoding="utf-8"))
        for name, now in (("world", world), ("zero_stage", stage)):
            if progress.get(name, now) != now:
                raise ValueError(
                    f"saved with {name} {progress[name]}, this run has {now}: use the same or another folder"
                )
        engine.module.load_state_dict(load_file(path / "model.safetensors"))
        saved = load_file(path / "average.safetensors")
        if isinstance(engine.module, DrumModel):  # earlier states have the names of its modules
            saved = to_own(saved, engine.module.config)
        for name, value in saved.items():
            average[name].copy_(value)
        part = rank if stage > 0 else 0
        tensors = load_file(path / f"optimizer-{part}.safetensors")
        for name, parameter, state in _optimizer_slots(engine):
            parameter.data.copy_(tensors.pop(f"{name}.parameter"))
            for key in [key for key in tensors if key.startswith(f"{name}.")]:
                value = tensors.pop(key)
                if value.dim():  # torch keeps the count of steps on the CPU
                    value = value.to(parameter.device)
                state[key.removeprefix(f"{name}.")] = value
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ValueError(f"{path}: not a state of this run ({reason})") from error
    return progress


def keep_until(path: Path, step: int) -> None:
    """Drop the lines after `step` from a file of JSON lines, and one cut short; a resumed run writes them.

    The file is rewritten whole or not at all; one that is not there stays so.
    """
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # the process was killed while writing it
        if isinstance(record, Mapping) and record.get("step", step + 1) <= step:
            kept.append(line + "\n")
    write_whole(path, "".join(kept))


def any_rank(flag: bool, world: int, device: torch.device | str) -> bool:
    """Whether `flag` is set on any rank; all ranks call it."""
    if world == 1:
        return flag
    value = torch.tensor([float(flag)], device=device)
    torch.distributed.all_reduce(value)
    return bool(value.item() > 0)


def sum_over_ranks(values: Tensor, world: int) -> Tensor:
    """Sum a tensor over all ranks, in place; all ranks call it."""
    if world > 1:
        torch.distributed.all_reduce(values)
    return values


def barrier(world: int) -> None:
    """Wait for all ranks."""
    if world > 1:
        torch.distributed.barrier()


def _optimizer_slots(engine: Any) -> Iterator[tuple[str, Tensor, dict[str, Any]]]:
    """Name, parameter and state of everything the innermost optimizer updates (ZeRO's partitions too)."""
    optimizer = getattr(engine.optimizer, "optimizer", engine.optimizer)
    for g, group in enumerate(optimizer.param_groups):
        for p, parameter in enumerate(group["params"]):
            yield f"{g}.{p}", parameter, optimizer.state[parameter]


def _write(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raises OSError where the disk is full or read-only."""
    try:
        # Clones: safetensors refuses tensors that share memory, as ZeRO's do.
        save_file({name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}, path)
    except SafetensorError as error:  # what safetensors makes of an input/output error
        raise OSError(f"{path}: {error}") from error
