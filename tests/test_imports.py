"""The shape of the project: who imports whom, what is never used, and that light modules stay light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tokenizer", "mt3drum", "data", "eval", "train", "scripts")
# What each may import of the others: imports go down only, and what is shipped knows nothing of the rest.
MAY_IMPORT: dict[str, set[str]] = {
    "tokenizer": set(),
    "mt3drum": {"tokenizer"},
    "data": {"tokenizer", "mt3drum"},
    "eval": {"tokenizer", "mt3drum"},
    "train": {"tokenizer", "mt3drum", "data", "eval"},
    "scripts": {"tokenizer", "mt3drum", "data", "eval", "train"},
}
UNSAFE = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every absolute import, within functions too; `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def imported(path: Path) -> list[tuple[str, str]]:
    """(where, dotted name) of every import of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return [(f"{path.relative_to(ROOT)}:{line}", name) for line, name in imports(tree)]


def test_the_walk_finds_files_and_nested_imports() -> None:
    assert (ROOT / "tokenizer" / "codec.py") in files("tokenizer")
    tree = ast.parse("import a.b, c\ndef f():\n    from d import e\n    from . import g\n")
    assert list(imports(tree)) == [(1, "a.b"), (1, "c"), (3, "d.e")]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package: str) -> None:
    forbidden = set(PACKAGES) - MAY_IMPORT[package] - {package}
    wrong = [
        f"{where} imports {name}"
        for path in files(package)
        for where, name in imported(path)
        if name.split(".")[0] in forbidden | {"tests"}
    ]
    assert wrong == []


def test_the_tokenizer_needs_no_torch() -> None:
    wrong = [
        f"{where} imports {name}"
        for path in files("tokenizer")
        for where, name in imported(path)
        if name.split(".")[0] not in sys.stdlib_module_names | {"numpy", "tokenizer", "mido"}
        and not (path.name == "midi.py" and name.split(".")[0] in {"note_seq", "pretty_midi"})
    ]
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_is_unpickled(package: str) -> None:
    """A pickle runs whatever it likes; checkpoints are safetensors and JSON."""
    wrong = []
    for path in files(package):
        wrong += [
            f"{where} imports {name}"
            for where, name in imported(path)
            if name.split(".")[0] in UNSAFE or name == "torch.load"
        ]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "torch.load":
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} uses torch.load")
            if isinstance(node, ast.keyword) and ast.unparse(node) == "allow_pickle=True":
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} allows pickles")
    assert wrong == []


def dependency_modules() -> set[str]:
    """Names that the project's dependencies, all extras included, are imported by."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {normal(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in wanted} - {"mt3drum"}
    return {
        module
        for module, owners in packages_distributions().items()
        if names & {normal(name) for name in owners}
    }


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_script_hides_a_library() -> None:
    """A script's own folder comes first on the path: scripts/queue.py would be everybody's `queue`."""
    taken = dependency_modules() | sys.stdlib_module_names | set(PACKAGES)
    assert {"torch", "queue", "mido", "deepspeed"} <= taken
    names = [path for package in ("train", "scripts") for path in (ROOT / package).iterdir()]
    wrong = [
        str(path.relative_to(ROOT)) for path in names if path.stem in taken and path.suffix in ("", ".py")
    ]
    assert wrong == []


def test_light_modules_stay_light() -> None:
    heavy = {"torch", "librosa", "scipy", "note_seq", "pretty_midi", "matplotlib"}
    code = "import sys, mt3drum, tokenizer.midi, tokenizer.grammar; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert "mido" in loaded
    assert not loaded & heavy
