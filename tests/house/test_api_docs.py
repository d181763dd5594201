"""The blocks of docs/api.md run, one after the other, with the bundled model on a rendered groove."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from mt3drum.formats.wav import to_wav
from mt3drum.result import Transcription
from tests import ROOT
from tests.grooves import ROCK, played, steady
from tokenizer.drums import DRUMS

PAGE = ROOT / "docs" / "api.md"


@pytest.mark.filterwarnings("ignore")
def test_every_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hits, _ = played(ROCK, 2, steady(120.0, 0.3), 4)
    sound = to_wav(hits[:-2], 4.5, None)[: 44 + 2 * 44_100 * 5]
    (tmp_path / "album").mkdir()
    (tmp_path / "song.wav").write_bytes(sound)
    (tmp_path / "album" / "a.wav").write_bytes(sound)
    (tmp_path / "album" / "b.wav").write_bytes(b"no sound")
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on a busy machine threads that wait for one another cost more than they bring
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 9
    names: dict[str, Any] = {}
    try:
        for block in blocks:
            exec(compile(block, str(PAGE), "exec"), names)
    finally:
        torch.set_num_threads(threads)

    result: Transcription = names["result"]
    heard = Counter(DRUMS[hit.drum].family for hit in result.hits)
    assert heard["kick"] and heard["snare"] and heard["hihat"]
    assert names["grid"] is not None
    assert names["grid"].bpm == pytest.approx(120, rel=0.02)
    assert names["counts"].sum() == len(result.hits) == len(names["sequence"].notes)
    assert len(names["pretty"].instruments[0].notes) == len(names["sequence"].notes)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a.mid",
        "song.csv",
        "song.json",
        "song.mid",
        "tight.mid",
    ]


def test_arrays_and_records_hold_every_hit() -> None:
    hits, _ = played(ROCK, 2, steady(120.0), 4)
    result = Transcription(tuple(hits), 4.0)
    arrays = result.to_arrays()
    assert [str(array.dtype) for array in arrays.values()] == ["float64", "int64", "int64", "float64"]
    rows = zip(*(array.tolist() for array in arrays.values()), strict=True)
    assert list(rows) == [(hit.time, hit.drum, hit.velocity, hit.confidence) for hit in hits]
    assert [DRUMS[hit.drum].name for hit in hits] == [record["drum"] for record in result.to_records()]
    empty = Transcription((), 1.0)
    assert {len(array) for array in empty.to_arrays().values()} == {0}
    assert empty.to_records() == []
    assert empty.beats() is None
    assert empty.score() is None
    assert not empty.to_note_sequence().notes
