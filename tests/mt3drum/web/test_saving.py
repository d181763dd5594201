"""Files that take long to write: in sight while they are written, then saved; errors stay to be read."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mt3drum.formats import write
from tests.mt3drum.web.browser import needs_chromium, opened, saved, serving, until
from tests.review_stub import GROOVE, GROOVE_SECONDS, Stub, write_recording

pytestmark = [needs_chromium, pytest.mark.filterwarnings("ignore")]
BUSY = "document.querySelector('button[data-format=tab]').ariaBusy"


def sent(page: Any, address: str, recording: Path) -> None:
    """Go to the list, send a recording, wait until it is transcribed."""
    page.goto(address)
    page.set_input_files("#files", str(write_recording(recording, GROOVE_SECONDS)))
    page.locator("#jobs a").wait_for()


def before_writing(monkeypatch: pytest.MonkeyPatch, first: Callable[[], object]) -> None:
    """Let the server do something before it writes a file."""
    real = write.write

    def slow(*args: Any) -> list[Path]:
        first()
        return real(*args)

    monkeypatch.setattr(write, "write", slow)


def test_what_is_being_written_is_shown_and_then_saved(
    page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, asked = threading.Event(), Counter[str]()

    def waits() -> None:
        asked["files"] += 1
        go.wait(60)

    before_writing(monkeypatch, waits)
    with serving(Stub(GROOVE), tmp_path / "work") as address:
        sent(page, address, tmp_path / "a.flac")
        opened(page, address + page.locator("#jobs a").get_attribute("href"))
        page.click("#export summary")
        with page.expect_download() as download:
            page.click("button[data-format=tab]")
            until(page, f"{BUSY} === 'true'")
            assert page.locator("#live").text_content() == f"Writing {len(GROOVE)} hits as tab …"
            words = "getComputedStyle(document.querySelector('button[data-format=tab]'), '::after').content"
            assert "writing" in page.evaluate(words)
            page.click("button[data-format=tab]")  # is already being written
            go.set()
        assert download.value.suggested_filename == "a.tab.txt"
        until(page, f"{BUSY} === 'false'")
        assert page.locator("#live").text_content() == f"Saved {len(GROOVE)} hits as tab"
        assert asked["files"] == 1


def test_what_cannot_be_written_is_said(page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError("the disk is full")

    before_writing(monkeypatch, full)
    problem = page.locator("#problem")
    with serving(Stub(GROOVE), tmp_path / "work") as address:
        sent(page, address, tmp_path / "a.flac")
        row = page.locator("#jobs li")
        row.locator("select").select_option("tab")
        until(page, "document.querySelector('#problem').textContent !== ''")
        with page.expect_response("**/api/jobs"):  # the list is asked for again
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_timeout(100)
        assert problem.text_content() == "a.flac: cannot be written as tab: the disk is full"
        page.route("**/export/*", lambda route: route.abort())
        row.get_by_role("button", name="as MIDI").click()
        until(page, "document.querySelector('#problem').textContent.includes('does not answer')")
        page.unroute("**/export/*")

        opened(page, address + page.locator("#jobs a").get_attribute("href"))
        page.click("#export summary")
        page.click("button[data-format=tab]")
        until(page, "document.querySelector('#problem').textContent !== ''")
        assert problem.text_content() == "cannot be written as tab: the disk is full"
        assert page.evaluate(BUSY) == "false" and page.locator("#live").text_content() == ""
        monkeypatch.undo()
        page.evaluate("() => { Response.prototype.blob = () => Promise.reject(new TypeError()); }")
        page.click("button[data-format=tab]")
        until(page, "document.querySelector('#problem').textContent.includes('before the file was complete')")


@pytest.mark.parametrize("width", [1280, 1000, 860])
def test_nothing_moves_when_edits_are_saved(page: Any, rock: Path, width: int) -> None:
    """A click whose press and release see the menu at two places is lost."""
    page.set_viewport_size({"width": width, "height": 720})
    opened(page, rock)
    page.click("#export summary")
    places = [
        page.evaluate(
            """(text) => {
              app.onKept(text, true);
              const { x, y } = document.querySelector("button[data-format=csv]").getBoundingClientRect();
              return [x, y];
            }""",
            text,
        )
        for text in ("", "saving …", "saved", "kept in this browser")
    ]
    assert places == [places[0]] * 4


@pytest.mark.slow
def test_a_file_that_takes_twenty_seconds_arrives(
    page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chromium counts a download as asked for by the user up to 5 s after the click."""
    before_writing(monkeypatch, lambda: time.sleep(20))
    with serving(Stub(GROOVE), tmp_path / "work") as address:
        sent(page, address, tmp_path / "a.flac")
        opened(page, address + page.locator("#jobs a").get_attribute("href"))
        for name in ("jams", "tab"):
            assert saved(page, name, tmp_path).stat().st_size
