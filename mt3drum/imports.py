"""Import torch in two thirds of the time, for programs that run a network and compile none."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

LEFT_OUT = "torch._meta_registrations"
"""What torch imports last and decoding does not need: how its compiler infers shapes, in Python."""


def import_torch() -> None:
    """Import torch without `LEFT_OUT`, unless it is imported already.

    The import of any further part of torch, such as its compiler, makes up for that. The garbage collector
    rests: imports make many objects and no garbage. Then it is told to ignore them for good; to look at
    them when the interpreter exits takes a fifth of a second.
    """
    if "torch" in sys.modules:
        return
    enabled = gc.isenabled()
    gc.disable()
    sys.modules[LEFT_OUT] = ModuleType(LEFT_OUT)
    try:
        import torch

        vars(torch).pop(LEFT_OUT.rpartition(".")[2], None)
        sys.meta_path.insert(0, _Rest())
        gc.freeze()
    finally:
        del sys.modules[LEFT_OUT]
        if enabled:
            gc.enable()


class _Rest(MetaPathFinder):
    """Finds nothing; imports `LEFT_OUT` before the next part of torch, which may need it."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name.startswith("torch."):
            sys.meta_path.remove(self)
            if name != LEFT_OUT:
                importlib.import_module(LEFT_OUT)
