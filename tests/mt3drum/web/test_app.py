"""The web app: only for this machine's own pages, bounded, tidy, and polite about bad files."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mt3drum.files import SUFFIX
from mt3drum.formats.read_json import read_tempo
from mt3drum.web.jobs import Limits
from mt3drum.web.work import WorkFolder
from tests.readers import check
from tests.review_stub import GROOVE, GROOVE_SECONDS, HITS, HOSTILE, SECONDS, Stub, write_recording
from tokenizer.hits import Hit

pytest.importorskip("starlette", reason="the extra 'web' is not installed")
from starlette.testclient import TestClient

from mt3drum.cli import main
from mt3drum.transcriber import Transcriber
from mt3drum.web.app import make_app

BASE = "http://127.0.0.1:8026"
LIMITS = Limits(bytes=2**20, seconds=10.0)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_recording(tmp_path_factory.mktemp("serve") / "take.flac").read_bytes()


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
def work(tmp_path: Path) -> Iterator[WorkFolder]:
    work = WorkFolder(tmp_path / "work")
    with work.held():
        yield work


@pytest.fixture
def client(stub: Stub, work: WorkFolder) -> Iterator[TestClient]:
    with TestClient(make_app(stub, 8026, work, LIMITS), BASE) as client:
        yield client


def send(client: TestClient, content: bytes, name: str = "take.flac") -> Any:
    return client.post("/api/jobs", params={"name": name}, content=content)


def finished(client: TestClient, identity: str) -> dict[str, Any]:
    end = time.monotonic() + 600  # the first page imports librosa
    while time.monotonic() < end:
        job: dict[str, Any] = client.get(f"/api/jobs/{identity}").json()
        if job["state"] in ("done", "failed"):
            return job
        time.sleep(0.05)
    raise AssertionError("the job never ends")


def one_line(response: Any, status: int, text: str) -> None:
    assert response.status_code == status, response.text
    assert response.text.startswith("error: ") and "\n" not in response.text and text in response.text


def files_of(client: TestClient) -> set[str]:
    """Names of all files that are kept of recordings, without their folder's."""
    folder = client.app.state.queue.work.recordings  # type: ignore[attr-defined]
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_upload_wait_review_export_remove(client: TestClient, sound: bytes) -> None:
    response = send(client, sound)
    assert response.status_code == 202
    job = finished(client, response.json()["id"])
    assert (job["state"], job["hits"], job["seconds"]) == ("done", len(HITS), SECONDS)
    page = client.get(f"/jobs/{job['id']}")
    assert "take.flac" in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert files_of(client) == {"job.json", "page.json", "sound"}  # the upload is gone
    edited = [*HITS[1:], Hit(2.5, 0, 99)]
    rows = [[hit.time, hit.drum, hit.velocity, hit.confidence] for hit in edited]
    answer = client.post(f"/api/jobs/{job['id']}/export/json", json={"hits": rows})
    written = json.loads(answer.content)["hits"]
    assert [(hit["time"], hit["velocity"]) for hit in written] == [
        (h.time, h.velocity) for h in sorted(edited)
    ]
    assert answer.headers["content-disposition"] == 'attachment; filename="take.json"'
    midi = client.post(f"/api/jobs/{job['id']}/export/midi", json={"hits": rows, "notes": "td17"})
    assert midi.content.startswith(b"MThd")
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 204
    one_line(client.get(f"/jobs/{job['id']}"), 404, "no such recording")
    assert files_of(client) == set()


@pytest.fixture(scope="module")
def groove(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, str]]:
    """A client, and a recording in which a steady groove was heard."""
    path = write_recording(tmp_path_factory.mktemp("groove") / "rock.flac", GROOVE_SECONDS)
    limits = replace(LIMITS, seconds=60.0)
    work = WorkFolder(tmp_path_factory.mktemp("groove-work"))
    with work.held(), TestClient(make_app(Stub(GROOVE), 8026, work, limits), BASE) as client:
        yield client, finished(client, send(client, path.read_bytes(), "rock.flac").json()["id"])["id"]


def edited() -> list[Hit]:
    """One stroke deleted, one louder and on another drum, one added."""
    second, *rest = GROOVE[1:]
    return sorted([replace(second, drum=3, velocity=120, confidence=1.0), *rest, Hit(8.95, 2, 77)])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SUFFIX)
def test_every_format_holds_the_edit(groove: tuple[TestClient, str], name: str) -> None:
    client, identity = groove
    hits = edited()
    rows = [[hit.time, hit.drum, hit.velocity, hit.confidence] for hit in hits]
    record = tempo_of(client, identity)
    assert record["meter"] == "4/4" and record["bpm"] == pytest.approx(120, rel=0.005)
    body = {"hits": rows, "notes": "td17", "beats": record}
    answer = client.post(f"/api/jobs/{identity}/export/{name}", json=body)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="rock{SUFFIX[name]}"'
    check(name, answer.content, hits, "td17")


def tempo_of(client: TestClient, identity: str) -> dict[str, Any]:
    """What the page knows of the beats."""
    page = client.get(f"/jobs/{identity}").text
    data = page.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    tempo: dict[str, Any] = json.loads(data)["tempo"]
    return tempo


def test_a_quantised_copy(groove: tuple[TestClient, str]) -> None:
    client, identity = groove
    rows = [[hit.time, hit.drum, hit.velocity, hit.confidence] for hit in GROOVE]
    record = tempo_of(client, identity)
    body = {"hits": rows, "beats": record, "grid": "16"}
    written = client.post(f"/api/jobs/{identity}/export/json", json=body).json()
    assert len(written["hits"]) == len(GROOVE)
    played, grid = read_tempo(record), read_tempo(written["tempo"])
    steps = [4 * grid.position(hit["time"]) for hit in written["hits"]]
    assert steps == pytest.approx([round(step) for step in steps], abs=0.01)
    assert [round(4 * played.position(hit.time)) for hit in GROOVE] == [round(step) for step in steps]
    # Those of the tempo map, which begins with the file.
    assert grid.beats[1:] == pytest.approx(played.beats[1:], abs=0.02)


def test_beats_anew(groove: tuple[TestClient, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, identity = groove
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rows = [[hit.time, hit.drum, hit.velocity, hit.confidence] for hit in GROOVE]

    def found(**known: object) -> Any:
        return client.post(f"/api/jobs/{identity}/tempo", json={"hits": rows, **known})

    assert found().json() == tempo_of(client, identity)
    half = found(bpm=60, meter="2/4").json()
    assert half["meter"] == "2/4" and half["text"].endswith(" bpm, 2/4")
    assert half["tempos"][-1][1] == pytest.approx(60, rel=0.01)
    one_line(found(bpm=5), 422, "outside 20..500")
    one_line(found(meter="4/3"), 400, "not a score: meter 4/3 is not one of")
    few = {"hits": rows[:8]}
    assert client.post(f"/api/jobs/{identity}/tempo", json=few).json() is None
    one_line(client.post(f"/api/jobs/{identity}/export/tab", json=few), 422, "set the tempo")
    one_line(client.post(f"/api/jobs/{identity}/export/csv", json={**few, "grid": "8"}), 422, "set the tempo")
    assert client.post(f"/api/jobs/{identity}/export/csv", json=few).status_code == 200
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(client: TestClient, sound: bytes, name: str) -> None:
    job = finished(client, send(client, sound, name).json()["id"])
    assert job["state"] == "done"
    folder = client.app.state.queue.work.recordings  # type: ignore[attr-defined]
    assert [path.name for path in folder.iterdir()] == [job["id"]]
    assert files_of(client) == {"job.json", "page.json", "sound"}
    page = client.get(f"/jobs/{job['id']}").text
    assert 'onerror="document' not in page and "<script>document" not in page
    assert page.count("<script>") == 1


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:8026", ""]
)
def test_other_hosts_are_refused(client: TestClient, host: str) -> None:
    """DNS rebinding: another name that leads to 127.0.0.1."""
    one_line(client.get("/api/jobs", headers={"Host": host}), 403, "127.0.0.1 or localhost")


def test_localhost_is_this_host(client: TestClient) -> None:
    assert client.get("/", headers={"Host": "localhost:8026"}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:8026"]
)
def test_other_origins_are_refused(client: TestClient, sound: bytes, origin: str) -> None:
    response = client.post("/api/jobs", content=sound, headers={"Origin": origin})
    one_line(response, 403, "other sites")
    assert client.get("/api/jobs").json() == []
    assert send(client, sound).status_code == 202
    fetch = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    one_line(client.get("/api/jobs", headers=fetch), 403, "other sites")


def test_the_own_origin_is_let_in(client: TestClient, sound: bytes) -> None:
    assert client.post("/api/jobs", content=sound, headers={"Origin": BASE}).status_code == 202


@pytest.mark.parametrize("path", ["/", "/api/jobs", "/nowhere", "/jobs/none"])
def test_every_answer_is_guarded(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_oversized_uploads(client: TestClient) -> None:
    one_line(send(client, bytes(2**20 + 1)), 413, "larger than 1 MiB")

    def chunks() -> Iterator[bytes]:  # no Content-Length
        for _ in range(20):
            yield bytes(2**16)

    one_line(client.post("/api/jobs", content=chunks()), 413, "larger than 1 MiB")
    one_line(send(client, b""), 400, "empty")
    assert files_of(client) == set() and client.get("/api/jobs").json() == []


def test_bad_audio_is_one_line_with_its_own_name(client: TestClient) -> None:
    job = finished(client, send(client, b"not audio" * 99, "<b>song</b>.wav").json()["id"])
    assert job["state"] == "failed" and job["message"].startswith("<b>song</b>.wav: ")
    assert "/" not in job["message"].removeprefix("<b>song</b>.wav") and "\n" not in job["message"]
    one_line(client.get(f"/jobs/{job['id']}"), 409, "not transcribed yet")
    assert files_of(client) == {"job.json"}


def test_long_recordings_are_refused(client: TestClient, tmp_path: Path) -> None:
    path = write_recording(tmp_path / "long.flac", 12.0)
    job = finished(client, send(client, path.read_bytes(), "long.flac").json()["id"])
    assert job["state"] == "failed" and "long.flac: longer than" in job["message"]


def test_the_queue_is_bounded_in_order_and_cancelled(stub: Stub, work: WorkFolder, sound: bytes) -> None:
    gate = threading.Event()
    stub.on_file = lambda: gate.wait(60)
    with TestClient(make_app(stub, 8026, work, replace(LIMITS, waiting=3)), BASE) as client:
        first, second, third = (send(client, sound, f"{i}.flac").json()["id"] for i in range(3))
        one_line(send(client, sound), 503, "queue is full")
        assert client.delete(f"/api/jobs/{second}").status_code == 204
        assert (
            client.delete(f"/api/jobs/{first}").status_code == 204
        )  # perhaps under way: stopped at its batch
        gate.set()
        assert finished(client, third)["state"] == "done"
        assert [job["id"] for job in client.get("/api/jobs").json()] == [third]
        assert [path.name for path in work.recordings.iterdir()] == [third]


def test_a_crash_of_one_recording_leaves_the_next(client: TestClient, stub: Stub, sound: bytes) -> None:
    def crash() -> None:
        raise AssertionError("broken")

    stub.on_file = crash
    assert finished(client, send(client, sound).json()["id"])["message"] == "broken"
    stub.on_file = lambda: None
    assert finished(client, send(client, sound).json()["id"])["state"] == "done"


def test_work_is_bounded_in_time_and_old_failures_go(stub: Stub, work: WorkFolder, sound: bytes) -> None:
    limits = replace(LIMITS, work_seconds=0.0, failed=2)
    with TestClient(make_app(stub, 8026, work, limits), BASE) as client:
        jobs = [send(client, sound).json()["id"] for _ in range(3)]
        assert "took longer" in finished(client, jobs[-1])["message"]
        end = time.monotonic() + 20
        while len(client.get("/api/jobs").json()) > 2 and time.monotonic() < end:
            time.sleep(0.05)
        assert [job["id"] for job in client.get("/api/jobs").json()] == jobs[1:]


def test_no_result_is_dropped_unasked(stub: Stub, work: WorkFolder, sound: bytes) -> None:
    """What somebody may have corrected goes only when they say so."""
    with TestClient(make_app(stub, 8026, work, replace(LIMITS, kept=2)), BASE) as client:
        jobs = [send(client, sound).json()["id"] for _ in range(2)]
        finished(client, jobs[-1])
        one_line(send(client, sound), 507, "2 recordings are kept here; remove some first")
        assert [job["id"] for job in client.get("/api/jobs").json()] == jobs
        client.delete(f"/api/jobs/{jobs[0]}")
        assert send(client, sound).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"hits": [[0.5, 0, 64]]}',
        '{"hits": [[0.5, 99, 64, 1]]}',
        '{"hits": [[1e999, 0, 64, 1]]}',
        '{"hits": [["x", 0, 64, 1]]}',
        '{"hits": [[0.5, true, 64, 1]]}',
        '{"hits": [], "notes": "../x"}',
        '{"hits": [], "grid": "12"}',
        '{"hits": [], "grid": ["8"]}',
        '{"hits": [], "bpm": "fast"}',
        '{"hits": [], "meter": 4}',
        '{"hits": [], "beats": {"beats": [2, 1], "meter": "4/4", "first": 0, "steadiness": 1}}',
        '{"hits": [], "beats": {"beats": [1, 2], "meter": "4/4", "first": -1, "steadiness": 1}}',
        '{"hits": [[4.5, 0, 64, 1]]}',
        '{"hits": 3}',
    ],
)
def test_bad_scores(client: TestClient, sound: bytes, body: str) -> None:
    identity = finished(client, send(client, sound).json()["id"])["id"]
    headers = {"Content-Type": "application/json"}
    one_line(
        client.post(f"/api/jobs/{identity}/export/midi", content=body, headers=headers), 400, "not a score"
    )
    one_line(
        client.post(f"/api/jobs/{identity}/export/exe", content=body, headers=headers), 404, "no such format"
    )
    one_line(client.post(f"/api/jobs/{identity}/export/midi", content=body), 415, "expected JSON")


def test_a_taken_port_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Transcriber, "load", staticmethod(lambda *_, **__: Stub()))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main.main(["serve", "--port", str(port)]) == 1
    error = capsys.readouterr().err
    assert f"error: port {port} cannot be used" in error and error.count("\n") == 1
    assert main.main(["serve", "--port", "99999"]) == 2
