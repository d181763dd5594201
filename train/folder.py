"""The folder of a run: one run at a time, a meeting place of its ranks, and one line on what ended it."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from train.launch import free_port, launcher_chain, port_is_free, ranks_share_a_machine

LOCK, ERROR = "run.lock", "error.txt"
PATIENCE = 120.0
"""Seconds the ranks wait for the first to claim the folder."""
log = logging.getLogger("train")


@contextmanager
def claim(folder: Path, rank: int) -> Iterator[None]:
    """Hold a run's folder while it trains: rank 0 locks it; ranks on one machine agree on a free port.

    The lock is the kernel's (POSIX): it goes with its process, however that ends.

    Raises:
        ValueError: another run holds the folder; the message names its process and machine.
        OSError: the folder cannot be made or written.
    """
    if rank > 0:
        if ranks_share_a_machine():
            os.environ["MASTER_PORT"] = str(_await_owner(folder)["port"])
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    descriptor = _locked(path)
    try:
        (folder / ERROR).unlink(missing_ok=True)
        os.environ["MASTER_PORT"] = str(_port())
        owner = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now().isoformat(timespec="seconds"),
            "launcher": _launcher(),
            "port": int(os.environ["MASTER_PORT"]),
        }
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(owner).encode())
        yield
    finally:
        path.unlink(missing_ok=True)  # before the lock goes: who opened this file meanwhile looks again
        os.close(descriptor)


def report(folder: Path, line: str) -> bool:
    """Write what ended the run, unless a rank has already; whether this is the first."""
    try:
        with (folder / ERROR).open("x", encoding="utf-8") as file:
            file.write(line + "\n")
    except FileExistsError:
        return False
    except OSError:  # no folder, disk full: rather twice than never
        return True
    return True


def _locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = _owner(path)
            os.close(descriptor)
            raise ValueError(
                f"{path.parent}: another run is here (process {owner.get('pid', '?')} on "
                f"{owner.get('host', '?')} since {owner.get('since', '?')}); wait for it, stop it, or choose "
                "another --output"
            ) from None
        try:
            if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)  # its owner removed it just now


def _owner(path: Path) -> dict[str, Any]:
    """What a lock says; empty where it says nothing yet."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _await_owner(folder: Path) -> dict[str, Any]:
    """The lock that rank 0 of the same launcher wrote."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        owner = _owner(folder / LOCK)
        if owner.get("launcher") == _launcher() and owner.get("host") == socket.gethostname():
            return owner
        time.sleep(0.05)
    raise ValueError(f"{folder}: rank 0 has not claimed it within {PATIENCE:.0f} s; see its message")


def _launcher() -> int:
    """The process that all ranks of this run come from."""
    return [os.getppid(), *launcher_chain()][-1]


def _port() -> int:
    port = int(os.environ["MASTER_PORT"])
    if not ranks_share_a_machine() or port_is_free(port):
        return port
    found = free_port()
    log.info("port %d is in use; the ranks meet at %d", port, found)
    return found
