"""A part transcribed again: what the server makes of it, between which batches, and what the page does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from mt3drum.transcriber import Failure, Transcriber, Transcription
from mt3drum.web.jobs import Limits
from mt3drum.web.work import WorkFolder
from tests.mt3drum.web.browser import needs_chromium, on_page, serving, until
from tests.review_stub import GROOVE, GROOVE_SECONDS, Stub, write_recording
from tests.synthetic import recording
from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.hits import SAME_STROKE, Hit

pytest.importorskip("starlette", reason="the extra 'web' is not installed")
from starlette.testclient import TestClient

from mt3drum.web.app import make_app
from tests.mt3drum.web.test_app import BASE, finished, one_line, send

COWBELL = CLASS_INDEX["aux2"]
INSIDE = [place for place, hit in enumerate(GROOVE) if 2.0 <= hit.time < 4.0]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_recording(tmp_path_factory.mktemp("again") / "rock.flac", GROOVE_SECONDS).read_bytes()


@pytest.fixture
def stub() -> Stub:
    return Stub(GROOVE)


@pytest.fixture
def client(stub: Stub, tmp_path: Path) -> Iterator[TestClient]:
    work = WorkFolder(tmp_path / "work")
    with work.held(), TestClient(make_app(stub, 8026, work, Limits(parts=2)), BASE) as client:
        yield client


def rows(hits: Any) -> list[list[float]]:
    return [[hit.time, hit.drum, hit.velocity, hit.confidence] for hit in hits]


def ask(client: TestClient, identity: str, **values: Any) -> Any:
    body = {"hits": rows(GROOVE), "from": 2.0, "to": 4.0, **values}
    return client.post(f"/api/jobs/{identity}/part", json=body)


def test_hits_of_the_part_are_replaced(client: TestClient, stub: Stub, sound: bytes) -> None:
    identity = finished(client, send(client, sound).json()["id"])["id"]
    lost = INSIDE[1:4]
    invented = [Hit(1.9, COWBELL, 7), Hit(3.3, COWBELL, 7), Hit(4.0, COWBELL, 7)]
    edited = [hit for place, hit in enumerate(GROOVE) if place not in lost] + invented
    answer = ask(client, identity, hits=rows(edited), beam=4, minimum_confidence=0.25)
    assert answer.status_code == 200, answer.text
    assert [edited[place] for place in answer.json()["removed"]] == [invented[1]]
    assert answer.json()["added"] == rows(GROOVE[place] for place in lost)
    part, options = stub.asked[-1]
    assert part is not None and options == {"beam": 4, "minimum_confidence": 0.25}
    assert (part.start, part.end) == (2.0 - SAME_STROKE, 4.0 + SAME_STROKE)


def test_other_drums_stay(client: TestClient, sound: bytes) -> None:
    identity = finished(client, send(client, sound).json()["id"])["id"]
    edited = [hit for place, hit in enumerate(GROOVE) if place not in INSIDE] + [Hit(3.3, COWBELL, 7)]
    answer = ask(client, identity, hits=rows(edited), families=["hihat", "kick"]).json()
    wanted = [
        hit for hit in (GROOVE[place] for place in INSIDE) if DRUMS[hit.drum].family in ("hihat", "kick")
    ]
    assert answer == {"removed": [], "added": rows(wanted)} and wanted


REFUSED: list[dict[str, Any]] = [
    {"from": "x"},
    {"from": 4.0},
    {"from": -1.0},
    {"from": GROOVE_SECONDS, "to": 99.0},
    {"to": 2000.0},
    {"to": float("1e999")},
    {"hits": [[1.0, 26, 1, 1.0]]},
    {"hits": [[GROOVE_SECONDS + 1, 0, 1, 1.0]]},
    {"decoder": "none"},
    {"beam": 17},
    {"beam": 2.0},
    {"minimum_confidence": 1.5},
    {"families": ["gong"]},
    {"families": "kick"},
]


def test_other_requests_are_refused(client: TestClient, sound: bytes) -> None:
    identity = finished(client, send(client, sound).json()["id"])["id"]
    for values in REFUSED:
        text = json.dumps({"hits": rows(GROOVE), "from": 2.0, "to": 4.0, **values})  # with Infinity, as JSON
        answer = client.post(
            f"/api/jobs/{identity}/part", content=text, headers={"Content-Type": "application/json"}
        )
        one_line(answer, 400, "not a part")


@pytest.mark.parametrize("suffix", ["wav", "mp3", "ogg", "aiff"])
def test_sound_of_every_kind_is_read_again(
    client: TestClient, stub: Stub, tmp_path: Path, suffix: str
) -> None:
    path = write_recording(tmp_path / "rock.wav", GROOVE_SECONDS)
    soundfile.write(tmp_path / f"rock.{suffix}", *soundfile.read(path))
    content = (tmp_path / f"rock.{suffix}").read_bytes()
    identity = finished(client, send(client, content, f"rock.{suffix}").json()["id"])["id"]
    assert ask(client, identity).json() == {"removed": [], "added": []}
    assert len(stub.asked) == 2


def test_failures_are_told(client: TestClient, sound: bytes, tmp_path: Path) -> None:
    assert ask(client, "gone").status_code == 404
    identity = finished(client, send(client, sound, "my song.flac").json()["id"])["id"]
    kept = tmp_path / "work" / "recordings" / identity / "sound"
    kept.write_bytes(b"no sound")
    answer = ask(client, identity)
    one_line(answer, 422, "my song.flac")
    assert str(tmp_path) not in answer.text
    kept.write_bytes(sound)
    assert ask(client, identity).status_code == 200  # the worker goes on


class Patient(Stub):
    """Its second recording is not done before it is let go."""

    def __init__(self) -> None:
        super().__init__(GROOVE)
        self.under_way, self.go = threading.Event(), threading.Event()

    def transcribe_files(self, paths: Any, on_progress: Any = None, *rest: Any, **more: Any) -> Iterator[Any]:
        results: list[Transcription | Failure] = list(super().transcribe_files(paths, None, *rest, **more))
        if len(self.asked) == 2 and on_progress is not None:
            self.under_way.set()
            while not self.go.wait(0.01):
                on_progress(Path("x"), 0.5)
        yield from results


def test_a_part_does_not_wait_for_a_recording(sound: bytes, tmp_path: Path) -> None:
    stub, work = Patient(), WorkFolder(tmp_path / "work")
    with work.held(), TestClient(make_app(stub, 8026, work), BASE) as client:
        first = finished(client, send(client, sound).json()["id"])["id"]
        second = send(client, sound).json()["id"]
        assert stub.under_way.wait(60)
        assert ask(client, first).json() == {"removed": [], "added": []}
        assert client.get(f"/api/jobs/{second}").json()["state"] == "working"
        one_line(ask(client, second), 409, "not transcribed yet")
        stub.go.set()
        assert finished(client, second)["state"] == "done"


def test_too_many_are_refused(sound: bytes, tmp_path: Path) -> None:
    work = WorkFolder(tmp_path / "work")
    with (
        work.held(),
        TestClient(make_app(Stub(GROOVE), 8026, work, Limits(parts=0)), BASE) as client,
    ):
        identity = finished(client, send(client, sound).json()["id"])["id"]
        one_line(ask(client, identity), 503, "try again in a moment")


def test_the_model_hears_the_same_again(tmp_path: Path) -> None:
    """With the settings as before nothing changes; with the onset head alone, confidences do."""
    soundfile.write(tmp_path / "take.wav", recording(3, 5.0), 44_100)
    work = WorkFolder(tmp_path / "work")
    transcriber = Transcriber.load(device="cpu", precision="float32")
    with work.held(), TestClient(make_app(transcriber, 8026, work), BASE) as client:
        identity = finished(client, send(client, (tmp_path / "take.wav").read_bytes()).json()["id"])["id"]
        hits, _ = work.score(identity)
        assert len(hits) > 10
        same = ask(client, identity, hits=rows(hits), **{"from": 1.0, "to": 3.0})
        assert same.json() == {"removed": [], "added": []}
        other = ask(client, identity, hits=rows(hits), decoder="frames", **{"from": 1.0, "to": 3.0}).json()
        assert other["removed"] and all(1.0 <= hits[place].time < 3.0 for place in other["removed"])
        assert transcriber.config.onset_weight != 1  # that of the next recordings


@needs_chromium
@pytest.mark.filterwarnings("ignore")
def test_bars_are_transcribed_again_on_the_page(page: Any, tmp_path: Path, errors: list[str]) -> None:
    stub = Stub(GROOVE)
    with serving(stub, tmp_path / "work") as address:
        sound = write_recording(tmp_path / "rock.flac", GROOVE_SECONDS)
        page.goto(address)
        page.set_input_files("#files", sound)
        page.locator("#jobs a").click()
        until(page, "window.app !== undefined && app.started")
        start, end = page.evaluate("[2, 4].map((bar) => app.bars.timeAt(bar * 4))")  # bars 3 and 4
        bars = [hit for hit in GROOVE if start - 0.05 <= hit.time < end - 0.05]
        assert any(hit.time < start for hit in bars)  # a stroke a little before its bar
        for hit in bars:
            page.evaluate(f"app.choose(app.score.hits.find((h) => h.time === {hit.time}))")
            page.keyboard.press("Delete")
        page.keyboard.press("Escape")
        before = on_page(page)
        assert len(before) == len(GROOVE) - len(bars)

        page.click("#again summary")
        until(page, "document.querySelector('#again-part').textContent.startsWith('0:')")
        page.fill("#again-first", "3")
        page.locator("#again-first").press("Tab")
        page.fill("#again-last", "4")
        page.locator("#again-last").press("Tab")
        assert page.evaluate("[app.view.loop.start, app.view.loop.end]") == pytest.approx([start, end])
        assert page.locator("#again-part").text_content().endswith(", the loop")
        page.select_option("#again-search", "4")
        page.fill("#again-least", "30")
        page.click("#again-start")
        until(page, "document.querySelector('#live').textContent.startsWith('Transcribed again')")
        assert f"0 hits out, {len(bars)} in" in page.locator("#live").text_content()
        assert on_page(page) == list(GROOVE)
        assert stub.asked[-1][1] == {"beam": 4, "minimum_confidence": 0.3}
        page.keyboard.press("Escape")
        page.keyboard.press("Control+z")
        assert on_page(page) == before
        page.keyboard.press("Control+y")
        assert on_page(page) == list(GROOVE)
        until(page, "app.store.pending === false")
        page.reload()
        until(page, "window.app !== undefined && app.started")
        assert on_page(page) == list(GROOVE)
        assert errors == []
