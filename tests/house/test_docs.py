"""What the documents say exists, exists: every command parses, every link leads somewhere."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from mt3drum.cli.main import build_parser
from tests import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LAUNCHER = {"--num_accelerators", "--master_port"}  # of deepspeed, each with a value
MAX_PICTURE = 200_000  # bytes


def commands(text: str) -> Iterator[list[str]]:
    """Words of every command of ours in the fenced blocks of a page."""
    for fenced in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in fenced.replace("\\\n", " ").splitlines():
            for part in line.split(" && "):
                try:
                    words = shlex.split(part, comments=True)
                except ValueError:  # not a shell's line
                    continue
                words = [word for i, word in enumerate(words) if i > 0 or "=" not in word]
                if words[:1] in (["mt3drum"], ["deepspeed"]):
                    yield words
                elif words[:1] == ["python"] and words[1:2] != ["-m"]:
                    yield words[1:]


def check(words: list[str]) -> None:
    """Parse a command with its own parser; SystemExit(0) is --help."""
    program, arguments = words[0], words[1:]
    if program == "deepspeed":
        while arguments[0] in LAUNCHER:
            arguments = arguments[2:]
        program, arguments = arguments[0], arguments[1:]
    if program == "mt3drum":
        build_parser().parse_args(arguments)
    elif program == "scripts/decode.py":
        build_parser().parse_args(["transcribe", *arguments])
    else:
        source = (ROOT / program).read_text(encoding="utf-8")
        module = importlib.import_module(program.removesuffix(".py").replace("/", "."))
        parse = getattr(module, "parse_args", getattr(module, "parse", None))
        if parse is not None:
            parse(arguments)
        for option in (word for word in arguments if word.startswith("--")):
            assert f'"{option}"' in source or parse is not None, f"{program} has no {option}"


def test_commands_are_found_in_a_page() -> None:
    page = "```bash\nX=1 deepspeed --num_accelerators 2 train/main.py --set a=b  # why\n```\npython no.py\n"
    assert list(commands(page)) == [["deepspeed", "--num_accelerators", "2", "train/main.py", "--set", "a=b"]]
    assert len(list(commands((ROOT / "README.md").read_text(encoding="utf-8")))) >= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    for words in commands(page.read_text(encoding="utf-8")):
        try:
            check(words)
        except SystemExit as stop:
            assert not stop.code, f"{page.name}: {shlex.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def anchors(text: str) -> set[str]:
    """Those that GitHub and mkdocs give the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_anchors_are_those_of_headings() -> None:
    assert anchors("# A `b`, C-d\n## 2 e\ntext\n") == {"a-b-c-d", "2-e"}
    wrong = []
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")):
            other = page.parent / target if target else page
            if not target.startswith("http") and other.suffix == ".md":
                found = anchors(other.read_text(encoding="utf-8"))
                wrong += [f"{page.name}: {target}#{anchor}"] * (anchor not in found)
    assert wrong == []


def test_pictures_are_small() -> None:
    for picture in (ROOT / "docs" / "images").glob("*"):
        assert picture.stat().st_size <= MAX_PICTURE, picture.name
