"""An hour of music keeps 60 frames a second at any zoom: few tiles are decoded and frames are cheap."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np

from mt3drum.web import spectrogram
from mt3drum.web.page import PageData, render_page
from mt3drum.web.spectrogram import STEP, TILE_FRAMES, coarser, grey_png
from tests.mt3drum.web.browser import needs_chromium, opened, until

SECONDS = 3_600
FRAME_MS = 1000 / 60
FRAMES = 15
ZOOMS = (0.32, 1, 6, 20, 110)  # pixels a second: from the whole hour to ten seconds


def hour() -> PageData:
    """Ten hits a second for an hour, and a spectrogram whose tiles are all alike."""
    rng = np.random.default_rng(0)
    shades = rng.integers(0, 16, (spectrogram.BANDS, TILE_FRAMES)).astype(np.uint8)
    tile = base64.b64encode(grey_png(shades)).decode()
    columns, step = SECONDS * 100, 1
    levels: list[dict[str, Any]] = []
    while not levels or columns > TILE_FRAMES / STEP:
        levels.append({"step": step, "tiles": [tile] * -(-columns // TILE_FRAMES)})
        columns, step = -(-columns // STEP), step * STEP
    times = np.sort(rng.uniform(0, SECONDS, 10 * SECONDS)).round(6).tolist()
    rest = rng.choice([0, 1, 4, 6, 12, 20], len(times)), rng.integers(20, 127, len(times))
    sure = rng.uniform(0.2, 1, len(times)).round(4).tolist()
    beats = [0.5 * beat for beat in range(2 * SECONDS)]
    tempo = {"bpm": 120, "meter": "4/4", "steadiness": 1, "first": 0, "beats": beats, "downbeats": beats[::4]}
    values = {
        "key": "hour",
        "source": "hour.flac",
        "seconds": SECONDS,
        "warnings": [],
        "hits": list(zip(times, *(row.tolist() for row in rest), sure, strict=True)),
        "candidates": [],
        "spectrogram": {
            "levels": levels,
            "tile_frames": TILE_FRAMES,
            "frames_per_second": 100,
            "low_hz": 30,
            "high_hz": 16_000,
        },
        "audio": None,
        "tempo": {**tempo, "text": "120.0 bpm, 4/4", "per_bar": 4, "tempos": [], "meters": []},
    }
    return PageData(values, b"")


def test_a_coarser_level_holds_the_means() -> None:
    level = np.arange(20, dtype=np.float16).reshape(2, 10)
    assert coarser(level).tolist() == [[1.5, 5.5, 8.75], [11.5, 15.5, 18.75]]


@needs_chromium
def test_an_hour_at_any_zoom(page: Any, tmp_path: Path, errors: list[str]) -> None:
    """Time is that of the main thread's processor, so that what else the machine does is not measured."""
    file = tmp_path / "hour.html"
    file.write_text(render_page(hour()), encoding="utf-8")
    opened(page, file)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def frame_ms(change: str) -> float:
        """Milliseconds a frame in which `change` is done and drawn."""

        def spent() -> float:
            metrics = session.send("Performance.getMetrics")["metrics"]
            return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))

        before = spent()
        page.evaluate(f"""async () => {{
          const {{ view }} = app;
          for (let i = 0; i < {FRAMES}; i++) {{
            {change};
            app.refresh();
            await new Promise(requestAnimationFrame);
          }}
        }}""")
        return 1000 * (spent() - before) / FRAMES

    worst: dict[str, tuple[float, float]] = {}
    for zoom in ZOOMS:
        page.evaluate(
            f"view => {{ app.view.pixelsPerSecond = {zoom}; app.seek(1000); app.view.scrollTo(995); }}"
        )
        page.evaluate("app.refresh()")
        until(page, "app.view.tiles.waiting.size === 0 && !app.waiting")
        before = page.evaluate("app.view.tiles.decoded")
        playing = frame_ms("app.player.from += 0.0167")
        assert page.evaluate("app.view.tiles.decoded") == before, (
            "nothing is decoded anew while nothing moves"
        )
        costs = {
            "playing": playing,
            "scrolling": frame_ms("view.scrollTo(view.start + 12 / view.pixelsPerSecond)"),
            "zooming": frame_ms("view.zoom(i % 20 < 10 ? 1.02 : 1 / 1.02)"),
        }
        for what, cost in costs.items():
            worst[what] = max(worst.get(what, (0, 0)), (cost, zoom))
        visible = page.evaluate("""() => {
          const { view } = app;
          const level = view.tiles.levelFor(view.pixelsPerSecond);
          return view.span / view.tiles.width(level);
        }""")
        assert visible < 4, f"{visible} tiles of the level at {zoom} pixels a second"
    print({what: f"{cost:.1f} ms at {zoom} px/s" for what, (cost, zoom) in worst.items()})
    assert all(cost < FRAME_MS for cost, _ in worst.values()), worst
    assert page.evaluate("app.view.tiles.decoded") < 12 * len(ZOOMS)
    assert page.evaluate("app.view.tiles.kept.size") <= 40
    assert errors == []
