"""Sound played faster or slower: 12 kHz keeps its level, images lie 60 dB down."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from data.band import play
from data.band.notes import NoteSample, make_instrument, to_int16
from data.dsp import effects
from data.kits import sample
from mt3drum.config import SAMPLE_RATE

TONE = 12_000.0
SHIFTS = (0.81, 0.97, 1.031, 1.22)
"""Playing rates: what `vary`, tuning, transposition and the change of speed ask for."""

Player = Callable[[np.ndarray, float], np.ndarray]


def tone_playing_at(hertz: float, rate: float) -> np.ndarray:
    """Two seconds of a tone that lies at `hertz` once it is played `rate` times faster."""
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * hertz / rate * time)).astype(np.float32)


def levels(audio: np.ndarray, hertz: float) -> tuple[float, float]:
    """dB of the tone at `hertz`, and of the strongest partial elsewhere, relative to a tone of 0.5."""
    middle = audio[SAMPLE_RATE // 4 :][: SAMPLE_RATE // 2].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(middle * np.blackman(len(middle)))) / (0.5 * 0.42 / 2 * len(middle))
    spectrum = 20 * np.log10(spectrum + 1e-9)
    frequency = np.fft.rfftfreq(len(middle), 1 / SAMPLE_RATE)
    near = np.abs(frequency - hertz) < 30
    return float(spectrum[near].max()), float(spectrum[~near].max())


def by_note(audio: np.ndarray, rate: float) -> np.ndarray:
    """Through `band._tone`: an instrument of one note, `rate` away from it in pitch."""
    note = NoteSample(69.0, to_int16(audio))
    instrument = make_instrument("tone", "made", [note], "lead")
    rng = np.random.default_rng(0)
    return play._tone(instrument, 69 + 12 * np.log2(rate), SAMPLE_RATE, 1, rng) * np.float32(
        0.5 * 32767 / 32000
    )


def along_contour(audio: np.ndarray, rate: float) -> np.ndarray:
    """Through a glide that does not move."""
    note = NoteSample(69.0, to_int16(audio))
    still = np.ones(SAMPLE_RATE, dtype=np.float32)
    return play._glide_along(note, rate, SAMPLE_RATE, still) * np.float32(0.5 * 32767 / 32000)


PLAYERS: dict[str, Player] = {
    "change_speed": lambda audio, rate: effects.change_speed(audio, rate, SAMPLE_RATE),
    "retune": sample.retune,
    "note": by_note,
    "gliding note": along_contour,
}


@pytest.mark.parametrize("rate", SHIFTS)
@pytest.mark.parametrize("name", PLAYERS)
def test_the_top_keeps_its_level_without_images(name: str, rate: float) -> None:
    level, images = levels(PLAYERS[name](tone_playing_at(TONE, rate), rate), TONE)
    assert level == pytest.approx(0.0, abs=0.3)
    assert images < -60


@pytest.mark.parametrize("name", PLAYERS)
def test_what_would_fold_over_is_left_out(name: str) -> None:
    """A tone at 18 kHz played 1.4 times faster lies at 25 kHz: nothing may come back at 19."""
    audio = PLAYERS[name](tone_playing_at(25_200.0, 1.4), 1.4)
    assert max(levels(audio, 18_900.0)) < -60


def test_the_linear_reader_would_fail() -> None:
    """What this replaced: 2.2 dB lost at 12 kHz, images above -60 dB."""
    audio, rate = tone_playing_at(TONE, 1.031), 1.031
    position = np.arange(SAMPLE_RATE) * rate
    linear = np.interp(position, np.arange(len(audio)), audio).astype(np.float32)
    level, images = levels(linear, TONE)
    assert level < -1.5 and images > -30


@pytest.mark.parametrize("rate", SHIFTS)
def test_an_attack_stays_where_it_belongs(rate: float) -> None:
    audio = np.zeros(SAMPLE_RATE, dtype=np.float32)
    audio[20_000] = 0.5
    for resample in (PLAYERS["change_speed"], PLAYERS["retune"]):
        assert abs(int(np.argmax(np.abs(resample(audio, rate)))) - 20_000 / rate) <= 1
