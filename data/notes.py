"""Instruments of the backing band: single notes recorded or synthesised, and drumless music clips.

Recorded notes come from folders that each hold `notes.json`, the files it lists and `SOURCE.txt` (repository,
licence). Audio is kept as int16, so that a bank of some 500 notes stays near 150 MB and loader workers share it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from data import tones
from data.tones import SAMPLE_RATE, Audio

NOTE_FOLDERS = ("discord-gm-notes", "freepats-notes", "guitars-notes")
LOOP_FOLDERS = ("sonicpi", "stargate-loops", "librosa-examples")
EXCLUDED = (
    "helicopter", "seashore", "timpani", "steel_drum", "taiko", "woodblock", "synth_drum", "reverse_cymbal",
    "gunshot", "applause", "xylophone", "glockenspiel", "tubular", "melodic_tom", "agogo", "tinkle",
)  # fmt: skip
"""Parts of instrument names that are percussion or sound effects: never played in a drumless band."""
EXCLUDED_LOOPS = ("fishin", "drum", "perc", "beat", "loop_amen")
"""Parts of file names left out of the clips; "Lets Go Fishin" may hold percussion (README of the data)."""

NOTE_SECONDS = 3.0
ROLES = ("bass", "guitar", "muted", "keys", "organ", "pad", "brass", "lead", "pluck", "voice")
_ROLE_OF = (
    ("bassoon", "lead"), ("slap_bass", "bass"), ("bass", "bass"), ("muted_electric", "muted"), ("_stac", "muted"),
    ("charang", "lead"), ("muted_trumpet", "brass"), ("guitar", "guitar"), ("guit", "guitar"), ("organ", "organ"),
    ("accordion", "organ"), ("piano", "keys"), ("harpsichord", "keys"), ("clavinet", "keys"), ("celesta", "keys"),
    ("pizzicato", "pluck"), ("harp", "pluck"), ("dulcimer", "pluck"), ("sitar", "pluck"), ("string", "pad"),
    ("violin", "lead"), ("cello", "pad"), ("pad", "pad"), ("new_age", "pad"), ("goblins", "pad"), ("crystal", "pluck"),
    ("voice", "voice"), ("choir", "voice"), ("trumpet", "brass"), ("trombone", "brass"), ("tuba", "brass"),
    ("horn", "brass"), ("brass", "brass"), ("sax", "brass"),
)  # fmt: skip
_SUSTAINED = ("organ", "pad", "brass", "lead", "voice")


@dataclass(frozen=True)
class Note:
    """One recorded or synthesised tone."""

    pitch: float
    """MIDI note number, with cents."""
    audio: NDArray[np.int16]
    """Mono, 44.1 kHz, peak 32000."""


@dataclass(frozen=True)
class Instrument:
    """Notes of one instrument, by rising pitch."""

    name: str
    role: str
    """One of ROLES: what it can play in a band."""
    source: str
    """Folder of the recording, or "synthesised"."""
    notes: tuple[Note, ...]
    reach: float = 12.0
    """Semitones that a note may be transposed beyond the outermost recorded pitches."""

    @property
    def low(self) -> float:
        return self.notes[0].pitch - self.reach

    @property
    def high(self) -> float:
        return self.notes[-1].pitch + self.reach

    def nearest(self, pitch: float, rng: np.random.Generator) -> Note:
        """The note closest in pitch, at random among equals (velocity layers)."""
        gaps = np.abs(np.array([note.pitch for note in self.notes]) - pitch)
        ties = np.flatnonzero(gaps <= gaps.min() + 0.01)
        return self.notes[int(ties[rng.integers(len(ties))])]


@dataclass(frozen=True)
class NoteBank:
    """What a band can be rendered from. Licences are kept for the manifest of what is made with it."""

    instruments: tuple[Instrument, ...]
    noises: dict[str, tuple[Audio, ...]]
    """Consonants, clicks and the like by kind (tones.NOISE_KINDS)."""
    loops: tuple[NDArray[np.int16], ...] = ()
    """Drumless music clips, mono, 44.1 kHz."""
    licences: dict[str, str] = field(default_factory=dict)
    """Source folder (or folder/file) -> licence text of its SOURCE.txt."""

    def with_role(self, *roles: str) -> list[Instrument]:
        """Instruments of these roles; every instrument when there is none."""
        found = [item for item in self.instruments if item.role in roles]
        return found or list(self.instruments)


def join(*banks: NoteBank) -> NoteBank:
    """One bank holding everything of several."""
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


def role_of(name: str) -> str:
    """Role of an instrument by its name ("lead" when nothing better is known)."""
    lowered = name.lower()
    return next((role for part, role in _ROLE_OF if part in lowered), "lead")


def load_notes(root: Path, exclude: Sequence[str] = EXCLUDED, loops: bool = True) -> NoteBank:
    """Read the notes (and, with loops, the music clips) below `root`, the accompaniment folder.

    Raises ValueError, naming the file, when a notes.json is missing or malformed, or a note cannot be read.
    """
    root = Path(root)
    instruments: list[Instrument] = []
    noises: dict[str, tuple[Audio, ...]] = {}
    licences: dict[str, str] = {}
    for folder in NOTE_FOLDERS:
        if not (root / folder).is_dir():
            continue
        licences[folder] = read_licence(root / folder)
        grouped: dict[str, list[Note]] = {}
        for row in _read_rows(root / folder / "notes.json"):
            name = row["instrument"].lower()
            if any(part in name for part in exclude):
                continue
            audio = _read_audio(root / folder / row["file"])[: int(SAMPLE_RATE * NOTE_SECONDS)]
            if "fret_noise" in name:
                noises["squeak"] = (*noises.get("squeak", ()), tones.normalise(audio))
                continue
            if role_of(name) in _SUSTAINED or "overdriven" in name or "distortion" in name:
                audio = sustain(audio, row["midi_note"], NOTE_SECONDS)
            grouped.setdefault(name, []).append(Note(float(row["midi_note"]), _to_int16(audio)))
        instruments += [_instrument(name, folder, notes) for name, notes in grouped.items()]
    if not instruments:
        raise ValueError(f"{root}: no notes found; expected a folder such as {NOTE_FOLDERS[0]} with notes.json")
    clips: list[NDArray[np.int16]] = []
    if loops:
        for clip, folder, licence in load_loops(root):
            clips.append(clip)
            licences[folder] = licence
    return NoteBank(tuple(instruments), noises, tuple(clips), licences)


def load_loops(root: Path, exclude: Sequence[str] = EXCLUDED_LOOPS) -> list[tuple[NDArray[np.int16], str, str]]:
    """Drumless clips below `root` as (audio int16, source folder, licence)."""
    found: list[tuple[NDArray[np.int16], str, str]] = []
    for folder in LOOP_FOLDERS:
        if not (Path(root) / folder).is_dir():
            continue
        licence = read_licence(Path(root) / folder)
        for path in sorted((Path(root) / folder).glob("*.flac")):
            if not any(part in path.name.lower() for part in exclude):
                found.append((_to_int16(_read_audio(path)), folder, licence))
    return found


def read_licence(folder: Path) -> str:
    """SOURCE.txt of a folder as one line: repository, commit and licences."""
    path = folder / "SOURCE.txt"
    if not path.is_file():
        raise ValueError(f"{path}: missing; a source without its licence is not used")
    lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    return " | ".join(line for line in lines if not line.startswith(("holds:", "path:")))


def synthetic_notes(rng: np.random.Generator, per_kind: int = 3, noises: int = 6) -> NoteBank:
    """A bank made of nothing: strings, synthesisers, FM, organs, voices, each in `per_kind` random variants.

    Takes about a second. `noises` variants of every kind of noise are made, too.
    """
    found: list[Instrument] = []
    for index in range(per_kind):
        for kind, role, pitches in _SYNTHETIC:
            seed = int(rng.integers(2**32))  # every note of an instrument draws the same settings
            notes = [_synthesise(kind, pitch, np.random.default_rng(seed)) for pitch in pitches]
            found.append(_instrument(f"{kind}_{index}", "synthesised", notes, role, 6.0))
    made = {kind: tuple(tones.noise(kind, rng) for _ in range(noises)) for kind in tones.NOISE_KINDS}
    return NoteBank(tuple(found), made, (), {"synthesised": "made by this project, Apache-2.0"})


def make_bank(root: Path | None, rng: np.random.Generator) -> NoteBank:
    """Everything there is: recorded notes and clips (when root is given) and synthesised ones."""
    made = synthetic_notes(rng)
    return made if root is None else join(load_notes(root), made)


_SYNTHETIC: tuple[tuple[str, str, range], ...] = (
    ("string_bass", "bass", range(28, 56, 6)), ("slap_bass", "bass", range(28, 56, 6)),
    ("saw_bass", "bass", range(28, 56, 6)), ("square_bass", "bass", range(28, 56, 6)),
    ("fm_bass", "bass", range(28, 56, 6)), ("steel_guitar", "guitar", range(40, 82, 5)),
    ("nylon_guitar", "guitar", range(40, 82, 5)), ("electric_guitar", "guitar", range(38, 84, 5)),
    ("palm_muted", "muted", range(36, 66, 5)), ("dead_string", "muted", range(40, 70, 6)),
    ("banjo", "pluck", range(50, 86, 5)), ("fm_keys", "keys", range(40, 92, 6)),
    ("fm_pluck", "pluck", range(48, 92, 6)), ("organ", "organ", range(36, 92, 6)),
    ("saw_pad", "pad", range(40, 84, 6)), ("saw_lead", "lead", range(48, 92, 6)),
    ("square_lead", "lead", range(48, 92, 6)), ("brass", "brass", range(44, 84, 6)),
    ("choir", "voice", range(44, 80, 5)),
)  # fmt: skip


def _synthesise(kind: str, pitch: int, rng: np.random.Generator) -> Note:
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    seconds, u = 2.5, rng.uniform
    exact = frequency
    match kind:
        case "string_bass":
            audio, exact = tones.pluck(frequency, seconds, rng, u(1, 4), u(0.1, 0.6))
        case "slap_bass":
            audio, exact = tones.pluck(frequency, 1.5, rng, u(0.4, 1.2), u(0.75, 1.0))
            pop = tones.noise("pick", rng)
            audio[: len(pop)] += pop * u(0.3, 1.0)
        case "steel_guitar" | "nylon_guitar" | "electric_guitar" | "banjo":
            hard = {"steel_guitar": 0.8, "nylon_guitar": 0.35, "electric_guitar": 0.65, "banjo": 0.85}[kind]
            ring = u(0.3, 0.7) if kind == "banjo" else u(1.5, 4)
            audio, exact = tones.pluck(frequency, seconds, rng, ring, hard + u(-0.15, 0.15))
            pick = tones.noise("pick", rng)
            audio[: len(pick)] += pick * u(0.0, 0.5)
        case "palm_muted":
            audio, exact = tones.pluck(frequency, 0.6, rng, u(0.12, 0.4), u(0.2, 0.6))
        case "dead_string":
            audio, exact = tones.pluck(frequency, 0.25, rng, u(0.03, 0.09), u(0.3, 0.9))
            audio[:400] += tones.noise_burst(rng, u(1500, 4000), 1.0, u(0.01, 0.05))[:400] * u(0.2, 1.0)
        case "fm_bass":
            audio = tones.frequency_modulation(frequency, seconds, rng, rng.choice([0.5, 1.0, 2.0]), u(0.5, 5))
        case "fm_keys":
            audio = tones.frequency_modulation(frequency, seconds, rng, rng.choice([1.0, 2.0, 14.0]), u(0.3, 2))
        case "fm_pluck":
            audio = tones.frequency_modulation(frequency, 1.0, rng, rng.choice([1.0, 1.41, 3.0, 3.5]), u(1, 6))
        case "choir":
            vowel = str(rng.choice(list(tones.FORMANTS)))
            audio = tones.choir(frequency, seconds, rng, vowel, u(0.9, 1.3))
        case _:
            shape = kind.partition("_")[2] if kind == "saw_pad" else kind.partition("_")[0]
            audio = tones.subtractive(frequency, seconds, rng, shape)
    return Note(69 + 12 * float(np.log2(exact / 440)), _to_int16(audio))


def sustain(audio: Audio, pitch: float, seconds: float) -> Audio:
    """Lengthen a short held tone by repeating its end, cut at a whole number of periods and crossfaded."""
    want, length = int(seconds * SAMPLE_RATE), len(audio)
    period = SAMPLE_RATE / (440.0 * 2 ** ((pitch - 69) / 12))
    fade = int(min(length // 6, max(2 * period, 600)))
    if length >= want or length < 8 * period or fade < 32:
        return audio
    rough = int(max(1, (length * 0.5) // period) * period)
    spread = int(min(period, length - fade - rough - 1))
    tail = audio[-fade:]
    first = length - fade - rough - spread  # the best match for the tail lies about `rough` samples before it
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


def _instrument(
    name: str, source: str, notes: Iterable[Note], role: str | None = None, reach: float = 12.0
) -> Instrument:
    return Instrument(name, role or role_of(name), source, tuple(sorted(notes, key=lambda note: note.pitch)), reach)


def _read_rows(path: Path) -> list[dict]:
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
    """Mono float32, peak 1, 44.1 kHz."""
    try:
        audio, rate = sf.read(path, dtype="float32", always_2d=True)
    except (OSError, sf.LibsndfileError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from error
    if rate != SAMPLE_RATE:
        raise ValueError(f"{path}: {rate} Hz, expected {SAMPLE_RATE}")
    return tones.normalise(audio.mean(axis=1))


def _to_int16(audio: NDArray[np.floating]) -> NDArray[np.int16]:
    return (tones.normalise(audio) * 32_000).astype(np.int16)
