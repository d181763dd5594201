"""The static site in a real browser: beats, files and notation; works as files; what it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import wave
import zipfile
from pathlib import Path
from typing import Any

import pytest
import soundfile

from mt3drum.config import SAMPLE_RATE
from mt3drum.formats import write
from mt3drum.formats.options import ScoreOptions
from mt3drum.formats.read_json import read_json
from tests.mt3drum.web.browser import needs_chromium, on_page, saved, until
from tests.mt3drum.web.test_site import address, drop, folder, inaccessible, needs_npm  # noqa: F401
from tests.synthetic import recording
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi import read_midi

pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")
pytestmark = [needs_chromium, needs_npm]
OPEN = "window.app !== undefined && app.started"


@pytest.fixture
def take(page: Any, address: str, tmp_path: Path) -> Path:  # noqa: F811
    """A recording with a beat, transcribed: the page shows it."""
    file = tmp_path / "take one.flac"
    soundfile.write(file, recording(2, 12.0), SAMPLE_RATE)
    drop(page, address, file)
    until(page, OPEN)
    return file


def problem(page: Any) -> str:
    until(page, "document.querySelector('#problem').textContent !== ''")
    return str(page.locator("#problem").inner_text())


def test_beats_exports_notation_and_print(page: Any, take: Path, tmp_path: Path, errors: list[str]) -> None:
    """What the page writes is what `mt3drum convert` writes of its JSON."""
    score, grid = read_json(saved(page, "json", tmp_path))
    assert (
        grid is not None and f"{grid.bpm:.1f} bpm, {grid.meter}" == page.locator("#tempo-text").inner_text()
    )
    rendering = write.Rendering(score, "gm", ScoreOptions(beats=grid))
    expected = {name: tmp_path / f"expected.{name}" for name in ("musicxml", "tab", "chart", "midi")}
    assert not rendering.write(expected).missing
    for name in ("musicxml", "tab"):
        assert saved(page, name, tmp_path).read_bytes() == expected[name].read_bytes()
    with (
        zipfile.ZipFile(saved(page, "chart", tmp_path)) as made,
        zipfile.ZipFile(expected["chart"]) as right,
    ):
        assert {name: made.read(name) for name in made.namelist()} == {
            name: right.read(name) for name in right.namelist()
        }
    played, known = (
        read_midi(path, LABEL_MAPS["td17"]) for path in (saved(page, "midi", tmp_path), expected["midi"])
    )
    assert played.time_signatures == known.time_signatures
    assert [bpm for _, bpm in played.tempos] == pytest.approx([bpm for _, bpm in known.tempos], abs=0.01)
    page.select_option("#times", "16")
    path = saved(page, "midi", tmp_path)
    assert path.suffix == ".mid" and read_midi(path, LABEL_MAPS["td17"]).hits != played.hits
    page.keyboard.press("Escape")
    page.click("#notation-button")
    page.locator("#notation img").wait_for()
    assert page.evaluate("document.querySelector('#notation img').naturalWidth") > 300
    assert inaccessible(page) == []
    count = "document.querySelectorAll('#printed img').length"
    page.evaluate(f"() => {{ window.print = () => {{ window.printed = {count}; }}; }}")
    page.click("#export summary")
    page.click("#print")
    until(page, "window.printed > 0")
    page.emulate_media(media="print")
    assert page.locator("#printed img").first.is_visible() and not page.locator("#lanes").is_visible()
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    assert errors == []


def test_it_can_be_installed(page: Any, context: Any, address: str) -> None:  # noqa: F811
    page.goto(address)
    until(page, "navigator.serviceWorker.controller !== null")
    session = context.new_cdp_session(page)
    manifest = session.send("Page.getAppManifest")
    assert manifest["url"] == f"{address}manifest.webmanifest" and manifest["errors"] == []
    found = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert {error["errorId"] for error in found} <= {"in-incognito"}  # as every context of Playwright is


def test_beats_by_hand(page: Any, take: Path) -> None:
    assert not page.locator("#again").is_visible()  # needs a server
    page.click("#tempo summary")
    page.fill("#bpm", "77")
    page.select_option("#meter", "3/4")
    page.click("#find-beats")
    until(page, "document.querySelector('#tempo-text').textContent.endsWith('3/4')")
    assert 72 < page.evaluate("app.bars.tempo.bpm") < 82
    page.fill("#bpm", "7")
    page.click("#find-beats")
    assert problem(page) == "A tempo is between 20 and 500 beats a minute, not 7"


def test_a_work_is_saved_and_opened_again(
    page: Any,
    address: str,  # noqa: F811
    take: Path,
    tmp_path: Path,
    errors: list[str],
) -> None:
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Delete")
    hits, tempo = on_page(page), page.locator("#tempo-text").inner_text()
    file = saved(page, "work", tmp_path)
    assert file.name == "take one.mt3drum" and file.read_bytes().endswith(take.read_bytes())
    page.reload()
    until(page, OPEN)
    assert on_page(page) == hits  # kept across a reload
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(address)
    page.get_by_role("button", name="Remove").click()
    until(page, "document.querySelectorAll('#jobs li').length === 0")
    drop(page, address, file)
    until(page, OPEN)
    assert on_page(page) == hits and page.locator("#tempo-text").inner_text() == tempo
    assert page.locator("#title").inner_text() == take.name
    assert page.locator("#revert").is_enabled()
    drop(page, address, file)  # again: the user agrees to replace what is there
    until(page, OPEN)
    assert on_page(page) == hits and errors == []


def test_damaged_works_are_refused(page: Any, address: str, take: Path, tmp_path: Path) -> None:  # noqa: F811
    head, sound = saved(page, "work", tmp_path).read_bytes().split(b"\n", 1)
    values = json.loads(head)
    broken: dict[str, Any] = {
        "hits": {"result": values["result"] | {"hits": [[1.0, 99, 80, 0.5]]}},
        "beats": {"result": values["result"] | {"tempo": values["result"]["tempo"] | {"beats": [2, 1]}}},
        "spectrogram": {
            "result": values["result"] | {"spectrogram": {"levels": [{"step": 1, "tiles": ["<b>"]}]}}
        },
        "edits": {"edits": {"state": {"removed": ["x"], "changed": []}, "synced": {}}},
    }
    page.goto(address)
    for what, change in broken.items():
        file = tmp_path / f"{what}.mt3drum"
        file.write_bytes(json.dumps(values | change, separators=(",", ":")).encode() + b"\n" + sound)
        page.set_input_files("#files", file)
        until(page, f"document.querySelector('#problem').textContent.startsWith({file.name!r})")
        assert page.locator("#problem").inner_text() == f"{file.name}: the file is damaged: {what}"
    file.write_bytes(head[:200])
    page.set_input_files("#files", file)
    until(page, "document.querySelector('#problem').textContent.includes('does not end')")
    assert page.locator("#jobs li").count() == 1


def test_three_hours_are_too_long(page: Any, address: str, tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "rehearsal.wav"
    with wave.open(str(file), "wb") as target:
        target.setparams((1, 1, 3_000, 0, "NONE", ""))
        target.writeframes(b"\x80" * (3_000 * 3 * 3_600))
    drop(page, address, file)
    assert problem(page) == (
        "rehearsal.wav: 180 minutes are too long for a browser's memory. Cut it to 20 minutes, or use the "
        "command: mt3drum transcribe"
    )


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on this machine")
def test_a_video_without_sound(page: Any, address: str, tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "silent film.webm"
    source = ("-f", "lavfi", "-i", "color=red:size=64x64:duration=1")
    subprocess.run(["ffmpeg", "-loglevel", "error", *source, "-c:v", "libvpx", str(file)], check=True)
    drop(page, address, file)
    assert problem(page) == (
        "silent film.webm: a video without sound, or with sound that this browser cannot read. Convert its "
        "sound to WAV or MP3."
    )


def test_a_full_disk_is_told_and_loses_nothing(
    page: Any,
    address: str,  # noqa: F811
    take: Path,
    tmp_path: Path,
) -> None:
    hits = on_page(page)
    page.add_init_script(
        "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); }"
    )
    page.goto(address)
    other = tmp_path / "other.wav"
    soundfile.write(other, recording(4, 20.0), SAMPLE_RATE)
    page.set_input_files("#files", other)
    assert problem(page) == (
        "This browser has no room for the recording. Remove recordings from the list, or free space on the "
        "disk."
    )
    page.get_by_role("link", name=take.name).click()
    until(page, OPEN)
    assert on_page(page) == hits
