"""What scripts/bench.py measures of decoding. Every part returns rows: name, unit, values of all repeats."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from data.kits.synth import synthesise_kit
from data.render.drums import render_drums
from mt3drum.config import SAMPLE_RATE
from mt3drum.model.checkpoint import bundled, load_model
from mt3drum.model.decoder_step import CachedDecoder
from mt3drum.model.inference import InferenceModel
from mt3drum.model.network import DrumModel, EncoderOutput
from mt3drum.transcriber import Transcriber
from tokenizer.codec import BOS
from tokenizer.hits import Hit

Row = dict[str, Any]
MINUTES = 10
HITS_PER_SECOND = 10
ROWS, POSITIONS = 32, 96  # of the decoder step: a batch of segments with some 32 hits each
SEGMENTS = 32  # a batch of the encoder
SPEED = "s of audio per CPU-s"


@dataclass
class Setting:
    """What all parts share; made when first asked for."""

    scratch: Path
    quick: bool
    checkpoint: Path | None
    peers: Sequence[tuple[str, str]] = ()
    """Name and command of other systems, with {audio} and {output} in it."""
    development: Path | None = None
    """Recordings with annotations (mdb_drums_dev)."""
    device: str = "cpu"

    def repeats(self, quick: int, full: int) -> int:
        return quick if self.quick else full

    def music(self, minutes: int, rate: float = HITS_PER_SECOND) -> np.ndarray:
        """A synthesised kit, `rate` hits a second: hats on every second step, kick and snare between."""
        rng = np.random.default_rng(0)
        kit, sound = synthesise_kit(rng), []
        count = round(60 * rate)
        for _ in range(minutes):
            times = np.arange(count) / rate + rng.normal(0, 0.004, count)
            hits = [
                Hit(max(0.0, float(t)), (0, 4, 1, 4)[i % 4], int(rng.integers(30, 127)))
                for i, t in enumerate(times)
            ]
            sound.append(render_drums(sorted(hits), [kit], rng, 60.0).audio)
        return np.concatenate(sound)

    @cached_property
    def dense(self) -> np.ndarray:
        return self.music(MINUTES)

    def recording(self, minutes: int) -> Path:
        path = self.scratch / f"{minutes}.wav"
        if not path.exists():
            soundfile.write(path, self.dense[: minutes * 60 * SAMPLE_RATE], SAMPLE_RATE)
        return path

    @cached_property
    def model(self) -> DrumModel:
        return load_model(self.checkpoint or bundled())[0]

    def transcriber(self, **options: Any) -> Transcriber:
        return Transcriber.load(self.checkpoint, "cpu", **options)


def command(
    arguments: Sequence[str], threads: int, ranks: Sequence[tuple[int, int]] = ((0, 1),)
) -> tuple[float, float]:
    """CPU seconds of a command in new processes, one a (rank, world), and wall seconds until all have ended.

    Raises:
        RuntimeError: one failed.
    """
    start, cpu, children = time.perf_counter(), 0.0, []
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    for rank, world in ranks:
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        if world > 1:
            environment |= {"RANK": str(rank), "WORLD_SIZE": str(world)}
        children.append(os.posix_spawnp(arguments[0], list(arguments), environment, file_actions=quiet))
    codes = []
    for child in children:
        _, status, used = os.wait4(child, 0)
        codes.append(os.waitstatus_to_exitcode(status))
        cpu += used.ru_utime + used.ru_stime
    if any(codes):
        raise RuntimeError(f"{shlex.join(arguments)} failed")
    return cpu, time.perf_counter() - start


def mt3drum(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mt3drum", *arguments]


def transcribe_command(setting: Setting, path: Path, *more: str) -> list[str]:
    model = [] if setting.checkpoint is None else ["--checkpoint", str(setting.checkpoint)]
    out = str(setting.scratch / "out")
    return mt3drum("transcribe", str(path), "-o", out, "--quiet", "--device", "cpu", *model, *more)


def in_turn(work: Mapping[str, Callable[[], float]], repeats: int, unit: str) -> list[Row]:
    """Every measurement in turn, `repeats` rounds: what disturbs the machine disturbs all alike."""
    values: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, one in work.items():
            values[name].append(one())
    return [{"name": name, "unit": unit, "values": each} for name, each in values.items()]


def cpu_seconds(work: Callable[[], object]) -> float:
    """Of this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def a_cpu_second(count: float, work: Callable[[], object]) -> float:
    """How many, where `work` does `count`."""
    return count / cpu_seconds(work)


def decoding(setting: Setting) -> list[Row]:
    """Seconds of audio per CPU second, whole command, ten minutes of dense drums, one thread."""
    path = setting.recording(MINUTES)

    def speed(arguments: list[str]) -> Callable[[], float]:
        return lambda: MINUTES * 60 / command(arguments, 1)[0]

    work = {
        "greedy": speed(transcribe_command(setting, path, "--beam", "1")),
        "beam 4": speed(transcribe_command(setting, path, "--beam", "4")),
        "onset head alone": speed(transcribe_command(setting, path, "--decoder", "frames")),
    }
    for name, text in setting.peers:
        filled = [w.format(audio=path, output=setting.scratch / "peer") for w in shlex.split(text)]
        work[name] = speed(filled)
    return in_turn(work, setting.repeats(2, 5), SPEED)


def cold_start(setting: Setting) -> list[Row]:
    """A song of three minutes on two threads from a new interpreter, and `--help`: wall and CPU seconds."""
    path = setting.recording(3)
    song = [command(transcribe_command(setting, path), 2) for _ in range(setting.repeats(3, 7))]
    text = [command(mt3drum("--help"), 1) for _ in range(setting.repeats(5, 15))]
    rows = []
    for name, both in (("three minutes, cold, two threads", song), ("--help", text)):
        rows.append({"name": name, "unit": "s of wall time", "values": [wall for _, wall in both]})
        rows.append({"name": name, "unit": "CPU-s", "values": [cpu for cpu, _ in both]})
    return rows


@torch.inference_mode()
def encoder(setting: Setting) -> list[Row]:
    """Audio to states and onset head, `SEGMENTS` segments: ways to do it, and what each costs in accuracy."""
    torch.set_num_threads(1)
    model, length = setting.model, setting.model.config.segment_samples
    audio = torch.from_numpy(setting.dense[: SEGMENTS * length].astype(np.float32)).view(SEGMENTS, length)
    exactly = InferenceModel(model.config, model.state_dict())
    rounded = InferenceModel(model.config, model.state_dict(), torch.bfloat16)
    quantised = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, torch.qint8)

    ways: dict[str, Callable[[], EncoderOutput]] = {
        "x-transformers, float32, 32 at once": lambda: model.encode(audio),
        "x-transformers, float32, 4 at once": lambda: _in_parts(model, audio),
        "x-transformers, int8 (dynamic), 4 at once": lambda: _in_parts(quantised, audio),
        "inference, float32": lambda: exactly.encode(audio),
        "inference, bfloat16": lambda: rounded.encode(audio),
    }
    exact = model.encode(audio).onset_logits
    errors = {
        name: float((way().onset_logits - exact).std() / exact.std()) for name, way in list(ways.items())[1:]
    }
    work = {name: partial(a_cpu_second, SEGMENTS, way) for name, way in ways.items()}
    rows = in_turn(work, setting.repeats(2, 7), "segments per CPU-s")
    unit = "% rms error of the onset logits"
    return rows + [{"name": name, "unit": unit, "values": [100 * error]} for name, error in errors.items()]


def _in_parts(model: DrumModel, audio: torch.Tensor, size: int = 4) -> EncoderOutput:
    parts = [model.encode(audio[at : at + size]) for at in range(0, len(audio), size)]
    return EncoderOutput(*(torch.cat(part) for part in zip(*parts, strict=True)))


@torch.inference_mode()
def decoder_step(setting: Setting) -> list[Row]:
    """Tokens per CPU second of a cached decoder step: x-transformers' own, and ours."""
    torch.set_num_threads(1)
    model = setting.model
    config, steps = model.config, model.config.codec.segment_steps
    rng = torch.Generator().manual_seed(0)
    encoded = EncoderOutput(
        torch.randn(ROWS, steps // 2, config.width, generator=rng),
        torch.randn(ROWS, steps, config.head_width, generator=rng),
        torch.zeros(ROWS, steps, config.codec.num_drums),
        torch.zeros(ROWS, steps, config.codec.num_drums),
    )
    tokens = torch.randint(config.codec.first_time, config.codec.size, (ROWS, POSITIONS), generator=rng)
    tokens[:, 0] = BOS

    def library() -> None:
        cache = None
        for length in range(1, POSITIONS + 1):
            states, cache = model.decoder(
                model.embed(tokens[:, :length]), context=encoded.memory, cache=cache, return_hiddens=True
            )
            model.logits(states[:, -1:], encoded.time_keys)

    def cached(kind: torch.dtype) -> Callable[[], None]:
        decoder = CachedDecoder(config, model.state_dict(), kind)

        def work() -> None:
            cache = decoder.begin(encoded)
            for place in range(POSITIONS):
                decoder.step(cache, tokens[:, place, None])

        return work

    ways = {
        "x-transformers, cached": library,
        "inference, float32": cached(torch.float32),
        "inference, bfloat16": cached(torch.bfloat16),
    }
    for way in ways.values():
        way()
    work = {n: partial(a_cpu_second, ROWS * POSITIONS, way) for n, way in ways.items()}
    return in_turn(work, setting.repeats(2, 9), "tokens per CPU-s")


PARTS: dict[str, Callable[[Setting], list[Row]]] = {
    "decoding": decoding,
    "cold start": cold_start,
    "encoder": encoder,
    "decoder step": decoder_step,
}
