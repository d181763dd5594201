"""`scripts/ray_transcribe.py` on two workers: one killed, the whole run killed, nothing lost or twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="the extra 'ray' is not installed")
import pandas as pd

from scripts import large
from tests import ROOT

DEMO = ROOT / "mt3drum" / "assets" / "demo.ogg"
NAMES = [f"{number}.ogg" for number in range(8)]


def start(folder: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "scripts/ray_transcribe.py", str(folder), "-o", str(out)]
    return subprocess.Popen(
        [*command, "--workers", "2", "--chunk", "1"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def workers(session: int) -> list[int]:
    """Processes of Ray that run our function, among those of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            own = os.getsid(int(path.name)) == session
            command = (path / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if own and b"ray::transcribe_chunk" in command:
            found.append(int(path.name))
    return found


def wait_for(what: str, ready: object) -> None:
    end = time.monotonic() + 900
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < end, what
        time.sleep(0.05)


def statuses(out: Path) -> list[tuple[str, str]]:
    frame = pd.concat([pd.read_parquet(path) for path in out.glob("*.parquet")])
    return sorted(
        (Path(path).name, status) for path, status in zip(frame["path"], frame["status"], strict=True)
    )


@pytest.mark.slow
def test_killed_worker_killed_run_resume(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(DEMO, folder / name)
    first = start(folder, out)
    try:
        wait_for("no worker", lambda: workers(first.pid))
        os.kill(workers(first.pid)[0], signal.SIGKILL)  # its chunk is done again
        wait_for("no result", lambda: len(list(out.glob("*.parquet"))) >= 3)
    finally:
        os.killpg(first.pid, signal.SIGKILL)  # and now everything
        first.communicate()
    done = len(statuses(out))
    assert done < len(NAMES) or first.returncode == -signal.SIGKILL
    assert not [path for path in out.iterdir() if path.suffix != ".parquet" and not path.name.startswith(".")]
    second = start(folder, out)
    said, errors = second.communicate(timeout=1500)
    assert second.returncode == 0, errors
    assert said.splitlines()[-1] == f"{len(NAMES) - done} transcribed, 0 failed, {done} already there"
    assert statuses(out) == [(name, "done") for name in NAMES]


def test_a_million_hours_are_computed() -> None:
    text = large.table(hours=7600, speed=76, cores=10, price=0.5, size=1e6)
    assert "| CPU-hours at 76 s of audio a CPU-second | 100 |" in text
    assert "| days on 10 cores | 0.4 |" in text and "| cost at 0.5 a core-hour | 50 |" in text
    assert "| recordings of 4 minutes | 114,000 |" in text and "| results as Parquet | 8 GB |" in text
