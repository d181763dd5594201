"""Join the hits of a recording from its segments as they are decoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mt3drum.audio.recording import AudioSource, Segment, segments
from mt3drum.decode.hypothesis import Hypothesis
from mt3drum.decode.part import WHOLE, Part
from mt3drum.decode.velocity import Strength, revise
from mt3drum.decoding import DecodeConfig
from mt3drum.result import Failure, Transcription
from tokenizer.codec import Codec
from tokenizer.hits import SAME_STROKE, Hit, merge_close, one_way_at_a_time, within

REFINED = 0.05
"""Seconds: upper bound on how far refinement moves a hit before its segment (actual: 20 ms)."""


@dataclass
class InProgress:
    """A recording being transcribed."""

    path: Path | None
    recording: AudioSource | None
    part: Part = WHOLE
    """Only hits inside it are kept."""
    failure: str = ""
    scheme: str = "26"
    waiting: int = 0
    """Segments cut and not yet decoded."""
    cut: bool = False
    """All segments have been cut."""
    hits: list[Hit] = field(default_factory=list)
    """Decoded but not yet settled."""
    settled: list[Hit] = field(default_factory=list)
    """Final: later hits do not change them."""
    candidates: list[Hit] = field(default_factory=list)
    """Hits dropped for a confidence below their family's threshold."""
    strengths: dict[tuple[float, int], Strength] = field(default_factory=dict)
    """For every hit, by time and drum; empty without the loudness pass."""
    warnings: list[str] = field(default_factory=list)

    def result(self) -> Transcription | Failure:
        """The result, once all hits are settled."""
        if self.recording is None or self.failure:
            assert self.path is not None
            return Failure(self.path, self.failure)
        return Transcription(
            tuple(revise(self.settled, self.strengths) if self.strengths else self.settled),
            self.recording.seconds,
            self.path,
            (*self.recording.warnings, *self.warnings),
            tuple(self.candidates),
            scheme=self.scheme,
        )

    def segments(self, codec: Codec, config: DecodeConfig) -> Iterator[Segment]:
        """The segments that the part needs; reading stops after the last one.

        Raises:
            AudioError, OSError: the recording cannot be read.
        """
        after, before = config.margin_steps(codec), config.steps_before(codec)
        for segment in segments(self.recording, codec, after, before) if self.recording else ():
            first, last = segment.first, codec.segment_steps - after
            start, end = ((segment.start + step) / codec.steps_per_second for step in (first, last))
            if self.part.needs(start, end):
                yield segment
            elif start > self.part.end:
                return

    def settle(self, config: DecodeConfig, until: float) -> list[Hit]:
        """Join the hits up to the last pause that separates them from all later ones, assuming that no later
        hit lies before `until` seconds. Return the newly settled hits."""
        pause = max(SAME_STROKE, config.minimum_gap, config.exclusive_gap)
        self.hits.sort()
        end = len(self.hits)
        while end and until - self.hits[end - 1].time <= pause:
            until = min(until, self.hits[end - 1].time)
            end -= 1
        joined = one_way_at_a_time(
            merge_close(self.hits[:end], max(SAME_STROKE, config.minimum_gap)), config.exclusive_gap
        )
        joined = within(joined, self.part.start, self.part.end)
        new = [hit for hit in joined if config.confident(hit)]
        del self.hits[:end]
        self.settled += new
        self.candidates += [hit for hit in joined if not config.confident(hit)]
        return new


def place(
    hypothesis: Hypothesis, start: int, first: int, steps: int, steps_per_second: int
) -> list[tuple[Hit, int]]:
    """A segment's hits in recording time, each with its step in the segment, by the border rule.

    A segment is responsible for the steps from `first` up to the `until` given to `generate`. The rule uses
    the token's unrefined step, so that every step of a recording belongs to exactly one segment.
    """
    return [
        (Hit(max(0.0, start / steps_per_second + hit.time), hit.drum, hit.velocity, hit.confidence), step)
        for hit, step in zip(hypothesis.hits, hypothesis.steps, strict=True)
        if step >= first and start + step < steps
    ]
