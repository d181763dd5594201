"""Settled hits as MIDI notes on a port of this machine, in the rhythm in which they were played."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Sequence
from typing import Any

from mt3drum.extras import need
from tokenizer.hits import Hit
from tokenizer.midi_read import DRUM_CHANNEL
from tokenizer.midi_tracks import NOTE_SECONDS

DELAY = 1.6
"""Seconds from a stroke to its note: hits settle in bursts, and at the latest so much later."""


class MidiPort:
    """Sends notes on channel 10 from a thread.

    Args:
        name: of the port.
        notes: MIDI note of each drum.

    Raises:
        MissingExtra: python-rtmidi is not installed.
        ValueError: there is no such port.
    """

    def __init__(self, name: str, notes: Sequence[int]) -> None:
        need("live", "rtmidi")
        import mido

        try:
            known: list[str] = mido.get_output_names()
            if name not in known:
                raise ValueError(f"--midi-out {name}: no such port; there are: {', '.join(known) or 'none'}")
            self._port: Any = mido.open_output(name)
        except (OSError, RuntimeError) as error:  # rtmidi's errors are RuntimeErrors
            raise ValueError(f"--midi-out {name}: {' '.join(str(error).split())}") from error
        self._message, self._notes = mido.Message, notes
        self._due: list[tuple[float, int, Any]] = []
        self._number = itertools.count()
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="MIDI out", daemon=True)
        self._thread.start()

    def play(self, hit: Hit, at: float) -> None:
        """Send a hit at the time `at` (`time.monotonic`), or at once if that is past."""
        note = self._notes[hit.drum]
        on = self._message("note_on", channel=DRUM_CHANNEL - 1, note=note, velocity=hit.velocity)
        off = self._message("note_off", channel=DRUM_CHANNEL - 1, note=note)
        at = max(at, time.monotonic())
        with self._changed:
            heapq.heappush(self._due, (at, next(self._number), on))
            heapq.heappush(self._due, (at + NOTE_SECONDS, next(self._number), off))
            self._changed.notify()

    def close(self) -> None:
        """Send what is due within the delay, then close the port."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(DELAY + 1.0)
        self._port.close()

    def _run(self) -> None:
        with self._changed:
            while self._due or not self._ended:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                else:
                    self._port.send(heapq.heappop(self._due)[2])
