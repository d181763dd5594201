"""`mt3drum completion`: the shells themselves complete with it, where they are installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mt3drum.cli import completion, main


def script(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main.main(["completion", shell]) == 0
    path = folder / f"mt3drum.{shell}"
    path.write_text(capsys.readouterr().out)
    return path


def shell(name: str, code: str) -> str:
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    run = subprocess.run([program, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0 and not run.stderr, run.stderr
    return run.stdout


def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = script("bash", tmp_path, capsys)

    def complete(*words: str) -> set[str]:
        line = " ".join(words)
        return set(
            shell(
                "bash",
                f"cd {tmp_path}; source {path}; COMP_WORDS=({line}); [ '{words[-1]}' ] || COMP_WORDS+=('')\n"
                f"COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}\n"
                f"_shtab_mt3drum mt3drum '{words[-1]}' '{words[-2]}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            ).split()
        )

    assert complete("mt3drum", "tr") == {"transcribe"}
    assert {"transcribe", "review", "convert", "info", "doctor"} <= complete("mt3drum", "")
    assert complete("mt3drum", "transcribe", "--gr") == {"--grid"}
    assert complete("mt3drum", "transcribe", "--grid", "a") == {"auto"}


def test_fish_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = script("fish", tmp_path, capsys)

    def complete(line: str) -> set[str]:
        out = shell("fish", f"source {path}; complete -C '{line}'")
        return {found.split("\t")[0] for found in out.splitlines()}

    assert complete("mt3drum tr") == {"transcribe"}
    assert "--grid" in complete("mt3drum transcribe --gr")
    assert {"8", "16", "24", "auto"} <= complete("mt3drum transcribe --grid ")


def test_zsh_reads_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = script("zsh", tmp_path, capsys)
    assert path.read_text().startswith("#compdef mt3drum")
    shell("zsh", f"zsh -n {path}")


def test_every_shell_is_one_that_shtab_knows(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name in completion.SHELLS:
        assert "transcribe" in script(name, tmp_path, capsys).read_text()
    with pytest.raises(SystemExit):
        main.main(["completion", "cmd"])
    assert "invalid choice: 'cmd'" in capsys.readouterr().err
