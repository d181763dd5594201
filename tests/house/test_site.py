"""The documentation site builds without a warning, API reference included, and fetches nothing when read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.pages.site_links import on_page_markdown
from tests import ROOT

pytest.importorskip("mkdocs", reason="install mt3drum[docs]")
pytest.importorskip("mkdocstrings", reason="install mt3drum[docs]")
FETCHED = re.compile(
    r"""<(?:script|img|iframe|audio|video)[^>]+src=["'](?:https?:)?//"""
    r"""|<link[^>]+rel=["']?(?:stylesheet|preconnect|preload)[^>]+href=["'](?:https?:)?//"""
    r"""|url\(["']?(?:https?:)?//|@import ["'](?:https?:)?//"""
)


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= 20
    reference = (tmp_path / "site" / "reference" / "mt3drum.html").read_text(encoding="utf-8")
    assert "Transcriber.load" in reference and "CheckpointError" in reference
    for page in [*pages, *(tmp_path / "site").rglob("*.css")]:
        found = FETCHED.search(page.read_text(encoding="utf-8"))
        assert found is None, f"{page.name}: {found and found[0]}"


def test_what_would_be_fetched_is_found() -> None:
    for text in (
        '<script src="https://unpkg.com/x.js">',
        '<link rel="stylesheet" href="https://fonts.googleapis.com/css">',
        "@import '//cdn.example/x.css'",
        "src: url(https://a.example/b.woff2)",
    ):
        assert FETCHED.search(text), text
    assert not FETCHED.search('<a href="https://arxiv.org/abs/1"> <script src="assets/x.js">')


def test_links_out_of_docs_become_names() -> None:
    page = (
        "[guide](../CONTRIBUTING.md#set-up), [drums](../tokenizer/drums.py), [data](../data.md), [here](a.md)"
    )
    expected = "guide (`CONTRIBUTING.md`), drums (`tokenizer/drums.py`), [data](../data.md), [here](a.md)"
    assert on_page_markdown(page) == expected
