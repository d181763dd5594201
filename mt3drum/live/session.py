"""One live transcription: from a source to settled hits, with how late they are."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

import numpy as np

from mt3drum.audio.downmix import Downmix
from mt3drum.audio.limits import AudioError
from mt3drum.audio.recording import mono
from mt3drum.live.listener import Listener
from mt3drum.live.sources import SoundSource
from tokenizer.hits import Hit

LATE = 1.0
"""Seconds that decoding may lag behind the sound before it is hurried; it goes on so until it has caught
up."""
_REPORT_SECONDS = 30.0  # at most one message in as many


class Arrivals:
    """How much of the sound has arrived, and when."""

    def __init__(self) -> None:
        self._seconds, self._at, self._start = 0.0, 0.0, 0.0

    def add(self, seconds: float, at: float) -> None:
        """The sound up to `seconds` was there at the time `at`."""
        if not self._seconds:
            self._start = at - seconds
        self._seconds, self._at = seconds, at

    def lag(self, now: float) -> float:
        """Seconds by which decoding lags behind a source that delivers in real time: since the last piece
        arrived, or since it would have, whichever is less. A file that is piped in faster has none."""
        if not self._seconds:
            return 0.0
        return max(0.0, min(now - self._at, now - self._start - self._seconds))

    def delay(self, seconds: float, now: float) -> float:
        """How late what sounded at `seconds` is told: the sound that has come since, and the time since that
        came. Pauses of the source do not count."""
        return self._seconds - seconds + now - self._at

    def due(self, seconds: float, delay: float) -> float:
        """When a hit at `seconds` sounds again if everything is repeated this much later."""
        return self._start + seconds + delay


@dataclass
class LiveTally:
    """What happened."""

    hits: int = 0
    drums: Counter[int] = field(default_factory=Counter)
    delay: float = 0.0
    """Sum over hits, in seconds."""
    longest_delay: float = 0.0
    lag: float = 0.0
    """The greatest."""
    cpu: float = 0.0
    """Seconds of the processor, all threads."""
    elapsed: float = 0.0


class Session:
    """Feeds a listener from a source.

    Args:
        drums: hits on other drums are left out.
        on_hits: called with hits as they settle, and with what tells when they sounded.
        on_late: called with a line when decoding has fallen behind.
    """

    def __init__(
        self,
        source: SoundSource,
        listener: Listener,
        drums: Collection[int],
        on_hits: Callable[[list[Hit], Arrivals], None],
        on_late: Callable[[str], None],
    ) -> None:
        self.source, self.listener, self.drums = source, listener, drums
        self.on_hits, self.on_late = on_hits, on_late
        self.arrivals, self.tally = Arrivals(), LiveTally()
        self.warnings: list[str] = []
        self._hurry, self._reported = False, -_REPORT_SECONDS

    def run(self) -> None:
        """Until the sound ends or the source is stopped.

        Raises:
            AudioError: the source failed; the hits before are there.
        """
        cpu, start = time.process_time(), time.monotonic()
        failure: AudioError | None = None
        frames = mono(self._frames(), self.source.rate, self.source.name, self.warnings, Downmix())
        try:
            for block in frames:
                self._tell(self.listener.feed(block, self._must_hurry()))
        except AudioError as error:
            failure = error
        self._tell(self.listener.finish())
        self.tally.cpu, self.tally.elapsed = time.process_time() - cpu, time.monotonic() - start
        if failure is not None:
            raise failure

    def _frames(self) -> Iterator[np.ndarray]:
        count = 0
        for piece in self.source.pieces():
            for at in range(0, piece.lost, self.source.rate):  # silence in its place keeps the time
                yield np.zeros((min(self.source.rate, piece.lost - at), piece.frames.shape[1]), np.float32)
            count += piece.lost + len(piece.frames)
            self.arrivals.add(count / self.source.rate, piece.at)
            yield piece.frames

    def _must_hurry(self) -> bool:
        now = time.monotonic()
        lag = self.arrivals.lag(now)
        self.tally.lag = max(self.tally.lag, lag)
        if lag > LATE and now - self._reported > _REPORT_SECONDS:
            self._reported = now
            lost = f"; {self.source.lost:.1f} s were lost" if self.source.lost else ""
            self.on_late(
                f"{lag:.1f} s behind: this machine is too slow or too busy, so hits come 3 s at a time until "
                f"it has caught up{lost}; --decoder frames takes less time"
            )
        self._hurry = lag > (LATE / 4 if self._hurry else LATE)
        return self._hurry

    def _tell(self, hits: list[Hit]) -> None:
        hits = [hit for hit in hits if hit.drum in self.drums]
        if not hits:
            return
        now = time.monotonic()
        self.on_hits(hits, self.arrivals)
        for hit in hits:
            delay = self.arrivals.delay(hit.time, now)
            self.tally.hits += 1
            self.tally.drums[hit.drum] += 1
            self.tally.delay += delay
            self.tally.longest_delay = max(self.tally.longest_delay, delay)
