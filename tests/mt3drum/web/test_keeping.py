"""WorkFolder is not lost: edits and recordings survive a reload, a restart, a kill, and another window."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mt3drum.cli import main
from mt3drum.transcriber import Transcriber
from mt3drum.web.edits import Changes, parse_changes
from mt3drum.web.jobs import Job, Limits, Queue
from mt3drum.web.work import InUse, WorkFolder, default_folder
from tests.mt3drum.web.browser import needs_chromium, on_page, opened, saved, serving, until
from tests.review_stub import CANDIDATES, GROOVE, GROOVE_SECONDS, HITS, SECONDS, Stub, write_recording
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit

pytest.importorskip("starlette", reason="the extra 'web' is not installed")
from starlette.testclient import TestClient

from mt3drum.web.app import make_app

BASE = "http://127.0.0.1:8026"


@pytest.fixture
def sound(tmp_path: Path) -> bytes:
    return write_recording(tmp_path / "take.flac").read_bytes()


@pytest.fixture
def work(tmp_path: Path) -> Iterator[WorkFolder]:
    work = WorkFolder(tmp_path / "work")
    with work.held():
        yield work


def client_of(work: WorkFolder, stub: Stub | None = None, **limits: Any) -> TestClient:
    return TestClient(make_app(stub or Stub(), 8026, work, Limits(**limits)), BASE)


def send(client: TestClient, sound: bytes, name: str = "take.flac") -> str:
    identity: str = client.post("/api/jobs", params={"name": name}, content=sound).json()["id"]
    return identity


def finished(client: TestClient, identity: str) -> dict[str, Any]:
    queue: Queue = client.app.state.queue  # type: ignore[attr-defined]
    pause = threading.Event()
    while True:
        job = queue.find(identity)
        assert job is not None
        if job.state in ("done", "failed"):
            return job.public()
        pause.wait(0.02)


def edits(client: TestClient, identity: str, **values: Any) -> Any:
    record = {"revision": 0, "removed": [], "changed": [], **values}
    return client.put(f"/api/jobs/{identity}/edits", json=record)


def test_a_restart_brings_everything_back(work: WorkFolder, sound: bytes) -> None:
    with client_of(work) as client:
        identity = send(client, sound)
        finished(client, identity)
        page = client.get(f"/jobs/{identity}").text
        bad = send(client, b"nothing" * 99, "bad.wav")
        finished(client, bad)
        assert edits(client, identity, removed=[0]).json() == {"revision": 1}
        listed = client.get("/api/jobs").json()
    with client_of(work) as client:
        assert client.get("/api/jobs").json() == listed
        assert client.get(f"/jobs/{identity}").text == page
        assert client.get(f"/api/jobs/{identity}/edits").json() == {
            "revision": 1,
            "removed": [0],
            "changed": [],
        }
        client.delete(f"/api/jobs/{identity}")
    with client_of(work) as client:
        assert [job["id"] for job in client.get("/api/jobs").json()] == [bad]


def test_what_was_waiting_or_under_way_is_taken_up_again(work: WorkFolder, sound: bytes) -> None:
    begun, gate = threading.Event(), threading.Event()
    stub = Stub()

    def hold() -> None:
        begun.set()
        gate.wait(60)

    stub.on_file = hold
    with client_of(work, stub) as client:
        jobs = [send(client, sound, f"{i}.flac") for i in range(2)]
        assert begun.wait(60)
        client.app.state.queue._stopping = True  # type: ignore[attr-defined]
        gate.set()
    with client_of(work) as client:
        assert [finished(client, job)["state"] for job in jobs] == ["done", "done"]


def test_a_kill_leaves_nothing_half(work: WorkFolder, sound: bytes) -> None:
    """An upload that never arrived is gone; what was transcribed when the power went is done again; what is
    damaged harms nothing else."""
    queue = Queue(Stub(), work, Limits())
    lost, under_way = queue.reserve("lost.flac"), queue.reserve("b.flac")
    lost.upload.write_bytes(sound[:100])
    under_way.upload.write_bytes(sound)
    work.save_job(under_way.id, {**under_way.kept(), "state": "working"})
    damaged = work.add("damaged_damaged_")
    (damaged / "job.json").write_text('{"arrived": 1, "state": "done"}')
    garbage = work.add("garbage_garbage_")
    (garbage / "job.json").write_text("{")
    with client_of(work) as client:
        assert finished(client, under_way.id)["state"] == "done"
        assert [job["name"] for job in client.get("/api/jobs").json()] == ["b.flac"]
    left = {path.name for path in work.recordings.iterdir()}
    assert left == {under_way.id, damaged.name, garbage.name}  # nothing of a person's is deleted


def test_edits_on_an_older_revision_are_not_taken(work: WorkFolder, sound: bytes) -> None:
    with client_of(work) as client:
        identity = send(client, sound)
        finished(client, identity)
        first = [[8, 0.1, 0, 90, 1, 0]]
        assert edits(client, identity, changed=first).status_code == 200
        stale = edits(client, identity, removed=[1])
        assert stale.status_code == 409 and stale.json()["changed"] == first
        assert edits(client, identity, revision=1, changed=first, removed=[1]).json() == {"revision": 2}
        address = f"/api/jobs/{identity}/edits"
        assert client.get(address, params={"after": 2}).status_code == 204
        assert client.get(address, params={"after": 1}).json()["removed"] == [1]


@pytest.mark.parametrize(
    "values",
    [
        {"removed": [-1]},
        {"removed": ["x"]},
        {"removed": [2**60]},
        {"removed": 3},
        {"changed": [[0, 0.5, 0, 64]]},
        {"changed": [[0, 99.0, 0, 64, 1, 0]]},
        {"changed": [[0, 0.5, 26, 64, 1, 0]]},
        {"changed": [[0, 0.5, 0, 64, 2, 0]]},
        {"changed": [0]},
        {"tempo": {"beats": [2, 1], "meter": "4/4", "first": 0, "steadiness": 1}},
        {"revision": "0"},
        {"revision": True},
    ],
)
def test_bad_edits_are_one_line(work: WorkFolder, sound: bytes, values: dict[str, Any]) -> None:
    with client_of(work) as client:
        identity = send(client, sound)
        finished(client, identity)
        answer = edits(client, identity, **values)
        assert answer.status_code == 400 and answer.text.startswith("error: not edits: ")
        assert client.get(f"/api/jobs/{identity}/edits").json()["revision"] == 0


def test_the_list_gives_the_score_as_edited(work: WorkFolder, tmp_path: Path) -> None:
    recording = write_recording(tmp_path / "rock.flac", GROOVE_SECONDS).read_bytes()
    with client_of(work, Stub(GROOVE)) as client:
        identity = send(client, recording, "my song.flac")
        finished(client, identity)
        new = [900, 8.95, CLASS_INDEX["crash1"], 77, 1, 0]
        edits(client, identity, removed=[0], changed=[new, [901, 9.0, 3, 50, 0.2, 1]])
        answer = client.get(f"/api/jobs/{identity}/export/json")
        times = [hit["time"] for hit in answer.json()["hits"]]
        assert times == sorted([*(hit.time for hit in GROOVE[1:]), 8.95])
        assert answer.json()["tempo"]["meter"] == "4/4"
        assert "my%20song.json" in answer.headers["content-disposition"]
        assert client.get(f"/api/jobs/{identity}/export/exe").status_code == 404


def test_changes_apply_to_hits_and_candidates() -> None:
    rows = {
        "removed": [0],
        "changed": [[1, 0.5, 3, 90, 0.4, 0], [8, 0.6, 4, 50, 1.0, 0], [9, 0.7, 5, 50, 0.1, 1]],
    }
    changes = parse_changes(rows, SECONDS)
    assert changes.apply(HITS) == sorted([*HITS[2:], Hit(0.5, 3, 90, 0.4), Hit(0.6, 4, 50, 1.0)])
    assert changes.to_record() == rows
    assert Changes().apply(HITS) == list(HITS)


def test_one_server_a_folder(work: WorkFolder, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    with pytest.raises(InUse, match="in use by another mt3drum serve"), WorkFolder(work.folder).held():
        pass
    monkeypatch.setattr(Transcriber, "load", staticmethod(lambda *_, **__: Stub()))
    assert main.main(["serve", "--port", "1", "--work", str(work.folder)]) == 1
    error = capsys.readouterr().err
    assert "choose another folder by --work" in error and error.count("\n") == 1
    assert stat.S_IMODE(work.recordings.stat().st_mode) == 0o700
    (work.folder / "file").write_text("")
    assert main.main(["serve", "--work", str(work.folder / "file")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: --work ") and error.count("\n") == 1


def test_the_default_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "mt3drum"


def test_a_job_knows_how_long_it_takes(work: WorkFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("mt3drum.web.jobs.time.monotonic", lambda: now[0])
    job = Job("id", "a", Path("a"), "waiting", seconds=60.0)
    assert job.left(None) is None and job.left(0.5) == 30.0
    job.state, job.started = "working", 90.0
    assert job.left(0.5) == 20.0
    job.progress, job.stepped = 0.25, 100.0
    assert job.left(None) == 30.0
    now[0] = 110.0
    assert job.left(None) == 20.0
    job.state = "done"
    assert job.left(0.5) is None


@needs_chromium
def test_a_page_keeps_its_edits(context: Any, page: Any, rock: Path, errors: list[str]) -> None:
    """Of a file without a server: after a reload, in another window at once, and taken back as a whole."""
    opened(page, rock)
    for key in ("ArrowRight", "Delete", "ArrowRight", "ArrowUp", "c"):
        page.keyboard.press(key)
    hits = on_page(page)
    assert len(hits) == len(GROOVE) - 1 and page.locator("#kept").text_content() == "kept in this browser"
    page.reload()
    until(page, "window.app !== undefined && app.started")
    assert on_page(page) == hits and page.locator("#undo").is_disabled()

    other = context.new_page()
    opened(other, rock)
    assert on_page(other) == hits
    other.keyboard.press("Home")
    other.keyboard.press("a")
    until(page, f"app.score.visible().length === {len(hits) + 1}")
    page.bring_to_front()
    page.keyboard.press("Control+z")  # what the other window did is a step like any other
    assert on_page(page) == hits
    until(other, f"app.score.visible().length === {len(hits)}")
    page.click("#revert")
    assert on_page(page) == list(GROOVE) and page.locator("#revert").is_disabled()
    page.click("#undo")
    assert on_page(page) == hits
    assert errors == []


@needs_chromium
def test_a_browser_that_keeps_nothing_says_so(page: Any, rock: Path) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
    )
    opened(page, rock)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Delete")
    assert "not kept: export before you close" in page.locator("#kept").text_content()
    assert page.evaluate("app.store.safe") is False


@needs_chromium
@pytest.mark.filterwarnings("ignore")
def test_a_server_that_restarts_loses_nothing(context: Any, page: Any, tmp_path: Path) -> None:
    """Edits made while it is away are kept in the browser and saved when it is back; all others too."""
    folder = tmp_path / "work"
    recording = write_recording(tmp_path / "rock.flac", GROOVE_SECONDS)
    with serving(Stub(GROOVE), folder) as address:
        port = int(address.rsplit(":", 1)[1])
        page.goto(address)
        page.set_input_files("#files", str(recording))
        page.click("#jobs a")
        until(page, "window.app !== undefined && app.started")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Delete")
        until(page, "document.querySelector('#kept').textContent === 'saved'")
    page.keyboard.press("Delete")  # the server is away
    until(page, "document.querySelector('#kept').textContent.includes('does not answer')")
    page.click("#export summary")
    page.select_option("#times", "16")
    page.click("button[data-format=json]")
    until(page, "document.querySelector('#problem').textContent.includes('start mt3drum serve again')")
    page.select_option("#times", "")
    values = json.loads(saved(page, "json", tmp_path).read_text(encoding="utf-8"))
    assert len(values["hits"]) == len(GROOVE) - 2
    with serving(Stub(GROOVE), folder, port=port) as address:
        page.evaluate("app.store.look()")
        until(page, "document.querySelector('#kept').textContent === 'saved'")
        page.reload()
        until(page, "window.app !== undefined && app.started")
        assert on_page(page) == list(GROOVE[2:])
        # Another browser: nothing is shared but the server.
        stranger = context.browser.new_context()
        elsewhere = stranger.new_page()
        opened(elsewhere, page.url)
        assert on_page(elsewhere) == list(GROOVE[2:])
        elsewhere.keyboard.press("End")
        elsewhere.keyboard.press("a")
        until(elsewhere, "document.querySelector('#kept').textContent === 'saved'")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Delete")  # on an older revision: both edits count
        until(page, "document.querySelector('#kept').textContent === 'saved' && app.store.revision === 4")
        assert on_page(page)[:-1] == list(GROOVE[3:]) and on_page(page)[-1].time == GROOVE_SECONDS
        elsewhere.evaluate("app.store.look()")
        until(elsewhere, f"app.score.visible().length === {len(GROOVE) - 2}")
        stranger.close()


@needs_chromium
def test_candidates_are_kept_apart(page: Any, rock: Path) -> None:
    """Shown when asked for, neither heard nor exported until somebody confirms them."""
    opened(page, rock)
    page.click("#show summary")
    assert "(2)" in page.locator("#show label", has_text="Candidates").text_content()
    page.check("#candidates")
    page.keyboard.press("Escape")
    assert page.evaluate("app.score.drawn().length") == len(GROOVE) + len(CANDIDATES)
    assert on_page(page) == list(GROOVE)
    page.keyboard.press("u")
    assert page.evaluate("app.selected.time") == CANDIDATES[0].time
    page.keyboard.press("ArrowUp")
    assert on_page(page) == list(GROOVE)  # louder is not there
    page.keyboard.press("c")
    assert set(on_page(page)) - set(GROOVE) == {Hit(CANDIDATES[0].time, CANDIDATES[0].drum, 54, 1.0)}
    page.reload()
    until(page, "window.app !== undefined && app.started")
    assert len(on_page(page)) == len(GROOVE) + 1
