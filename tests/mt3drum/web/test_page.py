"""The review page: nothing foreign in it, nothing lost on the way into it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mt3drum.audio.recording import open_array, open_file
from mt3drum.cli import main
from mt3drum.transcriber import Transcriber, Transcription
from mt3drum.web import page as module
from mt3drum.web.spectrogram import grey_png, spectrogram_tiles
from tests.review_stub import HITS, HOSTILE, SECONDS, Stub, write_recording
from tokenizer.drums import DRUMS


class Elements(HTMLParser):
    """The elements of a page, with their attributes and texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))

    def handle_data(self, data: str) -> None:
        if self.found:
            self.found[-1][2].append(data)

    def text(self, tag: str, **attrs: str) -> str:
        (texts,) = [t for n, a, t in self.found if n == tag and attrs.items() <= a.items()]
        return "".join(texts)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("review") / "take.flac")


@pytest.fixture(scope="module")
def page(recording: Path) -> str:
    return module.build_page(Transcription(HITS, SECONDS, recording), recording)


def data_of(page: str) -> dict[str, object]:
    values = json.loads(Elements(page).text("script", id="data"))
    assert isinstance(values, dict)
    return values


def test_the_page_holds_what_was_heard(page: str, recording: Path) -> None:
    data = data_of(page)
    assert data["hits"] == [[hit.time, hit.drum, hit.velocity, hit.confidence] for hit in HITS]
    assert (data["source"], data["seconds"], data["audio"]) == ("take.flac", SECONDS, "audio/flac")
    sound = base64.b64decode(Elements(page).text("script", id="audio-data"))
    assert sound == recording.read_bytes()


def test_nothing_comes_from_elsewhere(page: str) -> None:
    """No address of another host, and a policy that allows this script and this style alone."""
    outside = [
        (tag, value)
        for tag, attrs, _ in Elements(page).found
        for name, value in attrs.items()
        if name in ("src", "href", "action", "data") and value not in ("/",)
    ]
    assert outside == []
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    for tag in ("script", "style"):
        code = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(code) == 1
        digest = base64.b64encode(hashlib.sha256(code[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_only_text(name: str, recording: Path) -> None:
    result = Transcription(HITS, SECONDS, recording, warnings=(f"{name}: odd",))
    page = module.build_page(result, recording, name=name)
    plain = Elements(module.build_page(result, recording, name="plain"))
    elements = Elements(page)
    assert [(tag, attrs) for tag, attrs, _ in elements.found if tag != "meta"] == [
        (tag, attrs) for tag, attrs, _ in plain.found if tag != "meta"
    ]
    assert elements.text("h1").strip() == module.shown(name).strip()
    data = data_of(page)
    assert data["source"] == module.shown(name)
    assert data["warnings"] == [module.shown(f"{name}: odd")]


def test_every_drum_has_its_own_label() -> None:
    table = module.drum_table()
    assert len({row["label"] for row in table}) == len(DRUMS)
    assert sorted(data for data in (row["name"] for row in table)) == sorted(drum.name for drum in DRUMS)
    assert module.label("snare_head") == "snare" and module.label("tom2_rim") == "tom 2 rim"


def test_a_recording_too_large_or_unplayable_is_encoded(
    recording: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "EMBED_BYTES", 100)
    kind, sound = module.embedded_audio(recording, open_file(recording))
    assert kind == "audio/ogg"
    audio, rate = soundfile.read(io.BytesIO(sound))
    assert rate == 44_100 and abs(len(audio) - SECONDS * 44_100) < 2_048
    first = int(np.argmax(np.abs(audio) > 0.2)) / rate
    assert first == pytest.approx(HITS[0].time, abs=0.005)
    monkeypatch.setattr(module, "ENCODE_SECONDS", 1.0)
    assert module.embedded_audio(recording, open_file(recording)) == (None, b"")


def test_a_recording_of_hours_has_no_page(recording: Path) -> None:
    with pytest.raises(ValueError, match="take.flac: 61 minutes are too long for a page"):
        module.build_page(Transcription((), 3_660.0, recording), recording)


def test_tiles_show_the_right_place() -> None:
    """A click at 20.5 s and a tone of 1 kHz from 21 s: in the second tile, at their columns and rows."""
    from PIL import Image

    audio = np.zeros(22 * 44_100, dtype=np.float32)
    audio[int(20.5 * 44_100)] = 1.0
    audio[21 * 44_100 :] = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(44_100) / 44_100)
    picture = spectrogram_tiles(open_array(audio))
    tiles = picture["levels"][0]["tiles"]
    first, second = (np.asarray(Image.open(io.BytesIO(base64.b64decode(tile)))) for tile in tiles)
    assert first.shape[1] == picture["tile_frames"] == 2_000 and second.shape[1] == 200
    click = second[:, :90].astype(int).sum(axis=0)
    assert abs(int(np.flatnonzero(click == click.max()).mean()) - 50) <= 1
    tone = second[::-1, 150]
    row = round(float(np.flatnonzero(tone == tone.max()).mean()))
    mel = np.linspace(hertz_to_mel(30.0), hertz_to_mel(16_000.0), second.shape[0] + 2)
    assert abs(row + 1 - int(np.abs(mel - hertz_to_mel(1_000.0)).argmin())) <= 1


def hertz_to_mel(hz: float) -> float:
    """Slaney's scale: linear to 1 kHz (15 mel), logarithmic above."""
    return 3 * hz / 200 if hz < 1_000 else 15 + 27 * np.log(hz / 1_000) / np.log(6.4)


def test_the_png_writer_is_read_back() -> None:
    from PIL import Image

    shades = np.arange(3 * 5, dtype=np.uint8).reshape(3, 5)
    image = np.asarray(Image.open(io.BytesIO(grey_png(shades))).convert("L"))
    assert np.array_equal(image // 17, shades)


def test_silence_has_a_page(tmp_path: Path) -> None:
    path = tmp_path / "nothing.wav"
    soundfile.write(path, np.zeros(44_100), 44_100)
    assert data_of(module.build_page(Transcription((), 1.0, path), path))["hits"] == []


def test_the_command(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Transcriber, "load", staticmethod(lambda *_, **__: Stub()))
    target = tmp_path / "new" / "page.html"
    assert main.main(["review", str(recording), "-o", str(target)]) == 0
    line = capsys.readouterr().out
    assert f"-> {target}: 8 hits" in line and line.endswith("; unsteady: no grid\n")
    assert len(data_of(target.read_text(encoding="utf-8"))["hits"]) == 8  # type: ignore[arg-type]
    assert data_of(target.read_text(encoding="utf-8"))["tempo"] is None
    assert [path.name for path in target.parent.iterdir()] == ["page.html"]
    assert main.main(["review", str(recording), "-o", str(target), "--bpm", "90", "--meter", "3/4"]) == 0
    assert capsys.readouterr().out.endswith("; 90.0 bpm, 3/4\n")
    tempo = data_of(target.read_text(encoding="utf-8"))["tempo"]
    assert (
        isinstance(tempo, dict) and tempo["text"] == "90.0 bpm, 3/4" and tempo["downbeats"][0] == HITS[0].time
    )
    assert main.main(["review", str(recording), "--bpm", "5"]) == 2
    assert "--bpm 5 is outside 20..500" in capsys.readouterr().err
    assert main.main(["review", str(tmp_path / "absent.wav")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "absent.wav: no such file" in error and error.count("\n") == 1


def test_serve_without_its_extra_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mt3drum.cli.review.find_spec", lambda name: None)
    assert main.main(["serve"]) == 1
    assert "pip install 'mt3drum[web]'" in capsys.readouterr().err
