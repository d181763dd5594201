"""The command in processes of its own, without a new interpreter's seconds: for tests of kills and races."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch

from mt3drum.config import PRESETS
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import save_checkpoint
from mt3drum.model.network import DrumModel

PATIENCE = 600  # seconds until a process that hangs is killed


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


def start(work: Callable[[], int], errors: Path, **environment: str) -> int:
    """Run `work` in a fork; returns its process id. What it prints goes to `errors`."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        signal.alarm(PATIENCE)
        os.environ.update(environment)
        sys.stdout = sys.stderr = open(errors, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        torch.set_num_threads(1)  # the threads of the parent are not there after a fork
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(child: int) -> int:
    """Exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(command: Sequence[str]) -> Callable[[], int]:
    """The command as `work`."""
    from mt3drum.cli.main import main

    return lambda: main(["transcribe", *command])
