"""The web app's routes for one transcribed recording: its page, edits, beats and exports."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mt3drum.files import SUFFIX
from mt3drum.formats import write
from mt3drum.formats.options import ScoreOptions
from mt3drum.formats.read_json import read_tempo
from mt3drum.rhythm.estimate import estimate
from mt3drum.rhythm.patterns import PATTERNS
from mt3drum.transcriber import Transcription
from mt3drum.web import notation
from mt3drum.web.again import difference, parse_again
from mt3drum.web.edits import Edit, parse_changes, parse_edit
from mt3drum.web.escape import shown
from mt3drum.web.jobs import Busy, Job, Queue
from mt3drum.web.page import LABELS, PageData, page_tempo, render_page
from mt3drum.web.work import Stale, WorkFolder

MAX_JSON_BYTES = 16 * 2**20
_CSP = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')
_WRONG = (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError)


def routes() -> list[Route]:
    """The routes of this module."""
    return [
        Route("/jobs/{id}", _page),
        Route("/api/jobs/{id}/export/{format}", _export, methods=["POST"]),
        Route("/api/jobs/{id}/export/{format}", _export_kept, methods=["GET"]),
        Route("/api/jobs/{id}/tempo", _tempo, methods=["POST"]),
        Route("/api/jobs/{id}/notation", _notation, methods=["POST"]),
        Route("/api/jobs/{id}/part", _part, methods=["POST"]),
        Route("/api/jobs/{id}/edits", _edits, methods=["GET"]),
        Route("/api/jobs/{id}/edits", _save_edits, methods=["PUT"]),
    ]


def find(request: Request) -> Job:
    """The job of a request.

    Raises:
        HTTPException: there is no such job.
    """
    job: Job | None = request.app.state.queue.find(request.path_params["id"])
    if job is None:
        raise HTTPException(404, "no such recording here; it may have been removed, send it again")
    return job


def html(text: str) -> HTMLResponse:
    """An HTML response with the page's policy as a header, where it can also forbid framing."""
    found = _CSP.search(text)
    assert found is not None
    return HTMLResponse(text, headers={"Content-Security-Policy": f"{found[1]}; frame-ancestors 'none'"})


def _done(request: Request) -> tuple[Job, WorkFolder]:
    job = find(request)
    if job.state != "done":
        raise HTTPException(409, "this recording is not transcribed yet")
    return job, request.app.state.queue.work


async def _page(request: Request) -> Response:
    job, work = _done(request)

    def render() -> str:
        data = work.page(job.id)
        address = f"/api/jobs/{job.id}"
        server = {
            "export": f"{address}/export",
            "tempo": f"{address}/tempo",
            "edits": f"{address}/edits",
            "part": f"{address}/part",
            "notation": f"{address}/notation" if notation.available() else None,
            "formats": dict(SUFFIX),
            "labels": LABELS,
            "meters": [f"{a}/{b}" for a, b in PATTERNS],
        }
        # A recording uploaded twice gives two scores, whose edits the browser must keep apart.
        return render_page(PageData({**data.values, "key": job.id}, data.sound), server)

    try:
        return html(await run_in_threadpool(render))
    except (ValueError, OSError) as error:
        raise HTTPException(500, f"the files of {job.name} are damaged: {shown(str(error))[:200]}") from None


async def _edits(request: Request) -> Response:
    """The edits saved last; empty if the client already has them (`?after=REVISION`)."""
    job, work = _done(request)
    record = await run_in_threadpool(work.edits, job.id)
    if request.query_params.get("after") == str(record["revision"]):
        return Response(status_code=204)
    return JSONResponse(record)


async def _save_edits(request: Request) -> Response:
    """Save edits; 409 with the last saved ones if they are based on an older revision."""
    job, work = _done(request)
    body = await _json(request)

    def save() -> int:
        values = json.loads(body)
        if type(values["revision"]) is not int:
            raise ValueError("revision is not a whole number")
        return work.save_edits(job.id, values["revision"], parse_changes(values, job.seconds))

    try:
        return JSONResponse({"revision": await run_in_threadpool(save)})
    except Stale as stale:
        return JSONResponse(stale.record, 409)
    except _WRONG as error:
        raise HTTPException(400, f"not edits: {shown(str(error))[:200]}") from None
    except OSError as error:
        raise HTTPException(507, f"the edits cannot be kept: {error.strerror}") from None


async def _tempo(request: Request) -> Response:
    """Estimate beats again from the current hits and the user's tempo and meter."""
    job, _ = _done(request)
    edit = _edit(await _json(request), job)
    try:
        async with request.app.state.writing:
            grid = await run_in_threadpool(
                estimate, edit.hits, job.seconds, bpm=edit.options.bpm, meter=edit.options.meter
            )
    except ValueError as error:
        raise HTTPException(422, shown(str(error))[:200]) from None
    return JSONResponse(page_tempo(grid))


async def _notation(request: Request) -> Response:
    """Some bars of the current hits as SVG: `bar` is the first, `bars` the number of bars."""
    job, _ = _done(request)
    if not notation.available():
        raise HTTPException(501, "notation needs verovio: pip install verovio")
    body = await _json(request)
    edit = _edit(body, job)
    values = json.loads(body)
    bar, bars = values.get("bar"), values.get("bars")
    if type(bar) is not int or type(bars) is not int or not 1 <= bars <= notation.MAX_BARS:
        raise HTTPException(400, f"bar and bars are whole numbers, at most {notation.MAX_BARS} bars")

    def written() -> tuple[str, int]:
        with tempfile.TemporaryDirectory(prefix="mt3drum-") as folder:
            result = Transcription(edit.hits, job.seconds, Path(job.name))
            (path, *_) = write.write(result, Path(folder) / "score", ("musicxml",), "gm", edit.options)
            return notation.bars_svg(path.read_text(encoding="utf-8"), bar, bars)

    try:
        async with request.app.state.writing:
            svg, first = await run_in_threadpool(written)
    except (ValueError, OSError, write.NoGridError) as error:
        raise HTTPException(422, f"no notation: {shown(str(error))[:200]}") from None
    return JSONResponse({"svg": svg, "first": first})


async def _part(request: Request) -> Response:
    """Transcribe `from`..`to` again and say what becomes of the hits that are sent: `removed` (their places
    in the request) and `added` (rows)."""
    job, work = _done(request)
    queue: Queue = request.app.state.queue
    body = await _json(request)
    try:
        again = parse_again(body, job.seconds, queue.limits.part_seconds)
    except _WRONG as error:
        raise HTTPException(400, f"not a part: {shown(str(error))[:200]}") from None
    try:
        found = await asyncio.wrap_future(queue.again(work.sound(job.id), again))
        removed, added = await run_in_threadpool(difference, again, found)
    except Busy as error:
        raise HTTPException(503, str(error)) from None
    except (ValueError, OSError) as error:
        reason = str(error).replace(str(work.sound(job.id)), job.name)
        raise HTTPException(422, f"cannot be transcribed again: {shown(reason)[:200]}") from None
    rows = [(hit.time, hit.drum, hit.velocity, hit.confidence) for hit in added]
    return JSONResponse({"removed": removed, "added": rows})


async def _export(request: Request) -> Response:
    """Export the score in the request."""
    job, _ = _done(request)
    _known(request)
    return await _written(request, job, _edit(await _json(request), job))


async def _export_kept(request: Request) -> Response:
    """Export the score as saved last, edits included."""
    job, work = _done(request)
    _known(request)

    def kept() -> Edit:
        hits, record = work.score(job.id)
        grid = None if record is None else read_tempo(record)
        if grid is not None and hits:
            grid = grid.reaching(hits[0].time)
        return Edit(tuple(hits), "gm", ScoreOptions(beats=grid))

    try:
        edit = await run_in_threadpool(kept)
    except (*_WRONG, OSError) as error:
        raise HTTPException(500, f"the files of {job.name} are damaged: {shown(str(error))[:200]}") from None
    return await _written(request, job, edit)


def _known(request: Request) -> None:
    if request.path_params["format"] not in SUFFIX:
        raise HTTPException(404, f"no such format: {shown(request.path_params['format'])[:40]}")


async def _written(request: Request, job: Job, edit: Edit) -> Response:
    name = request.path_params["format"]
    folder = tempfile.TemporaryDirectory(prefix="mt3drum-")
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
        filename=(Path(job.name).stem or "score") + SUFFIX[name],
        background=BackgroundTask(folder.cleanup),
    )


def _edit(body: bytes, job: Job) -> Edit:
    try:
        return parse_edit(body, job.seconds)
    except _WRONG as error:
        raise HTTPException(400, f"not a score: {shown(str(error))[:200]}") from None


async def _json(request: Request) -> bytes:
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise HTTPException(415, "expected JSON")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON_BYTES:
            raise HTTPException(413, "too many hits")
    return bytes(body)
