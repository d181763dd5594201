"""JSON Lines while a recording is being transcribed: a file that grows until the complete one is there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from mt3drum.formats.tables import to_jsonl
from tokenizer.drums import SCHEMES
from tokenizer.hits import Hit

PART = ".part"


class LiveLines:
    """Appends hits to `song.jsonl.part` as soon as they are settled; for `Transcriber.transcribe_files`.

    Args:
        files: the complete file of each recording; hits of other recordings are left alone.
        drums: hits of other drums are left out.
        scheme: what drums are called by.
    """

    def __init__(self, files: Mapping[Path, Path], drums: Collection[int], scheme: str = "26") -> None:
        self.drums = SCHEMES[scheme].written(drums)
        self.scheme = scheme
        self.parts = {path: file.with_name(file.name + PART) for path, file in files.items()}
        self.begun: set[Path] = set()

    def __call__(self, path: Path, hits: list[Hit]) -> None:
        """A file that cannot be written is given up: writing the complete one will say why."""
        part = self.parts.get(path)
        if part is None:
            return
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            with part.open("a" if path in self.begun else "w", encoding="utf-8") as file:
                file.write(to_jsonl((hit for hit in hits if hit.drum in self.drums), self.scheme))
        except OSError:
            del self.parts[path]
        self.begun.add(path)

    def close(self, path: Path) -> None:
        """The complete file is there, or will never be."""
        if path in self.begun and path in self.parts:
            self.parts[path].unlink(missing_ok=True)
