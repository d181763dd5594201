"""Read strokes from a folder of drum samples (`--kit`). Files are untrusted, like all audio."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np

from mt3drum.audio.recording import AudioError, AudioSource, open_file
from mt3drum.config import SAMPLE_RATE
from mt3drum.files import AUDIO_SUFFIXES, is_hidden
from tokenizer.drums import CLASS_INDEX

MAX_FILES = 260
MAX_FILE_BYTES = 64 << 20
MAX_SECONDS = 60.0
"""Per file."""
MAX_STROKES = 16
"""Maximum per drum; only the first ones are used."""
RING_SECONDS = 1.5
"""Strokes are cut after this time; in a song, other strokes mask the rest."""
PREROLL = 44  # samples kept before the attack: 1 ms, to avoid a click
_BLOCK = SAMPLE_RATE // 100  # samples: 10 ms
_SOFTEST = 0.06  # minimum peak of a stroke, as a share of its file's peak (-24 dB)
_RISE = 3.0  # ... and as a multiple of the level in the 50 ms before it
_GAP = 25  # blocks: minimum distance between strokes, 0.25 s


class KitError(ValueError):
    """The samples cannot be used; the message names the file, the reason and the remedy."""


def drum_of(path: Path) -> int:
    """The drum given by a file name: `snare_head.wav`, `snare_head_2.wav`, `Snare Head loud.flac`, ...

    Raises:
        KitError: the name does not start with the name of a drum.
    """
    text = re.sub(r"[\s\-.]+", "_", path.stem.lower())
    fits = [name for name in CLASS_INDEX if re.fullmatch(rf"{name}(?![a-z]).*", text)]
    if not fits:
        raise KitError(
            f"{path}: its name starts with no drum's; name it by one of {', '.join(CLASS_INDEX)}, "
            "as in snare_head_2.wav"
        )
    return CLASS_INDEX[max(fits, key=len)]


def read_samples(folder: Path) -> tuple[dict[int, list[np.ndarray]], tuple[str, ...]]:
    """Strokes of each drum, float32 at 44.1 kHz, peak 1, the attack at sample `PREROLL`; and warnings.

    Files without an audio suffix are ignored.

    Raises:
        KitError: the folder or one of its files cannot be used.
    """
    if not folder.is_dir():
        raise KitError(f"{folder}: no such folder; --kit wants a folder of samples named by drum")
    paths = [
        p
        for p in sorted(folder.iterdir())
        if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file() and not is_hidden(Path(p.name))
    ]
    if not paths:
        raise KitError(f"{folder}: no audio file in this folder; record each drum into its own file")
    if len(paths) > MAX_FILES:
        raise KitError(f"{folder}: {len(paths)} files, at most {MAX_FILES} are read; a few a drum are enough")
    strokes: dict[int, list[np.ndarray]] = {}
    warnings: list[str] = []
    for path, drum in [(path, drum_of(path)) for path in paths]:  # check all names before reading audio
        recording = _open(path)
        warnings += recording.warnings
        found = cut_strokes(np.concatenate(list(recording.blocks())))
        strokes[drum] = (strokes.get(drum, []) + found)[:MAX_STROKES]
    return strokes, tuple(warnings)


def _open(path: Path) -> AudioSource:
    limit = f"at most {MAX_SECONDS:g} s and {MAX_FILE_BYTES >> 20} MiB; a few strokes are enough"
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise KitError(f"{path}: a large file for a sample, {limit}")
        recording = open_file(path)
    except AudioError as error:
        raise KitError(str(error)) from error
    except OSError as error:
        raise KitError(f"{path}: cannot be read ({error.strerror or error})") from error
    if recording.seconds > MAX_SECONDS:
        raise KitError(f"{path}: {recording.seconds:.0f} s is long for a sample, {limit}")
    if recording.gain == 0.0:
        raise KitError(f"{path}: silent; record it again, or take it out of the folder")
    return recording


def cut_strokes(audio: np.ndarray) -> list[np.ndarray]:
    """Split non-silent mono audio [n] into strokes at rises of its level; returns at least one."""
    audio = np.pad(audio, (_BLOCK, -len(audio) % _BLOCK))
    level = np.abs(audio).reshape(-1, _BLOCK).max(axis=1)
    # A stroke that starts late in a block peaks in the next one.
    reach = np.maximum(level, np.append(level[1:], 0.0))
    before = np.array([level[max(0, i - 5) : i].max(initial=0.0) for i in range(len(level))])
    loud = (reach >= _SOFTEST * level.max()) & (reach > _RISE * before)
    starts: list[int] = []
    for block in np.flatnonzero(loud).tolist():
        if not starts or block - starts[-1] >= _GAP:
            starts.append(block)
    starts = starts or [int(np.argmax(level))]
    attacks = [_attack(audio, start * _BLOCK) for start in starts]
    return [_stroke(audio, attack, end) for attack, end in pairwise([*attacks, len(audio) + PREROLL])]


def _attack(audio: np.ndarray, start: int) -> int:
    """First sample from `start` on that exceeds 6 % (-24 dB) of the peak in the next 60 ms."""
    head = np.abs(audio[start : start + 6 * _BLOCK])
    return start + int(np.argmax(head >= 0.06 * head.max()))


def _stroke(audio: np.ndarray, attack: int, end: int) -> np.ndarray:
    stroke = audio[attack - PREROLL : min(end - PREROLL, attack + round(RING_SECONDS * SAMPLE_RATE))]
    stroke = np.asarray(stroke / np.abs(stroke).max(), dtype=np.float32)
    fade = min(2_000, len(stroke))
    stroke[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return stroke
