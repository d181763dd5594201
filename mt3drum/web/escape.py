"""Texts and data from outside, made safe for pages and messages."""

from __future__ import annotations

import json
from typing import Any


def json_text(data: Any) -> str:
    """JSON that is safe inside a <script> element: it contains no "<"."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def shown(text: str) -> str:
    """A name in printable characters on one line, whatever bytes the file system holds."""
    return "".join(c if c.isprintable() and not 0xD800 <= ord(c) <= 0xDFFF else "?" for c in text)
