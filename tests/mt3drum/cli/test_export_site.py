"""`mt3drum export-site`: what it refuses, in one line. What it writes: tests/mt3drum/web/test_site.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from mt3drum.cli.main import main
from mt3drum.config import PRESETS
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import save_checkpoint
from mt3drum.model.network import DrumModel

pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")


def test_other_peoples_folders_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("all of it", encoding="utf-8")
    assert main(["export-site", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}: holds other files; name a new folder\n"
    assert main(["export-site", str(tmp_path / "thesis.txt")]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'thesis.txt'}: is a file; name a folder\n"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_without_npm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["export-site", str(tmp_path / "site")]) == 1
    assert capsys.readouterr().err.startswith("error: npm is not installed: the site needs it once")
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("options", [{"beam": 4}, {"playable": 1.0}, {"scheme": "5"}, {"onset_weight": 1.0}])
def test_settings_that_the_browser_has_not(tmp_path: Path, options: dict[str, object]) -> None:
    from mt3drum.model.checkpoint import CheckpointError
    from mt3drum.web.site import write_model

    path, config = tmp_path / "other.safetensors", PRESETS["tiny"]
    save_checkpoint(
        path, config, DrumModel(config).state_dict(), DecodeConfig.from_dict(options).to_dict(), {}
    )
    with pytest.raises(
        CheckpointError, match=f"used in the browser: .*in the browser: {next(iter(options))}"
    ):
        write_model(path, tmp_path / "model")
    assert not (tmp_path / "model").exists()
