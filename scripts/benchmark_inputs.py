"""What the benchmark scores: references, estimates and recordings, read, named and put together."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import combinations
from pathlib import Path, PurePosixPath

from eval.annotations import annotation_files, read_annotation, read_folder
from eval.bootstrap import paired
from eval.evaluate import Evaluation, Settings, evaluate
from eval.names import match_names
from eval.report import Comparison, Report
from tokenizer.drums import DRUMS, SCHEMES
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS, LabelMap

AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".aiff", ".aif", ".m4a")


@dataclass
class References:
    """What was played."""

    title: str
    label_map: LabelMap
    hits: dict[str, tuple[Hit, ...]] = field(default_factory=dict)
    audio: dict[str, Path] = field(default_factory=dict)
    unmapped: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)


@dataclass
class System:
    """What one system heard, under the references' names."""

    name: str
    unjudged: frozenset[str]
    hits: dict[str, tuple[Hit, ...]] = field(default_factory=dict)
    drumless: dict[str, tuple[Hit, ...]] = field(default_factory=dict)
    stray: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    unmapped: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)


def build_report(args: argparse.Namespace, command: str) -> tuple[Report, dict[str, Path]]:
    """Read, decode, score.

    Returns:
        the report, and the recording of each track that has one.

    Raises:
        ValueError, OSError: an input cannot be read or does not fit; the message names it.
    """
    references = _references(args)
    drumless = {} if args.drumless is None else _audio_files(args.drumless)
    systems = _folders(args, references, list(drumless)) + _decoded(args, references, drumless)
    settings = _settings(args, references, systems)
    seconds = _lengths(references.audio | drumless)
    evaluations: list[Evaluation] = [
        evaluate(
            system.name,
            references.hits,
            system.hits,
            settings,
            seconds=seconds,
            drumless=system.drumless,
            unmapped=system.unmapped,
            excluded=system.excluded,
            stray=system.stray,
        )
        for system in systems
    ]
    pairs = [
        Comparison(
            a.name,
            b.name,
            figure,
            paired(a.headline, b.headline, figure=figure, samples=args.bootstrap, seed=args.seed),
        )
        for a, b in combinations(evaluations, 2)
        if len(references.hits) > 1
        for figure in ("micro", "macro", "track")
    ]
    report = Report(
        title=references.title,
        settings=settings,
        evaluations=evaluations,
        comparisons=pairs,
        unmapped=references.unmapped,
        excluded=references.excluded,
        names={system.name: system.renamed for system in systems if system.renamed},
        command=command,
    )
    return report, references.audio


def _label_map(name: str) -> LabelMap:
    if name not in LABEL_MAPS:
        raise ValueError(f"unknown label map {name!r}; known: {', '.join(LABEL_MAPS)}")
    return LABEL_MAPS[name]


def _references(args: argparse.Namespace) -> References:
    references = (
        _corpus(args) if args.corpus else _reference_folder(args.reference, _label_map(args.reference_map))
    )
    if args.audio is not None:
        files = _audio_files(args.audio)
        references.audio |= {
            name: files[other] for name, other in match_names(references.hits, files).items()
        }
    if args.tracks:
        kept = [name for name in references.hits if any(fnmatch(name, glob) for glob in args.tracks)]
        if not kept:
            raise ValueError(
                f"--tracks {' '.join(args.tracks)}: no track fits; there are {', '.join(references.hits)}"
            )
        references.hits = {name: references.hits[name] for name in kept}
        references.audio = {name: path for name, path in references.audio.items() if name in references.hits}
    return references


def _reference_folder(folder: Path, label_map: LabelMap) -> References:
    references = References(f"{folder.resolve().name} ({label_map.name})", label_map)
    for name, annotation in read_folder(folder, label_map).items():
        references.hits[name] = annotation.hits
        references.unmapped += annotation.unmapped
        references.excluded += annotation.excluded
    return references


def _corpus(args: argparse.Namespace) -> References:
    from data.sources import READERS

    name, path = args.corpus[0], Path(args.corpus[1])
    if name not in READERS:
        raise ValueError(f"unknown corpus {name!r}; known: {', '.join(READERS)}")
    options = dict(_key_value(option) for option in args.corpus_option)
    try:
        recordings = READERS[name](path, **options)
    except TypeError as error:  # an option the reader does not take
        raise ValueError(f"--corpus {name}: {error}") from None
    if name == "mdb":
        label_map = LABEL_MAPS[f"mdb_{options.get('annotation', 'class')}"]
    else:
        label_map = _label_map(options.get("label_map", "gm") if name == "folder" else name)
    title = " ".join([name, *[f"{key}={value}" for key, value in options.items()]])
    references = References(title, label_map)
    short = [PurePosixPath(recording.name).name for recording in recordings]
    unique = len(set(short)) == len(short)
    for recording, last in zip(recordings, short, strict=True):
        track = last if unique else recording.name.replace("/", "_")
        references.hits[track] = recording.hits
        references.unmapped += Counter(recording.unmapped)
        references.excluded += Counter(recording.excluded)
        if recording.audio is not None:
            references.audio[track] = recording.audio
    return references


def _key_value(option: str) -> tuple[str, str]:
    key, equals, value = option.partition("=")
    if not equals or not key or not value:
        raise ValueError(f"{option!r}: wanted KEY=VALUE")
    return key, value


def _audio_files(folder: Path) -> dict[str, Path]:
    """The recordings of a folder by stem."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: not a folder")
    found: dict[str, Path] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES):
        if path.stem in found:
            raise ValueError(
                f"{found[path.stem]} and {path} have one stem: keep one, or give the inner folder"
            )
        found[path.stem] = path
    if not found:
        raise ValueError(f"{folder}: no recordings in it ({', '.join(AUDIO_SUFFIXES)})")
    return found


def _folders(args: argparse.Namespace, references: References, drumless: Sequence[str]) -> list[System]:
    """The systems given as folders of estimates."""
    default, named = "gm", {}
    for item in args.estimate_map:
        system, equals, label_map = item.rpartition("=")
        if equals:
            named[system] = label_map
        else:
            default = label_map
    systems: list[System] = []
    for item in args.estimate:
        given, _, folder = item.partition("=") if "=" in item else ("", "", item)
        name = given or Path(folder).resolve().name
        if name in [system.name for system in systems]:
            raise ValueError(f"--estimate {item}: two systems are called {name}; give NAME=DIR")
        label_map = _label_map(named.pop(name, default))
        systems.append(_folder(name, Path(folder), label_map, references, drumless))
    if named:
        raise ValueError(f"--estimate-map: no system called {', '.join(named)}")
    return systems


def _folder(
    name: str, folder: Path, label_map: LabelMap, references: References, drumless: Sequence[str]
) -> System:
    files = annotation_files(folder)
    pairs = match_names(references.hits, [stem for stem in files if stem not in set(drumless)])
    if not pairs:
        raise ValueError(f"{folder}: none of its {len(files)} files bears the name of a reference")
    system = System(name, label_map.unjudged, renamed={ref: est for ref, est in pairs.items() if ref != est})
    wanted = {stem: track for track, stem in pairs.items()}
    for stem, path in files.items():
        if stem not in wanted and stem not in drumless:
            system.stray.append(stem)
            continue
        annotation = read_annotation(path, label_map)
        system.unmapped += annotation.unmapped
        system.excluded += annotation.excluded
        if stem in wanted:
            system.hits[wanted[stem]] = annotation.hits
        else:
            system.drumless[stem] = annotation.hits
    # Estimates left out by --tracks are not strays of the folder.
    if len(references.hits) < len(files) and len(system.stray) > 10:
        system.stray = [*system.stray[:10], f"... and {len(system.stray) - 10} more"]
    return system


def _decoded(args: argparse.Namespace, references: References, drumless: Mapping[str, Path]) -> list[System]:
    """The systems given as checkpoints; the bundled one if nothing else is given."""
    checkpoints = args.checkpoint or ([] if args.estimate else ["bundled"])
    if not checkpoints:
        return []
    from mt3drum import Transcriber

    silent = [name for name in references.hits if name not in references.audio]
    if silent:
        raise ValueError(
            f"no recording of {', '.join(silent[:5])} to decode; give --audio DIR or --estimate DIR"
        )
    systems = []
    for checkpoint in checkpoints:
        bundled = checkpoint == "bundled"
        system = System("mt3drum" if bundled else Path(checkpoint).stem, frozenset())
        transcriber = Transcriber.load(None if bundled else Path(checkpoint))
        track_of = {path: track for track, path in references.audio.items()}
        track_of |= {path: track for track, path in drumless.items()}
        for path, transcription in transcriber.transcribe_files(list(track_of)):
            track = track_of[Path(path)]
            side = system.hits if track in references.hits else system.drumless
            side[track] = tuple(transcription.hits)
            print(f"{system.name}: {track}: {len(side[track])} hits", file=sys.stderr)
        if args.output is not None:
            _keep(args.output / "estimates" / system.name, system.hits | system.drumless)
        systems.append(system)
    return systems


def _keep(folder: Path, hits: Mapping[str, Sequence[Hit]]) -> None:
    """Decoded hits as JSON, confidences and all, to be scored again without decoding."""
    folder.mkdir(parents=True, exist_ok=True)
    for track, of_track in hits.items():
        rows = [
            {"time": h.time, "drum": DRUMS[h.drum].name, "velocity": h.velocity, "confidence": h.confidence}
            for h in of_track
        ]
        path = folder / f"{track}.json"
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_text(json.dumps({"hits": rows}, indent=0) + "\n", encoding="utf-8")
        temporary.replace(path)


def _settings(args: argparse.Namespace, references: References, systems: Sequence[System]) -> Settings:
    finest = references.label_map.finest
    judged = tuple(SCHEMES)[tuple(SCHEMES).index(finest) :]
    scheme = args.scheme or ("5" if "5" in judged else finest)
    if scheme in SCHEMES and scheme not in judged:
        raise ValueError(
            f"--scheme {scheme}: {references.label_map.name} labels can judge {', '.join(judged)} classes"
        )
    try:
        windows = tuple(float(window) / 1000 for window in args.windows.split(","))
    except ValueError:
        raise ValueError(f"--windows {args.windows!r}: wanted milliseconds, such as 20,30,50") from None
    return Settings(
        scheme=scheme,
        schemes=judged,
        window=args.window / 1000,
        windows=windows,
        unjudged=references.label_map.unjudged.union(*[system.unjudged for system in systems]),
        merge=args.merge / 1000,
        samples=args.bootstrap,
        seed=args.seed,
        seam_period=args.seam,
    )


def _lengths(audio: Mapping[str, Path]) -> dict[str, float]:
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
