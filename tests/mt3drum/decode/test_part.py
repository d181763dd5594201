"""A part of a recording: the same hits as in the whole, and put into an earlier transcription."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from mt3drum.audio.recording import AudioError
from mt3drum.decode.part import WHOLE, Part, merged
from mt3drum.result import Transcription
from mt3drum.transcriber import Transcriber
from tests import ROOT
from tokenizer.hits import Hit, within

DEMO = ROOT / "mt3drum" / "assets" / "demo.ogg"
KICK, SNARE = 0, 1
BOTH = {KICK, SNARE}


def score(*hits: tuple[float, int], seconds: float = 10.0) -> Transcription:
    return Transcription(tuple(Hit(time, drum, 90) for time, drum in sorted(hits)), seconds)


def times(found: Transcription) -> list[tuple[float, int]]:
    return [(hit.time, hit.drum) for hit in found.hits]


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Transcriber.load(precision="float32")


@pytest.fixture(scope="module")
def whole(transcriber: Transcriber) -> Transcription:
    return transcriber.transcribe_file(DEMO)


@pytest.mark.parametrize(("start", "end"), [(0.0, 2.9), (3.2, 5.0), (2.99, 6.01), (8.0, math.inf)])
def test_a_part_has_the_hits_of_the_whole(
    transcriber: Transcriber, whole: Transcription, start: float, end: float
) -> None:
    told: list[Hit] = []
    (found,) = transcriber.transcribe_files([DEMO], None, lambda _, hits: told.extend(hits), Part(start, end))
    assert isinstance(found, Transcription) and found.seconds == whole.seconds
    expected = within(whole.hits, start, end)
    assert expected and [(hit.time, hit.drum) for hit in told] == times(found)
    assert [hit.drum for hit in found.hits] == [hit.drum for hit in expected]
    assert [hit.time for hit in found.hits] == pytest.approx([hit.time for hit in expected], abs=1e-4)


def test_only_the_segments_of_the_part_are_decoded(
    transcriber: Transcriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    decode = transcriber.decode

    def counted(batch: Any, *rest: Any) -> None:
        decoded.append(len(batch))
        decode(batch, *rest)

    monkeypatch.setattr(transcriber, "decode", counted)
    list(transcriber.transcribe_files([DEMO], part=Part(3.5, 5.0)))
    assert decoded == [1]  # of four


def test_a_part_beyond_the_end_is_a_failure(transcriber: Transcriber) -> None:
    (found,) = transcriber.transcribe_files([DEMO], part=Part(60.0))
    assert not isinstance(found, Transcription) and "ends at 10.5 s, before 60 s" in found.reason
    with pytest.raises(AudioError):
        transcriber.transcribe_file(Path("gone.wav"))


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 2), (3, 2), (math.nan, 2)])
def test_an_empty_part_is_refused(start: float, end: float) -> None:
    with pytest.raises(ValueError, match="is empty"):
        Part(start, end)


def test_segments_beside_a_part_are_needed_too() -> None:
    """Their strokes within a quarter of a second can be joined with those in the part."""
    part = Part(2, 4)
    assert [part.needs(start, 9.0) for start in (3.9, 4.2, 4.3)] == [True, True, False]
    assert [part.needs(0.0, end) for end in (2.1, 1.8, 1.7)] == [True, True, False]


def test_merging_replaces_the_part_alone() -> None:
    old = score((1, KICK), (2, KICK), (3, SNARE), (4, KICK))
    new = score((2.5, KICK), (2.6, SNARE))
    assert times(merged(old, new, Part(2, 4), BOTH)) == [(1, KICK), (2.5, KICK), (2.6, SNARE), (4, KICK)]
    assert times(merged(old, new, WHOLE, BOTH)) == times(new)
    # Only some drums: the others keep their hits in the part, and get no new ones.
    assert times(merged(old, new, Part(2, 4), {KICK})) == [(1, KICK), (2.5, KICK), (3, SNARE), (4, KICK)]


def test_a_stroke_at_the_seam_is_neither_lost_nor_doubled() -> None:
    part = Part(2, 4)
    assert part.widened() == Part(1.98, 4.02)
    # Heard just outside by the old and just inside by the new: the old one stays.
    assert times(merged(score((1.995, KICK)), score((2.005, KICK)), part, BOTH)) == [(1.995, KICK)]
    assert times(merged(score((4.005, KICK)), score((3.995, KICK)), part, BOTH)) == [(4.005, KICK)]
    # The other way round: the new one takes its place.
    assert times(merged(score((2.005, KICK)), score((1.995, KICK)), part, BOTH)) == [(1.995, KICK)]
    assert times(merged(score((3.995, KICK)), score((4.005, KICK)), part, BOTH)) == [(4.005, KICK)]
    # What was only heard outside is none of the part's.
    assert times(merged(score(), score((1.99, KICK)), part, BOTH)) == []
    assert times(merged(score((2.005, SNARE)), score((1.995, KICK)), part, BOTH)) == []


def test_what_is_of_another_recording_is_refused() -> None:
    with pytest.raises(ValueError, match=r"of a recording of 10\.0 s; this one lasts 12\.0 s"):
        merged(score(), score(seconds=12.0), WHOLE, BOTH)
    assert merged(score(), score(seconds=10.1), WHOLE, BOTH).seconds == 10.1
