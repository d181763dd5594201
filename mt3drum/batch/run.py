"""What `mt3drum transcribe` does, once its options are known to be good."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from mt3drum.batch import inputs
from mt3drum.batch.inputs import Problem, Task
from mt3drum.batch.ledger import Ledger, Record, Share
from mt3drum.batch.outputs import check_one, read_output
from mt3drum.batch.pipes import Pipe, fetch, pipes_of
from mt3drum.batch.tars import Opened, open_tar, open_tars, renamed, staged, tasks_of

if TYPE_CHECKING:
    from mt3drum.batch.sinks import Files, Outcome, Shards
    from mt3drum.formats.write import Rendering, Written
    from mt3drum.transcriber import Transcriber, Transcription

EXIT_FAILED, EXIT_USAGE = 1, 2


@dataclass
class TaskCounts:
    """Of recordings, and of inputs that gave none."""

    done: int = 0
    failed: int = 0
    skipped: int = 0
    incomplete: int = 0
    """Of those done, the ones without one of the formats."""


class Work:
    """Everything one process does: its share of the recordings, and what it has said of them.

    Raises:
        ValueError, OSError: the inputs, the environment, the ledger or the output folder cannot be used.
    """

    def __init__(self, args: argparse.Namespace, options: dict[str, Any]) -> None:
        self.args, self.options = args, options
        self.share = Share.from_environment(args.manifest is not None)
        texts = inputs.brace_patterns(args.files)
        named = [text for text in texts if not text.startswith(inputs.PIPE)]
        self.output = read_output(args.output, args.format, args.overwrite)
        folder = self.output.folder
        tasks, problems = inputs.plan(named, folder, inputs.read_list(args.list) if args.list else ())
        self.pipes = pipes_of((t for t in texts if t.startswith(inputs.PIPE)), folder)
        for pipe in self.pipes:
            if any(task.target == pipe.task.target for task in tasks):
                raise ValueError(
                    f"{pipe.url} and another input would both be written to {pipe.task.target}; "
                    "use two runs with two output folders"
                )
        self.opened = open_tars(tasks)
        self.problems = [*problems, *self.opened.problems]
        check_one(self.output, self.opened.tasks, self.pipes)
        self.ledger = Ledger(args.manifest, self.share) if args.manifest else None
        self.counts = TaskCounts()
        self.transcriber: Transcriber | None = None
        self.lines: dict[Path | None, str] = {}  # what to say of results that are written
        self.sink = self._sink()

    def _sink(self) -> Files | Shards:
        from mt3drum.batch import sinks
        from mt3drum.formats.write import Rendering

        def write(result: Transcription, paths: Mapping[str, Path]) -> Written:
            rendering = Rendering(result, self.args.notes, self.args.score)
            if self.output.to_stdout:
                written = to_stdout(rendering, paths)
            else:
                written = rendering.write(paths)
            self.lines[result.path] = rendering.summary
            return written

        if self.args.output_shards is None:
            return sinks.Files(self.output.paths, write)
        assert self.ledger is not None
        folder, formats = self.output.folder, self.output.formats
        sinks.recover(folder, self.ledger, self.share)
        return sinks.Shards(folder, formats, self.share.rank, self.args.output_shards, write)

    def run(self) -> int:
        """Returns the exit code."""
        mine = self.share.of(self.opened.tasks)
        if self.share.rank == 0:
            for problem in self.problems:
                self._fail(problem)
        todo = self._writable(self._not_done(mine))
        pipes = [pipe for pipe in self.share.of(self.pipes) if not self._pipe_is_done(pipe)]
        if (todo or pipes) and not self._load():
            return EXIT_FAILED
        try:
            self._transcribe(todo, self.opened)
            for pipe in pipes:
                self._run_pipe(pipe)
        finally:  # interrupted too: what is done is done
            self._tell(self.sink.close())
        if self.ledger is not None:
            for task in mine:
                if str(task.source) not in self.ledger.records:  # left out by --skip-existing
                    self.ledger.add(task.source, {"status": "done", "skipped": True})
            sources = [*(p.source for p in self.problems), *(str(t.source) for t in self.opened.tasks)]
            self.ledger.close(sources, [str(pipe.task.source) for pipe in self.pipes])
        counts = self.counts
        if not self.args.quiet or counts.failed or counts.incomplete:
            more = f" ({counts.incomplete} without one of the formats)" if counts.incomplete else ""
            left = f", {counts.skipped} already there" if counts.skipped else ""
            print(f"{counts.done} transcribed{more}, {counts.failed} failed{left}", file=sys.stderr)
        # Launchers end all ranks when one exits non-zero; what failed stands in the manifest.
        lacking = counts.failed or counts.incomplete
        return EXIT_FAILED if lacking and self.share.world == 1 else 0

    def _not_done(self, tasks: list[Task]) -> list[Task]:
        todo = [task for task in tasks if not self._is_done(task)]
        self.counts.skipped += len(tasks) - len(todo)
        return todo

    def _writable(self, tasks: list[Task]) -> list[Task]:
        """Those whose results would write over nothing."""
        if self.args.output_shards is not None:
            return tasks
        kept = []
        for task in tasks:
            known = self.ledger is not None and str(task.source) in self.ledger.records
            refusal = None if known else self.output.refusal(task)
            if refusal is None:
                kept.append(task)
            else:
                self._fail(Problem(str(task.source), refusal))
        return kept

    def _is_done(self, task: Task) -> bool:
        known = self.ledger is not None and self.ledger.is_done(task.source)
        record = self.ledger.records[str(task.source)] if self.ledger is not None and known else {}
        return (self.args.skip_existing or known) and self.sink.holds(task, record)

    def _pipe_is_done(self, pipe: Pipe) -> bool:
        """Whether the command need not run again."""
        if self.ledger is None or not self.ledger.is_done(pipe.task.source):
            return False
        tasks = tasks_of(self.ledger.records[str(pipe.task.source)].get("members", ()), pipe.task)
        if not all(map(self._is_done, tasks)):
            return False
        self.counts.skipped += len(tasks)
        return True

    def _run_pipe(self, pipe: Pipe) -> None:
        """Keep what the command writes in a private file until its recordings are transcribed."""
        source = str(pipe.task.source)
        with private_folder() as scratch:
            path, opened = scratch / "piped.tar", Opened()
            try:
                fetch(pipe.url, path)
            except OSError as error:
                opened.problems.append(Problem(source, f"{error}; what came before was used"))
            if path.exists():
                open_tar(path, pipe.task, opened)
            self._transcribe(self._writable(self._not_done(opened.tasks)), opened)
        for problem in opened.problems:
            self._fail(problem)
        if self.ledger is not None:
            members = [str(task.source)[len(source) + 1 :] for task in opened.tasks]
            members += [p.source[len(source) + 1 :] for p in opened.problems if p.source != source]
            reasons = [problem.reason for problem in opened.problems if problem.source == source]
            record: Record = {"status": "failed", "reason": reasons[0]} if reasons else {"status": "done"}
            self.ledger.add(source, record | {"command": pipe.url, "members": members})

    def _fail(self, problem: Problem) -> None:
        self.counts.failed += 1
        error(problem.reason)
        if self.ledger is not None:
            self.ledger.add(problem.source, {"status": "failed", "reason": problem.reason})

    def _load(self) -> bool:
        from mt3drum.transcriber import BATCH, Transcriber

        device = self.args.device
        if self.share.world > 1:
            import torch

            if device == "auto" and torch.cuda.is_available():
                local = int(os.environ.get("LOCAL_RANK", self.share.rank))
                device = f"cuda:{local % torch.cuda.device_count()}"
            if "OMP_NUM_THREADS" not in os.environ:
                torch.set_num_threads(1)  # ranks share the processor: one thread each is fastest
        try:
            checkpoint, batch = self.args.checkpoint, self.args.batch or BATCH
            kit = self.args.kit
            self.transcriber = Transcriber.load(
                checkpoint, device, batch, self.args.precision, kit=kit, **self.options
            )
        except (ValueError, OSError) as problem:
            error(str(problem))
            return False
        for warning in self.transcriber.kit.warnings if self.transcriber.kit else ():
            say(f"warning: {warning}", sys.stderr)
        return True

    def _transcribe(self, tasks: list[Task], opened: Opened) -> None:
        """Transcribe, write, and note in the ledger."""
        if not tasks:
            return
        assert self.transcriber is not None
        from mt3drum.batch.live import LiveLines
        from mt3drum.transcriber import Failure

        lines = not (self.args.output_shards or self.output.to_stdout) and self.args.score.grid is None
        wanted = {task.source: self.output.paths(task) for task in tasks}
        files = {source: paths["jsonl"] for source, paths in wanted.items() if "jsonl" in paths and lines}
        live = LiveLines(files, self.args.drums)
        with self._bar(tasks, opened) as (progress, finish), private_folder() as scratch:
            paths = staged(tasks, opened.places, scratch)
            results = self.transcriber.transcribe_files(paths, progress, live if live.parts else None)
            for task, found in zip(tasks, results, strict=True):
                source = Path(inputs.STDIN_NAME) if str(task.source) == inputs.STDIN else task.source
                result = renamed(found, source)
                if isinstance(result, Failure):
                    self._fail(Problem(str(task.source), result.reason))
                else:
                    self._tell(self.sink.put(task, result.only(self.args.drums)))
                live.close(task.source)
                if found.path is not None and found.path.parent == scratch:
                    found.path.unlink(missing_ok=True)
                finish(task)

    def _tell(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            said = self.lines.pop(outcome.result.path, "")
            for warning in outcome.result.warnings:
                say(f"warning: {warning}", sys.stderr)
            if outcome.record["status"] == "failed":
                self._fail(Problem(str(outcome.source), outcome.record["reason"]))
                continue
            self.counts.done += 1
            if self.ledger is not None:
                self.ledger.add(outcome.source, outcome.record)
            self.counts.incomplete += bool(outcome.lacks)
            if not self.args.quiet:
                out = sys.stderr if self.output.to_stdout else sys.stdout
                say(f"{outcome.result.path} -> {outcome.written}: {said}", out)
            for line in outcome.lacks:
                error(f"{outcome.result.path}: {line}")

    @contextmanager
    def _bar(
        self, tasks: list[Task], opened: Opened
    ) -> Iterator[tuple[Callable[[Path, float], None], Callable[[Task], None]]]:
        """A progress bar in bytes; how to say the share of a file that is decoded, and that one is done."""
        from tqdm import tqdm

        sizes = {
            t.source: opened.places[t.source].size if t.source in opened.places else _size(t.source)
            for t in tasks
        }
        finished, count = 0, 0
        with tqdm(
            total=sum(sizes.values()),
            file=sys.stderr,
            leave=False,
            disable=self.args.quiet or not sys.stderr.isatty(),
            bar_format="{percentage:3.0f}% |{bar}| {postfix} {remaining} left",
        ) as bar:

            def progress(path: Path, share: float) -> None:
                bar.n = finished + share * sizes.get(path, 0)
                bar.refresh()

            def finish(task: Task) -> None:
                nonlocal finished, count
                finished, count = finished + sizes[task.source], count + 1
                bar.set_postfix_str(f"{count}/{len(tasks)} files", refresh=False)
                bar.n = finished
                bar.refresh()

            yield progress, finish


def run(args: argparse.Namespace, options: dict[str, Any]) -> int:
    """Returns the exit code.

    Args:
        options: what replaces the checkpoint's decode settings.
    """
    try:
        work = Work(args, options)
    except (ValueError, OSError) as problem:
        error(str(problem))
        return EXIT_USAGE
    return work.run()


def _size(path: Path) -> int:
    try:
        return max(1, path.stat().st_size)
    except OSError:
        return 1


def to_stdout(rendering: Rendering, paths: Mapping[str, Path]) -> Written:
    """Write the one format, whole, to standard output."""
    with private_folder() as folder:
        written = rendering.write({name: folder / path.name for name, path in paths.items()})
        for path in written.files:
            sys.stdout.buffer.write(path.read_bytes())
        sys.stdout.flush()
    return replace(written, files=(Path("standard output"),) if written.files else ())


@contextmanager
def private_folder() -> Iterator[Path]:
    """Only this user may look into it; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="mt3drum-") as name:
        yield Path(name)


def say(text: str, file: TextIO) -> None:
    """On one line, whatever a file is called, and beside a progress bar."""
    line = "".join(c if c.isprintable() or 0xDC80 <= ord(c) <= 0xDCFF else "?" for c in text)
    if "tqdm" not in sys.modules:  # no bar yet, and what is wrong with the options is said at once
        print(line, file=file)
        return
    from tqdm import tqdm

    tqdm.write(line, file=file)


def error(text: str) -> None:
    """One line on standard error."""
    say(f"error: {text}", sys.stderr)
