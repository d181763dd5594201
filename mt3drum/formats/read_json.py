"""Read scores from JSON as written by `mt3drum.formats.tables` and the review page; input is validated."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from mt3drum.decoding import DECODED_SCHEMES
from mt3drum.result import Transcription
from mt3drum.rhythm.grid import Grid, Meter
from tokenizer.drums import SCHEMES
from tokenizer.hits import Hit
from tokenizer.json_object import parse_json_object

MAX_BYTES = 256 * 2**20
MAX_BEATS = 200_000
"""Two hours at 500 bpm are 60,000 beats."""
MAX_SECONDS = 1e5


def read_json(path: Path) -> tuple[Transcription, Grid | None]:
    """The score in a JSON file (-: standard input), and its beats if it contains any.

    Raises:
        ValueError: the file is not a valid score; the message names the file and the problem.
        OSError: the file cannot be read.
    """
    if str(path) == "-":
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
    elif not path.is_file():
        raise ValueError(
            f"{path}: no such file; name a score in JSON, as `mt3drum transcribe --format json` writes"
        )
    else:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    values = parse_json_object(data, path, '{"hits": [...]}', MAX_BYTES)
    if not isinstance(values.get("hits"), list):
        raise ValueError(f"{path}: not a score in JSON, as mt3drum and its review page write it")
    hits = []
    scheme = values.get("scheme", "26")
    if scheme not in DECODED_SCHEMES:
        raise ValueError(f"{path}: scheme {scheme!r:.40} is not one of {', '.join(DECODED_SCHEMES)}")
    drums = dict(zip(SCHEMES[scheme].labels, SCHEMES[scheme].first_class, strict=True))
    for number, row in enumerate(values["hits"], 1):
        try:
            time, confidence = _number(row["time"], 0, MAX_SECONDS), _number(row["confidence"], 0, 1)
            if type(row["velocity"]) is not int:
                raise ValueError(f"velocity {row['velocity']!r:.40} is not a whole number")
            hits.append(Hit(time, drums[row["drum"]], row["velocity"], confidence))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path}: hit {number}: {type(error).__name__}: {error}") from None
    try:
        seconds = _number(values.get("seconds"), 0, MAX_SECONDS)
        beats = None if values.get("tempo") is None else read_tempo(values["tempo"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: {type(error).__name__}: {error}") from None
    source = values.get("source")
    warnings = tuple(str(text) for text in values.get("warnings") or ())
    name = Path(source) if isinstance(source, str) and source else path
    return Transcription(tuple(sorted(hits)), seconds, name, warnings, scheme=scheme), beats


def read_tempo(record: Mapping[str, Any]) -> Grid:
    """The inverse of `tables.tempo_record`.

    Raises:
        ValueError, TypeError, KeyError: the record is invalid.
    """
    beats = tuple(_number(beat, 0, MAX_SECONDS) for beat in record["beats"])
    if not 2 <= len(beats) <= MAX_BEATS or any(later <= beat for beat, later in pairwise(beats)):
        raise ValueError(f"beats must rise, 2 to {MAX_BEATS} of them")
    meter, first = Meter.parse(str(record["meter"])), record["first"]
    if type(first) is not int or not 0 <= first <= meter.beats:
        raise ValueError(f"first must be a whole number of 0..{meter.beats}")
    return Grid(beats, first, meter, _number(record["steadiness"], 0, 1))


def _number(value: Any, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.40} is not a number")
    if not least <= value <= most:
        raise ValueError(f"{value:g} is outside {least:g}..{most:g}")
    return float(value)
