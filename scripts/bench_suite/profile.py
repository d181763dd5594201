"""Where the time of decoding goes, stage by stage (scripts/bench.py)."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mt3drum.audio.recording import open_array, open_file, segments
from mt3drum.config import SAMPLE_RATE
from mt3drum.decode import beam_search, speculative
from mt3drum.decode.beam_search import generate
from mt3drum.model.stem import EncoderOutput
from mt3drum.transcriber import Transcriber
from scripts.bench_suite.parts import SEGMENTS, Row, Setting, command


class Stopwatch:
    """CPU seconds by stage: of functions it watches, over all their calls."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def watch(self, stage: str, owner: object, name: str) -> None:
        """Time a method of an object from now on."""
        setattr(owner, name, partial(self, stage, getattr(owner, name)))

    def __call__(self, stage: str, work: Callable[..., Any], *args: Any) -> Any:
        start = time.process_time()
        result = work(*args)
        self.spent[stage] = self.spent.get(stage, 0.0) + time.process_time() - start
        return result


@contextmanager
def instrumented(owner: Any, name: str, by: Callable[..., Any]) -> Iterator[None]:
    """Measure inside a call: `owner.name` is `by` for the time being."""
    before = getattr(owner, name)
    setattr(owner, name, by)
    try:
        yield
    finally:
        setattr(owner, name, before)


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
    for beam, name, owner, method in (
        (1, "greedy", speculative, "decode_window"),
        (4, "beam 4", model.decoder, "step"),
    ):
        stages = f"decoder, {name}", f"search and hits, {name}"
        chosen, until = replace(config, beam=beam), codec.segment_steps - margin
        work = getattr(owner, method)
        with instrumented(owner, method, partial(clock, stages[0], work)):
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


@torch.inference_mode()
def draft(setting: Setting) -> list[Row]:
    """Passes a segment and tokens a pass of greedy decoding, by segments at once; and what was given back."""
    torch.set_num_threads(1)
    transcriber = setting.transcriber(precision="float32")
    model, config = transcriber.model, transcriber.config
    codec = model.config.codec
    margin = config.margin_steps(codec)
    recordings = {"synthesised": [open_array(setting.dense[: SEGMENTS * 3 * SAMPLE_RATE])]}
    if setting.development is not None:
        found = sorted((setting.development / "audio" / "pseudo_mix").glob("*.flac"))
        recordings["development, pseudo mixes"] = [open_file(path) for path in found]
    rows = []
    for name, sources in recordings.items():
        sound = [segment.audio for source in sources for segment in segments(source, codec, margin)]
        encoded = model.encode(torch.from_numpy(np.stack(sound)))
        for size in (SEGMENTS, 1)[: setting.repeats(1, 2)]:
            settled: list[speculative.Settled] = []

            def keep(*args: Any, kept: list[speculative.Settled] = settled) -> speculative.Settled:
                kept.append(speculative.greedy(*args))
                return kept[-1]

            with instrumented(beam_search, "greedy", keep):
                for at in range(0, len(sound), size):
                    part = EncoderOutput(*(each[at : at + size] for each in encoded))
                    generate(model, part, config, codec.segment_steps - margin)
            passes = sum(int(each.passes.sum()) for each in settled)
            count = sum(len(each.passes) for each in settled)
            back = sum(int(each.given_back.sum()) for each in settled)
            what = f"{name}, {size} at once"
            for unit, value in (
                ("passes a segment", passes / count),
                ("tokens a pass", sum(int(each.length.sum()) for each in settled) / passes),
                ("% given back", 100 * back / count),
            ):
                rows.append({"name": what, "unit": unit, "values": [value]})
    return rows


PARTS = {"profile": profile, "draft": draft}
