"""From a source to hits: pipes, microphones, what is late, and MIDI."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import mido
import numpy as np
import pytest

from mt3drum.audio.recording import AudioError
from mt3drum.extras import MissingExtra
from mt3drum.live import midi_port, sources
from mt3drum.live.midi_port import MidiPort
from mt3drum.live.pcm import Pcm
from mt3drum.live.session import LATE, Arrivals, Session
from mt3drum.live.sources import MicrophoneSource, Piece, PipeSource, SoundSource
from tokenizer.hits import Hit

RAW = Pcm("s16le", 44_100, 1)


class Dribble(io.BytesIO):
    """A pipe that gives a few bytes at a time, not in whole samples."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(7, size or 7))


def test_a_pipe_delivers_every_sample_once() -> None:
    sound = np.arange(-500, 500, dtype="<i2")
    source = PipeSource(Dribble(sound.tobytes() + b"\x01"), RAW)  # ends within a sample
    got = np.concatenate([piece.frames for piece in source.pieces()])
    assert got[:, 0] == pytest.approx(sound / 32768)


def test_a_wav_ends_where_its_header_says() -> None:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.ones((10, 2)) * 0.5, 48_000, "PCM_16", format="WAV")
    source = PipeSource(io.BytesIO(file.getvalue() + b"LIST" + bytes(100)))
    assert source.rate == 48_000
    assert sum(len(piece.frames) for piece in source.pieces()) == 10


def test_a_pipe_that_breaks_is_one_line() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("gone\naway")

    with pytest.raises(AudioError, match="^standard input: gone away$"):
        list(PipeSource(Broken(b"x"), RAW).pieces())


def test_a_stopped_source_delivers_what_has_arrived() -> None:
    source = SoundSource("test", 44_100)
    source._waiting.put(Piece(0.0, np.zeros((5, 1))))
    source.stop()
    assert len(list(source.pieces())) == 1


class Scripted:
    """A listener that finds a hit at the end of everything it is fed, and takes its time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.work, self.seconds = seconds, 0.0
        self.hurried: list[bool] = []

    def feed(self, audio: np.ndarray, hurry: bool = False) -> list[Hit]:
        time.sleep(self.work)
        self.hurried.append(hurry)
        self.seconds += len(audio) / 44_100
        return [Hit(self.seconds, 0, 64), Hit(self.seconds, 5, 64)]

    def finish(self) -> list[Hit]:
        return [Hit(self.seconds, 0, 1)]


def session(
    source: SoundSource, listener: Any, late: Callable[[str], None] = print
) -> tuple[Session, list[Hit]]:
    found: list[Hit] = []
    return Session(source, listener, {0}, lambda hits, _: found.extend(hits), late), found


def test_a_session_tells_the_chosen_drums_and_how_late_they_are() -> None:
    source = PipeSource(io.BytesIO(bytes(44_100)), RAW)
    one, found = session(source, Scripted(0.01))
    one.run()
    assert {hit.drum for hit in found} == {0} and found[-1].velocity == 1
    assert one.tally.hits == len(found) == one.tally.drums[0]
    assert 0.0 < one.tally.longest_delay < 5.0 and one.tally.elapsed > 0.05
    assert not any(one.listener.hurried)  # type: ignore[attr-defined]


def test_hits_before_a_failure_are_told() -> None:
    source = SoundSource("test", 44_100)
    source._waiting.put(Piece(time.monotonic(), np.zeros((100, 1), np.float32)))
    source._waiting.put(OSError("unplugged"))
    one, found = session(source, Scripted())
    with pytest.raises(AudioError, match="test: unplugged"):
        one.run()
    assert [hit.velocity for hit in found] == [64, 1]


def test_a_slow_machine_hurries_and_says_so_once() -> None:
    """The second piece has waited for longer than `LATE`, and its source delivers in real time."""
    source, now = SoundSource("test", 44_100), time.monotonic()
    silence = np.zeros((441, 1), np.float32)
    for at in (now - 3.0, now - 2.9, now - 2.8):
        source._waiting.put(Piece(at, silence))
    source._waiting.put(None)
    told: list[str] = []
    one, _ = session(source, Scripted(), told.append)
    one.run()
    assert all(one.listener.hurried) and len(told) == 1  # type: ignore[attr-defined]
    assert "2.9 s behind" in told[0] or "3.0 s behind" in told[0]
    assert one.tally.lag > LATE


def test_a_file_that_is_piped_in_fast_is_not_behind() -> None:
    arrivals = Arrivals()
    for second in range(1, 61):
        arrivals.add(second, 100.0)
    assert arrivals.lag(102.0) == 0.0  # a minute in two seconds
    assert arrivals.delay(59.0, 102.0) == 3.0  # a second of sound, and two to decode it
    slow = Arrivals()
    slow.add(1.0, 101.0)
    slow.add(2.0, 110.0)  # the source paused: nothing to be behind of
    assert slow.lag(110.5) == pytest.approx(0.5)
    assert slow.due(1.5, 1.6) == pytest.approx(103.1)


def test_lost_sound_becomes_silence_and_keeps_the_time() -> None:
    source = SoundSource("test", 44_100)
    source._waiting.put(Piece(0.0, np.ones((10, 2), np.float32)))
    source._waiting.put(Piece(0.0, np.ones((10, 2), np.float32), lost=100_000))
    source._waiting.put(None)
    one, _ = session(source, Scripted())
    frames = np.concatenate(list(one._frames()))
    assert len(frames) == 100_020 and not frames[10:-10].any() and frames[-10:].all()
    assert source.lost == pytest.approx(100_000 / 44_100)


class Device:
    """sounddevice's stream: calls back from a thread."""

    def __init__(self, *, callback: Any, finished_callback: Any, channels: int, blocksize: int, **_: Any):
        def play() -> None:
            for _ in range(20):
                callback(np.full((blocksize, channels), 0.5, np.float32), blocksize, None, None)
            finished_callback()

        self.thread = threading.Thread(target=play)
        self.closed = False

    def start(self) -> None:
        self.thread.start()
        self.thread.join()

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def sounddevice(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    def query(device: Any, kind: str) -> dict[str, Any]:
        if device == "none":
            raise ValueError("No input device matching 'none'")
        return {"name": "Fake", "max_input_channels": 8, "default_samplerate": 48_000.0}

    fake = SimpleNamespace(query_devices=query, InputStream=Device, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr(sources, "need", lambda *_: None)
    yield fake


def test_a_microphone(sounddevice: SimpleNamespace) -> None:
    source = MicrophoneSource("Fake")
    assert (source.name, source.rate) == ("microphone Fake", 48_000)
    frames = np.concatenate([piece.frames for piece in source.pieces()])
    assert frames.shape == (20 * 2400, 2) and (frames == 0.5).all()
    source.close()
    assert source._device.closed


def test_a_microphone_that_nobody_reads_loses_sound(
    sounddevice: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "WAITING_PIECES", 5)
    source = MicrophoneSource()
    assert sum(len(piece.frames) for piece in source.pieces()) == 5 * 2400
    assert source._lost == 15 * 2400


def test_no_microphone_is_one_line(sounddevice: SimpleNamespace) -> None:
    with pytest.raises(AudioError, match="microphone none: No input device.*lists the devices"):
        MicrophoneSource("none")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mt3drum.extras.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"sounddevice is not installed.*mt3drum\[live\]"):
        MicrophoneSource()
    with pytest.raises(MissingExtra, match=r"rtmidi is not installed.*mt3drum\[live\]"):
        MidiPort("port", [36] * 26)


class Port:
    """A MIDI port that notes when what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, Any]] = []
        self.closed = False

    def send(self, message: Any) -> None:
        self.sent.append((time.monotonic(), message))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Port:
    made = Port()
    monkeypatch.setattr(midi_port, "need", lambda *_: None)
    monkeypatch.setattr(mido, "get_output_names", lambda: ["synth"], raising=False)
    monkeypatch.setattr(mido, "open_output", lambda name: made, raising=False)
    return made


def test_notes_keep_their_rhythm(port: Port) -> None:
    out = MidiPort("synth", list(range(30, 56)))
    start = time.monotonic() + 0.05
    out.play(Hit(0.2, 1, 90), start + 0.2)
    out.play(Hit(0.0, 0, 100), start)
    out.close()
    assert port.closed
    on = [(at - start, message) for at, message in port.sent if message.type == "note_on"]
    assert [(m.channel, m.note, m.velocity) for _, m in on] == [(9, 30, 100), (9, 31, 90)]
    assert [at for at, _ in on] == pytest.approx([0.0, 0.2], abs=0.1) and on[0][0] >= 0.0
    assert sum(message.type == "note_off" for _, message in port.sent) == 2


def test_an_unknown_port_lists_those_there_are(port: Port) -> None:
    with pytest.raises(ValueError, match="--midi-out drums: no such port; there are: synth"):
        MidiPort("drums", [36] * 26)
