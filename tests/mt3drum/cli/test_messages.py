"""Every mistake on the command line is one line that names the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from mt3drum.cli import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "transcribe a.wav --notes gmm",
            "no such file; did you mean gm?",
        ),
        ("convert nope.json", "nope.json: no such file"),
        (
            "transcribe a.wav --only toms",
            "'toms' is neither a drum nor a family; did you mean tom? families: kick",
        ),
        ("transcribe a.wav --without hihats", "did you mean hihat?"),
        ("transcribe a.wav --vocabulary snares", "did you mean snare?"),
        ("transcribe a.wav --formt midi", "unknown option --formt; did you mean --format?"),
        ("transcribe a.wav --bmp=92", "unknown option --bmp; did you mean --bpm?"),
        ("transcribe a.wav --format musixml", "did you mean musicxml?"),
        ("transcribe a.wav --precision bfloat61", "did you mean bfloat16?"),
        ("transcribe a.wav --device cpu --device cuda", "--device is given twice; which one is meant?"),
        ("transcribe a.wav -o a --output b", "--output is given twice"),
        ("transcribe --list no-list.txt", "--list no-list.txt: cannot be read (No such file or directory)"),
        ("transcribe a.wav --bpm fast", "argument --bpm: invalid float value: 'fast'"),
        ("review a.wav --kit x --kit y", "--kit is given twice"),
        ("transcibe a.wav", "did you mean transcribe?"),
        ("song.mp3", "did you mean mt3drum transcribe song.mp3?"),
    ],
)
def test_wrong_words(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main.main(words.split())
    except SystemExit as stop:
        code = int(str(stop.code))
    said = capsys.readouterr()
    assert code == (1 if words.startswith("convert") else 2) and said.out == ""
    assert said.err.startswith("error: ") and message in said.err and said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.zip", b"PK\x03\x04 and more", "a.zip: a compressed archive; unpack it, then name the folder"),
        ("a.tar.gz", b"\x1f\x8b\x08", "a.tar.gz: a compressed archive; unpack it"),
        ("a.mid", b"MThd\0\0\0\6", "a.mid: a MIDI file: notes, not sound; name a recording"),
        (
            "a.mp3",
            b"<!DOCTYPE html><p>Not found",
            "a.mp3: a web page or XML text; download the recording itself",
        ),
        ("a.wav", b"version https://git-lfs.github.com/spec/v1", "a.wav: a Git LFS pointer; fetch"),
        ("https://host/a.mp3", None, "https://host/a.mp3: an address; download the recording, then name the"),
    ],
)
def test_what_is_no_recording(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: bytes | None,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path(name).write_bytes(content)
    assert main.main(["transcribe", name]) == 1
    error, total = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {message}") and total == "0 transcribed, 1 failed"
