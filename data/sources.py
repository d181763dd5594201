"""Readers: each corpus's published layout, read into one shape.

Every reader returns a list of `Recording`: where the audio is, its hits, and what could not be mapped. Labels go
through `tokenizer.maps.LABEL_MAPS`; labels in no map are counted in `unmapped`, labels left out on purpose in
`excluded`. Corpora without loudness get velocity `COARSE_VELOCITY`.
"""

from __future__ import annotations

import csv
import math
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS, LabelMap
from tokenizer.midi import read_midi

COARSE_VELOCITY = 100
"""MIDI velocity given to hits of corpora that do not say how hard they were played."""
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".aiff", ".aif")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Recording:
    """One annotated recording, or one performance without audio."""

    name: str
    audio: Path | None
    hits: tuple[Hit, ...]
    """Times in seconds from the start of the recording, rising."""
    split: str
    corpus: str
    performance: str
    """What was played: recordings of one performance on several kits share it."""
    kit: str
    licence: str
    unmapped: dict[str, int] = field(default_factory=dict)
    """Hits whose label is in no map, by label."""
    excluded: dict[str, int] = field(default_factory=dict)
    """Hits left out on purpose, by label."""
    bpm: float = 0.0
    """Tempo; 0: unknown."""


def by_performance(recordings: Iterable[Recording]) -> dict[str, list[Recording]]:
    """Recordings grouped by what was played, both in order of first appearance."""
    groups: dict[str, list[Recording]] = {}
    for recording in recordings:
        groups.setdefault(recording.performance, []).append(recording)
    return groups


def draw_by_performance(groups: Mapping[str, Sequence[Recording]], rng: np.random.Generator) -> Recording:
    """One recording: every performance equally likely, then every kit it was recorded on.

    E-GMD holds 1,059 performances 43 times each: more kits of one performance teach less than one more
    performance (DESIGN.md section 2).
    """
    names = list(groups)
    chosen = groups[names[rng.integers(len(names))]]
    return chosen[rng.integers(len(chosen))]


def read_gmd(root: Path, split: str | None = None) -> list[Recording]:
    """The Groove MIDI Dataset (Gillick et al. 2019) with its official split; `root` holds info.csv."""
    return _read_groove(root, root / "info.csv", "gmd", split)


def read_egmd(
    root: Path, split: str | None = None, kits_per_performance: int | None = None, seed: int = 0
) -> list[Recording]:
    """The Expanded Groove MIDI Dataset (Callender et al. 2020) with its official split.

    Args:
        root: folder holding e-gmd-v1.0.0.csv.
        kits_per_performance: read at most so many of a performance's 43 kits, drawn with `seed`; the whole
            corpus is 45,537 MIDI files.
    """
    tables = sorted(root.glob("e-gmd*.csv"))
    if not tables:
        raise ValueError(f"{root}: no e-gmd-*.csv here; give the folder E-GMD was unpacked to")
    return _read_groove(root, tables[-1], "egmd", split, kits_per_performance, seed)


def _read_groove(
    root: Path, table: Path, corpus: str, split: str | None, kits: int | None = None, seed: int = 0
) -> list[Recording]:
    if split is not None and split not in SPLITS:
        raise ValueError(f"split {split!r} is not one of {', '.join(SPLITS)}")
    rows: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for number, row in _table_rows(table, ("id", "bpm", "midi_filename", "audio_filename", "split")):
        if row["split"] not in SPLITS:
            raise ValueError(f"{table}, row {number}: split {row['split']!r} is not one of {', '.join(SPLITS)}")
        if split in (None, row["split"]):
            rows.setdefault(row["id"], []).append((number, row))
    rng = np.random.default_rng(seed)
    recordings = []
    for same in rows.values():
        if kits is not None and kits < len(same):
            same = [same[i] for i in sorted(rng.choice(len(same), kits, replace=False))]
        recordings += [_groove_recording(root, table, number, row, corpus) for number, row in same]
    return recordings


def _groove_recording(root: Path, table: Path, number: int, row: dict[str, str], corpus: str) -> Recording:
    midi = root / row["midi_filename"]
    if not midi.is_file():
        raise ValueError(f"{table}, row {number}: {row['midi_filename']} does not exist")
    try:
        bpm = float(row["bpm"])
    except ValueError:
        raise ValueError(f"{table}, row {number}: bpm {row['bpm']!r} is not a number") from None
    score = read_midi(midi, LABEL_MAPS[corpus])
    audio = root / row["audio_filename"] if row["audio_filename"] else None
    return Recording(
        name=midi.relative_to(root).with_suffix("").as_posix(),
        audio=audio if audio is not None and audio.is_file() else None,
        hits=tuple(score.hits),
        split=row["split"],
        corpus=corpus,
        performance=row["id"],
        kit=row.get("kit_name") or "",
        licence="CC BY 4.0",
        unmapped=_named(score.unmapped),
        excluded=_named(score.excluded),
        bpm=bpm,
    )


def read_folder(root: Path, label_map: str | LabelMap = "gm", split: str = "train") -> list[Recording]:
    """Every audio file of a folder (and the folders in it) that has a MIDI file of the same stem beside it."""
    labels = LABEL_MAPS[label_map] if isinstance(label_map, str) else label_map
    recordings = []
    for midi in sorted(path for path in root.rglob("*") if path.suffix.lower() in (".mid", ".midi")):
        audio = _beside(midi.parent, midi.stem)
        if audio is not None:
            score = read_midi(midi, labels)
            name = midi.relative_to(root).with_suffix("").as_posix()
            recordings.append(
                Recording(
                    name, audio, tuple(score.hits), split, root.resolve().name, name, "", "unknown",
                    _named(score.unmapped), _named(score.excluded),
                )
            )  # fmt: skip
    return _some(recordings, root, "audio files with a .mid of the same name")


_MDB_AUDIO = {"drum_only": "_Drum", "full_mix": "_MIX", "pseudo_mix": "_PSEUDO"}


def read_mdb(root: Path, annotation: str = "class", mix: str = "drum_only") -> list[Recording]:
    """MDB Drums (Southall et al. 2017): `root` holds annotations/ and audio/, or "MDB Drums/" holding them.

    Tracks without audio of that mix are left out. A pseudo mix is not part of the published corpus.
    """
    if annotation not in ("class", "subclass"):
        raise ValueError(f"annotation {annotation!r} is not class or subclass")
    if mix not in _MDB_AUDIO:
        raise ValueError(f"mix {mix!r} is not one of {', '.join(_MDB_AUDIO)}")
    root = root / "MDB Drums" if (root / "MDB Drums").is_dir() else root
    label_map = LABEL_MAPS[f"mdb_{annotation}"]
    recordings = []
    for path in sorted((root / "annotations" / annotation).glob("*.txt")):
        track = path.stem.removesuffix(f"_{annotation}")
        audio = _beside(root / "audio" / mix, track + _MDB_AUDIO[mix])
        if audio is not None:
            recordings.append(_annotated(path, label_map, track, audio, "mdb", "CC BY-NC-SA 4.0"))
    return _some(recordings, root, f"annotations/{annotation}/*.txt with audio in audio/{mix}")


def read_enst(root: Path, mix: str = "wet_mix") -> list[Recording]:
    """ENST-Drums (Gillet and Richard 2006): drummer_N/annotation/*.txt beside drummer_N/audio/<mix>/*.wav."""
    recordings = []
    for path in sorted(root.glob("drummer_*/annotation/*.txt")):
        drummer = path.parent.parent
        audio = _beside(drummer / "audio" / mix, path.stem)
        if audio is not None:
            name = f"{drummer.name}/{path.stem}"
            recordings.append(_annotated(path, LABEL_MAPS["enst"], name, audio, "enst", "on request, research only"))
    return _some(recordings, root, f"drummer_*/annotation/*.txt with audio in drummer_*/audio/{mix}")


def read_rbma13(root: Path) -> list[Recording]:
    """RBMA13 (Vogl et al. 2017): annotations/drums/<track>.txt beside audio/<track>.*."""
    recordings = []
    for path in sorted((root / "annotations" / "drums").glob("*.txt")):
        audio = _beside(root / "audio", path.stem)
        if audio is not None:
            recordings.append(
                _annotated(path, LABEL_MAPS["rbma13"], path.stem, audio, "rbma13", "CC BY-NC-SA 4.0 (annotations)")
            )
    return _some(recordings, root, "annotations/drums/*.txt with audio in audio/")


def read_idmt_smt(root: Path) -> list[Recording]:
    """IDMT-SMT-Drums (Dittmar and Gaertner 2014): annotation_xml/<name>#MIX.xml beside audio/<name>#MIX.wav."""
    label_map = LABEL_MAPS["idmt_smt"]
    recordings = []
    for path in sorted((root / "annotation_xml").glob("*#MIX.xml")):
        audio = _beside(root / "audio", path.stem)
        if audio is not None:
            rows = _Rows(path, label_map)
            try:
                events = ElementTree.parse(path).getroot().iter("event")
            except ElementTree.ParseError as error:
                raise ValueError(f"{path}: not XML ({error})") from None
            for number, event in enumerate(events, 1):
                rows.add(number, event.findtext("onsetSec", ""), event.findtext("instrument", ""))
            recordings.append(
                rows.recording(path.stem.removesuffix("#MIX"), audio, "idmt_smt", "CC BY-NC-ND 4.0")
            )
    return _some(recordings, root, "annotation_xml/*#MIX.xml with audio in audio/")


def read_slakh_drums(root: Path, audio: str = "mix") -> list[Recording]:
    """Slakh2100 (Manilow et al. 2019): <split>/TrackNNNNN/{metadata.yaml,mix.flac,MIDI/Sxx.mid,stems/Sxx.flac}.

    Args:
        audio: "mix", the whole song, or "drums", the stem of the (first) drum track.
    """
    import yaml

    recordings = []
    for metadata in sorted(root.glob("**/Track*/metadata.yaml")):
        track = metadata.parent
        stems = (yaml.safe_load(metadata.read_text(encoding="utf-8")) or {}).get("stems") or {}
        drums = sorted(name for name, stem in stems.items() if stem.get("is_drum"))
        heard = _beside(track, "mix") if audio == "mix" else _beside(track / "stems", drums[0] if drums else "")
        scores = [read_midi(track / "MIDI" / f"{name}.mid", LABEL_MAPS["slakh"]) for name in drums]
        if scores and heard is not None:
            scores = scores if audio == "mix" else scores[:1]
            split = track.parent.name if track.parent.name in SPLITS else "train"
            hits = tuple(sorted(hit for score in scores for hit in score.hits))
            recordings.append(
                Recording(
                    track.name, heard, hits, split, "slakh", track.name, "", "CC BY 4.0",
                    _named(sum((Counter(score.unmapped) for score in scores), Counter())),
                    _named(sum((Counter(score.excluded) for score in scores), Counter())),
                )
            )  # fmt: skip
    return _some(recordings, root, "Track*/metadata.yaml with a drum stem")


READERS: Mapping[str, Callable[..., list[Recording]]] = {
    "gmd": read_gmd,
    "egmd": read_egmd,
    "folder": read_folder,
    "mdb": read_mdb,
    "enst": read_enst,
    "rbma13": read_rbma13,
    "idmt_smt": read_idmt_smt,
    "slakh": read_slakh_drums,
}
"""Readers by the name used on the command line."""


class _Rows:
    """Collects `seconds label` rows of one annotation file."""

    def __init__(self, path: Path, label_map: LabelMap) -> None:
        self.path = path
        self.label_map = label_map
        self.hits: list[Hit] = []
        self.unmapped: Counter[str] = Counter()
        self.excluded: Counter[str] = Counter()

    def add(self, number: int, seconds: str, label: str) -> None:
        try:
            time = float(seconds)
        except ValueError:
            time = math.nan
        if not math.isfinite(time) or time < 0:
            raise ValueError(f"{self.path}, row {number}: {seconds!r} is not a time in seconds")
        drum_of = self.label_map.drum_of
        key: str | int = int(label) if label.isdecimal() and label not in drum_of else label
        if key not in drum_of:
            self.unmapped[label] += 1
            return
        drum = drum_of[key]
        if drum is None:
            self.excluded[label] += 1
            return
        self.hits.append(Hit(time, CLASS_INDEX[drum], COARSE_VELOCITY))

    def recording(self, name: str, audio: Path, corpus: str, licence: str) -> Recording:
        return Recording(
            name, audio, tuple(sorted(self.hits)), "test", corpus, name, "", licence,
            dict(self.unmapped), dict(self.excluded),
        )  # fmt: skip


def _annotated(path: Path, labels: LabelMap, name: str, audio: Path, corpus: str, licence: str) -> Recording:
    """A recording annotated by a text file of `seconds label` rows."""
    rows = _Rows(path, labels)
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if line.strip():
            parts = line.replace(",", " ").split()
            if len(parts) != 2:
                raise ValueError(f"{path}, row {number}: expected 'seconds label', found {line.strip()!r}")
            rows.add(number, parts[0], parts[1])
    return rows.recording(name, audio, corpus, licence)


def _table_rows(table: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV file with their line numbers, once its columns are known to be there."""
    if not table.is_file():
        raise ValueError(f"{table} does not exist; give the folder the corpus was unpacked to")
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{table}: no column {', '.join(missing)}")
        for row in reader:
            if any(row[column] is None for column in columns):
                raise ValueError(f"{table}, row {reader.line_num}: {len(columns)} columns expected, found {row}")
            yield reader.line_num, row


def _beside(folder: Path, stem: str) -> Path | None:
    """The audio file of that stem in a folder, if there is one."""
    return next((path for suffix in AUDIO_SUFFIXES if (path := folder / f"{stem}{suffix}").is_file()), None)


def _named(counts: Mapping[str | int, int]) -> dict[str, int]:
    return {str(label): count for label, count in sorted(counts.items(), key=lambda item: str(item[0]))}


def _some(recordings: list[Recording], root: Path, wanted: str) -> list[Recording]:
    if not recordings:
        raise ValueError(f"{root}: found no {wanted}")
    return recordings
