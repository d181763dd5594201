"""OpenAPI 3.1 document of `mt3drum serve`, served at /openapi.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mt3drum.decoding import DECODERS
from mt3drum.files import SUFFIX
from mt3drum.formats.options import GRIDS
from mt3drum.rhythm.patterns import PATTERNS
from mt3drum.web.again import MAX_BEAM
from mt3drum.web.jobs import Limits
from mt3drum.web.notation import MAX_BARS
from tokenizer.drums import DRUMS, FAMILIES

Json = dict[str, Any]


def _object(required: Mapping[str, Json], optional: Mapping[str, Json] | None = None) -> Json:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


_SECONDS: Json = {"type": "number", "minimum": 0}
_COUNT: Json = {"type": "integer", "minimum": 0}
_METER: Json = {"enum": [f"{top}/{bottom}" for top, bottom in PATTERNS]}
_HIT = [
    _SECONDS | {"description": "seconds from the start of the recording"},
    {"type": "integer", "minimum": 0, "maximum": len(DRUMS) - 1, "description": "class of the drum"},
    {"type": "integer", "minimum": 1, "maximum": 127, "description": "velocity"},
    {"type": "number", "minimum": 0, "maximum": 1, "description": "confidence"},
]
_CHANGE = [_COUNT | {"description": "id"}, *_HIT, {"enum": [0, 1], "description": "1: still a candidate"}]


def _row(cells: list[Json], text: str) -> Json:
    return {
        "type": "array",
        "prefixItems": cells,
        "minItems": len(cells),
        "maxItems": len(cells),
        "description": text,
    }


def _sent() -> Json:
    """Schemas of scores in requests."""
    known = {
        "bpm": {"type": "number", "description": "the tempo, where it is known"},
        "meter": _METER | {"description": "the time signature, where it is known"},
    }
    return {
        "Known": _object({"hits": {"type": "array", "items": _reference("Hit")}}, known),
        "Score": _object(
            {"hits": {"type": "array", "items": _reference("Hit")}},
            {
                **known,
                "notes": {"enum": ["gm", "td17"], "default": "gm"},
                "grid": {"enum": list(GRIDS), "description": "quantise; without it: as played"},
                "beats": _reference("Tempo") | {"description": "beats to keep"},
            },
        ),
        "Part": _object(
            {
                "hits": {"type": "array", "items": _reference("Hit")},
                "from": _SECONDS | {"description": "start of the part"},
                "to": _SECONDS | {"description": "its end"},
            },
            {
                "decoder": {"enum": list(DECODERS), "description": "frames: the onset head alone"},
                "beam": {"type": "integer", "minimum": 1, "maximum": MAX_BEAM},
                "minimum_confidence": {"type": "number", "minimum": 0, "maximum": 1},
                "families": {
                    "type": "array",
                    "items": {"enum": list(FAMILIES)},
                    "description": "drums to replace; without it: all",
                },
            },
        ),
        "Bars": _object(
            {
                "hits": {"type": "array", "items": _reference("Hit")},
                "bar": {"type": "integer", "description": "number of the first bar"},
                "bars": {"type": "integer", "minimum": 1, "maximum": MAX_BARS},
            },
            {**known, "beats": _reference("Tempo")},
        ),
    }


def _schemas() -> Json:
    names = ", ".join(f"{drum.index} {drum.name}" for drum in DRUMS)
    beats = {"type": "array", "items": _SECONDS}
    tempo = _object(
        {
            "bpm": {"type": "number"},
            "meter": _METER,
            "steadiness": {"type": "number", "minimum": 0, "maximum": 1},
            "first": _COUNT | {"description": "beats of its bar before the first beat listed"},
            "beats": beats,
        },
        {"downbeats": beats},
    )
    changes = {
        "removed": {"type": "array", "items": _COUNT, "description": "ids of hits that were deleted"},
        "changed": {
            "type": "array",
            "items": _row(_CHANGE, "a hit that was moved, relabelled, added or confirmed"),
        },
    }
    revised = {"tempo": {"anyOf": [_reference("Tempo"), {"type": "null"}]}}
    return {
        "Job": _object(
            {
                "id": {"type": "string"},
                "name": {"type": "string"},
                "state": {"enum": ["uploading", "waiting", "working", "done", "failed"]},
                "progress": {"type": "number", "minimum": 0, "maximum": 1},
                "message": {"type": "string", "description": "why it failed"},
                "seconds": _SECONDS | {"description": "length of the recording; 0: not known yet"},
                "hits": _COUNT,
                "left": {
                    "type": ["number", "null"],
                    "description": "seconds of work left, where it can be told",
                },
            }
        ),
        "Hit": _row(_HIT, f"seconds, drum, velocity, confidence. Drums: {names}"),
        "Tempo": tempo,
        **_sent(),
        "Notation": _object(
            {
                "svg": {"type": "string"},
                "first": {"type": "integer", "description": "number of its first bar"},
            }
        ),
        "Replaced": _object(
            {
                "removed": {
                    "type": "array",
                    "items": _COUNT,
                    "description": "places in `hits` of those that go",
                },
                "added": {"type": "array", "items": _reference("Hit")},
            }
        ),
        "Edits": _object({"revision": _COUNT, **changes}, revised),
        "Revision": _object({"revision": _COUNT}),
    }


def _body(name: str) -> Json:
    return {"required": True, "content": {"application/json": {"schema": _reference(name)}}}


def _answer(text: str, schema: Json | None = None, kind: str = "application/json") -> Json:
    return {"description": text} | ({} if schema is None else {"content": {kind: {"schema": schema}}})


def _operation(summary: str, answers: Mapping[int, Json], errors: Mapping[int, str], **more: Any) -> Json:
    """One operation; errors are one line of text each."""
    text = {"schema": {"type": "string", "examples": ["error: no such recording here"]}}
    failures = {
        str(status): {"description": why, "content": {"text/plain": text}} for status, why in errors.items()
    }
    return {"summary": summary, "responses": {str(k): v for k, v in answers.items()} | failures, **more}


_IDENTITY = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
_GONE = {404: "no such recording"}
_NOT_YET = {**_GONE, 409: "not transcribed yet"}
_JSON_ERRORS = {**_NOT_YET, 400: "not a score", 413: "too many hits", 415: "not JSON"}


def _job_paths(limits: Limits) -> Json:
    """Paths of recordings and pages."""
    name = {"name": "name", "in": "query", "schema": {"type": "string"}, "description": "of the recording"}
    page = _answer("a page", {"type": "string"}, "text/html")
    job = _answer("the recording", _reference("Job"))
    sound = {"required": True, "content": {"application/octet-stream": {"schema": _FILE}}}
    full = {400: "empty, or broken off", 408: "too slow", 503: "busy; try again", 507: "full; remove some"}
    room = f"up to {limits.bytes >> 20} MiB and {limits.seconds / 60:.0f} minutes"
    return {
        "/": {"get": _operation("The list of recordings, as a page", {200: page}, {})},
        "/openapi.json": {
            "get": _operation("This document", {200: _answer("OpenAPI 3.1", {"type": "object"})}, {})
        },
        "/jobs/{id}": {
            "parameters": [_IDENTITY],
            "get": _operation("The review page of a recording", {200: page}, _NOT_YET),
        },
        "/api/jobs": {
            "get": _operation(
                "All recordings", {200: _answer("a list", {"type": "array", "items": _reference("Job")})}, {}
            ),
            "post": _operation(
                f"Send a recording, {room}; it is transcribed when its turn comes",
                {202: job},
                {**full, 413: "too large"},
                parameters=[name],
                requestBody=sound,
            ),
        },
        "/api/jobs/{id}": {
            "parameters": [_IDENTITY],
            "get": _operation("How far a recording is", {200: job}, _GONE),
            "delete": _operation("Stop and remove a recording", {204: _answer("removed")}, _GONE),
        },
    }


def _score_paths() -> Json:
    """Paths of one score."""
    format_ = {"name": "format", "in": "path", "required": True, "schema": {"enum": list(SUFFIX)}}
    after = {"name": "after", "in": "query", "schema": {"type": "integer"}, "description": "known revision"}
    saved = _answer("the new revision", _reference("Revision"))
    stale = _answer("others have saved since `revision`: their edits", _reference("Edits"))
    written = _answer("the file", _FILE, "application/octet-stream")
    no_beat = {422: "impossible in this format, or no steady beat"}
    return {
        "/api/jobs/{id}/export/{format}": {
            "parameters": [_IDENTITY, format_],
            "get": _operation("The score as edited last", {200: written}, {**_NOT_YET, **no_beat}),
            "post": _operation(
                "The score that is sent",
                {200: written},
                {**_JSON_ERRORS, **no_beat},
                requestBody=_body("Score"),
            ),
        },
        "/api/jobs/{id}/tempo": {
            "parameters": [_IDENTITY],
            "post": _operation(
                "Beats of the hits that are sent; null: no steady beat",
                {200: _answer("beats", {"anyOf": [_reference("Tempo"), {"type": "null"}]})},
                {**_JSON_ERRORS, 422: "a tempo or meter that is none"},
                requestBody=_body("Known"),
            ),
        },
        "/api/jobs/{id}/notation": {
            "parameters": [_IDENTITY],
            "post": _operation(
                "Some bars of the hits that are sent, as written music",
                {200: _answer("a picture", _reference("Notation"))},
                {**_JSON_ERRORS, **no_beat, 501: "verovio is not installed"},
                requestBody=_body("Bars"),
            ),
        },
        "/api/jobs/{id}/edits": {
            "parameters": [_IDENTITY],
            "get": _operation(
                "What was edited",
                {200: _answer("edits", _reference("Edits")), 204: _answer("nothing since `after`")},
                _NOT_YET,
                parameters=[after],
            ),
            "put": _operation(
                "Keep edits that are based on the last revision",
                {200: saved, 409: stale},
                {k: v for k, v in _JSON_ERRORS.items() if k != 409} | {507: "cannot be kept"},
                requestBody=_body("Edits"),
            ),
        },
    }


def _part_path() -> Json:
    return {
        "/api/jobs/{id}/part": {
            "parameters": [_IDENTITY],
            "post": _operation(
                "Transcribe a part again, with other options, and merge it into the hits that are sent",
                {200: _answer("what becomes of the hits", _reference("Replaced"))},
                {**_JSON_ERRORS, 422: "cannot be transcribed again", 503: "busy; try again"},
                requestBody=_body("Part"),
            ),
        },
    }


def document(port: int, limits: Limits) -> Json:
    """The complete document.

    Args:
        port: where the app is served.
    """
    from mt3drum import __version__

    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mt3drum serve",
            "version": __version__,
            "summary": "Automatic drum transcription on this machine",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": f"http://127.0.0.1:{port}"}],
        "paths": {**_job_paths(limits), **_score_paths(), **_part_path()},
        "components": {"schemas": _schemas()},
    }


async def answer(request: Request) -> Response:
    """Handle GET /openapi.json."""
    return JSONResponse(document(request.app.state.port, request.app.state.queue.limits))
