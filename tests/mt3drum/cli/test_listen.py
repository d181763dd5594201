"""`mt3drum listen` as a command."""

from __future__ import annotations

import io
import json
import math
import signal
import struct
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from mt3drum.cli.main import main
from mt3drum.live import session
from tests import ROOT
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi import read_midi

FAST = ["--decoder", "frames"]


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    audio, _ = soundfile.read(str(resources.files("mt3drum") / "assets" / "demo.ogg"), dtype="float32")
    return (audio if audio.ndim == 1 else audio.mean(axis=1))[: 5 * 44_100]


def give(monkeypatch: pytest.MonkeyPatch, data: bytes, terminal: bool = False) -> None:
    buffer = SimpleNamespace(raw=io.BytesIO(data))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=buffer, isatty=lambda: terminal))


def wav(sound: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, 44_100, "PCM_16", format="WAV")
    return file.getvalue()


def test_a_wav_on_standard_input(
    clip: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    give(monkeypatch, wav(clip))
    score = tmp_path / "take.mid"
    assert main(["listen", "-", "-o", str(score), "--json", "--without", "kick", *FAST]) == 0
    out, err = capsys.readouterr()
    *hits, told = [json.loads(line) for line in out.splitlines()]
    assert len(hits) > 20 and set(hits[0]) == {"time", "drum", "velocity", "confidence"}
    assert [hit["time"] for hit in hits] == sorted(hit["time"] for hit in hits)
    assert not any(hit["drum"] == "kick" for hit in hits)
    assert told["status"] == "done" and told["files"] == [str(score)] and told["hits"] == len(hits)
    assert told["seconds"] == 5.0 and told["cpu_share"] > 0
    assert len(read_midi(score, LABEL_MAPS["gm"]).hits) == pytest.approx(len(hits), abs=3)  # shared notes
    assert "hits in 5.0 s" in err and "delay" in err


def test_raw_pcm_is_the_same(
    clip: np.ndarray, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(data: bytes, *options: str) -> list[str]:
        give(monkeypatch, data)
        assert main(["listen", "-", *options, *FAST]) == 0
        return capsys.readouterr().out.splitlines()

    monkeypatch.setattr(session, "LATE", math.inf)  # machines that run tests are busy
    sound = np.round(clip[: 2 * 44_100] * 32767).astype("<i2")
    lines = told(np.repeat(sound, 2).tobytes(), "--raw", "s16le", "--channels", "2")
    assert lines and lines == told(wav(sound))


@pytest.mark.parametrize(
    ("options", "data", "code", "message"),
    [
        (["-"], b"ID3 whatever it may be", 1, "no WAV; convert it"),
        (["-"], b"", 1, "no audio in it"),
        (["--raw", "s16le"], b"", 2, "describes standard input"),
        (["-", "--rate", "8000"], b"", 2, "apply to --raw only"),
        (["-", "--raw", "s16le", "--rate", "7"], b"", 1, "sample rate 7 Hz"),
        (["-", "--microphone", "3"], b"", 2, "give only one"),
        (["-", "--gain", "900"], b"", 2, "--gain 900 is outside"),
        (["-", "-o", "takes"], b"", 2, "name a file, such as take.mid"),
        (["-", "-o", "gone/take.mid"], b"", 2, "no such folder"),
        (["-", "--notes", "tuba"], b"", 2, "--notes tuba"),
        (["-", "--decoder", "frames", "--onset-weight", "0.3"], b"", 2, "onset_weight"),
    ],
)
def test_errors_are_one_line(
    options: list[str],
    data: bytes,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    give(monkeypatch, data)
    monkeypatch.chdir(tmp_path)
    assert main(["listen", *options]) == code
    out, err = capsys.readouterr()
    assert not out and message in err and err.startswith("error: ") and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_is_no_sound(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    give(monkeypatch, b"", terminal=True)
    assert main(["listen", "-"]) == 2
    assert "is a terminal" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_writes_the_score(clip: np.ndarray, tmp_path: Path, number: signal.Signals) -> None:
    """The pipe stays open, as that of a microphone would."""
    endless = wav(clip).replace(b"data" + struct.pack("<I", 2 * len(clip)), b"data" + bytes(4))
    score = tmp_path / "take.json"
    command = [sys.executable, "-m", "mt3drum", "listen", "-", "-o", str(score), *FAST]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(endless)
        process.stdin.flush()
        first = process.stdout.readline()
        time.sleep(0.2)
        process.send_signal(number)
        rest, errors = process.stdout.read(), process.stderr.read()
        assert process.wait(60) == 0, errors
    hits = json.loads(score.read_text())["hits"]
    assert len(hits) == 1 + len(rest.splitlines()) > 10
    assert json.loads(first)["time"] == hits[0]["time"]
    assert b"Traceback" not in errors
