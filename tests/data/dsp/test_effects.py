from collections.abc import Callable

import numpy as np
import pytest

from data.dsp import effects
from mt3drum.config import SAMPLE_RATE

RATE = SAMPLE_RATE
SAMPLES = 30_011  # odd on purpose
Effect = Callable[[effects.Audio, np.random.Generator], effects.Audio]
EFFECTS: list[Effect] = [
    effects.room,
    lambda audio, rng: shaped(effects.tone_curve, audio, rng),
    lambda audio, rng: shaped(effects.low_pass_curve, audio, rng),
    lambda audio, rng: shaped(effects.telephone_curve, audio, rng),
    effects.compress,
    effects.limit,
    effects.saturate,
    effects.crush,
    effects.codec,
    effects.background,
    effects.vinyl,
]


def shaped(
    curve: Callable[[int, np.random.Generator], effects.Audio],
    audio: effects.Audio,
    rng: np.random.Generator,
) -> effects.Audio:
    return effects.shape(audio, curve(effects.fast_bins(len(audio)), rng))


def impulse(place: int = 10_000) -> effects.Audio:
    audio = np.zeros(SAMPLES, dtype=np.float32)
    audio[place] = 0.8
    return audio


def signals() -> dict[str, effects.Audio]:
    rng = np.random.default_rng(0)
    return {
        "silence": np.zeros(SAMPLES, dtype=np.float32),
        "impulse": impulse(),
        "full scale": np.sign(rng.standard_normal(SAMPLES)).astype(np.float32),
    }


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.__name__)
@pytest.mark.parametrize("name", ["silence", "impulse", "full scale"])
def test_effects_keep_length_and_stay_finite(effect: Effect, name: str) -> None:
    audio = signals()[name]
    before = audio.copy()
    for seed in range(4):
        out = effect(audio, np.random.default_rng(seed))
        assert out.shape == audio.shape and out.dtype == np.float32
        assert np.isfinite(out).all()
        assert np.abs(out).max() < 30
    np.testing.assert_array_equal(audio, before)  # the input is not written to


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.__name__)
def test_same_seed_same_audio(effect: Effect) -> None:
    audio = signals()["full scale"]
    first, second = (effect(audio, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.__name__)
def test_no_effect_moves_an_attack(effect: Effect) -> None:
    for seed in range(6):
        out = effect(impulse(), np.random.default_rng(seed))
        assert abs(int(np.argmax(np.abs(out))) - 10_000) <= RATE // 1000  # 1 ms


def test_silence_stays_silent_but_for_noise() -> None:
    silence = np.zeros(SAMPLES, dtype=np.float32)
    for effect in EFFECTS[:-2]:
        assert np.abs(effect(silence, np.random.default_rng(0))).max() == 0
    for effect in EFFECTS[-2:]:
        assert 0 < np.abs(effect(silence, np.random.default_rng(0))).max() < 0.01


def test_room_response_decays_as_long_as_asked() -> None:
    response = effects.room_response(np.random.default_rng(1), seconds=0.8)
    early = np.sum(response[: int(0.2 * RATE)] ** 2)
    late = np.sum(response[int(0.6 * RATE) :] ** 2)
    assert len(response) == int(0.8 * RATE)
    assert np.sum(response**2) == pytest.approx(1, rel=1e-3)
    assert late < 1e-3 * early


def test_room_decays_faster_at_high_frequencies() -> None:
    ratios = []
    for seed in range(8):
        response = effects.room_response(np.random.default_rng(seed), seconds=1.0)
        early, late = (
            np.abs(np.fft.rfft(response[int(a * RATE) : int(b * RATE)])) ** 2
            for a, b in ((0.05, 0.15), (0.4, 0.5))
        )
        ratios.append((late[800:].sum() / late[:100].sum()) / (early[800:].sum() / early[:100].sum()))
    assert np.median(ratios) < 0.5


def test_band_limit_removes_the_top() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    out = np.abs(np.fft.rfft(shaped(effects.low_pass_curve, noise, np.random.default_rng(0))))
    assert out[18_000:].mean() < 1e-2 * out[1000:5000].mean()


def test_compress_brings_loud_and_quiet_together() -> None:
    tone = np.sin(np.arange(RATE) * 0.1).astype(np.float32)
    audio = np.concatenate([tone, 0.1 * tone])
    out = effects.compress(audio, np.random.default_rng(0))
    before = np.std(audio[: RATE // 2]) / np.std(audio[-RATE // 4 :])
    assert np.std(out[RATE // 2 : RATE]) / np.std(out[-RATE // 4 :]) < 0.8 * before


def test_limit_stays_under_full_scale() -> None:
    audio = signals()["full scale"] * np.linspace(0, 3, SAMPLES, dtype=np.float32)
    assert np.abs(effects.limit(audio, np.random.default_rng(0))).max() <= 1


def test_change_speed_scales_time() -> None:
    out = effects.change_speed(impulse(20_000), 1.25, 24_000)
    assert len(out) == 24_000
    assert abs(int(np.argmax(out)) - 16_000) <= 1
    assert np.abs(effects.change_speed(impulse(5)[:10], 2.0, 100)[6:]).max() == 0  # silence beyond the end
