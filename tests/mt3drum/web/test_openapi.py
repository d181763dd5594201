"""/openapi.json: valid, complete, and true of what the app answers; the examples of docs/serve.md work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra 'web' is not installed")
pytest.importorskip("openapi_spec_validator", reason="the extra 'dev' is not installed")
import jsonschema
import openapi_spec_validator
from starlette.routing import Route
from starlette.testclient import TestClient

from mt3drum.web import notation
from mt3drum.web.app import make_app
from mt3drum.web.jobs import Limits
from mt3drum.web.openapi import document
from mt3drum.web.work import WorkFolder
from tests import ROOT
from tests.mt3drum.web.test_app import BASE, finished, send
from tests.review_stub import GROOVE, GROOVE_SECONDS, Stub, write_recording

PAGE = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
DOCUMENT = document(8026, Limits())


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("sound") / "song.wav", GROOVE_SECONDS)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    work = WorkFolder(tmp_path_factory.mktemp("work"))
    with work.held(), TestClient(make_app(Stub(GROOVE), 8026, work), BASE) as client:
        yield client


@pytest.fixture(scope="module")
def done(client: TestClient, sound: Path) -> str:
    answer = send(client, sound.read_bytes(), "song.wav")
    check("/api/jobs", "post", answer)
    identity: str = finished(client, answer.json()["id"])["id"]
    return identity


def check(path: str, method: str, answer: Any) -> Any:
    """That the document knows this answer; returns its JSON."""
    responses = DOCUMENT["paths"][path][method]["responses"]
    assert str(answer.status_code) in responses, (
        f"{method} {path} answers {answer.status_code}: {answer.text}"
    )
    content = responses[str(answer.status_code)].get("content")
    if content is None:
        assert not answer.content
        return None
    kind = answer.headers["content-type"].split(";")[0]
    assert kind in content
    if kind != "application/json":
        return None
    schema = content[kind]["schema"] | {"components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer.json())
    return answer.json()


def test_it_is_valid_and_served(client: TestClient) -> None:
    answer = client.get("/openapi.json")
    openapi_spec_validator.validate(answer.json())
    assert answer.json() == DOCUMENT


def test_it_has_every_route_and_no_other(client: TestClient) -> None:
    routes = [route for route in client.app.routes if isinstance(route, Route)]  # type: ignore[attr-defined]
    served = {(route.path, method.lower()) for route in routes for method in route.methods or ()}
    told = {
        (path, method)
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert told == {(path, method) for path, method in served if method != "head"} and len(told) >= 12


def test_answers_are_as_described(client: TestClient, done: str) -> None:
    path, one = "/api/jobs/{id}", f"/api/jobs/{done}"
    assert check("/api/jobs", "get", client.get("/api/jobs"))[0]["hits"] == len(GROOVE)
    assert check(path, "get", client.get(one))["state"] == "done"
    check("/", "get", client.get("/"))
    check("/jobs/{id}", "get", client.get(f"/jobs/{done}"))
    rows = [[hit.time, hit.drum, hit.velocity, hit.confidence] for hit in GROOVE]
    tempo = check(f"{path}/tempo", "post", client.post(f"{one}/tempo", json={"hits": rows, "bpm": 120}))
    assert tempo["bpm"] == pytest.approx(120, rel=0.05)
    check(f"{path}/tempo", "post", client.post(f"{one}/tempo", json={"hits": rows[:1]}))  # null
    check(f"{path}/edits", "get", client.get(f"{one}/edits"))
    edits = {"revision": 0, "removed": [0], "changed": [[1, *rows[1], 0]], "tempo": tempo}
    jsonschema.Draft202012Validator(
        DOCUMENT["components"]["schemas"]["Edits"] | {"components": DOCUMENT["components"]}
    ).validate(edits)
    assert check(f"{path}/edits", "put", client.put(f"{one}/edits", json=edits)) == {"revision": 1}
    stale = client.put(f"{one}/edits", json=edits)
    assert stale.status_code == 409 and check(f"{path}/edits", "put", stale)["removed"] == [0]
    check(f"{path}/edits", "get", client.get(f"{one}/edits?after=1"))
    export = f"{path}/export/{{format}}"
    check(export, "get", client.get(f"{one}/export/midi"))
    score = {"hits": rows, "grid": "16", "notes": "td17", "beats": tempo}
    check(export, "post", client.post(f"{one}/export/csv", json=score))
    if notation.available():
        bars = {"hits": rows, "bar": 1, "bars": 2, "beats": tempo}
        assert "<svg" in check(f"{path}/notation", "post", client.post(f"{one}/notation", json=bars))["svg"]


def test_errors_are_as_described(client: TestClient, done: str) -> None:
    path, one = "/api/jobs/{id}", f"/api/jobs/{done}"
    for method, suffix in (("get", ""), ("delete", ""), ("get", "/edits"), ("post", "/tempo")):
        answer = client.request(method, f"/api/jobs/gone{suffix}")
        assert answer.status_code == 404
        check(path + suffix, method, answer)
    check("/api/jobs", "post", client.post("/api/jobs", content=b""))  # empty
    export = f"{path}/export/{{format}}"
    check(export, "get", client.get(f"{one}/export/none"))
    for kind in ("application/json", "text/plain"):
        for suffix, method in (("/tempo", "post"), ("/notation", "post"), ("/edits", "put")):
            answer = client.request(method, one + suffix, content=b"{", headers={"content-type": kind})
            check(path + suffix, method, answer)
    check(export, "post", client.post(f"{one}/export/tab", json={"hits": []}))  # no beat


def test_the_examples_work(client: TestClient, sound: Path) -> None:
    block = re.search(r"<!-- curl: begin -->\n```\n(.*?)```\n<!-- curl: end -->", PAGE, re.DOTALL)
    assert block is not None
    identity, seen = "ID", []
    for line in block[1].splitlines():
        words = shlex.split(line, comments=True)
        assert words[0] == "curl"
        url = next(word for word in words if word.startswith("http"))
        content = sound.read_bytes() if "--data-binary" in words else None
        method = words[words.index("-X") + 1] if "-X" in words else "POST" if content else "GET"
        answer = client.request(method, url.replace("/ID", f"/{identity}"), content=content)
        assert answer.status_code < 300, line
        if content:
            identity = finished(client, answer.json()["id"])["id"]
        seen.append((method, answer.status_code))
    assert seen == [("POST", 202), *[("GET", 200)] * 3, ("DELETE", 204), ("GET", 200)]
