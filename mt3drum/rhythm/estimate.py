"""Tempo, meter, beats and downbeats of a list of hits. The times of the hits are never changed.

Beats come from a search over what drummers play (`bar_pointer`); which of them begin bars, and how
many make one, from what repeats: for every grouping and phase, the strokes of the bars laid over one
another are weighed against the usual pattern of that meter (Gamma-Poisson evidence), so that a rhythm of
its own, kept up, counts for more than the textbook.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mt3drum.rhythm.bar_pointer import FRAME, BeatPath, likeliest, periods
from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.patterns import FOUR, PATTERNS, ROLES, SIX_EIGHTHS, TERNARY, TICKS, Pattern, roles
from tokenizer.hits import Hit

MIN_HITS = 16
"""Fewer strokes are no ground for a beat: a grid could be bent to fit any."""
STEADY, SCATTER = 0.4, 1.3
"""A grid is believed from a `Grid.steadiness` of STEADY + SCATTER / sqrt(strokes) on: 0.73 for 16, 0.53 for
100, 0.46 for 500. The best grid through strokes at random reached 0.70 for 16, 0.47 for 48 and 0.35 for 100;
of 36 human performances (74 to 316 strokes) those whose beats were found all had 0.53 or more."""
MAX_SECONDS = 2 * 3600.0
"""Longer stretches have no grid: the search keeps 27 KB a second."""
TRIAL = 120.0
"""Seconds of a recording by which its pattern is chosen."""
TEMPO_RANGE = 1.5
"""After that the beat stays within this factor of its usual length there."""
DRIFT = 0.06
"""A given tempo may be off, or waver, by this share."""
TERNARY_PENALTY, GROUPING_PENALTY = 12.0, 4.0
"""Nats: beats of three, and bars of other than four, must be that much likelier: they are rarer."""
INNER_TRIPLETS = 0.4
"""Share of the filled beats with a stroke on their second third from which beats are of three eighths: a
shuffle, which leaves it out, is written in 4/4."""
START = 2.0
"""Nats for a bar that begins with the first stroke."""
EVIDENCE_BARS = 0.6
"""The usual pattern counts as so many bars beside those heard."""


_log_gamma = np.vectorize(math.lgamma)  # of 84 numbers at a time; SciPy's would take 0.3 s to import


def estimate(
    hits: Sequence[Hit],
    seconds: float | None = None,
    *,
    bpm: float | None = None,
    meter: Meter | None = None,
) -> Grid | None:
    """The beats behind the hits, or None where no steady grid fits.

    None means: fewer than `MIN_HITS` strokes, strokes over less than 1 s or more than `MAX_SECONDS`, or
    strokes that keep to the best grid too loosely (`STEADY`). With `bpm` the user vouches for the beat: only
    `MAX_SECONDS` counts, and of too few strokes the first begins a bar and the tempo is kept as given.

    Args:
        hits: times in seconds, 0 or later.
        seconds: length of the recording; default: up to the last hit. The beats reach from its start to its
            end.
        bpm: beats a minute (of the meter's beat: a dotted quarter in 6/8), within 6 %.
        meter: the time signature, where it is known.
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
    beats = _refine(hits, _search(hits, bpm, meter))
    meter, phase, every = _bars(hits, beats, meter)
    beats, first = _every(beats, phase, every, meter)
    steadiness = _steadiness(hits, beats)
    if bpm is None and steadiness < STEADY + SCATTER / math.sqrt(len(hits)):
        return None
    reached, first = _extend(beats, first, seconds if seconds is not None else hits[-1].time, meter.beats)
    return Grid(tuple(reached), first, meter, steadiness).reaching(hits[0].time)


def _straight(hits: Sequence[Hit], seconds: float, bpm: float, meter: Meter) -> Grid:
    """A metronome through the first stroke."""
    start = hits[0].time if hits else 0.0
    beats, first = _extend(
        np.array([start, start + 60 / bpm]), 0, max(seconds, start + 60 / bpm), meter.beats
    )
    return Grid(tuple(beats), first, meter)


def _search(hits: Sequence[Hit], bpm: float | None, meter: Meter | None) -> BeatPath:
    """The likeliest beats; of a long recording the start tells which pattern to look for."""
    patterns = _patterns(meter)
    start = [hit for hit in hits if hit.time < hits[0].time + TRIAL]
    if len(patterns) > 1 and len(start) >= MIN_HITS:
        trials = [
            (likeliest(start, pattern, _lengths(pattern, bpm), use_prior=bpm is None), pattern, penalty)
            for pattern, penalty in patterns
        ]
        path, pattern, _ = max(trials, key=lambda trial: trial[0].likelihood - trial[2])
        if len(start) == len(hits):
            return path
        lengths = _lengths(pattern, bpm)
        usual = float(np.median(np.diff(path.beats))) / FRAME  # seconds to frames
        near = lengths[(lengths > usual / TEMPO_RANGE) & (lengths < usual * TEMPO_RANGE)]
        return likeliest(hits, pattern, near if len(near) > 1 else lengths, use_prior=bpm is None)
    return likeliest(hits, patterns[0][0], _lengths(patterns[0][0], bpm), use_prior=bpm is None)


def _patterns(meter: Meter | None) -> list[tuple[Pattern, float]]:
    """What to search for, each with its penalty."""
    if meter is None:
        return [(FOUR, 0.0), (PATTERNS[3, 4], GROUPING_PENALTY), (TERNARY, TERNARY_PENALTY)]
    return [(PATTERNS[meter.numerator, meter.denominator], 0.0)]


def _lengths(pattern: Pattern, bpm: float | None) -> np.ndarray:
    if bpm is None:
        return periods(pattern.shortest, pattern.longest)
    return periods(60 / bpm / (1 + DRIFT), 60 / bpm * (1 + DRIFT))


def _refine(hits: Sequence[Hit], path: BeatPath) -> np.ndarray:
    """Beats to the millisecond: a line through the strokes on the beat, beat by beat, over some two beats to
    either side. Strokes off the beat are left out: they may swing."""
    rough = np.array(path.beats)
    times = np.array([hit.time for hit in hits])
    weights = np.array([hit.confidence for hit in hits])
    place = np.interp(times, rough, np.arange(len(rough)))
    beat = np.round(place)
    on = np.abs(times - rough[beat.astype(int)]) < 0.05
    # Each beat as found stands beside its strokes with little weight, for beats without any.
    x = np.concatenate([beat[on], np.arange(len(rough))])
    y = np.concatenate([times[on], rough])
    w = np.concatenate([weights[on], np.full(len(rough), 0.2)])
    order = np.argsort(x, kind="stable")
    x, y, w = x[order], y[order], w[order]
    refined = np.empty_like(rough)
    for n in range(len(rough)):
        low, high = np.searchsorted(x, (n - 6, n + 6.5))
        dx = x[low:high] - n
        k = w[low:high] * np.exp(-0.5 * (dx / 2) ** 2)
        dy = y[low:high] - rough[n]
        s0, s1, s2 = k.sum(), (k * dx).sum(), (k * dx * dx).sum()
        t0, t1 = (k * dy).sum(), (k * dx * dy).sum()
        refined[n] = rough[n] + (s2 * t0 - s1 * t1) / (s0 * s2 - s1 * s1)
    return np.maximum.accumulate(refined)


def _counts(hits: Sequence[Hit], beats: np.ndarray) -> np.ndarray:
    """1.0 where a role strikes, float64 [beats, roles, 12]; times rounded to sixteenths and triplets."""
    nearest = np.array([0, 3, 3, 3, 4, 6, 6, 6, 8, 9, 9, 12])
    place = np.interp([hit.time for hit in hits], beats, np.arange(len(beats)))
    tick = np.round(place * TICKS).astype(int)
    tick = tick // TICKS * TICKS + nearest[tick % TICKS]
    counts = np.zeros((len(beats) + 1, len(ROLES), TICKS))
    counts[tick // TICKS, roles(hits), tick % TICKS] = 1.0
    return counts[: int(tick.max()) // TICKS + 1]


def _evidence(counts: np.ndarray, rates: np.ndarray, phase: int) -> float:
    """Log evidence of bars that begin at beat `phase`: every place of the bar has a rate of its own, drawn
    from a Gamma distribution around the usual one. rates: [roles, beats, 12]."""
    total = 0.0
    for beat in range(rates.shape[1]):
        heard = counts[(phase + beat) % rates.shape[1] :: rates.shape[1]]
        strokes, bars = heard.sum(0), len(heard)
        shape = np.maximum(rates[:, beat], 0.01) * EVIDENCE_BARS
        total += float(
            (
                _log_gamma(shape + strokes)
                - _log_gamma(shape)
                + shape * math.log(EVIDENCE_BARS)
                - (shape + strokes) * math.log(EVIDENCE_BARS + bars)
            ).sum()
        )
    return total


def _bars(hits: Sequence[Hit], beats: np.ndarray, meter: Meter | None) -> tuple[Meter, int, int]:
    """(meter, which of the beats first begins a bar, how many of the beats found make one of the meter's)."""
    counts = _counts(hits, beats)
    if meter is not None:
        options = [(meter, PATTERNS[meter.numerator, meter.denominator], 1, 0.0)]
    elif _ternary(counts):
        options = [(Meter(n, 8), PATTERNS[n, 8], 1, GROUPING_PENALTY * (n == 9)) for n in (6, 9, 12)]
    else:
        options = [(Meter(n, 4), PATTERNS[n, 4], 1, GROUPING_PENALTY * abs(4 - n)) for n in (4, 3, 5)]
        if float(np.median(np.diff(beats))) < SIX_EIGHTHS.longest:
            options.append((Meter(6, 8), SIX_EIGHTHS, 3, GROUPING_PENALTY))
    start = int(np.flatnonzero(counts.any((1, 2)))[0])
    start = start if counts[start, :, 0].any() else -1  # the first stroke may stand between two beats
    best = max(
        (
            _evidence(counts, candidate.mean_rates(), phase) - penalty + START * (phase == start),
            -number,
            -phase,
        )
        for number, (_, candidate, _, penalty) in enumerate(options)
        for phase in range(candidate.beats)
    )
    found, _, every, _ = options[-best[1]]
    return found, -best[2], every


def _ternary(counts: np.ndarray) -> bool:
    struck = np.asarray(counts.any(1))  # [beats, 12]
    filled = struck[:, 1:].any(1).sum()
    return bool(struck[:, 4].sum() >= INNER_TRIPLETS * max(filled, 1) and filled >= 4)


def _every(beats: np.ndarray, phase: int, every: int, meter: Meter) -> tuple[np.ndarray, int]:
    """Every so many of the beats found, those that hold the downbeats; and the first one's place in its
    bar."""
    start = phase % every
    kept = beats[start::every]
    return kept, -((phase - start) // every) % meter.beats


def _steadiness(hits: Sequence[Hit], beats: np.ndarray) -> float:
    place = np.interp([hit.time for hit in hits], beats, np.arange(len(beats)))
    return max(float(abs(np.exp(2j * np.pi * parts * place).mean())) for parts in (2, 3, 4, 6))


def _extend(beats: np.ndarray, first: int, seconds: float, per_bar: int) -> tuple[list[float], int]:
    """On to both ends of the recording at the pace of the first and last four beats."""
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
