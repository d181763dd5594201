"""`--stems`: the sound of each drum family beside the results of a recording."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mt3drum.batch.console import say
from mt3drum.batch.inputs import Task
from tokenizer.drums import DRUMS

if TYPE_CHECKING:
    from mt3drum.batch.plan import TranscribeOptions
    from mt3drum.result import Transcription

KINDS = ("wav", "flac")


def stems_folder(task: Task) -> Path:
    """`song.stems`, where `song.mid` would be."""
    return task.target.with_name(f"{task.target.name}.stems")


def has_stems(options: TranscribeOptions, task: Task) -> bool:
    """Whether nothing is left to write: the rest is written last."""
    from mt3drum.audio.stems import REST

    return options.stems is None or (stems_folder(task) / f"{REST}.{options.stems}").exists()


def add_stems(
    options: TranscribeOptions,
    task: Task,
    path: Path | None,
    result: Transcription,
    progress: Callable[[Path, float], None],
) -> str | None:
    """Write them where they are asked for. Returns why that failed.

    Args:
        path: the recording.
        result: all that was heard in it.
    """
    if options.stems is None or path is None:
        return None
    from mt3drum.audio.recording import AudioError
    from mt3drum.audio.stems import write_stems

    folder = stems_folder(task)
    families = {DRUMS[drum].family for drum in options.drums}
    try:
        files = write_stems(
            path, result.hits, folder, families, options.stems, lambda share: progress(path, share)
        )
    except (AudioError, OSError) as error:
        text = str(error)
        return text if str(task.source) in text else f"{task.source}: no stems: {text}"
    if not options.quiet and not options.json:
        say(f"{task.source} -> {folder}: {', '.join(file.name for file in files)}", sys.stdout)
    return None
