"""Live decoding is offline decoding with the same margins and gain, whatever the sizes of the pieces."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mt3drum.audio.recording import TARGET_PEAK, Segment, SegmentCutter, open_array
from mt3drum.config import HOP, SAMPLE_RATE
from mt3drum.decoding import DecodeConfig
from mt3drum.live.gain import QUIETEST, RunningGain
from mt3drum.live.listener import STRIDE, Listener, live_config
from mt3drum.result import Transcription
from mt3drum.transcriber import Transcriber
from tokenizer.codec import Codec
from tokenizer.hits import Hit


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Transcriber.load(precision="float32", decoder="frames")


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """The demo clip, a long rest, and the clip again, softer."""
    audio, _ = soundfile.read(str(resources.files("mt3drum") / "assets" / "demo.ogg"), dtype="float32")
    mono = audio if audio.ndim == 1 else audio.mean(axis=1)
    return np.concatenate((mono[: 5 * SAMPLE_RATE], np.zeros(6 * SAMPLE_RATE), 0.4 * mono)).astype(np.float32)


def offline(transcriber: Transcriber, sound: np.ndarray, batch: int = 1) -> Transcription:
    config = live_config(transcriber.config, transcriber.model.config.codec)
    return Transcriber(transcriber.model, config, batch=batch).transcribe_array(sound)


def listen(listener: Listener, sound: np.ndarray, sizes: list[int]) -> list[Hit]:
    """Feed the sound in pieces of these sizes, over and over."""
    found: list[Hit] = []
    at = number = 0
    while at < len(sound):
        size = sizes[number % len(sizes)]
        found += listener.feed(sound[at : at + size])
        at, number = at + size, number + 1
    return found + listener.finish()


def test_live_margins() -> None:
    codec = Codec()
    config = live_config(DecodeConfig(), codec)
    own = codec.segment_steps - config.margin_steps(codec) - config.steps_before(codec)
    assert own == STRIDE * codec.steps_per_second
    short = Codec(segment_steps=100)  # no room for them: as offline
    assert live_config(DecodeConfig(), short).steps_before(short) == DecodeConfig().margin_steps(short) * 2


def test_live_equals_offline(transcriber: Transcriber, sound: np.ndarray) -> None:
    expected = offline(transcriber, sound)
    assert len(expected.hits) > 100
    gain = open_array(sound).gain
    sizes = np.random.default_rng(1).integers(1, 3 * SAMPLE_RATE, 50).tolist()
    listener = Listener(transcriber, gain=gain)
    told = listen(listener, sound, sizes)
    assert listener.result().hits == expected.hits  # times, drums, revised velocities, confidences
    assert listener.result().candidates == expected.candidates
    assert listener.result().seconds == expected.seconds
    assert [(hit.time, hit.drum, hit.confidence) for hit in told] == [
        (hit.time, hit.drum, hit.confidence) for hit in expected.hits
    ]
    together = offline(transcriber, sound, batch=32)  # products of other sizes round otherwise
    assert [(hit.drum) for hit in together.hits] == [hit.drum for hit in expected.hits]
    for one, other in zip(together.hits, expected.hits, strict=True):
        assert one.time == pytest.approx(other.time, abs=1e-4)
        assert one.confidence == pytest.approx(other.confidence, abs=1e-3)
        assert abs(one.velocity - other.velocity) <= 1


def test_live_equals_offline_by_decoder_and_head() -> None:
    audio, _ = soundfile.read(str(resources.files("mt3drum") / "assets" / "demo.ogg"), dtype="float32")
    sound = (audio if audio.ndim == 1 else audio.mean(axis=1))[: 6 * SAMPLE_RATE]
    transcriber = Transcriber.load(precision="float32")
    listener = Listener(transcriber, gain=open_array(sound).gain)
    listen(listener, sound, [4410])
    assert listener.result().hits == offline(transcriber, sound).hits != ()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1_000, 200_000), min_size=1, max_size=5))
def test_the_running_gain_does_not_depend_on_the_pieces(
    transcriber: Transcriber, monkeypatch: pytest.MonkeyPatch, sizes: list[int]
) -> None:
    """A segment is scaled by what was heard up to its end, however much has arrived by then."""
    gains: list[float] = []
    cut = SegmentCutter.cut

    def noted(cutter: SegmentCutter, own: int, gain: float) -> Segment:
        gains.append(gain)
        return replace(cut(cutter, own, gain), audio=np.zeros(1, np.float32))  # nothing to decode

    growing = np.linspace(0.02, 1.0, 8 * SAMPLE_RATE, dtype=np.float32)
    with monkeypatch.context() as patch:
        patch.setattr(SegmentCutter, "cut", noted)
        listen(Listener(transcriber), growing, [4_410])
        expected, gains = gains, []
        listen(Listener(transcriber), growing, sizes)
    assert gains == expected and len(set(expected)) == len(expected) >= 10


def test_hits_settle_within_a_second_and_a_half(transcriber: Transcriber, sound: np.ndarray) -> None:
    listener = Listener(transcriber, gain=1.0)
    late = []
    for at in range(0, len(sound), HOP):
        new = listener.feed(sound[at : at + HOP])
        late += [listener.seconds - hit.time for hit in new]
    assert len(late) > 100 and max(late) < 1.5


def test_hurrying_misses_nothing(transcriber: Transcriber, sound: np.ndarray) -> None:
    """It takes a quarter of the segments, and goes back without a gap."""
    listener = Listener(transcriber, gain=open_array(sound).gain)
    decoded = []
    decode = listener.transcriber.decode
    listener.transcriber.decode = lambda batch: (decoded.append(batch), decode(batch))[1]  # type: ignore
    found = []
    for at in range(0, len(sound), 4410):
        found += listener.feed(sound[at : at + 4410], hurry=4 * SAMPLE_RATE < at < 16 * SAMPLE_RATE)
    found += listener.finish()
    expected = offline(transcriber, sound).hits
    assert len(decoded) < len(sound) / SAMPLE_RATE / STRIDE * 0.6
    assert len(found) == pytest.approx(len(expected), rel=0.1)
    assert found == sorted(found)
    near = [hit for hit in expected if any(abs(hit.time - other.time) < 0.02 for other in found)]
    assert len(near) > 0.9 * len(expected)


def test_memory_does_not_grow(transcriber: Transcriber, sound: np.ndarray) -> None:
    listener = Listener(transcriber, keep=False)
    sizes = []
    tracemalloc.start()
    for _ in range(5):
        assert listener.feed(sound[: 8 * SAMPLE_RATE])
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(sizes[1:]) - min(sizes[1:]) < 20_000  # the hits of one round alone take as much
    assert listener.result().hits == () and not listener._strengths


def test_gain_follows_as_for_a_file(sound: np.ndarray) -> None:
    running = RunningGain()
    assert running.value == TARGET_PEAK / QUIETEST
    for at in range(0, len(sound), 1000):
        running.push(sound[at : at + 1000])
    assert 20 * np.log10(running.value / open_array(sound).gain) == pytest.approx(0.0, abs=1.0)
    loud = np.repeat(np.random.default_rng(0).uniform(0.1, 0.5, 3000), SAMPLE_RATE // 10)
    running = RunningGain()
    running.push(loud)
    assert 20 * np.log10(running.value / open_array(loud).gain) == pytest.approx(0.0, abs=0.1)


def test_quiet_noise_is_not_made_loud() -> None:
    running = RunningGain()
    running.push(np.full(SAMPLE_RATE, 0.001))
    assert running.value == TARGET_PEAK / QUIETEST


def test_velocities_do_not_depend_on_changes_of_the_gain(
    transcriber: Transcriber, sound: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured in a segment is brought to the gain of the first one."""
    factors = iter([1.0, 2.0] * 1000)
    monkeypatch.setattr(RunningGain, "value", property(lambda self: next(factors)))
    changing = Listener(transcriber)
    listen(changing, sound, [SAMPLE_RATE])
    fixed = Listener(transcriber, gain=1.0)
    listen(fixed, sound, [SAMPLE_RATE])
    differences = [
        abs(one.rise - other.rise)
        for (time, drum), one in changing._strengths.items()
        for (near, same), other in fixed._strengths.items()
        if drum == same and abs(time - near) < 0.005
    ]
    assert len(differences) > 50 and np.quantile(differences, 0.8) < 1.0  # half are 6 dB without it


def test_margins_before_are_checked() -> None:
    with pytest.raises(ValueError, match="margin_before"):
        replace(DecodeConfig(), margin_before=61.0)
