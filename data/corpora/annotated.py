"""Readers of corpora annotated in text or XML: MDB Drums, ENST-Drums, RBMA13, IDMT-SMT-Drums.

Their labels have no velocity: hits get `COARSE_VELOCITY`. MDB Drums also has a second annotation in MIDI,
with velocities. Errors name file, row and text. These corpora have no training split; all recordings belong
to the split "test".
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from data.corpora.recording import Recording, at_least_one, audio_beside, counted
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS, LabelMap
from tokenizer.midi import read_midi

COARSE_VELOCITY = 100
"""MIDI velocity of hits in corpora without velocities."""
_MDB_FILES = {"class": "_class.txt", "subclass": "_subclass.txt", "midi": "_Drum.mid"}
_MDB_FOLDERS = {"midi": "midi_reannotated"}
_MDB_AUDIO = {"drum_only": "_Drum", "full_mix": "_MIX", "pseudo_mix": "_PSEUDO"}


def read_mdb(root: Path, annotation: str = "class", mix: str = "drum_only") -> list[Recording]:
    """MDB Drums (Southall et al. 2017): `root` contains annotations/ and audio/, or a folder "MDB Drums/"
    with them.

    The annotation "midi" is by a second annotator (MDB++), with velocities:
    annotations/midi_reannotated/<track>_Drum.mid. Tracks without audio of the mix are omitted. The published
    corpus has no pseudo mixes.
    """
    if annotation not in _MDB_FILES:
        raise ValueError(f"annotation {annotation!r} is not one of {', '.join(_MDB_FILES)}")
    if mix not in _MDB_AUDIO:
        raise ValueError(f"mix {mix!r} is not one of {', '.join(_MDB_AUDIO)}")
    root = root / "MDB Drums" if (root / "MDB Drums").is_dir() else root
    label_map = LABEL_MAPS[f"mdb_{annotation}"]
    folder, suffix = _MDB_FOLDERS.get(annotation, annotation), _MDB_FILES[annotation]
    read = _midi_annotated if annotation == "midi" else _annotated
    recordings = []
    for path in sorted((root / "annotations" / folder).glob(f"[!.]*{suffix}")):
        track = path.name.removesuffix(suffix)
        audio = audio_beside(root / "audio" / mix, track + _MDB_AUDIO[mix])
        if audio is not None:
            recordings.append(read(path, label_map, track, audio, "mdb", "CC BY-NC-SA 4.0"))
    return at_least_one(recordings, root, f"annotations/{folder}/*{suffix} with audio in audio/{mix}")


def read_enst(root: Path, mix: str = "wet_mix") -> list[Recording]:
    """ENST-Drums (Gillet and Richard 2006): drummer_N/annotation/*.txt beside drummer_N/audio/<mix>/*.wav."""
    recordings = []
    for path in sorted(root.glob("drummer_*/annotation/[!.]*.txt")):
        drummer = path.parent.parent
        audio = audio_beside(drummer / "audio" / mix, path.stem)
        if audio is not None:
            name = f"{drummer.name}/{path.stem}"
            recordings.append(
                _annotated(path, LABEL_MAPS["enst"], name, audio, "enst", "on request, research only")
            )
    return at_least_one(recordings, root, f"drummer_*/annotation/*.txt with audio in drummer_*/audio/{mix}")


def read_rbma13(root: Path) -> list[Recording]:
    """RBMA13 (Vogl et al. 2017): annotations/drums/<track>.txt beside audio/<track>.*."""
    recordings = []
    for path in sorted((root / "annotations" / "drums").glob("[!.]*.txt")):
        audio = audio_beside(root / "audio", path.stem)
        if audio is not None:
            recordings.append(
                _annotated(
                    path, LABEL_MAPS["rbma13"], path.stem, audio, "rbma13", "CC BY-NC-SA 4.0 (annotations)"
                )
            )
    return at_least_one(recordings, root, "annotations/drums/*.txt with audio in audio/")


def read_idmt_smt(root: Path) -> list[Recording]:
    """IDMT-SMT-Drums (Dittmar and Gaertner 2014): annotation_xml/<x>#MIX.xml beside audio/<x>#MIX.wav."""
    label_map = LABEL_MAPS["idmt_smt"]
    recordings = []
    for path in sorted((root / "annotation_xml").glob("[!.]*#MIX.xml")):
        audio = audio_beside(root / "audio", path.stem)
        if audio is not None:
            rows = _LabelRows(path, label_map)
            try:
                events = ElementTree.parse(path).getroot().iter("event")
            except ElementTree.ParseError as error:
                raise ValueError(f"{path}: not XML ({error})") from None
            for number, event in enumerate(events, 1):
                rows.add(number, event.findtext("onsetSec", ""), event.findtext("instrument", ""))
            recordings.append(
                rows.recording(path.stem.removesuffix("#MIX"), audio, "idmt_smt", "CC BY-NC-ND 4.0")
            )
    return at_least_one(recordings, root, "annotation_xml/*#MIX.xml with audio in audio/")


class _LabelRows:
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
            name,
            audio,
            tuple(sorted(self.hits)),
            "test",
            corpus,
            name,
            "",
            licence,
            dict(self.unmapped),
            dict(self.excluded),
        )


def _annotated(path: Path, labels: LabelMap, name: str, audio: Path, corpus: str, licence: str) -> Recording:
    """A recording annotated by a text file of `seconds label` rows."""
    rows = _LabelRows(path, labels)
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if line.strip():
            parts = line.replace(",", " ").split()
            if len(parts) != 2:
                raise ValueError(f"{path}, row {number}: expected 'seconds label', found {line.strip()!r}")
            rows.add(number, parts[0], parts[1])
    return rows.recording(name, audio, corpus, licence)


def _midi_annotated(
    path: Path, labels: LabelMap, name: str, audio: Path, corpus: str, licence: str
) -> Recording:
    """A recording annotated by a MIDI file."""
    score = read_midi(path, labels)
    return Recording(
        name,
        audio,
        tuple(score.hits),
        "test",
        corpus,
        name,
        "",
        licence,
        counted(score.unmapped),
        counted(score.excluded),
    )
