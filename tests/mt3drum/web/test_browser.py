"""The review page and the web app in a real browser: load, play, edit, export; the file equals the edit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mt3drum.files import SUFFIX
from mt3drum.formats import tables
from mt3drum.formats.read_json import read_json
from mt3drum.rhythm.estimate import estimate
from mt3drum.rhythm.tempo_map import tempo_map
from mt3drum.transcriber import Transcription
from mt3drum.web.escape import shown
from tests.mt3drum.web.browser import needs_chromium, on_page, opened, place, saved, serving, until
from tests.readers import check
from tests.review_stub import GROOVE, GROOVE_SECONDS, HITS, HOSTILE, SECONDS, Stub, write_recording
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi import read_midi, write_midi

pytestmark = needs_chromium


def test_load_play_pause(page: Any, file: Path, errors: list[str]) -> None:
    opened(page, file)
    assert page.locator("#count").text_content() == "8 hits"
    page.keyboard.press("3")  # one in each ear
    page.select_option("#speed", "0.5")
    page.click("#play")
    until(page, "app.player.time > 0.3")
    assert page.evaluate("[app.player.audio.playbackRate, app.player.audio.preservesPitch]") == [0.5, True]
    pans = "['recording', 'score'].map((name) => app.player.buses[name].pan.pan.value)"
    assert page.evaluate(pans) == [-1, 1]
    page.click("#play")
    assert page.evaluate("app.player.playing") is False
    at = page.evaluate("app.player.time")
    assert 0.3 < at < SECONDS and page.evaluate("app.player.time") == at
    until(page, "app.view.tiles.tile(0, 0) !== null")  # the spectrogram is decoded
    assert errors == []


def test_edit_by_mouse_and_export(page: Any, file: Path, tmp_path: Path, errors: list[str]) -> None:
    opened(page, file)
    page.mouse.click(*place(page, HITS[1]))
    page.keyboard.press("Delete")
    snare = CLASS_INDEX["snare_head"]
    page.keyboard.press("Escape")  # the panel of the next hit stands somewhere there
    x, y = place(page, HITS[0])
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, place(page, Hit(1.0, snare, 1))[1], steps=4)
    page.mouse.up()
    page.mouse.dblclick(*place(page, Hit(2.8, 0, 1)))
    hits = on_page(page)
    moved = next(hit for hit in hits if hit.drum == snare and hit.time < 0.77 and hit.velocity == 40)
    per_pixel = 1 / page.evaluate("app.view.pixelsPerSecond")
    assert moved.time == pytest.approx(HITS[0].time + 40 * per_pixel, abs=1.5 * per_pixel)
    assert moved.confidence == 1.0
    added = hits[-1]
    assert (added.drum, added.velocity) == (0, 90) and added.time == pytest.approx(2.8, abs=1.5 * per_pixel)
    assert HITS[1] not in hits and set(HITS[2:]) <= set(hits) and len(hits) == 8

    values = json.loads(saved(page, "json", tmp_path).read_text(encoding="utf-8"))
    assert (values["source"], values["seconds"]) == ("take.flac", SECONDS)
    assert [
        Hit(h["time"], CLASS_INDEX[h["drum"]], h["velocity"], h["confidence"]) for h in values["hits"]
    ] == hits
    assert values["tempo"] is None
    for name in ("json", "jsonl", "csv"):
        check(name, saved(page, name, tmp_path).read_bytes(), hits)
    assert page.locator("button[data-format]").count() == 4  # the rest is the command line's or the server's
    assert page.locator("#formats").get_by_text("mt3drum convert").is_visible()
    for notes in ("gm", "td17"):
        page.select_option("#notes", notes)
        exported = saved(page, "midi", tmp_path)
        write_midi(hits, tmp_path / "ours.mid", notes=notes)
        ours, theirs = (read_midi(p, LABEL_MAPS[notes]) for p in (tmp_path / "ours.mid", exported))
        assert theirs == ours and len(theirs.hits) == 8
        exported.unlink()
    assert errors == []


def test_bars_and_beats(page: Any, rock: Path, tmp_path: Path, errors: list[str]) -> None:
    opened(page, rock)
    grid = estimate(GROOVE, GROOVE_SECONDS)
    assert grid is not None
    assert page.locator("#tempo-text").text_content() == f"{grid.bpm:.1f} bpm, 4/4"
    lines = page.evaluate("app.bars.lines(0, 100)")
    assert [time for time, _ in lines] == pytest.approx(list(grid.beats), abs=1e-4)
    assert [time for time, bar in lines if bar] == pytest.approx(list(grid.downbeats), abs=1e-4)
    colour = """() => {
      const { view } = app;
      const ratio = window.devicePixelRatio;
      const y = view.height - 2; // below the lanes, where no hit is
      const pixel = (time) => [...view.canvas.getContext("2d").getImageData(
        Math.round(view.x(time)) * ratio, y * ratio, 1, 1).data].join();
      const [bar, next] = app.bars.tempo.downbeats;
      return [pixel(bar), pixel((bar + next) / 2), pixel(bar + 0.11)];
    }"""
    bar, beat, nothing = page.evaluate(colour)
    assert len({bar, beat, nothing}) == 3
    page.evaluate(f"app.seek({grid.downbeats[1] + (grid.beats[1] - grid.beats[0]) / 2})")
    first = 1 + round(grid.position(grid.downbeats[1]) / 4)
    until(page, f"document.querySelector('#where').textContent.startsWith('bar {first}, beat 1.5')")
    page.keyboard.press("g")
    until(page, "!app.waiting")
    assert page.evaluate(colour)[0] == page.evaluate(colour)[2]
    assert not page.locator("#bars").is_checked()

    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Delete")
    hits = on_page(page)
    assert len(hits) == len(GROOVE) - 1
    exported, lines = saved(page, "midi", tmp_path), tempo_map(grid)
    write_midi(hits, tmp_path / "ours.mid", tempos=lines.midi_tempos, time_signatures=lines.midi_meters)
    ours, theirs = (read_midi(p, LABEL_MAPS["gm"]) for p in (tmp_path / "ours.mid", exported))
    assert theirs == ours and len(ours.tempos) > 1
    result, beats = read_json(saved(page, "json", tmp_path))
    assert beats is not None
    record, expected = tables.tempo_record(beats), tables.tempo_record(grid)
    assert record is not None and expected is not None
    assert record.pop("bpm") == pytest.approx(expected.pop("bpm"), abs=0.02)  # of beats rounded to 0.1 ms
    assert (list(result.hits), record) == (hits, expected)
    assert errors == []


def test_no_grid_is_said(page: Any, file: Path) -> None:
    opened(page, file)
    assert page.locator("#tempo-text").text_content() == "unsteady: no grid"
    assert page.locator("#bars").is_disabled()
    assert page.evaluate("app.bars.lines(0, 100)") == []


def test_keyboard_alone(page: Any, file: Path) -> None:
    opened(page, file)
    before = on_page(page)
    press = page.keyboard.press
    press("u")
    assert page.evaluate("app.selected.confidence") == min(hit.confidence for hit in HITS)
    press("c")
    press("u")
    assert "1 of 6" in page.locator("#live").text_content()
    press("Shift+ArrowRight")
    press("ArrowUp")
    press("Shift+ArrowDown")
    press("Home")
    press("a")
    press("Delete")
    after = on_page(page)
    assert sum(hit.confidence == 1 for hit in after) == sum(hit.confidence == 1 for hit in before) + 2
    while page.locator("#undo").is_enabled():
        press("Control+z")
    assert on_page(page) == before
    while page.locator("#redo").is_enabled():
        press("Control+y")
    assert on_page(page) == after
    press("ArrowRight")
    press("?")
    assert page.locator("#help").is_visible()
    press("Escape")
    assert not page.locator("#help").is_visible()
    page.locator("#show summary").focus()
    press("Enter")
    page.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(45):
        press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"undo", "lanes", "drum", "hit-time", "velocity", "confirm", "delete", "threshold", "play"} <= set(
        reached
    )


def test_the_slider_hides_from_view_and_export(page: Any, file: Path, tmp_path: Path) -> None:
    opened(page, file)
    page.click("#show summary")
    page.fill("#threshold", "60")
    kept = [hit for hit in HITS if hit.confidence >= 0.6]
    assert on_page(page) == kept
    assert page.locator("#count").text_content() == f"{len(kept)} hits, {len(HITS) - len(kept)} hidden"
    values = json.loads(saved(page, "json", tmp_path).read_text(encoding="utf-8"))
    assert len(values["hits"]) == len(kept)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_whole(browser: Any, rock: Path, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, color_scheme=scheme)
    page = context.new_page()
    opened(page, rock)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click("#export summary")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.keyboard.press("Escape")
    page.touchscreen.tap(*place(page, GROOVE[1]))
    until(page, f"Boolean(app.selected) && app.selected.time === {GROOVE[1].time}")
    context.close()


@pytest.mark.slow
def test_hostile_names_do_nothing(page: Any, tmp_path: Path, errors: list[str]) -> None:
    from mt3drum.web.page import build_page

    recording = write_recording(tmp_path / "x.flac")
    for i, name in enumerate(HOSTILE):
        target = tmp_path / f"{i}.html"
        result = Transcription(HITS, SECONDS, recording, warnings=(name,))
        target.write_text(build_page(result, recording, name=name), encoding="utf-8")
        opened(page, target)
        assert page.title() == f"{' '.join(shown(name).split())} · mt3drum"
        assert page.locator("img").count() == 0
        assert page.locator("#warnings").text_content() == shown(name)
    assert errors == []


@pytest.mark.filterwarnings("ignore")
def test_the_web_app(page: Any, tmp_path: Path, errors: list[str]) -> None:
    """Drop a recording, open it, edit, export every format: each file equals the edit."""
    name = "<img src=x onerror=alert(1)>.flac"
    with serving(Stub(GROOVE), tmp_path / "work") as address:
        page.goto(address)
        sound = write_recording(tmp_path / "a.flac", GROOVE_SECONDS).read_bytes()
        page.set_input_files("#files", [{"name": name, "mimeType": "audio/flac", "buffer": sound}])
        link = page.locator("#jobs a")
        link.wait_for()
        assert link.text_content() == name
        link.click()
        until(page, "window.app !== undefined")
        assert page.locator("h1").text_content() == name
        assert on_page(page) == list(GROOVE)
        for key in ("ArrowRight", "Delete", "ArrowRight", "Shift+ArrowUp", "ArrowUp"):
            page.keyboard.press(key)
        hits = on_page(page)
        assert len(hits) == len(GROOVE) - 1 and len(set(hits) - set(GROOVE)) == 1
        page.click("#export summary")
        page.select_option("#notes", "td17")
        shown_formats = page.locator("button[data-format]").evaluate_all(
            "all => all.map((b) => b.dataset.format)"
        )
        assert sorted(shown_formats) == sorted(SUFFIX) and shown_formats[0] == "midi"
        for number, wanted in enumerate(SUFFIX):
            path = saved(page, wanted, tmp_path / str(number))
            assert path.name.endswith(SUFFIX[wanted])
            check(wanted, path.read_bytes(), hits, "td17")
        assert errors == []

        page.select_option("#times", "16")
        result, beats = read_json(saved(page, "json", tmp_path / "grid"))
        assert beats is not None and len(result.hits) == len(hits)
        steps = [4 * beats.position(hit.time) for hit in result.hits]
        assert steps == pytest.approx([round(step) for step in steps], abs=0.02)
        page.keyboard.press("Escape")
        page.click("#tempo summary")
        page.fill("#bpm", "60")
        page.select_option("#meter", "2/4")
        page.click("#find-beats")
        until(page, "document.querySelector('#tempo-text').textContent.endsWith(' bpm, 2/4')")
        assert page.evaluate("app.bars.tempo.bpm") == pytest.approx(60, rel=0.01)
        page.fill("#bpm", "5")
        page.click("#find-beats")
        until(page, "document.querySelector('#problem').textContent.includes('outside 20..500')")
