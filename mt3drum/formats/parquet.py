"""Transcriptions as rows of a table, and such tables as Parquet (extra `parquet`): one row a recording."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from mt3drum.extras import need
from mt3drum.result import record
from mt3drum.rhythm.grid import Grid
from tokenizer.hits import Hit

COLUMNS = (
    "path",
    "status",
    "reason",
    "seconds",
    "bpm",
    "meter",
    "time",
    "drum",
    "velocity",
    "confidence",
    "warnings",
)
Row = dict[str, Any]
"""One recording: `path`; `status`, done or failed; `reason`; `seconds`; `bpm` and `meter` (None: no steady
beat); `time`, `drum` (by name), `velocity` and `confidence`, a list each with one value a hit; `warnings`."""
COMPRESSION = "zstd"


def to_row(
    path: str,
    hits: Sequence[Hit],
    seconds: float,
    grid: Grid | None,
    warnings: Sequence[str],
    scheme: str = "26",
) -> Row:
    """A transcription as plain values."""
    records = [record(hit, scheme) for hit in hits]
    lists = {name: [row[name] for row in records] for name in ("time", "drum", "velocity", "confidence")}
    return {
        "path": path,
        "status": "done",
        "reason": None,
        "seconds": round(seconds, 3),
        "bpm": None if grid is None else round(grid.bpm, 2),
        "meter": None if grid is None else str(grid.meter),
        **lists,
        "warnings": list(warnings),
    }


def schema() -> Any:
    """The pyarrow schema of the rows.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    need("parquet", "pyarrow")
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("path", pa.string(), nullable=False),
            pa.field("status", pa.string(), nullable=False),
            ("reason", pa.string()),
            ("seconds", pa.float64()),
            ("bpm", pa.float64()),
            ("meter", pa.string()),
            ("time", pa.list_(pa.float64())),
            ("drum", pa.list_(pa.dictionary(pa.int8(), pa.string()))),
            ("velocity", pa.list_(pa.int8())),
            ("confidence", pa.list_(pa.float32())),
            ("warnings", pa.list_(pa.string())),
        ]
    )


def to_table(rows: Sequence[Row]) -> Any:
    """A pyarrow Table.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    own = schema()
    import pyarrow as pa

    return pa.Table.from_pylist(list(rows), schema=own)


def to_parquet(rows: Sequence[Row]) -> bytes:
    """A Parquet file.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    table = to_table(rows)
    import pyarrow.parquet as pq

    target = io.BytesIO()
    pq.write_table(table, target, compression=COMPRESSION)
    return target.getvalue()
