"""Put what a script found into a page, between the marks `<!-- NAME: begin -->` and `<!-- NAME: end -->`."""

from __future__ import annotations

import re
from pathlib import Path


def block_in(page: Path, name: str) -> str:
    """The text between the marks.

    Raises:
        ValueError: they are not in the page, or not once.
    """
    found = re.findall(_pattern(name), page.read_text(encoding="utf-8"), re.DOTALL)
    if len(found) != 1:
        raise ValueError(f"{page}: the marks <!-- {name}: begin --> and end must be there once")
    return str(found[0]).strip("\n")


def replace_block(page: Path, name: str, text: str) -> None:
    """Replace it.

    Raises:
        ValueError: the marks are not in the page, or not once.
    """
    block_in(page, name)
    whole = f"<!-- {name}: begin -->\n{text.strip()}\n<!-- {name}: end -->"
    content = page.read_text(encoding="utf-8")
    page.write_text(re.sub(_pattern(name), lambda _: whole, content, flags=re.DOTALL), encoding="utf-8")


def _pattern(name: str) -> str:
    return rf"<!-- {re.escape(name)}: begin -->\n(.*?)\n?<!-- {re.escape(name)}: end -->"
