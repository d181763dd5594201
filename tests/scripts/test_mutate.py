"""Mutants: one changed expression each, in code that still parses."""

from __future__ import annotations

import ast
from pathlib import Path

from scripts.mutate import applied, mutants

SOURCE = '''"""A module."""

LIMIT = 3  # é


def inside(x: "int" = 0, *, wide: bool = False) -> bool:
    """Whether it is."""
    if x < 0 or not wide:
        raise ValueError("x is below 0")
    return (x + 1
            <= LIMIT) if wide else "no"
'''


def test_every_mutant_changes_one_expression(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(SOURCE, encoding="utf-8")
    found = mutants(path, "module.py")
    assert [(mutant.line, mutant.text) for mutant in found] == [
        (3, "(3 + 1)"),
        (6, "(0 + 1)"),
        (6, "True"),
        (8, "(x) <= (0)"),
        (8, "((x < 0) and (not wide))"),
        (8, "(0 + 1)"),
        (8, "(wide)"),
        (10, '(("no") if (wide) else (x + 1\n            <= LIMIT))'),
        (10, "((x) - (1))"),
        (10, "(x + 1) < (LIMIT)"),
        (10, "(1 + 1)"),
        (11, "'XXno'"),
    ]
    texts = {applied(SOURCE, mutant) for mutant in found}
    assert len(texts) == len(found) and SOURCE not in texts
    for text in texts:
        ast.parse(text)
        assert '"""A module."""' in text and '"x is below 0"' in text and '"int"' in text
