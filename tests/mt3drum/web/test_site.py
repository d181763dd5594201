"""The static site in a real browser: drop, watch, correct, export; without a network; what it refuses."""

from __future__ import annotations

import functools
import http.server
import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mt3drum.config import SAMPLE_RATE
from mt3drum.model.checkpoint import bundled
from mt3drum.transcriber import Transcriber
from scripts import build_site
from tests.mt3drum.web.browser import needs_chromium, on_page, saved, until
from tests.mt3drum.web.test_golden import fetched
from tests.synthetic import recording
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi import read_midi

pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="no npm on this machine (nodejs.org)")
pytestmark = [needs_chromium, needs_npm]
SECONDS = 4.0
ISOLATED = "crossOriginIsolated"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mt3drum.web.site import write_site

    folder = tmp_path_factory.mktemp("site")
    assert write_site(bundled(), folder, fetched()) < 20e6  # what a visitor fetches
    return folder


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    """Where the site is served by any web server."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def drop(page: Any, address: str, file: Path) -> None:
    page.goto(address)
    page.set_input_files("#files", file)
    page.wait_for_url("**/review.html*")


def inaccessible(page: Any) -> list[Any]:
    """Violations of accessibility that axe-core finds: rule and elements."""
    axe = fetched() / "node_modules" / "axe-core" / "axe.min.js"
    page.evaluate(f"{axe.read_text(encoding='utf-8')}; null")
    found: list[Any] = page.evaluate(
        "axe.run().then((found) => found.violations.map(({ id, nodes }) => [id, nodes.map((n) => n.html)]))"
    )
    return found


def test_from_drop_to_export_and_without_a_network(
    page: Any, context: Any, address: str, tmp_path: Path, errors: list[str]
) -> None:
    file = tmp_path / "take <b>.wav"
    soundfile.write(file, recording(3, SECONDS), SAMPLE_RATE, subtype="PCM_16")
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    until(page, "navigator.serviceWorker.controller !== null")
    drop(page, address, file)
    until(page, "window.app !== undefined && app.started")
    assert page.evaluate(ISOLATED)  # the service worker's doing: threads are allowed
    expected = Transcriber.load(device="cpu", precision="float32").transcribe_file(file)
    hits = on_page(page)
    assert len(hits) > 10
    assert [hit.drum for hit in hits] == [hit.drum for hit in expected.hits]
    for name, most in (("time", 0.001), ("velocity", 1), ("confidence", 1e-3)):
        ours, theirs = ([getattr(hit, name) for hit in each] for each in (hits, expected.hits))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=most)
    assert page.locator("#title").text_content() == file.name
    until(page, "app.view.tiles.tile(0, 0) !== null")  # the spectrogram is decoded
    assert inaccessible(page) == []
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Delete")
    assert len(on_page(page)) == len(hits) - 1
    midi = read_midi(saved(page, "midi", tmp_path), LABEL_MAPS["td17"])
    assert len(midi.hits) > 10
    assert len(json.loads(saved(page, "json", tmp_path).read_text(encoding="utf-8"))["hits"]) == len(hits) - 1

    context.set_offline(True)
    page.goto(address)
    assert f"{len(hits)} hits" in page.locator("#jobs").inner_text()
    assert inaccessible(page) == []
    page.get_by_role("link", name=file.name).click()
    until(page, "window.app !== undefined && app.started")
    assert len(on_page(page)) == len(hits) - 1  # edits were kept
    page.click("#undo") if page.locator("#undo").is_enabled() else page.click("#revert")
    assert len(on_page(page)) == len(hits)
    context.set_offline(False)
    _extend(page, len(hits))
    assert asked and all(re.match(rf"{address}|blob:|data:", url) for url in asked)
    assert errors == []


def _extend(page: Any, count: int) -> None:
    """As the worker sends hits: their ids are those of the final order, and nothing is edited meanwhile."""
    page.evaluate("app.score.locked = true")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Delete")
    assert len(on_page(page)) == count
    assert "still being transcribed" in page.locator("#live").inner_text()
    size = page.evaluate("app.score.originals.size")
    page.evaluate("app.score.extend([[1.23456, 0, 99, 0.5]])")
    assert page.evaluate(f"app.score.byId({size}).time") == 1.23456
    assert len(on_page(page)) == count + 1


def test_what_cannot_be_transcribed_is_one_line(page: Any, address: str, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("text.mp3", "silent.wav", "long.wav", "empty.wav")}
    files["text.mp3"].write_text("not sound " * 100, encoding="utf-8")
    soundfile.write(files["silent.wav"], np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    soundfile.write(files["long.wav"], np.zeros(8_000 * 60 * 21, np.float32), 8_000, subtype="PCM_U8")
    files["empty.wav"].touch()
    for name, line in {
        "text.mp3": "text.mp3: no sound in it that this browser can read. Convert it to WAV, FLAC or MP3.",
        "long.wav": "long.wav: 21 minutes are too long for a browser's memory. Cut it to 20 minutes, or use "
        "the command: mt3drum transcribe",
    }.items():
        drop(page, address, files[name])
        until(page, "document.querySelector('#problem').textContent !== ''")
        assert page.locator("#problem").inner_text() == line
    drop(page, address, files["silent.wav"])
    until(page, "window.app !== undefined && app.started")
    assert page.locator("#warnings").inner_text() == "silent.wav: the recording is silent"
    assert page.locator("#count").text_content() == "0 hits"
    page.goto(address)
    page.set_input_files("#files", files["empty.wav"])
    until(page, "document.querySelector('#problem').textContent !== ''")
    assert page.locator("#problem").inner_text() == "empty.wav: the file is empty"


def test_record(page: Any, address: str) -> None:
    """A tone in the place of the microphone; without one it is a line."""
    page.goto(address)
    page.click("#record")
    until(page, "document.querySelector('#problem').textContent !== ''")
    assert re.search("microphone", page.locator("#problem").inner_text())
    page.evaluate("""() => {
      const context = new AudioContext();
      const [tone, target] = [context.createOscillator(), context.createMediaStreamDestination()];
      tone.connect(target);
      tone.start();
      navigator.mediaDevices.getUserMedia = async ({ audio }) => (window.asked = audio) && target.stream;
    }""")
    page.click("#record")
    until(page, "document.querySelector('#live').textContent === 'Recording: 1 s'")
    assert page.evaluate("asked.noiseSuppression") is False
    page.click("#record")
    page.wait_for_url("**/review.html*")
    until(page, "window.app !== undefined && app.started")
    assert 0.5 < page.evaluate("app.score.seconds") < 10
    assert page.locator("#title").inner_text().startswith("Recording 20")


def test_browsers_that_cannot_are_told(page: Any, address: str) -> None:
    page.add_init_script("WebAssembly.validate = () => false")
    page.goto(address)
    assert "no WebAssembly SIMD" in page.locator("#problem").inner_text()
    assert page.locator("#files").is_disabled()


def test_the_licences_name_every_package(folder: Path) -> None:
    wanted = json.loads((build_site.BUNDLE.parent / "package.json").read_text(encoding="utf-8"))
    text = (folder / "licences.txt").read_text(encoding="utf-8")
    assert wanted["dependencies"] and all(f"\n{name} (" in text for name in wanted["dependencies"])
