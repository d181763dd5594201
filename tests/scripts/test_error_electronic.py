"""The electronic song on docs/errors.md."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from mt3drum.config import SAMPLE_RATE
from scripts.pages.error_electronic import PICTURE, electronic_section
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit

KICK, HAT, TOM = (CLASS_INDEX[name] for name in ("kick", "hihat_closed", "tom1_head"))


class Inventive:
    """Hears a kick at 1 s wherever it listens, a tom in the stems, and the hats of the mix."""

    def transcribe_file(self, path: Path) -> Any:
        hits = [Hit(1.0, KICK, 90, 0.5)]
        if path.parent.name == "melodic":
            hits.append(Hit(2.0, TOM, 90, 0.25))
        else:
            hits += [Hit(0.5, HAT, 90, 0.9), Hit(1.5, HAT, 90, 0.9)]
        return SimpleNamespace(hits=tuple(sorted(hits)), seconds=30.0)


def write_song(folder: Path) -> Path:
    for name in ("melodic", "mix"):
        (folder / name).mkdir(parents=True)
        audio = np.random.default_rng(0).normal(0, 0.1, 4 * SAMPLE_RATE)
        soundfile.write(folder / name / "xenon.wav", audio, SAMPLE_RATE)
    (folder / "ref").mkdir()
    (folder / "ref" / "xenon.txt").write_text("0.5 HH\n2.5 KD\n")
    return folder


def test_what_is_invented_is_counted(tmp_path: Path) -> None:
    parts = electronic_section(Inventive(), write_song(tmp_path / "song"), tmp_path)  # type: ignore[arg-type]
    text = "\n".join(parts)
    assert "2 hits are invented, 4.0 a minute" in text
    assert "| kick | 2.0 | 0.50, 0.50, 0.50 |" in text and "| tom | 2.0 | 0.25, 0.25, 0.25 |" in text
    assert "| KD | 1 | 0 | 1 | 1 |" in text and "| HH | 1 | 1 | 1 | 0 |" in text
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_is_no_song_is_named(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song")
    (song / "ref" / "more.txt").write_text("")
    with pytest.raises(ValueError, match="ref: has 2 files, expected one"):
        electronic_section(Inventive(), song, tmp_path)  # type: ignore[arg-type]
