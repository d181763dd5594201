"""Recordings in tar files, from commands and from lists; results in tar files."""

from __future__ import annotations

import errno
import io
import itertools
import json
import os
import shlex
import signal
import tarfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mt3drum.batch import sinks
from mt3drum.batch.inputs import Task, brace_patterns, plan, read_list
from mt3drum.batch.tars import open_tars
from mt3drum.cli.main import main
from tests.mt3drum.batch.test_ledger import command, ledger_lines, merged, start_ranks
from tests.processes import kill, recordings, start, tiny_checkpoint, transcribe, wait


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def statuses(folder: Path) -> dict[str, str]:
    return {record["source"]: record["status"] for record in merged(folder)}


def members_of(folder: Path) -> dict[str, bytes]:
    """Of all tar files of results; none may be there twice."""
    found: dict[str, bytes] = {}
    for path in sinks.shards_in(folder):
        with tarfile.open(path) as tar:
            for member in tar:
                content = tar.extractfile(member)
                assert content is not None
                if member.name != sinks.INDEX:
                    assert member.name not in found, member.name
                    found[member.name] = content.read()
    return found


def test_recordings_in_tar_files(tmp_path: Path, checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    paths = recordings(tmp_path / "in", 2, 0.2)
    members = {
        "a/one.wav": paths[0].read_bytes(),
        "a/one.band.flac": b"",
        "a/one.json": b"{}",
        "two.wav": paths[1].read_bytes(),
        "../out.wav": paths[0].read_bytes(),
        "/abs.wav": b"",
        "bad.flac": b"fLaC",
    }
    for number in range(2):
        with tarfile.open(tmp_path / f"s-{number}.tar", "w") as tar:
            for name, content in members.items() if number == 0 else ():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    arguments = command(tmp_path, checkpoint, str(tmp_path / "s-{0..1}.tar"), "--format=json")
    assert main(["transcribe", *arguments]) == 1
    said = capsys.readouterr().err
    assert "'../out.wav' leads out of the folder" in said and "'/abs.wav' leads out" in said
    assert f"{tmp_path}/s-1.tar: no recording in it" in said
    assert f"error: {tmp_path}/s-0.tar/bad.flac: " in said and "2 transcribed, 4 failed" in said
    files = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert files == ["s-0/a/one.json", "s-0/two.json"]
    assert json.loads((tmp_path / "out" / "s-0/two.json").read_text())["source"] == "two.wav"
    assert [(r["source"].removeprefix(f"{tmp_path}/"), r["status"]) for r in merged(tmp_path / "ledger")] == [
        ("s-0.tar/../out.wav", "failed"),
        ("s-0.tar//abs.wav", "failed"),
        ("s-1.tar", "failed"),
        ("s-0.tar/a/one.wav", "done"),
        ("s-0.tar/two.wav", "done"),
        ("s-0.tar/bad.flac", "failed"),
    ]


def test_a_broken_tar_file_gives_what_came_before(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"no tar file" * 100)
    opened = open_tars([Task(tmp_path / "a.tar", tmp_path / "a")])
    assert opened.tasks == [] and "a.tar: not a whole tar file" in opened.problems[0].reason


def test_braces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x{1..2}").touch()
    assert brace_patterns(["a-{08..10}.tar", "x{1..2}", "b"]) == [
        "a-08.tar",
        "a-09.tar",
        "a-10.tar",
        "x{1..2}",
        "b",
    ]
    assert brace_patterns(["{0..1}-{3..4}"]) == ["0-3", "0-4", "1-3", "1-4"]
    assert brace_patterns(["{a,b}.wav", "a{b", "pipe:awk '{print}' x-{0..1}"]) == [
        "a.wav",
        "b.wav",
        "a{b",
        "pipe:awk '{print}' x-0",
        "pipe:awk '{print}' x-1",
    ]


def test_what_is_listed_keeps_its_place(tmp_path: Path) -> None:
    for name in ("a/x.wav", "a/b/x.wav", "c/x.wav", "c/x.mp3"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    listed = [str(tmp_path / name) for name in ("a", "c/x.wav", "c/x.mp3", "a/[x].wav")]
    tasks, problems = plan((), Path("o"), listed)
    assert [(str(t.source.relative_to(tmp_path)), str(t.target)) for t in tasks] == [
        ("a/b/x.wav", "o/a/b/x"),
        ("a/x.wav", "o/a/x"),
        ("c/x.wav", "o/c/x.wav"),
        ("c/x.mp3", "o/c/x.mp3"),
        ("a/[x].wav", "o/a/[x]"),
    ]
    assert problems == []
    ((task,), _) = plan((), Path("o"), listed[1:2])
    assert task.target == Path("o/x")


def test_a_folder_that_vanishes_is_named_and_the_rest_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As guided fuzzing found: one that was deleted while it was searched ended the run."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.wav").touch()
    scandir = os.scandir

    def gone(path: str) -> Any:
        if str(path).endswith("/a"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", gone)
    tasks, (problem,) = plan([str(tmp_path)], Path("o"))
    assert [task.source for task in tasks] == [tmp_path / "b" / "x.wav"]
    assert problem.source == str(tmp_path / "a") and problem.reason.startswith(f"{tmp_path}: ")


def test_a_list_is_taken_line_by_line(
    tmp_path: Path, checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = recordings(tmp_path / "in", 2, 0.2)
    odd = paths[1].rename(tmp_path / "in" / os.fsdecode(b"\xff {0..1} *.wav"))
    listed = tmp_path / "list.txt"
    listed.write_bytes(b"\n".join(os.fsencode(p) for p in (paths[0], odd, "x" * 5000 + ".wav")) + b"\r\n\n")
    arguments = [*command(tmp_path, checkpoint, "--list", str(listed)), "--format", "csv"]
    assert main(["transcribe", *arguments]) == 1
    assert "1 failed" in (said := capsys.readouterr().err) and "too long" in said
    assert [r["status"] for r in merged(tmp_path / "ledger")] == ["done", "done", "failed"]
    assert main(["transcribe", "-o", str(tmp_path)]) == 2
    assert "nothing to transcribe" in capsys.readouterr().err


@pytest.mark.parametrize(("line", "message"), [("pipe:touch owned", "line 2: pipe: runs"), ("a\0", "zero")])
def test_a_list_runs_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list").write_text(f"a.wav\n{line}\n")
    with pytest.raises(ValueError, match=f"list: .*{message}"):
        read_list(Path("list"))
    assert main(["transcribe", "--list", "list"]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not Path("owned").exists()


def test_a_file_whose_name_is_a_command_runs_nothing(tmp_path: Path, checkpoint: str) -> None:
    """Found in a folder or by a pattern, and as the name of a tar file's member."""
    (path,) = recordings(tmp_path / "in", 1, 0.2)
    name = "pipe:touch owned.wav"
    write_tar(tmp_path / "in" / "x.tar", {name: path.read_bytes()})
    path.rename(path.with_name(name))
    inputs = [str(tmp_path / "in"), str(tmp_path / "in" / "x.tar"), str(tmp_path / "in" / "p*")]
    assert main(["transcribe", *command(tmp_path, checkpoint, *inputs)]) == 0
    assert not list(tmp_path.rglob("owned*")) and not Path("owned.wav").exists()


def test_commands_are_shared_as_a_whole_and_run_again_only_for_what_failed(
    tmp_path: Path, checkpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = recordings(tmp_path / "in", 4, 0.2)
    for number in range(2):
        members = {f"{p.stem}.wav": p.read_bytes() for p in paths[2 * number : 2 * number + 2]}
        write_tar(tmp_path / f"p-{number}.tar", members)
    log, folder = shlex.quote(str(tmp_path / "log")), shlex.quote(str(tmp_path))
    url = f"pipe:echo >> {log}; cat {folder}/p-{{0..2}}.tar"
    arguments = ["transcribe", *command(tmp_path, checkpoint, url)]
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", "2")
        assert main(arguments) == 0
    assert "p-2.tar: the command exited with 1; what came before was used" in capsys.readouterr().err
    expected = {f"pipe:p-{n // 2}.tar/{n:02d}.wav": "done" for n in range(4)}
    expected |= {"pipe:p-0.tar": "done", "pipe:p-1.tar": "done", "pipe:p-2.tar": "failed"}
    assert statuses(tmp_path / "ledger") == expected
    assert {r["source"]: r["rank"] for r in ledger_lines(tmp_path / "ledger")}["pipe:p-1.tar/02.wav"] == 1
    written = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.mid")}
    assert written == {"p-0/00.mid", "p-0/01.mid", "p-1/02.mid", "p-1/03.mid"}
    assert (tmp_path / "log").read_text().count("\n") == 3
    monkeypatch.delenv("WORLD_SIZE")
    monkeypatch.delenv("RANK")
    (tmp_path / "p-2.tar").write_bytes((tmp_path / "p-0.tar").read_bytes())
    assert main(arguments) == 0
    assert (tmp_path / "log").read_text().count("\n") == 4  # the third alone
    assert set(statuses(tmp_path / "ledger").values()) == {"done"}


def test_what_a_broken_command_gave_is_used(tmp_path: Path, checkpoint: str) -> None:
    (path,) = recordings(tmp_path / "in", 1, 0.2)
    tar = write_tar(tmp_path / "a.tar", {"one.wav": path.read_bytes(), "two.wav": path.read_bytes()})
    url = f"pipe:head -c {path.stat().st_size + 1500} {shlex.quote(str(tar))}; exit 3"
    assert main(["transcribe", *command(tmp_path, checkpoint, url)]) == 1
    assert statuses(tmp_path / "ledger")["pipe:a.tar/one.wav"] == "done"
    assert statuses(tmp_path / "ledger")["pipe:a.tar"] == "failed"
    for other in (f"pipe:cat {tmp_path}/b/a.tar", str(tar)):
        assert main(["transcribe", *command(tmp_path, checkpoint, url, other)]) == 2  # one name for two


def test_results_in_tar_files_are_those_in_files(tmp_path: Path, checkpoint: str) -> None:
    paths = recordings(tmp_path / "in", 5, 0.2)
    write_tar(tmp_path / "in.tar", {f"a/{p.name}": p.read_bytes() for p in paths})
    inputs = [str(tmp_path / "in"), f"pipe:cat {shlex.quote(str(tmp_path / 'in.tar'))}", "--format=midi,json"]
    assert main(["transcribe", *inputs, "-o", str(tmp_path / "files"), "--checkpoint", checkpoint]) == 0
    arguments = command(tmp_path, checkpoint, *inputs, "--output-shards", "4")
    assert main(["transcribe", *arguments]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"results-00000-{number:06d}.tar" for number in range(3)
    ]
    files = {
        str(p.relative_to(tmp_path / "files")): p.read_bytes()
        for p in (tmp_path / "files").rglob("*")
        if p.is_file()
    }
    assert members_of(tmp_path / "out") == files and len(files) == 20
    assert set(statuses(tmp_path / "ledger").values()) == {"done"}
    import webdataset

    samples = list(
        webdataset.WebDataset(str(tmp_path / "out" / "results-00000-000000.tar"), shardshuffle=False)
    )
    assert [sorted(key for key in sample if key[0] != "_") for sample in samples] == [["json", "mid"]] * 4
    (tmp_path / "out" / "results-00000-000001.tar").unlink()
    assert main(["transcribe", *arguments]) == 0  # what was in it is made again, and nothing else
    assert members_of(tmp_path / "out") == files


def test_a_disk_that_is_full_costs_one_tar_file(
    tmp_path: Path, checkpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings(tmp_path / "in", 5, 0.2)
    add, calls = sinks._add, itertools.count()

    def full(tar: tarfile.TarFile, name: str, content: bytes) -> None:
        if next(calls) == 4:  # in the second
            raise OSError(errno.ENOSPC, "No space left on device")
        add(tar, name, content)

    monkeypatch.setattr(sinks, "_add", full)
    arguments = command(tmp_path, checkpoint, str(tmp_path / "in"), "--output-shards", "2")
    assert main(["transcribe", *arguments]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all("cannot write the result: [Errno 28]" in line for line in lines[:2])
    assert sorted(members_of(tmp_path / "out")) == ["00.mid", "01.mid", "04.mid"]
    assert not list((tmp_path / "out").glob(".*"))
    assert main(["transcribe", *arguments]) == 0
    assert sorted(members_of(tmp_path / "out")) == [f"{n:02d}.mid" for n in range(5)]


def killed_after_a_link(*arguments: str) -> int:
    """The command, killed as soon as a tar file of results has its name."""
    link = os.link

    def last(source: Path, target: Path) -> None:
        link(source, target)
        os.kill(os.getpid(), signal.SIGKILL)

    os.link = last  # type: ignore[assignment]
    return transcribe(*arguments)


def test_killed_between_tar_file_and_ledger(tmp_path: Path, checkpoint: str) -> None:
    """The tar file is complete and counts; another number of ranks may go on."""
    recordings(tmp_path / "in", 5, 0.2)
    arguments = command(tmp_path, checkpoint, str(tmp_path / "in"), "--output-shards", "2")
    assert wait(start(killed_after_a_link, tmp_path / "said", *arguments)) == -signal.SIGKILL
    assert sorted(members_of(tmp_path / "out")) == ["00.mid", "01.mid"] and not ledger_lines(
        tmp_path / "ledger"
    )
    ranks = start_ranks(arguments, tmp_path)
    assert [wait(rank) for rank in ranks] == [0, 0]
    assert sorted(members_of(tmp_path / "out")) == [f"{n:02d}.mid" for n in range(5)]
    done = Counter(line["source"] for line in ledger_lines(tmp_path / "ledger"))
    assert len(done) == 5 and set(done.values()) == {1}


def test_tar_files_of_results_under_random_kills(tmp_path: Path, checkpoint: str) -> None:
    recordings(tmp_path / "in", 9, 0.3)
    arguments = command(tmp_path, checkpoint, str(tmp_path / "in"), "--output-shards", "2")
    for patience in (0.3, 0.9, None):
        ranks = start_ranks(arguments, tmp_path)
        if patience is not None:
            time.sleep(patience)
            kill(ranks[0])
        codes = [wait(rank) for rank in ranks]
        assert codes[1] == 0 and codes[0] in (0, -signal.SIGKILL), (tmp_path / "said1").read_text()
    assert sorted(members_of(tmp_path / "out")) == [f"{n:02d}.mid" for n in range(9)]
    assert set(statuses(tmp_path / "ledger").values()) == {"done"}
