"""`--watch`: recordings are taken when complete, once, and again when they are written anew."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mt3drum.batch import watch
from mt3drum.batch.watch import SETTLED, Inbox, up_to_date
from mt3drum.cli import main
from tests import ROOT

DEMO = ROOT / "mt3drum" / "assets" / "demo.ogg"


class Clock:
    """A clock that goes when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def names(inbox: Inbox) -> list[str]:
    return [task.source.name for task in inbox.ready()]


def test_a_recording_that_grows_waits(tmp_path: Path) -> None:
    clock = Clock()
    inbox = Inbox(tmp_path, Path("out"), clock)
    assert names(inbox) == []
    song = tmp_path / "new" / "song.wav"
    song.parent.mkdir()
    song.write_bytes(b"")
    for size in range(4):  # empty, then growing
        assert names(inbox) == []
        clock.now += 0.9 * SETTLED
        song.write_bytes(b"x" * size)
    assert names(inbox) == []
    clock.now += 0.9 * SETTLED
    assert names(inbox) == []
    clock.now += 0.2 * SETTLED
    (task,) = inbox.ready()
    assert task.source == song and task.target == Path("out/new/song")
    clock.now += 10 * SETTLED
    assert names(inbox) == []  # once


def test_what_is_written_anew_is_taken_anew(tmp_path: Path) -> None:
    clock = Clock()
    inbox = Inbox(tmp_path, Path("out"), clock)
    for name in ("a.wav", "b.flac", "notes.txt", ".hidden.wav", "c.mt3drum.wav"):
        (tmp_path / name).write_bytes(b"x")
    assert names(inbox) == []
    clock.now += SETTLED
    assert names(inbox) == ["a.wav", "b.flac"]
    (tmp_path / "a.wav").write_bytes(b"longer")
    (tmp_path / "b.flac").unlink()
    assert names(inbox) == []
    clock.now += SETTLED
    assert names(inbox) == ["a.wav"]
    (tmp_path / "b.flac").write_bytes(b"x")  # gone and back
    assert names(inbox) == []
    clock.now += SETTLED
    assert names(inbox) == ["b.flac"]


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST", 2)
    for number in range(3):
        (tmp_path / f"{number}.wav").write_bytes(b"x")
    with pytest.raises(ValueError, match="more than 2 recordings"):
        Inbox(tmp_path, Path("out")).ready()
    with pytest.raises(OSError, match="gone"):
        Inbox(tmp_path / "gone", Path("out")).ready()


def test_results_that_are_older_than_the_recording(tmp_path: Path) -> None:
    song, result = tmp_path / "a.wav", tmp_path / "a.mid"
    song.write_bytes(b"x")
    assert not up_to_date(song, [result])
    result.write_bytes(b"x")
    os.utime(song, (1_000, 1_000))
    os.utime(result, (1_000, 1_000))
    assert up_to_date(song, [result])
    os.utime(result, (999, 999))
    assert not up_to_date(song, [result])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--watch", "gone"], "--watch gone: no such folder"),
        (["song.wav", "--watch", "in"], "--watch in cannot be combined with FILES"),
        (["--watch", "in", "--manifest", "m"], "--watch in cannot be combined with --manifest"),
        (["--watch", "in", "-o", "a.mid"], "-o a.mid is one file, and --watch may find more"),
        (["--watch", "in", "-o", "-"], "-o - is one file"),
    ],
)
def test_what_does_not_go_with_it(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    assert main.main(["transcribe", *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.slow
def test_the_command_itself(tmp_path: Path) -> None:
    """A file copied in slowly, one that is broken, and Ctrl-C."""
    inbox, out = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    (inbox / "bad.wav").write_text("no sound")
    command = [sys.executable, "-m", "mt3drum", "transcribe", "--watch", str(inbox), "-o", str(out)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        data = DEMO.read_bytes()
        with (inbox / "song.ogg").open("wb") as file:
            for part in range(4):  # 8 s: an incomplete file would be taken within
                file.write(data[part * len(data) // 4 : (part + 1) * len(data) // 4])
                file.flush()
                time.sleep(2)
        end = time.monotonic() + 200
        while not (out / "song.mid").exists() and time.monotonic() < end:
            time.sleep(0.5)
        shutil.copy(DEMO, inbox / "second.ogg")
        while not (out / "second.mid").exists() and time.monotonic() < end:
            time.sleep(0.5)
        time.sleep(1)
    finally:
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 1  # the broken one
    assert said.count(" -> ") == 2 and errors.count("bad.wav") == 1 and "cut off" not in errors
    assert errors.rstrip().endswith("2 transcribed, 1 failed") and "Traceback" not in errors
    assert sorted(path.name for path in out.iterdir()) == ["second.mid", "song.mid"]
