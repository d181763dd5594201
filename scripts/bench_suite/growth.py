"""How speed and memory grow with length, hits, batch, beams and ranks (scripts/bench.py)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import soundfile
import torch

from mt3drum.config import SAMPLE_RATE
from mt3drum.transcriber import Transcriber
from scripts.bench_suite.parts import (
    MINUTES,
    SPEED,
    Row,
    Setting,
    command,
    cpu_seconds,
    in_turn,
    transcribe_command,
)

LENGTHS = (1, 10, 60, 600)
"""Minutes of a recording; the last is for a full run."""
KIB_A_MB = 1e6 / 1024
# Not getrusage: its peak begins with that of the process that started this one.
_PROGRAM = """import re, sys
from pathlib import Path
from mt3drum.cli.main import main

code = main(sys.argv[2:])
Path(sys.argv[1]).write_text(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
sys.exit(code)
"""


def growth(setting: Setting) -> list[Row]:
    """Speed as work grows, model loaded: length, hits per second, segments a batch, beams; and ranks."""
    torch.set_num_threads(1)
    known = setting.transcriber()

    def speed(transcriber: Transcriber, audio: np.ndarray) -> Callable[[], float]:
        seconds = len(audio) / SAMPLE_RATE
        return lambda: seconds / cpu_seconds(lambda: transcriber.transcribe_array(audio, SAMPLE_RATE))

    def at(beam: int = 1, batch: int = known.batch) -> Transcriber:
        return Transcriber(known.model, replace(known.config, beam=beam), batch=batch)

    minute = setting.dense[: 60 * SAMPLE_RATE]
    work = {"1 min, 10 hits/s, batch 32, beam 1": speed(at(), minute)}
    for minutes in (3, MINUTES)[: setting.repeats(1, 2)]:
        work[f"{minutes} min"] = speed(at(), setting.dense[: minutes * 60 * SAMPLE_RATE])
    work |= {f"{rate} hits/s": speed(at(), setting.music(1, rate)) for rate in (2, 5, 20)}
    work |= {f"batch {size}": speed(at(batch=size), minute) for size in (1, 8, 64)}
    work |= {f"beam {beam}": speed(at(beam=beam), minute) for beam in (2, 4, 8)}
    work["1 min, 10 hits/s, batch 32, beam 1"]()  # warms up
    return in_turn(work, setting.repeats(2, 5), SPEED)


def ranks(setting: Setting) -> list[Row]:
    """Four recordings of a minute, whole command, one thread a rank: all ranks' CPU seconds together."""
    folder = setting.scratch / "many"
    folder.mkdir(exist_ok=True)
    for index in range(4):
        soundfile.write(folder / f"{index}.flac", setting.dense[: 60 * SAMPLE_RATE], SAMPLE_RATE)
    manifests = iter(range(10**6))

    def speed(world: int) -> Callable[[], float]:
        def once() -> float:
            ledger = str(setting.scratch / f"manifest-{next(manifests)}")
            every = [(rank, world) for rank in range(world)]
            return 240 / command(transcribe_command(setting, folder, "--manifest", ledger), 1, every)[0]

        return once

    work = {f"{world} rank{'s' * (world > 1)}": speed(world) for world in (1, 2)}
    return in_turn(work, setting.repeats(1, 3), SPEED)


def length(setting: Setting) -> list[Row]:
    """CPU seconds a minute of audio and peak memory of the whole command, by the length of the recording (on
    Linux)."""
    rows: list[Row] = []
    peak, program = setting.scratch / "peak.txt", setting.scratch / "measured.py"
    program.write_text(_PROGRAM, encoding="utf-8")
    for minutes in LENGTHS[: setting.repeats(3, 4)]:
        path = setting.scratch / f"length-{minutes}.wav"
        with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1) as file:
            for start in range(0, minutes, MINUTES):
                file.write(setting.dense[: min(MINUTES, minutes - start) * 60 * SAMPLE_RATE])
        cpu, peaks = [], []
        for _ in range(1 if minutes > MINUTES else setting.repeats(2, 5)):
            arguments = transcribe_command(setting, path)[3:]  # without `python -m mt3drum`
            cpu.append(command([sys.executable, str(program), str(peak), *arguments], 1)[0] / minutes)
            peaks.append(int(peak.read_text()) / KIB_A_MB)
        path.unlink()
        rows.append({"name": f"{minutes} min", "unit": "CPU-s a minute", "values": cpu})
        rows.append({"name": f"{minutes} min", "unit": "MB at most", "values": peaks})
    return rows


PARTS: dict[str, Callable[[Setting], list[Row]]] = {"growth": growth, "length": length, "ranks": ranks}
