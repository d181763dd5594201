"""The review page under a person's hands: what is in sight, what an edit means, loops, the grid, levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mt3drum.rhythm.estimate import estimate
from mt3drum.transcriber import Transcription
from mt3drum.web.page import write_page
from tests.mt3drum.web.browser import frames, needs_chromium, on_page, opened, place, until
from tests.review_stub import GROOVE, GROOVE_SECONDS, HITS, SECONDS, write_recording
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit

pytestmark = needs_chromium
SIZES = {"laptop": (1280, 720), "desktop": (1920, 1080), "phone": (390, 844), "small phone": (360, 640)}


@pytest.mark.parametrize("size", SIZES)
def test_every_control_is_in_sight(page: Any, rock: Path, size: str) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    opened(page, rock)
    for hit in (GROOVE[1], GROOVE[-1]):
        page.evaluate(f"app.select(app.score.hits.find((h) => h.time === {hit.time}))")
        frames(page)
        for name in ("#delete", "#confirm", "#play", "#least", "#export summary", "#hit-time", "#loop"):
            box = page.locator(name).bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width, name
            assert box["y"] >= 0 and box["y"] + box["height"] <= height, name
            middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
            on_top = "([x, y, name]) => document.elementFromPoint(x, y).closest(name) !== null"
            assert page.evaluate(on_top, [*middle, name]), f"{name} is covered"
    if width > 600:  # by the hit: in reach of a lane or two
        x, y = place(page, GROOVE[-1])
        box = page.locator("#hit").bounding_box()
        assert box["x"] - 30 <= x <= box["x"] + box["width"] + 30
        assert min(abs(y - box["y"]), abs(y - box["y"] - box["height"])) < 60
        assert not box["y"] <= y <= box["y"] + box["height"]
    assert page.evaluate("document.documentElement.scrollHeight") <= height


def test_all_lanes_can_be_reached_on_a_small_screen(page: Any, rock: Path) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    opened(page, rock)
    page.click("#show summary")
    page.check("#all-lanes")
    page.keyboard.press("Escape")
    page.evaluate("app.seek(1)")
    kick = CLASS_INDEX["kick"]
    page.evaluate("app.view.scrollTo(0, 0)")
    lanes = page.locator("#lanes").bounding_box()
    assert place(page, Hit(1.0, kick, 1))[1] > lanes["y"] + lanes["height"]
    page.mouse.move(lanes["x"] + 400, lanes["y"] + lanes["height"] - 30)
    page.mouse.wheel(0, 2000)
    until(page, "app.view.down > 0")
    assert place(page, Hit(1.0, kick, 1))[1] < lanes["y"] + lanes["height"]
    page.keyboard.press("Home")
    page.keyboard.press("a")  # the lane of a chosen hit comes into view
    frames(page)
    drum = page.evaluate("app.selected.drum")
    assert lanes["y"] < place(page, Hit(0.0, drum, 1))[1] < lanes["y"] + lanes["height"]


def contrast(a: list[int], b: list[int]) -> float:
    """Of two colours, by WCAG 2."""

    def luminance(colour: list[int]) -> float:
        shares = [c / 255 for c in colour[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_faintest_hit_is_visible_and_two_do_not_look_like_one(
    page: Any, tmp_path: Path, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    recording = write_recording(tmp_path / "a.flac")
    drums = [
        CLASS_INDEX[name] for name in ("kick", "snare_head", "hihat_closed", "tom1_head", "crash1", "ride")
    ]
    faint = [Hit(0.5, drum, 30, 0.02) for drum in drums]
    twice = [Hit(1.5, drums[1], 90, 0.9), Hit(1.508, drums[1], 60, 0.3)]
    hits = tuple(sorted([*faint, *twice]))
    write_page(Transcription(hits, SECONDS, recording), recording, tmp_path / "a.html")
    opened(page, tmp_path / "a.html")
    frames(page)
    row = """([time, drum]) => {
      const { view } = app;
      const ratio = window.devicePixelRatio;
      const y = Math.round(view.y(drum) * ratio);
      const x = Math.round((view.x(time) - 14) * ratio);
      return [...view.canvas.getContext("2d").getImageData(x, y, Math.round(28 * ratio), 1).data];
    }"""
    for hit in faint:
        data = page.evaluate(row, [hit.time, hit.drum])
        pixels = [data[i : i + 4] for i in range(0, len(data), 4)]
        assert max(contrast(pixels[0], pixel) for pixel in pixels) >= 2.5, (hit.drum, scheme)
    later = f"app.view.marks.placed.filter(({{ hit }}) => hit.drum === {drums[1]} && hit.time > 1)"
    marks = page.evaluate(f"{later}.map((mark) => [mark.x, mark.y])")
    assert len(marks) == 2 and abs(marks[0][1] - marks[1][1]) >= 8
    box = page.locator("#lanes").bounding_box()
    chosen = []
    for x, y in marks:
        page.keyboard.press("Escape")
        page.mouse.click(box["x"] + x, box["y"] + y)
        chosen.append(page.evaluate("app.selected.time"))
    assert chosen == [1.5, 1.508]


def test_a_twice_adds_one_hit(page: Any, rock: Path) -> None:
    opened(page, rock)
    page.keyboard.press("Home")
    page.keyboard.press("a")
    page.keyboard.press("a")
    assert len(on_page(page)) == len(GROOVE) + 1
    assert "There is a hit already" in page.locator("#live").text_content()
    page.keyboard.press("Escape")
    x, y = place(page, GROOVE[-1])
    page.mouse.dblclick(x + 0.5, y)
    assert len(on_page(page)) == len(GROOVE) + 1


@pytest.mark.parametrize("time", ["3.001", "-0.5", "1e9", ""])
def test_a_time_outside_the_recording_is_refused(page: Any, file: Path, time: str) -> None:
    opened(page, file)
    page.keyboard.press("ArrowRight")
    page.fill("#hit-time", time)
    page.keyboard.press("Tab")
    assert on_page(page) == list(HITS)
    said = page.locator("#problem").text_content()
    assert said == "The hit stays at 0.250 s: the recording is from 0 to 3.000 s"
    assert page.input_value("#hit-time") == "0.250"
    page.fill("#hit-time", "0.31")
    page.keyboard.press("Tab")
    assert on_page(page)[0].time == 0.31 and page.locator("#problem").text_content() == ""


def test_what_an_edit_says_of_a_hit(page: Any, file: Path) -> None:
    """Louder is not surer; moved, relabelled or confirmed is."""
    opened(page, file)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    sure = HITS[2].confidence
    page.keyboard.press("ArrowUp")
    page.fill("#velocity", "100")
    assert page.evaluate("[app.selected.velocity, app.selected.confidence]") == [100, sure]
    page.locator("#lanes").focus()  # the arrows are the slider's while it has the focus
    for key in ("Shift+ArrowRight", "Shift+ArrowUp", "c"):
        page.keyboard.press(key)
        assert page.evaluate("app.selected.confidence") == 1
        page.keyboard.press("Control+z")
        assert page.evaluate("app.selected.confidence") == sure


@pytest.mark.parametrize("menu", ["#export", "#show", "#levels"])
def test_menus_close(page: Any, rock: Path, menu: str) -> None:
    opened(page, rock)
    page.keyboard.press("ArrowRight")
    inside = page.locator(f"{menu} > div")
    for close in (
        lambda: page.keyboard.press("Escape"),
        lambda: page.mouse.click(640, 60),
        lambda: page.click(f"{menu} summary"),
    ):
        page.click(f"{menu} summary")
        assert inside.is_visible()
        close()
        assert not inside.is_visible()
    assert page.evaluate("app.selected !== null")  # Escape was the menu's
    page.keyboard.press("?")
    page.mouse.click(5, 5)  # beside the dialog
    assert not page.locator("#help").is_visible()


def test_midi_is_the_first_export(page: Any, rock: Path) -> None:
    opened(page, rock)
    page.click("#export summary")
    assert page.locator("#formats button, #formats select").first.get_attribute("data-format") == "midi"


def test_hits_snap_to_the_grid(page: Any, rock: Path) -> None:
    opened(page, rock)
    grid = estimate(GROOVE, GROOVE_SECONDS)
    assert grid is not None
    beat = grid.beats[1] - grid.beats[0]

    def steps(time: float) -> float:
        return 4 * float(grid.position(time))

    page.keyboard.press("s")
    assert page.input_value("#snap") == "4"
    page.evaluate(f"app.seek({grid.beats[4] + 0.3 * beat})")
    page.keyboard.press("a")
    assert steps(page.evaluate("app.selected.time")) == pytest.approx(
        round(4 * grid.position(grid.beats[4])) + 1, abs=0.01
    )
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert steps(page.evaluate("app.selected.time")) == pytest.approx(
        round(4 * grid.position(grid.beats[4])) + 3, abs=0.01
    )
    page.keyboard.press("Escape")
    x, y = place(page, GROOVE[5])
    for keys, whole in (([], True), (["Alt"], False)):
        page.mouse.move(x, y)
        page.mouse.down()
        for key in keys:
            page.keyboard.down(key)
        page.mouse.move(x + 37, y, steps=3)
        page.mouse.up()
        for key in keys:
            page.keyboard.up(key)
        place_of = steps(page.evaluate("app.selected.time"))
        assert (abs(place_of - round(place_of)) < 0.01) == whole
        page.keyboard.press("Control+z")
        page.keyboard.press("Escape")


def test_a_loop_is_played_again_and_again(page: Any, rock: Path, errors: list[str]) -> None:
    opened(page, rock)
    lanes = page.locator("#lanes").bounding_box()
    x = lanes["x"] + page.evaluate("app.view.x(1.0)")
    page.mouse.move(x, lanes["y"] + 6)
    page.mouse.down()
    page.mouse.move(x + 0.3 * 110, lanes["y"] + 6, steps=4)
    page.mouse.up()
    start, end = page.evaluate("[app.view.loop.start, app.view.loop.end]")
    assert (start, end) == (pytest.approx(1.0, abs=0.02), pytest.approx(1.3, abs=0.02))
    page.keyboard.press("2")
    page.evaluate("""() => {
      window.times = [];
      window.strokes = [];
      const { schedule } = app.player;
      app.player.schedule = function () { times.push(this.time); schedule.call(this); };
    }""")
    page.keyboard.press(" ")
    until(page, "times.some((t, i) => i > 0 && t < times[i - 1]) && times.length > 40")
    page.keyboard.press(" ")
    times = page.evaluate("times")
    assert min(times) >= start - 0.01 and max(times) < end + 0.3  # a timer may be late, on a busy machine
    page.keyboard.press("l")
    assert page.evaluate("app.player.loop") is None
    page.evaluate("app.seek(3)")
    page.keyboard.press("l")  # the bar at the cursor
    bar = page.evaluate("app.bars.barAround(3)")
    assert page.evaluate("[app.player.loop.start, app.player.loop.end]") == pytest.approx(bar)
    assert bar[0] <= 3 < bar[1] and bar[1] - bar[0] == pytest.approx(2.0, abs=0.05)
    page.evaluate("app.seek(3.5)")
    page.keyboard.press("o")
    assert page.evaluate("app.player.loop.end") == 3.5
    assert errors == []


def test_levels_are_set_apart(page: Any, rock: Path) -> None:
    opened(page, rock)
    page.keyboard.press("4")
    page.click("#levels summary")
    page.fill("#level-recording", "40")
    page.fill("#level-score", "120")
    page.keyboard.press("Escape")
    page.click("#play")
    gains = "['recording', 'score'].map((name) => app.player.buses[name].gain.gain.value)"
    assert page.evaluate(gains) == pytest.approx([0.4, 1.2])
    page.keyboard.press("2")
    assert page.evaluate(gains) == pytest.approx([0.0, 1.2])
