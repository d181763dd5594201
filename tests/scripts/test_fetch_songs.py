"""scripts/fetch_songs.py, without the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from data.band.stems import load_stems
from scripts import fetch_songs

RATE = 8_000


def write_tracks(folder: Path, guitar: float, others: float, samples: int = RATE) -> None:
    folder.mkdir(parents=True)
    soundfile.write(folder / "guitar.ogg", np.full((samples, 2), guitar), RATE)
    soundfile.write(folder / "song.ogg", np.full((samples, 2), others), RATE)


def test_guitars_become_stems_and_songs_are_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unpack(package: str, folder: Path) -> Path:
        write_tracks(folder / package / "songs" / f"Loud {package[-4:]}", 0.25, 0.25)
        return folder / package

    monkeypatch.setattr(fetch_songs, "unpack", unpack)
    assert fetch_songs.main(["-o", str(tmp_path / "songs")]) == 0
    stems, licences = load_stems(tmp_path / "songs" / fetch_songs.GUITARS)
    assert {stem.song for stem in stems} == {"loud-jord", "loud-toid"}
    assert "CC BY-SA 3.0" in licences[fetch_songs.GUITARS] and "MIT" in licences[fetch_songs.GUITARS]
    mix, _ = soundfile.read(tmp_path / "songs" / fetch_songs.SONGS / "loud-jord.flac")
    assert mix[1000:-1000].mean() == pytest.approx(0.5, abs=0.02)


def test_tracks_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    write_tracks(tmp_path / "song", 0.1, 0.1)
    soundfile.write(tmp_path / "song" / "song.ogg", np.zeros(3 * RATE), RATE)
    with pytest.raises(ValueError, match="differ in rate or length"):
        fetch_songs.write_song(tmp_path / "song", tmp_path)


def test_a_missing_package_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fetch_songs.main(["-o", str(tmp_path / "songs")]) == 1
    assert "needs a Debian system" in capsys.readouterr().err
