"""The work of one process, planned before decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt3drum.batch import inputs
from mt3drum.batch.inputs import Problem
from mt3drum.batch.ledger import Share
from mt3drum.batch.outputs import Output, check_one
from mt3drum.batch.pipes import Pipe, pipes_of
from mt3drum.batch.tars import Opened, open_tars

if TYPE_CHECKING:
    from mt3drum.decode.part import Part
    from mt3drum.formats.options import ScoreOptions
    from mt3drum.result import Transcription
    from tokenizer.midi import Notes


@dataclass(frozen=True)
class TranscribeOptions:
    """The validated options of `mt3drum transcribe`."""

    files: Sequence[str]
    """Files, folders, patterns, tar files, `pipe:COMMAND`."""
    output: Output
    decoding: dict[str, Any]
    """Fields of `DecodeConfig` that override the checkpoint's."""
    notes: Notes
    score: ScoreOptions
    drums: frozenset[int]
    """Classes that are written."""
    list: Path | None = None
    """A file of further paths."""
    manifest: Path | None = None
    """Folder of the ledger."""
    output_shards: int | None = None
    """Recordings in one tar file of results."""
    task: str | None = None
    """I/N: the share of this process; None: by the environment."""
    skip_existing: bool = False
    quiet: bool = False
    json: bool = False
    """Say what became of each recording in JSON instead of words."""
    checkpoint: Sequence[Path] | None = None
    kit: Path | None = None
    device: str = "auto"
    batch: int | None = None
    precision: Any = "auto"
    runtime: Any = "torch"
    part: Part | None = None
    """Of each recording; None: all of it."""
    merge: Transcription | None = None
    """What the part is put into."""
    stems: str | None = None
    """Kind of the files that hold each family's sound; None: none."""


@dataclass(frozen=True)
class Plan:
    """Every recording of a run, over all ranks, and the inputs that could not be opened."""

    share: Share
    """The tasks of this process."""
    opened: Opened
    pipes: Sequence[Pipe]
    """Commands, whose recordings are known only after they have run."""
    problems: Sequence[Problem]


def make_plan(options: TranscribeOptions) -> Plan:
    """Look at the inputs.

    Raises:
        ValueError, OSError: the inputs, the environment or the output cannot be used.
    """
    ledger = options.manifest is not None
    share = Share.parse(options.task, ledger) if options.task else Share.from_environment(ledger)
    texts = inputs.brace_patterns(options.files)
    named = [text for text in texts if not text.startswith(inputs.PIPE)]
    folder = options.output.folder
    tasks, problems = inputs.plan(named, folder, inputs.read_list(options.list) if options.list else ())
    pipes = pipes_of((text for text in texts if text.startswith(inputs.PIPE)), folder)
    for pipe in pipes:
        if any(task.target == pipe.task.target for task in tasks):
            raise ValueError(
                f"{pipe.url} and another input would both be written to {pipe.task.target}; "
                "use two runs with two output folders"
            )
    opened = open_tars(tasks)
    check_one(options.output, opened.tasks, pipes)
    if options.merge is not None and (len(opened.tasks) > 1 or pipes):
        raise ValueError("--merge changes the transcription of one recording, but there are several inputs")
    return Plan(share, opened, pipes, (*problems, *opened.problems))
