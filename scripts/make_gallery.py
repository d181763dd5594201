"""The README's pictures of what comes out: one rendered clip, transcribed by a checkpoint, in every form.

    python scripts/make_gallery.py --kit $DATA/kits/pearl-master-studio

Writes docs/images/review.png (desktop), review_phone.png (phone, dark), score.png (the MusicXML as verovio
prints it), sheet.png (the SVG with stickings), chart.png (the Clone Hero chart, drawn from its notes.chart),
compare.png (the page beside the score that was played), serve.png (the list of recordings), again.png (bars
about to be transcribed again) and the tab in README.md. Needs Chromium and the `dev` extra. The clip is that
of `make_figures.py`, its groove played twice.
"""

from __future__ import annotations

import argparse
import functools
import io
import shutil
import socket
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import soundfile
from PIL import Image

from mt3drum import Transcriber
from mt3drum.config import SAMPLE_RATE
from mt3drum.files import SUFFIX
from mt3drum.formats import write
from mt3drum.formats.chart import RESOLUTION
from mt3drum.formats.options import ScoreOptions
from mt3drum.web.app import make_app
from mt3drum.web.page import write_page
from mt3drum.web.work import WorkFolder
from scripts.make_figures import GROOVE, render
from scripts.pages.doc_block import replace_block
from tokenizer.hits import Hit
from tokenizer.midi import write_midi

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
TAB_ROWS = 1  # of the tab, in the README
MAX_BYTES = 150_000
PAGE: dict[str, Any] = {"viewport": {"width": 1280, "height": 730}, "color_scheme": "light"}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
SCORE = {
    "pageWidth": 2300,
    "pageHeight": 900,
    "scale": 42,
    "adjustPageHeight": True,
    "footer": "none",
    "smuflTextFont": "embedded",
}
# Of a chart's codes: lane by colour; 32: the second pedal's kick; from 66 on: the lane's note is a cymbal.
COLOURS = {1: "#d7263d", 2: "#f0b429", 3: "#2f7ed8", 4: "#3a9d4a"}


def small(png: bytes) -> bytes:
    """With 256 colours, which are enough here and halve the file; an octree keeps the rare bright ones.

    Raises:
        ValueError: it is still larger than `MAX_BYTES`.
    """
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    few = picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    target = io.BytesIO()
    few.save(target, "PNG", optimize=True)
    if len(target.getvalue()) > MAX_BYTES:
        raise ValueError(f"a picture has {len(target.getvalue())} bytes, at most {MAX_BYTES} are allowed")
    return target.getvalue()


def review(browser: Any, page_file: Path, screen: dict[str, Any]) -> bytes:
    """The review page with its least certain hit chosen."""
    page = browser.new_page(**screen)
    page.goto(page_file.as_uri(), timeout=120_000)
    while not page.evaluate("app.view.tiles.tile(0, 0) !== null"):
        page.wait_for_timeout(50)
    page.keyboard.press("u")
    page.wait_for_timeout(500)
    shot: bytes = page.screenshot()
    page.close()
    return shot


def compared(browser: Any, page_file: Path, truth: Sequence[Hit]) -> bytes:
    """The review page beside the hits that were played, with the menu open."""
    page = browser.new_page(**PAGE)
    page.goto(page_file.as_uri(), timeout=120_000)
    reference = page_file.with_name("played.mid")
    write_midi(truth, reference, notes="td17")
    page.click("#compare summary")
    page.select_option("#reference-notes", "td17")
    page.set_input_files("#reference", reference)
    page.wait_for_timeout(800)
    shot: bytes = page.screenshot()
    page.close()
    return shot


def served_pages(browser: Any, transcriber: Transcriber, sound: Path) -> dict[str, bytes]:
    """Pages of `mt3drum serve`: the list of recordings, and a score with the menu of a part open."""
    page = browser.new_page(**PAGE)
    with served(transcriber, sound.parent / "work") as address:
        page.goto(address)
        page.set_input_files("#files", sound)
        page.locator("#jobs a").wait_for(timeout=120_000)
        recordings: bytes = page.screenshot(clip={"x": 190, "y": 0, "width": 900, "height": 330})
        page.click("#jobs a")
        page.wait_for_selector("#again", timeout=120_000)
        page.evaluate("app.setLoop([1, 2].map((bar) => app.bars.timeAt(bar * app.bars.tempo.per_bar)))")
        page.click("#again summary")
        page.select_option("#again-search", "4")
        page.wait_for_timeout(800)
        part: bytes = page.screenshot()
        page.close()
    return {"serve.png": recordings, "again.png": part}


@contextmanager
def served(transcriber: Transcriber, folder: Path) -> Iterator[str]:
    """The address of the web app."""
    import uvicorn

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    work = WorkFolder(folder)
    with work.held():
        app = make_app(transcriber, port, work)
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = server.force_exit = True
            thread.join(timeout=30)


def score(browser: Any, musicxml: str) -> bytes:
    """The first page of the notation."""
    import verovio

    toolkit = verovio.toolkit()
    toolkit.setOptions(SCORE)
    if not toolkit.loadData(musicxml):
        raise ValueError("verovio does not read the MusicXML")
    page = browser.new_page(viewport={"width": 1000, "height": 420})
    page.set_content(f"<body style='margin:0;background:white'>{toolkit.renderToSVG(1)}</body>")
    page.wait_for_timeout(300)
    shot: bytes = page.locator("svg").first.screenshot()
    page.close()
    return shot


def sheet(browser: Any, svg: Path) -> bytes:
    """The picture of `--format svg`."""
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    page.goto(svg.as_uri())
    page.wait_for_timeout(300)
    shot: bytes = page.locator("svg").first.screenshot()
    page.close()
    return shot


def chart(text: str, beats: int = 8) -> bytes:
    """The first beats of the Expert drums of a notes.chart: a player's highway, laid on its side."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = text.split("[ExpertDrums]")[1].split("}")[0].splitlines()
    codes: dict[int, set[int]] = {}
    for line in lines:
        if " = N " in line:
            place, note = line.split(" = N ")
            codes.setdefault(int(place), set()).add(int(note.split()[0]))
    start = min(codes) // RESOLUTION
    figure, axes = plt.subplots(figsize=(10, 2.3), layout="constrained", facecolor="#15181d")
    axes.set_facecolor("#20242b")
    for tick, here in codes.items():
        beat = tick / RESOLUTION - start
        if beat > beats:
            continue
        if here & {0, 32}:
            axes.plot([beat, beat], [0.45, 4.55], color="#f28c28" if 0 in here else "#b45cf2", lw=4, zorder=1)
        for lane, colour in COLOURS.items():
            if lane not in here:
                continue
            cymbal = 64 + lane in here
            size = 300 if 33 + lane in here else 90 if 39 + lane in here else 190  # accent, ghost note
            axes.scatter(
                beat,
                lane,
                s=size,
                marker="^" if cymbal else "s",
                color=colour,
                edgecolors="white",
                linewidths=1.4,
                zorder=2,
            )
    for beat in range(beats + 1):
        axes.axvline(beat, color="#59616c", lw=1.6 if beat % 4 == 0 else 0.6, zorder=0)
    axes.set(xlim=(-0.3, beats + 0.2), ylim=(0.3, 4.7), yticks=list(COLOURS))
    axes.set_yticklabels(["red", "yellow", "blue", "green"], color="#d5d9de")
    axes.set_xticks(range(0, beats + 1, 4), [f"beat {beat + 1}" for beat in range(0, beats + 1, 4)])
    axes.tick_params(colors="#d5d9de", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=100)
    plt.close(figure)
    return target.getvalue()


def tab_block(text: str) -> str:
    """The heading, the first rows and the legend of a tab, for the README."""
    parts = text.rstrip("\n").split("\n\n")
    return "\n".join(["```", "\n\n".join([parts[0], *parts[1 : 1 + TAB_ROWS], parts[-1]]), "```\n"])


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, help="default: the bundled one")
    parser.add_argument("--kit", type=Path, metavar="DIR", help="a sampled kit (default: a synthesised one)")
    parser.add_argument(
        "--only", default="", metavar="F,F", help="pictures to make (default: all, and the tab)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of kit, room and band (default: 0)")
    parser.add_argument("--output", type=Path, default=IMAGES, help="folder (default: docs/images)")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md", help="default: README.md")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    args = parse_args(arguments)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("make_gallery: no chromium on this machine (Debian: apt-get install chromium)", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    try:
        transcriber, images = Transcriber.load(args.checkpoint), args.output
        twice = {name: f"{bars}|{bars}" for name, bars in GROOVE.items()}
        audio, truth = render(args.seed, args.kit, twice)
        with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
            folder = Path(name)
            soundfile.write(folder / "song.flac", audio, SAMPLE_RATE)
            result = transcriber.transcribe_file(folder / "song.flac")
            write.write(result, folder / "song", ("musicxml", "tab", "chart"))
            write.write(result, folder / "song", ("svg",), "gm", ScoreOptions(stickings="right"))
            write_page(result, folder / "song.flac", folder / "song.html")
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS, timeout=120_000)
            with zipfile.ZipFile(folder / f"song{SUFFIX['chart']}") as archive:
                notes = archive.read("song/notes.chart").decode()
            pages = functools.cache(lambda: served_pages(browser, transcriber, folder / "song.flac"))
            pictures: dict[str, Callable[[], bytes]] = {
                "review.png": lambda: review(browser, folder / "song.html", PAGE),
                "review_phone.png": lambda: review(browser, folder / "song.html", PHONE),
                "score.png": lambda: score(browser, (folder / "song.musicxml").read_text("utf-8")),
                "sheet.png": lambda: sheet(browser, folder / "song.svg"),
                "chart.png": lambda: chart(notes),
                "compare.png": lambda: compared(browser, folder / "song.html", truth),
                "serve.png": lambda: pages()["serve.png"],
                "again.png": lambda: pages()["again.png"],
            }
            if args.only:
                pictures = {file: pictures[file] for file in args.only.split(",")}
            for file, draw in pictures.items():
                (images / file).write_bytes(small(draw()))
            browser.close()
            tab = (folder / f"song{SUFFIX['tab']}").read_text("utf-8")
        if not args.only:
            replace_block(args.readme, "tab", tab_block(tab))
    except (ValueError, OSError) as error:
        print(f"make_gallery: {error}", file=sys.stderr)
        return 1
    counts = f"{len(truth)} strokes played, {len(result.hits)} heard"
    print(f"wrote {', '.join(pictures)}{'' if args.only else f' and {args.readme}'}: {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
