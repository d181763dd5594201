"""The review page: one HTML file with a recording, its spectrogram and its hits, to hear, correct and export.

The page needs nothing beside it: styles, scripts, pictures and sound are inside, and its content security
policy forbids everything else. What comes from outside (names, warnings) is escaped or carried as JSON text.
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
from mt3drum.web.spectrogram import spectrogram_tiles
from tokenizer.drums import DRUMS, FAMILIES
from tokenizer.hits import Hit

MAX_SECONDS = 3_600.0
"""A longer recording has no page: 1 h is 6 MB of spectrogram."""
EMBED_BYTES = 12 * 2**20
"""A file up to this size is put into the page as it is, where browsers play its kind."""
ENCODE_SECONDS = 1_800.0
"""Other recordings up to this long go in as mono Ogg Vorbis (about 0.6 MB a minute); beyond, the page asks
its user for the file."""
PLAYABLE: Mapping[str, str] = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
}
_BLOCK = 65_536  # samples handed to the encoder at once: libsndfile's Vorbis overflows its stack on minutes
# In the order of a staff, from the top.
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
    """What a page shows, apart from its scripts: plain JSON values, and the sound."""

    values: dict[str, Any]
    sound: bytes
    """As the page carries it; `values["audio"]` is its MIME type, None where there is none."""


def page_data(
    result: Transcription, audio: Path, *, name: str | None = None, options: ScoreOptions | None = None
) -> PageData:
    """Everything `render_page` needs.

    Args:
        result: what was heard.
        audio: the recording it was heard in.
        name: what the recording is called (default: the file's name).
        options: tempo and meter, where they are known, or the beats.

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
    hits, candidates = _rows(result.hits), _rows(result.candidates)
    with audio.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(json.dumps([hits, candidates]).encode())
    values = {
        "key": digest.hexdigest()[:32],  # the browser keeps edits under it
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
    """The page as text.

    Args:
        data: see `page_data`.
        server: of the web app: `export`, `tempo` and `edits` (addresses), `formats` (name -> suffix),
            `labels` and `meters`.
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
    """`render_page` of `page_data`: a page that stands alone."""
    return render_page(page_data(result, audio, name=name, options=options))


def _rows(hits: Iterable[Hit]) -> list[tuple[float, int, int, float]]:
    return [(round(hit.time, 6), hit.drum, hit.velocity, round(hit.confidence, 4)) for hit in hits]


def write_page(result: Transcription, audio: Path, page: Path, options: ScoreOptions | None = None) -> None:
    """`build_page` as a file, complete or absent; makes its folder.

    Raises:
        AudioError, ValueError: as `build_page`. OSError: the file cannot be written.
    """
    write_whole(page, build_page(result, audio, options=options))


def page_tempo(grid: Grid | None) -> dict[str, Any] | None:
    """A grid for the page: its record, and what a MIDI file says of it."""
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
    """What every page says of the drums."""
    return {
        "drums": drum_table(),
        "families": FAMILIES,
        "lanes": [drum.index for family in _STAFF for drum in DRUMS if drum.family == family],
    }


def drum_table() -> list[dict[str, Any]]:
    """Names, labels and notes of the classes, for the page."""
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
    """A class's name as people say it, short enough for a lane: snare_head is "snare"."""
    words = name.replace("hihat", "hat").replace("snare_cross_stick", "cross_stick").removesuffix("_head")
    return re.sub(r"([a-z])(\d)", r"\1 \2", words).replace("_", " ")


def embedded_audio(path: Path, recording: AudioSource) -> tuple[str | None, bytes]:
    """MIME type and bytes of the recording as the page carries it; (None, b"") where it is too long."""
    kind = PLAYABLE.get(path.suffix.lower())
    if kind is not None and path.stat().st_size <= EMBED_BYTES:
        return kind, path.read_bytes()
    if recording.seconds > ENCODE_SECONDS:
        return None, b""
    import soundfile

    target = io.BytesIO()
    # Peaks above full scale would be cut; the page's volume is not the recording's business.
    scale = min(1.0, max(recording.gain, 1e-3)) if recording.gain else 1.0
    with soundfile.SoundFile(
        target, "w", samplerate=SAMPLE_RATE, channels=1, format="OGG", subtype="VORBIS"
    ) as file:
        for block in recording.blocks():
            for start in range(0, len(block), _BLOCK):
                file.write(np.clip(block[start : start + _BLOCK] * np.float32(scale), -1.0, 1.0))
    return "audio/ogg", target.getvalue()


def fill(template: str, scripts: tuple[str, ...], **texts: str) -> str:
    """A page of `mt3drum/web`, its scripts and the style put in; `texts` must be escaped already."""
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
    # One pass: a text that looks like a mark is not replaced again.
    return re.sub(r"\{\{(\w+)\}\}", lambda mark: texts[mark[1]], _asset(template))


def json_text(data: Any) -> str:
    """JSON that may stand in a <script> element: no "<" can end it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def shown(text: str) -> str:
    """A name for people: on one line, printable, whatever bytes the file system holds."""
    return "".join(c if c.isprintable() and not 0xD800 <= ord(c) <= 0xDFFF else "?" for c in text)


def _asset(name: str) -> str:
    return (resources.files("mt3drum") / "web" / name).read_text(encoding="utf-8")
