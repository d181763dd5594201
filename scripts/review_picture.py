"""The picture in docs/review.md: a clip of synthesised drums, its review page, a screenshot of it."""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from data.patterns import generate
from data.render import render_drums
from data.synth import synthesise_kit
from mt3drum.config import SAMPLE_RATE
from mt3drum.review import write_page
from mt3drum.transcribe import Transcription

SECONDS = 24.0
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


def write_example(folder: Path, seed: int) -> Path:
    """A rendered clip and its page, the hits as played with drawn confidences; returns the page."""
    rng = np.random.default_rng(seed)
    clip = render_drums(generate(rng, SECONDS).hits, [synthesise_kit(rng)], rng, SECONDS)
    recording = folder / "song.flac"
    soundfile.write(recording, clip.audio, SAMPLE_RATE)
    drawn = rng.beta(4, 1.2, len(clip.hits))
    hits = tuple(replace(hit, confidence=float(p)) for hit, p in zip(clip.hits, drawn, strict=True))
    page = folder / "take.html"
    write_page(Transcription(hits, SECONDS, recording), recording, page)
    return page


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path, help="PNG file")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("error: no chromium on this machine (Debian: apt-get install chromium)", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = write_example(Path(folder), args.seed)
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS, timeout=120_000)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(page_file.as_uri(), timeout=120_000)
        while not page.evaluate("app.view.tile(0) !== null"):
            page.wait_for_timeout(50)
        page.keyboard.press("u")
        page.wait_for_timeout(500)
        shot = page.screenshot()
        browser.close()
    # 256 colours are enough for the page, and halve the file; an octree keeps the rare bright ones.
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    few = picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(args.picture, "PNG", optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
