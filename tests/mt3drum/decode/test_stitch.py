"""Segments joined to a recording: what is heard twice at a seam is one stroke."""

from __future__ import annotations

import pytest

from mt3drum.decode.hypothesis import Hypothesis
from mt3drum.decode.stitch import InProgress, place
from mt3drum.decoding import DecodeConfig
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit

SNARE, KICK, RIM = (CLASS_INDEX[name] for name in ("snare_head", "kick", "snare_rim"))


def settled(hits: list[Hit], until: float = 10.0, **options: float) -> list[Hit]:
    progress = InProgress(None, None, hits=list(hits))
    return progress.settle(DecodeConfig(**options), until)  # type: ignore[arg-type]


def test_a_stroke_heard_on_both_sides_of_a_seam_is_one() -> None:
    """The two segments put it 12 ms apart: the surer one stands. Farther apart they are two strokes."""
    before, after = Hit(2.995, SNARE, 90, 0.6), Hit(3.007, SNARE, 80, 0.9)
    other = Hit(3.0, KICK, 70, 0.5)
    assert settled([before, other, after]) == [other, after]
    assert len(settled([before, Hit(3.035, SNARE, 80, 0.9)])) == 2


def test_the_minimum_gap_holds_across_a_seam() -> None:
    strokes = [Hit(2.98, SNARE, 90, 0.9), Hit(3.03, SNARE, 80, 0.6)]
    assert len(settled(strokes, minimum_gap=0.04)) == 2
    assert settled(strokes, minimum_gap=0.06) == strokes[:1]


def test_an_instrument_is_struck_one_way_at_a_time() -> None:
    both = [Hit(1.0, SNARE, 90, 0.6), Hit(1.01, RIM, 80, 0.9)]
    assert settled(both, exclusive_gap=0.03) == both[1:]
    assert settled(both, exclusive_gap=0.0) == both


def test_what_may_still_change_waits() -> None:
    """A segment to come may hear the last stroke again: it is settled with what lies after the next pause."""
    progress = InProgress(None, None, hits=[Hit(1.0, SNARE, 90, 0.6), Hit(2.99, SNARE, 90, 0.6)])
    assert [hit.time for hit in progress.settle(DecodeConfig(), 3.0)] == [1.0]
    progress.hits.append(Hit(3.005, SNARE, 80, 0.9))
    assert [hit.time for hit in progress.settle(DecodeConfig(), 6.0)] == [3.005]
    assert [hit.time for hit in progress.settled] == [1.0, 3.005]
    assert not progress.hits


def test_the_border_rule() -> None:
    """A segment answers for the steps from its margin to the end of the recording, by their tokens."""
    strokes = tuple(Hit(time, SNARE, 64, 0.9) for time in (0.498, 0.502, 1.0, 1.5))
    found = place(Hypothesis((), 0.0, strokes, (49, 50, 100, 150)), 300, 50, 450, 100)
    assert [hit.time for hit, _ in found] == pytest.approx([3.502, 4.0])
    assert [step for _, step in found] == [50, 100]
    early = place(Hypothesis((), 0.0, (Hit(0.0, SNARE, 64, 0.9),), (0,)), -50, 0, 400, 100)
    assert [hit.time for hit, _ in early] == [0.0]
