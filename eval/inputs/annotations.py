"""References and estimates from files: MIDI, text, JSON, JAMS. All input is untrusted.

A `LabelMap` maps labels to classes; a label that is not in the map is accepted if it is one of the 26 class
names and counted as unmapped otherwise. Text rows are `seconds label [velocity [confidence]]`, separated by
blanks, tabs, commas or semicolons; empty rows, rows that start with # and a first row of column names are
skipped.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from tokenizer.maps import LabelMap
from tokenizer.midi import read_midi

LATEST_SECONDS = 30000.0
"""A later time is an error: probably not seconds (mir_eval.util.MAX_TIME is the same)."""
MAX_BYTES = 64 * 2**20
"""Maximum file size: an hour of dense drums is 2 MiB."""
DEFAULT_VELOCITY = 100
"""Velocity of hits in files without velocities."""
MIDI_SUFFIXES = (".mid", ".midi")
TEXT_SUFFIXES = (".txt", ".csv", ".tsv", ".lab", ".drums")
SUFFIXES = (*MIDI_SUFFIXES, *TEXT_SUFFIXES, ".json", ".jams")
JAMS_NAMESPACES = ("note_midi", "pitch_midi", "tag_open", "onset")
_HEADER = {"time", "seconds", "onset", "onset_time", "start"}
_DECIMAL_COMMA = re.compile(r"\d+,\d+")
LONGEST_LABEL = 60
"""Characters of an unknown label that are kept, for messages and reports."""
_LABEL_KEYS = ("drum", "class", "label", "note", "pitch")


@dataclass(frozen=True)
class Annotation:
    """The hits of one file, with counts of unused labels."""

    hits: tuple[Hit, ...]
    """In order of time."""
    unmapped: Counter[str] = field(default_factory=Counter)
    """Labels that are not in the map."""
    excluded: Counter[str] = field(default_factory=Counter)
    """Labels that the map excludes on purpose."""
    has_velocity: bool = True
    """Whether the file states velocities."""


class _HitRows:
    """Collects the rows of one file, with errors that name file, row and text."""

    def __init__(self, path: Path, label_map: LabelMap) -> None:
        self.path = path
        self.label_map = label_map
        self.hits: list[Hit] = []
        self.unmapped: Counter[str] = Counter()
        self.excluded: Counter[str] = Counter()
        self.velocities = 0

    def error(self, row: object, text: object, reason: str) -> ValueError:
        return ValueError(f"{self.path}: row {row}: {str(text).strip()!r:.200}: {reason}")

    def number(self, value: Any, name: str, row: object, text: object) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise self.error(row, text, f"{name} {value!r:.50} is not a number") from None
        if not math.isfinite(number):
            raise self.error(row, text, f"{name} {value!r:.50} is not finite")
        return number

    def add(self, time: Any, label: Any, velocity: Any, confidence: Any, row: object, text: object) -> None:
        """One hit; `velocity` and `confidence` are None if the file has none."""
        seconds = self.number(time, "time", row, text)
        if not 0 <= seconds <= LATEST_SECONDS:
            raise self.error(row, text, f"time {seconds:g} is outside 0..{LATEST_SECONDS:g} s")
        loudness = float(DEFAULT_VELOCITY)
        if velocity is not None:
            loudness = self.number(velocity, "velocity", row, text)
            if not 1 <= loudness <= 127:
                raise self.error(row, text, f"velocity {loudness:g} is outside 1..127")
            self.velocities += 1
        certainty = 1.0 if confidence is None else self.number(confidence, "confidence", row, text)
        if not 0 <= certainty <= 1:
            raise self.error(row, text, f"confidence {certainty:g} is outside 0..1")
        known, name = self.drum_of(label)
        if not known:
            self.unmapped[_brief(label)] += 1
        elif name is None:
            self.excluded[_brief(label)] += 1
        else:
            self.hits.append(Hit(seconds, CLASS_INDEX[name], round(loudness), certainty))

    def drum_of(self, label: Any) -> tuple[bool, str | None]:
        """Whether the label is known, and its class (None: excluded on purpose)."""
        table = self.label_map.drum_of
        text = str(label).strip()
        keys: list[str | int] = [text]
        if re.fullmatch(r"\d{1,3}(\.0*)?", text):
            keys.append(int(float(text)))
        for key in keys:
            if key in table:
                return True, table[key]
        return (True, text) if text in CLASS_INDEX else (False, None)

    def annotation(self) -> Annotation:
        return Annotation(tuple(sorted(self.hits)), self.unmapped, self.excluded, self.velocities > 0)


def _brief(label: Any) -> str:
    text = str(label)
    return text if len(text) <= LONGEST_LABEL else f"{text[:LONGEST_LABEL]} ... ({len(text):,} characters)"


def read_annotation(path: Path, label_map: LabelMap) -> Annotation:
    """Read one file by its suffix.

    Raises:
        ValueError: the file cannot be read; the message names file, row and text.
    """
    suffix = path.suffix.lower()
    if suffix in MIDI_SUFFIXES:
        return _read_midi(path, label_map)
    if suffix in TEXT_SUFFIXES:
        return _read_text(path, label_map)
    if suffix == ".json":
        return _read_json(path, label_map)
    if suffix == ".jams":
        return _read_jams(path, label_map)
    raise ValueError(f"{path}: cannot read {suffix or 'a file without suffix'}; known: {', '.join(SUFFIXES)}")


def annotation_files(folder: Path) -> dict[str, Path]:
    """The annotation files of a folder and its subfolders, by stem.

    Raises:
        ValueError: the folder does not exist or has no annotation file, or two files have the same stem.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: not a folder")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() not in SUFFIXES or not path.is_file() or hidden:
            continue
        if path.stem in found:
            raise ValueError(
                f"{found[path.stem]} and {path} have the same stem: keep one, or give the inner folder"
            )
        found[path.stem] = path
    if not found:
        raise ValueError(f"{folder}: no annotation files in it ({', '.join(SUFFIXES)})")
    return found


def read_folder(folder: Path, label_map: LabelMap) -> dict[str, Annotation]:
    """Every annotation file of a folder, by stem.

    Raises:
        ValueError: as `annotation_files` and `read_annotation`.
    """
    return {stem: read_annotation(path, label_map) for stem, path in annotation_files(folder).items()}


def _read_midi(path: Path, label_map: LabelMap) -> Annotation:
    score = read_midi(path, label_map)
    late = next((hit for hit in score.hits if not 0 <= hit.time <= LATEST_SECONDS), None)
    if late is not None:
        raise ValueError(f"{path}: a note at {late.time:g} s is outside 0..{LATEST_SECONDS:g} s")
    unmapped = Counter({str(note): count for note, count in score.unmapped.items()})
    excluded = Counter({str(note): count for note, count in score.excluded.items()})
    return Annotation(tuple(sorted(score.hits)), unmapped, excluded)


def _load_text(path: Path) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path}: larger than {MAX_BYTES >> 20} MiB, not a list of hits")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file (UTF-8)") from None


def _read_text(path: Path, label_map: LabelMap) -> Annotation:
    rows = _HitRows(path, label_map)
    columns = ["time", "label", "velocity", "confidence"]
    for row, line in enumerate(_load_text(path).splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            cells = _cells(text)
        except csv.Error as error:
            raise rows.error(row, line, str(error)) from None
        if len(cells) > 2 and cells[0].isdecimal() and cells[1].isdecimal() and not _is_number(cells[2]):
            reason = f"a decimal comma? Write {cells[0]}.{cells[1]}, or separate columns by ; or blanks"
            raise rows.error(row, line, reason)
        if row == 1 and cells[0].lower() in _HEADER:
            columns = _columns(path, cells)
            continue
        if not 2 <= len(cells) <= len(columns):
            raise rows.error(
                row, line, f"{len(cells)} columns; expected: seconds label [velocity [confidence]]"
            )
        values = dict(zip(columns, [*cells, None, None], strict=False))
        if "label" not in values:
            raise rows.error(row, line, "ends before the column of drums")
        velocity, confidence = (values.get(name) or None for name in ("velocity", "confidence"))
        rows.add(values["time"], values["label"], velocity, confidence, row, line)
    return rows.annotation()


def _cells(text: str) -> list[str]:
    """The columns of a row. Decimal commas become points if columns are not separated by commas.

    Raises:
        csv.Error: a quote is not closed.
    """
    apart = re.split(r"\s*;\s*|\s+", text)
    if len(apart) > 1 and _DECIMAL_COMMA.fullmatch(apart[0]):
        return [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in apart]
    cells = next(csv.reader([text])) if "," in text else apart
    return [cell.strip() for cell in cells]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _columns(path: Path, header: list[str]) -> list[str]:
    """Normalised column names of a header; unknown columns keep their names and are ignored."""
    names = [name.lower() for name in header]
    label = next((key for key in _LABEL_KEYS if key in names), None)
    if label is None:
        raise ValueError(f"{path}: row 1: no drum column; expected one of {', '.join(_LABEL_KEYS)}")
    ours = {label: "label", names[0]: "time"}
    return [ours.get(name, name) for name in names]


def _parse_json(path: Path) -> Any:
    try:
        return json.loads(_load_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: row {error.lineno}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, nesting without end
        raise ValueError(f"{path}: row 1: not JSON that is read here: {error}") from None


def _read_json(path: Path, label_map: LabelMap) -> Annotation:
    """A list of hits, or an object with the list under "hits". A hit is an object or [time, label,
    velocity]."""
    document = _parse_json(path)
    listed = document.get("hits") if isinstance(document, Mapping) else document
    if not isinstance(listed, list):
        raise ValueError(f'{path}: row 1: expected a list of hits, or an object with "hits"')
    rows = _HitRows(path, label_map)
    for row, item in enumerate(listed, start=1):
        if isinstance(item, Mapping):
            label = next((item[key] for key in _LABEL_KEYS if key in item), None)
            if label is None or "time" not in item:
                raise rows.error(row, item, f'expected "time" and one of {", ".join(_LABEL_KEYS)}')
            rows.add(item["time"], label, item.get("velocity"), item.get("confidence"), row, item)
        elif isinstance(item, list) and 2 <= len(item) <= 4:
            time, label, velocity, confidence = [*item, None, None][:4]
            rows.add(time, label, velocity, confidence, row, item)
        else:
            raise rows.error(row, item, "expected an object or [time, label, velocity, confidence]")
    return rows.annotation()


def _read_jams(path: Path, label_map: LabelMap) -> Annotation:
    """The one drum annotation of a JAMS file (Humphrey et al. 2014), in a namespace of `JAMS_NAMESPACES`.

    The value of an observation is the label or note, or an object holding it (with "velocity", if known).
    """
    document = _parse_json(path)
    listed = document.get("annotations") if isinstance(document, Mapping) else None
    if not isinstance(listed, list):
        raise ValueError(f'{path}: row 1: not JAMS: no list of "annotations"')
    fitting = [one for one in listed if isinstance(one, Mapping) and one.get("namespace") in JAMS_NAMESPACES]
    if len(fitting) != 1:
        raise ValueError(
            f"{path}: holds {len(fitting)} annotations in {', '.join(JAMS_NAMESPACES)}; expected exactly one"
        )
    data = fitting[0].get("data")
    if isinstance(data, Mapping):  # the dense form: one list per field
        lists = {key: data.get(key) for key in ("time", "value", "confidence")}
        if not all(isinstance(column, list) for column in (lists["time"], lists["value"])):
            raise ValueError(f'{path}: row 1: "data" without lists of time and value')
        given = lists["confidence"]
        confidence = given if isinstance(given, list) and given else [None] * len(lists["time"] or [])
        columns = zip(lists["time"] or [], lists["value"] or [], confidence, strict=False)
        data = [{"time": t, "value": v, "confidence": c} for t, v, c in columns]
    if not isinstance(data, list):
        raise ValueError(f'{path}: row 1: "data" is not a list')
    rows = _HitRows(path, label_map)
    for row, item in enumerate(data, start=1):
        if not isinstance(item, Mapping) or "time" not in item or "value" not in item:
            raise rows.error(row, item, "expected time and value")
        value, velocity = item["value"], None
        if isinstance(value, Mapping):
            velocity = value.get("velocity")
            value = next((value[key] for key in (*_LABEL_KEYS, "midi") if key in value), None)
        rows.add(item["time"], value, velocity, item.get("confidence"), row, item)
    return rows.annotation()
