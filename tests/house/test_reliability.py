"""docs/reliability.md tells of tests that exist, as many as it says, and holds tables that scripts wrote."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from scripts.pages.doc_block import block_in, replace_block
from scripts.reliability import BLOCK, ROWS, Row, collected, count, table
from tests import ROOT

PAGE = ROOT / "docs" / "reliability.md"


def test_every_test_it_names_is_there() -> None:
    for row in ROWS:
        for name in row.tests:
            file, _, function = name.partition("::")
            tree = ast.parse((ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8"))
            functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert (function or any(f.startswith("test_") for f in functions)) and (
                not function or function in functions
            ), name
        assert row.what in block_in(PAGE, BLOCK)


def test_every_planted_bug_names_tests_that_are_there() -> None:
    section = PAGE.read_text(encoding="utf-8").split("## Planted bugs")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (?!bug|---)(.+?) \| (.+?) \|$", section, re.MULTILINE)
    assert len(rows) >= 12
    for bug, tests in rows:
        names = re.findall(r"`([^`]+)`", tests)
        source = "".join(
            (ROOT / "tests" / f"{name}.py").read_text(encoding="utf-8") for name in names if "/" in name
        )
        for name in names:
            assert "/" in name or f"def {name}(" in source, (bug, name)


@pytest.mark.slow  # collects two hundred tests
def test_the_table_is_what_the_script_writes() -> None:
    assert block_in(PAGE, BLOCK) == table(collected())


def test_counts() -> None:
    tests = ["tests/a.py::test_x[1]", "tests/a.py::test_x[2]", "tests/a.py::test_xy", "tests/b.py::test_z"]
    assert count(Row("", "", ("a",)), tests) == 3
    assert count(Row("", "", ("a::test_x", "b")), tests) == 3
    with pytest.raises(ValueError, match="no test a::test_w"):
        count(Row("", "", ("a::test_w",)), tests)


def test_the_fuzzing_tables_add_up_and_nothing_failed() -> None:
    cases = 0
    for name in ("fuzz", "fuzz-guided"):
        pattern = r"^\| ([^|]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|"
        rows = re.findall(pattern, block_in(PAGE, name), re.MULTILINE)
        *targets, (last, *total) = [(row[0], *map(int, row[1:])) for row in rows]
        assert last == "all" and total == [sum(column) for column in list(zip(*targets, strict=True))[1:]]
        assert total[0] == total[1] + total[2] and total[3] == 0
        cases += total[0]
    assert cases >= 100_000


def test_a_block_is_replaced_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n")
    replace_block(page, "x", "new\n\\1")
    assert page.read_text() == "a\n<!-- x: begin -->\nnew\n\\1\n<!-- x: end -->\nb\n"
    assert block_in(page, "x") == "new\n\\1"
    page.write_text("before <!-- x:begin -->old<!-- x:end --> after")  # as pages had them before
    replace_block(page, "x", "new\n")
    assert page.read_text() == "before <!-- x:begin -->\nnew\n<!-- x:end --> after"
    for wrong in ("", "<!-- y: end --> <!-- y: begin -->", 2 * "<!-- y: begin --><!-- y: end -->"):
        page.write_text(wrong)
        with pytest.raises(ValueError, match=r"page.md: must hold <!-- y: begin -->"):
            replace_block(page, "y", "new")
        assert page.read_text() == wrong
