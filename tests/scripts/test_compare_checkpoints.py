"""scripts/compare_checkpoints.py: means over margins, with a transcriber that depends on the margin."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from scripts.compare_checkpoints import MIXES, electronic_figures, real_figures, table
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from tokenizer.midi import write_midi

KICK, TOM = CLASS_INDEX["kick"], CLASS_INDEX["tom1_head"]
PLAYED = [Hit(0.5 * index + 0.5, KICK, 40 + 5 * index) for index in range(8)]


class Heard:
    """Hears every kick; at margin 0.75 s half of them, the loudest as the softest; a tom in stems."""

    def __init__(self, margin: float) -> None:
        self.margin = margin

    def transcribe_file(self, path: Path) -> Any:
        hits = list(PLAYED)
        if self.margin == 0.75:
            hits = [Hit(hit.time, KICK, 100 - hit.velocity) for hit in PLAYED[::2]]
        if path.parent.name == "melodic":
            hits = [Hit(1.0, TOM, 90)]
        return SimpleNamespace(hits=tuple(hits), seconds=30.0)


def write_silence(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(100), 44_100)


def test_figures_of_mdb_are_means_over_margins(tmp_path: Path) -> None:
    text = "".join(f"{hit.time} KD\n" for hit in PLAYED)
    (tmp_path / "annotations" / "class").mkdir(parents=True)
    (tmp_path / "annotations" / "class" / "MusicDelta_Rock_class.txt").write_text(text)
    (tmp_path / "annotations" / "midi_reannotated").mkdir()
    write_midi(PLAYED, tmp_path / "annotations" / "midi_reannotated" / "MusicDelta_Rock_Drum.mid")
    for mix, name in zip(MIXES, ("Drum", "PSEUDO", "MIX"), strict=True):
        write_silence(tmp_path / "audio" / mix / f"MusicDelta_Rock_{name}.flac")
    found = dict(real_figures(Heard, tmp_path, (0.5, 0.75)))  # type: ignore[arg-type]
    assert found["drums only: micro F"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["... margin 0.5 s"] == 1.0 and found["... margin 0.75 s"] == pytest.approx(2 / 3)
    assert found["drums only: rank correlation of velocities"] == 1.0  # four pairs are too few at the other


def test_the_electronic_song(tmp_path: Path) -> None:
    for name in ("melodic", "mix"):
        write_silence(tmp_path / name / "xenon.flac")
    (tmp_path / "ref").mkdir()
    (tmp_path / "ref" / "xenon.txt").write_text("0.5 KD\n9.0 HH\n")
    found = dict(electronic_figures(Heard, tmp_path, 0.5))  # type: ignore[arg-type]
    assert found["electronic song, melodic stems: invented hits a minute"] == 2.0
    assert found["electronic song: F of kick"] == pytest.approx(2 / 9)
    assert found["electronic song: F of hi-hat"] == 0.0


def test_the_table_has_a_column_a_checkpoint() -> None:
    text = table(
        {"old": {"micro F": 0.5, "hits a minute": 3.0}, "new": {"micro F": 0.75, "hits a minute": 1.25}}
    )
    assert text.splitlines()[0] == "| figure | old | new |"
    assert "| micro F | 0.500 | 0.750 |" in text and "| hits a minute | 3.0 | 1.2 |" in text
