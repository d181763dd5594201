"""Output destinations: a folder, one file or standard output. Existing files are protected."""

from __future__ import annotations

import mimetypes
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mt3drum.audio.headers import identify
from mt3drum.batch.inputs import Task
from mt3drum.files import SUFFIX, format_of, result_paths

if TYPE_CHECKING:
    from mt3drum.formats.write import Rendering, Written

STDOUT = "-"
_KNOWN = mimetypes.MimeTypes()  # of the standard library alone, not of this machine


@dataclass(frozen=True)
class Output:
    """The combination of `-o` and `--format`."""

    formats: tuple[str, ...]
    folder: Path = Path(".")
    file: Path | None = None
    """The one result of the one recording."""
    to_stdout: bool = False
    replaces: bool = False
    """Existing files are replaced, because the user named the destination or gave `--overwrite`."""

    def paths(self, task: Task) -> dict[str, Path]:
        """The file of each format."""
        if self.file is not None:
            return {self.formats[0]: self.file}
        return result_paths(task.target, self.formats)

    def refusal(self, task: Task) -> str | None:
        """The reason, with a remedy, if nothing may be written for this recording."""
        try:
            return self._refusal(task)
        except OSError:  # a name that is too long, a folder one may not look into: writing will say so
            return None

    def _refusal(self, task: Task) -> str | None:
        for path in () if self.to_stdout else self.paths(task).values():
            if path.exists() and task.source.exists() and path.samefile(task.source):
                known = identify(task.source)  # a MIDI file is no recording, wherever the result goes
                return f"{task.source}: {known or 'would be overwritten; name another place with -o'}"
            if path.exists() and not self.replaces:
                return (
                    f"{task.source}: {path} already exists; --overwrite replaces it, --skip-existing "
                    "leaves it, and -o names another place"
                )
        return None


def read_output(text: str | None, formats: tuple[str, ...] | None, overwrite: bool) -> Output:
    """`-o`: nothing (the current folder), a folder, a file whose name ends in a format's suffix, or "-".

    Args:
        formats: `--format`; None: by the suffix of the file, else MIDI.

    Raises:
        ValueError: the two are incompatible, or the file's suffix does not belong to a format.
    """
    several = formats is not None and len(formats) > 1
    if text is None:
        return Output(formats or ("midi",), replaces=overwrite)
    if text == STDOUT:
        if several:
            raise ValueError("-o - is one file: give one --format, or a folder")
        return Output(formats or ("midi",), to_stdout=True)
    path = Path(text)
    if path.is_dir() or text.endswith("/"):
        return Output(formats or ("midi",), path, replaces=True)
    ending = format_of(path)
    if ending == "wav" and formats is None:
        raise ValueError(
            f"-o {text}: give a folder, or a file such as {path.stem}.mid; --format wav writes drums as sound"
        )
    if ending is not None:
        if formats is not None and formats != (ending,):
            raise ValueError(
                f"-o {text} is one file in the format {ending}, and --format says {','.join(formats)}: "
                "name a folder"
            )
        return Output((ending,), path.parent, path, replaces=True)
    if path.exists() or _KNOWN.guess_type(path.name)[0] is not None:
        raise ValueError(
            f"-o {text}: not a folder, and its suffix is not one of a format ({', '.join(SUFFIX.values())})"
        )
    return Output(formats or ("midi",), path, replaces=True)


def check_one(output: Output, tasks: Sequence[Task], pipes: Sequence[object]) -> None:
    """Check that a single output file is used for a single recording.

    Raises:
        ValueError: there are several recordings.
    """
    one = output.file or (STDOUT if output.to_stdout else None)
    if one is not None and (len(tasks) > 1 or pipes):
        count = "what a command writes" if pipes else f"{len(tasks)} recordings"
        raise ValueError(f"-o {one} is one file, and the input is {count}: name a folder")


def to_stdout(rendering: Rendering, paths: Mapping[str, Path]) -> Written:
    """Write the single format completely to standard output."""
    with private_folder() as folder:
        written = rendering.write({name: folder / path.name for name, path in paths.items()})
        for path in written.files:
            sys.stdout.buffer.write(path.read_bytes())
        sys.stdout.flush()
    return replace(written, files=(Path("standard output"),) if written.files else ())


@contextmanager
def private_folder() -> Iterator[Path]:
    """A temporary folder that only this user can read; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="mt3drum-") as name:
        yield Path(name)
