"""Put what a script found into a page, between the marks `<!-- NAME: begin -->` and `<!-- NAME: end -->`."""

from __future__ import annotations

import re
from pathlib import Path

from mt3drum.files import write_whole


def marked(name: str, text: str) -> str:
    """A block with its marks, for a page that is written whole."""
    return f"<!-- {name}: begin -->\n{text.strip()}\n<!-- {name}: end -->"


def block_in(page: Path, name: str) -> str:
    """The text between the marks.

    Raises:
        ValueError: they are not in the page, or not once.
    """
    return _block(page.read_text(encoding="utf-8"), name, page)


def replace_block(page: Path, name: str, text: str) -> None:
    """Replace it; the page is complete or as it was.

    Raises:
        ValueError: the marks are not in the page, or not once.
    """
    write_whole(page, filled(page, name, text))


def filled(page: Path, name: str, text: str) -> str:
    """The text of a page with another block.

    Raises:
        ValueError: the marks are not in the page, or not once.
    """
    content = page.read_text(encoding="utf-8")
    _block(content, name, page)
    block = f"\n{text.strip()}\n"
    return re.sub(_pattern(name), lambda found: found[1] + block + found[3], content, flags=re.DOTALL)


def _block(content: str, name: str, page: Path) -> str:
    found = re.findall(_pattern(name), content, re.DOTALL)
    marks = [len(re.findall(_mark(name, word), content)) for word in ("begin", "end")]
    if len(found) != 1 or marks != [1, 1]:
        raise ValueError(
            f"{page}: must hold <!-- {name}: begin --> and <!-- {name}: end --> once each, in this order"
        )
    return str(found[0][1]).strip("\n")


def _pattern(name: str) -> str:
    return rf"({_mark(name, 'begin')})(.*?)({_mark(name, 'end')})"


def _mark(name: str, word: str) -> str:
    """The space has not always been there."""
    return rf"<!-- {re.escape(name)}: ?{word} -->"
