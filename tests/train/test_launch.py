"""Ranks and their launcher: it ends and they stop, one port, one line for an error, one run in a folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from data.shards.write import make_shards
from tests import ROOT
from tests.processes import kill, start, wait
from tests.small_runs import RANKS, BeepShards, bare, curve, run_main, write_run
from train import folder, record
from train.folder import ERROR, LOCK, claim, report
from train.launch import free_port, is_lost_rank, launcher_chain, port_is_free, stop_on_signals
from train.state import newest_state
from train.validate import Validation

SOON, AT_LEAST_SOON = 10.0, 60.0
"""Seconds from the signal to the end of all ranks: what is promised, and on a machine full of other tests."""
PATIENCE = 240.0


def begin(config: Path, output: Path, said: Path, port: int) -> subprocess.Popen[bytes]:
    """Two ranks by the documented command."""
    environment = {name: value for name, value in os.environ.items() if name not in RANKS}
    command = ["deepspeed", f"--master_port={port}", "--num_accelerators=2", str(ROOT / "train" / "main.py")]
    with said.open("ab") as file:
        return subprocess.Popen(
            [*command, "--config", str(config), "--output", str(output)],
            cwd=ROOT,
            env=environment
            | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
            | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            stdout=file,
            stderr=file,
        )


def ranks_of(output: Path) -> list[psutil.Process]:
    """The ranks that write to a folder."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if str(output) in words and any(word.startswith("--local_rank") for word in words):
            found.append(process)
    return found


def steps_done(output: Path) -> int:
    losses = output / "losses.jsonl"
    return len(curve(losses)) if losses.exists() else 0


@pytest.fixture
def output(tmp_path: Path) -> Iterator[Path]:
    """Folder of a run whose ranks do not outlive the test."""
    yield tmp_path / "run"
    for rank in ranks_of(tmp_path / "run"):
        rank.kill()


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)


@pytest.mark.parametrize(
    ("number", "soon"),
    [
        (signal.SIGTERM, AT_LEAST_SOON),
        *(pytest.param(number, SOON, marks=pytest.mark.slow) for number in SIGNALS),
    ],
)
def test_when_the_launcher_ends_its_ranks_save_and_stop(
    config: Path, output: Path, tmp_path: Path, number: int, soon: float
) -> None:
    settings = bare(config, tmp_path, steps=5000, save_every=5000)
    said = tmp_path / "said"
    with socket.socket() as used:  # by somebody else, all the while
        used.bind(("", 0))
        used.listen()
        port = used.getsockname()[1]
        for _ in range(2):  # the same command goes on
            launcher, before = begin(settings, output, said, port), steps_done(output)
            deadline = time.monotonic() + PATIENCE
            while steps_done(output) < before + 3:
                assert launcher.poll() is None and time.monotonic() < deadline, said.read_text()
                time.sleep(0.02)
            ranks = ranks_of(output)
            assert len(ranks) == 2
            launcher.send_signal(number)
            gone, alive = psutil.wait_procs(ranks, timeout=soon)
            assert len(gone) == 2, [process.cmdline() for process in alive]
            launcher.wait(PATIENCE)
            state = newest_state(output)
            assert state is not None and state.name == f"state-{steps_done(output)}"
            assert steps_done(output) > before and not (output / LOCK).exists()
    if number != signal.SIGINT:  # the launcher's own traceback
        assert "Traceback" not in said.read_text()


def test_an_error_of_one_rank_is_one_line_of_the_job(config: Path, tmp_path: Path) -> None:
    """Rank 0 alone reads the development recordings."""
    settings, output, said = (
        bare(config, tmp_path, development="nowhere"),
        tmp_path / "run",
        tmp_path / "said",
    )
    assert begin(settings, output, said, free_port()).wait(PATIENCE) != 0
    text = said.read_text()
    (line,) = [line for line in text.splitlines() if "error:" in line]
    assert line.startswith("error: nowhere: found no annotations/class") and "Traceback" not in text
    assert (output / ERROR).read_text() == line.removeprefix("error: ") + "\n"
    assert ranks_of(output) == [] and not (output / LOCK).exists()


def held(run: Path, ready: Path) -> int:
    """A run that goes on until it is killed."""
    with claim(run, 0):
        ready.touch()
        time.sleep(1000)
    return 0


def test_a_folder_is_one_run_s_until_that_ends(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, ready = tmp_path / "run", tmp_path / "ready"
    owner = start(held, tmp_path / "said", output, ready, MASTER_PORT="1", RANK="0", WORLD_SIZE="1")
    while not ready.exists():
        time.sleep(0.02)
    assert run_main(bare(config, tmp_path, steps=1), output) == 1
    line = capsys.readouterr().err
    assert line.startswith(
        f"error: {output}: another run is here (process {owner.pid} on {socket.gethostname()}"
    )
    assert line.count("\n") == 1 and not (output / "losses.jsonl").exists()
    kill(owner)
    assert wait(owner) == -signal.SIGKILL and (output / LOCK).exists()
    assert run_main(bare(config, tmp_path, steps=1), output) == 0
    assert not (output / LOCK).exists() and steps_done(output) == 1


def test_the_second_of_two_that_wait_for_a_lock_sees_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner removes its file after the second has opened it: a lock on that file holds nobody off."""
    monkeypatch.setenv("MASTER_PORT", "1")
    lock, calls = folder.fcntl.lockf, []

    def removed(descriptor: int, operation: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            (tmp_path / LOCK).unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(folder.fcntl, "lockf", removed)
    with claim(tmp_path, 0):
        assert len(calls) == 2 and (tmp_path / LOCK).exists()


def test_ranks_meet_at_a_free_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORLD_SIZE": "2", "LOCAL_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with socket.socket() as used:
        used.bind(("", 0))
        used.listen()
        port = used.getsockname()[1]
        assert not port_is_free(port)
        monkeypatch.setenv("MASTER_PORT", str(port))
        with claim(tmp_path, 0):
            chosen = os.environ["MASTER_PORT"]
            assert chosen != str(port) and port_is_free(int(chosen))
            monkeypatch.setenv("MASTER_PORT", str(port))
            with claim(tmp_path, 1):
                assert os.environ["MASTER_PORT"] == chosen
    monkeypatch.setenv("MASTER_PORT", chosen)
    with claim(tmp_path, 0):
        assert os.environ["MASTER_PORT"] == chosen  # it was free


def test_a_rank_waits_for_the_lock_of_its_own_launcher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_SIZE", "2")
    monkeypatch.setattr(folder, "PATIENCE", 0.3)
    (tmp_path / LOCK).write_text(json.dumps({"launcher": 1, "host": socket.gethostname(), "port": 7}))
    with pytest.raises(ValueError, match="rank 0 has not claimed it"), claim(tmp_path, 1):
        pass


def test_the_first_error_is_kept(tmp_path: Path) -> None:
    assert report(tmp_path, "first") and not report(tmp_path, "second")
    assert (tmp_path / ERROR).read_text() == "first\n"
    assert report(tmp_path / "nowhere", "rather twice than never")


def test_lost_ranks_are_told_from_other_errors() -> None:
    assert is_lost_rank(
        RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:1")
    )
    assert not is_lost_rank(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_lost_rank(ValueError("gloo"))


@contextmanager
def handlers_kept() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before


def test_signals_ask_and_a_second_interrupt_ends_at_once() -> None:
    asked: list[int] = []
    with handlers_kept(), pytest.raises(KeyboardInterrupt), stop_on_signals(lambda: asked.append(1)):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)
        assert len(asked) == 4
        signal.raise_signal(signal.SIGINT)


def test_nohup_stays() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals(lambda: None):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_no_launcher_no_watch() -> None:
    assert launcher_chain() == []


def test_a_validation_that_is_broken_off_is_owed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validation = tmp_path / "validation"
    make_shards(validation, BeepShards("validation", shards=1, per_shard=1, seconds=1.0, seed=1))
    settings = write_run(tmp_path, validation=str(validation), steps=3, warmup_steps=0, validate_every=2)
    output = tmp_path / "run"
    validated = record.validate

    def asked_meanwhile(*arguments: Any) -> Validation:
        signal.raise_signal(signal.SIGTERM)
        return validated(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(record, "validate", asked_meanwhile)
        assert run_main(settings, output) == 0
    state = newest_state(output)
    assert state is not None and state.name == "state-2" and not (output / "validations.jsonl").exists()
    assert run_main(settings, output) == 0
    assert [line["step"] for line in curve(output / "validations.jsonl")] == [2, 3]
