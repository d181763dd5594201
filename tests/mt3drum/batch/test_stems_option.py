"""`mt3drum transcribe --stems`: a folder beside the results, on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mt3drum.cli import main
from tests.processes import tiny_checkpoint


def test_stems_beside_the_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "tiny.safetensors")
    noise = np.random.default_rng(0).normal(0, 0.1, (44_100, 2))
    soundfile.write(tmp_path / "a.wav", noise, 44_100, "PCM_24")
    command = ["transcribe", str(tmp_path / "a.wav"), "-o", str(tmp_path / "out"), "--stems", "flac"]
    command += ["--checkpoint", str(checkpoint), "--skip-existing", "--device", "cpu"]
    assert main.main(command) == 0
    assert "a.stems: " in capsys.readouterr().out
    files = sorted((tmp_path / "out" / "a.stems").iterdir())
    assert len(files) > 1 and files[0].suffix == ".flac"
    total = np.sum([soundfile.read(path, dtype="int32")[0] >> 8 for path in files], axis=0)
    assert np.array_equal(total, soundfile.read(tmp_path / "a.wav", dtype="int32")[0] >> 8)
    (tmp_path / "out" / "a.stems" / "rest.flac").unlink()
    assert main.main(command) == 0  # not all is there: once more
    assert (tmp_path / "out" / "a.stems" / "rest.flac").exists()
    assert main.main(command) == 0
    assert "a.stems" not in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stems", "mp3"], "invalid choice: 'mp3'"),
        (["--stems", "wav", "-o", "-"], "cannot be combined with -o -"),
        (
            ["--stems", "wav", "--output-shards", "5", "--manifest", "m"],
            "cannot be combined with --output-shards",
        ),
        (["--stems", "wav", "--from", "0:01"], "--stems needs the whole recording"),
    ],
)
def test_wrong_options(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert main.main(["transcribe", "a.wav", *options]) == 2
    except SystemExit as stop:
        assert stop.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
