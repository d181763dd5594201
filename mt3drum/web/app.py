"""`mt3drum serve`: the review page as a small web app for one person on one machine.

Bound to 127.0.0.1. A page of another site must not be able to use it: `Guard` lets through only requests that
name this server as Host and come from its own pages (a browser sends Origin with every request that changes
something), and every answer forbids framing and foreign content.
"""

from __future__ import annotations

import asyncio
import logging
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mt3drum.files import SUFFIX
from mt3drum.formats import write
from mt3drum.rhythm.estimate import estimate
from mt3drum.rhythm.patterns import PATTERNS
from mt3drum.transcriber import Transcriber, Transcription
from mt3drum.web.edits import Edit, parse_edit
from mt3drum.web.jobs import Busy, Job, Limits, Queue
from mt3drum.web.page import fill, page_tempo, shown

HOST = "127.0.0.1"
MAX_JSON_BYTES = 16 * 2**20
LABELS = {
    "musicxml": "MusicXML",
    "jams": "JAMS",
    "tab": "Drum tab",
    "chart": "Clone Hero (zip)",
    "wav": "WAV: click and drums",
}
"""Of the formats that the page cannot write itself."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_CSP = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')
_log = logging.getLogger("mt3drum.web.app")


class Guard:
    """Refuses requests for another host or from another origin; adds the security headers to every answer."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        if port == 80:
            self.hosts |= {"127.0.0.1", "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        refusal = self._refusal(headers)
        target = self.app if refusal is None else PlainTextResponse(refusal, 403)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {key.lower() for key, _ in message["headers"]}
                extra = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", **_HEADERS}
                message["headers"] = list(message["headers"]) + [
                    (key.lower().encode(), value.encode())
                    for key, value in extra.items()
                    if key.lower().encode() not in present
                ]
            await send(message)

        await target(scope, receive, guarded)

    def _refusal(self, headers: Mapping[str, str]) -> str | None:
        """DNS rebinding shows in Host, a foreign page in Origin or Sec-Fetch-Site."""
        if headers.get("host") not in self.hosts:
            return "error: this server answers to 127.0.0.1 and localhost only"
        origin = headers.get("origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.hosts}:
            return "error: requests from pages of other sites are refused"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and headers.get(
            "sec-fetch-mode"
        ) not in ("navigate", None):
            return "error: requests from pages of other sites are refused"
        return None


def make_app(transcriber: Transcriber, port: int, limits: Limits | None = None) -> Starlette:
    """The app. Everything it keeps is in one temporary folder that goes when it stops.

    Args:
        transcriber: does the work, in one thread.
        port: where the app is served: part of the Host it answers to.
        limits: of uploads and of the queue.
    """
    limits = limits or Limits()
    uploads = asyncio.Semaphore(limits.uploads)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with tempfile.TemporaryDirectory(prefix="mt3drum-") as folder:
            queue = Queue(transcriber, Path(folder), limits, _server_of)
            app.state.queue = queue
            app.state.writing = asyncio.Semaphore(limits.exports)
            queue.start()
            try:
                yield
            finally:
                await run_in_threadpool(queue.stop)

    async def upload(request: Request) -> Response:
        queue: Queue = request.app.state.queue
        declared = request.headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > limits.bytes:
            raise HTTPException(413, f"the recording is larger than {limits.bytes >> 20} MiB")
        if uploads.locked():
            raise HTTPException(503, "too many uploads at once; try again in a moment")
        async with uploads:
            try:
                job = queue.reserve(shown(request.query_params.get("name", "recording"))[:200])
            except Busy as error:
                raise HTTPException(503, str(error)) from None
            try:
                async with asyncio.timeout(limits.upload_seconds):
                    await _receive(request, job.upload, limits.bytes)
            except TimeoutError:
                queue.forget(job)
                raise HTTPException(
                    408, f"the upload took longer than {limits.upload_seconds:.0f} s"
                ) from None
            except BaseException:
                queue.forget(job)
                raise
            queue.submit(job)
        return JSONResponse(job.public(), 202)

    routes = [
        Route("/", _home),
        Route("/api/jobs", _jobs, methods=["GET"]),
        Route("/api/jobs", upload, methods=["POST"]),
        Route("/api/jobs/{id}", _job, methods=["GET"]),
        Route("/api/jobs/{id}", _cancel, methods=["DELETE"]),
        Route("/api/jobs/{id}/export/{format}", _export, methods=["POST"]),
        Route("/api/jobs/{id}/tempo", _tempo, methods=["POST"]),
        Route("/jobs/{id}", _page),
    ]
    handlers: dict[Any, Any] = {HTTPException: _one_line, Exception: _failure}
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Guard, port=port)],
        exception_handlers=handlers,
    )


def run(transcriber: Transcriber, port: int) -> None:
    """Serve on 127.0.0.1 until interrupted.

    Raises:
        OSError: the port is taken.
    """
    import socket

    import uvicorn

    with socket.socket() as probe:  # uvicorn would log a traceback-like line and exit
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
    print(f"mt3drum serves on http://{HOST}:{port}/ (Ctrl-C stops it)", flush=True)
    uvicorn.run(
        make_app(transcriber, port),
        host=HOST,
        port=port,
        log_level="warning",
        limit_concurrency=64,
        timeout_keep_alive=5,
        server_header=False,
    )


def _server_of(job_id: str) -> dict[str, Any]:
    return {
        "export": f"/api/jobs/{job_id}/export",
        "tempo": f"/api/jobs/{job_id}/tempo",
        "formats": dict(SUFFIX),
        "labels": LABELS,
        "meters": [f"{a}/{b}" for a, b in PATTERNS],
    }


async def _receive(request: Request, path: Path, most: int) -> None:
    size = 0
    with path.open("wb") as file:
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:  # whatever Content-Length said
                    raise HTTPException(413, f"the recording is larger than {most >> 20} MiB")
                await run_in_threadpool(file.write, chunk)
        except ClientDisconnect:
            raise HTTPException(400, "the upload broke off") from None
    if not size:
        raise HTTPException(400, "the file is empty")


def _find(request: Request) -> Job:
    job = request.app.state.queue.find(request.path_params["id"])
    if job is None:
        raise HTTPException(404, "no such recording here; it may have been dropped, send it again")
    return job


async def _home(request: Request) -> Response:
    return _html(fill("serve.html", ("serve",)))


async def _jobs(request: Request) -> Response:
    return JSONResponse([job.public() for job in request.app.state.queue.all()])


async def _job(request: Request) -> Response:
    return JSONResponse(_find(request).public())


async def _cancel(request: Request) -> Response:
    request.app.state.queue.cancel(_find(request))
    return Response(status_code=204)


async def _page(request: Request) -> Response:
    job = _find(request)
    if job.state != "done":
        raise HTTPException(409, "this recording is not transcribed yet")
    return _html(await run_in_threadpool(job.page.read_text, encoding="utf-8"))


def _html(text: str) -> HTMLResponse:
    """The page's own policy as a header, where it can forbid framing as well."""
    found = _CSP.search(text)
    assert found is not None
    return HTMLResponse(text, headers={"Content-Security-Policy": f"{found[1]}; frame-ancestors 'none'"})


async def _tempo(request: Request) -> Response:
    """Beats anew, from the hits as they are now and what the user knows of tempo and meter."""
    job = _find(request)
    edit = _edit(await _json(request), job)
    try:
        async with request.app.state.writing:
            grid = await run_in_threadpool(
                estimate, edit.hits, job.seconds, bpm=edit.options.bpm, meter=edit.options.meter
            )
    except ValueError as error:
        raise HTTPException(422, shown(str(error))[:200]) from None
    return JSONResponse(page_tempo(grid))


async def _export(request: Request) -> Response:
    job, name = _find(request), request.path_params["format"]
    if name not in SUFFIX:
        raise HTTPException(404, f"no such format: {shown(name)[:40]}")
    edit = _edit(await _json(request), job)
    folder = tempfile.TemporaryDirectory(dir=request.app.state.queue.folder)
    try:
        base = Path(folder.name) / "score"
        result = Transcription(edit.hits, job.seconds, Path(job.name))
        async with request.app.state.writing:
            (path, *_) = await run_in_threadpool(write.write, result, base, (name,), edit.notes, edit.options)
    except write.NoGridError:
        folder.cleanup()
        raise HTTPException(
            422, f"no steady beat found, and {name} on a grid needs one; set the tempo, then export again"
        ) from None
    except (ValueError, OSError) as error:
        folder.cleanup()
        raise HTTPException(422, f"cannot be written as {name}: {shown(str(error))[:200]}") from None
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename="score" + SUFFIX[name],
        background=BackgroundTask(folder.cleanup),
    )


def _edit(body: bytes, job: Job) -> Edit:
    try:
        return parse_edit(body, job.seconds)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise HTTPException(400, f"not a score: {shown(str(error))[:200]}") from None


async def _json(request: Request) -> bytes:
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise HTTPException(415, "JSON is wanted")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON_BYTES:
            raise HTTPException(413, "too many hits")
    return bytes(body)


async def _one_line(request: Request, error: HTTPException) -> Response:
    return PlainTextResponse(f"error: {error.detail}", error.status_code, headers=error.headers)


async def _failure(request: Request, error: Exception) -> Response:
    _log.error("%s %s: %s: %s", request.method, request.url.path, type(error).__name__, error)
    return PlainTextResponse("error: something went wrong in the server; its terminal says what", 500)
