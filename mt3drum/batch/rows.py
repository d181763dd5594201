"""Transcription as a function of tables, for engines that map over them: Ray Data, Spark, NeMo Curator.

An object of a few hundred bytes travels to the workers; each worker process loads the weights once, when the
first batch arrives.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mt3drum.formats import parquet
from mt3drum.formats.parquet import COLUMNS, Row

if TYPE_CHECKING:
    from mt3drum.result import Failure, Transcription
    from mt3drum.transcriber import Transcriber


@dataclass(frozen=True)
class TranscribeRows:
    """Maps batches of paths to batches of transcriptions, a row each, in order; a bad file is a row too.

    Ray Data: `dataset.map_batches(TranscribeRows(), batch_size=64)`; Spark:
    `frame.mapInPandas(TranscribeRows().frames, schema)`; anything else: `rows(paths)`.
    """

    column: str = "path"
    """Of the batches: where the paths are. Other columns are not kept."""
    checkpoint: str | None = None
    """None: the bundled one."""
    device: str = "auto"
    batch: int = 32
    """Segments decoded at once."""
    precision: str = "auto"
    decoding: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `DecodeConfig` that replace the checkpoint's; plain JSON values."""

    def rows(self, paths: Iterable[str]) -> Iterator[Row]:
        """One row a path.

        Raises:
            ValueError: the checkpoint, the device or an option cannot be used.
        """
        transcriber = _transcriber(
            self.checkpoint, self.device, self.batch, self.precision, json.dumps(dict(self.decoding))
        )
        names = [str(path) for path in paths]
        for name, found in zip(names, transcriber.transcribe_files(names), strict=True):
            yield to_row(name, found)

    def __call__(self, batch: Any) -> Any:
        """A batch of the kind that comes in: a mapping of columns (Ray's default), a pandas DataFrame or a
        pyarrow Table.

        Raises:
            ValueError: the column is missing, or as `rows`.
        """
        names = batch.column_names if hasattr(batch, "column_names") else list(batch)
        if self.column not in names:
            raise ValueError(f"the batch has no column {self.column!r}, only {', '.join(map(str, names))}")
        values = batch[self.column]
        paths = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
        rows = list(self.rows(paths))
        if hasattr(batch, "column_names"):
            return parquet.to_table(rows)
        columns = {name: [row[name] for row in rows] for name in COLUMNS}
        return type(batch)(columns) if hasattr(batch, "iloc") else columns

    def frames(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Batch by batch, as Spark's `mapInPandas` and `mapInArrow` want it."""
        yield from map(self, batches)


def to_row(path: str, found: Transcription | Failure) -> Row:
    """A result as plain values."""
    if hasattr(found, "reason"):
        empty: Row = {name: [] for name in ("time", "drum", "velocity", "confidence", "warnings")}
        nothing = {"seconds": None, "bpm": None, "meter": None}
        return {"path": path, "status": "failed", "reason": found.reason, **nothing, **empty}
    return parquet.to_row(path, found.hits, found.seconds, found.beats(), found.warnings, found.scheme)


@lru_cache(maxsize=1)
def _transcriber(
    checkpoint: str | None, device: str, batch: int, precision: Any, decoding: str
) -> Transcriber:
    """One for each process: engines unpickle the object anew for every task."""
    from mt3drum.transcriber import Transcriber

    return Transcriber.load(checkpoint, device, batch, precision, **json.loads(decoding))
