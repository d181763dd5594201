"""Chromium and pages for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mt3drum.transcriber import Transcription
from mt3drum.web.page import write_page
from tests.mt3drum.web.browser import CHROMIUM, FLAGS, PATIENCE
from tests.review_stub import CANDIDATES, GROOVE, GROOVE_SECONDS, HITS, SECONDS, write_recording


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE)
        yield chromium
        chromium.close()


@pytest.fixture
def errors() -> list[str]:
    """What a page complained of; the policy's refusals among them."""
    return []


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """Windows that share what the browser keeps."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def page(context: Any, errors: list[str]) -> Any:
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    return page


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A review page of eight hits without a beat."""
    folder = tmp_path_factory.mktemp("browser")
    recording = write_recording(folder / "take.flac")
    write_page(Transcription(HITS, SECONDS, recording), recording, folder / "take.html")
    return folder / "take.html"


@pytest.fixture(scope="session")
def rock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a groove with steady beats, and two candidates."""
    folder = tmp_path_factory.mktemp("rock")
    recording = write_recording(folder / "rock.flac", GROOVE_SECONDS)
    result = Transcription(GROOVE, GROOVE_SECONDS, recording, candidates=CANDIDATES)
    write_page(result, recording, folder / "rock.html")
    return folder / "rock.html"
