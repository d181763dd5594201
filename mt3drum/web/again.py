"""A part of a kept recording, transcribed again with other options: what a request holds, and its work."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mt3drum.audio.recording import AudioError
from mt3drum.decode.part import Part, merged
from mt3drum.decoding import DECODERS, DecodeConfig
from mt3drum.result import Failure, Transcription
from mt3drum.transcriber import Transcriber
from mt3drum.web.edits import MAX_HITS, read_hit
from mt3drum.web.page import page_rows
from tokenizer.drums import DRUMS, FAMILIES
from tokenizer.hits import Hit

MAX_BEAM = 16
"""A search that is wider takes minutes."""


@dataclass(frozen=True)
class Again:
    """A request of the page."""

    hits: tuple[Hit, ...]
    """The score as it is now, in the order of the request."""
    part: Part
    options: Mapping[str, Any]
    """For `Transcriber.with_options`."""
    drums: frozenset[int]
    """Hits on other drums stay as they are."""


def parse_again(body: bytes, length: float, longest: float) -> Again:
    """From JSON: `hits` ([seconds, drum, velocity, confidence] each), `from` and `to` (seconds) and, where
    given, `decoder`, `beam`, `minimum_confidence` and `families` (the drums to replace).

    Args:
        length: of the recording, seconds.
        longest: longest part, seconds.
    Raises:
        ValueError, TypeError, KeyError, RecursionError: it is not what the page sends.
    """
    values = json.loads(body)
    rows, start, end = values["hits"], float(values["from"]), float(values["to"])
    if len(rows) > MAX_HITS:
        raise ValueError(f"more than {MAX_HITS} hits")
    if not end - start <= longest:
        raise ValueError(f"a part is at most {longest / 60:g} minutes long")
    if start >= length:
        raise ValueError("the part is beyond the recording")
    names = ("decoder", "beam", "minimum_confidence")
    options = {name: values[name] for name in names if values.get(name) is not None}
    if options.get("decoder", "product") not in DECODERS:
        raise ValueError(f"decoder must be one of {', '.join(DECODERS)}")
    if type(options.get("beam", 1)) is not int or not 1 <= options.get("beam", 1) <= MAX_BEAM:
        raise ValueError(f"beam must be a whole number, 1 to {MAX_BEAM}")
    DecodeConfig().with_options(options)  # checks the rest
    families = values.get("families") or list(FAMILIES)
    if not isinstance(families, list) or not set(families) <= set(FAMILIES):
        raise ValueError(f"families must be some of {', '.join(FAMILIES)}")
    drums = frozenset(drum.index for drum in DRUMS if drum.family in families)
    return Again(tuple(read_hit(row, length) for row in rows), Part(start, end), options, drums)


def difference(again: Again, found: Transcription) -> tuple[list[int], list[Hit]]:
    """What becomes of the score: places of the hits that go, and the hits that come.

    Raises:
        ValueError: `found` is of another recording.
    """
    old = Transcription(again.hits, found.seconds, scheme=found.scheme)
    # Rounded as the page has them. A hit that is heard as before stays the same hit, with the velocity that
    # was estimated among all hits of the recording.
    before = {(hit.time, hit.drum, hit.confidence): hit for hit in again.hits}
    heard = [Hit(*row) for row in page_rows(found.hits)]
    same = [before.get((hit.time, hit.drum, hit.confidence), hit) for hit in heard]
    found = replace(found, hits=tuple(sorted(same)))
    left = Counter(merged(old, found, again.part, again.drums).hits)
    gone = []
    for place, hit in enumerate(again.hits):
        if left[hit]:
            left[hit] -= 1
        else:
            gone.append(place)
    return gone, sorted(left.elements())


@dataclass(frozen=True)
class Work:
    """A part that waits for the worker."""

    sound: Path
    again: Again
    most: float
    """Seconds that the work may take."""
    future: Future[Transcription] = field(default_factory=Future)

    def do(self, transcriber: Transcriber, stopping: Callable[[], bool]) -> None:
        """Transcribe; the future has the result or the error."""
        if not self.future.set_running_or_notify_cancel():
            return  # nobody waits for it any more
        end = time.monotonic() + self.most

        def on_progress(path: Path, share: float) -> None:
            if stopping() or time.monotonic() > end:
                raise TimeoutError("stopped")

        try:
            # From a little before the part to a little after it: `merged` needs both sides of its borders.
            own = transcriber.with_options(**self.again.options)
            (result,) = own.transcribe_files([self.sound], on_progress, part=self.again.part.widened())
            if isinstance(result, Failure):
                raise AudioError(result.reason)
            self.future.set_result(result)
        except Exception as error:  # whatever it is, the asker gets it and the worker goes on
            self.future.set_exception(error)
