"""The page's tables are those of the presets."""

from __future__ import annotations

from scripts.make_note_table import BLOCK, PAGE, tables
from scripts.pages.doc_block import block_in


def test_the_page_holds_the_presets_of_today() -> None:
    assert block_in(PAGE, BLOCK) == tables()
