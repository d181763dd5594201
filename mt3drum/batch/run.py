"""The work of `mt3drum transcribe`, after its options have been validated."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mt3drum.batch import inputs
from mt3drum.batch.console import error, progress_bar, say
from mt3drum.batch.inputs import Problem, Task
from mt3drum.batch.ledger import Ledger, Record, Share
from mt3drum.batch.outputs import private_folder, to_stdout
from mt3drum.batch.pipes import Pipe, fetch
from mt3drum.batch.plan import Plan, TranscribeOptions, make_plan
from mt3drum.batch.stems import add_stems, has_stems
from mt3drum.batch.tally import Said, Tally
from mt3drum.batch.tars import Opened, open_tar, renamed, staged, tasks_of
from mt3drum.extras import MissingExtra
from mt3drum.imports import import_torch

if TYPE_CHECKING:
    from mt3drum.batch.sinks import Files, Shards
    from mt3drum.formats.write import Written
    from mt3drum.transcriber import Transcriber, Transcription

EXIT_FAILED, EXIT_USAGE = 1, 2


@dataclass(frozen=True)
class _Run:
    """The components used for every recording of a run."""

    options: TranscribeOptions
    tally: Tally
    sink: Files | Shards

    @property
    def ledger(self) -> Ledger | None:
        return self.tally.ledger


def run(options: TranscribeOptions) -> int:
    """Transcribe this process's share. Returns the exit code."""
    try:
        plan = make_plan(options)
        ledger = Ledger(options.manifest, plan.share) if options.manifest else None
        out = sys.stderr if options.output.to_stdout else sys.stdout
        tally = Tally(ledger, options.quiet, out, options.json)
        this = _Run(options, tally, _make_sink(options, plan, tally))
    except (ValueError, OSError) as refused:
        error(str(refused))
        return EXIT_USAGE
    if plan.share.rank == 0:
        for problem in plan.problems:
            tally.fail(problem)
    mine = plan.share.of(plan.opened.tasks)
    todo = _writable(this, _not_done(this, mine))
    pipes = [pipe for pipe in plan.share.of(plan.pipes) if not _pipe_is_done(this, pipe)]
    transcriber = _load(options, plan) if todo or pipes else None
    if transcriber is None and (todo or pipes):
        return EXIT_FAILED
    try:
        if transcriber is not None:
            _transcribe(this, transcriber, todo, plan.opened)
            for pipe in pipes:
                _run_pipe(this, transcriber, pipe)
    finally:  # also when interrupted: keep finished work
        tally.tell(this.sink.close())
    if ledger is not None:
        _close(ledger, plan, mine)
    tally.conclude()
    # Launchers stop all ranks when one exits non-zero; the manifest lists the failures.
    return EXIT_FAILED if (tally.failed or tally.incomplete) and plan.share.world == 1 else 0


def watch(options: TranscribeOptions, folder: Path) -> int:
    """Transcribe what arrives in a folder, until interrupted. Returns the exit code."""
    from mt3drum.batch.watch import PAUSE, Inbox, up_to_date

    share = Share(0, 1)
    tally = Tally(None, options.quiet, sys.stdout, options.json)
    this = _Run(options, tally, _make_sink(options, Plan(share, Opened(), (), ()), tally))
    transcriber = _load(options, Plan(share, Opened(), (), ()))
    if transcriber is None:
        return EXIT_FAILED
    inbox = Inbox(folder, options.output.folder)
    say(f"watching {folder}; results go to {options.output.folder} (Ctrl-C stops)", sys.stderr)
    try:
        while True:
            tasks = inbox.ready()
            stale = [
                task for task in tasks if not up_to_date(task.source, options.output.paths(task).values())
            ]
            tally.skipped += len(tasks) - len(stale)
            _transcribe(this, transcriber, _writable(this, stale), Opened(stale))
            time.sleep(PAUSE)
    except (ValueError, OSError) as problem:
        error(str(problem))
        return EXIT_FAILED
    except KeyboardInterrupt:
        tally.conclude()
    return EXIT_FAILED if tally.failed or tally.incomplete else 0


def _make_sink(options: TranscribeOptions, plan: Plan, tally: Tally) -> Files | Shards:
    """Where results go.

    Raises:
        OSError: the tar files that are there cannot be read.
    """
    from mt3drum.batch import sinks
    from mt3drum.formats.write import Rendering

    def write(result: Transcription, paths: Mapping[str, Path]) -> Written:
        rendering = Rendering(result, options.notes, options.score)
        written = to_stdout(rendering, paths) if options.output.to_stdout else rendering.write(paths)
        tally.said[result.path] = Said(rendering.summary, rendering.record)
        return written

    if options.output_shards is None:
        return sinks.Files(options.output.paths, write)
    assert tally.ledger is not None
    sinks.recover(options.output.folder, tally.ledger, plan.share)
    return sinks.Shards(
        options.output.folder, options.output.formats, plan.share.rank, options.output_shards, write
    )


def _load(options: TranscribeOptions, plan: Plan) -> Transcriber | None:
    """None, and a line, where that fails."""
    import_torch()
    from mt3drum.transcriber import BATCH, Transcriber

    device, share = options.device, plan.share
    if share.world > 1:
        import torch

        if device == "auto" and torch.cuda.is_available():
            local = int(os.environ.get("LOCAL_RANK", share.rank))
            device = f"cuda:{local % torch.cuda.device_count()}"
        if "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(1)  # ranks share the CPU: one thread each is fastest
    try:
        transcriber = Transcriber.load(
            options.checkpoint,
            device,
            options.batch or BATCH,
            options.precision,
            kit=options.kit,
            runtime=options.runtime,
            **options.decoding,
        )
    except (ValueError, OSError, MissingExtra) as problem:
        error(str(problem))
        return None
    for warning in transcriber.kit.warnings if transcriber.kit else ():
        say(f"warning: {warning}", sys.stderr)
    return transcriber


def _not_done(this: _Run, tasks: Sequence[Task]) -> list[Task]:
    """Tasks without results; the others are counted."""
    todo = [task for task in tasks if not _is_done(this, task)]
    this.tally.skipped += len(tasks) - len(todo)
    return todo


def _is_done(this: _Run, task: Task) -> bool:
    known = this.ledger is not None and this.ledger.is_done(task.source)
    record = this.ledger.records[str(task.source)] if this.ledger is not None and known else {}
    there = this.sink.holds(task, record) and has_stems(this.options, task)
    return (this.options.skip_existing or known) and there


def _pipe_is_done(this: _Run, pipe: Pipe) -> bool:
    """Whether the command can be skipped."""
    if this.ledger is None or not this.ledger.is_done(pipe.task.source):
        return False
    tasks = tasks_of(this.ledger.records[str(pipe.task.source)].get("members", ()), pipe.task)
    if not all(_is_done(this, task) for task in tasks):
        return False
    this.tally.skipped += len(tasks)
    return True


def _writable(this: _Run, tasks: list[Task]) -> list[Task]:
    """Tasks whose results would not replace a file; the others fail."""
    if this.options.output_shards is not None:
        return tasks
    kept = []
    for task in tasks:
        known = this.ledger is not None and str(task.source) in this.ledger.records
        refusal = None if known else this.options.output.refusal(task)
        if refusal is None:
            kept.append(task)
        else:
            this.tally.fail(Problem(str(task.source), refusal))
    return kept


def _transcribe(this: _Run, transcriber: Transcriber, tasks: list[Task], opened: Opened) -> None:
    """Transcribe, write, and update the ledger."""
    if not tasks:
        return
    from mt3drum.batch.live import LiveLines
    from mt3drum.decode.part import WHOLE
    from mt3drum.transcriber import Failure

    options = this.options
    lines = not (options.output_shards or options.output.to_stdout or options.merge)
    lines = lines and options.score.grid is None
    wanted = {task.source: options.output.paths(task) for task in tasks}
    files = {source: paths["jsonl"] for source, paths in wanted.items() if "jsonl" in paths and lines}
    live = LiveLines(files, options.drums, transcriber.config.scheme)
    sizes = {
        t.source: opened.places[t.source].size if t.source in opened.places else _size(t.source)
        for t in tasks
    }
    part = options.part
    if options.merge is not None:
        part = (part or WHOLE).widened()
    with progress_bar(sizes, options.quiet) as bar, private_folder() as scratch:
        paths = staged(tasks, opened.places, scratch)
        results = transcriber.transcribe_files(paths, bar.progress, live if live.parts else None, part)
        for task, found in zip(tasks, results, strict=True):
            source = Path(inputs.STDIN_NAME) if str(task.source) == inputs.STDIN else task.source
            result = renamed(found, source)
            if isinstance(result, Failure):
                this.tally.fail(Problem(str(task.source), result.reason))
            elif lack := add_stems(options, task, found.path, result, bar.progress):
                this.tally.fail(Problem(str(task.source), lack))
            else:
                _put(this, task, result)
            live.close(task.source)
            if found.path is not None and found.path.parent == scratch:
                found.path.unlink(missing_ok=True)
            bar.finish(task.source)


def _put(this: _Run, task: Task, result: Transcription) -> None:
    """Write a result, or the transcription that it is a part of."""
    options = this.options
    if options.merge is None:
        result = result.only(options.drums)
    else:
        from mt3drum.decode.part import WHOLE, merged

        try:
            result = merged(options.merge, result, options.part or WHOLE, options.drums)
        except ValueError as problem:
            this.tally.fail(Problem(str(task.source), f"{task.source}: --merge: {problem}"))
            return
    this.tally.tell(this.sink.put(task, result))


def _run_pipe(this: _Run, transcriber: Transcriber, pipe: Pipe) -> None:
    """Store the command's output in a private file until its recordings are transcribed."""
    source = str(pipe.task.source)
    with private_folder() as scratch:
        path, opened = scratch / "piped.tar", Opened()
        try:
            fetch(pipe.url, path)
        except OSError as failed:
            opened.problems.append(Problem(source, f"{failed}; what came before was used"))
        if path.exists():
            open_tar(path, pipe.task, opened)
        _transcribe(this, transcriber, _writable(this, _not_done(this, opened.tasks)), opened)
    for problem in opened.problems:
        this.tally.fail(problem)
    if this.ledger is not None:
        members = [str(task.source)[len(source) + 1 :] for task in opened.tasks]
        members += [p.source[len(source) + 1 :] for p in opened.problems if p.source != source]
        reasons = [problem.reason for problem in opened.problems if problem.source == source]
        record: Record = {"status": "failed", "reason": reasons[0]} if reasons else {"status": "done"}
        this.ledger.add(source, record | {"command": pipe.url, "members": members})


def _close(ledger: Ledger, plan: Plan, mine: Sequence[Task]) -> None:
    """Record what --skip-existing skipped, and merge the ledgers of all ranks if this is the last one."""
    for task in mine:
        if str(task.source) not in ledger.records:
            ledger.add(task.source, {"status": "done", "skipped": True})
    sources = [*(p.source for p in plan.problems), *(str(t.source) for t in plan.opened.tasks)]
    ledger.close(sources, [str(pipe.task.source) for pipe in plan.pipes])


def _size(path: Path) -> int:
    try:
        return max(1, path.stat().st_size)
    except OSError:
        return 1
