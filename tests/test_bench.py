"""The benchmark of speed: its tables, and the block of the page they go to."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.bench import BEGIN, END, ROOT, fill, main, table

ROWS = [
    {"name": "slow", "unit": "s", "values": [4.0, 2.0, 3.0]},
    {"name": "fast", "unit": "s", "values": [1.5]},
    {"name": "other", "unit": "MB", "values": [10.0]},
]


def test_ratios_are_of_medians_to_the_first_row_of_the_unit() -> None:
    lines = table("decoding", ROWS).splitlines()
    assert lines[4:7] == [
        "| slow | 3 s | 2 to 4 | 3 | 1.00 |",
        "| fast | 1.5 s | 1.5 to 1.5 | 1 | 0.50 |",
        "| other | 10 MB | 10 to 10 | 1 | 1.00 |",
    ]


def test_only_the_marked_block_of_the_page_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    report = {"machine": {"cpu": "x"}, "quick": True, "rows": [{"part": "decoding", **row} for row in ROWS]}
    fill(page, report)
    fill(page, report)
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n") and text.endswith(f"{END}\nafter\n")
    assert "old" not in text and text.count("| fast |") == 1
    page.write_text("nothing")
    with pytest.raises(ValueError, match=r"page\.md: no <!-- bench"):
        fill(page, report)


def test_the_page_has_its_markers() -> None:
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert text.index(BEGIN) < text.index(END)


def test_unknown_parts_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "nonsense"]) == 2
    assert "no such part: nonsense" in capsys.readouterr().err
