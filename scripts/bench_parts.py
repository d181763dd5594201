"""What scripts/bench.py measures. Every part returns rows: name, unit and the values of all repeats."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from data.augment import AugmentConfig
from data.clips import Palette, RenderConfig
from data.loader import Batch, LoaderConfig, make_loader
from data.makers import RenderedShards
from data.render import render_drums
from data.sample import SAMPLE_RATE
from data.shards import make_shards, shard_paths
from data.synth import synthesise_kit
from mt3drum.checkpoint import bundled, load_model
from mt3drum.model import DrumModel, Encoded
from mt3drum.step import LeanDecoder
from tokenizer.codec import BOS
from tokenizer.hits import Hit

Row = dict[str, Any]
MINUTES = 10
HITS_PER_SECOND = 10
ROWS, POSITIONS = 32, 128  # of the decoder step: a batch of segments with some 40 hits each
BATCH = 8


@dataclass
class Setting:
    """What all parts share; made when first asked for."""

    scratch: Path
    quick: bool
    checkpoint: Path | None

    def repeats(self, quick: int, full: int) -> int:
        return quick if self.quick else full

    @cached_property
    def dense(self) -> np.ndarray:
        """Ten minutes of a synthesised kit, ten hits a second: hats on every step, kick and snare between."""
        rng = np.random.default_rng(0)
        kit, sound = synthesise_kit(rng), []
        for _ in range(MINUTES):
            times = np.arange(60 * HITS_PER_SECOND) / HITS_PER_SECOND + rng.normal(
                0, 0.004, 60 * HITS_PER_SECOND
            )
            hits = [
                Hit(max(0.0, float(t)), (0, 4, 1, 4)[i % 4], int(rng.integers(30, 127)))
                for i, t in enumerate(times)
            ]
            sound.append(render_drums(sorted(hits), [kit], rng, 60.0).audio)
        return np.concatenate(sound)

    def recording(self, minutes: int) -> Path:
        path = self.scratch / f"{minutes}.wav"
        if not path.exists():
            soundfile.write(path, self.dense[: minutes * 60 * SAMPLE_RATE], SAMPLE_RATE)
        return path

    @cached_property
    def model(self) -> DrumModel:
        return load_model(self.checkpoint or bundled())[0]

    @cached_property
    def shards(self) -> list[str]:
        config = RenderConfig("train", synthetic=1.0, patterns=1.0, band=0.5, negatives=0.0)
        folder = self.scratch / "shards"
        make_shards(folder, RenderedShards(config, Palette(), 0, 16, per_shard=8))
        return shard_paths(folder)


def command(arguments: list[str], threads: int) -> tuple[float, float]:
    """CPU and wall seconds of a `mt3drum` command in a new interpreter.

    Raises:
        RuntimeError: it failed.
    """
    start = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    program = [sys.executable, "-m", "mt3drum.cli", *arguments]
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(sys.executable, program, environment, file_actions=quiet)
    _, status, used = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status):
        raise RuntimeError(f"{' '.join(program)} failed")
    return used.ru_utime + used.ru_stime, time.perf_counter() - start


def decoding(setting: Setting) -> list[Row]:
    """Seconds of audio per CPU second, whole command, ten minutes of dense drums, one thread."""
    path, rows = setting.recording(MINUTES), []
    for name, more in (
        ("greedy", ["--beam", "1"]), ("beam 4", ["--beam", "4"]),
        ("onset head alone", ["--beam", "1", "--prior-weight", "1"]),
    ):  # fmt: skip
        values = []
        for _ in range(setting.repeats(2 if name == "greedy" else 1, 5)):
            cpu, _ = command(_transcribe(setting, path, more), 1)
            values.append(MINUTES * 60 / cpu)
        rows.append({"name": name, "unit": "s of audio per CPU-s", "values": values})
    return rows


def cold_start(setting: Setting) -> list[Row]:
    """Wall seconds of a song of three minutes on two threads, and of `--help`."""
    path = setting.recording(3)
    song = [command(_transcribe(setting, path, []), 2)[1] for _ in range(setting.repeats(3, 7))]
    text = [command(["--help"], 1)[1] for _ in range(setting.repeats(5, 15))]
    return [
        {"name": "three minutes, cold, two threads", "unit": "s", "values": song},
        {"name": "--help", "unit": "s", "values": text},
    ]


def _transcribe(setting: Setting, path: Path, more: list[str]) -> list[str]:
    model = [] if setting.checkpoint is None else ["--checkpoint", str(setting.checkpoint)]
    return [
        "transcribe",
        str(path),
        "-o",
        str(setting.scratch / "out"),
        "--quiet",
        "--device",
        "cpu",
        *model,
        *more,
    ]


def growth(setting: Setting) -> list[Row]:
    """The cost of more minutes: CPU seconds of the whole command, greedy."""
    rows = []
    for minutes in (1, 3) if setting.quick else (1, 3, MINUTES):
        path = setting.recording(minutes)
        values = [
            command(_transcribe(setting, path, ["--beam", "1"]), 1)[0] for _ in range(setting.repeats(1, 3))
        ]
        rows.append({"name": f"{minutes} min", "unit": "CPU-s", "values": values})
    return rows


@torch.inference_mode()
def decoder_step(setting: Setting) -> list[Row]:
    """Tokens per CPU second of a cached decoder step: x-transformers' own, and the lean one."""
    torch.set_num_threads(1)
    model = setting.model
    config, steps = model.config, model.config.codec.segment_steps
    rng = torch.Generator().manual_seed(0)
    encoded = Encoded(
        torch.randn(ROWS, steps // 2, config.width, generator=rng),
        torch.randn(ROWS, steps, config.head_width, generator=rng),
        torch.zeros(ROWS, steps, config.codec.num_drums), torch.zeros(ROWS, steps, config.codec.num_drums),
    )  # fmt: skip
    tokens = torch.randint(config.codec.first_time, config.codec.size, (ROWS, POSITIONS), generator=rng)
    tokens[:, 0] = BOS

    def library() -> None:
        cache = None
        for length in range(1, POSITIONS + 1):
            states, cache = model.decoder(
                model.embed(tokens[:, :length]), context=encoded.memory, cache=cache, return_hiddens=True
            )
            model.logits(states[:, -1:], encoded.time_keys)

    def lean() -> None:
        decoder = LeanDecoder(model)
        cache = decoder.begin(encoded)
        for place in range(POSITIONS):
            decoder.step(cache, tokens[:, place, None])

    def per_second(work: Callable[[], None]) -> float:
        start = time.process_time()
        work()
        return ROWS * POSITIONS / (time.process_time() - start)

    for work in (library, lean):
        work()
    both = [(per_second(library), per_second(lean)) for _ in range(setting.repeats(3, 9))]
    return [
        {"name": "x-transformers, cached", "unit": "tokens per CPU-s", "values": [a for a, _ in both]},
        {"name": "lean step", "unit": "tokens per CPU-s", "values": [b for _, b in both]},
    ]


class PlainEngine:
    """What `train.run.Run` needs of DeepSpeed's engine, in plain torch."""

    def __init__(self, model: DrumModel, clip: float) -> None:
        self.module, self.clip = model, clip
        self.optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)

    def __call__(self, *inputs: torch.Tensor) -> Any:
        return self.module(*inputs)

    def zero_optimization_stage(self) -> int:
        return 0

    def bfloat16_enabled(self) -> bool:
        return False

    def backward(self, loss: torch.Tensor) -> None:
        loss.backward()

    def step(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()


def training(setting: Setting) -> list[Row]:
    """Segments per CPU second, one rank and one thread: reading, mixing and the step, apart and together."""
    from train.config import TrainConfig
    from train.main import make_engine, set_up_ranks
    from train.run import Run, build_model

    torch.set_num_threads(1)
    set_up_ranks()
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    count = setting.repeats(6, 20)
    config = TrainConfig(shards=str(Path(setting.shards[0]).parent), batch=BATCH, workers=0)
    codec = setting.model.config.codec

    def batches(augment: AugmentConfig) -> Iterator[Batch]:
        return iter(make_loader(setting.shards, codec, LoaderConfig(BATCH, 0, 0, augment)))

    engines = {"DeepSpeed": make_engine(config, None)}
    engines["plain torch"] = PlainEngine(build_model(config), config.clip)
    runs = {name: Run(config, engine, setting.scratch, 0, 1) for name, engine in engines.items()}
    fixed, mixed, plain = (
        next(batches(config.augment)),
        batches(config.augment),
        batches(AugmentConfig.none()),
    )
    work: dict[str, Callable[[], object]] = {
        "step alone, DeepSpeed": lambda: runs["DeepSpeed"].step([fixed]),
        "step alone, plain torch": lambda: runs["plain torch"].step([fixed]),
        "step with reading and augmentation": lambda: runs["DeepSpeed"].step([next(mixed)]),
        "step with reading alone": lambda: runs["DeepSpeed"].step([next(plain)]),
        "reading and augmentation alone": lambda: next(mixed),
        "reading alone": lambda: next(plain),
    }
    values: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(count + 1):  # taking turns; the first round warms up
        for name, one in work.items():
            start = time.process_time()
            one()
            values[name].append(BATCH / (time.process_time() - start))
    return [{"name": n, "unit": "segments per CPU-s", "values": v[1:]} for n, v in values.items()]


def rendering(setting: Setting) -> list[Row]:
    """CPU milliseconds to render four seconds of drums from a synthesised kit."""
    rng = np.random.default_rng(0)
    kit = synthesise_kit(rng)
    hits = [Hit(i / HITS_PER_SECOND, (0, 4, 1, 4)[i % 4], 90) for i in range(12 * HITS_PER_SECOND)]
    moments = [time.process_time()]
    for _ in range(setting.repeats(5, 20)):
        render_drums(hits, [kit], rng, 12.0)
        moments.append(time.process_time())
    values = [1000 * (after - before) / 3 for before, after in pairwise(moments)]
    return [{"name": "4 s of drums", "unit": "CPU-ms", "values": values}]


PARTS: dict[str, Callable[[Setting], list[Row]]] = {
    "decoding": decoding,
    "cold start": cold_start,
    "growth": growth,
    "decoder step": decoder_step,
    "training": training,
    "rendering": rendering,
}
