"""The review page: one HTML file with a recording, its spectrogram and its hits, to play, edit and export.

The page is self-contained: styles, scripts, images and audio are embedded, and its content security policy
forbids everything else. External texts (names, warnings) are escaped or embedded as JSON.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from mt3drum.audio.recording import AudioSource, open_file
from mt3drum.config import SAMPLE_RATE
from mt3drum.files import write_whole
from mt3drum.formats.options import ScoreOptions
from mt3drum.formats.summary import tempo_text
from mt3drum.formats.tables import tempo_record
from mt3drum.formats.write import Rendering
from mt3drum.rhythm.grid import Grid
from mt3drum.rhythm.tempo_map import tempo_map
from mt3drum.transcriber import Transcription
from mt3drum.web.escape import json_text, shown
from mt3drum.web.spectrogram import spectrogram_tiles
from tokenizer.drums import CLASS_INDEX, DRUMS, FAMILIES, SCHEMES
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS, Label

MAX_SECONDS = 3_600.0
"""Maximum duration for a page: one hour is 6 MB of spectrogram."""
EMBED_BYTES = 12 * 2**20
"""Files up to this size are embedded unchanged if browsers can play their format."""
ENCODE_SECONDS = 1_800.0
"""Other recordings up to this duration are embedded as mono Ogg Vorbis (about 0.6 MB per minute); for longer
ones the page asks the user for the file."""
PLAYABLE: Mapping[str, str] = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
}
_BLOCK = 65_536  # samples per encoder call: libsndfile's Vorbis overflows its stack on minutes
# In staff order, from the top.
_STAFF = ("aux", "crash", "ride", "hihat", "tom", "rim", "snare", "kick")
_COMMON = (
    "kick",
    "snare_head",
    "hihat_closed",
    "hihat_open",
    "tom1_head",
    "floor_tom_head",
    "crash1",
    "ride",
)
LABELS = {
    "musicxml": "MusicXML",
    "jams": "JAMS",
    "parquet": "Parquet",
    "tab": "Drum tab",
    "chart": "Clone Hero (zip)",
    "chart5": "Clone Hero, five lanes (zip)",
    "wav": "WAV: click and drums",
    "pdf": "PDF: written music",
    "svg": "SVG: written music",
    "practice-midi": "MIDI: half tempo, with click",
    "practice-wav": "WAV: half tempo, with click",
}
"""Labels of the formats that the page cannot write itself."""
SCRIPTS = (
    "score",
    "store",
    "export",
    "synth",
    "player",
    "bars",
    "tiles",
    "marks",
    "overview",
    "view",
    "panel",
    "notation",
    "match",
    "read_score",
    "compare",
    "again",
    "pointer",
    "keys",
    "editor",
    "app",
    "saving",
    "files",
    "controls",
    "start",
)


@dataclass(frozen=True)
class PageData:
    """The content of a page without its scripts: plain JSON values and the audio."""

    values: dict[str, Any]
    sound: bytes
    """The embedded audio; `values["audio"]` is its MIME type, None if there is no audio."""


def page_data(
    result: Transcription, audio: Path, *, name: str | None = None, options: ScoreOptions | None = None
) -> PageData:
    """Collect everything that `render_page` needs.

    Args:
        result: the transcription.
        audio: its recording.
        name: display name (default: the file's name).
        options: known tempo and meter, or the beats.

    Raises:
        AudioError: the recording cannot be read.
        ValueError: it is longer than `MAX_SECONDS`.
    """
    if result.seconds > MAX_SECONDS:
        raise ValueError(
            f"{audio}: {result.seconds / 60:.0f} minutes are too long for a page; cut the recording to "
            f"{MAX_SECONDS / 60:.0f} minutes or less"
        )
    recording = open_file(audio)
    grid = Rendering(result, "gm", options or ScoreOptions()).grid
    kind, sound = embedded_audio(audio, recording)
    hits, candidates = page_rows(result.hits), page_rows(result.candidates)
    with audio.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(json.dumps([hits, candidates]).encode())
    values = {
        "key": digest.hexdigest()[:32],  # the browser's storage key for edits
        "source": shown(audio.name if name is None else name),
        "seconds": round(result.seconds, 6),
        "warnings": [shown(warning) for warning in result.warnings],
        "hits": hits,
        "candidates": candidates,
        "spectrogram": spectrogram_tiles(recording),
        "audio": kind,
        "tempo": page_tempo(grid),
    }
    return PageData(values, sound)


def render_page(data: PageData, server: Mapping[str, Any] | None = None) -> str:
    """Render the page as HTML.

    Args:
        data: see `page_data`.
        server: for the web app: `export`, `tempo` and `edits` (URLs), `formats` (name -> suffix), `labels`
            and `meters`.
    """
    seconds, source = int(data.values["seconds"]), str(data.values["source"])
    static = {**page_tables(), "server": server}
    return fill(
        "review.html",
        SCRIPTS,
        title=escape(source),
        length=f"{seconds // 60}:{seconds % 60:02d}",
        data=json_text({**data.values, **static}),
        audio=base64.b64encode(data.sound).decode("ascii"),
    )


def build_page(
    result: Transcription, audio: Path, *, name: str | None = None, options: ScoreOptions | None = None
) -> str:
    """`render_page` of `page_data`: a self-contained page."""
    return render_page(page_data(result, audio, name=name, options=options))


def page_rows(hits: Iterable[Hit]) -> list[tuple[float, int, int, float]]:
    """Seconds, drum, velocity and confidence of each, as far as the page tells them apart."""
    return [(round(hit.time, 6), hit.drum, hit.velocity, round(hit.confidence, 4)) for hit in hits]


def write_page(result: Transcription, audio: Path, page: Path, options: ScoreOptions | None = None) -> None:
    """Write `build_page` to a file, complete or absent, and create its folder.

    Raises:
        AudioError, ValueError: as `build_page`.
        OSError: the file cannot be written.
    """
    write_whole(page, build_page(result, audio, options=options))


def page_tempo(grid: Grid | None) -> dict[str, Any] | None:
    """A grid for the page: its record, and its tempo and meter as in a MIDI file."""
    record = tempo_record(grid)
    if grid is None or record is None:
        return None
    lines = tempo_map(grid)
    extra = {
        "text": tempo_text(grid),
        "per_bar": grid.meter.beats,
        "tempos": lines.midi_tempos,
        "meters": lines.midi_meters,
    }
    return record | extra


def page_tables() -> dict[str, Any]:
    """The drum tables of every page, and the names that imported scores use."""
    return {
        "drums": drum_table(),
        "families": FAMILIES,
        "lanes": [drum.index for family in _STAFF for drum in DRUMS if drum.family == family],
        "schemes": {
            name: {"labels": scheme.labels, "of_class": scheme.of_class} for name, scheme in SCHEMES.items()
        },
        "note_maps": {name: _note_map(name) for name in ("gm", "td17")},
    }


def _note_map(name: str) -> dict[Label, int]:
    """MIDI note -> class; -1: left out on purpose."""
    drums = LABEL_MAPS[name].drum_of
    return {note: -1 if drum is None else CLASS_INDEX[drum] for note, drum in drums.items()}


def drum_table() -> list[dict[str, Any]]:
    """Names, labels and MIDI notes of the classes."""
    return [
        {
            "name": drum.name,
            "label": label(drum.name),
            "family": drum.family,
            "gm": drum.gm_note,
            "td17": drum.td17_note,
            "common": drum.name in _COMMON,
        }
        for drum in DRUMS
    ]


def label(name: str) -> str:
    """Display name of a class, short enough for a lane: snare_head becomes "snare"."""
    words = name.replace("hihat", "hat").replace("snare_cross_stick", "cross_stick").removesuffix("_head")
    return re.sub(r"([a-z])(\d)", r"\1 \2", words).replace("_", " ")


def embedded_audio(path: Path, recording: AudioSource) -> tuple[str | None, bytes]:
    """MIME type and bytes of the embedded recording; (None, b"") if it is too long."""
    kind = PLAYABLE.get(path.suffix.lower())
    if kind is not None and path.stat().st_size <= EMBED_BYTES:
        return kind, path.read_bytes()
    if recording.seconds > ENCODE_SECONDS:
        return None, b""
    import soundfile

    target = io.BytesIO()
    # Peaks above full scale would be clipped; the page adjusts the volume itself.
    scale = min(1.0, max(recording.gain, 1e-3)) if recording.gain else 1.0
    with soundfile.SoundFile(
        target, "w", samplerate=SAMPLE_RATE, channels=1, format="OGG", subtype="VORBIS"
    ) as file:
        for block in recording.blocks():
            for start in range(0, len(block), _BLOCK):
                file.write(np.clip(block[start : start + _BLOCK] * np.float32(scale), -1.0, 1.0))
    return "audio/ogg", target.getvalue()


def fill(template: str, scripts: tuple[str, ...], **texts: str) -> str:
    """Insert scripts and styles into a page template of `mt3drum/web`; `texts` must be escaped already."""
    code = "\n".join(_asset(f"{name}.js") for name in scripts)
    texts["script"] = f'(() => {{\n"use strict";\n{code}}})();'
    texts["style"] = _asset("review.css")
    hashes = {
        kind: base64.b64encode(hashlib.sha256(texts[kind].encode()).digest()).decode()
        for kind in ("script", "style")
    }
    texts["csp"] = (
        f"default-src 'none'; script-src 'sha256-{hashes['script']}'; style-src 'sha256-{hashes['style']}'; "
        "img-src data:; media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
    )
    # One pass, so that inserted text that looks like a placeholder is not replaced again.
    return re.sub(r"\{\{(\w+)\}\}", lambda mark: texts[mark[1]], _asset(template))


def _asset(name: str) -> str:
    return (resources.files("mt3drum") / "web" / name).read_text(encoding="utf-8")
