"""Work in processes of its own, without a new interpreter's seconds: for tests of kills and races."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from mt3drum.config import PRESETS
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import save_checkpoint
from mt3drum.model.network import DrumModel

PATIENCE = 200  # seconds until a process that hangs is killed; a test may take 300 (pyproject.toml)
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["mt3drum.batch.run", "mt3drum.transcriber", "tests.processes"])


def tiny_checkpoint(path: Path) -> Path:
    """Random weights that hear strokes in everything, without the decoder."""
    torch.manual_seed(0)
    model = DrumModel(PRESETS["tiny"])
    torch.nn.init.zeros_(model.onset_head.bias)
    decoding = DecodeConfig(onset_weight=1.0, onset_bias=0.0).to_dict()
    save_checkpoint(path, model.config, model.state_dict(), decoding, {})
    return path


def recordings(folder: Path, count: int, seconds: float = 1.0) -> list[Path]:
    """Noise of different seeds."""
    folder.mkdir(parents=True)
    paths = [folder / f"{number:02d}.wav" for number in range(count)]
    for number, path in enumerate(paths):
        sound = np.random.default_rng(number).uniform(-0.5, 0.5, round(44_100 * seconds))
        soundfile.write(path, sound, 44_100)
    return paths


def start(work: Callable[..., int], said: Path, *arguments: Any, **environment: str) -> BaseProcess:
    """Run `work(*arguments)` in a process of its own, which never shares a lock or a thread with this one.

    Its parent is a server that was started by exec with one thread and nothing but imports.

    Args:
        work: a function of a module; its return value is the exit code.
        said: file for what it prints.
        environment: variables besides those of this process.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            patch.setenv(name, "1")  # a library's pool of threads would start at its import
        forkserver.ensure_running()
    process = _SERVER.Process(target=_work, args=(work, arguments, said, {**os.environ, **environment}))
    process.start()
    return process


def _work(
    work: Callable[..., int], arguments: tuple[Any, ...], said: Path, environment: dict[str, str]
) -> None:
    code = 99
    try:
        signal.alarm(PATIENCE)
        os.environ.clear()
        os.environ.update(environment)
        sys.stdout = sys.stderr = open(said, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        torch.set_num_threads(1)
        code = work(*arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(process: BaseProcess) -> int:
    """Exit code, or minus the signal that killed it."""
    process.join(2 * PATIENCE)
    assert process.exitcode is not None, "the process hangs"
    return process.exitcode


def kill(process: BaseProcess, number: int = signal.SIGKILL) -> None:
    """Send a signal; one that has ended needs none."""
    assert process.pid is not None
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)


def transcribe(*command: str) -> int:
    """The command as `work`."""
    from mt3drum.cli.main import main

    return main(["transcribe", *command])
