"""The callable for engines that map over tables, its Parquet files, and shares by `--task`."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("pyarrow", reason="the extra 'parquet' is not installed")
import pyarrow as pa

from mt3drum.batch import parquet, rows
from mt3drum.batch.ledger import Share
from mt3drum.batch.rows import COLUMNS, TranscribeRows
from mt3drum.cli import main
from mt3drum.result import Failure, Transcription
from mt3drum.transcriber import Transcriber
from tests.grooves import ROCK, played, steady
from tests.mt3drum.cli.test_results import hears

HITS = tuple(played(ROCK, 8, steady(118.0, 0.9), 4)[0])


class Heard:
    """Hears the groove in every recording but those called bad."""

    loaded = 0

    def transcribe_files(self, paths: Iterable[str]) -> Iterator[Transcription | Failure]:
        for path in paths:
            good = "bad" not in path
            yield Transcription(HITS, 18.0, Path(path)) if good else Failure(Path(path), f"{path}: no audio")


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, ...]]]:
    loads: list[tuple[Any, ...]] = []

    def load(*args: Any, **options: Any) -> Heard:
        loads.append((*args, options))
        return Heard()

    monkeypatch.setattr(Transcriber, "load", load)
    rows._transcriber.cache_clear()
    yield loads
    rows._transcriber.cache_clear()


def test_a_row_a_recording(heard: list[tuple[Any, ...]]) -> None:
    good, bad = TranscribeRows().rows(["a.wav", "bad.wav"])
    assert tuple(good) == tuple(bad) == COLUMNS
    assert (good["path"], good["status"], good["reason"], good["seconds"]) == ("a.wav", "done", None, 18.0)
    assert good["bpm"] == pytest.approx(118, abs=0.5) and good["meter"] == "4/4"
    assert len(good["time"]) == len(good["drum"]) == len(good["velocity"]) == len(HITS)
    assert good["time"] == [round(hit.time, 6) for hit in HITS]
    assert (bad["status"], bad["reason"], bad["time"]) == ("failed", "bad.wav: no audio", [])


def test_it_is_light_and_loads_once_a_process(heard: list[tuple[Any, ...]]) -> None:
    """Engines pickle it to every task; the weights do not travel."""
    work = TranscribeRows(decoding={"beam": 4}, device="cpu")
    data = pickle.dumps(work)
    assert len(data) < 500 and not heard
    for _ in range(3):
        assert len(list(pickle.loads(data).rows(["a.wav"]))) == 1
    assert heard == [(None, "cpu", 32, "auto", {"beam": 4})]


@pytest.mark.parametrize(
    "kind",
    [
        lambda paths: {"path": np.array(paths)},
        lambda paths: pd.DataFrame({"path": paths, "other": 1}),
        lambda paths: pa.table({"path": paths}),
    ],
    ids=["numpy", "pandas", "pyarrow"],
)
def test_batches_come_back_as_they_came(kind: Callable[[list[str]], Any]) -> None:
    batch = kind(["a.wav", "bad.wav", "c.wav"])
    (found,) = TranscribeRows().frames([batch])
    assert type(found) is type(batch)
    status = found["status"]
    assert (status.to_pylist() if hasattr(status, "to_pylist") else list(status)) == [
        "done",
        "failed",
        "done",
    ]
    assert len(found["time"][0]) == len(HITS)
    with pytest.raises(ValueError, match="no column 'file', only path"):
        TranscribeRows(column="file")(batch)


def test_parquet_read_back_by_pandas(tmp_path: Path) -> None:
    found = list(TranscribeRows().rows(["a.wav", "bad.wav"]))
    path = parquet.write_chunk(tmp_path, found)
    assert path == parquet.write_chunk(tmp_path, found)  # done twice, it is one file
    (file,) = tmp_path.iterdir()
    frame = pd.read_parquet(file)
    assert list(frame.columns) == list(COLUMNS) and list(frame["status"]) == ["done", "failed"]
    assert list(frame["drum"][0]) == found[0]["drum"] and list(frame["velocity"][0]) == found[0]["velocity"]
    assert list(frame["time"][0]) == found[0]["time"]
    assert parquet.done_paths(tmp_path) == {"a.wav"}  # what failed is tried again
    assert parquet.chunk_file(tmp_path, ["a", "bc"]) != parquet.chunk_file(tmp_path, ["ab", "c"])
    (tmp_path / "chunk-0.parquet").write_bytes(b"half")
    with pytest.raises(ValueError, match=r"chunk-0\.parquet: not a Parquet file"):
        parquet.done_paths(tmp_path)


# Slurm arrays


def test_shares_of_an_array_are_the_whole() -> None:
    items = list(range(23))
    shares = [Share.parse(f"{number}/5", ledger=True).of(items) for number in range(5)]
    assert sorted(item for share in shares for item in share) == items


@pytest.mark.parametrize("text", ["5/5", "-1/5", "1", "/", "1/0", "a/b", "1/2/3", "1.0/2"])
def test_what_is_no_task(text: str) -> None:
    with pytest.raises(ValueError, match="is not valid: use I/N"):
        Share.parse(text, ledger=True)


def test_tasks_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any order; a task that is run again does nothing; the last one merges the ledger."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RANK", "7")  # of another launcher: --task outweighs it
    heard = hears(monkeypatch, HITS)
    Path("in").mkdir()
    for number in range(5):
        Path(f"in/{number}.wav").write_bytes(b"%d" % number)
    command = ["transcribe", "in", "-o", "out", "--manifest", "ledger"]
    for task in ("2/3", "0/3", "2/3", "1/3"):
        assert main.main([*command, "--task", task]) == 0
    assert sorted(heard.read) == [b"0", b"1", b"2", b"3", b"4"]
    assert sorted(path.name for path in Path("out").iterdir()) == [f"{number}.mid" for number in range(5)]
    lines = Path("ledger/manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["done"] * 5
    capsys.readouterr()
    assert main.main(["transcribe", "in", "-o", "out", "--task", "0/3"]) == 2
    assert "--task 0/3 needs --manifest DIR" in capsys.readouterr().err
    shutil.rmtree("in")
