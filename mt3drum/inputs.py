"""What to transcribe, and under which name to write it: files, folders and patterns to a list of tasks."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

AUDIO_SUFFIXES = frozenset(
    (
        ".wav",
        ".flac",
        ".mp3",
        ".ogg",
        ".oga",
        ".opus",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".caf",
        ".w64",
        ".rf64",
        ".m4a",
        ".mp4",
        ".aac",
        ".wma",
    )
)
"""What is picked up in a folder; a file named on the command line is tried whatever it is called."""

SUFFIX = {
    "midi": ".mid",
    "json": ".json",
    "jsonl": ".jsonl",
    "csv": ".csv",
    "jams": ".jams",
    "musicxml": ".musicxml",
    "tab": ".tab.txt",
    "chart": ".chart.zip",
    "wav": ".drums.wav",
}
"""Of the result in each format; none that a recording may have."""


@dataclass(frozen=True)
class Task:
    """One recording and the file name, without suffix, of its results."""

    source: Path
    target: Path


def plan(inputs: Iterable[str], output: Path) -> tuple[list[Task], list[str]]:
    """Tasks in order, each source once, and one message for each input that gave none.

    A file `x/song.wav` becomes `output/song`. What comes from a folder, or from a pattern, keeps its place
    below the folder, or below the part of the pattern without wildcards. Sources that would share a target by
    their names alone (song.wav and song.mp3) keep their suffix in it: `song.wav.mid`, `song.mp3.mid`.

    Raises:
        ValueError: two sources would still be written to one file.
    """
    found: dict[Path, Path] = {}  # source -> place below the output folder
    problems = []
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            members = [
                p for p in sorted(path.rglob("*")) if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file()
            ]
            places = {p: p.relative_to(path) for p in members}
            problem = f"{text}: no audio file in this folder"
        elif path.exists() or not glob.has_magic(text):
            places = {path: Path(path.name)}
            problem = ""
        else:
            root = _fixed_part(path)
            members = [p for p in map(Path, sorted(glob.glob(text, recursive=True))) if p.is_file()]
            places = {p: p.relative_to(root) for p in members}
            problem = f"{text}: no file matches"
        if not places:
            problems.append(problem)
        for source, place in places.items():
            found.setdefault(source, place)
    stems = Counter(place.with_suffix("") for place in found.values())
    tasks = [
        Task(source, output / (place if stems[place.with_suffix("")] > 1 else place.with_suffix("")))
        for source, place in found.items()
    ]
    owner: dict[Path, Path] = {}
    for task in tasks:
        other = owner.setdefault(task.target, task.source)
        if other != task.source:
            raise ValueError(
                f"{other} and {task.source} would both be written to {task.target}.*; name their "
                "folder instead of the files, or use two runs with two output folders"
            )
    return tasks, problems


def _fixed_part(pattern: Path) -> Path:
    """The folders of a pattern before its first wildcard."""
    fixed = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed)
