"""scripts/decode.py under real launchers: two ranks, one of them killed at random moments, started again."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from mt3drum.cli.main import main
from tests import ROOT
from tests.mt3drum.batch.test_ledger import command, ledger_lines, merged
from tests.mt3drum.batch.test_tars import members_of, write_tar
from tests.processes import PATIENCE, recordings, tiny_checkpoint

COUNT = 24


def launch(launcher: str, arguments: list[str], said: Path) -> subprocess.Popen[bytes]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    begin = {
        "torchrun": [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc-per-node=2",
            f"--master-port={port}",
        ],
        "deepspeed": [
            str(Path(sys.executable).parent / "deepspeed"),
            "--num_accelerators=2",
            f"--master_port={port}",
        ],
    }
    environment = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with said.open("ab") as file:
        return subprocess.Popen(
            [*begin[launcher], str(ROOT / "scripts" / "decode.py"), *arguments],
            stdout=file,
            stderr=file,
            env=environment | {"OMP_NUM_THREADS": "1", "PATH": path, "PYTHONPATH": str(ROOT)},
        )


def ranks_of(marker: str) -> dict[int, int]:
    """Process ids of our ranks, by rank: their commands name `marker`."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            environment = dict(p.split(b"=", 1) for p in (folder / "environ").read_bytes().split(b"\0") if p)
        except (OSError, ValueError):  # gone, or not ours
            continue
        if (
            any(marker.encode() in word for word in words)
            and b"RANK" in environment
            and b"LOCAL_RANK" in environment
        ):
            found[int(environment[b"RANK"])] = int(folder.name)
    return found


@pytest.mark.slow  # interpreters of a launcher and two ranks, three times
@pytest.mark.parametrize(("launcher", "kind"), [("torchrun", "files"), ("deepspeed", "tar files")])
def test_two_ranks_killed_and_started_again(tmp_path: Path, launcher: str, kind: str) -> None:
    rng = random.Random(f"{launcher} {kind}")
    checkpoint = str(tiny_checkpoint(tmp_path / "tiny.safetensors"))
    paths = recordings(tmp_path / "in", COUNT, 0.5)
    ledger, said = tmp_path / "ledger", tmp_path / "said"
    more = [str(tmp_path / "in")]
    if kind == "tar files":  # out of tar files, one of them by a command, into tar files
        for number in range(3):
            part = paths[number::3]
            write_tar(tmp_path / f"s-{number}.tar", {path.name: path.read_bytes() for path in part})
        more = [f"{tmp_path}/s-{{0..1}}.tar", f"pipe:cat '{tmp_path}/s-2.tar'", "--output-shards=3"]
    arguments = command(tmp_path, checkpoint, *more)
    killed = 0
    for kill in (True, True, False):
        process = launch(launcher, arguments, said)
        deadline = time.monotonic() + PATIENCE
        if kill:
            before, wanted, victim = len(ledger_lines(ledger)), rng.randrange(1, 6), rng.randrange(2)
            while len(ledger_lines(ledger)) < before + wanted and process.poll() is None:
                assert time.monotonic() < deadline, said.read_text()
                time.sleep(0.005)
            time.sleep(rng.random() * 0.05)
            if (pid := ranks_of(str(tmp_path)).get(victim)) is not None:
                os.kill(pid, signal.SIGKILL)
                killed += 1
        code = process.wait(PATIENCE)
        assert kill or code == 0, said.read_text()
    assert killed, "no rank was there to be killed"
    done = Counter(line["source"] for line in ledger_lines(ledger) if line["status"] == "done")
    recorded = [record for record in merged(ledger) if not record.get("command")]
    assert len(recorded) == COUNT and set(done.values()) == {1}
    assert all(record["status"] == "done" for record in recorded)
    assert {record["rank"] for record in recorded} == {0, 1}
    alone = [*more, "-o", str(tmp_path / "alone"), "--manifest", str(tmp_path / "ledger-alone")]
    assert main(["transcribe", *alone, "--checkpoint", checkpoint, "--quiet", "--batch", "1"]) == 0
    if kind == "tar files":
        assert members_of(tmp_path / "out") == members_of(tmp_path / "alone")
    else:
        found, expected = (
            {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("out", "alone")
        )
        assert found == expected and len(found) == COUNT
