"""Ranks and their launcher: identification, rendezvous port, stopping, and error reporting."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil

LAUNCHERS = {
    "deepspeed",
    "deepspeed.launcher.launch",
    "torchrun",
    "torch.distributed.run",
    "mpirun",
    "mpiexec",
}
"""Commands and modules that start ranks."""
WATCH_SECONDS = 0.5
WITHOUT_LAUNCHER = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
_LOST = re.compile("gloo|nccl|connection (closed|reset|refused)|broken pipe", re.IGNORECASE)
log = logging.getLogger("train")


def set_up_ranks() -> tuple[int, int]:
    """Rank and world size from the launcher's environment, or those of a single process."""
    if "RANK" not in os.environ:
        os.environ |= WITHOUT_LAUNCHER | {"MASTER_PORT": str(free_port())}
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def free_port() -> int:
    """A free TCP port of this machine."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Whether a rank could listen there."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("", port))
        except OSError:
            return False
    return True


def ranks_share_a_machine() -> bool:
    """Whether deepspeed's launcher started all ranks here; torchrun itself listens at the master port."""
    return os.environ.get("LOCAL_SIZE") == os.environ.get("WORLD_SIZE") != "1"


def launcher_chain() -> list[int]:
    """Process ids from this process's parent up to the topmost launcher; empty if there is no launcher."""
    chain, length = [], 0
    for process in psutil.Process().parents():
        chain.append(process.pid)
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if any(word in LAUNCHERS or Path(word).name in LAUNCHERS for word in words):
            length = len(chain)
    return chain[:length]


def watch_launcher() -> None:
    """Send SIGTERM to this process once one of its launchers has ended.

    A signal to the command `deepspeed` ends only that process: the process between it and the ranks survives,
    and so would the ranks.
    """
    chain = launcher_chain()
    if not chain:
        return

    def watch() -> None:
        while [process.pid for process in psutil.Process().parents()[: len(chain)]] == chain:
            time.sleep(WATCH_SECONDS)
        log.warning("the launcher has ended: stopping")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="launcher", daemon=True).start()


@contextmanager
def stop_on_signals(ask: Callable[[], None]) -> Iterator[None]:
    """Call `ask` on SIGTERM, Ctrl-C and a terminal that closes; a second Ctrl-C interrupts at once."""

    def asked(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        ask()

    numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is not signal.SIG_IGN:  # nohup
            signal.signal(number, asked)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def is_lost_rank(error: BaseException) -> bool:
    """Whether an error only says that another rank has ended."""
    from torch.distributed import DistError

    return isinstance(error, DistError) or (
        isinstance(error, RuntimeError) and bool(_LOST.search(str(error)))
    )
