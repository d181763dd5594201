"""The list of recordings: many files at once, each with its progress and ways to retry or remove it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from mt3drum.files import SUFFIX
from mt3drum.web.jobs import Limits
from tests.mt3drum.web.browser import needs_chromium, serving, until
from tests.readers import check
from tests.review_stub import GROOVE, GROOVE_SECONDS, Stub, write_recording

pytestmark = [needs_chromium, pytest.mark.filterwarnings("ignore")]
DONE = "[...document.querySelectorAll('#jobs a')].length"


def files(sound: bytes, names: list[str]) -> list[dict[str, Any]]:
    return [{"name": name, "mimeType": "audio/flac", "buffer": sound} for name in names]


def test_more_files_than_the_server_takes_at_once(page: Any, tmp_path: Path, errors: list[str]) -> None:
    """All seven arrive, in order, though the server has room for two; a bad one can be retried or removed."""
    sound = write_recording(tmp_path / "a.flac").read_bytes()
    gate = threading.Event()
    stub = Stub()
    stub.on_file = lambda: gate.wait(60)
    with serving(stub, tmp_path / "work", Limits(waiting=2, uploads=1, bytes=2**20)) as address:
        page.goto(address)
        names = [f"{number}.flac" for number in range(7)]
        page.set_input_files("#files", files(sound, names))
        until(page, "document.querySelectorAll('#jobs li').length === 7")
        until(page, "[...document.querySelectorAll('.state')].some((s) => s.textContent.startsWith('being'))")
        states = page.locator("#jobs .state").all_text_contents()
        assert sum(state.startswith("waits to be sent") for state in states) >= 4
        page.locator("#jobs li", has_text="5.flac").get_by_role("button", name="Cancel").click()
        gate.set()
        until(page, f"{DONE} === 6")
        shown = page.locator("#jobs .name").all_text_contents()
        assert shown == [name for name in reversed(names) if name != "5.flac"]

        page.set_input_files(
            "#files", [*files(b"x" * 99, ["bad.flac"]), *files(bytes(2**20 + 1), ["big.wav"])]
        )
        until(page, "document.querySelectorAll('#jobs .bad').length === 2")
        assert "larger than 1 MiB" in page.locator("#jobs li", has_text="big.wav").text_content()
        bad = page.locator("#jobs li", has_text="bad.flac")
        bad.get_by_role("button", name="Retry").click()
        until(page, "document.querySelectorAll('#jobs .bad').length === 2")
        for name in ("bad.flac", "big.wav"):
            page.locator("#jobs li", has_text=name).get_by_role("button", name="Remove").click()
        until(page, "document.querySelectorAll('#jobs li').length === 6")
    assert [error for error in errors if "503" not in error] == []  # Chromium reports each answer of the kind


def test_the_list_downloads_and_asks_before_it_removes(page: Any, tmp_path: Path, errors: list[str]) -> None:
    sound = write_recording(tmp_path / "a.flac", GROOVE_SECONDS).read_bytes()
    with serving(Stub(GROOVE), tmp_path / "work") as address:
        page.goto(address)
        page.set_input_files("#files", files(sound, ["my song.flac"]))
        row = page.locator("#jobs li")
        row.locator("a").wait_for()
        with page.expect_download() as download:
            row.get_by_role("button", name="as MIDI").click()
        assert download.value.suggested_filename == "my song.mid"
        with page.expect_download() as download:
            row.locator("select").select_option("musicxml")
        path = tmp_path / "score.musicxml"
        download.value.save_as(path)
        assert download.value.suggested_filename == "my song" + SUFFIX["musicxml"]
        check("musicxml", path.read_bytes(), list(GROOVE))
        questions: list[str] = []
        answers = [False, True]

        def answer(dialog: Any) -> None:
            questions.append(dialog.message)
            dialog.accept() if answers.pop(0) else dialog.dismiss()

        page.on("dialog", answer)
        row.get_by_role("button", name="Remove").click()
        assert row.count() == 1
        row.get_by_role("button", name="Remove").click()
        until(page, "document.querySelectorAll('#jobs li').length === 0")
        assert len(questions) == 2 and "cannot be undone" in questions[0]
    assert errors == []


def test_a_server_that_is_away_is_tried_again(page: Any, tmp_path: Path) -> None:
    sound = write_recording(tmp_path / "a.flac").read_bytes()
    with serving(Stub(), tmp_path / "work") as address:
        page.goto(address)
        page.route("**/api/jobs?name=*", lambda route: route.abort())
        page.set_input_files("#files", files(sound, ["a.flac"]))
        until(page, "document.querySelector('#jobs .bad') !== null")
        assert "the server does not answer" in page.locator("#jobs li").text_content()
        page.unroute("**/api/jobs?name=*")
        page.get_by_role("button", name="Retry a.flac").click()
        page.locator("#jobs a").wait_for()
