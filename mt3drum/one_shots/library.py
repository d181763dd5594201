"""Label many samples: each content once, what is known from an earlier run not again."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mt3drum.audio.limits import AudioError
from mt3drum.one_shots.facts import MAX_FILE_BYTES, measure, read_sample
from mt3drum.one_shots.names import LEVELS, name_samples
from mt3drum.result import Failure
from tokenizer.drums import CLASS_INDEX

if TYPE_CHECKING:
    from mt3drum.transcriber import Transcriber

T = TypeVar("T")
VERSION = 1
"""Of what is measured and how samples are named; labels of other versions are made again."""
MAX_SAMPLES = 20_000
MAX_JSON_BYTES = 64 << 20
BATCH = 16
"""Samples held and named at once."""
COLUMNS = (
    *("source", "class26", "confidence26", "class8", "confidence8", "class5", "confidence5"),
    *("peak_db", "loudness_db", "attack_ms", "seconds", "strokes", "sha256", "duplicate_of"),
)


@dataclass(frozen=True)
class Label:
    """One sample: a row of the table."""

    source: str
    class26: str
    confidence26: float
    class8: str
    confidence8: float
    class5: str
    """"" for drums that the five labels leave out."""
    confidence5: float | None
    peak_db: float
    loudness_db: float
    attack_ms: float
    seconds: float
    strokes: int
    sha256: str
    """Of the file."""
    duplicate_of: str = ""
    """An earlier source of the same content."""


def digest(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        AudioError: it is not there, cannot be read, or is too large for a sample.
    """
    try:
        if not path.is_file():
            raise AudioError(f"{path}: no such file")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise AudioError(
                f"{path}: too large for a sample of one drum; at most {MAX_FILE_BYTES >> 20} MiB are read"
            )
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror or error})") from error


def digest_of_weights(path: Path) -> str:
    """The first 16 digits of a checkpoint's SHA-256.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def read_labels(path: Path, made_by: str) -> dict[str, Label]:
    """Labels of an earlier run by content; none if the file is missing, damaged, or of other weights.

    Args:
        made_by: what made them: version and weights.
    """
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            return {}
        found = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        if found["made_by"] != made_by:
            return {}
        labels = [Label(**row) for row in found["samples"]]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}
    return {label.sha256: label for label in labels if _sound(label)}


def _sound(label: Label) -> bool:
    """Whether a row that was read has values of the right types."""
    texts = {"source", "class26", "class8", "class5", "sha256", "duplicate_of"}
    return label.class26 in CLASS_INDEX and all(
        isinstance(value, str) if name in texts else isinstance(value, int | float) or name == "confidence5"
        for name, value in asdict(label).items()
    )


def label_samples(
    paths: Iterable[Path], known: Mapping[str, Label], load: Callable[[], Transcriber]
) -> Iterator[Label | Failure]:
    """The label of each file in order, or why there is none.

    Args:
        known: labels by content, which are taken as they are.
        load: called once, and only if there is something new.
    """
    known, first = dict(known), dict[str, str]()
    transcriber: Transcriber | None = None
    for chunk in batched(paths, BATCH):
        contents: dict[str, np.ndarray] = {}
        found: list[tuple[Path, str]] = []
        failed: dict[Path, str] = {}
        for path in chunk:
            try:
                content = digest(path)
                if content not in known and content not in contents:
                    contents[content] = read_sample(path)
                found.append((path, content))
            except (AudioError, OSError) as error:
                reason = " ".join(str(error).split())
                failed[path] = reason if str(path) in reason else f"{path}: {reason}"
        if contents:
            transcriber = transcriber or load()
            sources = {content: str(path) for path, content in reversed(found)}
            known |= _label_new(transcriber, contents, sources)
        content_of = dict(found)
        for path in chunk:
            if path in failed:
                yield Failure(path, failed[path])
                continue
            content = content_of[path]
            earlier = first.setdefault(content, str(path))
            yield replace(
                known[content], source=str(path), duplicate_of="" if earlier == str(path) else earlier
            )


def _label_new(
    transcriber: Transcriber, contents: Mapping[str, np.ndarray], sources: Mapping[str, str]
) -> dict[str, Label]:
    names = name_samples(transcriber.model, transcriber.config.onset_bias, list(contents.values()))
    labels = {}
    for (content, audio), name in zip(contents.items(), names, strict=True):
        levels: dict[str, Any] = {f"class{level}": name.label(level) for level in LEVELS}
        levels |= {f"confidence{level}": name.confidence.get(level) for level in LEVELS}
        labels[content] = Label(sources[content], **levels, **measure(audio)._asdict(), sha256=content)
    return labels


def to_csv(labels: Iterable[Label]) -> str:
    """A header and one sample a line."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for label in labels:
        values = asdict(label)
        table.writerow(["" if values[name] is None else values[name] for name in COLUMNS])
    return text.getvalue()


def to_json(labels: Iterable[Label], failures: Iterable[Failure], made_by: str) -> str:
    """One object, one sample a line; what `read_labels` reads."""
    rows = ",\n  ".join(json.dumps(asdict(label)) for label in labels)
    failed = json.dumps([{"source": str(one.path), "reason": one.reason} for one in failures])
    return f'{{"made_by": {json.dumps(made_by)},\n "failed": {failed},\n "samples": [\n  {rows}\n ]}}\n'


def batched(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """In groups of at most `size`."""
    rest = iter(items)
    while group := tuple(islice(rest, size)):
        yield group
