"""`mt3drum doctor`: what it finds here, and what it says of what is missing."""

from __future__ import annotations

import json
import shutil
import sys
from importlib import metadata
from typing import Any

import numpy as np
import pytest
import torch

from mt3drum.audio import ffmpeg
from mt3drum.cli import doctor, main
from mt3drum.result import Transcription
from mt3drum.transcriber import Transcriber
from tokenizer.hits import Hit


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transcriber that takes no time but some of the processor's."""

    class Heard:
        model = type("Model", (), {"dtype": torch.float32})

        def transcribe_array(self, audio: np.ndarray, rate: int) -> Transcription:
            sum(range(300_000))
            return Transcription((Hit(0.5, 0, 90),), len(audio) / rate)

    monkeypatch.setattr(Transcriber, "load", lambda *_, **__: Heard())


def run(capsys: pytest.CaptureFixture[str], code: int = 0) -> dict[str, Any]:
    assert main.main(["doctor", "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_it_measures_the_bundled_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "SECONDS", 10.5)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "nvidia-smi" else f"/bin/{name}")
    assert main.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        f"version   mt3drum {metadata.version('mt3drum')}, Python {sys.version.split()[0]}"
    )
    assert any(line.startswith("device    cpu: ") and "s of audio per CPU-second" in line for line in lines)
    assert lines[-1] == "ready to transcribe"


@pytest.mark.usefixtures("quick")
def test_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    found = run(capsys)
    assert found["packages"]["torch"] == torch.__version__ and "dev" not in found["extras"]
    (cpu,) = (device for device in found["devices"] if device["name"] == "cpu")
    assert cpu["audio_per_cpu_second"] > 0 and cpu["precision"] == "float32"
    assert found["ffmpeg"] is None or ffmpeg.programs() is not None


@pytest.mark.usefixtures("quick")
def test_what_is_missing_comes_with_its_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = metadata.version

    def without(name: str) -> str:
        if name == "starlette":
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "uvicorn" else version(name)

    monkeypatch.setattr(metadata, "version", without)
    monkeypatch.setattr(ffmpeg, "programs", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/dnf" if name == "dnf" else None)
    found = run(capsys)
    lacks = {lack["what"].split(":")[0]: lack for lack in found["missing"]}
    assert lacks["web"]["remedy"] == "pip install 'mt3drum[web]'" and not lacks["web"]["needed"]
    assert "starlette" in lacks["web"]["what"] and "(here is 0.1)" in lacks["web"]["what"]
    assert lacks["ffmpeg"]["remedy"] == "sudo dnf install ffmpeg-free" and "web" not in found["extras"]


@pytest.mark.usefixtures("quick")
def test_a_core_that_is_not_whole_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "1.0" if name == "numpy" else version(name))
    (lack,) = (lack for lack in run(capsys, 1)["missing"] if lack["needed"])
    assert "numpy" in lack["what"] and "(here is 1.0)" in lack["what"]


def test_weights_that_do_not_load_are_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(*_: object, **__: object) -> None:
        raise ValueError("small.safetensors: damaged")

    monkeypatch.setattr(Transcriber, "load", load)
    assert main.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "missing   transcription fails: small.safetensors: damaged" in out and "ready" not in out
