"""Measure the static site in Chromium: seconds for a song, bytes, memory, stalls; and take its picture.

    python scripts/browser_report.py --docs docs/browser.md

The song is the demo clip, repeated for three minutes. First visit: nothing is kept, and there is one thread
where the page is not isolated yet. Later: all is kept; the song is removed and dropped again. Needs Chromium,
npm and the `dev` extra.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile

from mt3drum.files import write_whole
from mt3drum.model.checkpoint import bundled
from mt3drum.web.site import NoPackages, write_site
from scripts.build_site import ready
from scripts.make_gallery import FLAGS, PAGE, small
from scripts.pages.doc_block import replace_block

ROOT = Path(__file__).resolve().parent.parent
BLOCK = "browser"
PICTURE = ROOT / "docs" / "images" / "browser.png"
SECONDS = 180
# Tasks of the main thread of 50 ms and more: [began, duration] in milliseconds.
WATCH = """
window.stalls = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) stalls.push([entry.startTime, entry.duration]);
}).observe({ type: "longtask", buffered: true });
"""
LONGEST = "Math.max(0, ...stalls.filter(([at]) => {}).map((one) => one[1]))"
STATE = """[window.app ? app.score.hits.length : 0, Boolean(window.app && app.started),
  document.querySelector("#problem").textContent]"""


class _Counting(http.server.SimpleHTTPRequestHandler):
    """Counts the bytes of the bodies that are sent."""

    sent = 0

    def copyfile(self, source: Any, outputfile: Any) -> None:
        _Counting.sent += os.fstat(source.fileno()).st_size
        super().copyfile(source, outputfile)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder."""
    handler = functools.partial(_Counting, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


def song(path: Path, seconds: int) -> None:
    """The demo clip again and again."""
    clip = resources.files("mt3drum") / "assets" / "demo.ogg"
    with clip.open("rb") as file:
        audio, rate = soundfile.read(file, always_2d=True)
    soundfile.write(path, np.tile(audio, (-(-seconds * rate // len(audio)), 1))[: seconds * rate], rate)


def renderers() -> tuple[int, float]:
    """Of the browser's pages, workers and threads: bytes of the largest process, processor seconds of all."""
    most, spent = 0, 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            if "--type=renderer" in process.cmdline():
                most = max(most, process.memory_info().rss)
                spent += process.cpu_times().user + process.cpu_times().system
        except psutil.Error:
            continue  # it has ended meanwhile
    return most, spent


def transcribed(page: Any, address: str, file: Path) -> dict[str, Any]:
    """Drop a song and wait for its last hit."""
    page.goto(address)
    page.wait_for_timeout(500)
    began, before = time.monotonic(), renderers()[1]
    page.set_input_files("#files", file)
    page.wait_for_url("**/review.html*")
    first, peak, since, spent = None, 0, 0.0, before
    while True:
        hits, done, problem = page.evaluate(STATE)
        if problem:
            raise RuntimeError(problem)
        now, spent = renderers()
        peak = max(peak, now)
        if hits and first is None:
            first, since = time.monotonic() - began, page.evaluate("performance.now()")
        if done:
            break
        page.wait_for_timeout(200)
    seconds = time.monotonic() - began
    threads = page.evaluate("document.body.dataset.threads")
    return {
        "first": first,
        "seconds": seconds,
        "peak": peak,
        "threads": threads,
        "hits": hits,
        "spent": spent - before,
        "opening": page.evaluate(LONGEST.format(f"at < {since}")),
        "decoding": page.evaluate(LONGEST.format(f"at >= {since}")),
    }


def measure(browser: Any, address: str, file: Path) -> dict[str, dict[str, Any]]:
    """First visit, and again with all files kept; the picture on the way."""
    context = browser.new_context(**PAGE)
    context.add_init_script(WATCH)
    context.set_default_timeout(600_000)
    page = context.new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    _Counting.sent = 0
    found = {"cold": transcribed(page, address, file)}
    page.goto(address)
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    found["cold"]["bytes"] = _Counting.sent
    remove = page.get_by_role("button", name="Remove")
    remove.click()
    remove.wait_for(state="detached")  # or the second visit would find the song done
    _Counting.sent = 0
    found["warm"] = {**transcribed(page, address, file), "bytes": _Counting.sent}
    page.wait_for_timeout(1_000)
    write_whole(PICTURE, small(page.screenshot()))
    context.close()
    return found


def stall(milliseconds: float) -> str:
    """Browsers tell of tasks of 50 ms and more."""
    return f"{milliseconds:.0f}" if milliseconds else "under 50"


def table(found: dict[str, dict[str, Any]], seconds: int) -> str:
    """Markdown."""
    rows = {
        "seconds to the first hits": lambda each: f"{each['first']:.1f}",
        f"seconds for the song ({seconds} s)": lambda each: f"{each['seconds']:.1f}",
        "processor seconds of the page, its worker and threads": lambda each: f"{each['spent']:.1f}",
        "threads": lambda each: each["threads"],
        "MB from the server": lambda each: f"{each['bytes'] / 1e6:.1f}",
        "peak memory of the page, MB": lambda each: f"{each['peak'] / 1e6:.0f}",
        "longest task of the main thread until the first hits, ms": lambda each: stall(each["opening"]),
        "and after, while the rest is decoded, ms": lambda each: stall(each["decoding"]),
        "hits": lambda each: str(each["hits"]),
    }
    lines = ["| | first visit | later |", "|---|---:|---:|"]
    lines += [f"| {name} | {row(found['cold'])} | {row(found['warm'])} |" for name, row in rows.items()]
    load = f"{os.getloadavg()[0]:.1f}"
    lines.append(f"\nOn {os.cpu_count()} processor cores at a load of {load} when it ended.")
    return "\n".join(lines)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure the static site in Chromium.")
    parser.add_argument(
        "--seconds", type=int, default=SECONDS, metavar="N", help=f"of the song (default: {SECONDS})"
    )
    parser.add_argument("--docs", type=Path, metavar="PAGE", help="write the table there")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    args = parse(arguments)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("error: no Chromium on this machine", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder, file = Path(scratch) / "site", Path(scratch) / "demo.flac"
        song(file, args.seconds)
        try:
            write_site(bundled(), folder, ready())
        except (NoPackages, ImportError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        with served(folder) as address:
            text = table(measure(browser, address, file), args.seconds)
        browser.close()
    print(text)
    if args.docs is not None:
        replace_block(args.docs, BLOCK, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
