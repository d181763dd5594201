"""Transcriptions out: one file per format, each complete or absent."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mt3drum.files import SUFFIX, write_whole
from mt3drum.formats import tables
from mt3drum.formats.options import ScoreOptions
from mt3drum.result import Transcription
from tokenizer.drums import DRUMS
from tokenizer.hits import Hit
from tokenizer.midi import Notes, note_numbers, write_midi

if TYPE_CHECKING:
    from mt3drum.rhythm.grid import Grid
    from mt3drum.rhythm.quantise import Score
    from mt3drum.rhythm.tempo_map import TempoMap


class NoGridError(ValueError):
    """A format, or `--grid`, needs beats, and no steady beat was found."""


def write(
    result: Transcription,
    base: Path,
    formats: tuple[str, ...],
    notes: Notes = "gm",
    options: ScoreOptions | None = None,
) -> list[Path]:
    """Write `base` + suffix for every format; makes the folder.

    Raises:
        NoGridError: a format needs beats and there are none; the other formats have been written.
        OSError: a file cannot be written; what was written before stays.
    """
    return Rendering(result, notes, options or ScoreOptions()).write(base, formats)


class Rendering:
    """What the formats of one recording share, computed when the first of them asks."""

    def __init__(self, result: Transcription, notes: Notes, options: ScoreOptions) -> None:
        self.result, self.notes, self.options = result, notes, options
        self.title = result.path.stem if result.path else "Untitled"

    def write(self, base: Path, formats: tuple[str, ...]) -> list[Path]:
        """As the function `write`."""
        base.parent.mkdir(parents=True, exist_ok=True)
        written, without_grid = [], []
        for name in formats:
            path = base.with_name(base.name + SUFFIX[name])
            try:
                _WRITERS[name](self, path)
            except NoGridError:
                without_grid.append(name)
                continue
            written.append(path)
        if without_grid:
            raise NoGridError(
                f"no steady beat found, so no {', '.join(without_grid)}; if there is one, "
                "give its tempo with --bpm"
            )
        return written

    @property
    def summary(self) -> str:
        """One line: the hits and, where a format has asked for it, the tempo."""
        tempo = f"; {tempo_text(self.grid)}" if "grid" in vars(self) else ""
        return summary(self.result) + tempo

    @cached_property
    def grid(self) -> Grid | None:
        """Beats and bars, or None where there is no steady beat."""
        from mt3drum.rhythm.estimate import estimate

        if self.options.beats is not None:
            return self.options.beats
        return estimate(self.result.hits, self.result.seconds, bpm=self.options.bpm, meter=self.options.meter)

    @cached_property
    def score(self) -> Score:
        """
        Raises:
            NoGridError: there is no grid.
        """
        from mt3drum.rhythm.quantise import quantise

        if self.grid is None:
            raise NoGridError
        return quantise(self.result.hits, self.grid, self.options.grid or "auto")

    @cached_property
    def hits(self) -> tuple[Hit, ...]:
        """As played, or on the grid where one is asked for."""
        return self.result.hits if self.options.grid is None else self.score.hits(self.tempo_map)

    @cached_property
    def tempo_map(self) -> TempoMap | None:
        from mt3drum.rhythm.tempo_map import tempo_map

        return None if self.grid is None else tempo_map(self.grid)

    @cached_property
    def beats(self) -> Grid | None:
        """The grid that `hits` keeps to: as found, or, of a quantised copy, as the tempo map has it."""
        if self.grid is None or self.tempo_map is None or self.options.grid is None:
            return self.grid
        return self.tempo_map.beats(self.grid)


def _midi(rendering: Rendering, path: Path) -> None:
    lines = rendering.tempo_map
    write_midi(
        rendering.hits,
        path,
        notes=rendering.notes,
        tempos=lines.midi_tempos if lines else None,
        time_signatures=lines.midi_meters if lines else None,
    )


def _json(rendering: Rendering, path: Path) -> None:
    result = rendering.result
    source = result.path.name if result.path else None
    tempo = tables.tempo_record(rendering.beats)
    write_whole(path, tables.to_json(rendering.hits, result.seconds, source, result.warnings, tempo))


def _jsonl(rendering: Rendering, path: Path) -> None:
    write_whole(path, tables.to_jsonl(rendering.hits))


def _csv(rendering: Rendering, path: Path) -> None:
    write_whole(path, tables.to_csv(rendering.hits))


def _jams(rendering: Rendering, path: Path) -> None:
    numbers = note_numbers(rendering.notes)
    seconds = rendering.result.seconds
    write_whole(path, tables.to_jams(rendering.hits, seconds, rendering.title, rendering.beats, numbers))


def _musicxml(rendering: Rendering, path: Path) -> None:
    from mt3drum.formats.musicxml import to_musicxml

    write_whole(path, to_musicxml(rendering.score, rendering.title))


def _tab(rendering: Rendering, path: Path) -> None:
    from mt3drum.formats.tab import to_tab

    write_whole(path, to_tab(rendering.score, rendering.title))


def _chart(rendering: Rendering, path: Path) -> None:
    from mt3drum.formats.chart import make_chart, to_chart, to_ini, to_mid

    score = None if rendering.grid is None and rendering.options.grid is None else rendering.score
    chart = make_chart(rendering.result.hits, score, rendering.title, rendering.result.seconds)
    files = {
        "notes.chart": to_chart(chart).encode(),
        "notes.mid": to_mid(chart),
        "song.ini": to_ini(chart).encode(),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            # A fixed date: the same hits give the same bytes.
            archive.writestr(zipfile.ZipInfo(f"{_folder(rendering.title)}/{name}"), data)
    write_whole(path, packed.getvalue())


def _folder(title: str) -> str:
    """A name that is safe as a folder on every system."""
    kept = "".join(c if c.isalnum() or c in " -_.()" else "_" for c in title).strip(" .")
    return kept or "song"


def _wav(rendering: Rendering, path: Path) -> None:
    from mt3drum.formats.wav import to_wav

    write_whole(path, to_wav(rendering.hits, rendering.result.seconds, rendering.beats))


_WRITERS: Mapping[str, Callable[[Rendering, Path], None]] = {
    "midi": _midi,
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
    "jams": _jams,
    "musicxml": _musicxml,
    "tab": _tab,
    "chart": _chart,
    "wav": _wav,
}


def summary(result: Transcription) -> str:
    """One line: hits by drum, most frequent first."""
    counts = Counter(DRUMS[hit.drum].name for hit in result.hits)
    drums = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    return f"{len(result.hits)} hits in {result.seconds:.1f} s" + (f": {drums}" if drums else "")


def tempo_text(grid: Grid | None) -> str:
    """Tempo and meter as people say them."""
    return f"{grid.bpm:.1f} bpm, {grid.meter}" if grid is not None else "unsteady: no grid"
