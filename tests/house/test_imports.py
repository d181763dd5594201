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

from tests import ROOT

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


# What each part of a package may import of the others, lowest first: modules and folders by name.
LAYERS: dict[str, list[set[str]]] = {
    "mt3drum": [
        {"config", "decoding", "extras", "files", "imports", "memory", "rhythm"},
        {"audio", "result"},
        {"formats", "model"},
        {"decode"},
        {"transcriber"},
        {"__init__"},
        {"batch", "live", "one_shots"},
        {"web"},
        {"cli"},
        {"__main__"},
    ],
    "data": [
        {"borders", "dsp", "kits", "grooves", "corpora", "statistics"},
        {"render", "band", "augment"},
        {"clips"},
        {"shards"},
        {"example"},
        {"loader"},
    ],
    "eval": [{"metrics", "inputs"}, {"evaluate"}, {"report"}],
}


@pytest.mark.parametrize("package", LAYERS)
def test_imports_go_one_way_inside_packages(package: str) -> None:
    level = {name: number for number, names in enumerate(LAYERS[package]) for name in names}
    wrong = []
    for path in files(package):
        parts = path.relative_to(ROOT / package).parts
        own = parts[0] if len(parts) > 1 else path.stem
        if own == "__init__" and package != "mt3drum":
            continue
        for where, name in imported(path):
            top, _, rest = name.partition(".")
            part = rest.split(".")[0]
            if top == package and part in level and part != own and level[part] >= level[own]:
                wrong.append(f"{where} imports {name}")
    assert wrong == []


def test_no_module_of_a_package_imports_in_a_circle() -> None:
    """At import time; an import inside a function or for types alone may point back."""
    graph: dict[str, set[str]] = {}
    modules = {module_name(path): path for package in PACKAGES for path in files(package)}
    for name, path in modules.items():
        targets = {t for t in at_import_time(ast.parse(path.read_text(encoding="utf-8")))}
        graph[name] = {m for t in targets for m in (t, t.rpartition(".")[0]) if m in modules and m != name}
    finished: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in finished:
            for target in graph[name]:
                walk(target, (*trail, name))
            finished.add(name)

    for name in graph:
        walk(name, ())


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def at_import_time(tree: ast.Module) -> Iterator[str]:
    """Dotted names that importing the module imports."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (name for _, name in imports(ast.Module([node], [])))


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


POSIX_MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"}
POSIX_CALLS = re.compile(
    r"os\.(fork\w*|pread\w*|pwrite\w*|mkfifo|mknod|killpg|setsid|get[ug]id|sched_\w+|chown|lchown|wait\w*|uname)"
    r"|signal\.(alarm|setitimer|pause|sigwait|pthread_\w+|SIGALRM|SIGKILL|SIGHUP|SIGPIPE|SIGUSR[12])"
)


@pytest.mark.parametrize("package", ["tokenizer", "mt3drum"])
def test_what_is_shipped_calls_nothing_that_windows_lacks(package: str) -> None:
    assert POSIX_CALLS.fullmatch("os.pread") and POSIX_CALLS.fullmatch("signal.SIGALRM")
    wrong = []
    for path in files(package):
        wrong += [
            f"{where} imports {name}" for where, name in imported(path) if name.split(".")[0] in POSIX_MODULES
        ]
        wrong += [
            f"{path.relative_to(ROOT)}:{node.lineno} uses {ast.unparse(node)}"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Attribute) and POSIX_CALLS.fullmatch(ast.unparse(node))
        ]
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


def test_a_name_is_one_class() -> None:
    """Two classes of one name are told apart by nobody who reads an error or a search result."""
    places: dict[str, list[str]] = {}
    for path in chain.from_iterable(map(files, PACKAGES)):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
