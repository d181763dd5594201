"""train/main.py that is killed with SIGKILL at a stated moment: `KILL_AT=step:13` or `KILL_AT=write:5`.

`step:N`: when N steps are done; `write:N`: before the N-th tensor file of a state is written. `KILL_RANK`:
of which rank (default 0). Run as train/main.py, with its arguments; by the deepspeed launcher too.
`FREEZE=1` keeps batch normalisation at its running statistics, which alone differ by the cut of a batch.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def freeze() -> None:
    """Batch normalisation never trains."""
    from torch.nn import BatchNorm1d, BatchNorm2d, Module

    for kind in (BatchNorm1d, BatchNorm2d):
        kind.train = lambda self, mode=True: Module.train(self, False)  # type: ignore[method-assign]


def main() -> int:
    import torch

    from train import loop, state
    from train import main as command
    from train.run import Run
    from train.step import StepResult, StopRequest

    torch.set_num_threads(1)
    if os.environ.get("FREEZE"):
        freeze()
    what, _, number = os.environ.get("KILL_AT", "never:0").partition(":")
    if os.environ.get("RANK", "0") != os.environ.get("KILL_RANK", "0"):
        what = "never"
    step, write, written = loop.training_step, state.save_file, [0]

    def step_or_die(run: Run, micro_batches: Any, stop: StopRequest) -> StepResult:
        if what == "step" and run.progress.step == int(number):
            kill()
        return step(run, micro_batches, stop)

    def write_or_die(tensors: Any, path: Any) -> None:
        written[0] += 1
        if what == "write" and written[0] == int(number):
            kill()
        write(tensors, path)

    loop.training_step = step_or_die
    state.save_file = write_or_die  # type: ignore[assignment]
    return command.main()


if __name__ == "__main__":
    sys.exit(main())
