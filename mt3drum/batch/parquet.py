"""Rows of transcriptions in Parquet files (extra `parquet`): a file a chunk, complete or absent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from mt3drum.extras import need
from mt3drum.files import write_whole
from mt3drum.formats.parquet import Row, to_parquet

_SUFFIX = ".parquet"


def chunk_file(folder: Path, paths: Iterable[str]) -> Path:
    """The file of a chunk: named by its paths, so that the same chunk, done twice, is one file."""
    digest = hashlib.sha256("\0".join(paths).encode("utf-8", "surrogateescape")).hexdigest()
    return folder / f"chunk-{digest[:20]}{_SUFFIX}"


def write_chunk(folder: Path, rows: Sequence[Row]) -> Path:
    """Write it.

    Raises:
        MissingExtra: pyarrow is not installed. OSError: it cannot be written.
    """
    path = chunk_file(folder, [row["path"] for row in rows])
    write_whole(path, to_parquet(rows))
    return path


def done_paths(folder: Path) -> set[str]:
    """The recordings that the files of a folder hold, without those that failed: they are tried again.

    Raises:
        MissingExtra: pyarrow is not installed.
        OSError, ValueError: a file cannot be read; the message names it.
    """
    need("parquet", "pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    found: set[str] = set()
    for path in sorted(folder.glob(f"chunk-*{_SUFFIX}")):
        try:
            table = pq.read_table(path, columns=["path", "status"])
        except pa.ArrowInvalid as error:
            raise ValueError(f"{path}: not a Parquet file of results ({error}); move it away") from None
        pairs = zip(table["path"].to_pylist(), table["status"].to_pylist(), strict=True)
        found |= {name for name, status in pairs if status == "done"}
    return found
