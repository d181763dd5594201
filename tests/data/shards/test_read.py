"""Whole clips back from shards: what was written, in order, on any rank; damage stops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.shards.read import read_clips
from data.shards.write import make_shards, shard_paths
from mt3drum.config import SAMPLE_RATE
from tests.small_runs import BeepShards

MAKER = BeepShards("validation", shards=2, per_shard=2, seconds=1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_shards(tmp_path, MAKER)
    return tmp_path


def test_clips_come_back_in_order(folder: Path) -> None:
    written = [clip for shard in range(2) for clip in MAKER.clips(shard)]
    read = list(read_clips(folder))
    assert [clip.performance for clip in read] == ["0-0", "0-1", "1-0", "1-1"]
    assert len({clip.key for clip in read}) == 4
    for before, after in zip(written, read, strict=True):
        assert after.band is None
        assert after.audio.shape == (SAMPLE_RATE,) and after.audio.dtype == np.float32
        np.testing.assert_allclose(after.audio, before.audio, atol=1e-4)  # 16 bits, scaled by 32,767
        assert [(h.drum, h.velocity) for h in after.hits] == [(h.drum, h.velocity) for h in before.hits]
        np.testing.assert_allclose([h.time for h in after.hits], [h.time for h in before.hits], atol=1e-6)


def test_limit(folder: Path) -> None:
    assert [clip.performance for clip in read_clips(folder, 3)] == ["0-0", "0-1", "1-0"]
    assert list(read_clips(folder, 0)) == []


def test_every_rank_reads_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert len(list(read_clips(folder))) == 4


def test_missing_shard_stops(folder: Path) -> None:
    Path(shard_paths(folder)[1]).unlink()
    with pytest.raises(ValueError, match="1 shard missing"):
        list(read_clips(folder))


def test_truncated_shard_stops(folder: Path) -> None:
    path = Path(shard_paths(folder)[0])
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ValueError, match="1 shard broken"):
        list(read_clips(folder))


def test_damaged_sound_stops_and_names_the_sample(folder: Path) -> None:
    path = Path(shard_paths(folder)[1])
    content = path.read_bytes()
    path.write_bytes(content.replace(b"fLaC", b"XXXX", 1))
    clips = read_clips(folder)
    assert [next(clips).performance, next(clips).performance] == ["0-0", "0-1"]
    with pytest.raises(
        ValueError, match="validation-000001.tar: sample validation-000001-0000: flac corrupt"
    ):
        next(clips)


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no usable manifest"):
        list(read_clips(tmp_path))
