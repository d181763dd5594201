"""Awkward recordings, made here: each is transcribed, found silent, or refused in one line that names it."""

from __future__ import annotations

import os
import re
import resource
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mt3drum.audio import recording as audio_module
from mt3drum.cli.main import main
from mt3drum.config import PRESETS
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import save_checkpoint
from mt3drum.model.network import DrumModel
from mt3drum.transcriber import Failure, Transcriber, Transcription

RATE = 44_100
HITS, SILENT, EITHER = "hits", "no hits", "hits or one line"
REFUSED = "not audio that libsndfile reads|neither libsndfile nor ffmpeg"
FRAMEWISE = DecodeConfig(onset_weight=1.0, onset_bias=0.0)


@dataclass(frozen=True)
class Case:
    """A file, and what must become of it."""

    name: str
    make: Callable[[Path], object]
    expect: str
    """HITS, SILENT, EITHER, or a pattern of the error."""
    warning: str = ""
    """A pattern one warning must match; none may be given where it is empty and hits are expected."""


def beats(seconds: float = 0.6, rate: int = RATE) -> np.ndarray:
    """Bursts of noise, ten a second."""
    rng = np.random.default_rng(0)
    count = max(1, round(seconds * rate))
    decay = np.exp(-(np.arange(count) % max(1, rate // 10)) / (0.01 * rate))
    return (0.5 * decay * rng.uniform(-1, 1, count)).astype(np.float32)


def write(
    sound: np.ndarray, rate: int = RATE, kind: str = "WAV", bits: str = "PCM_16"
) -> Callable[[Path], None]:
    return lambda path: soundfile.write(os.fsencode(path), sound, rate, format=kind, subtype=bits)


def raw(content: bytes) -> Callable[[Path], int]:
    return lambda path: path.write_bytes(content)


def wav(
    data: bytes,
    rate: int = RATE,
    channels: int = 1,
    bits: int = 16,
    claim: int | None = None,
    extra: bytes = b"",
) -> bytes:
    """A WAV file with a header that says what it is told to."""
    size = len(data) if claim is None else claim
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    head = b"WAVEfmt " + struct.pack("<I", 16) + form + extra + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", (len(head) + size) & 0xFFFFFFFF) + head + data


def damaged(kind: str, bits: str, seed: int, cut: bool) -> Callable[[Path], None]:
    """A good file, cut at a random byte, or with 20 random bytes overwritten."""

    def make(path: Path) -> None:
        soundfile.write(path, beats(3.0), RATE, format=kind, subtype=bits)
        content, rng = bytearray(path.read_bytes()), np.random.default_rng(seed)
        if cut:
            del content[int(rng.integers(1, len(content))) :]
        else:
            for place in rng.integers(0, len(content), 20):
                content[place] = int(rng.integers(256))
        path.write_bytes(content)

    return make


def with_values(value: float, share: float) -> Callable[[Path], None]:
    sound = beats()
    sound[: max(1, int(share * len(sound)))] = value
    return write(sound, bits="FLOAT")


def speech() -> np.ndarray:
    """Syllables: a pulse train of 120 Hz through two resonances, with hissing consonants between."""
    time = np.arange(2 * RATE) / RATE
    voice = np.sign(np.sin(2 * np.pi * 120 * time)) * (1 + np.sin(2 * np.pi * 700 * time))
    hiss = np.random.default_rng(1).uniform(-1, 1, len(time)) * (np.sin(2 * np.pi * 5 * time + 2) > 0.8)
    return (0.2 * voice * np.clip(np.sin(2 * np.pi * 4 * time), 0, 1) + 0.1 * hiss).astype(np.float32)


PCM = (beats() * 32767).astype("<i2").tobytes()
TIME = np.arange(RATE) / RATE
NOISE = np.random.default_rng(2).uniform(-1, 1, RATE).astype(np.float32)
STEREO = beats()[:, None]
KINDS = {
    "flac": ("FLAC", "PCM_24"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
}
WAV_BITS = ("PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM")

CASES = [
    # Not audio.
    Case("empty.wav", raw(b""), "the file is empty"),
    Case("gone.wav", lambda path: None, "no such file"),
    Case("folder.wav", lambda path: path.mkdir(), "no such file"),
    Case("pipe.wav", lambda path: os.mkfifo(path), "no such file"),
    Case("dangling.wav", lambda path: path.symlink_to("nowhere"), "no such file"),
    Case("text.wav", raw(b"I am not a recording.\n" * 50), REFUSED),
    Case("random.wav", raw(np.random.default_rng(3).bytes(5000)), EITHER),
    Case("random.mp3", raw(np.random.default_rng(4).bytes(5000)), EITHER),
    Case("zeros.flac", raw(bytes(5000)), REFUSED),
    Case("headerless.raw", raw(PCM), REFUSED),
    Case("pickle.wav", raw(b"\x80\x04cos\nsystem\n(S'false'\ntR."), REFUSED),
    Case("playlist.m3u8", raw(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"), "a playlist; name the"),
    Case("header cut.wav", raw(wav(PCM)[:20]), REFUSED),
    Case("header cut.flac", raw(b"fLaC\x00\x00\x00\x22"), REFUSED),
    Case("picture.mp3", raw(b"\x89PNG\r\n\x1a\n" + bytes(500)), "a document or a picture; name a recording"),
    # Headers that lie, or ask too much.
    Case("no samples.wav", raw(wav(b"")), "no audio in it"),
    Case("rate 0.wav", raw(wav(PCM, rate=0)), f"{REFUSED}|sample rate"),
    Case("rate 3999.wav", raw(wav(PCM, rate=3999)), "sample rate 3999 Hz is outside 4000..384000"),
    Case("rate 400000.wav", raw(wav(PCM, rate=400_000)), "sample rate 400000 Hz is outside"),
    Case("rate 4e9.wav", raw(wav(PCM, rate=4_000_000_000)), f"{REFUSED}|sample rate"),
    Case("channels 0.wav", raw(wav(PCM, channels=0)), EITHER),
    Case("channels 33.wav", raw(wav(PCM, channels=33)), "33 channels, at most 32"),
    Case("channels 65535.wav", raw(wav(PCM, channels=65_535)), f"{REFUSED}|channels"),
    Case("bits 13.wav", raw(wav(PCM, bits=13)), EITHER),
    Case("longer claimed.wav", raw(wav(PCM, claim=40 * len(PCM))), HITS, "cut off: it holds 2%"),
    Case("endless claimed.wav", raw(wav(PCM, claim=0xFFFFFFFF)), HITS),
    Case("shorter claimed.wav", raw(wav(PCM, claim=len(PCM) // 2)), HITS),
    Case("nothing claimed.wav", raw(wav(PCM, claim=0)), HITS, "never finished by its recorder .* all 0.6 s"),
    Case("rate claimed 8000.wav", raw(wav(PCM, rate=8000)), HITS, "nothing above 4 kHz"),
    Case("odd chunk.wav", raw(wav(PCM, extra=b"LIST" + struct.pack("<I", 70_000) + bytes(70_000))), HITS),
    Case("flac.mp3", write(beats(), kind="FLAC"), HITS),
    Case("wav.txt", write(beats()), HITS),
    # Lengths and levels.
    *(Case(f"{n} samples.wav", write(beats(n / RATE)), HITS) for n in (1, 2, 440, 2047)),
    Case("silence.wav", write(np.zeros(RATE, np.float32)), SILENT),
    Case("last bit.wav", write(np.sign(NOISE) / 2**23, bits="PCM_24"), SILENT),
    Case("denormal.wav", write(np.full(RATE, 1e-40, np.float32), bits="FLOAT"), SILENT),
    Case(
        "opposite phases.wav",
        write(np.concatenate((STEREO, -STEREO), 1), bits="FLOAT"),
        HITS,
        "cancel one another",
    ),
    Case("constant.wav", write(np.full(RATE, 0.5, np.float32)), HITS),
    Case("clipped.wav", write(np.clip(9 * NOISE, -1, 1)), HITS),
    Case("loud float.wav", write(1e6 * NOISE, bits="FLOAT"), HITS),
    Case("noise.wav", write(NOISE), HITS),
    Case("sine.wav", write(0.5 * np.sin(2 * np.pi * 440 * TIME)), HITS),
    Case("infrasound.wav", write(0.5 * np.sin(2 * np.pi * 2 * TIME)), HITS),
    Case("highest pitch.wav", write(0.5 * np.cos(np.pi * np.arange(RATE))), HITS),
    Case("speech.wav", write(speech()), HITS),
    Case("click.wav", write(np.eye(1, 2 * RATE, RATE, dtype=np.float32)[0]), HITS),
    Case("late.wav", write(np.concatenate((np.zeros(12 * RATE, np.float32), beats()))), HITS),
    # Numbers that are none.
    Case("some nan.wav", with_values(np.nan, 0.1), HITS, "2646 samples were not finite"),
    Case("one inf.wav", with_values(np.inf, 0.0), HITS, "1 samples were not finite"),
    Case("all nan.wav", with_values(np.nan, 1.0), SILENT, "not finite"),
    Case("all inf.wav", with_values(-np.inf, 1.0), SILENT, "not finite"),
    Case("1e30.wav", with_values(1e30, 0.1), HITS, r"2646 samples were over 1e\+12"),
    # Rates, bits, channels, containers.
    *(
        Case(
            f"{rate} Hz.wav",
            write(beats(0.4, rate), rate),
            HITS,
            f"nothing above {rate / 2000:.3g} kHz" if rate < 22_050 else "",
        )
        for rate in (4000, 8000, 11_025, 22_050, 48_000, 96_000, 192_000, 384_000)
    ),
    *(Case(f"{bits}.wav", write(beats(), bits=bits), HITS) for bits in WAV_BITS),
    *(Case(f"{n} channels.wav", write(np.repeat(STEREO, n, 1)), HITS) for n in (2, 6, 32)),
    *(Case(f"kind.{name}", write(beats(), 48_000, *kind), HITS) for name, kind in KINDS.items()),
    # Damage.
    *(
        Case(f"{'cut' if cut else 'bytes'} {seed}.{name}", damaged(*KINDS[name], seed, cut), EITHER)
        for name in ("flac", "ogg", "mp3", "aiff")
        for cut in (True, False)
        for seed in range(3)
    ),
    *(Case(f"cut {seed}.wav", damaged("WAV", "PCM_16", seed, True), EITHER) for seed in range(3)),
    # Names.
    *(
        Case(f"{name}.wav", write(beats()), HITS)
        for name in (
            "two words",
            "太鼓",
            "bęben 🥁",
            "طبل",
            "a\nb",
            "-o",
            "[x]*?",
            "'quoted\"",
            os.fsdecode(b"\xff\xfe"),
        )
    ),
]


@pytest.fixture(scope="module")
def model() -> DrumModel:
    """Random weights whose onset head fires all over whatever is not silent."""
    torch.manual_seed(0)
    model = DrumModel(PRESETS["tiny"]).eval()
    torch.nn.init.zeros_(model.onset_head.bias)
    return model


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("awkward")
    for case in CASES:
        case.make(folder / case.name)
    return folder


def judge(case: Case, result: Transcription | Failure) -> None:
    if isinstance(result, Failure):
        assert case.expect not in (HITS, SILENT), result.reason
        assert str(result.path) in result.reason
        # A name may hold a line break; nothing else of the message may.
        assert "\n" not in result.reason.replace(str(result.path), "")
        assert case.expect == EITHER or re.search(case.expect, result.reason), result.reason
        return
    assert case.expect in (HITS, SILENT, EITHER), f"{case.name}: {len(result.hits)} hits"
    assert case.expect == EITHER or bool(result.hits) == (case.expect == HITS)
    # A hit may be placed up to two steps from the one it was found at.
    assert all(0 <= hit.time <= result.seconds + 0.02 for hit in result.hits)
    assert list(result.hits) == sorted(result.hits)
    if case.expect != EITHER:
        assert bool(result.warnings) == bool(case.warning)
        assert all(re.search(case.warning, warning) for warning in result.warnings)


def test_the_corpus_is_one() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 40


def test_every_file_ends_as_stated_in_company_and_with_bounded_memory(corpus: Path, model: DrumModel) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results = list(Transcriber(model, FRAMEWISE).transcribe_files(corpus / case.name for case in CASES))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert len(results) == len(CASES)
    wrong = []
    for case, result in zip(CASES, results, strict=True):
        try:
            judge(case, result)
        except AssertionError as error:
            wrong.append(f"{case.name}: {str(error)[:200]}")
    assert wrong == []
    # A batch of 32 segments of 4 s is 23 MB, its two spectra and the stem a few times that.
    assert grown < 600, f"{grown:.0f} MiB"


@pytest.mark.parametrize("name", ["some nan.wav", "late.wav", "96000 Hz.wav", "32 channels.wav"])
def test_company_changes_nothing(corpus: Path, model: DrumModel, name: str) -> None:
    transcriber = Transcriber(model, FRAMEWISE, batch=3)
    (alone,) = transcriber.transcribe_files([corpus / name])
    *_, among = transcriber.transcribe_files([corpus / "noise.wav", corpus / "text.wav", corpus / name])
    assert isinstance(alone, Transcription) and isinstance(among, Transcription)
    first, second = ([(h.time, h.velocity) for h in r.hits] for r in (alone, among))
    assert len(first) == len(second) > 10
    np.testing.assert_allclose(first, second, atol=1e-4, rtol=0)


def test_the_command_gives_each_bad_file_one_line_and_goes_on(
    corpus: Path, model: DrumModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "tiny.safetensors"
    save_checkpoint(checkpoint, model.config, model.state_dict(), FRAMEWISE.to_dict(), {})
    cases = [case for case in CASES if case.expect not in (EITHER, "no such file")]
    files = [str(corpus / case.name) for case in cases]
    assert main(["transcribe", *files, "-o", str(tmp_path / "out"), "--checkpoint", str(checkpoint)]) == 1
    said = capsys.readouterr()
    bad = [case for case in cases if case.expect not in (HITS, SILENT)]
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == len(bad) and "Traceback" not in said.err
    assert f"{len(cases) - len(bad)} transcribed, {len(bad)} failed" in said.err
    assert len(list((tmp_path / "out").glob("*.mid"))) == len(cases) - len(bad)


def test_what_is_longer_than_the_buffer_is_read_again(
    tmp_path: Path, model: DrumModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.flac", np.tile(beats(), 15), RATE)
    transcriber = Transcriber(model, FRAMEWISE)
    expected = transcriber.transcribe_file(tmp_path / "a.flac")
    monkeypatch.setattr(audio_module, "BUFFER_SECONDS", 2)
    assert transcriber.transcribe_file(tmp_path / "a.flac").hits == expected.hits


LONG = """
import resource, sys, time
import torch
from mt3drum.config import PRESETS
from mt3drum.decoding import DecodeConfig
from mt3drum.model.network import DrumModel
from mt3drum.transcriber import Transcriber
torch.manual_seed(0)
model = DrumModel(PRESETS["tiny"]).eval()
torch.nn.init.zeros_(model.onset_head.bias)
transcriber = Transcriber(model, DecodeConfig(onset_weight=1.0, onset_bias=0.0))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = transcriber.transcribe_file(sys.argv[1])
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(result.seconds, len(result.hits), result.hits[0].time, result.hits[-1].time, grown // 1024)
"""


@pytest.mark.slow
def test_three_hours_of_silence_around_ten_seconds_of_drums(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for minute in range(180):
            file.write(np.zeros(60 * RATE, np.float32))
            if minute == 89:
                file.write(beats(10.0))
    run = subprocess.run([sys.executable, "-c", LONG, str(path)], capture_output=True, text=True, check=True)
    seconds, hits, first, last, grown = map(float, run.stdout.split())
    assert (seconds, hits > 50) == (10_810, True)
    # Segments that touch the drums are heard whole: up to 4 s to either side.
    assert 5396 <= first < 5401 and 5409 < last <= 5414
    assert grown < 600, f"{grown:.0f} MiB"
