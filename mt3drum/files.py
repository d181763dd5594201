"""Names of recordings and results, and files that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

from tokenizer.whole_file import whole_file

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
    "wav": ".mt3drum.wav",
}
"""Of the result in each format; none that a recording may have."""


def write_whole(path: Path, data: str | bytes) -> None:
    """Write under a temporary name, then rename; the folder is made if need be. Text is UTF-8; parts of
    file names that are not keep their bytes.

    Raises:
        OSError: the file cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape"))
