"""What a user installs: a wheel with transcription in it and nothing else, of the change log's version."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement

from tests import ROOT

SHIPPED = ("mt3drum", "tokenizer")
MAX_BYTES = 30 * 2**20  # the checkpoint is about 20 MB at most

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the project's own back end, in this process."""
    built = WheelBuilder(str(ROOT)).build(
        directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"]
    )
    return Path(next(iter(built)))


def members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_what_transcription_needs_and_nothing_else(wheel: Path) -> None:
    inside = {name for name in members(wheel) if ".dist-info/" not in name}
    files = (path for package in SHIPPED for path in (ROOT / package).rglob("*") if path.is_file())
    wanted = {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc"}
    assert {"mt3drum/cli/main.py", "tokenizer/codec.py"} <= wanted
    assert inside == wanted
    assert wheel.stat().st_size < MAX_BYTES


def test_the_wheel_carries_licence_and_command(wheel: Path) -> None:
    info = f"mt3drum-{PROJECT['version']}.dist-info"
    assert {name.split("/")[0] for name in members(wheel)} == {*SHIPPED, info}
    with zipfile.ZipFile(wheel) as archive:
        assert "Apache License" in archive.read(f"{info}/licenses/LICENSE").decode()
        assert "mt3drum = mt3drum.cli.main:main" in archive.read(f"{info}/entry_points.txt").decode()


def test_the_change_log_begins_with_this_version() -> None:
    versions = re.findall(
        r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert next(version for version in versions if version != "Unreleased") == PROJECT["version"]


ONLY = """
import sys
allowed = set({allowed!r})
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Nothing())
from mt3drum.cli.main import main
import mt3drum
assert mt3drum.__file__.startswith({place!r}), mt3drum.__file__
sys.exit(main(["demo", "-o", {output!r}]))
"""


def core() -> set[str]:
    """Names of the core dependencies and of what they depend on, as installed here."""
    found: set[str] = set()
    waiting = list(PROJECT["dependencies"])
    while waiting:
        requirement = Requirement(waiting.pop())
        name = requirement.name.lower().replace("_", "-")
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += distribution(name).requires or ()
    return found


def modules_of(names: set[str]) -> set[str]:
    """Top-level modules of distributions."""
    tops = set()
    for name in names:
        for file in distribution(name).files or ():
            top = file.parts[0]
            tops.add(top.partition(".")[0] if len(file.parts) == 1 else top)
    return {top for top in tops if top.isidentifier()}


def test_the_core_is_small() -> None:
    """Without what training needs (on Linux with the CPU build of torch: 26 packages, 1 GB)."""
    assert {"torch", "numpy", "mido", "soundfile"} <= core()
    assert not core() & {
        "note-seq",
        "x-transformers",
        "scipy",
        "librosa",
        "numba",
        "pandas",
        "matplotlib",
        "protobuf",
    }
    assert len(core()) <= 28


def test_the_wheel_runs_with_its_core_dependencies_alone(wheel: Path, tmp_path: Path) -> None:
    """In this interpreter's libraries, all but those of the core hidden."""
    place, output = tmp_path / "site", tmp_path / "out"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    allowed = modules_of(core()) | set(sys.stdlib_module_names) | {"mt3drum", "tokenizer"}
    assert "torch" in allowed and not allowed & {"scipy", "librosa", "x_transformers", "note_seq", "tests"}
    code = ONLY.format(allowed=sorted(allowed), place=str(place), output=str(output))
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(place), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert sorted(path.name for path in output.iterdir()) == ["demo.html", "demo.mid", "demo.ogg"]


@pytest.mark.slow
def test_the_wheel_installs_in_a_bare_environment(wheel: Path, tmp_path: Path) -> None:
    """Needs the package index: about 1 GB with the CPU build of torch."""
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    subprocess.run([programs / "pip", "install", "-q", wheel], check=True, timeout=1800)
    run = subprocess.run(
        [programs / "mt3drum", "demo", "-o", "out"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out" / "demo.mid").stat().st_size > 100
    packages = subprocess.run(
        [programs / "pip", "list", "--format", "freeze"], capture_output=True, text=True, check=True
    )
    assert not re.search(r"^(note-seq|x-transformers|scipy)==", packages.stdout, re.MULTILINE)
