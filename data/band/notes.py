"""Instruments of the backing band: recorded or synthesised single notes, and drumless music clips.

Recorded notes come from folders with a `notes.json`, the files that it lists and `SOURCE.txt` (repository,
licence). Audio is stored as int16, so that a bank of some 500 notes takes about 150 MB, shared by the
loader's workers.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from data.band.held_out import loop_is_held_out, note_is_held_out
from data.band.roles import EXCLUDED, EXCLUDED_LOOPS, SUSTAINED, role_of
from data.dsp import tones
from data.dsp.tones import Audio
from mt3drum.config import SAMPLE_RATE

NOTE_FOLDERS = ("discord-gm-notes", "freepats-notes", "guitars-notes")
LOOP_FOLDERS = ("sonicpi", "stargate-loops", "librosa-examples")
NOTE_SECONDS = 3.0


@dataclass(frozen=True)
class NoteSample:
    """One recorded or synthesised tone."""

    pitch: float
    """MIDI note number, fractional (cents)."""
    audio: NDArray[np.int16]
    """Mono, 44.1 kHz, peak 32000."""


@dataclass(frozen=True)
class Instrument:
    """Notes of one instrument, by rising pitch."""

    name: str
    role: str
    """Its role in a band, one of ROLES."""
    source: str
    """Folder of the recording, or "synthesised"."""
    notes: tuple[NoteSample, ...]
    reach: float = 12.0
    """Semitones by which a note may be transposed beyond the outermost recorded pitches."""

    @property
    def low(self) -> float:
        return self.notes[0].pitch - self.reach

    @property
    def high(self) -> float:
        return self.notes[-1].pitch + self.reach

    def nearest(self, pitch: float, rng: np.random.Generator) -> NoteSample:
        """The note closest in pitch, chosen at random among equals (velocity layers)."""
        gaps = np.abs(np.array([note.pitch for note in self.notes]) - pitch)
        ties = np.flatnonzero(gaps <= gaps.min() + 0.01)
        return self.notes[int(ties[rng.integers(len(ties))])]


@dataclass(frozen=True)
class NoteBank:
    """The sounds from which bands are rendered, with their licences for the manifest."""

    instruments: tuple[Instrument, ...]
    noises: dict[str, tuple[Audio, ...]]
    """Consonants, clicks and similar sounds by kind (tones.NOISE_KINDS)."""
    loops: tuple[NDArray[np.int16], ...] = ()
    """Drumless music clips, mono, 44.1 kHz."""
    licences: dict[str, str] = field(default_factory=dict)
    """Source folder (or folder/file) -> licence text of its SOURCE.txt."""

    def with_role(self, *roles: str) -> list[Instrument]:
        """Instruments of these roles, or all instruments if there are none."""
        found = [item for item in self.instruments if item.role in roles]
        return found or list(self.instruments)

    def noise(self, kind: str, rng: np.random.Generator) -> Audio:
        """A noise of this kind; synthesised if the bank has none."""
        found = self.noises.get(kind)
        return found[int(rng.integers(len(found)))] if found else tones.noise(kind, rng)


def join(*banks: NoteBank) -> NoteBank:
    """Merge several banks."""
    noises: dict[str, tuple[Audio, ...]] = {}
    licences: dict[str, str] = {}
    for bank in banks:
        licences |= bank.licences
        for kind, items in bank.noises.items():
            noises[kind] = noises.get(kind, ()) + items
    return NoteBank(
        tuple(item for bank in banks for item in bank.instruments),
        noises,
        tuple(loop for bank in banks for loop in bank.loops),
        licences,
    )


def load_notes(
    root: Path, exclude: Sequence[str] = EXCLUDED, loops: bool = True, held_out: bool = False
) -> NoteBank:
    """Read the notes (and, with loops, the music clips) below `root`, the accompaniment folder.

    Args:
        held_out: read only what `data.band.held_out` excludes from training, rather than everything else.

    Raises:
        ValueError: a notes.json is missing or malformed, or a note cannot be read; the message names the
            file.
    """
    root = Path(root)
    instruments: list[Instrument] = []
    noises: dict[str, tuple[Audio, ...]] = {}
    licences: dict[str, str] = {}
    for folder in NOTE_FOLDERS:
        if not (root / folder).is_dir():
            continue
        licences[folder] = read_licence(root / folder)
        grouped: dict[str, list[NoteSample]] = {}
        for row in read_rows(root / folder / "notes.json"):
            name = row["instrument"].lower()
            if not used(folder, name, exclude, held_out):
                continue
            audio = trim(_read_audio(root / folder / row["file"]))[: int(SAMPLE_RATE * NOTE_SECONDS)]
            if "fret_noise" in name:
                noises["squeak"] = (*noises.get("squeak", ()), tones.normalise(audio))
                continue
            if role_of(name) in SUSTAINED or "overdriven" in name or "distortion" in name:
                audio = sustain(audio, row["midi_note"], NOTE_SECONDS)
            grouped.setdefault(name, []).append(NoteSample(float(row["midi_note"]), to_int16(audio)))
        instruments += [make_instrument(name, folder, notes) for name, notes in grouped.items()]
    if not instruments:
        raise ValueError(
            f"{root}: no {'held-out ' if held_out else ''}notes found; expected a folder such as "
            f"{NOTE_FOLDERS[0]} with notes.json"
        )
    clips: list[NDArray[np.int16]] = []
    if loops:
        for clip, folder, licence in load_loops(root, held_out=held_out):
            clips.append(clip)
            licences[folder] = licence
    return NoteBank(tuple(instruments), noises, tuple(clips), licences)


def used(folder: str, instrument: str, exclude: Sequence[str], held_out: bool = False) -> bool:
    """Whether `load_notes` reads the notes of an instrument."""
    left_out = any(part in instrument.lower() for part in exclude)
    return not left_out and note_is_held_out(folder, instrument) == held_out


def load_loops(
    root: Path, exclude: Sequence[str] = EXCLUDED_LOOPS, held_out: bool = False
) -> list[tuple[NDArray[np.int16], str, str]]:
    """Drumless clips below `root` as (audio int16, source folder, licence); held_out as in `load_notes`."""
    found: list[tuple[NDArray[np.int16], str, str]] = []
    for folder in LOOP_FOLDERS:
        if not (Path(root) / folder).is_dir():
            continue
        licence = read_licence(Path(root) / folder)
        for path in sorted((Path(root) / folder).glob("*.flac")):
            kept = loop_is_held_out(folder, path.stem) == held_out
            if kept and not any(part in path.name.lower() for part in exclude):
                found.append((to_int16(_read_audio(path)), folder, licence))
    return found


def read_licence(folder: Path) -> str:
    """SOURCE.txt of a folder as one line: repository, commit and licences."""
    path = folder / "SOURCE.txt"
    if not path.is_file():
        raise ValueError(f"{path}: missing; a source without its licence is not used")
    lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    return " | ".join(line for line in lines if not line.startswith(("holds:", "path:")))


def trim(audio: Audio) -> Audio:
    """Remove what precedes 3 % of the peak, except for 1 ms: some files begin 20 ms before the note."""
    start = int(np.argmax(np.abs(audio) > 0.03 * np.abs(audio).max(initial=0.0)))
    return audio[max(0, start - SAMPLE_RATE // 1000) :]


def sustain(audio: Audio, pitch: float, seconds: float) -> Audio:
    """Lengthen a short sustained note by repeating its end, a whole number of periods with a crossfade."""
    want, length = int(seconds * SAMPLE_RATE), len(audio)
    period = SAMPLE_RATE / (440.0 * 2 ** ((pitch - 69) / 12))
    fade = int(min(length // 6, max(2 * period, 600)))
    if length >= want or length < 8 * period or fade < 32:
        return audio
    rough = int(max(1, (length * 0.5) // period) * period)
    spread = int(min(period, length - fade - rough - 1))
    tail = audio[-fade:]
    first = length - fade - rough - spread  # the best match for the tail is about `rough` samples before it
    scores = np.correlate(audio[first : first + 2 * spread + fade], tail, "valid")
    start = first + int(np.argmax(scores)) + fade  # the audio that continues the tail
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    loop = audio[start:].copy()
    if len(loop) <= fade:
        return audio
    head = np.concatenate([audio[:-fade], (1 - ramp) * tail + ramp * audio[start - fade : start]])
    loop[-fade:] = (1 - ramp) * loop[-fade:] + ramp * audio[start - fade : start]
    repeats = max(1, -(-(want - length) // len(loop)))
    return np.concatenate([head, *[loop] * repeats])[:want]


def make_instrument(
    name: str, source: str, notes: Iterable[NoteSample], role: str | None = None, reach: float = 12.0
) -> Instrument:
    """An instrument with its notes in order; the role is derived from the name unless given."""
    return Instrument(
        name, role or role_of(name), source, tuple(sorted(notes, key=lambda note: note.pitch)), reach
    )


def read_rows(path: Path) -> list[dict]:
    """The entries of a notes.json: file, instrument, midi_note.

    Raises:
        ValueError: the file is missing or malformed.
    """
    try:
        rows = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as JSON ({error}); fetch the folder again") from error
    if not isinstance(rows, list):
        raise ValueError(f"{path}: expected a list of notes, found {type(rows).__name__}")
    for number, row in enumerate(rows):
        good = (
            isinstance(row, dict)
            and isinstance(row.get("file"), str)
            and isinstance(row.get("instrument"), str)
            and isinstance(row.get("midi_note"), int | float)
            and 0 <= row["midi_note"] <= 127
        )
        if not good:
            raise ValueError(f"{path}: entry {number} needs file, instrument and midi_note 0..127: {row!r}")
    return rows


def _read_audio(path: Path) -> Audio:
    """Read a file as mono float32 with peak 1 at 44.1 kHz."""
    try:
        audio, rate = sf.read(path, dtype="float32", always_2d=True)
    except (OSError, sf.LibsndfileError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from error
    if rate != SAMPLE_RATE:
        raise ValueError(f"{path}: {rate} Hz, expected {SAMPLE_RATE}")
    return tones.normalise(audio.mean(axis=1))


def to_int16(audio: NDArray[np.floating]) -> NDArray[np.int16]:
    """Scale to a peak of 32000."""
    return (tones.normalise(audio) * 32_000).astype(np.int16)
