"""Written notation on the page of the web app: the bars at the cursor, of the hits as they are now."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mt3drum.web.notation import bars_svg
from tests.mt3drum.web.browser import needs_chromium, opened, serving, until
from tests.review_stub import GROOVE, GROOVE_SECONDS, Stub, write_recording

pytest.importorskip("verovio", reason="verovio is not installed")


def musicxml(numbers: list[int]) -> str:
    """A whole note a bar."""
    note = (
        "<note><pitch><step>C</step><octave>5</octave></pitch><duration>4</duration><type>whole</type></note>"
    )
    time = "<time><beats>4</beats><beat-type>4</beat-type></time>"
    attributes = f"<attributes><divisions>1</divisions>{time}</attributes>"
    bars = "".join(
        f'<measure number="{number}">{attributes if number == numbers[0] else ""}{note}</measure>'
        for number in numbers
    )
    return (
        '<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>D</part-name></score-part>'
        f'</part-list><part id="P1">{bars}</part></score-partwise>'
    )


@pytest.mark.parametrize(
    ("bar", "bars", "first", "count"), [(1, 4, 3, 4), (5, 2, 5, 2), (99, 4, 9, 4), (3, 16, 3, 10)]
)
def test_the_bars_asked_for_or_the_nearest(bar: int, bars: int, first: int, count: int) -> None:
    """Notation may begin at a later bar than the first: numbers count, not places."""
    svg, number = bars_svg(musicxml(list(range(3, 13))), bar, bars)
    assert number == first
    assert len(re.findall(r'class="measure"', svg)) == count
    with pytest.raises(ValueError, match="no bars"):
        bars_svg("<score-partwise/>", 1, 1)


def test_any_thread_of_the_server_can_write_it() -> None:
    with ThreadPoolExecutor(3) as threads:
        drawn = list(threads.map(lambda bar: bars_svg(musicxml([1, 2, 3]), bar, 1)[0], (1, 2, 3)))
    assert all('class="note"' in svg for svg in drawn)


@needs_chromium
@pytest.mark.filterwarnings("ignore")
def test_notation_beside_the_lanes(page: Any, tmp_path: Path, errors: list[str]) -> None:
    recording = write_recording(tmp_path / "rock.flac", GROOVE_SECONDS)
    with serving(Stub(GROOVE), tmp_path / "work") as address:
        page.goto(address)
        page.set_input_files("#files", str(recording))
        page.click("#jobs a")
        until(page, "window.app !== undefined && app.started")
        page.click("#notation-button")
        picture = page.locator("#notation img")
        picture.wait_for()
        assert page.evaluate("document.querySelector('#notation img').naturalWidth") > 300
        box = page.locator("#notation").bounding_box()
        assert box["y"] + box["height"] <= 720 and box["height"] > 60
        before = picture.get_attribute("src")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Delete")
        changed = "document.querySelector('#notation img').src !== window.before"
        page.evaluate("src => { window.before = src; }", before)
        until(page, changed)
        page.evaluate("window.before = document.querySelector('#notation img').src")
        page.keyboard.press("End")  # other bars
        until(page, changed)
        page.click("#notation-button")
        assert not page.locator("#notation").is_visible()
    assert errors == []


@needs_chromium
def test_a_page_in_a_file_has_no_notation(page: Any, rock: Path) -> None:
    opened(page, rock)
    assert not page.locator("#notation-button").is_visible()
