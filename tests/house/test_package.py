"""What a user installs: a wheel with transcription in it and nothing else, of the change log's version."""

from __future__ import annotations

import re
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

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
