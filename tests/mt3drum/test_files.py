"""Results are complete or absent: full disks, folders that cannot be written, kills, races."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import mido
import pytest

from mt3drum.cli.main import main
from tests.processes import kill, recordings, start, tiny_checkpoint, transcribe, wait


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


def command(tmp_path: Path, checkpoint: str, output: Path | None = None) -> list[str]:
    options = ["-o", str(output or tmp_path / "out"), "--checkpoint", checkpoint, "--quiet"]
    return [str(tmp_path / "in"), *options, "--format", "midi,json"]


def everything_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*"))


def test_a_disk_that_is_full_for_one_file_costs_that_file_alone(
    tmp_path: Path, checkpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings(tmp_path / "in", 3, 0.2)
    save, calls = mido.MidiFile.save, iter(range(100))

    def full(midi: mido.MidiFile, filename: Path) -> None:
        save(midi, filename)
        if next(calls) == 1:
            os.truncate(filename, 20)
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mido.MidiFile, "save", full)
    assert main(["transcribe", *command(tmp_path, checkpoint)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(
        f"error: {tmp_path}/in/01.wav: cannot write the result: [Errno 28] No space left"
    )
    assert lines[1:] == ["2 transcribed, 1 failed"]
    assert everything_in(tmp_path / "out") == ["00.json", "00.mid", "02.json", "02.mid"]


def limited(tell: Connection, *arguments: str) -> int:
    """The command where no file may grow past 60 bytes; it tells what it says: a pipe has no size."""
    sys.stderr = os.fdopen(os.dup(tell.fileno()), "w")
    resource.setrlimit(resource.RLIMIT_FSIZE, (60, 60))
    return transcribe(*arguments)


def test_a_limit_of_the_kernel_leaves_nothing_half_written(tmp_path: Path, checkpoint: str) -> None:
    """What a full disk is to a program, without a disk."""
    recordings(tmp_path / "in", 3, 0.2)
    told, tell = multiprocessing.Pipe(duplex=False)
    child = start(limited, tmp_path / "said", tell, *command(tmp_path, checkpoint))
    tell.close()
    with os.fdopen(os.dup(told.fileno())) as pipe:
        lines = pipe.read().splitlines()
    assert wait(child) == 1
    assert len(lines) == 4 and all("cannot write the result: [Errno 27]" in line for line in lines[:3])
    assert lines[3] == "0 transcribed, 3 failed"
    assert everything_in(tmp_path / "out") == []


def test_an_output_folder_that_cannot_be_made_is_one_line_a_file(
    tmp_path: Path, checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings(tmp_path / "in", 2, 0.2)
    (tmp_path / "file").touch()
    assert main(["transcribe", *command(tmp_path, checkpoint, tmp_path / "file" / "out")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all("cannot write the result: [Errno" in line for line in lines[:2])


def test_a_read_only_folder_is_one_line_a_file(
    tmp_path: Path, checkpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The system's refusal is put on: root, as tests often run, may write anywhere."""

    def refuse(self: mido.MidiFile, filename: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(filename))

    recordings(tmp_path / "in", 2, 0.2)
    monkeypatch.setattr(mido.MidiFile, "save", refuse)
    assert main(["transcribe", *command(tmp_path, checkpoint)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all("Read-only file system" in line for line in lines[:2])
    assert everything_in(tmp_path / "out") == []


def hanging(reached: Path, *arguments: str) -> int:
    """The command, which makes `reached` and stands still before its second MIDI file has its name."""
    replace = os.replace

    def hang(source: Path, target: Path) -> None:
        if str(target).endswith("01.mid"):
            reached.touch()
            time.sleep(1000)
        replace(source, target)

    os.replace = hang  # type: ignore[assignment]
    return transcribe(*arguments)


def test_killed_while_writing(tmp_path: Path, checkpoint: str) -> None:
    recordings(tmp_path / "in", 2, 0.2)
    reached = tmp_path / "reached"
    child = start(hanging, tmp_path / "said", reached, *command(tmp_path, checkpoint))
    deadline = time.monotonic() + 200
    while not reached.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    kill(child)
    assert wait(child) == -signal.SIGKILL
    results = {p.name for p in (tmp_path / "out").iterdir() if not p.name.startswith(".")}
    assert results == {"00.mid", "00.json"}
    assert main(["transcribe", *command(tmp_path, checkpoint), "--skip-existing"]) == 0
    assert {"00.mid", "00.json", "01.mid", "01.json"} <= set(everything_in(tmp_path / "out"))
    assert len(mido.MidiFile(tmp_path / "out" / "01.mid").tracks) == 2


def test_two_processes_on_one_output_folder(tmp_path: Path, checkpoint: str) -> None:
    recordings(tmp_path / "in", 6, 0.2)
    assert main(["transcribe", *command(tmp_path, checkpoint, tmp_path / "alone"), "--batch", "1"]) == 0
    both = [
        start(transcribe, tmp_path / f"said{n}", *command(tmp_path, checkpoint), "--batch", "1")
        for n in (0, 1)
    ]
    assert [wait(child) for child in both] == [0, 0]
    assert everything_in(tmp_path / "out") == everything_in(tmp_path / "alone")
    for path in (tmp_path / "alone").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
