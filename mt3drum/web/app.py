"""`mt3drum serve`: the review page as a local web app for one user.

It binds to 127.0.0.1. Pages of other sites must not be able to use it: `Guard` accepts only requests with
this server as Host that come from its own pages (browsers send Origin with every request that changes state),
and every response forbids framing and foreign content.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mt3drum.files import SUFFIX
from mt3drum.transcriber import Transcriber
from mt3drum.web import openapi, scores
from mt3drum.web.escape import json_text, shown
from mt3drum.web.guard import Guard
from mt3drum.web.jobs import Busy, Full, Job, Limits, Queue
from mt3drum.web.page import LABELS, fill
from mt3drum.web.work import WorkFolder

HOST = "127.0.0.1"
_log = logging.getLogger("mt3drum.web.app")


def make_app(
    transcriber: Transcriber, port: int, work: WorkFolder, limits: Limits | None = None
) -> Starlette:
    """Create the app.

    Args:
        transcriber: does the work, in one thread.
        port: where the app is served; part of the accepted Host.
        work: storage, held by the caller (`WorkFolder.held`) while the app runs.
        limits: on uploads and on the queue.
    """
    limits = limits or Limits()
    uploads = asyncio.Semaphore(limits.uploads)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        queue = Queue(transcriber, work, limits)
        app.state.queue, app.state.port = queue, port
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
            except (Full, OSError) as error:
                raise HTTPException(507, shown(str(error))) from None
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
        return JSONResponse(job.public(queue.pace), 202)

    async def home(request: Request) -> Response:
        told = {"bytes": limits.bytes, "formats": dict(SUFFIX), "labels": LABELS}
        room = f"up to {limits.seconds / 60:.0f} minutes and {limits.bytes >> 20} MiB each"
        return scores.html(
            fill("serve.html", ("saving", "uploads", "serve"), limits=room, data=json_text(told))
        )

    routes = [
        Route("/", home),
        Route("/openapi.json", openapi.answer),
        Route("/api/jobs", _jobs, methods=["GET"]),
        Route("/api/jobs", upload, methods=["POST"]),
        Route("/api/jobs/{id}", _job, methods=["GET"]),
        Route("/api/jobs/{id}", _cancel, methods=["DELETE"]),
        *scores.routes(),
    ]
    handlers: dict[Any, Any] = {HTTPException: _one_line, Exception: _failure}
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Guard, port=port)],
        exception_handlers=handlers,
    )


def run(transcriber: Transcriber, port: int, work: WorkFolder) -> None:
    """Serve on 127.0.0.1 until interrupted.

    Args:
        work: held by the caller.

    Raises:
        OSError: the port is in use.
    """
    import socket

    import uvicorn

    with socket.socket() as probe:  # uvicorn would log something like a traceback and exit
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
    print(f"mt3drum serves on http://{HOST}:{port}/ (Ctrl-C stops it)", flush=True)
    print(f"recordings and edits are kept in {work.folder}", flush=True)
    uvicorn.run(
        make_app(transcriber, port, work),
        host=HOST,
        port=port,
        log_level="warning",
        limit_concurrency=64,
        timeout_keep_alive=5,
        server_header=False,
    )


async def _receive(request: Request, path: Path, most: int) -> None:
    size = 0
    with path.open("wb") as file:
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:  # regardless of Content-Length
                    raise HTTPException(413, f"the recording is larger than {most >> 20} MiB")
                await run_in_threadpool(file.write, chunk)
        except ClientDisconnect:
            raise HTTPException(400, "the upload broke off") from None
    if not size:
        raise HTTPException(400, "the file is empty")


def _public(request: Request, job: Job) -> dict[str, Any]:
    pace: float | None = request.app.state.queue.pace
    return job.public(pace)


async def _jobs(request: Request) -> Response:
    return JSONResponse([_public(request, job) for job in request.app.state.queue.all()])


async def _job(request: Request) -> Response:
    return JSONResponse(_public(request, scores.find(request)))


async def _cancel(request: Request) -> Response:
    await run_in_threadpool(request.app.state.queue.cancel, scores.find(request))
    return Response(status_code=204)


async def _one_line(request: Request, error: HTTPException) -> Response:
    return PlainTextResponse(f"error: {error.detail}", error.status_code, headers=error.headers)


async def _failure(request: Request, error: Exception) -> Response:
    _log.error("%s %s: %s: %s", request.method, request.url.path, type(error).__name__, error)
    return PlainTextResponse("error: the server failed; its terminal shows the reason", 500)
