"""Where the time of decoding goes, stage by stage (scripts/bench.py)."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mt3drum.audio.recording import open_array, segments
from mt3drum.config import SAMPLE_RATE
from mt3drum.decode.beam_search import generate
from mt3drum.transcriber import Transcriber
from scripts.bench_suite.parts import SEGMENTS, Row, Setting, command


class Stopwatch:
    """CPU seconds by stage: of functions it watches, over all their calls."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def watch(self, stage: str, owner: object, name: str) -> None:
        """Time a method of an object from now on."""
        work = getattr(owner, name)
        setattr(owner, name, lambda *args: self(stage, lambda: work(*args)))

    def __call__(self, stage: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = work()
        self.spent[stage] = self.spent.get(stage, 0.0) + time.process_time() - start
        return result


@torch.inference_mode()
def one_batch(transcriber: Transcriber, sound: np.ndarray) -> dict[str, float]:
    """CPU seconds by stage of a batch, greedy and with four beams; the transcriber's model is spoilt."""
    model, config, clock = transcriber.model, transcriber.config, Stopwatch()
    codec = model.config.codec
    margin = config.margin_steps(codec)
    cut = clock("level and cutting", lambda: list(segments(open_array(sound), codec, margin)))
    for stage, method in (("spectrograms", "_picture"), ("stem", "_stem"), ("encoder", "_encoder")):
        clock.watch(stage, model, method)
    audio = torch.from_numpy(np.stack([segment.audio for segment in cut]))
    encoded = clock("heads", lambda: model.encode(audio))
    clock.spent["heads"] -= sum(clock.spent[stage] for stage in ("spectrograms", "stem", "encoder"))
    step = model.decoder.step
    for beam, name in ((1, "greedy"), (4, "beam 4")):
        stages = f"decoder's steps, {name}", f"search and hits, {name}"
        setattr(model.decoder, "step", step)  # noqa: B010 (a method of this one object)
        clock.watch(stages[0], model.decoder, "step")
        chosen, until = replace(config, beam=beam), codec.segment_steps - margin
        clock(stages[1], partial(generate, model, encoded, chosen, until))
        clock.spent[stages[1]] -= clock.spent[stages[0]]
    return {stage: seconds / len(cut) for stage, seconds in clock.spent.items()}


def profile(setting: Setting) -> list[Row]:
    """CPU milliseconds a segment (three seconds of the recording) of every stage, and the imports."""
    torch.set_num_threads(1)
    sound = setting.dense[: SEGMENTS * 3 * SAMPLE_RATE]
    one_batch(setting.transcriber(), sound)  # warms up
    rounds = [one_batch(setting.transcriber(), sound) for _ in range(setting.repeats(3, 9))]
    rows = [
        {"name": stage, "unit": "CPU-ms a segment", "values": [1000 * spent[stage] for spent in rounds]}
        for stage in rounds[0]
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, module in (("import torch", "torch"), ("import all", "mt3drum.transcriber")):
            program = Path(folder, "program.py")
            program.write_text(f"import {module}")
            values = [command([sys.executable, str(program)], 1)[0] for _ in range(setting.repeats(2, 5))]
            rows.append({"name": name, "unit": "CPU-s", "values": values})
    return rows


PARTS = {"profile": profile}
