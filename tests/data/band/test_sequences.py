"""Electronic sequences, soloists, backgrounds: finite, seeded, in tune, on the grid, no drums by design."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from data.band import ambience, patch_ranges, patches, sequences, soloists, synthetic
from data.band.ambience import AmbienceConfig
from data.band.ducking import DuckConfig, duck, pump
from data.band.events import Event
from data.band.notes import NoteBank
from data.band.patch_ranges import PatchRanges
from data.band.patches import draw_patch, note, play
from data.band.sequences import SequenceConfig
from data.band.soloists import SoloConfig
from data.band.song import Song, compose
from data.dsp.levels import REFERENCE, add_track, full_scale
from data.dsp.tones import Audio
from mt3drum.config import SAMPLE_RATE

SECONDS = 3.0
SAMPLES = round(SECONDS * SAMPLE_RATE)
ALL_RANGES = {name: value for name, value in vars(patch_ranges).items() if isinstance(value, PatchRanges)}


@pytest.fixture(scope="module")
def bank() -> NoteBank:
    return synthetic.synthetic_notes(np.random.default_rng(0), per_kind=1, noises=2)


def song(seed: int, kicks: tuple[float, ...] = (), seconds: float = SECONDS) -> Song:
    return compose(np.random.default_rng(seed), seconds, 125.0, kicks)


def check(make: Callable[[int], Audio], seeds: int = 6) -> None:
    """Right length and type, finite, seldom silent; same seed same sound, other seed other sound."""
    found = [make(seed) for seed in range(seeds)]
    for audio in found:
        assert audio.shape == (SAMPLES,) and audio.dtype == np.float32
        assert np.isfinite(audio).all() and np.abs(full_scale(audio)).max() < 1
    assert sum(bool(audio.any()) for audio in found) >= seeds - 1
    assert len({audio.tobytes() for audio in found}) >= seeds - 1
    np.testing.assert_array_equal(make(1), found[1])


@pytest.mark.parametrize("part", SequenceConfig().parts)
def test_every_part_plays(part: str) -> None:
    config = SequenceConfig()
    check(lambda seed: sequences.render_part(part, song(seed), np.random.default_rng(seed), config))


def test_sequences_mix_one_to_three_parts() -> None:
    config = SequenceConfig()
    check(lambda seed: sequences.render_sequences(song(seed), np.random.default_rng(seed), config))


@pytest.mark.parametrize("kind", AmbienceConfig().kinds)
def test_every_background_sounds(kind: str, bank: NoteBank) -> None:
    config = AmbienceConfig()
    check(lambda seed: ambience.background(kind, bank, SAMPLES, np.random.default_rng(seed), config))


def test_soloists_play(bank: NoteBank) -> None:
    check(
        lambda seed: soloists.render_soloists(bank, song(seed), np.random.default_rng(seed), SoloConfig()), 10
    )


@pytest.mark.parametrize("name", ALL_RANGES)
def test_a_patch_stays_within_its_ranges(name: str) -> None:
    ranges = ALL_RANGES[name]
    for seed in range(20):
        patch = draw_patch(ranges, np.random.default_rng(seed))
        assert patch.shape in ranges.shapes and ranges.decay[0] <= patch.decay <= ranges.decay[1]
        assert ranges.attack[0] <= patch.attack <= max(ranges.attack[1], patches.NOISE_ATTACK)
        assert patch.dark <= patch.bright
        assert abs(patch.bend) <= 12 or name in ("SWEPT_SUB", "ZAP")
        assert patch.bend == 0 or ranges.bend[0] <= patch.bend <= ranges.bend[1]
        audio = note(patch, 60.0, 0.2, np.random.default_rng(seed))
        assert np.isfinite(audio).all() and np.abs(audio).max() == pytest.approx(1, abs=1e-3)


def test_low_round_notes_do_not_die_like_a_kick() -> None:
    """What sounds like a kick or tom would be labelled as none: it is played higher."""
    short = 0
    for seed in range(200):
        patch = draw_patch(patch_ranges.PLUCK, np.random.default_rng(seed))
        if patch.shape in patches.ROUND and patch.decay < patches.KICKISH_DECAY:
            short += 1
            audio = note(patch, 30.0, 0.3, np.random.default_rng(seed))
            power = np.abs(np.fft.rfft(audio)) ** 2
            hertz = np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE)
            assert power[hertz < 100].sum() < 0.25 * power.sum()
    assert short > 20


def test_a_swept_sub_falls_like_a_kick_and_is_held() -> None:
    """Over one octave in its first tenth of a second, then its pitch for as long as the note."""
    for seed in range(10):
        patch = replace(draw_patch(patch_ranges.SWEPT_SUB, np.random.default_rng(seed)), click=0.0, drive=1.0)
        audio = note(patch, 40.0, 0.8, np.random.default_rng(seed))
        crossings = np.flatnonzero(np.diff(np.signbit(audio[: round(0.8 * SAMPLE_RATE)])))
        first, last = np.diff(crossings)[0], np.diff(crossings)[-1]
        assert last == pytest.approx(SAMPLE_RATE / (2 * 82.4), rel=0.03)
        assert last > 1.5 * first
        assert np.abs(audio[round(0.7 * SAMPLE_RATE) : round(0.78 * SAMPLE_RATE)]).max() > 0.2


@pytest.mark.parametrize("shape", ["saw", "square", "sine", "formant"])
def test_a_note_has_its_pitch(shape: str) -> None:
    ranges = PatchRanges({shape: 1}, bent=0.0, click=0.0, voices=(1,), driven=0.0, decay=(2.0, 2.1))
    patch = draw_patch(ranges, np.random.default_rng(0))
    audio = note(patch, 57.0, 1.0, np.random.default_rng(0))[4096 : 4096 + 16384].astype(np.float64)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(audio, 1 << 16)) ** 2)
    lags = np.arange(120, 300)
    assert SAMPLE_RATE / lags[np.argmax(correlation[lags])] == pytest.approx(220, rel=0.01)


def test_the_filter_closes() -> None:
    ranges = PatchRanges(
        {"saw": 1},
        decay=(5, 6),
        bright=(9000, 9001),
        dark=(200, 201),
        sweep=(0.1, 0.11),
        resonance=(0, 0),
        bent=0.0,
        click=0.0,
        driven=0.0,
    )
    audio = note(draw_patch(ranges, np.random.default_rng(0)), 45.0, 1.0, np.random.default_rng(0))

    def centroid(part: Audio) -> float:
        power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
        return float((np.fft.rfftfreq(len(part), 1 / SAMPLE_RATE) * power).sum() / power.sum())

    assert centroid(audio[:2048]) > 1.5 * centroid(audio[30_000:32_048])


def test_notes_fall_on_the_grid() -> None:
    config = SequenceConfig(vary=0.0)
    for seed in range(20):
        made = song(seed)
        events = sequences.sequence(made, np.random.default_rng(seed), config, 60)
        step = sequences.draw_step(made, np.random.default_rng(seed), config)
        places = np.array([(event.time - made.start + made.bar) / step for event in events])
        np.testing.assert_allclose(places, places.round(), atol=1e-6)
        assert len(events) >= 3 and events[0].time < 0  # the clip begins in the middle of the pattern
        assert step >= config.fastest


def test_play_lets_a_note_ring_into_the_clip() -> None:
    patch = draw_patch(patch_ranges.PAD, np.random.default_rng(0))
    track = play(patch, [Event(-0.5, (60,), 1.5, 1.0)], SAMPLES, np.random.default_rng(0))
    assert np.abs(track[:200]).max() > 0.05 and not track[2 * SAMPLE_RATE :].any()


def test_swells_do_not_strike() -> None:
    """No attack of a riser is sharp: the level never doubles within 5 ms once it is heard."""
    for seed in range(10):
        audio = sequences.risers(song(seed, seconds=6.0), np.random.default_rng(seed))
        level = np.sqrt(np.convolve(audio**2, np.ones(441) / 441, "valid"))[::220]
        heard = level > 0.1 * level.max()
        growth = level[1:] / np.maximum(level[:-1], 1e-6)
        assert growth[heard[:-1]].max() < 2


def test_an_audience_is_dense() -> None:
    """Of 50 ms blocks none is empty: single claps are drums, a hall of them is not."""
    for seed in range(5):
        audio = ambience.background(
            "applause", NoteBank((), {}), SAMPLES, np.random.default_rng(seed), AmbienceConfig()
        )
        power = np.mean(audio[: 59 * 2205].reshape(59, 2205) ** 2, axis=1)
        assert power.min() > 1e-3 * power.max()


def test_echoes_come_in_time() -> None:
    track = np.zeros(SAMPLES, dtype=np.float32)
    track[1000] = 1
    out = sequences.echo(track, 0.25, 0.5, 0.8)
    assert out[1000] == 1 and out[1000 + 11_025] > 0.3 and out[1000 + 2 * 11_025] > 0.1
    assert np.abs(out[1500:11_000]).max() == 0


def test_ducking_dips_at_the_kick_and_comes_back() -> None:
    config = DuckConfig(depth=(0.8, 0.8), recovery=(0.2, 0.2))
    gain = duck(SAMPLES, [1.0], np.random.default_rng(0), config)
    assert gain[SAMPLE_RATE - 1] == 1 and gain[SAMPLE_RATE] == pytest.approx(0.2, abs=0.01)
    assert gain[SAMPLE_RATE + round(0.1 * SAMPLE_RATE)] < 1 and gain[-1] == 1
    beats = pump(song(0), np.random.default_rng(0))
    np.testing.assert_allclose(np.diff(beats), song(0).beat)


def test_tracks_are_added_at_their_level() -> None:
    noise = np.random.default_rng(0).standard_normal(SAMPLES).astype(np.float32)
    mix = np.zeros(SAMPLES, dtype=np.float32)
    add_track(mix, noise, -6.0)
    assert mix.std() == pytest.approx(REFERENCE * 10 ** (-6 / 20), rel=0.02)
    add_track(mix, np.zeros(SAMPLES, dtype=np.float32), 0.0)
    assert np.isfinite(mix).all()


def test_ten_seconds_cost_little(bank: NoteBank) -> None:
    """Measured 0.06 to 0.1 s of CPU; the budget is 1 s."""
    start = time.process_time()
    for seed in range(4):
        made = song(seed, seconds=10.0)
        sequences.render_sequences(made, np.random.default_rng(seed), SequenceConfig())
        soloists.render_soloists(bank, made, np.random.default_rng(seed), SoloConfig())
        ambience.render_ambience(bank, 10.0, np.random.default_rng(seed), AmbienceConfig())
    assert (time.process_time() - start) / 12 < 1


def test_a_pattern_of_rests_alone_is_never_played() -> None:
    """Every draw of rests leaves the first step, so no sequence is silent."""
    config = SequenceConfig(gap=(1.0, 1.0), vary=0.0)
    for seed in range(5):
        assert sequences.sequence(song(seed), np.random.default_rng(seed), config, 60)
