"""The parts of the score of a reading against their formulas, written stroke by stroke."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import gammaln, logsumexp

from mt3drum.rhythm import meter
from mt3drum.rhythm.grooves import grooves
from mt3drum.rhythm.meter import BARS, COST, EVIDENCE, FLOOR, SIGMA, START, TERNARY, TIMING
from mt3drum.rhythm.patterns import PATTERNS, ROLES, TICKS

KICK, SNARE, TIME, TOM = (ROLES.index(name) for name in ("kick", "snare", "time", "tom"))
EIGHTHS = np.arange(64) * 0.25  # of 32 beats at 120
ROCK = np.array([(KICK, TIME, SNARE, TIME)[i % 4] for i in range(64)])


def counted(*strokes: tuple[int, int, int], beats: int) -> np.ndarray:
    """[beats, roles, 12] of (beat, role, twelfth)."""
    counts = np.zeros((beats, len(ROLES), TICKS))
    for stroke in strokes:
        counts[stroke] = 1
    return counts


def test_strokes_are_placed_on_sixteenths_and_triplets() -> None:
    beats = np.array([1.0, 1.5, 2.0, 2.6])
    times = np.array([0.99, 1.13, 1.34, 1.99, 2.3, 2.31])
    roles = np.array([KICK, TIME, TIME, SNARE, TIME, KICK])
    found = meter.placed(times, roles, beats)
    assert found.beats == pytest.approx(beats)
    assert np.argwhere(found.counts).tolist() == sorted(
        [[0, KICK, 0], [0, TIME, 3], [0, TIME, 8], [2, SNARE, 0], [2, TIME, 6], [2, KICK, 6]]
    )
    off = np.array([0.0, 0.005, 0.34 - 0.5 * 8 / 12, 0.01, 0.0, 0.01]) / SIGMA
    assert found.timing == pytest.approx(-0.5 * (off**2).sum())
    assert found.on_beat


def test_beats_reach_all_strokes() -> None:
    beats = np.array([1.0, 1.5, 2.1])
    found = meter.placed(np.array([0.2, 0.6, 3.0]), np.array([KICK, KICK, SNARE]), beats)
    assert found.beats == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.1, 2.7, 3.3])
    assert not found.on_beat
    late = meter.placed(np.array([1.6, 2.3]), np.array([KICK, SNARE]), np.array([0.5, 1.0, 1.5, 2.0]))
    assert late.beats == pytest.approx([1.5, 2.0, 2.5])
    assert len(late.counts) == 2
    assert not late.on_beat
    for first, start in ((0.8, 0.5), (0.9, 1.0)):  # up to 0.3 of a beat early it belongs to the first
        early = meter.placed(np.array([first, 1.5]), np.array([KICK, SNARE]), np.array([1.0, 1.5, 2.0]))
        assert early.beats[0] == pytest.approx(start)


def test_a_stroke_far_from_every_position_costs_the_background_rate() -> None:
    found = meter.placed(np.array([1.0, 2.28, 3.0]), np.array([KICK] * 3), np.array([0.0, 2.0, 4.0]))
    # On a twelfth that is no position, 53 ms away from the nearest.
    assert found.timing == pytest.approx(-0.5 * (0.28 - 2 / 6) ** 2 / SIGMA**2)
    assert found.counts.sum() == 3
    far = meter.placed(np.array([0.0, 4.4, 8.0]), np.array([KICK] * 3), np.array([0.0, 4.0, 8.0]))
    assert far.timing == pytest.approx(math.log(FLOOR * SIGMA * math.sqrt(2 * math.pi)))
    assert far.counts.sum() == 2


@pytest.mark.parametrize("name", [(4, 4), (3, 4), (6, 8)])
def test_repetition_is_the_gamma_poisson_evidence(name: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    counts = (rng.random((11, len(ROLES), TICKS)) < 0.1).astype(float)
    found = meter.repetition(counts, name)
    beats = PATTERNS[name].mean_rates().shape[1]
    assert found.shape == (beats, len(grooves(*name)))
    for phase in range(beats):
        for index, groove in enumerate(grooves(*name)):
            total = 0.0
            for place in range(beats):
                part = counts[(phase + place) % beats :: beats]
                shape, struck = BARS * groove.rates[place], part.sum(0)
                total += (gammaln(shape + struck) - gammaln(shape)).sum()
                total += (shape * math.log(BARS) - (shape + struck) * math.log(BARS + len(part))).sum()
            assert found[phase, index] == pytest.approx(total, rel=1e-4, abs=1e-3)


def test_more_bars_than_the_table_holds() -> None:
    counts = np.zeros((2000, len(ROLES), TICKS))
    counts[::4, KICK, 0] = 1
    assert np.isfinite(meter.repetition(counts, (4, 4))).all()


def test_usual_beats_count_what_is_on_and_between_them() -> None:
    counts = counted(
        (0, KICK, 0),
        (0, TIME, 0),
        (0, TIME, 6),
        (1, SNARE, 0),
        (1, TIME, 6),
        (1, KICK, 9),
        (2, TOM, 0),
        beats=4,
    )
    wanted = (
        (meter.ON["kick"] + meter.ON["snare"] + meter.ON["time"]) / 4
        + meter.HALFWAY["time"] * 2 / 4
        + meter.STRUCK * 3 / 4
        + meter.BACKBONE * 2 / 4
        + meter.SIXTEENTHS * 1 / 4
        + meter.KICKS * 2 / 4
        + meter.DENSITY * math.log(7 / 4 + 0.1)
    )
    assert meter._usual_beats(counts) == pytest.approx(wanted)
    kick, snare = counted((0, KICK, 6), beats=1), counted((0, SNARE, 6), beats=1)
    assert meter._usual_beats(snare) - meter._usual_beats(kick) == pytest.approx(
        meter.HALFWAY["snare"] - meter.HALFWAY["kick"] - meter.KICKS
    )
    assert meter._usual_beats(counted((0, TOM, 3), beats=1)) > meter._usual_beats(
        counted((0, TOM, 2), beats=1)
    )


def test_triplets_are_strokes_on_the_second_third() -> None:
    thirds = counted(*((beat, TIME, tick) for beat in range(4) for tick in (4, 8)), beats=6)
    assert meter._inner_triplets(thirds) == 1.0
    assert meter._inner_triplets(thirds[:3]) == 0.0  # too few beats to tell
    shuffle = counted(*((beat, TIME, 8) for beat in range(4)), beats=4)
    assert meter._inner_triplets(shuffle) == 0.0
    shuffle[0, TIME, 4] = 1
    assert meter._inner_triplets(shuffle) == 0.25


@pytest.mark.parametrize("shift", [0, 1])
def test_the_score_of_a_reading_is_the_sum_of_its_parts(shift: int) -> None:
    beats = np.arange(-1, 33) * 0.5 + 0.002
    times, roles = EIGHTHS[shift:], ROCK[shift:]
    found = meter.readings(times, roles, [beats])
    assert {reading.meter for reading in found} == {(4, 4), (3, 4), (5, 4)}
    assert len(found) == 4 + 3 + 5
    assert [reading.score for reading in found] == sorted((r.score for r in found), reverse=True)
    strokes = meter.placed(times, roles, beats)
    for reading in found:
        models = grooves(*reading.meter)
        shares = np.array([model.share for model in models])
        spread = np.array([model.spread for model in models])
        off = (math.log(0.5) - np.log([model.usual for model in models])) / spread
        prior = np.log(shares / shares.sum()) - 0.5 * off**2 - np.log(spread)
        evidence = EVIDENCE * meter.repetition(strokes.counts, reading.meter)[reading.phase]
        wanted = logsumexp(evidence + prior) + TIMING * strokes.timing - COST[reading.meter]
        wanted += meter._usual_beats(strokes.counts) + (START if reading.phase == shift else 0.0)
        assert reading.score == pytest.approx(wanted, rel=1e-6)
    best = found[0]
    assert (best.meter, best.phase) == ((4, 4), 0) or shift


def test_a_known_meter_costs_nothing_and_the_tempo_may_be_left_out() -> None:
    beats = np.arange(33) * 0.5
    strokes = meter.placed(EIGHTHS, ROCK, beats)
    for reading in meter.readings(EIGHTHS, ROCK, [beats], (3, 4), use_tempo=False):
        shares = np.array([model.share for model in grooves(3, 4)])
        evidence = EVIDENCE * meter.repetition(strokes.counts, (3, 4))[reading.phase]
        wanted = logsumexp(evidence + np.log(shares / shares.sum())) + TIMING * strokes.timing
        wanted += meter._usual_beats(strokes.counts) + (START if reading.phase == 0 else 0.0)
        assert reading.score == pytest.approx(wanted, rel=1e-6)
        assert reading.meter == (3, 4)
    assert {r.meter for r in meter.readings(EIGHTHS, ROCK, [beats], (7, 8))} == {(7, 8)}


@pytest.mark.parametrize(
    ("share", "kinds"), [(0.0, {4}), (0.15, {4}), (0.2, {4, 8}), (0.35, {4, 8}), (0.4, {8}), (1.0, {8})]
)
def test_thirds_of_a_beat_make_meters_in_eight(share: float, kinds: set[int]) -> None:
    """Below half of `TERNARY` none, from there on both, from `TERNARY` on these alone."""
    assert TERNARY == 0.4
    times, roles = [], []
    for beat in range(40):
        thirds = (0, 1, 2) if beat % 20 < round(20 * share) else (0, 2)
        times += [0.6 * (beat + third / 3) for third in thirds]
        roles += [KICK, *[TIME] * (len(thirds) - 1)]
    found = meter.readings(np.array(times), np.array(roles), [np.arange(41) * 0.6])
    assert {reading.meter[1] for reading in found} == kinds


def test_every_candidate_meter_is_known() -> None:
    assert set(COST) <= set(PATTERNS)
    assert COST[4, 4] == 0.0 == min(COST.values())


def test_meters_of_three_are_as_likely_as_the_best_of_any() -> None:
    beats = np.arange(3.0)
    some = [
        meter.Reading(5.0, beats, (4, 4), 0),
        meter.Reading(2.0, beats, (6, 8), 0),
        meter.Reading(1.0, beats, (12, 8), 1),
    ]
    assert [(r.score, r.meter) for r in meter._of_three(some)] == [(5.0, (6, 8)), (4.0, (12, 8))]
