"""The search in blocks against one written frame by frame in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mt3drum.rhythm import bar_pointer
from mt3drum.rhythm.bar_pointer import EARLY, FLOOR, FRAME, NARROW, REACH, SIGMA, STEP, STIFFNESS, likeliest
from mt3drum.rhythm.patterns import BEAT, TICKS, roles
from tests.grooves import ROCK, WALTZ, played
from tokenizer.hits import Hit


def lengths_of(band: tuple[float, float]) -> list[float]:
    """Frames."""
    count = math.ceil(math.log(band[1] / band[0]) / math.log(STEP)) + 1
    return list(np.geomspace(*band, max(count, 2)) / FRAME)


def evidence(strokes: Sequence[tuple[int, int, float]], ends: int, length: float) -> np.ndarray:
    """[ends]: log-likelihood of a beat of `length` frames that ends there; strokes: frame, role, weight."""
    first = max(1, round(length * EARLY))
    sigma = min(SIGMA, NARROW * length * FRAME)
    rates = np.stack([BEAT.rates(style)[:, 0] for style in BEAT.styles])  # [styles, roles, ticks]
    total = np.tile((np.log([style.share for style in BEAT.styles]) - rates.sum((1, 2)))[:, None], ends)
    for frame, role, weight in strokes:
        until = np.arange(ends) - frame
        place = (length - until) / length
        gap = np.abs(place - np.arange(TICKS)[:, None] / TICKS)
        gap = np.minimum(gap, 1 - gap) * length * FRAME
        bump = np.exp(-0.5 * (gap / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
        inside = (until >= first) & (until < first + round(length))
        total += np.where(inside, weight * np.log(rates[:, role] @ bump + FLOOR), 0.0)
    return np.logaddexp.reduce(total)


def plain(hits: Sequence[Hit], band: tuple[float, float]) -> tuple[float, list[float]]:
    """(likelihood, beats in seconds)"""
    lengths = lengths_of(band)
    border = [max(1, round(length * EARLY)) for length in lengths]
    origin = math.floor(hits[0].time / FRAME) - math.ceil(lengths[-1])
    mean = sum(hit.confidence for hit in hits) / len(hits)
    strokes = [
        (round(hit.time / FRAME) - origin, role, hit.confidence / mean)
        for hit, role in zip(hits, roles(hits), strict=True)
    ]
    first, last = strokes[0][0], strokes[-1][0]
    # By end and length: score up to the start, fraction of a frame, and the beats before.
    arriving: dict[tuple[int, int], tuple[float, float, list[float]]] = {}
    best = (-math.inf, [0.0])
    ends = last + math.ceil(lengths[-1] * (1 + EARLY)) + 2
    heard = [evidence(strokes, ends, length) for length in lengths]
    for frame in range(ends):
        ended = {}
        for index, length in enumerate(lengths):
            if (frame, index) in arriving:
                before, fraction, beats = arriving.pop((frame, index))
                score = before + heard[index][frame]
                ended[index] = score, fraction, beats
                if frame - border[index] > last and frame - border[index] - length <= last + 1:
                    best = max(best, (score, beats))
        for index, length in enumerate(lengths):
            options = [
                (ended[other][0] - STIFFNESS * abs(math.log(length / lengths[other])), -other, other)
                for other in range(index - REACH, index + REACH + 1)
                if other in ended
            ]
            score, _, other = max(options, default=(-math.inf, 0, 0))
            fraction, beats = ended[other][1:] if options else (0.0, [])
            if frame <= first + border[index] and score < 0:
                score, fraction, beats = 0.0, 0.0, [float(frame)]
            fraction += length - math.floor(length)
            later = int(fraction >= 0.5)
            key = frame + math.floor(length) + later, index
            if score > arriving.get(key, (-math.inf,))[0]:
                arriving[key] = score, fraction - later, [*beats, beats[-1] + length]
    return best[0], [(beat + origin) * FRAME for beat in best[1]]


@pytest.mark.parametrize(("pattern", "per_bar"), [(ROCK, 4), (WALTZ, 3)])
def test_the_search_is_that_frame_by_frame(
    pattern: dict[str, str], per_bar: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bar_pointer, "_STRETCH", 90)  # shorter than the recording, and than a beat's reach
    tempo = {4: 131.0, 3: 118.0}[per_bar]

    def wavering(beat: float) -> float:
        return 0.4 + 60 / tempo * (beat + 0.3 * math.sin(beat / 5))

    hits, _ = played(pattern, 2, wavering, per_bar, jitter=0.012, seed=per_bar)
    rng = np.random.default_rng(per_bar)
    hits = [replace(hit, confidence=float(rng.uniform(0.3, 1))) for hit in hits]
    ranges = ((0.3, 0.34), (0.42, 0.5), (0.48, 0.54), (0.65, 0.7))
    for found, band in zip(likeliest(hits, roles(hits), ranges), ranges, strict=True):
        likelihood, beats = plain(hits, band)
        assert found.likelihood == pytest.approx(likelihood, abs=0.01)
        assert found.beats == pytest.approx(beats, abs=1e-6)
