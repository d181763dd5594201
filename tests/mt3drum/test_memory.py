"""Freed memory goes back to the system."""

from __future__ import annotations

import platform

import numpy as np
import pytest

from mt3drum import Transcriber, memory
from mt3drum.config import PRESETS, SAMPLE_RATE
from mt3drum.model.network import DrumModel
from scripts.soak import resident


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of the GNU C library")
def test_holes_in_the_heap_are_given_back() -> None:
    arrays = [np.ones(7_000) for _ in range(3_000)]  # 56 kB each: of the heap, 160 MiB together
    kept = arrays[::50]
    del arrays
    before = resident()
    memory.trim()
    assert before - resident() > 100 and len(kept) == 60


def test_a_transcriber_gives_back_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    transcriber = Transcriber(DrumModel(PRESETS["tiny"]).eval())
    times: list[float] = []
    monkeypatch.setattr(memory, "TRIM_SECONDS", 5.0)
    monkeypatch.setattr(memory, "trim", lambda: times.append(transcriber.untrimmed))
    for _ in range(7):  # one call each, as of a web app
        transcriber.transcribe_array(np.zeros(2 * SAMPLE_RATE, np.float32))
    assert times == [0.0, 0.0] and transcriber.untrimmed == 2.0
