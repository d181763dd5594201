"""The README's own commands run as written, on a recording made here; no page needs data that nobody has."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mt3drum.cli.main import main
from tests import ROOT
from tests.house.test_docs import commands

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
ELSEWHERE = {"--checkpoint", "serve", "listen"}  # a trained run; what does not end
RUN = [words[1:] for words in commands(README) if words[0] == "mt3drum" and not ELSEWHERE & set(words)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the README's commands name."""
    folder = tmp_path_factory.mktemp("readme")
    audio, rate = soundfile.read(ROOT / "mt3drum" / "assets" / "demo.ogg", dtype="float32")
    for name in ("song.wav", "album/a.wav", "live/b.flac"):
        (folder / name).parent.mkdir(exist_ok=True)
        soundfile.write(folder / name, audio[: 6 * rate], rate)
    (folder / "samples").mkdir()
    time = np.arange(rate) / rate
    for name, hertz in (("tom1_head", 200.0), ("floor_tom_head", 80.0)):
        stroke = np.sin(2 * np.pi * hertz * time) * np.exp(-8 * time)
        soundfile.write(folder / "samples" / f"{name}.wav", 0.5 * stroke, rate)
    return folder


def test_the_commands_are_found() -> None:
    assert ["demo", "-o", "out"] in RUN
    assert {words[0] for words in RUN} == {"demo", "transcribe", "label", "review", "convert"}
    assert len(RUN) >= 11


@pytest.mark.slow
@pytest.mark.parametrize("words", RUN, ids=" ".join)
def test_a_command_runs(words: list[str], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    if words[0] == "convert":
        assert main(["transcribe", "song.wav", "-o", ".", "--format", "json"]) == 0
    shutil.rmtree("out", ignore_errors=True)
    assert main(words) == 0
    output = Path(words[words.index("-o") + 1])
    assert output.is_file() or any(path.is_file() for path in output.iterdir())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_that_needs_data_says_where_it_comes_from(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "../shared" not in text
    if "$DATA" in text and page.name != "data.md":
        assert re.search(r"\bdata\.md\b", text), f"{page.name} uses $DATA and does not name docs/data.md"
