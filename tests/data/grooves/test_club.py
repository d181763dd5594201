"""Programmed drums and drum machines: machine time, tempos, whole kits, punched kicks, seeds."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from data.clips.clip import Palette, RenderConfig, choose_kits, choose_performance
from data.grooves import club
from data.grooves.bars import VELOCITY
from data.grooves.club import STEPS, STYLES, ClubConfig, program
from data.grooves.patterns import generate
from data.kits.machines import KickConfig, PunchConfig, machine_kick, machine_kit, punch
from data.kits.sample import Kit, to_float
from data.kits.synth import synthesise_kit
from data.render.drums import render_drums
from mt3drum.config import SAMPLE_RATE
from tokenizer.drums import CLASS_INDEX, DRUMS, NUM_CLASSES

KICK = CLASS_INDEX["kick"]


def test_every_style_is_written_in_bars_of_sixteen_known_marks() -> None:
    for style in STYLES:
        assert 90 <= style.bpm[0] <= style.bpm[1] <= 200
        for role, alternatives in style.parts.items():
            assert role in club.ROLES
            for steps in alternatives:
                assert len(steps) == STEPS and set(steps) <= {*VELOCITY, ".", "r"}, (style.name, steps)
    assert {"house", "techno", "trap", "drum and bass", "garage", "hardstyle"} <= {s.name for s in STYLES}


def test_takes_are_programmed_and_seeded() -> None:
    styles: Counter[str] = Counter()
    drums: Counter[str] = Counter()
    for seed in range(150):
        take, again = (program(np.random.default_rng(seed), 12.0) for _ in range(2))
        assert take == again and take.electronic and take.hits
        assert all(0 <= hit.time < 12 and 1 <= hit.velocity <= 127 for hit in take.hits)
        assert list(take.hits) == sorted(take.hits)
        styles[take.name.rsplit("-", 1)[0]] += 1
        drums.update({DRUMS[hit.drum].name for hit in take.hits})
    assert len(styles) == len(STYLES) and drums["kick"] > 130
    assert {"snare_head", "aux1", "hihat_closed", "hihat_open", "crash1", "ride"} <= set(drums)


def test_hits_lie_on_the_machines_grid() -> None:
    """House without swing or rolls: every kick of a take a whole number of sixteenths apart, within 3 ms."""
    for seed in range(60):
        take = program(np.random.default_rng(seed), 12.0, ClubConfig(fill=0.0, build=0.0))
        if not take.name.startswith("techno"):
            continue
        times = np.array([hit.time for hit in take.hits if hit.drum == KICK])
        if len(times) > 1:
            places = (times - times[0]) / (15 / take.bpm)
            assert np.abs(places - places.round()).max() * 15 / take.bpm < 0.006


def test_a_length_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="length 0 s is not positive"):
        program(np.random.default_rng(0), 0)


def test_builds_grow_and_get_faster() -> None:
    strokes = club._build(0.0, 32, np.random.default_rng(0))
    places, loud = np.array([s[0] for s in strokes]), np.array([s[2] for s in strokes])
    assert np.all(np.diff(loud) > 0) and np.diff(places)[0] == 4 and np.diff(places)[-1] == 0.5


def test_machines_have_every_class_and_differ() -> None:
    first, again, other = (machine_kit(np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert set(first.samples) == set(range(NUM_CLASSES)) and first.kind == "electronic"
    for drum, samples in first.samples.items():
        for one, two in zip(samples, again.samples[drum], strict=True):
            np.testing.assert_array_equal(one.audio, two.audio)
            assert np.abs(to_float(one.audio)).max() > 0.1 and one.onset < 0.01 * SAMPLE_RATE
    assert not np.array_equal(first.samples[KICK][0].audio, other.samples[KICK][0].audio)


@pytest.mark.parametrize("seed", range(8))
def test_a_machines_kick_falls_to_a_low_pitch(seed: int) -> None:
    sound = machine_kick(np.random.default_rng(seed), KickConfig(hard=0.0, drive=(1.0, 1.5)))
    power = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    assert power[hertz < 250].sum() > 0.8 * power.sum() and np.abs(sound).max() == pytest.approx(1)


def test_hard_kicks_are_overdriven() -> None:
    soft, hard = (
        machine_kick(np.random.default_rng(3), KickConfig(hard=share, drive=(1.0, 1.1))) for share in (0, 1)
    )

    def above(sound: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(sound)) ** 2
        return float(power[np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE) > 300].sum() / power.sum())

    assert above(hard) > 2 * above(soft)


def test_punch_changes_kicks_and_keeps_peak_and_attack() -> None:
    kits = [synthesise_kit(np.random.default_rng(seed)) for seed in range(3)]
    config = PunchConfig(layered=1.0, driven=1.0, snare_driven=0.0, pool=2)
    found = punch(kits, np.random.default_rng(0), config)
    assert len(found) == 2
    for kit in found:
        before = next(one for one in kits if one.name == kit.name)
        assert kit.samples[CLASS_INDEX["ride"]] is before.samples[CLASS_INDEX["ride"]]
        for old, new in zip(before.samples[KICK], kit.samples[KICK], strict=True):
            assert new.onset == old.onset and not np.array_equal(old.audio[:2000], new.audio[:2000])
            assert np.abs(new.audio).max() == pytest.approx(np.abs(old.audio).max(), rel=0.01)


def test_punched_hits_stay_where_their_labels_are() -> None:
    """The attack of an overdriven, layered kick comes within 3 ms of its label."""
    take = program(np.random.default_rng(5), 6.0)
    kicks = [hit for hit in take.hits if hit.drum == KICK]
    kits = punch([machine_kit(np.random.default_rng(1))], np.random.default_rng(2), PunchConfig(1.0, 1.0))
    rendered = render_drums(kicks[:1], kits, np.random.default_rng(0), 6.0)
    first = int(np.argmax(np.abs(rendered.audio) > 0.1)) / SAMPLE_RATE
    assert first == pytest.approx(kicks[0].time, abs=0.003)


def palette() -> Palette:
    kinds = ("acoustic", "electronic", "electronic")
    kits = [synthesise_kit(np.random.default_rng(seed)) for seed in range(3)]
    return Palette(
        kits=tuple(
            Kit(f"kit{i}", "CC0", kind, f"kit{i}", "natural", kit.samples, None)
            for i, (kit, kind) in enumerate(zip(kits, kinds, strict=True))
        )
    )


def test_programmed_drums_are_played_on_machines_mostly() -> None:
    config, found = RenderConfig(synthetic=0.0), Counter[str]()
    take, played, kits = (
        program(np.random.default_rng(0), 4.0),
        generate(np.random.default_rng(0), 4.0),
        palette(),
    )
    for seed in range(300):
        chosen = choose_kits(config, kits, [], take, np.random.default_rng(seed))
        found["machines" if all(kit.kind == "electronic" for kit in chosen) else "any"] += 1
    assert found["any"] / 300 == pytest.approx(0.12, abs=0.06)
    assert choose_kits(config, kits, [], played, np.random.default_rng(0)) is kits.kits


def test_about_one_clip_in_seven_is_programmed_and_none_of_the_plain_ones() -> None:
    rng, config = np.random.default_rng(0), RenderConfig(seconds=1.0)
    takes = [choose_performance(config, Palette(), rng) for _ in range(1500)]
    assert np.mean([take.electronic for take in takes]) == pytest.approx(0.15, abs=0.03)
    assert RenderConfig.plain("test").electronic == 0
