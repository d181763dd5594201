"""One of each: things that every file could do for itself and one place does for all."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT
from tests.house.test_imports import PACKAGES, files, imported

RENAMERS = {
    "tokenizer/whole_file.py": "the atomic writer",
    "train/state.py": "a state is a folder: it is renamed whole",
    "scripts/rented/stretch.py": "a folder of installed packages",
}
"""Files that may rename what they have written, and why."""
NOT_INSTALLED = {
    "scripts/gpu_train.py": "runs from a packed folder, on a machine where nothing is installed",
    "scripts/mutate.py": "tests a changed copy of the checkout",
}
"""Files that may change the import path, and why."""


def production() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in files(package):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, source of the function) of every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def test_files_are_renamed_into_place_by_one_writer() -> None:
    renames = re.compile(r"^(os\.(replace|rename)|(temporary|partial|part|tmp)\w*\.(replace|rename))$")
    wrong = [
        f"{name}:{line} {call}"
        for name, tree in production()
        if name not in RENAMERS
        for line, call in calls(tree)
        if renames.match(call)
    ]
    assert wrong == []


@pytest.mark.parametrize("constant", ["SAMPLE_RATE", "HOP", "AUDIO_SUFFIXES", "SAME_STROKE"])
def test_a_constant_has_one_definition(constant: str) -> None:
    places = [
        name
        for name, tree in production()
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if ast.unparse(target) == constant
    ]
    assert len(places) == 1, places


def test_the_import_path_is_left_alone_and_nothing_is_mocked() -> None:
    """An editable install puts the checkout on the path; a mock outside the tests is a missing option."""
    wrong = [
        f"{name}:{line} {call}"
        for name, tree in production()
        if name not in NOT_INSTALLED
        for line, call in calls(tree)
        if "sys.path." in call
    ]
    for package in PACKAGES:
        for path in files(package):
            wrong += [where for where, module in imported(path) if module.startswith("unittest")]
    assert wrong == []


def test_nothing_assumes_where_somebody_keeps_data() -> None:
    """A folder of data is an argument; docs call it $DATA."""
    listed = [path for package in PACKAGES for path in files(package)]
    listed += [*(ROOT / "train" / "configs").rglob("*.yaml"), *(ROOT / "docs" / "results").glob("*.json")]
    wrong = [
        str(path.relative_to(ROOT)) for path in listed if "../shared" in path.read_text(encoding="utf-8")
    ]
    assert wrong == []


def test_the_formatter_wins() -> None:
    """A table that it spoils is data, as in `data.grooves.table`."""
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for package in (*PACKAGES, "tests")
        for path in files(package)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"#\s*fmt:\s*(skip|off)", line)
    ]
    assert wrong == []


def test_no_file_is_cited_that_is_not_there() -> None:
    """Names in capitals, as DESIGN.md: pages of the repository have links, which test_docs.py follows."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    paths = [ROOT / name for name in listed.splitlines()] or [
        path  # of a copy without git: whatever lies in no hidden folder, such as .venv, and was not built
        for path in ROOT.rglob("*")
        if not any(part.startswith(".") or part == "build" for part in path.relative_to(ROOT).parts)
    ]
    names = {path.name for path in paths}
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in paths
        if path.suffix in (".py", ".md", ".toml", ".yaml") and path.is_file() and path != Path(__file__)
        for name in re.findall(r"\b[A-Z_]{3,}\.md\b", path.read_text(encoding="utf-8"))
        if name not in names
    ]
    assert wrong == []
