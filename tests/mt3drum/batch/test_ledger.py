"""Decoding by many processes: nothing twice, nothing lost, whoever is killed; recordings in tar files."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from mt3drum.batch.inputs import Task
from mt3drum.batch.ledger import Share, read_ledgers
from mt3drum.cli.main import main
from tests.processes import kill, recordings, start, tiny_checkpoint, transcribe, wait


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


def command(tmp_path: Path, checkpoint: str, *more: str) -> list[str]:
    options = [
        "-o",
        str(tmp_path / "out"),
        "--manifest",
        str(tmp_path / "ledger"),
        "--checkpoint",
        checkpoint,
    ]
    return [*map(str, more or (tmp_path / "in",)), *options, "--batch", "1", "--quiet"]


def ledger_lines(folder: Path) -> list[dict[str, Any]]:
    lines = [line for path in folder.glob("rank-*.jsonl") for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines if line.endswith("}")]


def merged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def start_ranks(arguments: list[str], tmp_path: Path) -> list[BaseProcess]:
    """Two ranks, as a launcher starts them; what they print goes to said0 and said1."""
    return [
        start(transcribe, tmp_path / f"said{rank}", *arguments, RANK=str(rank), WORLD_SIZE="2")
        for rank in range(2)
    ]


@pytest.mark.parametrize("seed", range(2))
def test_a_rank_killed_at_random_times_loses_nothing(tmp_path: Path, checkpoint: str, seed: int) -> None:
    rng = random.Random(seed)
    paths = recordings(tmp_path / "in", 11, 0.5)
    (tmp_path / "in" / "bad.wav").write_text("no recording")
    ledger, arguments = tmp_path / "ledger", command(tmp_path, checkpoint)
    for killing in (True, True, False):
        ranks = start_ranks(arguments, tmp_path)
        victim = rng.randrange(2)
        if killing:
            before, wanted = len(ledger_lines(ledger)), rng.randrange(4)
            deadline = time.monotonic() + 100
            while len(ledger_lines(ledger)) < before + wanted and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(rng.random() * 0.05)
            kill(ranks[victim])
        codes = [wait(rank) for rank in ranks]
        assert codes[1 - victim] == 0, (tmp_path / f"said{1 - victim}").read_text()
        assert codes[victim] in ((0, -signal.SIGKILL) if killing else (0,)), (
            tmp_path / f"said{victim}"
        ).read_text()
    done = Counter(line["source"] for line in ledger_lines(ledger) if line["status"] == "done")
    assert done == Counter(map(str, paths))
    records = merged(ledger)
    assert [record["source"] for record in records] == [*map(str, paths), str(tmp_path / "in" / "bad.wav")]
    assert records[-1]["status"] == "failed" and "bad.wav" in records[-1]["reason"]
    alone = [*map(str, paths), "-o", str(tmp_path / "alone"), "--checkpoint", checkpoint, "--quiet"]
    assert wait(start(transcribe, tmp_path / "said", *alone, "--batch", "1")) == 0
    assert sorted(p.name for p in (tmp_path / "out").glob("*.mid")) == [f"{n:02d}.mid" for n in range(11)]
    for path in (tmp_path / "alone").glob("*.mid"):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_ranks_share_every_list_once() -> None:
    tasks = [Task(Path(str(n)), Path(str(n))) for n in range(23)]
    for world in (1, 2, 3, 40):
        shares = [Share(rank, world).of(tasks) for rank in range(world)]
        assert sorted(int(str(t.source)) for share in shares for t in share) == list(range(23))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_torn_line_counts_for_nothing_and_results_that_are_gone_are_made_again(
    tmp_path: Path, checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = recordings(tmp_path / "in", 3, 0.2)
    arguments = ["transcribe", *command(tmp_path, checkpoint)]
    assert main(arguments) == 0
    file = tmp_path / "ledger" / "rank-00000.jsonl"
    file.write_bytes(file.read_bytes()[:-30])
    (tmp_path / "out" / "00.mid").unlink()
    assert {str(p): "done" for p in paths[:2]} == {
        k: v["status"] for k, v in read_ledgers(file.parent).items()
    }
    assert main([*arguments[:-1]]) == 0  # not --quiet
    assert "2 transcribed, 0 failed, 1 already there" in capsys.readouterr().err
    assert [record["status"] for record in merged(file.parent)] == ["done"] * 3


def test_what_failed_is_tried_again(tmp_path: Path, checkpoint: str) -> None:
    (path,) = recordings(tmp_path / "in", 1, 0.2)
    good = path.read_bytes()
    path.write_bytes(b"")
    arguments = ["transcribe", *command(tmp_path, checkpoint)]
    assert main(arguments) == 1
    assert [r["reason"] for r in merged(tmp_path / "ledger")] == [f"{path}: the file is empty"]
    path.write_bytes(good)
    assert main(arguments) == 0
    assert [r["status"] for r in merged(tmp_path / "ledger")] == ["done"]


def test_the_environment_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for rank, world, message in (
        ("2", "2", "not a valid rank and size"),
        ("x", "2", "are not a valid rank"),
        ("0", "2", "--manifest"),
    ):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", world)
        assert main(["transcribe", "a.wav", "-o", str(tmp_path)]) == 2
        assert message in capsys.readouterr().err
