"""Estimate tempo, meter, beats and downbeats from a list of hits, without changing the hits.

`bar_pointer` finds the most likely beats in every range of tempos, `_refine` fits them to the strokes,
`meter` chooses the beats, the meter and the downbeats by what repeats from bar to bar, and `_smooth` removes
the steps of tempo that the search leaves in the chosen beats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mt3drum.rhythm.bar_pointer import bands, likeliest
from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.meter import Reading, readings
from mt3drum.rhythm.patterns import PATTERNS, roles
from tokenizer.hits import Hit

MIN_HITS = 16
"""Minimum number of strokes; a grid could be bent to fit fewer."""
STEADY, SCATTER = 0.4, 1.3
"""A grid is accepted if its `Grid.steadiness` is at least STEADY + SCATTER / sqrt(strokes): 0.73 for 16, 0.53
for 100, 0.46 for 500. The best grid through random strokes reached 0.61 for 16, 0.40 for 48 and 0.38 for 100;
of 36 human performances (74 to 316 strokes), all with correctly found beats had at least 0.53."""
MAX_SECONDS = 2 * 3600.0
"""Maximum duration with a grid: the search needs up to 15 KB per second."""
TRIAL = 120.0
"""Seconds of a recording from which tempo and meter are chosen."""
SHORTEST, LONGEST = 0.2, 1.9
"""Shortest and longest beat in seconds: 300 to 32 beats per minute."""
TEMPO_RANGE = 1.3
"""After the trial, beats stay within this factor of their usual length in the trial."""
DRIFT = 0.06
"""Tolerance of a given tempo, as a share of it."""
SAME = 0.04
"""Candidates whose tempos differ by less than this share are treated as one."""
ON_BEAT = 0.05
"""Seconds: strokes this close to a beat determine its time."""
UNHEARD = 0.2
"""Weight of a beat's estimated time relative to one stroke on it, for beats without strokes."""
SMOOTH = 16.0
"""Weight of a tempo change relative to the distance of one stroke from its beat, both squared. With two
strokes a beat, tempo variations with periods below about eight beats are mostly removed."""


def estimate(
    hits: Sequence[Hit],
    seconds: float | None = None,
    *,
    bpm: float | None = None,
    meter: Meter | None = None,
) -> Grid | None:
    """Estimate the beats behind the hits; None if no steady grid fits.

    None means: fewer than `MIN_HITS` strokes, strokes spanning less than 1 s or more than `MAX_SECONDS`, or
    too loose a fit to the best grid (`STEADY`). With `bpm`, the beat is taken as given: only `MAX_SECONDS`
    applies, and with too few strokes the first one starts a bar and the tempo is kept exactly.

    Args:
        hits: times in seconds, 0 or later.
        seconds: length of the recording; default: up to the last hit. The beats span the recording.
        bpm: beats per minute (of the meter's beat: a dotted quarter in 6/8), within 6 %.
        meter: the time signature, if known.
    Raises:
        ValueError: the tempo is outside 20..500.
    """
    hits = sorted(hits)
    if bpm is not None and not 20 <= bpm <= 500:
        raise ValueError(f"tempo {bpm:g} is outside 20..500 beats a minute")
    span = hits[-1].time - hits[0].time if hits else 0.0
    if span > MAX_SECONDS:
        return None
    if len(hits) < MIN_HITS or span < 1.0:
        return None if bpm is None else _straight(hits, seconds or 0.0, bpm, meter or Meter(4, 4))
    reading = _read(hits, bpm, meter)
    meter = Meter(*reading.meter)
    beats = _smooth(hits, reading.beats)
    steadiness = _steadiness(hits, beats)
    if bpm is None and steadiness < STEADY + SCATTER / math.sqrt(len(hits)):
        return None
    first = -reading.phase % meter.beats
    end = seconds if seconds is not None else hits[-1].time
    reached, first = _extend(beats, first, end, meter.beats)
    return Grid(tuple(reached), first, meter, steadiness).reaching(hits[0].time)


def _straight(hits: Sequence[Hit], seconds: float, bpm: float, meter: Meter) -> Grid:
    """A metronome that starts at the first stroke."""
    start = hits[0].time if hits else 0.0
    beats, first = _extend(
        np.array([start, start + 60 / bpm]), 0, max(seconds, start + 60 / bpm), meter.beats
    )
    return Grid(tuple(beats), first, meter)


def _read(hits: Sequence[Hit], bpm: float | None, meter: Meter | None) -> Reading:
    """The most likely reading; in a long recording, the start determines tempo and meter."""
    name = (meter.numerator, meter.denominator) if meter else None
    start = [hit for hit in hits if hit.time < hits[0].time + TRIAL]
    if len(start) < MIN_HITS:
        start = list(hits)
    struck = np.array(roles(hits))
    ranges = _ranges(bpm, meter)
    best = None
    if bpm is None and meter is not None:
        best = _same_beat(start, struck[: len(start)], meter)
    if best is None:
        best = _best(start, struck[: len(start)], ranges, name, use_tempo=bpm is None)
    if len(start) == len(hits):
        return best
    length = float(np.median(np.diff(best.beats)))
    near = max(length / TEMPO_RANGE, ranges[0][0]), min(length * TEMPO_RANGE, ranges[-1][1])
    return _best(hits, struck, (near,), best.meter, use_tempo=False)


def _same_beat(hits: Sequence[Hit], struck: np.ndarray, meter: Meter) -> Reading | None:
    """The most likely beats of any meter, in bars of the given one; None if its beats are of another kind.

    A meter groups beats into bars, but does not determine the tempo.
    """
    free = _best(hits, struck, bands(SHORTEST, LONGEST), None, use_tempo=True)
    if Meter(*free.meter).beat_quarters != meter.beat_quarters:
        return None
    times, name = np.array([hit.time for hit in hits]), (meter.numerator, meter.denominator)
    return readings(times, struck, [free.beats], name, use_tempo=False)[0]


def _ranges(bpm: float | None, meter: Meter | None) -> tuple[tuple[float, float], ...]:
    """Ranges of beat lengths in seconds."""
    if bpm is not None:
        return ((60 / bpm / (1 + DRIFT), 60 / bpm * (1 + DRIFT)),)
    if meter is None:
        return bands(SHORTEST, LONGEST)
    pattern = PATTERNS[meter.numerator, meter.denominator]
    return bands(min(SHORTEST, pattern.shortest), pattern.longest)


def _best(
    hits: Sequence[Hit],
    struck: np.ndarray,
    ranges: tuple[tuple[float, float], ...],
    meter: tuple[int, int] | None,
    use_tempo: bool,
) -> Reading:
    times = np.array([hit.time for hit in hits])
    weights = np.array([hit.confidence for hit in hits])
    series: list[np.ndarray] = []
    lengths: list[float] = []
    for path in sorted(likeliest(hits, struck, ranges), key=lambda path: -path.likelihood):
        beats = _refine(times, weights, np.array(path.beats))
        length = math.log(float(np.median(np.diff(beats))))
        if all(abs(length - other) > SAME for other in lengths):
            lengths.append(length)
            series.append(beats)
            if len(beats) > 2:
                series.append((beats[1:] + beats[:-1]) / 2)  # these beats may be the off-beats
    return readings(times, struck, series, meter, use_tempo=use_tempo)[0]


def _refine(times: np.ndarray, weights: np.ndarray, rough: np.ndarray) -> np.ndarray:
    """Refine beats to the millisecond: fit a line to the strokes on the beat, within about two beats on
    either side of each. Off-beat strokes are left out, because they may swing."""
    beat = np.round(np.interp(times, rough, np.arange(len(rough)))).astype(int)
    late = times - rough[beat]
    on = np.abs(late) < ON_BEAT
    weight = np.bincount(beat[on], weights[on], len(rough)) + UNHEARD
    gap = np.bincount(beat[on], weights[on] * late[on], len(rough))
    reach = np.arange(-6, 7)
    kernel = np.exp(-0.5 * (reach / 2) ** 2)

    def around(values: np.ndarray, power: int) -> np.ndarray:
        return np.convolve(np.pad(values, 6), (kernel * reach**power)[::-1], "valid")

    s0, s1, s2 = (around(weight, power) for power in (0, 1, 2))
    t0, t1 = (around(gap, power) for power in (0, 1))
    return np.maximum.accumulate(rough + (s2 * t0 - s1 * t1) / (s0 * s2 - s1 * s1))


def _smooth(hits: Sequence[Hit], rough: np.ndarray) -> np.ndarray:
    """Beats near `rough` (seconds) that are close to the strokes on them and whose tempo changes gradually.

    The search changes tempo in steps of 2 %, which `_refine` keeps: under drift, the median tempo was up to
    2 % wrong. Penalised least squares with second differences (Whittaker 1923; Eilers 2003).
    """
    times = np.array([hit.time for hit in hits])
    weights = np.array([hit.confidence for hit in hits])
    count = len(rough)
    beat = np.round(np.interp(times, rough, np.arange(count))).astype(int)
    late = times - rough[beat]
    on = np.abs(late) < ON_BEAT
    system = np.zeros((3, count))  # diagonals of a symmetric matrix, main diagonal first
    system[0] = np.bincount(beat[on], weights[on], count) + UNHEARD
    target = system[0] * rough + np.bincount(beat[on], weights[on] * late[on], count)
    for row, products in enumerate(((1.0, 4.0, 1.0), (-2.0, -2.0), (1.0,))):  # of the difference 1, -2, 1
        for column, product in enumerate(products):
            system[row, column : column + count - 2] += SMOOTH * product
    return np.maximum.accumulate(_solve_banded(system, target))


def _solve_banded(system: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Solve a symmetric positive definite system of bandwidth 2 by LDL decomposition (Golub and Van Loan,
    Matrix Computations, 4.3), in O(n).

    Args:
        system: [3 n] main diagonal, first and second subdiagonal.
        target: [n]
    """
    main, first, second = (row.tolist() for row in system)
    x = target.tolist()
    count = len(x)
    below: list[tuple[float, float]] = []  # of L, by column: the entries one and two rows below the diagonal
    for i in range(count):
        one, two = first[i] / main[i], second[i] / main[i]
        below.append((one, two))
        if i + 1 < count:
            main[i + 1] -= one * first[i]
            first[i + 1] -= one * second[i]
            x[i + 1] -= one * x[i]
        if i + 2 < count:
            main[i + 2] -= two * second[i]
            x[i + 2] -= two * x[i]
    for i in range(count - 1, -1, -1):
        x[i] /= main[i]
        if i + 1 < count:
            x[i] -= below[i][0] * x[i + 1]
        if i + 2 < count:
            x[i] -= below[i][1] * x[i + 2]
    return np.array(x)


def _steadiness(hits: Sequence[Hit], beats: np.ndarray) -> float:
    place = np.interp([hit.time for hit in hits], beats, np.arange(len(beats)))
    return max(float(abs(np.exp(2j * np.pi * parts * place).mean())) for parts in (2, 3, 4, 6))


def _extend(beats: np.ndarray, first: int, seconds: float, per_bar: int) -> tuple[list[float], int]:
    """Extend to both ends of the recording at the tempo of the first and last four beats."""
    kept = [float(beat) for beat in beats]
    ahead = (kept[min(4, len(kept) - 1)] - kept[0]) / min(4, len(kept) - 1)
    while kept[0] - ahead > -0.01:
        kept.insert(0, kept[0] - ahead)
        first -= 1
    while kept[0] <= -0.01 and len(kept) > 2:
        kept.pop(0)
        first += 1
    kept[0] = max(kept[0], 0.0)
    behind = (kept[-1] - kept[-min(5, len(kept))]) / (min(5, len(kept)) - 1)
    while kept[-1] > seconds and len(kept) > 2 and kept[-2] > seconds:
        kept.pop()
    while kept[-1] + behind <= seconds:
        kept.append(kept[-1] + behind)
    return kept, first % per_bar
