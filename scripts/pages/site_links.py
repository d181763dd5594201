"""For the documentation site (mkdocs.yml): links to files outside docs/ become the files' names.

The pages are written for the repository, where `../CONTRIBUTING.md` is a link that works.
"""

from __future__ import annotations

import re
from typing import Any

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(((?:\.\./)+)([^)#]+)(#[^)]*)?\)")
OUTSIDE = re.compile(r"^(?:[A-Z]+\.(?:md|cff)|mt3drum/|tokenizer/|train/|data/|eval/|scripts/|tests/)")
NOT_PAGES = ("transcribe.ipynb", "data.ipynb", "errors_captions.yaml")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs with the text of each page."""

    def named(link: re.Match[str]) -> str:
        text, target = link[1], link[3]
        return f"{text} (`{target}`)" if OUTSIDE.match(target) else link[0]

    markdown = _LINK.sub(named, markdown)
    for name in NOT_PAGES:
        markdown = re.sub(rf"\[([^\]]+)\]\({re.escape(name)}\)", rf"\1 (`docs/{name}`)", markdown)
    return markdown
