"""What the benchmark scores against: references and their recordings, from a folder or a corpus."""

from __future__ import annotations

import argparse
import ast
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from inspect import signature
from pathlib import Path, PurePosixPath
from typing import Any

from eval.inputs.annotations import annotation_files, read_annotation
from eval.inputs.names import match_names
from mt3drum.files import AUDIO_SUFFIXES, is_hidden
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS, LabelMap, find_label_map


@dataclass
class References:
    """What was played."""

    title: str
    label_map: LabelMap
    names: list[str] = field(default_factory=list)
    """Of every track, those left out by --tracks too."""
    hits: dict[str, tuple[Hit, ...]] = field(default_factory=dict)
    audio: dict[str, Path] = field(default_factory=dict)
    unmapped: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)

    def add(
        self, track: str, hits: tuple[Hit, ...], unmapped: Mapping[str, int], excluded: Mapping[str, int]
    ) -> None:
        """One more track."""
        self.hits[track] = hits
        self.unmapped.update(unmapped)
        self.excluded.update(excluded)


def read_references(args: argparse.Namespace) -> References:
    """The references the options ask for.

    Raises:
        ValueError, OSError: they cannot be read; the message names what.
    """
    if args.corpus:
        references = _corpus(args)
    elif args.reference is not None:
        references = _reference_folder(args)
    else:
        return _nothing_played(args.drumless)
    if not references.hits:
        globs = " ".join(args.tracks or ())
        raise ValueError(f"--tracks {globs}: no track fits; there are {', '.join(references.names)}")
    if args.audio is not None:
        files = audio_files(args.audio)
        pairs = match_names(references.names, files)
        references.audio |= {name: files[pairs[name]] for name in references.hits if name in pairs}
    return references


def _nothing_played(folder: Path) -> References:
    """Recordings without drums as references in their own right: every hit in them is a false alarm."""
    references = References(f"{folder.resolve().name} (no drums)", LABEL_MAPS["gm"])
    for name, path in audio_files(folder).items():
        references.names.append(name)
        references.add(name, (), {}, {})
        references.audio[name] = path
    return references


def _reference_folder(args: argparse.Namespace) -> References:
    label_map = find_label_map(args.reference_map)
    references = References(f"{args.reference.resolve().name} ({label_map.name})", label_map)
    for name, path in annotation_files(args.reference).items():
        references.names.append(name)
        if _wanted(name, args.tracks):
            annotation = read_annotation(path, label_map)
            references.add(name, annotation.hits, annotation.unmapped, annotation.excluded)
    return references


def _wanted(name: str, globs: Sequence[str] | None) -> bool:
    return not globs or any(fnmatch(name, glob) for glob in globs)


def _corpus(args: argparse.Namespace) -> References:
    from data.corpora.readers import READERS

    name, path = args.corpus[0], Path(args.corpus[1])
    if name not in READERS:
        raise ValueError(f"unknown corpus {name!r}; known: {', '.join(READERS)}")
    options = {key: literal(value) for key, value in map(key_value, args.corpus_option)}
    known = list(signature(READERS[name]).parameters)[1:]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"--corpus {name}: no option {', '.join(unknown)}; known: {', '.join(known) or 'none'}"
        )
    recordings = READERS[name](path, **options)
    if name == "mdb":
        label_map = LABEL_MAPS[f"mdb_{options.get('annotation', 'class')}"]
    else:
        label_map = find_label_map(options.get("label_map", "gm") if name == "folder" else name)
    title = " ".join([name, *[f"{key}={value}" for key, value in options.items()]])
    references = References(title, label_map)
    short = [PurePosixPath(recording.name).name for recording in recordings]
    unique = len(set(short)) == len(short)
    for recording, last in zip(recordings, short, strict=True):
        track = last if unique else recording.name.replace("/", "_")
        references.names.append(track)
        if _wanted(track, args.tracks):
            references.add(track, recording.hits, recording.unmapped, recording.excluded)
            if recording.audio is not None:
                references.audio[track] = recording.audio
    return references


def key_value(option: str) -> tuple[str, str]:
    """The two halves of KEY=VALUE.

    Raises:
        ValueError: it is not of that form.
    """
    key, equals, value = option.partition("=")
    if not equals or not key or not value:
        raise ValueError(f"{option!r}: expected KEY=VALUE")
    return key, value


def literal(value: str) -> Any:
    """An option's value: a number or truth value where it reads as one, else the text."""
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def audio_files(folder: Path) -> dict[str, Path]:
    """The recordings of a folder by stem."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: not a folder")
    found: dict[str, Path] = {}
    seen = (p for p in folder.rglob("*") if not is_hidden(p.relative_to(folder)))
    for path in sorted(p for p in seen if p.suffix.lower() in AUDIO_SUFFIXES):
        if path.stem in found:
            raise ValueError(
                f"{found[path.stem]} and {path} have one stem: keep one, or give the inner folder"
            )
        found[path.stem] = path
    if not found:
        raise ValueError(f"{folder}: no recordings in it ({', '.join(sorted(AUDIO_SUFFIXES))})")
    return found


def audio_lengths(audio: Mapping[str, Path]) -> dict[str, float]:
    """Seconds of every recording whose header libsndfile reads."""
    import soundfile

    lengths = {}
    for track, path in audio.items():
        try:
            info = soundfile.info(str(path))
        except soundfile.LibsndfileError as error:
            print(f"benchmark: length of {path} unknown: {error}", file=sys.stderr)
            continue
        lengths[track] = info.frames / info.samplerate
    return lengths
