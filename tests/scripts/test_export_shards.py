"""Clips as files: a clip with a band is exported as the mix of both, at the level asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data.clips.clip import Clip
from data.dsp.levels import active_level
from data.shards.write import make_shards
from scripts.export_shards import main
from tests.small_runs import BeepShards


@dataclass(frozen=True)
class WithBands(BeepShards):
    """The second clip of every shard has a band: a quiet 40 Hz tone."""

    def clips(self, shard: int) -> Iterator[Clip]:
        first, second = super().clips(shard)
        yield replace(first, style="funk")
        time = np.arange(len(second.audio)) / 44_100
        yield replace(second, band=(0.01 * np.sin(2 * np.pi * 40 * time)).astype(np.float32))


def read(path: Path) -> np.ndarray:
    audio, rate = soundfile.read(path, dtype="float32")
    assert rate == 44_100
    return audio


@pytest.mark.parametrize("level", [0.0, -12.0])
def test_bands_are_mixed_in_at_the_level_asked_for(tmp_path: Path, level: float) -> None:
    maker = WithBands("test", shards=1, per_shard=2, seconds=1.0)
    make_shards(tmp_path / "shards", maker)
    out = tmp_path / "files"
    options = ["--shards", str(tmp_path / "shards"), "--output", str(out), "--band-level", str(level)]
    assert main(options) == 0
    assert json.loads((tmp_path / "files-styles.json").read_text()) == {"test-000000-0000": "funk"}
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        "test-000000-0000.flac",
        "test-000000-0000.mid",
        "test-000000-0001_band.flac",
        "test-000000-0001_band.mid",
    ]
    alone, drums = (clip.audio for clip in maker.clips(0))
    np.testing.assert_allclose(read(out / names[0]), alone, atol=1e-4)
    mixed = read(out / names[2]).astype(np.float64)
    share = np.linalg.lstsq(np.stack([drums, np.sin(2 * np.pi * 40 * np.arange(44_100) / 44_100)], 1), mixed)[
        0
    ]
    heard = active_level((share[1] * np.sin(2 * np.pi * 40 * np.arange(44_100) / 44_100)).astype(np.float32))
    ratio = 20 * np.log10(heard / active_level((share[0] * drums).astype(np.float32)))
    assert ratio == pytest.approx(level, abs=0.1)
