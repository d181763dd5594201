"""The web app over real sockets: only on the loopback address, bounded in uploads at once and in time."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.review_stub import Stub

pytest.importorskip("starlette", reason="the extra 'web' is not installed")

from mt3drum.web import app
from mt3drum.web.jobs import Limits
from mt3drum.web.work import WorkFolder
from tests.processes import kill, start, wait

LIMITS = Limits(bytes=2**20, uploads=1, upload_seconds=1.0)
LISTEN = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def serve(port: int, folder: Path) -> int:
    """What `mt3drum serve` runs, with our limits."""
    app.make_app = partial(app.make_app, limits=LIMITS)
    work = WorkFolder(folder)
    with work.held():
        app.run(Stub(), port, work)
    return 0


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a server in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    said = tmp_path_factory.mktemp("serve") / "said"
    child = start(serve, said, number, tmp_path_factory.mktemp("work"))
    deadline = time.monotonic() + 60
    while not any(entry == number for _, entry in listening()):
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.05)
    yield number
    kill(child, signal.SIGINT)
    wait(child)


def listening() -> list[tuple[str, int]]:
    """Address and port of every listening socket of this machine, of both IP versions."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else ():
            _, local, _, state = line.split()[:4]
            if state == LISTEN:
                address, _, port = local.rpartition(":")
                found.append((address, int(port, 16)))
    return found


def begin_upload(port: int, announced: int, sent: bytes) -> socket.socket:
    """A request whose body is not all there yet."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    head = (
        f"POST /api/jobs?name=a.wav HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {announced}\r\n\r\n"
    )
    connection.sendall(head.encode() + sent)
    return connection


def status(connection: socket.socket) -> int:
    return int(connection.recv(65536).split()[1])


def test_only_this_machine_can_reach_it(port: int) -> None:
    assert [address for address, number in listening() if number == port] == ["0100007F"]  # 127.0.0.1


def test_an_upload_that_dawdles_is_ended_and_one_at_a_time_is_taken(port: int) -> None:
    slow = begin_upload(port, 1000, b"RIFF")
    time.sleep(0.3)
    with begin_upload(port, 4, b"RIFF") as other:
        assert status(other) == 503
    with slow:
        assert status(slow) == 408
    with begin_upload(port, 4, b"RIFF") as other:
        assert status(other) == 202


def test_what_says_it_is_too_large_is_refused_unread(port: int) -> None:
    with begin_upload(port, 2**20 + 1, b"") as connection:
        assert status(connection) == 413
