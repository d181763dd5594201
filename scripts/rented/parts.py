"""Files in parts small enough to be brought back, and whole again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mt3drum.files import write_whole

PART_BYTES = 16_000_000
"""Of a part: machines give back files of 16 MB at most."""


def split(source: Path, output: Path, first: int = 0, most: int = 3, part_bytes: int = PART_BYTES) -> int:
    """Write parts `first` to `first + most - 1` of a file as `<name>.part-<i>-of-<n>-<digest>` in `output`;
    parts of another file of that name go.

    Returns:
        how many parts there are.

    Raises:
        OSError: a file cannot be read or written.
    """
    content = source.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    count = max(1, -(-len(content) // part_bytes))
    for path in output.glob(f"{source.name}.part-*"):
        if not path.name.endswith(digest):
            path.unlink()
    for index in range(first, min(count, first + most)):
        part = content[index * part_bytes : (index + 1) * part_bytes]
        write_whole(output / f"{source.name}.part-{index}-of-{count}-{digest}", part)
    return count


def join(folder: Path, name: str, target: Path) -> None:
    """Put the parts of the file called `name` together.

    Raises:
        ValueError: there are none, some are missing, or they belong to different files.
        OSError: a file cannot be read or written.
    """
    found = {path.name.rpartition(".part-")[2]: path for path in folder.rglob(f"{name}.part-*")}
    labels = {tuple(label.split("-")[2:]) for label in found}
    if len(labels) != 1:
        what = "no parts of it" if not labels else "parts of several files: delete the older ones"
        raise ValueError(f"{folder}, {name}: {what}")
    ((total, digest),) = labels
    wanted = [f"{index}-of-{total}-{digest}" for index in range(int(total))]
    missing = [str(index) for index, label in enumerate(wanted) if label not in found]
    if missing:
        raise ValueError(f"{folder}, {name}: of {total} parts, {', '.join(missing)} are missing")
    content = b"".join(found[label].read_bytes() for label in wanted)
    if hashlib.sha256(content).hexdigest()[:16] != digest:
        raise ValueError(f"{folder}, {name}: the parts are damaged; fetch them again")
    write_whole(target, content)
