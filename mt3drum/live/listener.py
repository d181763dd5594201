"""Transcribe sound while it comes in.

Every 0.8 s a segment is decoded. It is responsible for 0.8 s, which end 0.5 s before it does; what lies
before them is context. A hit is settled when no later hit can change it: at most 1.4 s after it sounded, plus
the time for decoding.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from mt3drum import memory
from mt3drum.audio.recording import AudioSource, SegmentCutter
from mt3drum.config import HOP, SAMPLE_RATE
from mt3drum.decode.stitch import REFINED, InProgress
from mt3drum.decode.velocity import Strength
from mt3drum.decoding import DecodeConfig
from mt3drum.live.gain import RunningGain
from mt3drum.result import Transcription
from mt3drum.transcriber import Transcriber
from tokenizer.codec import Codec
from tokenizer.hits import Hit

STRIDE = 0.8
"""Seconds between two segments. Together with the margin at their end (0.5 s) and what settling a hit takes
(0.1 s) this is the delay."""
MOST_WARNINGS = 100


def live_config(config: DecodeConfig, codec: Codec) -> DecodeConfig:
    """The same decoding with the margins of live segments. With the same gain, a recording transcribed so has
    the hits that `Listener` finds in it."""
    rest = (codec.segment_steps - config.margin_steps(codec)) / codec.steps_per_second - STRIDE
    return replace(config, margin_before=max(config.margin, rest))


class Listener:
    """One recording whose end is not known.

    Args:
        transcriber: decodes with its own settings, but for the margins (`live_config`).
        name: of the source, in warnings.
        gain: factor for all samples; None: follows the sound (`RunningGain`).
        keep: keep what `result` needs; if not, memory does not grow with the recording.
    """

    def __init__(
        self, transcriber: Transcriber, name: str = "live", gain: float | None = None, keep: bool = True
    ) -> None:
        codec = transcriber.model.config.codec
        self.config = live_config(transcriber.config, codec)
        self.transcriber = Transcriber(transcriber.model, self.config, batch=1, kit=transcriber.kit)
        self.keep = keep
        after = self.config.margin_steps(codec)
        self._cutter = SegmentCutter(codec.segment_steps, after)
        self._own = codec.segment_steps - after - self.config.steps_before(codec)
        self._own_hurried = codec.segment_steps - 2 * after
        self._given_gain, self._running = gain, RunningGain()
        self._first_gain: float | None = None
        self._strengths: dict[tuple[float, int], Strength] = {}
        self._trimmed = 0  # samples received when memory was last released
        self._job = InProgress(Path(name), None, scheme=self.config.scheme)

    @property
    def seconds(self) -> float:
        """Seconds of sound received."""
        return self._cutter.received / SAMPLE_RATE

    def feed(self, audio: np.ndarray, hurry: bool = False) -> list[Hit]:
        """Take mono float32 samples at 44.1 kHz, in pieces of any size. Returns the newly settled hits; their
        velocities are the model's.

        Args:
            hurry: decode segments that are responsible for 3 s: a quarter of the work, but hits come later.
        """
        own = self._own_hurried if hurry else self._own
        new: list[Hit] = []
        while len(audio) or not self._cutter.lacking(own):
            piece = audio[: self._cutter.lacking(own)]
            audio = audio[len(piece) :]
            self._cutter.push(piece)
            self._running.push(piece)
            if not self._cutter.lacking(own):
                new += self._decode(own)
        return new

    def finish(self) -> list[Hit]:
        """The recording has ended. Returns the remaining hits."""
        new: list[Hit] = []
        while self._cutter.next * HOP < self._cutter.received:
            new += self._decode(self._own)
        return new + self._settle(math.inf)

    def result(self) -> Transcription:
        """The hits so far, their velocities revised as in any transcription; none without `keep`."""
        self._job.recording, self._job.strengths = self._so_far(), self._strengths
        found = self._job.result()
        assert isinstance(found, Transcription)
        return found

    def _so_far(self) -> AudioSource:
        return AudioSource(lambda: iter(()), self._cutter.received, 1.0, ())

    def _decode(self, own: int) -> list[Hit]:
        gain = self._running.value if self._given_gain is None else self._given_gain
        self._first_gain = self._first_gain or gain
        segment = self._cutter.cut(own, gain)
        job, codec = self._job, self.transcriber.model.config.codec
        settled = len(job.settled)
        if segment.audio.any():
            job.recording, job.strengths = self._so_far(), {}
            job.waiting += 1
            self.transcriber.decode([(job, segment)])
            if self.keep:
                louder = 20 * math.log10(gain / self._first_gain)  # as if the gain had not changed
                self._strengths |= {
                    hit: strength._replace(rise=strength.rise - louder)
                    for hit, strength in job.strengths.items()
                }
        end = segment.start + codec.segment_steps - self.config.margin_steps(codec)
        new = job.settled[settled:] + self._settle(end / codec.steps_per_second - REFINED)
        del job.warnings[MOST_WARNINGS:]
        if self._cutter.received - self._trimmed > memory.TRIM_SECONDS * SAMPLE_RATE:
            self._trimmed = self._cutter.received
            memory.trim()
        return new

    def _settle(self, until: float) -> list[Hit]:
        new = self._job.settle(self.config, until)
        if not self.keep:
            self._job.settled.clear()
            self._job.candidates.clear()
        return new
