"""A lean import of torch loses nothing."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest
import torch

from mt3drum.imports import import_torch


def run(program: str) -> str:
    """What a new interpreter prints."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


LEAN = "import gc, sys\nfrom mt3drum.imports import LEFT_OUT, import_torch\nimport_torch()\nimport torch\n"


def test_shapes_are_inferred_by_what_was_left_out_once_asked_for() -> None:
    program = (
        "import mt3drum.transcriber\n"
        "print(LEFT_OUT in sys.modules, gc.isenabled(), gc.get_freeze_count() > 1e4)\n"
        "from torch._subclasses.fake_tensor import FakeTensorMode\n"
        "with FakeTensorMode():\n"
        "    print(*torch.linalg.cholesky(torch.empty(3, 3)).shape, LEFT_OUT in sys.modules)"
    )
    assert run(LEAN + program) == "False True True\n3 3 True"


def test_the_compiler_finds_it() -> None:
    """In this order the compiler's own imports would go in a circle without it."""
    program = "import torch._dynamo\nprint(LEFT_OUT in sys.modules, torch._meta_registrations.__name__)"
    assert run(LEAN + program) == "True torch._meta_registrations"


def test_nothing_is_done_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "freeze", lambda: pytest.fail("not the first import"))
    before = list(sys.meta_path)
    import_torch()
    assert sys.meta_path == before and sys.modules["torch"] is torch
