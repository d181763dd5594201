"""Write transcriptions, one file per format, each complete or absent."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt3drum.extras import MissingExtra
from mt3drum.files import result_paths, write_whole
from mt3drum.formats import tables
from mt3drum.formats.options import ScoreOptions
from mt3drum.formats.summary import summary, summary_record, tempo_summary, tempo_text
from mt3drum.formats.written import NO_GRID, WriteError, Written
from mt3drum.result import Transcription
from tokenizer.hits import Hit
from tokenizer.midi import Notes, note_numbers

if TYPE_CHECKING:
    from mt3drum.formats.practice import Practice
    from mt3drum.rhythm.grid import Grid
    from mt3drum.rhythm.quantise import Score
    from mt3drum.rhythm.tempo_map import TempoMap


NEAR_TEMPO = 0.08
"""A given tempo is wrong if it is farther than this ratio from that of the strokes, its half and double."""
OTHER_TEMPO = 0.01
"""A tempo differs from the one used if it is farther away than this ratio."""


class NoGridError(ValueError):
    """A format or `--grid` needs beats, but no steady beat was found."""


def write(
    result: Transcription,
    base: Path,
    formats: tuple[str, ...],
    notes: Notes = "gm",
    options: ScoreOptions | None = None,
) -> list[Path]:
    """Write `base` + suffix for every format and create the folder.

    Raises:
        NoGridError: a format needs beats and there are none; the other formats have been written.
        ValueError: a format cannot represent the hits; the other formats have been written.
        OSError: a file cannot be written; files written earlier stay.
    """
    written = Rendering(result, notes, options or ScoreOptions()).write(result_paths(base, formats))
    for line in written.lacks:
        raise NoGridError(line) if NO_GRID in written.missing.values() else ValueError(line)
    return list(written.files)


class Rendering:
    """What the formats of one recording share, computed when first used."""

    def __init__(self, result: Transcription, notes: Notes, options: ScoreOptions) -> None:
        self.result, self.notes, self.options = result, notes, options
        self.title = result.path.stem if result.path else "Untitled"

    def write(self, paths: Mapping[str, Path]) -> Written:
        """Write all possible formats to their files and create the folders.

        Raises:
            WriteError: a file cannot be written; files written earlier stay.
        """
        files: list[Path] = []
        missing = {}
        for name, path in paths.items():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                also = _WRITERS[name](self, path)
            except OSError as error:
                raise WriteError(error, files) from error
            except NoGridError:
                missing[name] = NO_GRID
            except (ValueError, MissingExtra) as error:
                missing[name] = str(error)
            else:
                files += [path, *(also or ())]
        return Written(tuple(files), missing, self.warnings)

    @property
    def summary(self) -> str:
        """One line: the hits and, if a format used it, the tempo."""
        tempo = f"; {tempo_text(self.grid)}" if "grid" in vars(self) else ""
        return summary(self.result) + tempo

    @property
    def record(self) -> dict[str, Any]:
        """The summary as plain values, with `tempo` if a format used it."""
        tempo = {"tempo": tempo_summary(self.grid)} if "grid" in vars(self) else {}
        return summary_record(self.result) | tempo

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the transcription and, if a format used the tempo, whether it contradicts --bpm."""
        doubt = self._doubt if "grid" in vars(self) else None
        return self.result.warnings if doubt is None else (*self.result.warnings, doubt)

    @cached_property
    def _doubt(self) -> str | None:
        """A warning if the strokes contradict the given tempo."""
        from mt3drum.rhythm.estimate import estimate

        asked, grid, result = self.options.bpm, self.grid, self.result
        if asked is None or grid is None or self.options.beats is not None:
            return None
        found = estimate(result.all_hits, result.seconds, meter=self.options.meter)
        where = f"{result.path or 'audio array'}: --bpm {asked:g}"
        if found is not None and all(abs(found.bpm / asked / n - 1) > NEAR_TEMPO for n in (0.5, 1, 2)):
            return (
                f"{where}: the strokes say {tempo_text(found)}; beats were put at {grid.bpm:.1f} bpm instead"
            )
        if abs(grid.bpm / asked - 1) > OTHER_TEMPO:
            return f"{where}: the strokes fit {grid.bpm:.1f} bpm, which was used"
        return None

    @cached_property
    def grid(self) -> Grid | None:
        """Beats and bars, or None if there is no steady beat."""
        from mt3drum.rhythm.estimate import estimate

        if self.options.beats is not None:
            hits = self.result.all_hits  # edited or merged hits may lie before the first beat
            return self.options.beats.reaching(hits[0].time) if hits else self.options.beats
        return estimate(
            self.result.all_hits, self.result.seconds, bpm=self.options.bpm, meter=self.options.meter
        )

    @cached_property
    def score(self) -> Score:
        """The quantised score.

        Raises:
            NoGridError: there is no grid.
        """
        from mt3drum.rhythm.quantise import quantise

        if self.grid is None:
            raise NoGridError
        score = quantise(self.result.all_hits, self.grid, self.options.grid or "auto")
        return score.without(self.result.left_out)

    @cached_property
    def hits(self) -> tuple[Hit, ...]:
        """The hits as played, or on the grid if requested."""
        return self.result.hits if self.options.grid is None else self.score.hits(self.tempo_map)

    @cached_property
    def tempo_map(self) -> TempoMap | None:
        from mt3drum.rhythm.tempo_map import tempo_map

        return None if self.grid is None else tempo_map(self.grid)

    @cached_property
    def beats(self) -> Grid | None:
        """The grid of `hits`: as estimated, or, if they are quantised, as in the tempo map."""
        if self.grid is None or self.tempo_map is None or self.options.grid is None:
            return self.grid
        return self.tempo_map.beats(self.grid)


def _midi(rendering: Rendering, path: Path) -> Sequence[Path]:
    from mt3drum.formats.midi_files import write_midi_files

    options = rendering.options.midi
    return write_midi_files(
        rendering.hits, path, rendering.notes, rendering.tempo_map, rendering.title, options
    )


def _json(rendering: Rendering, path: Path) -> None:
    result = rendering.result
    source = result.path.name if result.path else None
    tempo = tables.tempo_record(rendering.beats)
    text = tables.to_json(rendering.hits, result.seconds, source, rendering.warnings, tempo, result.scheme)
    write_whole(path, text)


def _jsonl(rendering: Rendering, path: Path) -> None:
    write_whole(path, tables.to_jsonl(rendering.hits, rendering.result.scheme))


def _csv(rendering: Rendering, path: Path) -> None:
    write_whole(path, tables.to_csv(rendering.hits, rendering.result.scheme))


def _parquet(rendering: Rendering, path: Path) -> None:
    from mt3drum.formats.parquet import to_parquet, to_row

    result = rendering.result
    row = to_row(
        str(result.path or ""),
        rendering.hits,
        result.seconds,
        rendering.beats,
        rendering.warnings,
        result.scheme,
    )
    write_whole(path, to_parquet([row]))


def _jams(rendering: Rendering, path: Path) -> None:
    numbers = note_numbers(rendering.notes)
    result = rendering.result
    text = tables.to_jams(
        rendering.hits, result.seconds, rendering.title, rendering.beats, numbers, result.scheme
    )
    write_whole(path, text)


def _musicxml(rendering: Rendering, path: Path) -> None:
    from mt3drum.formats.musicxml import to_musicxml

    write_whole(path, to_musicxml(rendering.score, rendering.title, rendering.options.stickings))


def _pdf(rendering: Rendering, path: Path) -> None:
    from mt3drum.formats.engrave import to_pdf

    write_whole(path, to_pdf(rendering.score, rendering.title, rendering.options.stickings))


def _svg(rendering: Rendering, path: Path) -> None:
    from mt3drum.formats.engrave import to_svg

    write_whole(path, to_svg(rendering.score, rendering.title, rendering.options.stickings))


def _practice(rendering: Rendering) -> Practice:
    from mt3drum.formats.practice import slowed

    if rendering.beats is None:
        raise NoGridError
    return slowed(rendering.hits, rendering.beats, rendering.options.practice)


def _practice_midi(rendering: Rendering, path: Path) -> None:
    from mt3drum.formats.practice import write_practice_midi

    write_practice_midi(_practice(rendering), path, rendering.notes, rendering.title, rendering.options.midi)


def _practice_wav(rendering: Rendering, path: Path) -> None:
    from mt3drum.formats.wav import PRACTICE_CLICK, to_wav

    track = _practice(rendering)
    write_whole(path, to_wav(track.hits, 0.0, track.grid, PRACTICE_CLICK))


def _tab(rendering: Rendering, path: Path) -> None:
    from mt3drum.formats.tab import to_tab

    write_whole(path, to_tab(rendering.score, rendering.title))


def _chart5(rendering: Rendering, path: Path) -> None:
    _chart(rendering, path, five_lane=True)


def _chart(rendering: Rendering, path: Path, five_lane: bool = False) -> None:
    from mt3drum.formats.chart import make_chart, on_five_lanes, to_chart, to_ini, to_mid

    score = None if rendering.grid is None and rendering.options.grid is None else rendering.score
    chart = make_chart(rendering.result.hits, score, rendering.title, rendering.result.seconds)
    chart = on_five_lanes(chart) if five_lane else chart
    files = {
        "notes.chart": to_chart(chart).encode(),
        "notes.mid": to_mid(chart),
        "song.ini": to_ini(chart).encode(),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            # A fixed date, so that equal hits give equal bytes.
            archive.writestr(zipfile.ZipInfo(f"{_folder(rendering.title)}/{name}"), data)
    write_whole(path, packed.getvalue())


def _folder(title: str) -> str:
    """A folder name that is safe on every system."""
    kept = "".join(c if c.isalnum() or c in " -_.()" else "_" for c in title).strip(" .")
    return kept or "song"


def _wav(rendering: Rendering, path: Path) -> None:
    from mt3drum.formats.wav import to_wav

    write_whole(path, to_wav(rendering.hits, rendering.result.seconds, rendering.beats))


_WRITERS: Mapping[str, Callable[[Rendering, Path], Sequence[Path] | None]] = {
    "midi": _midi,
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
    "parquet": _parquet,
    "jams": _jams,
    "musicxml": _musicxml,
    "pdf": _pdf,
    "svg": _svg,
    "tab": _tab,
    "chart": _chart,
    "chart5": _chart5,
    "wav": _wav,
    "practice-midi": _practice_midi,
    "practice-wav": _practice_wav,
}
