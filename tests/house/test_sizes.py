"""How long files and functions may be; longer ones have their reason here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from tests import ROOT
from tests.house.test_imports import PACKAGES, files

LINES, FUNCTION_LINES = 300, 60
LONG_FILES = {
    "data/band/sequences.py": (360, "settings of one kind of band, and the kind"),
    "data/shards/write.py": (330, "writing and resuming a set of shards share its record"),
    "eval/inputs/annotations.py": (320, "one reader a format, and the one error they share"),
    "eval/report/tables.py": (330, "one function a table of the report"),
    "mt3drum/formats/write.py": (320, "one writer a format"),
    "mt3drum/rhythm/grooves.py": (410, "most of it is the table of grooves"),
    "mt3drum/rhythm/patterns.py": (310, "most of it is the table of what drummers play where"),
    "mt3drum/web/openapi.py": (320, "one schema or path after another"),
    "tests/mt3drum/formats/test_write.py": (310, "one test a format and a fault in writing it"),
    "mt3drum/web/jobs.py": (350, "one queue and the bounds on it"),
    "scripts/fuzzing/targets.py": (340, "one entry a reader of untrusted bytes"),
    "scripts/model_card.py": (360, "a third is the text of the card"),
    "tests/data/shards/test_write.py": (
        420,
        "one subject: sets that are whole, broken, killed, recorded",
    ),
    "tests/data/test_loader.py": (360, "one subject: the loader's guarantees over ranks and workers"),
    "tests/mt3drum/audio/test_awkward.py": (360, "a table of awkward recordings"),
    "tests/mt3drum/audio/test_recording.py": (440, "one case a kind of file and of damage"),
    "tests/mt3drum/batch/test_tars.py": (340, "one subject: tar files in and out, over ranks and kills"),
    "tests/mt3drum/cli/test_results.py": (360, "one case a place where results go"),
    "tests/mt3drum/decode/test_beam_search.py": (320, "one subject, beside a table of options"),
    "tests/mt3drum/decode/test_enrolment.py": (350, "the kit it enrols is built in it"),
    "tests/mt3drum/formats/test_musicxml.py": (380, "one subject: what music21 reads back"),
    "tests/mt3drum/test_transcriber.py": (320, "one rung of the ladder after another"),
    "tests/mt3drum/web/test_app.py": (370, "one route after another"),
    "tests/mt3drum/web/test_keeping.py": (350, "one subject: what serve keeps through kills and restarts"),
}
"""File -> most lines, and why it is not split."""
LONG_FUNCTIONS = {
    "eval/evaluate.py:evaluate": (100, "one figure after another of one report, no branch"),
    "scripts/make_figures.py:draw": (70, "one panel of a figure after another"),
    "mt3drum/web/app.py:make_app": (80, "the routes share what they close over"),
}
"""File and function -> most lines, and why it is not split."""


def paths() -> Iterator[Path]:
    return chain.from_iterable(files(package) for package in (*PACKAGES, "tests"))


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Name and lines of every function, those within others too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def over(found: dict[str, int], usual: int, allowed: dict[str, tuple[int, str]]) -> list[str]:
    """What is longer than it may be, and exceptions that are needed no more."""
    long = [f"{name}: {n} lines" for name, n in found.items() if n > allowed.get(name, (usual, ""))[0]]
    stale = [
        f"{name}: within {usual} lines, no exception needed"
        for name in allowed
        if found.get(name, 0) <= usual
    ]
    return long + stale


def test_lines_are_counted() -> None:
    (outer, inner) = functions(ast.parse("def f():\n    def g():\n        pass\n\n    return g\n"))
    assert outer == ("f", 5) and inner == ("g", 2)
    assert over({"a": 301, "b": 310, "c": 299}, 300, {"b": (320, "x"), "c": (310, "y")}) == [
        "a: 301 lines",
        "c: within 300 lines, no exception needed",
    ]


def test_no_file_is_too_long() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in paths()
    }
    assert over(found, LINES, LONG_FILES) == []


def test_no_function_is_too_long() -> None:
    found: dict[str, int] = {}
    for path in paths():
        for name, count in functions(ast.parse(path.read_text(encoding="utf-8"))):
            key = f"{path.relative_to(ROOT).as_posix()}:{name}"
            found[key] = max(count, found.get(key, 0))
    assert over(found, FUNCTION_LINES, LONG_FUNCTIONS) == []
