"""Whether a training step is faster in bfloat16: what `bfloat16: auto` means."""

from __future__ import annotations

import torch

from mt3drum.model.inference import fastest_dtype

LEAST_WIDTH, LEAST_PRODUCT = 128, 256
"""`bfloat16: auto` on a CPU: width of the network, and width times segments of a micro-batch, from which on a
step is faster in bfloat16 (docs/training.md). Below, casting costs more than the products save."""


def bfloat16_is_fast(machine: str, width: int, batch: int) -> bool:
    """The value of `bfloat16: auto`.

    Args:
        width: of the network.
        batch: segments of a micro-batch.
    """
    if machine != "cpu":
        return machine == "cuda"
    wide = width >= LEAST_WIDTH and width * batch >= LEAST_PRODUCT
    return wide and fastest_dtype("cpu") == torch.bfloat16
