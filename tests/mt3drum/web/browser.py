"""What the tests in a real browser share: Chromium, pages, and ways about the review page."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mt3drum.web.jobs import Limits
from mt3drum.web.work import WorkFolder
from tests.review_stub import Stub
from tokenizer.hits import Hit

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium binary on this machine (Debian: apt-get install chromium)"
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60_000  # milliseconds: machines that run tests are shared


def opened(page: Any, address: Path | str) -> None:
    """Go to a review page and wait until what was kept of it is shown."""
    page.goto(address.as_uri() if isinstance(address, Path) else address)
    until(page, "window.app !== undefined && app.started")


def until(page: Any, condition: str) -> None:
    """`page.wait_for_function` evaluates text inside the page, which the page's policy forbids."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(20)


def saved(page: Any, name: str, folder: Path) -> Path:
    """The file that a button of the Export menu gives, however long the page says it is being written."""
    files: list[Any] = []
    page.once("download", lambda download: files.append(download))
    if not page.locator("#formats").is_visible():
        page.click("#export summary")
    page.click(f"button[data-format={name}]")
    while page.evaluate(f"document.querySelector('button[data-format={name}]').ariaBusy") == "true":
        page.wait_for_timeout(50)
    end = time.monotonic() + PATIENCE / 1000
    while not files:
        said = [page.locator(part).text_content() for part in ("#problem", "#live")]
        assert not said[0] and time.monotonic() < end, f"no {name} file; the page says {said}"
        page.wait_for_timeout(20)
    path = folder / files[0].suggested_filename
    files[0].save_as(path)
    return path


def on_page(page: Any) -> list[Hit]:
    """The hits that are shown, but for candidates."""
    rows = page.evaluate("app.score.visible().map((h) => [h.time, h.drum, h.velocity, h.confidence])")
    return [Hit(*row) for row in rows]


def place(page: Any, hit: Hit) -> tuple[float, float]:
    """Where the lane and the time of a hit are, in the window."""
    box = page.locator("#lanes").bounding_box()
    x, y = page.evaluate(f"[app.view.x({hit.time}), app.view.y({hit.drum})]")
    return box["x"] + x, box["y"] + y


def frames(page: Any, count: int = 2) -> None:
    """Wait until what has changed is drawn."""
    page.evaluate(f"""async () => {{
      for (let i = 0; i < {count}; i++) await new Promise(requestAnimationFrame);
    }}""")


@contextmanager
def serving(stub: Stub, folder: Path, limits: Limits | None = None, port: int = 0) -> Iterator[str]:
    """The web app over a work folder, on a port of its own; gives its address."""
    uvicorn = pytest.importorskip("uvicorn", reason="the extra 'web' is not installed")
    from mt3drum.web.app import make_app

    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))
        port = free.getsockname()[1]
    work = WorkFolder(folder)
    with work.held():
        app = make_app(stub, port, work, limits)
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            server.force_exit = True  # a browser keeps its connections open
            thread.join(timeout=30)
