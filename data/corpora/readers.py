"""Readers for the published layouts of corpora.

Every reader returns a list of `Recording` with audio path, hits and unmapped labels. Labels are mapped by
`tokenizer.maps.LABEL_MAPS`; labels in no map are counted in `unmapped`, labels excluded on purpose in
`excluded`. Corpora annotated in MIDI are read here, those in text or XML in `data.corpora.annotated`.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from data.corpora.annotated import COARSE_VELOCITY, read_enst, read_idmt_smt, read_mdb, read_rbma13
from data.corpora.note_sequences import read_note_sequences
from data.corpora.recording import (
    SPLITS,
    Recording,
    at_least_one,
    audio_beside,
    by_performance,
    counted,
    draw_by_performance,
)
from mt3drum.files import AUDIO_SUFFIXES, is_hidden
from tokenizer.maps import LABEL_MAPS, LabelMap, find_label_map
from tokenizer.midi import read_midi

__all__ = [
    "COARSE_VELOCITY",
    "READERS",
    "SPLITS",
    "Recording",
    "by_performance",
    "draw_by_performance",
    "read_egmd",
    "read_enst",
    "read_folder",
    "read_gmd",
    "read_idmt_smt",
    "read_mdb",
    "read_note_sequences",
    "read_rbma13",
    "read_slakh_drums",
    "read_unlabelled",
]


def read_gmd(root: Path, split: str | None = None) -> list[Recording]:
    """The Groove MIDI Dataset (Gillick et al. 2019) with its official split; `root` holds info.csv."""
    return _read_groove(root, root / "info.csv", "gmd", split)


def read_egmd(
    root: Path, split: str | None = None, kits_per_performance: int | None = None, seed: int = 0
) -> list[Recording]:
    """The Expanded Groove MIDI Dataset (Callender et al. 2020) with its official split.

    Args:
        root: folder with e-gmd-v1.0.0.csv.
        kits_per_performance: maximum number of a performance's 43 kits to read, drawn with `seed`; the whole
            corpus has 45,537 MIDI files.
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
            raise ValueError(
                f"{table}, row {number}: split {row['split']!r} is not one of {', '.join(SPLITS)}"
            )
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
        unmapped=counted(score.unmapped),
        excluded=counted(score.excluded),
        bpm=bpm,
        style=(row.get("style") or "").split("/")[0],
    )


def read_folder(root: Path, label_map: str | LabelMap = "gm", split: str = "train") -> list[Recording]:
    """Every audio file of a folder and its subfolders with a MIDI file of the same stem in the same
    folder."""
    labels = find_label_map(label_map) if isinstance(label_map, str) else label_map
    recordings = []
    found = (path for path in root.rglob("*") if not is_hidden(path.relative_to(root)))
    for midi in sorted(path for path in found if path.suffix.lower() in (".mid", ".midi")):
        audio = audio_beside(midi.parent, midi.stem)
        if audio is not None:
            score = read_midi(midi, labels)
            name = midi.relative_to(root).with_suffix("").as_posix()
            recordings.append(
                Recording(
                    name,
                    audio,
                    tuple(score.hits),
                    split,
                    root.resolve().name,
                    name,
                    "",
                    "unknown",
                    counted(score.unmapped),
                    counted(score.excluded),
                )
            )
    return at_least_one(recordings, root, "audio files with a .mid of the same name")


def read_unlabelled(root: Path) -> list[Recording]:
    """Every audio file of a folder and its subfolders, for training without labels; the licence is the first
    line `licence:` of SOURCE.txt there."""
    source = root / "SOURCE.txt"
    lines = source.read_text(encoding="utf-8").splitlines() if source.is_file() else []
    licence = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("licence:")), "unknown"
    )
    recordings = []
    for path in sorted(path for path in root.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES):
        if not is_hidden(path.relative_to(root)):
            name = path.relative_to(root).with_suffix("").as_posix()
            corpus = root.resolve().name
            recordings.append(Recording(name, path, (), "train", corpus, name, "", licence, labelled=False))
    return at_least_one(recordings, root, "audio files")


def read_slakh_drums(root: Path, audio: str = "mix") -> list[Recording]:
    """Slakh2100 (Manilow et al. 2019): <split>/TrackN/{metadata.yaml,mix.flac,MIDI/Sxx.mid,stems/Sxx.flac}.

    Args:
        audio: "mix", the whole song, or "drums", the stem of the (first) drum track.
    """
    import yaml

    recordings = []
    for metadata in sorted(root.glob("**/Track*/metadata.yaml")):
        track = metadata.parent
        try:
            stems = yaml.safe_load(metadata.read_text(encoding="utf-8"))["stems"]
            drums = sorted(name for name, stem in stems.items() if stem["is_drum"])
        except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            problem = " ".join(str(error).split())
            raise ValueError(f"{metadata}: no stems with is_drum ({problem})") from None
        recording = (
            audio_beside(track, "mix")
            if audio == "mix"
            else audio_beside(track / "stems", drums[0] if drums else "")
        )
        scores = [read_midi(track / "MIDI" / f"{name}.mid", LABEL_MAPS["slakh"]) for name in drums]
        if scores and recording is not None:
            scores = scores if audio == "mix" else scores[:1]
            split = track.parent.name if track.parent.name in SPLITS else "train"
            hits = tuple(sorted(hit for score in scores for hit in score.hits))
            recordings.append(
                Recording(
                    track.name,
                    recording,
                    hits,
                    split,
                    "slakh",
                    track.name,
                    "",
                    "CC BY 4.0",
                    counted(sum((Counter(score.unmapped) for score in scores), Counter())),
                    counted(sum((Counter(score.excluded) for score in scores), Counter())),
                )
            )
    return at_least_one(recordings, root, "Track*/metadata.yaml with a drum stem")


READERS: Mapping[str, Callable[..., list[Recording]]] = {
    "gmd": read_gmd,
    "egmd": read_egmd,
    "folder": read_folder,
    "note_sequences": read_note_sequences,
    "mdb": read_mdb,
    "enst": read_enst,
    "rbma13": read_rbma13,
    "idmt_smt": read_idmt_smt,
    "slakh": read_slakh_drums,
}
"""Readers by the name used on the command line."""


def _table_rows(table: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV file with their line numbers, after checking that the columns exist."""
    if not table.is_file():
        raise ValueError(f"{table} does not exist; give the folder the corpus was unpacked to")
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{table}: no column {', '.join(missing)}")
        for row in reader:
            if any(row[column] is None for column in columns):
                raise ValueError(
                    f"{table}, row {reader.line_num}: {len(columns)} columns expected, found {row}"
                )
            yield reader.line_num, row
