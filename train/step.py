"""One optimizer step of all ranks over their micro-batches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from data.loader import Batch
from train.board import KINDS
from train.objective import COUNTS, counts, names, terms
from train.optim import set_rates
from train.run import Run, TrainingError
from train.state import any_rank, sum_over_ranks

REMEDY = "the last saved state is good: lower learning_rate and run again"


@dataclass
class StopRequest:
    """What a signal handler leaves for the next step to see."""

    asked: bool = False


@dataclass(frozen=True)
class StepResult:
    """What one step gave."""

    scalars: dict[str, float]
    """To log, `group/name` -> value."""
    stop: bool
    """A rank was asked to stop before this step."""


def training_step(run: Run, micro_batches: list[Batch], stop: StopRequest) -> StepResult:
    """One optimizer step over all micro-batches of all ranks.

    Args:
        stop: asked of one rank at any moment, agreed by all within a step, so that none waits for another.

    Raises:
        TrainingError: the loss or the gradient is not finite on any rank.
    """
    config, engine, scale = run.config, run.engine, run.world * len(micro_batches)
    counted = torch.tensor([*counts(micro_batches), float(stop.asked)], device=run.device)
    totals = sum_over_ranks(counted, run.world)
    per = dict(zip(COUNTS, totals.clamp(min=1), strict=False))
    named = names(config)
    sums = torch.zeros(len(named) + 2 * len(KINDS), device=run.device, dtype=torch.float64)
    rate = set_rates(run.model, engine.optimizer.param_groups, config, run.progress.step)
    zero = bool(engine.zero_optimization_stage() > 0)  # ranks divide gradients or the optimizer's state
    norm = 0.0
    for micro, batch in enumerate(micro_batches):
        found, table = terms(run, batch, micro)
        loss = torch.stack([term.weight * term.total / per[term.per] for term in found.values()]).sum()
        each = torch.stack([found[name].total for name in named]).detach()
        sums += torch.cat((each, table.flatten())).double()
        if any_rank(not torch.isfinite(loss).item(), run.world, run.device):
            raise TrainingError(f"the loss is not finite at step {run.progress.step}; {REMEDY}")
        engine.backward(loss * scale)  # DeepSpeed divides by ranks and micro-batches
        if micro == len(micro_batches) - 1 and not zero:
            norm = _finite(gradient_norm(run.model), run.progress.step)
        engine.step()
    if zero:  # known after the step only; nothing of it has been saved yet
        norm = _finite(float(engine.get_global_grad_norm() or 0.0), run.progress.step)
    sums = sum_over_ranks(sums, run.world)
    kinds = sums[len(named) :].view(len(KINDS), 2)
    by_kind = zip(KINDS, kinds, strict=True)
    scalars = {f"loss/{kind}": float(nll / n.clamp(min=1)) for kind, (nll, n) in by_kind}
    scalars |= {
        f"loss/{name}": float(total / per[found[name].per]) for name, total in zip(named, sums, strict=False)
    }
    scalars |= {"optimizer/learning_rate": rate, "optimizer/gradient_norm": norm}
    return StepResult(scalars, totals[-1].item() > 0)


def gradient_norm(model: torch.nn.Module) -> float:
    """Norm of a model's gradient."""
    return float(torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None]))


def _finite(norm: float, step: int) -> float:
    """The norm of the gradient before clipping. Raises TrainingError where it is not finite."""
    if not math.isfinite(norm):
        raise TrainingError(f"the gradient is not finite at step {step}; {REMEDY}")
    return norm
