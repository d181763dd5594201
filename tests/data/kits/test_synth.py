"""Synthesised kits: all 26 classes, different from kit to kit, the sounds what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from data.kits.sample import Kit, to_float
from data.kits.synth import brush_strokes, synthesise_kit
from mt3drum.config import SAMPLE_RATE
from tokenizer.drums import CLASS_INDEX, NUM_CLASSES


@pytest.fixture(scope="module")
def kits() -> list[Kit]:
    return [synthesise_kit(np.random.default_rng(seed)) for seed in range(4)]


def sound(kit: Kit, name: str) -> np.ndarray:
    """The loudest layer, peak 1."""
    audio = to_float(kit.samples[CLASS_INDEX[name]][-1].audio)
    return audio / np.abs(audio).max()


def centroid(audio: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(audio)) ** 2
    return float((np.fft.rfftfreq(audio.size, 1 / SAMPLE_RATE) * power).sum() / power.sum())


def ring(audio: np.ndarray) -> float:
    """Seconds after which 99 % of the energy is over."""
    energy = np.cumsum(audio**2)
    return float(np.argmax(energy >= 0.99 * energy[-1])) / SAMPLE_RATE


def test_every_class_is_there_in_layers_that_cover_all_velocities(kits: list[Kit]) -> None:
    for kit in kits:
        assert set(kit.samples) == set(range(NUM_CLASSES))
        for samples in kit.samples.values():
            covered = {v for s in samples for v in range(s.velocity_low, s.velocity_high + 1)}
            assert covered >= set(range(1, 128))
            for sample in samples:
                assert sample.audio.dtype == np.int16
                assert 0 <= sample.onset < sample.audio.size
                assert np.abs(sample.audio).max() > 1000


def test_the_same_state_gives_the_same_kit_and_another_one_another(kits: list[Kit]) -> None:
    again = synthesise_kit(np.random.default_rng(0))
    assert again.name == kits[0].name != kits[1].name
    for drum in range(NUM_CLASSES):
        np.testing.assert_array_equal(again.samples[drum][0].audio, kits[0].samples[drum][0].audio)
        one, two = kits[0].samples[drum][0].audio[:2000], kits[1].samples[drum][0].audio[:2000]
        assert not np.array_equal(one, two)


def test_kicks_are_low_and_hats_are_high(kits: list[Kit]) -> None:
    for kit in kits:
        assert centroid(sound(kit, "kick")) < 600
        assert centroid(sound(kit, "hihat_closed")) > 3000
        assert centroid(sound(kit, "hihat_pedal")) < centroid(sound(kit, "hihat_closed"))


def test_open_hats_ring_longer_than_closed_and_edges_longer_than_bows(kits: list[Kit]) -> None:
    for kit in kits:
        assert ring(sound(kit, "hihat_open")) > 2 * ring(sound(kit, "hihat_closed"))
        assert ring(sound(kit, "hihat_closed_edge")) > ring(sound(kit, "hihat_closed"))


def test_edges_have_more_low_middle(kits: list[Kit]) -> None:
    def clash(audio: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(audio)) ** 2
        frequency = np.fft.rfftfreq(audio.size, 1 / SAMPLE_RATE)
        return float(power[(frequency > 350) & (frequency < 1800)].sum() / power.sum())

    for kit in kits:
        assert clash(sound(kit, "hihat_closed_edge")) > clash(sound(kit, "hihat_closed"))
        assert clash(sound(kit, "crash1_edge")) > clash(sound(kit, "crash1"))


def test_brushes_are_softer_in_attack_than_sticks(kits: list[Kit]) -> None:
    strokes = brush_strokes(np.random.default_rng(0))
    assert [(s.velocity_low, s.velocity_high) for s in strokes] == [(1, 45), (46, 90), (91, 127)]
    loud = to_float(strokes[-1].audio)
    assert ring(loud / np.abs(loud).max()) < 0.5
