"""Transcribe arrays and files; segments of several recordings share a batch, with unchanged results."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from mt3drum import memory
from mt3drum.audio.recording import AudioError, Segment, open_array, open_file
from mt3drum.config import HOP, SAMPLE_RATE
from mt3drum.decode.beam_search import generate
from mt3drum.decode.enrolment import EnrolledKit, enrol, rescore
from mt3drum.decode.part import WHOLE, Part
from mt3drum.decode.several import Specialist, combined, load_networks
from mt3drum.decode.stitch import REFINED, InProgress, place
from mt3drum.decode.velocity import measure
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import bundled
from mt3drum.model.inference import InferenceModel
from mt3drum.result import Failure, Transcription
from tokenizer.hits import Hit

if TYPE_CHECKING:
    from mt3drum.model.network import DrumModel

BATCH = 32
"""Segments per batch: their cross-attention keys still fit in the CPU cache (64 was slower)."""
RUNTIMES: tuple[Literal["torch", "onnx"], ...] = ("torch", "onnx")
PRECISIONS = {"auto": None, "float32": torch.float32, "bfloat16": torch.bfloat16}

OnProgress = Callable[[Path, float], None]
OnHits = Callable[[Path, list[Hit]], None]


class Transcriber:
    """A model with its decoding options.

    Args:
        model: used in evaluation mode with its current weights, in float32.
        device: where to compute (default: the model's device).
        config: decoding options (for a model without a decoder, its `frames` overrides apply).
        batch: number of segments decoded at once.
        kit: the player's kit, enrolled with this model (`mt3drum.decode.enrolment`).
        specialists: models whose hits replace this one's in some families of drums.
    """

    def __init__(
        self,
        model: DrumModel | InferenceModel,
        config: DecodeConfig | None = None,
        device: str | None = None,
        batch: int = BATCH,
        kit: EnrolledKit | None = None,
        specialists: Sequence[Specialist] = (),
    ) -> None:
        if batch < 1:
            raise ValueError(f"batch {batch} is less than 1")
        if not isinstance(model, InferenceModel):
            weights = {name: value.to(device) for name, value in model.state_dict().items()}
            model = InferenceModel(model.config, weights)
        self.model = model
        self.config = config or DecodeConfig()
        if model.decoder is None and self.config.onset_weight != 1:
            self.config = self.config.with_options({"decoder": "frames"})
        if kit is not None and self.config.scheme != "26":
            raise ValueError(f"a kit tells drums apart that scheme {self.config.scheme} takes for one")
        self.batch = batch
        self.kit, self.specialists = kit, specialists
        self.untrimmed = 0.0  # seconds of audio since memory was last released

    @staticmethod
    def load(
        checkpoint: str | Path | Sequence[str | Path] | None = None,
        device: str = "auto",
        batch: int = BATCH,
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        kit: str | Path | None = None,
        runtime: Literal["torch", "onnx"] = "torch",
        **options: Any,
    ) -> Transcriber:
        """Load a checkpoint (default: the bundled one), or several as an ensemble or with specialists
        (`mt3drum.decode.several`). `options` override fields of its decode settings
        (`DecodeConfig.with_options`); `decoder="frames"` decodes with the onset head alone.

        Args:
            precision: of matrix products. `auto`: bfloat16 if the processor supports it.
            kit: a folder of samples of the player's own drums, each file named after its drum (docs/kit.md).
            runtime: what runs the network. `onnx`: ONNX Runtime, on the CPU in float32.

        Raises:
            CheckpointError: the checkpoint cannot be used.
            KitError: the samples cannot be used.
            MissingExtra: the runtime is onnx and not installed.
            ValueError: an option or the device is not valid.
        """
        given = checkpoint or bundled()
        paths = [Path(path) for path in ([given] if isinstance(given, str | Path) else given)]
        if precision not in PRECISIONS:
            raise ValueError(f"precision {precision!r} is not one of {', '.join(PRECISIONS)}")
        if runtime not in RUNTIMES:
            raise ValueError(f"runtime {runtime!r} is not one of {', '.join(RUNTIMES)}")
        if runtime == "onnx":
            if precision == "bfloat16" or device not in ("auto", "cpu"):
                raise ValueError(f"runtime onnx works on the cpu in float32, not on {device} in {precision}")
            device = "cpu"
        device = pick_device(device)
        model, config, specialists = load_networks(paths, device, PRECISIONS[precision], runtime, options)
        own = None if kit is None else enrol(model, Path(kit))
        return Transcriber(model, config, batch=batch, kit=own, specialists=specialists)

    def with_options(self, **options: Any) -> Transcriber:
        """The same weights, other decode settings; raises ValueError as `DecodeConfig.with_options` does."""
        config = self.config.with_options(options)
        return Transcriber(self.model, config, batch=self.batch, kit=self.kit, specialists=self.specialists)

    def transcribe_array(self, audio: np.ndarray, sample_rate: int = SAMPLE_RATE) -> Transcription:
        """Floats [samples] or [samples channels] -> hits.

        Raises:
            AudioError: the array is empty or not floating-point, or the rate is out of range.
        """
        job = InProgress(None, open_array(audio, sample_rate), scheme=self.config.scheme)
        (result,) = self._run(iter([job]), None, None)
        assert isinstance(result, Transcription)
        return result

    def transcribe_file(self, path: str | Path) -> Transcription:
        """One file -> hits.

        Raises:
            AudioError: the file cannot be read.
        """
        (result,) = self.transcribe_files([path])
        if isinstance(result, Failure):
            raise AudioError(result.reason)
        return result

    def transcribe_files(
        self,
        paths: Iterable[str | Path],
        on_progress: OnProgress | None = None,
        on_hits: OnHits | None = None,
        part: Part | None = None,
    ) -> Iterator[Transcription | Failure]:
        """Yield results in order, each as soon as its last segment is decoded; an unreadable file yields a
        `Failure`.

        Args:
            on_progress: called with a path and the fraction of it that is decoded, 0..1.
            on_hits: called with a path and its hits, in order of time, as soon as their times and drums are
                final. Together they are the hits of the result before the loudness pass revises velocities.
            part: the part of each recording to transcribe; times count from the start of the recording.
        """

        def jobs() -> Iterator[InProgress]:
            for path in map(Path, paths):
                try:
                    recording = open_file(path)
                    if part is not None and part.start >= recording.seconds:
                        raise AudioError(
                            f"{path}: ends at {recording.seconds:.1f} s, before {part.start:g} s (--from)"
                        )
                    yield InProgress(path, recording, part or WHOLE, scheme=self.config.scheme)
                except (AudioError, OSError) as error:
                    yield InProgress(path, None, failure=_one_line(path, error))

        return self._run(jobs(), on_progress, on_hits)

    def transcribe_to_midi(
        self, path: str | Path, midi: str | Path, notes: Literal["gm", "td17"] = "gm"
    ) -> Transcription:
        """Transcribe one file to a MIDI file, which is complete or absent.

        Args:
            notes: "gm" (General MIDI) or "td17" (Roland TD-17) note numbers.

        Raises:
            AudioError: the file cannot be read. OSError: the MIDI file cannot be written.
        """
        from tokenizer.midi import write_midi

        result = self.transcribe_file(path)
        write_midi(result.hits, Path(midi), notes=notes)
        return result

    def _run(
        self, jobs: Iterator[InProgress], on_progress: OnProgress | None, on_hits: OnHits | None
    ) -> Iterator[Transcription | Failure]:
        codec = self.model.config.codec
        open_jobs: list[InProgress] = []
        batch: list[tuple[InProgress, Segment]] = []

        def finished() -> Iterator[Transcription | Failure]:
            while open_jobs and open_jobs[0].cut and not open_jobs[0].waiting:
                job = open_jobs.pop(0)
                rest = job.settle(self.config, math.inf)
                if on_hits is not None and job.path is not None and rest and not job.failure:
                    on_hits(job.path, rest)
                self.untrimmed += job.recording.seconds if job.recording else 0.0
                if self.untrimmed >= memory.TRIM_SECONDS:
                    self.untrimmed = 0.0
                    memory.trim()
                yield job.result()

        for job in jobs:
            open_jobs.append(job)
            try:
                for segment in job.segments(codec, self.config):
                    if not segment.audio.any():
                        continue
                    batch.append((job, segment))
                    job.waiting += 1
                    if len(batch) == self.batch:
                        self.decode(batch, on_progress, on_hits)
                        batch = []
                        yield from finished()
            except (AudioError, OSError) as error:
                assert job.path is not None
                job.failure = _one_line(job.path, error)
            job.cut = True
            yield from finished()
        if batch:
            self.decode(batch, on_progress, on_hits)
        yield from finished()

    def decode(
        self,
        batch: list[tuple[InProgress, Segment]],
        on_progress: OnProgress | None = None,
        on_hits: OnHits | None = None,
    ) -> None:
        """Add the hits of segments to their recordings, each of which must be known so far as its segments
        reach, and settle them."""
        codec = self.model.config.codec
        until = codec.segment_steps - self.config.margin_steps(codec)
        audio = torch.from_numpy(np.stack([segment.audio for _, segment in batch])).to(self.model.device)
        with torch.inference_mode():
            encoded, bands = self.model.encode_with_bands(audio)
            found = generate(self.model, encoded, self.config, until)
            for special in self.specialists:
                theirs = generate(special.model, special.model.encode(audio), special.config, until)
                found = [combined(*pair, special.families) for pair in zip(found, theirs, strict=True)]
            if self.kit is not None:
                found = rescore(self.model, audio, encoded.onset_logits, found, self.kit, self.config)
        for (job, segment), hypothesis, band in zip(batch, found, bands.cpu().numpy(), strict=True):
            assert job.recording is not None
            steps = -(-job.recording.samples // HOP)
            placed = place(hypothesis, segment.start, segment.first, steps, codec.steps_per_second)
            job.hits += [hit for hit, _ in placed]
            if self.config.loudness_pass:
                for (hit, _), strength in zip(
                    placed, measure(band, [step for _, step in placed]), strict=True
                ):
                    job.strengths[hit.time, hit.drum] = strength
            job.waiting -= 1
            end = segment.start + until
            if hypothesis.cut:
                at = max(0.0, segment.start / codec.steps_per_second)
                job.warnings.append(
                    f"{job.path or 'audio array'}: over {self.config.max_tokens} tokens (max_tokens) in the "
                    f"{codec.segment_seconds:g} s from {at:.1f} s; hits were left out"
                )
            new = job.settle(self.config, end / codec.steps_per_second - REFINED)
            if on_hits is not None and job.path is not None and new:
                on_hits(job.path, new)
            if on_progress is not None and job.path is not None:
                on_progress(job.path, min(1.0, end / steps))


def pick_device(name: str) -> str:
    """`auto`: cuda if available, else cpu.

    Raises:
        ValueError: the device is unknown to torch or not available.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device {name!r} is not available here; use auto or cpu") from error
    return name


def transcribe(path: str | Path, **options: Any) -> Transcription:
    """Transcribe one file with the bundled checkpoint; options as for `Transcriber.load`.

    For more than one file, load a `Transcriber` once.
    """
    return Transcriber.load(**options).transcribe_file(path)


def _one_line(path: Path, error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if str(path) in text else f"{path}: {text}"
