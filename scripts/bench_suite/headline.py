"""What docs/performance.md opens with: the whole command beside another system, and three sentences on it."""

from __future__ import annotations

import shlex
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from mt3drum.audio.recording import open_file
from mt3drum.config import SAMPLE_RATE
from mt3drum.transcriber import Transcriber
from scripts.bench_suite.parts import MINUTES, SPEED, Row, Setting, command, cpu_seconds, in_turn
from scripts.bench_suite.parts import transcribe_command as transcribe

ROUNDS = 5
STAND_IN = "ADTOF-pytorch's layers"
GREEDY, BEAM, FRAMES = "greedy, to MIDI", "beam 4, to MIDI", "`--decoder frames`, to MIDI"
ONE, FULL = "one segment at a time, loaded", "32 segments at a time, loaded"
_SECONDS = 96  # of the last two: a full batch


def headline(setting: Setting) -> list[Row]:
    """CPU seconds of the whole command on ten minutes of pseudo mixes (without --development: of synthesised
    drums), beside every peer, in turn; and speed by the size of the batch."""
    torch.set_num_threads(1)
    path, what = _recording(setting)
    peers = setting.peers or ((STAND_IN, f"{sys.executable} -m scripts.bench_suite.peer {{audio}}"),)
    commands = {
        name: [word.format(audio=path, output=setting.scratch / "peer") for word in shlex.split(text)]
        for name, text in peers
    }
    commands |= {
        GREEDY: transcribe(setting, path, "--beam", "1"),
        BEAM: transcribe(setting, path, "--beam", "4"),
        FRAMES: transcribe(setting, path, "--decoder", "frames"),
    }

    def seconds(arguments: Sequence[str]) -> Callable[[], float]:
        return lambda: command(arguments, 1)[0]

    rows = in_turn({name: seconds(each) for name, each in commands.items()}, ROUNDS, "CPU-s")
    known = setting.transcriber()
    start = np.concatenate(list(open_file(path).blocks()))[: _SECONDS * SAMPLE_RATE]

    def speed(batch: int) -> Callable[[], float]:
        transcriber = Transcriber(known.model, replace(known.config, beam=1), batch=batch)
        return lambda: _SECONDS / cpu_seconds(lambda: transcriber.transcribe_array(start, SAMPLE_RATE))

    batches = {ONE: speed(1), FULL: speed(32)}
    for work in batches.values():
        work()  # warms up
    rows += in_turn(batches, ROUNDS, SPEED)
    return [{**row, "recording": what} for row in rows]


def _recording(setting: Setting) -> tuple[Path, str]:
    """Ten minutes, and what they are."""
    if setting.development is None:
        return setting.recording(MINUTES), "synthesised drums"
    folder = setting.development / "audio" / "pseudo_mix"
    found = sorted(folder.glob("*.flac"))
    if not found:
        raise FileNotFoundError(f"{folder}: no pseudo mixes (*.flac); --development wants mdb_drums_dev")
    sound = np.concatenate([np.concatenate(list(open_file(path).blocks())) for path in found])
    path = setting.scratch / "pseudo.wav"
    soundfile.write(path, np.resize(sound, MINUTES * 60 * SAMPLE_RATE), SAMPLE_RATE)
    return path, "pseudo mixes"


def opening(rows: Sequence[Mapping[str, Any]]) -> str:
    """Three sentences on the rows of `headline`."""
    middle = {row["name"]: statistics.median(row["values"]) for row in rows}
    peer = str(rows[0]["name"])
    ratio = {name: f"{middle[name] / middle[peer]:.2f}" for name in (GREEDY, BEAM, FRAMES)}
    origin = f"{peer} ran as installed, in an environment of its own."
    if peer == STAND_IN:
        origin = (
            "Those are `scripts/bench_suite/peer.py`, with made-up weights and torch's own GRUs (faster than "
            "its default), for PyPI has no release of it; `--peer` measures an installed one."
        )
    return (
        f"Ten minutes of {rows[0]['recording']} take `mt3drum transcribe` {middle[GREEDY]:.1f} CPU-seconds, "
        f"{middle[BEAM]:.1f} with four beams and {middle[FRAMES]:.1f} with `--decoder frames`: "
        f"{ratio[GREEDY]}, {ratio[BEAM]} and {ratio[FRAMES]} of what {peer} take beside it. {origin} "
        f"One segment at a time, as live, runs at {middle[ONE]:.0f} s of audio per CPU-second, a full batch "
        f"at {middle[FULL]:.0f}."
    )


PARTS: dict[str, Callable[[Setting], list[Row]]] = {"headline": headline}
