"""The report on stems: its measure, and one short clip from end to end."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.pages.doc_block import block_in
from scripts.stems_report import BLOCK, PAGE, gated, make_clip, measure, si_sdr, table


def test_si_sdr_of_known_signals() -> None:
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=10_000), rng.normal(size=10_000)
    noise -= (noise @ signal) / (signal @ signal) * signal  # at a right angle
    noise *= np.linalg.norm(signal) / np.linalg.norm(noise)
    assert si_sdr(signal, signal + 0.1 * noise) == pytest.approx(20)
    assert si_sdr(signal, 7 * (signal + 0.1 * noise)) == pytest.approx(20)  # whatever the scale
    assert si_sdr(signal, -0.3 * signal) > 100


def test_a_clip_is_the_sum_of_its_stems_and_stems_beat_the_mix() -> None:
    clip = make_clip(0, 5.0, [], 0)
    total = np.sum(list(clip.stems.values()), axis=0)
    assert not clip.band
    assert si_sdr(total, clip.mix) > 80
    for family in clip.stems:
        assert np.abs(gated(clip, family)).sum() <= np.abs(clip.mix).sum()
    rows = measure(clip, transcribed=False)
    assert [row[0] for row in rows] == list(clip.stems)
    assert np.median([row[3] for row in rows]) > np.median([row[1] for row in rows]) + 3


def test_the_table() -> None:
    rows = {False: [("kick", -1.0, 2.0, 8.04), ("kick", 1.0, 2.0, 10.0)], True: []}
    lines = table(rows, "Heading").splitlines()
    assert lines[0] == "Heading"
    assert "| kick | 2 | 0.0 | 2.0 | 9.0 | 0 | - | - | - |" in lines
    assert "| tom | 0 | - | - | - | 0 | - | - | - |" in lines
    assert lines[-1].startswith("| all | 2 | 0.0 | 2.0 | 9.0 |")


def test_the_page_holds_a_table() -> None:
    assert "| all |" in block_in(PAGE, BLOCK)
