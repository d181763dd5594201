"""Mutation test of pure modules: small bugs, one at a time, and whether the tests see them.

    python scripts/mutate.py mt3drum/rhythm --tests tests/mt3drum/rhythm --sample 40 --seed 20

mutmut 3 imports the code once and forks for each mutant, so that what runs at import (tables of drums, label
maps, grooves) is never mutated; cosmic-ray starts an interpreter for each, which with torch takes longer than
the tests. Here each mutant gets a fork of a process that holds the libraries and none of our modules. It all
happens in a copy of the checkout.
"""

from __future__ import annotations

import argparse
import ast
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("tokenizer", "mt3drum", "data", "eval", "train", "scripts", "tests")
PATIENCE = 4.0
"""A mutant that takes so many times as long as all tests hangs: it is seen."""
EXAMPLES = 20
"""Of each property that hypothesis tries; in the test suite a hundred."""
_COMPARE = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
_BINARY = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "/",
    ast.Mod: "*",
    ast.Pow: "*",
    ast.BitAnd: "|",
    ast.BitOr: "&",
}
_SKIPPED = (ast.Raise, ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom)
"""What messages and imports say is no calculation."""


@dataclass(frozen=True, order=True)
class Mutant:
    """One changed expression."""

    path: str
    line: int
    column: int
    end: tuple[int, int]
    text: str
    """What stands there instead."""


def mutants(path: Path, name: str) -> list[Mutant]:
    """Every mutant of one module, in the order of its text."""
    source = path.read_text(encoding="utf-8")
    found = [
        Mutant(name, node.lineno, node.col_offset, (node.end_lineno or 0, node.end_col_offset or 0), text)
        for node, text in _changes(ast.parse(source), source)
    ]
    return sorted(found)


def _changes(node: ast.AST, source: str) -> Iterator[tuple[ast.expr, str]]:
    """Expressions below a node and what could stand instead. Not in annotations, docstrings and messages."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, _SKIPPED):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):  # a docstring
                continue
            if isinstance(child, ast.Assign) and ast.unparse(child.targets[0]) == "__all__":
                continue
            if isinstance(child, ast.Subscript) and ast.unparse(child.value) in ("Literal", "Mapping"):
                continue
            if isinstance(child, ast.expr) and (text := _changed(child, source)):
                yield child, text
            yield from _changes(child, source)


def _changed(node: ast.expr, source: str) -> str:
    """Another expression in place of this one; "" where none is tried."""

    def text(part: ast.expr) -> str:
        return f"({ast.get_source_segment(source, part)})"

    match node:
        case ast.Compare(ops=[operator]):
            return f"{text(node.left)} {_COMPARE[type(operator)]} {text(node.comparators[0])}"
        case ast.BinOp() if type(node.op) in _BINARY:
            return f"({text(node.left)} {_BINARY[type(node.op)]} {text(node.right)})"
        case ast.BoolOp():
            word = "or" if isinstance(node.op, ast.And) else "and"
            return "(" + f" {word} ".join(map(text, node.values)) + ")"
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            return text(node.operand)
        case ast.IfExp():
            return f"({text(node.orelse)} if {text(node.test)} else {text(node.body)})"
        case ast.Constant(value=bool()):
            return str(not node.value)
        case ast.Constant(value=int() | float()):
            return f"({node.value!r} + 1)"
        case ast.Constant(value=str() as word) if word:
            return repr("XX" + word)
    return ""


def applied(source: str, mutant: Mutant) -> str:
    """The module with the mutant in it."""
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    last, stop = mutant.end
    tail = lines[last - 1][stop:]
    lines[mutant.line - 1 : last] = [lines[mutant.line - 1][: mutant.column] + mutant.text.encode() + tail]
    return b"".join(lines).decode()


def run_tests(copy: str, tests: Sequence[str], loaded: str) -> None:
    """Child process: exit with pytest's status, our modules being those of the copy.

    Args:
        loaded: file for the names of the libraries that the tests load; "": none, and nothing is said.
    """
    os.chdir(copy)
    os.environ["PYTHONPATH"] = copy
    if not loaded:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
    status = int(
        pytest.main(
            ["-q", "-x", "-p", "no:cacheprovider", "-o", f"pythonpath={copy}", "-m", "not slow", *tests]
        )
    )
    if loaded:
        names = [name for name in sys.modules if name.split(".")[0] not in (*OURS, "__main__", "__mp_main__")]
        Path(loaded).write_text(json.dumps(names), encoding="utf-8")
    os._exit(status)


def status(context: Any, copy: Path, tests: Sequence[str], seconds: float, loaded: str = "") -> int:
    """Pytest's, 1 where it takes longer than `seconds`."""
    child = context.Process(target=run_tests, args=(str(copy), tests, loaded))
    child.start()
    child.join(seconds)
    if child.is_alive():
        child.kill()
        child.join()
    return abs(child.exitcode)


def main() -> int:
    """Run; 1 where fewer are seen than `--least`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("code", nargs="+", help="modules or folders of modules")
    parser.add_argument("--tests", nargs="+", required=True, help="test files or folders")
    parser.add_argument("--sample", type=int, default=40, help="mutants, drawn from all (default: 40)")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--only", help="file of lines as they are printed: the survivors of another run")
    parser.add_argument("--least", type=float, default=0.85, help="share to be seen (default: 0.85)")
    args = parser.parse_args()
    files = [file for name in args.code for file in (sorted((ROOT / name).rglob("*.py")) or [ROOT / name])]
    everything = [m for file in files for m in mutants(file, file.relative_to(ROOT).as_posix())]
    drawn = sorted(random.Random(args.seed).sample(everything, min(args.sample, len(everything))))
    if args.only:
        wanted = Path(args.only).read_text(encoding="utf-8")
        drawn = [mutant for mutant in drawn if line_of(mutant) in wanted]
    with tempfile.TemporaryDirectory() as folder:
        copy, loaded = Path(folder) / "checkout", Path(folder) / "loaded.json"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", "__pycache__", "runs", "datasets"))
        few = copy / "tests" / "conftest.py"
        few.write_text(few.read_text().replace("deadline=None", f"deadline=None, max_examples={EXAMPLES}"))
        start = time.monotonic()
        if status(multiprocessing.get_context("spawn"), copy, args.tests, 3600, str(loaded)):
            print("error: the tests fail without any mutant", file=sys.stderr)
            return 1
        seconds = max(60.0, PATIENCE * (time.monotonic() - start))
        context = libraries_held(Path(folder), loaded)
        survived = [mutant for mutant in drawn if not seen(context, copy, mutant, args.tests, seconds)]
    share = 1 - len(survived) / len(drawn)
    print(f"{len(drawn) - len(survived)} of {len(drawn)} ({share:.0%}) seen, of {len(everything)} mutants")
    return int(share < args.least)


def libraries_held(folder: Path, loaded: Path) -> Any:
    """A context whose processes are forks of one that holds what the tests load, but for our modules."""
    (folder / "held_libraries.py").write_text(
        "import contextlib, importlib, json\n"
        f"for name in json.load(open({str(loaded)!r})):\n"
        "    with contextlib.suppress(Exception): importlib.import_module(name)\n"
    )
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["held_libraries"])
    return context


def seen(context: Any, copy: Path, mutant: Mutant, tests: Sequence[str], seconds: float) -> bool:
    """Whether a test fails with the mutant in the copy; prints it if none does."""
    file = copy / mutant.path
    source = file.read_text(encoding="utf-8")
    try:
        file.write_text(applied(source, mutant), encoding="utf-8")
        failed = status(context, copy, tests, seconds) != 0
    finally:
        file.write_text(source, encoding="utf-8")
    print(("seen      " if failed else "survived  ") + line_of(mutant), flush=True)
    return failed


def line_of(mutant: Mutant) -> str:
    """`path:line:column text`."""
    return f"{mutant.path}:{mutant.line}:{mutant.column} {mutant.text}"


if __name__ == "__main__":
    sys.exit(main())
