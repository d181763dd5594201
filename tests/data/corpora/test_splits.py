"""Recordings divided into splits by their names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from data.corpora.recording import SPLITS, Recording, split_by_name
from scripts.make_shards import main, parse_args


def recording(name: str) -> Recording:
    return Recording(name, None, (), "train", "mine", name, "", "unknown")


SHARES = (0.7, 0.15, 0.15)


def test_shares_are_about_kept_and_more_recordings_move_none() -> None:
    songs = [
        recording(f"song {word}")
        for word in map(str, [chr(97 + i // 26) + chr(97 + i % 26) for i in range(600)])
    ]
    found = split_by_name(songs, SHARES)
    count = Counter(one.split for one in found)
    assert abs(count["train"] - 420) < 40 and abs(count["test"] - 90) < 30 and set(count) == set(SPLITS)
    assert split_by_name(songs[:50], SHARES) == found[:50]
    assert {one.split for one in split_by_name(songs, (0.0, 0.0, 1.0))} == {"test"}


@pytest.mark.parametrize(
    "takes", [("a/song-1", "a/song-2"), ("x take 1", "x Take 12"), ("y (1)", "y (2)"), ("z", "z_03")]
)
def test_takes_of_one_song_stay_together(takes: tuple[str, str]) -> None:
    for shares in (SHARES, (0.5, 0.5, 0.0), (0.3, 0.3, 0.4)):
        one, other = split_by_name([recording(name) for name in takes], shares)
        assert one.split == other.split


def test_the_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--output", str(tmp_path), "--corpus", "folder", "--root", str(tmp_path)]
    assert parse_args([*given, "--split-shares", "70,15,15"]).split_shares == pytest.approx(SHARES)
    for wrong in ("70,30", "a,b,c", "-1,1,1", "0,0,0"):
        with pytest.raises(SystemExit):
            parse_args([*given, f"--split-shares={wrong}"])
    with pytest.raises(SystemExit):
        parse_args(["--output", "x", "--corpus", "egmd", "--root", "y", "--split-shares", "70,15,15"])
    assert main([*given, "--split-shares", "70,15,15"]) == 1
    assert "found no audio files" in capsys.readouterr().err
