"""Made-up grooves: playable, balanced over the 26 classes, reproducible; variations keep what they must."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from data.grooves.config import VARIATIONS
from data.grooves.patterns import Performance, generate, vary
from data.grooves.variations import _double, _side_stick, _wash
from data.grooves.written import GROOVES
from tokenizer.drums import CLASS_INDEX, DRUMS, NUM_CLASSES
from tokenizer.hits import Hit

SECONDS = 12.0


@pytest.fixture(scope="module")
def takes() -> list[Performance]:
    rng = np.random.default_rng(0)
    return [generate(rng, SECONDS) for _ in range(300)]


def straight_rock(bars: int = 8) -> Performance:
    beat, hits = 0.5, []
    for i in range(4 * bars):
        hits += [
            Hit(i * beat, CLASS_INDEX["hihat_closed"], 80),
            Hit((i + 0.5) * beat, CLASS_INDEX["hihat_closed"], 60),
        ]
        hits.append(Hit(i * beat, CLASS_INDEX["kick" if i % 2 == 0 else "snare_head"], 100))
    return Performance("rock", "validation", "gmd", "CC-BY-4.0", 120.0, tuple(sorted(hits)))


def test_every_groove_is_a_rectangle_of_known_marks() -> None:
    for groove in GROOVES:
        for role, alternatives in groove.parts:
            for line in alternatives:
                assert len(line) == groove.steps, (groove.style, role, line)
                assert set(line) <= set("Xxog?fdz."), (groove.style, role, line)
        assert groove.steps % groove.beats == 0 or groove.beats % 1 == 0.5, groove.style


def test_hits_are_in_order_and_inside_the_take(takes: list[Performance]) -> None:
    for take in takes:
        times = [hit.time for hit in take.hits]
        assert times == sorted(times)
        assert all(0 <= time < SECONDS for time in times)
        assert take.corpus == "generated"
        assert take.licence


def test_every_class_is_played_often_enough_and_none_takes_over(takes: list[Performance]) -> None:
    counts = np.zeros(NUM_CLASSES)
    clips = np.zeros(NUM_CLASSES)
    for take in takes:
        played = np.bincount([hit.drum for hit in take.hits], minlength=NUM_CLASSES)
        counts += played
        clips += played > 0
    share = counts / counts.sum()
    for drum in DRUMS:
        assert share[drum.index] > 0.01, drum.name
        assert clips[drum.index] > 0.07 * len(takes), drum.name
    assert share.max() < 0.25
    assert share.argmax() == CLASS_INDEX["kick"]


def test_density_runs_from_nothing_to_blast_beats(takes: list[Performance]) -> None:
    density = np.array([len(take.hits) for take in takes]) / SECONDS
    assert density.min() < 0.5
    assert 4 < np.median(density) < 15
    assert density.max() > 20


def test_ghosts_flams_and_accents_are_there(takes: list[Performance]) -> None:
    snare = CLASS_INDEX["snare_head"]
    velocities, flams = [], 0
    for take in takes:
        hits = [hit for hit in take.hits if hit.drum == snare]
        velocities += [hit.velocity for hit in hits]
        gaps = np.diff([hit.time for hit in hits])
        flams += int(((gaps > 0.02) & (gaps < 0.05)).sum())
    spread = np.percentile(velocities, [10, 90])
    assert spread[0] < 45
    assert spread[1] > 95
    assert flams > 30


def test_two_hands_play_most_grooves() -> None:
    """At one instant of a groove more than two hand-struck classes are the exception (overdubs)."""
    rng = np.random.default_rng(1)
    feet = {CLASS_INDEX[name] for name in ("kick", "hihat_pedal", "aux1", "aux2")}
    crowded = total = 0
    for _ in range(60):
        take = generate(rng, SECONDS)
        if take.name.split("-")[0] in ("random", "sparse", "percussion"):
            continue
        hits = [hit for hit in take.hits if hit.drum not in feet]
        times = np.array([hit.time for hit in hits])
        for time in times:
            total += 1
            crowded += len({hit.drum for hit in hits if abs(hit.time - time) < 0.010}) > 2
    assert crowded < 0.1 * total


def test_the_same_state_gives_the_same_take() -> None:
    one, two = (generate(np.random.default_rng(5), SECONDS) for _ in range(2))
    assert one == two
    assert generate(np.random.default_rng(6), SECONDS) != one


def test_no_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="length 0"):
        generate(np.random.default_rng(0), 0)


def test_varied_takes_keep_their_origin_and_scale_their_tempo() -> None:
    rock = straight_rock()
    rng = np.random.default_rng(0)
    stretches = []
    for _ in range(40):
        varied = vary(rock, rng)
        assert (varied.name, varied.split, varied.corpus, varied.licence) == (
            "rock",
            "validation",
            "gmd",
            "CC-BY-4.0",
        )
        stretch = rock.bpm / varied.bpm
        assert 0.75 <= stretch <= 1.3
        stretches.append(stretch)
        kicks = np.array([hit.time for hit in rock.hits if hit.drum == CLASS_INDEX["kick"]])
        snares = np.array([hit.time for hit in rock.hits if hit.drum == CLASS_INDEX["snare_head"]])
        for hit in varied.hits:
            if hit.drum == CLASS_INDEX["kick"]:  # where it was, or in unison with the snare
                assert (
                    min(abs(kicks * stretch - hit.time)) < 1e-6
                    or min(abs(snares * stretch - hit.time)) < 0.03
                )
        assert all(1 <= hit.velocity <= 127 for hit in varied.hits)
        assert [hit.time for hit in varied.hits] == sorted(hit.time for hit in varied.hits)
    assert np.ptp(stretches) > 0.3


def test_variations_bring_other_classes_in() -> None:
    rng = np.random.default_rng(0)
    takes = [{hit.drum for hit in vary(straight_rock(), rng).hits} for _ in range(1000)]
    wanted = ("ride", "snare_cross_stick", "snare_rim", "aux1", "hihat_open", "hihat_closed_edge")
    for name in wanted:  # each in one take of a hundred at least
        assert sum(CLASS_INDEX[name] in take for take in takes) >= 10, name


def test_a_wash_rides_one_cymbal_no_faster_than_an_arm() -> None:
    rock = list(straight_rock().hits)
    for seed in range(30):
        washed = _wash(rock, np.random.default_rng(seed), VARIATIONS)
        ridden = [hit for hit in washed if hit not in rock]
        assert len({hit.drum for hit in ridden}) == 1
        assert min(b.time - a.time for a, b in itertools.pairwise(ridden)) >= 0.14
        assert [hit for hit in washed if DRUMS[hit.drum].family == "kick"] == [
            hit for hit in rock if DRUMS[hit.drum].family == "kick"
        ]


def test_a_doubled_snare_is_heard_with_a_tom_at_the_same_time_and_sometimes_a_kick() -> None:
    rock = list(straight_rock().hits)
    snares = [hit.time for hit in rock if DRUMS[hit.drum].family == "snare" and hit.velocity >= 60]
    with_kick = 0
    for seed in range(20):
        added = [hit for hit in _double(rock, np.random.default_rng(seed), VARIATIONS) if hit not in rock]
        toms = [hit for hit in added if DRUMS[hit.drum].family == "tom"]
        kicks = [hit for hit in added if hit.drum == CLASS_INDEX["kick"]]
        assert len(toms) + len(kicks) == len(added) and len(kicks) in (0, len(snares))
        for played in (toms, kicks) if kicks else (toms,):
            assert all(abs(hit.time - time) < 0.03 for hit, time in zip(played, snares, strict=True))
        with_kick += bool(kicks)
    assert 0 < with_kick < 20


def test_a_side_stick_takes_the_accents_of_the_snare() -> None:
    rock = list(straight_rock().hits)
    snare, stick = CLASS_INDEX["snare_head"], CLASS_INDEX["snare_cross_stick"]
    played = _side_stick([*rock, Hit(0.3, snare, 20)])
    assert any(hit.drum == snare for hit in rock)
    assert played == [replace(hit, drum=stick) if hit.drum == snare else hit for hit in rock]


def test_a_take_without_hits_stays_one() -> None:
    empty = replace(straight_rock(), hits=())
    for seed in range(20):
        assert vary(empty, np.random.default_rng(seed)).hits == ()
