"""The state of a run on disk: enough to go on exactly, in safetensors and JSON, complete or absent.

A state is a folder `state-<step>` with the model, the averaged weights and one file of optimizer tensors a
rank (one in all for ZeRO 0, whose ranks are equal). It is written under a temporary name and renamed; the one
before is removed afterwards, so that a full disk or a killed process always leaves a loadable one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor


def _optimizer_slots(engine: Any) -> Iterator[tuple[str, Tensor, dict[str, Any]]]:
    """Name, parameter and state of everything the innermost optimizer updates (ZeRO's partitions too)."""
    optimizer = getattr(engine.optimizer, "optimizer", engine.optimizer)
    for g, group in enumerate(optimizer.param_groups):
        for p, parameter in enumerate(group["params"]):
            yield f"{g}.{p}", parameter, optimizer.state[parameter]


def newest_state(output: Path) -> Path | None:
    """The newest complete state of a run, or None."""
    states = sorted(
        (p for p in output.glob("state-*") if p.suffix != ".tmp" and (p / "progress.json").exists()),
        key=lambda p: int(p.name.split("-")[1]),
    )
    return states[-1] if states else None


def save_state(
    output: Path, engine: Any, average: dict[str, Tensor], progress: dict[str, Any], rank: int, world: int
) -> None:
    """Write the state of this step; every rank calls it, between steps.

    Raises:
        OSError: the disk is full or read-only; the state before stays.
    """
    final = output / f"state-{progress['step']}"
    temporary = final.with_name(final.name + ".tmp")
    if rank == 0:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        module = {k: v.detach().cpu().contiguous() for k, v in engine.module.state_dict().items()}
        save_file(module, temporary / "model.safetensors")
        save_file({k: v.cpu().contiguous() for k, v in average.items()}, temporary / "average.safetensors")
    barrier(world)
    if rank == 0 or engine.zero_optimization_stage() > 0:
        tensors = {}
        for name, parameter, state in _optimizer_slots(engine):
            tensors[f"{name}.parameter"] = parameter.detach().cpu().clone()
            for key, value in state.items():
                tensors[f"{name}.{key}"] = torch.as_tensor(value).detach().cpu().clone()
        save_file(tensors, temporary / f"optimizer-{rank}.safetensors")
    barrier(world)
    if rank == 0:
        (temporary / "progress.json").write_text(json.dumps(progress | {"world": world}))
        os.replace(temporary, final)
        for old in output.glob("state-*"):
            if old != final:
                shutil.rmtree(old, ignore_errors=True)


def load_state(path: Path, engine: Any, average: dict[str, Tensor], rank: int, world: int) -> dict[str, Any]:
    """Put a saved state back; returns the `progress` it was saved with.

    Raises:
        ValueError: the state was saved by another number of ranks.
    """
    progress = json.loads((path / "progress.json").read_text())
    if progress["world"] != world:
        raise ValueError(f"{path}: saved by {progress['world']} ranks, this run has {world}; use as many")
    engine.module.load_state_dict(load_file(path / "model.safetensors"))
    for name, value in load_file(path / "average.safetensors").items():
        average[name].copy_(value)
    part = rank if engine.zero_optimization_stage() > 0 else 0
    tensors = load_file(path / f"optimizer-{part}.safetensors")
    for name, parameter, state in _optimizer_slots(engine):
        parameter.data.copy_(tensors.pop(f"{name}.parameter"))
        for key in [key for key in tensors if key.startswith(f"{name}.")]:
            value = tensors.pop(key)
            state[key.removeprefix(f"{name}.")] = value if value.dim() == 0 else value.to(parameter.device)
    return progress


def barrier(world: int) -> None:
    """Wait for all ranks."""
    if world > 1:
        torch.distributed.barrier()
