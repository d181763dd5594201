"""The ladder from array to MIDI: seams, batches, bad files, memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

import mt3drum
from mt3drum import transcriber as module
from mt3drum.audio import recording
from mt3drum.audio.recording import AudioError
from mt3drum.config import HOP, PRESETS, SAMPLE_RATE
from mt3drum.decode.hypothesis import Hypothesis
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import CheckpointError, bundled, load_inference_model, save_checkpoint
from mt3drum.model.inference import InferenceModel
from mt3drum.model.network import DrumModel
from mt3drum.transcriber import Failure, Transcriber, Transcription, pick_device
from tokenizer.codec import EOS
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi import read_midi

OPTIONS = DecodeConfig(onset_weight=0.3, silence_gate=0.0, max_tokens=60)


@pytest.fixture(scope="module")
def model() -> DrumModel:
    torch.manual_seed(0)
    model = DrumModel(PRESETS["tiny"])
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return model


@pytest.fixture
def transcriber(model: DrumModel) -> Transcriber:
    return Transcriber(model, OPTIONS)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    """Bursts of noise: something that differs from segment to segment."""
    rng = np.random.default_rng(seed)
    samples = int(seconds * SAMPLE_RATE)
    loud = np.repeat(rng.random(samples // 4410 + 1) ** 4, 4410)[:samples]
    return (loud * rng.normal(0, 0.2, samples)).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int = SAMPLE_RATE) -> Path:
    soundfile.write(path, samples, rate, subtype="FLOAT" if path.suffix == ".wav" else None)
    return path


def same(a: Sequence[Hit], b: Sequence[Hit], kind: torch.dtype = torch.float32) -> None:
    """Equal up to rounding, which in bfloat16 (AMX) depends on the size of the batch."""
    exact = kind == torch.float32
    assert [hit.drum for hit in a] == [hit.drum for hit in b]
    assert [hit.velocity for hit in a] == pytest.approx([hit.velocity for hit in b], abs=0 if exact else 4)
    assert [hit.time for hit in a] == pytest.approx([hit.time for hit in b], abs=1e-4)
    assert [hit.confidence for hit in a] == pytest.approx(
        [hit.confidence for hit in b], abs=1e-3 if exact else 2**-6
    )


# ------------------------------------------------------------------ seams


class Listener(InferenceModel):
    """Stands for a model: hears every sample over one half exactly, and nothing else."""

    def __init__(self) -> None:
        self.config, self.device = PRESETS["tiny"], torch.device("cpu")
        self.decoder = None

    def encode_with_bands(  # type: ignore[override]
        self, segments: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return segments, torch.zeros(len(segments), self.config.codec.segment_steps, 1)


def listen(model: Listener, segments: torch.Tensor, config: DecodeConfig, until: int) -> list[Hypothesis]:
    found = []
    for segment in segments:
        at = (segment > 0.25).nonzero()[:, 0].numpy()
        steps = (at + HOP // 2) // HOP
        pairs = [(a / SAMPLE_RATE, int(step)) for a, step in zip(at, steps, strict=True) if step < until]
        hits = tuple(Hit(time, 5, 64) for time, _ in pairs)
        found.append(Hypothesis((EOS,), 0.0, hits, tuple(step for _, step in pairs)))
    return found


@given(
    st.integers(1, 1_000_000),
    st.lists(st.integers(0, 999_999), max_size=40),
    st.lists(st.integers(-3, 3).map(lambda d: 3 * SAMPLE_RATE + d * HOP // 2), max_size=3),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.integers(1, 4),
)
def test_no_hit_is_lost_or_doubled_at_a_seam(
    samples: int, places: list[int], seam: list[int], margin: float, batch: int
) -> None:
    distant: list[int] = []
    for place in sorted(places + seam):
        # A hit whose step lies past the last frame is not of the recording.
        if place < samples - HOP and (not distant or place - distant[-1] > 0.03 * SAMPLE_RATE):
            distant.append(place)
    signal = np.zeros(samples, dtype=np.float32)
    signal[distant] = 1.0
    transcriber = Transcriber(Listener(), DecodeConfig(margin=margin), batch=batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "generate", listen)
        patch.setattr(recording, "PEAK_QUANTILE", 1.0)
        found = transcriber.transcribe_array(signal)
    assert [hit.time for hit in found.hits] == pytest.approx([p / SAMPLE_RATE for p in distant], abs=1e-6)


# ------------------------------------------------------------------ company


def groove(seconds: float, seed: int) -> np.ndarray:
    """Something like kicks, snares and hi-hats: decaying sines and noise."""
    rng = np.random.default_rng(seed)
    samples = int(seconds * SAMPLE_RATE)
    signal = 0.001 * rng.normal(size=samples + SAMPLE_RATE)
    time = np.arange(SAMPLE_RATE // 4) / SAMPLE_RATE
    strokes = (
        np.sin(2 * np.pi * 60 * time) * np.exp(-20 * time),
        rng.normal(0, 0.4, len(time)) * np.exp(-25 * time),
        np.diff(rng.normal(0, 0.2, len(time)), 2, prepend=[0, 0]) * np.exp(-60 * time),
    )
    for at in np.arange(0.1, seconds, 0.22):
        begin = int(at * SAMPLE_RATE)
        signal[begin : begin + len(time)] += rng.uniform(0.3, 0.9) * strokes[rng.integers(3)]
    return signal[:samples].astype(np.float32)


@pytest.mark.parametrize(("beam", "kind"), [(1, torch.float32), (1, torch.bfloat16), (3, torch.bfloat16)])
def test_company_changes_nothing(tmp_path: Path, beam: int, kind: torch.dtype) -> None:
    """With the trained weights: random ones have near ties everywhere, which rounding decides."""
    trained = load_inference_model(bundled(), dtype=kind)[0]
    config = DecodeConfig(beam=beam)
    lengths = (0.01, 7.3, 1.0, 10.0, 3.0)
    paths = [write(tmp_path / f"{i}.wav", groove(seconds, i)) for i, seconds in enumerate(lengths)]
    together = list(Transcriber(trained, config, batch=5).transcribe_files(paths))
    assert [result.path for result in together] == paths
    for path, result in zip(paths, together, strict=True):
        assert isinstance(result, Transcription)
        alone = Transcriber(trained, config, batch=1).transcribe_file(path)
        assert alone.seconds == result.seconds == pytest.approx(soundfile.info(path).duration, abs=1e-4)
        same(alone.hits, result.hits, kind)
        if result.seconds > 1:
            assert len(result.hits) > 2 * result.seconds
    same(Transcriber(trained, config).transcribe_array(groove(7.3, 1)).hits, together[1].hits, kind)  # type: ignore[union-attr]


def test_a_bad_file_is_a_failure_and_the_rest_goes_on(tmp_path: Path, transcriber: Transcriber) -> None:
    good, last = write(tmp_path / "a.wav", noise(5)), write(tmp_path / "z.flac", noise(1))
    (bad := tmp_path / "b.wav").write_text("nothing")
    (empty := tmp_path / "c.wav").touch()
    paths: list[Path] = [good, bad, empty, tmp_path / "missing.wav", last]
    results = list(transcriber.transcribe_files(paths))
    assert [type(result) for result in results] == [Transcription, Failure, Failure, Failure, Transcription]
    for result, path in zip(results, paths, strict=True):
        assert result.path == path
        if isinstance(result, Failure):
            assert str(path) in result.reason and "\n" not in result.reason
    with pytest.raises(AudioError, match="missing.wav: no such file"):
        transcriber.transcribe_file(tmp_path / "missing.wav")


def test_a_file_that_vanishes_while_it_is_read(
    tmp_path: Path, transcriber: Transcriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "BUFFER_SECONDS", 1)  # so that it is read twice
    paths = [write(tmp_path / "a.wav", noise(3)), write(tmp_path / "b.wav", noise(1))]
    real = module.open_file

    def opened(path: Path) -> recording.AudioSource:
        recording = real(path)
        if path == paths[0]:
            path.unlink()
        return recording

    monkeypatch.setattr(module, "open_file", opened)
    first, second = transcriber.transcribe_files(paths)
    assert isinstance(first, Failure) and first.reason == f"{paths[0]}: no such file"
    assert isinstance(second, Transcription)


@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
@pytest.mark.parametrize("kind", ["silent", "one sample", "2047 samples", "constant"])
def test_next_to_nothing_has_no_hits(model: DrumModel, kind: str, rate: int) -> None:
    arrays = {
        "silent": np.zeros(rate),
        "one sample": np.zeros(1) + 1e-7,
        "2047 samples": np.zeros(2047),
        "constant": np.zeros(10) + 1e-9,
    }
    result = Transcriber(model, OPTIONS).transcribe_array(arrays[kind], rate)
    assert result.hits == () and len(result.warnings) == (rate < 22_050)  # hats may be missed
    assert result.seconds == pytest.approx(len(arrays[kind]) / rate, abs=1e-3)


def test_one_loud_sample_is_heard_out(model: DrumModel) -> None:
    result = Transcriber(model, OPTIONS).transcribe_array(np.ones(1))
    assert all(hit.time < 0.02 for hit in result.hits)


def test_damage_is_told(tmp_path: Path, transcriber: Transcriber) -> None:
    signal = noise(1)
    signal[100:110] = np.nan
    (result,) = transcriber.transcribe_files([write(tmp_path / "a.wav", signal)])
    assert isinstance(result, Transcription)
    (warning,) = result.warnings
    assert "10 samples were not finite" in warning


def test_the_token_limit_is_told(model: DrumModel) -> None:
    config = DecodeConfig(onset_weight=0.99, onset_bias=20.0, max_tokens=10)
    result = Transcriber(model, config).transcribe_array(noise(1))
    assert "over 10 tokens (max_tokens) in the 4 s from 0.0 s" in result.warnings[0]


def test_progress_and_mode(tmp_path: Path, model: DrumModel) -> None:
    path = write(tmp_path / "a.wav", noise(10))
    told: list[tuple[Path, float]] = []
    model.train()
    list(Transcriber(model, OPTIONS, batch=1).transcribe_files([path], lambda *x: told.append(x)))
    assert model.training
    model.eval()
    shares = [share for _, share in told]
    assert len(shares) == 4 and shares == sorted(shares) and shares[-1] == 1.0 and told[0][0] == path


def test_only_some_classes(model: DrumModel) -> None:
    classes = frozenset({2, 9, 25})
    config = DecodeConfig(onset_weight=0.3, onset_bias=8.0, classes=classes, max_tokens=60)
    hits = Transcriber(model, config).transcribe_array(noise(5)).hits
    assert hits and {hit.drum for hit in hits} <= classes


# ------------------------------------------------------------------ rungs


def checkpoint(path: Path, model: DrumModel, decoding: dict[str, Any]) -> Path:
    save_checkpoint(path, model.config, model.state_dict(), decoding, {})
    return path


def test_load_and_write_midi(tmp_path: Path, model: DrumModel) -> None:
    path = checkpoint(tmp_path / "a.safetensors", model, OPTIONS.to_dict())
    transcriber = Transcriber.load(path, device="cpu", beam=2)
    assert transcriber.config.beam == 2 and transcriber.config.max_tokens == 60
    song = write(tmp_path / "a.wav", noise(4))
    result = transcriber.transcribe_to_midi(song, tmp_path / "a.mid", notes="td17")
    score = read_midi(tmp_path / "a.mid", LABEL_MAPS["td17"])
    assert [hit.drum for hit in sorted(score.hits)] and len(score.hits) == len(result.hits)
    again = mt3drum.transcribe(song, checkpoint=path, device="cpu", beam=2)  # type: ignore[operator, unused-ignore]
    same(again.hits, result.hits)


def test_bad_settings_in_a_checkpoint(tmp_path: Path, model: DrumModel) -> None:
    path = checkpoint(tmp_path / "a.safetensors", model, {"beams": 3})
    with pytest.raises(
        CheckpointError, match="a.safetensors: damaged header .unknown decoding settings: beams"
    ):
        Transcriber.load(path)


def test_devices() -> None:
    assert pick_device("auto") in ("cpu", "cuda") and pick_device("cpu") == "cpu"
    for name in ("nonsense", "cuda:99"):
        with pytest.raises(ValueError, match=f"device '{name}' is not available"):
            pick_device(name)


def test_import_is_light() -> None:
    code = (
        "import mt3drum, sys; mt3drum.__version__; assert 'torch' not in sys.modules and 'numpy' not in "
        "sys.modules; assert callable(mt3drum.transcribe) and mt3drum.Transcriber"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mt3drum.nothing  # noqa: B018


@pytest.mark.slow
def test_an_hour_in_constant_memory(model: DrumModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real chain on 60 minutes from a generator: under 600 MB over what one minute takes."""

    def minutes(count: int) -> Transcription:
        def stream(*_: object) -> Iterator[np.ndarray]:
            for index in range(count):
                yield noise(60, index)

        monkeypatch.setattr(recording, "_mono", stream)
        return Transcriber(model, OPTIONS).transcribe_array(np.zeros(1))

    minutes(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = minutes(60)
    assert result.seconds == 3600 and result.hits[-1].time > 3590
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000
