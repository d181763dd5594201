"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_whole(path: Path, data: str | bytes) -> None:
    """Write under a temporary name, then rename; the folder is made if need be. Text is UTF-8; parts of
    file names that are not keep their bytes.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape"))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
