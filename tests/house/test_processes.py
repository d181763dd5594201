"""No process starts as a fork of one that may hold locks or have threads, and a test that hangs fails."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tqdm import tqdm
from tqdm.std import TqdmDefaultWriteLock

from tests import ROOT
from tests.house.test_imports import PACKAGES, files
from tests.processes import start, wait


def inherited(report: Path) -> int:
    """What a process has from the one it was forked from."""
    threads = len(list(Path(f"/proc/{os.getppid()}/task").iterdir()))
    report.write_text(json.dumps([threads, hasattr(TqdmDefaultWriteLock, "mp_lock")]))
    return 7


def test_a_process_inherits_no_thread_and_no_lock(tmp_path: Path) -> None:
    stop = threading.Event()
    threading.Thread(target=stop.wait, daemon=True).start()
    with tqdm(total=1, disable=False, file=open(os.devnull, "w")), tqdm.get_lock():
        assert wait(start(inherited, tmp_path / "said", tmp_path / "report")) == 7
    stop.set()
    assert json.loads((tmp_path / "report").read_text()) == [1, False]


def forks(tree: ast.AST) -> list[int]:
    """Lines that fork this process: os.fork, and multiprocessing's "fork", which is its default on Linux."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            if name in ("os.fork", "os.forkpty", "multiprocessing.Process", "multiprocessing.Pool"):
                found.append(node.lineno)
        elif isinstance(node, ast.Constant) and node.value == "fork":
            found.append(node.lineno)
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "ProcessPoolExecutor" and "mp_context" not in {word.arg for word in node.keywords}:
                found.append(node.lineno)
    return found


def test_forks_are_found() -> None:
    for line in ("os.fork()", "multiprocessing.Pool(2)", "get_context('fork')", "ProcessPoolExecutor(2)"):
        assert forks(ast.parse(line)) == [1], line
    assert forks(ast.parse("ProcessPoolExecutor(2, mp_context=get_context('forkserver'))")) == []


def test_nothing_forks_itself() -> None:
    this = Path(__file__)
    paths = [path for package in (*PACKAGES, "tests") for path in files(package) if path != this]
    assert [f"{p}:{line}" for p in paths for line in forks(ast.parse(p.read_text(encoding="utf-8")))] == []


def test_a_test_that_hangs_fails_with_the_stack(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getini("timeout") and float(str(pytestconfig.getini("timeout"))) <= 600
    (tmp_path / "test_it.py").write_text("import time\ndef test_hangs():\n    time.sleep(100)\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "timeout=1",
        "test_it.py",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "time.sleep(100)" in done.stdout, done.stdout
    assert "Timeout" in done.stdout and str(ROOT) not in str(tmp_path)
