"""The renderer: what is labelled is heard where and as loud as the label says, and hats and hands cut
sounds."""

from __future__ import annotations

import numpy as np
import pytest

from data.grooves.patterns import generate
from data.kits.sample import Kit, Sample
from data.kits.synth import synthesise_kit
from data.render.config import LEVEL_DB, MicrophoneConfig
from data.render.drums import Rendered, render_drums
from data.render.room import mix_down
from data.render.strike import GROUP_OF
from mt3drum.config import SAMPLE_RATE
from tokenizer.drums import CLASS_INDEX, DRUMS, NUM_CLASSES
from tokenizer.hits import Hit


@pytest.fixture(scope="module")
def kits() -> list[Kit]:
    return [synthesise_kit(np.random.default_rng(seed)) for seed in range(3)]


def hit(time: float, name: str, velocity: int = 100) -> Hit:
    return Hit(time, CLASS_INDEX[name], velocity)


def render(hits: list[Hit], kits: list[Kit], seed: int = 0, seconds: float = 1.0) -> Rendered:
    return render_drums(hits, kits, np.random.default_rng(seed), seconds)


def attack(audio: np.ndarray) -> float:
    """Seconds of the first sample over a tenth of the peak of the loudest 60 ms after it."""
    level = np.abs(audio)
    first = int(np.argmax(level > 0.02 * level.max()))
    peak = level[first : first + int(0.06 * SAMPLE_RATE)].max()
    return (first + int(np.argmax(level[first:] > 0.1 * peak))) / SAMPLE_RATE


def energy(audio: np.ndarray, start: float, end: float) -> float:
    return float((audio[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)] ** 2).sum())


@pytest.mark.parametrize("drum", range(NUM_CLASSES), ids=[drum.name for drum in DRUMS])
def test_the_label_is_where_the_attack_is(drum: int, kits: list[Kit]) -> None:
    for seed in range(6):
        for velocity in (40, 110):
            rendered = render([Hit(0.3, drum, velocity)], kits, seed)
            assert rendered.hits == (Hit(0.3, drum, velocity),)
            assert attack(rendered.audio) == pytest.approx(0.3, abs=0.005)


def test_the_clip_has_its_length_type_and_peak(kits: list[Kit]) -> None:
    rendered = render([hit(0.1, "kick"), hit(0.6, "crash1")], kits, seconds=2.5)
    assert rendered.audio.shape == (round(2.5 * SAMPLE_RATE),)
    assert rendered.audio.dtype == np.float32
    assert np.abs(rendered.audio).max() == pytest.approx(0.9, abs=1e-4)
    assert set(rendered.kits) <= {kit.name for kit in kits}
    assert rendered.kits


def test_the_same_seed_gives_the_same_audio_and_another_one_another(kits: list[Kit]) -> None:
    hits = list(generate(np.random.default_rng(3), 3.0).hits)
    one, two, other = (render(hits, kits, seed, 3.0) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one.audio, two.audio)
    assert one.hits == two.hits
    assert not np.array_equal(one.audio, other.audio)


def test_silence_stays_silent(kits: list[Kit]) -> None:
    for hits in ([], [hit(5.0, "kick")], [hit(-60.0, "crash1")]):
        rendered = render(hits, kits)
        assert not rendered.audio.any()
        assert rendered.hits == ()


def test_hits_before_the_clip_ring_into_it_without_a_label(kits: list[Kit]) -> None:
    rendered = render([hit(-0.2, "crash1"), hit(0.5, "kick")], kits)
    assert rendered.hits == (hit(0.5, "kick"),)
    assert energy(rendered.audio, 0.0, 0.1) > 0


def test_louder_hits_are_louder(kits: list[Kit]) -> None:
    """Peaks at 0.2 s, 1.2 s and so on, from soft to loud."""
    velocities = (20, 50, 80, 120)
    for name in ("kick", "snare_head", "hihat_closed", "tom2_head", "ride"):
        rendered = render([hit(0.2 + i, name, v) for i, v in enumerate(velocities)], kits, seconds=4.2)
        peaks = [np.abs(rendered.audio[int((0.19 + i) * SAMPLE_RATE) :][:2000]).max() for i in range(4)]
        assert peaks == sorted(peaks), name
        assert peaks[3] > 3 * peaks[0], name


@pytest.mark.parametrize("closing", ["hihat_closed", "hihat_closed_edge", "hihat_pedal"])
def test_closing_hats_cut_open_ones(closing: str) -> None:
    """Compared with the same open stroke left to ring; kits without a room of their own, so dry or nearly."""
    for seed in range(4):
        # made to ring: a long noise as the open hats, a short quiet click as the closed ones
        kit = _hats_only(np.random.default_rng(seed))
        free = render([hit(0.1, "hihat_open_edge"), hit(0.3, "kick", 1)], [kit], seed)
        cut = render([hit(0.1, "hihat_open_edge"), hit(0.3, closing, 1)], [kit], seed)
        left = energy(free.audio, 0.4, 0.9) / energy(free.audio, 0.1, 0.29)
        after = energy(cut.audio, 0.4, 0.9) / energy(cut.audio, 0.1, 0.29)
        assert after < 0.1 * left


def _hats_only(rng: np.random.Generator) -> Kit:
    ringing = (rng.uniform(-0.5, 0.5, 2 * SAMPLE_RATE) * 32767).astype(np.int16)
    click = (rng.uniform(-0.5, 0.5, 200) * 32767).astype(np.int16)
    open_hats = ("hihat_open", "hihat_open_edge")
    samples = {
        drum.index: (Sample(ringing if drum.name in open_hats else click, 1, 127, ""),)
        for drum in DRUMS
        if drum.family in ("hihat", "kick", "snare")
    }
    return Kit("hats", "CC0-1.0", "electronic", "hats", "single-layer", samples, None)


def test_open_hats_do_not_cut_each_other() -> None:
    kit = _hats_only(np.random.default_rng(0))
    twice = render([hit(0.1, "hihat_open"), hit(0.5, "hihat_open")], [kit])
    assert energy(twice.audio, 0.3, 0.49) > 0


def test_two_hits_of_a_class_within_20_ms_are_one(kits: list[Kit]) -> None:
    close = render([hit(0.300, "snare_head", 60), hit(0.315, "snare_head", 90), hit(0.310, "kick")], kits)
    assert close.hits == (hit(0.300, "snare_head", 90), hit(0.310, "kick"))
    flam = render([hit(0.300, "snare_head", 60), hit(0.325, "snare_head", 90)], kits)
    assert len(flam.hits) == 2


def test_a_class_that_no_kit_has_is_neither_heard_nor_labelled() -> None:
    kit = _hats_only(np.random.default_rng(0))
    rendered = render([hit(0.2, "ride_bell"), hit(0.5, "hihat_closed")], [kit])
    assert rendered.hits == (hit(0.5, "hihat_closed"),)
    assert energy(rendered.audio, 0.0, 0.49) == 0


def test_missing_classes_are_borrowed(kits: list[Kit]) -> None:
    rendered = render([hit(0.2, "ride_bell")], [_hats_only(np.random.default_rng(0)), kits[0]], seed=1)
    assert rendered.hits == (hit(0.2, "ride_bell"),)
    assert kits[0].name in rendered.kits


def test_every_class_has_a_level_and_a_group() -> None:
    assert set(LEVEL_DB) == set(CLASS_INDEX)
    assert set(GROUP_OF) == set(range(NUM_CLASSES))


def test_rooms_never_sound_before_the_stroke() -> None:
    buses = np.zeros((3, SAMPLE_RATE), dtype=np.float32)
    buses[:, 5000] = 1.0
    for seed in range(30):
        mixed = mix_down(buses.copy(), np.random.default_rng(seed), True, MicrophoneConfig())
        assert np.abs(mixed[:5000]).max() < 1e-7  # the rounding of a Fourier transform
        assert np.isfinite(mixed).all()
        assert np.abs(mixed[5000]) > 0.5


def test_bad_arguments_are_named(kits: list[Kit]) -> None:
    with pytest.raises(ValueError, match="no kit given"):
        render([], [])
    with pytest.raises(ValueError, match="length 0"):
        render([], kits, seconds=0)
