"""Names of recordings and results, and atomic writes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath

from tokenizer.whole_file import whole_file

_LIBSNDFILE = "wav wave bwf flac mp3 mp2 ogg oga opus aif aiff aifc au snd caf w64 rf64 voc 8svx iff"
_FFMPEG = (
    "m4a m4b m4r aac ac3 eac3 amr ape dsf dts mka mpc ra tak tta weba wma wv "  # other recordings
    "3g2 3gp asf avi f4v flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv rm ts vob webm wmv"  # films
)
AUDIO_SUFFIXES = frozenset(f".{name}" for name in f"{_LIBSNDFILE} {_FFMPEG}".split())
"""What is picked up in a folder; a file named on the command line is tried whatever it is called."""

SUFFIX = {
    "midi": ".mid",
    "json": ".json",
    "jsonl": ".jsonl",
    "csv": ".csv",
    "parquet": ".parquet",
    "jams": ".jams",
    "musicxml": ".musicxml",
    "pdf": ".pdf",
    "svg": ".svg",
    "tab": ".tab.txt",
    "chart": ".chart.zip",
    "chart5": ".chart5.zip",
    "wav": ".mt3drum.wav",
    "practice-midi": ".practice.mid",
    "practice-wav": ".practice.mt3drum.wav",
}
"""Of the result in each format; none that a recording may have."""


_ALSO = {".midi": "midi", ".smf": "midi", ".txt": "tab", ".zip": "chart", ".wav": "wav"}


def result_paths(base: Path, formats: Iterable[str]) -> dict[str, Path]:
    """The file of each format: `base` with its suffix."""
    return {name: base.with_name(base.name + SUFFIX[name]) for name in formats}


def format_of(path: Path) -> str | None:
    """The format that a file name ends in, if any."""
    name = path.name.lower()
    found = {text: format for format, text in SUFFIX.items()} | _ALSO
    ends = [text for text in found if name.endswith(text) and len(name) > len(text)]
    return found[max(ends, key=len)] if ends else None


def is_hidden(path: PurePath) -> bool:
    """Whether a file is skipped when its folder is searched (`path` is relative to the folder): dot files,
    macOS metadata `._song.mp3`, the folder `__MACOSX` of its archives, and everything inside such folders."""
    return any((part[0] == "." and part not in (".", "..")) or part == "__MACOSX" for part in path.parts)


def write_whole(path: Path, data: str | bytes) -> None:
    """Write under a temporary name, then rename; the folder is created if necessary. Text is UTF-8; bytes of
    file names that are not valid UTF-8 are preserved.

    Raises:
        OSError: the file cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape"))
