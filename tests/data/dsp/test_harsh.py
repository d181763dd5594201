"""Bad recordings: same length, finite, labels stay, and as bad as asked."""

from __future__ import annotations

import numpy as np
import pytest

from data.augment import AugmentConfig, augment
from data.dsp import harsh
from data.dsp.effects import Audio
from data.dsp.harsh import HarshConfig, worsen
from mt3drum.config import SAMPLE_RATE
from tokenizer.hits import Hit

SAMPLES = 60_013  # odd on purpose
CONFIG = HarshConfig()


def impulse(place: int = 20_000) -> Audio:
    audio = np.zeros(SAMPLES, dtype=np.float32)
    audio[place] = 0.8
    return audio


def noise(level: float = 0.1, samples: int = SAMPLES) -> Audio:
    return (level * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)


def power_above(audio: Audio, hertz: float) -> float:
    power = np.abs(np.fft.rfft(audio.astype(np.float64))) ** 2
    return float(power[np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE) > hertz].sum() / power.sum())


@pytest.mark.parametrize("kind", CONFIG.kinds)
def test_every_kind_keeps_length_and_attack_and_is_seeded(kind: str) -> None:
    make = harsh.KINDS[kind]
    for seed in range(5):
        for audio in (np.zeros(SAMPLES, dtype=np.float32), impulse(), noise()):
            before = audio.copy()
            out = np.asarray(make(audio, np.random.default_rng(seed), CONFIG))
            assert out.shape == audio.shape and np.isfinite(out).all() and np.abs(out).max() < 30
            np.testing.assert_array_equal(audio, before)
            np.testing.assert_array_equal(out, make(audio, np.random.default_rng(seed), CONFIG))
        out = np.abs(make(impulse(), np.random.default_rng(seed), CONFIG))
        attack = int(np.argmax(out > 0.5 * out.max()))  # echoes of an overdriven room may be as loud
        assert abs(attack - 20_000) <= SAMPLE_RATE // 1000  # 1 ms


def test_every_kind_is_drawn_and_silence_stays_silence() -> None:
    outs = {worsen(noise(), np.random.default_rng(seed)).tobytes() for seed in range(20)}
    assert len(outs) == 20
    assert set(harsh.KINDS) == set(CONFIG.kinds)
    for seed in range(20):
        assert not worsen(np.zeros(SAMPLES, dtype=np.float32), np.random.default_rng(seed)).any()


def test_a_telephone_hears_no_bass_and_no_top() -> None:
    for seed in range(5):
        out = harsh.phone(noise(), np.random.default_rng(seed), HarshConfig(phone_snr=(60, 61)))
        assert power_above(out, 12_000) < 0.02 and 1 - power_above(out, 60) < 0.01


@pytest.mark.parametrize("snr", [4.0, 10.0, 25.0])
def test_noise_is_as_loud_as_asked(snr: float) -> None:
    tone = np.sin(np.arange(SAMPLES) * 0.1).astype(np.float32)
    added = harsh.add_noise(tone, np.random.default_rng(0), snr, 0.6) - tone
    assert 20 * np.log10(tone.std() / added.std()) == pytest.approx(snr, abs=0.6)  # pink noise wavers


def test_clipping_by_18_db_flattens_what_lies_above() -> None:
    tone = np.sin(np.arange(SAMPLES) * 0.01).astype(np.float32)
    out = harsh.clip(tone, np.random.default_rng(0), HarshConfig(clip=(18.0, 18.0)))
    share = np.mean(np.abs(out) >= 0.999 * np.abs(out).max())
    assert share == pytest.approx(1 - 2 / np.pi * np.arcsin(10 ** (-18 / 20)), abs=0.01)


def test_low_rates_lose_the_top() -> None:
    for seed in range(6):
        out = harsh.low_rate(noise(), np.random.default_rng(seed), HarshConfig(rates=(8000.0,)))
        assert power_above(out, 4200) < 1e-4


def test_a_hall_rings_on() -> None:
    config = HarshConfig(hall_seconds=(2.0, 2.0), hall_wet=(1.0, 1.0))
    out = harsh.hall(impulse(2000), np.random.default_rng(0), config)
    late = np.sqrt(np.mean(out[2000 + SAMPLE_RATE // 2 :][:5000] ** 2))
    assert 0 < late < 0.05


def test_a_quarter_of_the_windows_is_harsh(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []

    def stand_in(audio: Audio, rng: np.random.Generator) -> Audio:
        called.append(1)
        return audio

    monkeypatch.setattr("data.augment.worsen", stand_in)
    window = noise(samples=2000)
    share = AugmentConfig().harsh_probability
    config = AugmentConfig(**{**AugmentConfig.none(0.04).__dict__, "harsh_probability": share})
    for seed in range(2000):
        augment(window, None, [], np.random.default_rng(seed), config)
    assert len(called) / 2000 == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("seed", range(10))
def test_labels_stay_where_the_strokes_are(seed: int) -> None:
    on = {"harsh_probability": 1.0, "level_probability": 1.0}
    config = AugmentConfig(**{**AugmentConfig.none().__dict__, **on})
    audio = np.zeros(4 * SAMPLE_RATE, dtype=np.float32)
    audio[2 * SAMPLE_RATE] = 0.9
    out, (hit,) = augment(audio, None, [Hit(2.0, 0, 100)], np.random.default_rng(seed), config)
    assert hit.time == 2.0 and abs(int(np.argmax(np.abs(out))) - 2 * SAMPLE_RATE) <= SAMPLE_RATE // 500
